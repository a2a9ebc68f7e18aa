//! Who asks, and at which job's desk: what nearly every route needs.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;
use serde::Serialize;

use super::answer;
use super::answer::Form;
use super::caller::Caller;
use super::extract::Path;
use super::problem::Problem;
use crate::app::actor::Actor;
use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::app::service::Service;
use crate::app::words::Words;

/// What a handler answers.
pub(super) type Answered = Result<Response, Problem>;

/// The desk of the job that the path names, before somebody who asks in one form.
pub(super) struct AtDesk {
    /// The daemon.
    pub(super) service: Arc<Service>,
    /// The job, as it was named.
    pub(super) job: String,
    /// Who asks.
    pub(super) actor: Actor,
    /// The form of the answer.
    pub(super) form: Form,
}

/// The job in a path; other parts are for others.
#[derive(Deserialize)]
struct OfJob {
    job: String,
}

/// The object or cycle in a path.
#[derive(Deserialize)]
pub(super) struct OfId {
    /// As it was named.
    pub(super) id: String,
}

impl FromRequestParts<Arc<Service>> for AtDesk {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, Problem> {
        let caller = Caller::from_request_parts(parts, service).await?;
        let Path(OfJob { job }) = Path::from_request_parts(parts, service).await?;
        Ok(Self {
            service: Arc::clone(service),
            job,
            actor: caller.actor,
            form: Form::of(&parts.headers),
        })
    }
}

impl AtDesk {
    /// Opens the desk. May block.
    pub(super) fn open(&self) -> Result<Desk, AppError> {
        self.service.desk(&self.job, self.actor.clone())
    }

    /// Asks at the desk on a thread that may block, and answers with the view.
    pub(super) async fn show<V, F>(self, ask: F) -> Answered
    where
        V: Serialize + Words + Send + 'static,
        F: FnOnce(&Desk) -> Result<V, AppError> + Send + 'static,
    {
        answer::shown(self.form, move || ask(&self.open()?)).await
    }
}

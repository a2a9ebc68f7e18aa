//! Who looks at a page, and how it is made: where the store may block.

use std::sync::Arc;

use askama::Template;
use axum::extract::FromRequestParts;
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde::Deserialize;

use super::frame;
use super::frame::Frame;
use super::sent;
use crate::admin::answer;
use crate::admin::caller::Caller;
use crate::admin::cookie;
use crate::admin::extract::Path;
use crate::admin::problem::Problem;
use crate::app::access::sessions::Notice;
use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::app::service::Service;

/// Somebody who looks at a page.
pub(super) struct Visit {
    pub(super) service: Arc<Service>,
    pub(super) caller: Caller,
    /// The job in the path, where there is one.
    job: Option<String>,
    session: Option<String>,
}

#[derive(Deserialize)]
struct OfJob {
    #[serde(default)]
    job: Option<String>,
}

impl FromRequestParts<Arc<Service>> for Visit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, service: &Arc<Service>) -> Result<Self, Response> {
        let refused = |problem: Problem| frame::refused(&problem);
        let caller = Caller::from_request_parts(parts, service)
            .await
            .map_err(refused)?;
        let Path(OfJob { job }) = Path::from_request_parts(parts, service).await.map_err(refused)?;
        Ok(Self {
            service: Arc::clone(service),
            caller,
            job,
            session: cookie::session(&parts.headers),
        })
    }
}

impl Visit {
    /// The job that the path names.
    pub(super) fn job(&self) -> &str {
        self.job.as_deref().unwrap_or_default()
    }

    /// Opens the desk of the job. May block.
    pub(super) fn desk(&self) -> Result<Desk, AppError> {
        self.service.desk(self.job(), self.caller.actor.clone())
    }

    /// Answers with a page that is made where it may block.
    pub(super) async fn show<T, F>(self, ask: F) -> Response
    where
        T: Template,
        F: FnOnce(&Self, Frame) -> Result<T, AppError> + Send + 'static,
    {
        let made = answer::blocking(move || {
            let notice = self
                .session
                .as_ref()
                .and_then(|id| self.service.sessions().take(id));
            let made = ask(&self, self.frame(notice)).and_then(|page| sent::render(&page));
            Ok(made.map_err(|error| (self.frame(None), error)))
        });
        match made.await {
            Ok(Ok(text)) => sent::html(StatusCode::OK, text),
            Ok(Err((frame, error))) => frame::refused_within(frame, &Problem::from(error)),
            Err(error) => frame::refused(&Problem::from(error)),
        }
    }

    /// What stands around a page; of a job that the settings have.
    fn frame(&self, notice: Option<Notice>) -> Frame {
        let site = self.service.site();
        let settings = site.settings();
        let job = self.job.as_deref().filter(|job| settings.jobs.contains_key(*job));
        Frame::of(&self.caller, job, (notice, settings.admin.comment_required))
    }

    /// Decides something where it may block, and goes to a page that says how that ended.
    pub(super) async fn decide<F>(self, back: String, decide: F) -> Response
    where
        F: FnOnce(&Self) -> Result<String, AppError> + Send + 'static,
    {
        let decided = answer::blocking(move || Ok((decide(&self), self))).await;
        match decided {
            Ok((done, visit)) => visit.end(&back, done),
            Err(error) => frame::refused(&Problem::from(error)),
        }
    }

    /// Goes to a page that says how something ended; a visitor without a session is told at once.
    pub(super) fn end(self, to: &str, done: Result<String, AppError>) -> Response {
        let Some(session) = &self.session else {
            return match done {
                Ok(_) => sent::go(to),
                Err(error) => frame::refused(&Problem::from(error)),
            };
        };
        let notice = match done {
            Ok(text) => Notice {
                good: true,
                text,
                advice: None,
            },
            Err(error) => refusal(error),
        };
        self.service.sessions().leave(session, notice);
        sent::go(to)
    }

    /// Answers a form that was refused with its page, as it was filled in, that says why; a visitor without a session is told alone.
    pub(super) async fn again<T, F>(self, error: AppError, ask: F) -> Response
    where
        T: Template,
        F: FnOnce(&Self, Frame) -> Result<T, AppError> + Send + 'static,
    {
        match &self.session {
            Some(session) => self.service.sessions().leave(session, refusal(error)),
            None => return frame::refused(&Problem::from(error)),
        }
        self.show(ask).await
    }

    /// The id of the session, where there is one.
    pub(super) fn session(&self) -> Option<&str> {
        self.session.as_deref()
    }
}

/// What is said of something that was refused.
fn refusal(error: AppError) -> Notice {
    let first = error.errors.into_iter().next().unwrap_or_default();
    let words: Vec<String> = std::iter::once(first.what).chain(first.causes).collect();
    Notice {
        good: false,
        text: words.join(": "),
        advice: first.advice,
    }
}

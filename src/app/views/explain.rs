//! One object, step by step, and why. Sends both sides only questions, and leaves the snapshot as it is.

use std::sync::Arc;

use serde::Serialize;
use serde::Serializer;
use tokio_util::sync::CancellationToken;

use crate::app::actor::Actor;
use crate::app::cycles::Asking;
use crate::app::error::AppError;
use crate::engine::explain;
use crate::engine::explain::ExplainError;
use crate::engine::job::Extent;
use crate::engine::job::Job;
use crate::engine::job::NoWatcher;
use crate::model::id::ObjectKind;
use crate::reconcile::explain::object::Explanation;
use crate::snapshot::store::Snapshot;

/// One object, explained.
pub struct Explained {
    explanation: Explanation,
    /// Every attribute in words, and every group.
    details: bool,
    /// Where the names of members and managers are looked up.
    snapshot: Snapshot,
}

/// As one document.
impl Serialize for Explained {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.explanation.to_json().serialize(serializer)
    }
}

impl Explained {
    /// As people read it.
    #[must_use]
    pub fn words(&self) -> String {
        // A name that cannot be read is only a name that is not shown.
        let name_of = |id| self.snapshot.name_of(ObjectKind::User, &id).ok().flatten();
        self.explanation.to_text(name_of, self.details)
    }
}

/// What is asked about one object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// An id, the beginning of one, or any name.
    pub object: String,
    /// The group of which it is asked whether it holds the object.
    pub in_group: Option<String>,
    /// Every attribute in words, and every group.
    pub details: bool,
}

/// Explains the object that a name leads to, as things are at this moment: a cycle may go on meanwhile.
pub async fn explain(
    job: &Job,
    asked: &Asked,
    actor: Actor,
    stop: CancellationToken,
) -> Result<Explained, AppError> {
    let asking = Asking {
        id: None,
        actor,
        stop,
        watcher: Arc::new(NoWatcher),
    };
    let order = asking.order(Extent::Explain, false);
    let about = explain::Asked {
        object: &asked.object,
        in_group: asked.in_group.as_deref(),
    };
    let explanation = explain::explain(job, &order, about).await;
    Ok(Explained {
        explanation: explanation.map_err(|error| AppError::from(&error))?,
        details: asked.details,
        snapshot: job.snapshot.clone(),
    })
}

impl From<&ExplainError> for AppError {
    fn from(error: &ExplainError) -> Self {
        match error {
            ExplainError::Cycle(error) => Self::from(error),
            ExplainError::NotOne(error) => Self::from(error),
        }
    }
}

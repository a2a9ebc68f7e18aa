//! What the steps of a cycle report while one object is explained.

use std::sync::Mutex;
use std::sync::PoisonError;

use crate::engine::job::Watcher;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::reconcile::explain::omission::Omission;
use crate::reconcile::operation::Operation;

/// The operations and omissions of the cycle, and what it remarks.
#[derive(Default)]
pub(super) struct Gathered(Mutex<Seen>);

/// What was reported so far.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) operations: Vec<Operation>,
    pub(super) omissions: Vec<(SourceId, Omission)>,
    pub(super) notes: Vec<String>,
}

impl Gathered {
    /// Works on what was reported so far.
    pub(super) fn with<T>(&self, work: impl FnOnce(&mut Seen) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Watcher for Gathered {
    fn operation(&self, operation: &Operation) {
        self.with(|seen| seen.operations.push(operation.clone()));
    }

    fn omission(&self, _: ObjectKind, object: SourceId, _: &str, omission: &Omission) {
        self.with(|seen| seen.omissions.push((object, omission.clone())));
    }

    fn finding(&self, text: &str) {
        self.with(|seen| seen.notes.push(text.to_owned()));
    }
}

//! Record: what apply did goes into the snapshot, with its history: one transaction a batch, or, of a large one, for
//! each part that is answered, while the rest is still being sent. A crash between two parts leaves the objects of the
//! second dirty and their intents open, as one before the batch was recorded does.
//!
//! Answers come in, and `Learned` goes out: what they say beyond the objects that they are of. What follows from it is not
//! decided here.

pub mod after_write;
pub(super) mod claims;
pub(super) mod classify;
pub(super) mod foresee;
pub(super) mod links;
pub(super) mod members;
pub(super) mod met;
pub(super) mod part;
pub(super) mod recording;
pub mod refused;
pub(super) mod refused_members;

use super::error::CycleError;
use super::failures::Failures;
use super::judge::kept_back::KeptBack;
use super::plan::unique_names::UniqueNames;
use super::run::Run;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::ports::TargetError;

/// What recording adds to: the cycle itself, its failures, and the names that are free or taken.
pub(super) struct Recorder<'c, 'j> {
    pub(super) run: &'c mut Run<'j>,
    pub(super) failures: &'c mut Failures,
    pub(super) names: &'c mut UniqueNames,
    /// What people keep back: what they let through is used up.
    pub(super) kept_back: &'c KeptBack,
}

/// What the target was found to hold otherwise than was known, when a request met it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Observation {
    /// Something is there that the request cannot be beside (409).
    Conflict,
    /// The object's resource is gone (404), and it is planned anew.
    Lost,
    /// The object's resource is gone (404), which is for the next cycle.
    Gone,
}

/// What the answers to a batch say beyond the objects that they are of.
#[derive(Debug, Default)]
pub(super) struct Learned {
    /// Something was carried out or settled.
    pub(super) moved: bool,
    /// An object is to be planned again in this cycle.
    pub(super) again: bool,
    /// Objects that are planned again once the target was asked for them, in the order of the answers.
    pub(super) observed: Vec<(SourceId, Observation)>,
    /// Members whom the target refused to put into a group, perhaps because they are gone there.
    pub(super) doubted: Vec<(SourceId, TargetId)>,
    /// The credential was refused: the cycle ends.
    pub(super) fatal: Option<TargetError>,
    /// The target did not answer for one of them.
    pub(super) unavailable: Option<TargetError>,
    /// The snapshot itself failed: what could be recorded is, and the cycle ends.
    pub(super) broken: Option<CycleError>,
}

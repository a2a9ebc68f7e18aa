//! The way back: what goes from the target to the source (docs/design/write-back.md).
//!
//! It runs in full cycles, after what goes to the target, and alone on a schedule of its own. Both directions share the guard's window,
//! holds, releases, the pause and the history; they share neither what is read nor what is planned, because their proofs differ.

pub(super) mod cells;
pub(super) mod enrolled;
pub(super) mod findings;
pub(super) mod phase;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use crate::mapping::TargetPath;
use crate::model::id::SourceId;
use crate::ports::EnrolmentEvidence;
use crate::ports::KeyDirectory;
use crate::ports::Writer;
use crate::reconcile::back::decide::Rules;
use crate::reconcile::back::group::EnrolledThreshold;
use crate::reconcile::policy::Threshold;

/// The way back of a job, with its ports: built once by whoever starts the program.
pub struct WayBack {
    /// Where it is written: the source, by an app of its own.
    pub writer: Arc<dyn Writer>,
    /// The enrolled group, where one is kept.
    pub enrolled: Option<Enrolled>,
    /// The values that are carried back.
    pub attributes: Vec<WrittenBack>,
    /// How many values may be cleared within the guard window.
    pub clear_threshold: Threshold,
}

/// The group of those who hold a security key, and what is asked about them.
pub struct Enrolled {
    /// Who holds a key.
    pub keys: Arc<dyn KeyDirectory>,
    /// Who is in the group, and who has a passkey.
    pub evidence: Arc<dyn EnrolmentEvidence>,
    /// The rules.
    pub rules: EnrolledRules,
}

/// The rules of the enrolled group.
#[derive(Debug, Clone, PartialEq)]
pub struct EnrolledRules {
    /// The group.
    pub group: SourceId,
    /// What a user needs to join.
    pub requires: Requires,
    /// How far apart the two readings are that prove that somebody has no key any more.
    pub leave_after: Duration,
    /// How many may join and leave within the guard window.
    pub threshold: EnrolledThreshold,
    /// Who is never a member: break-glass accounts.
    pub never: BTreeSet<SourceId>,
}

/// What a user needs to join the enrolled group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Requires {
    /// An active key at the target.
    #[default]
    Key,
    /// A passkey that was seen in Entra too.
    KeyAndPasskey,
}

/// One attribute that is carried back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenBack {
    /// Where the target holds it.
    pub path: TargetPath,
    /// The Graph property that it is written to.
    pub property: String,
    /// How it is decided.
    pub rules: Rules,
}

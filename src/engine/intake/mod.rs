//! Intake: what the source said, who is ours by it, and what this cycle looks at.

pub mod assigned;
pub mod entitlements;
pub mod evaluation;
pub(super) mod look_up;
mod named;
pub(super) mod scope;
pub(super) mod scoping;
pub mod stream;

use std::collections::BTreeSet;

use super::intake::entitlements::Entitlements;
use super::intake::entitlements::Listing;
use super::run::Run;
use super::standing::Fact;
use super::standing::Key;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;

/// What the source said, as far as later phases ask for it.
#[derive(Debug, Default)]
pub(super) struct Intake {
    /// Only these objects, where an admin named them.
    pub(super) focus: Option<BTreeSet<Key>>,
    /// Types of which nothing is planned, because their scope cannot be told.
    pub(super) stopped: BTreeSet<ObjectKind>,
    /// What reading the assignment list came to.
    pub(super) listing: Listing,
    /// Who is assigned, by that list.
    pub(super) entitlements: Entitlements,
}

impl Intake {
    /// True for an object that is planned in this cycle at all.
    pub(super) fn may_plan(&self, run: &Run<'_>, kind: ObjectKind, id: SourceId) -> bool {
        let chosen = self.focus.as_ref();
        self.is_free(run, kind, id) && chosen.is_none_or(|focus| focus.contains(&(kind, id)))
    }

    /// True for an object that nothing keeps from being planned in this cycle, where it is chosen.
    pub(super) fn is_free(&self, run: &Run<'_>, kind: ObjectKind, id: SourceId) -> bool {
        !self.stopped.contains(&kind)
            && !run.standing.is((kind, id), Fact::Failed)
            // Named by an admin, whatever waits is tried: once.
            && (self.focus.is_none() || !run.standing.is((kind, id), Fact::InPart))
            // Who came in the middle of the cycle is the next one's, but for what takes access away.
            && (run.overtaking
                || !(run.standing.is((kind, id), Fact::Late) || run.standing.is((kind, id), Fact::InEscrow)))
    }
}

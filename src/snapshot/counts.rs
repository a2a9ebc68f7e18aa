//! The counters written with every commit, and the facts of a record that counters, owners and referrers follow.

use serde::{Deserialize, Serialize};

use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::object::Life;

use super::record::Record;

/// The facts of a record that are also stored beside it: counters, owners and referrers follow these.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    life: Life,
    pub(super) manager: Option<SourceId>,
    pub(super) target: Option<TargetId>,
}

impl Facts {
    /// The facts where there is no record.
    pub(super) const NONE: Self = Self {
        life: Life::Unknown,
        manager: None,
        target: None,
    };

    /// Extracts the facts of a record.
    #[must_use]
    pub fn of(record: &Record) -> Self {
        Self {
            life: record.object.life,
            manager: record.object.manager,
            target: record.link.as_ref().map(|link| link.target.clone()),
        }
    }
}

/// The number of objects, edges and marks; stored with every commit, because counting in sled is a full scan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// User records, tombstones included.
    pub users: u64,
    /// Group records, tombstones included.
    pub groups: u64,
    /// Users that the source is known to hold (`Life::Alive`).
    pub alive_users: u64,
    /// Groups that the source is known to hold.
    pub alive_groups: u64,
    /// Users with a resource at the target.
    pub linked_users: u64,
    /// Groups with a resource at the target.
    pub linked_groups: u64,
    /// Linked users that the source is known to hold.
    pub linked_alive_users: u64,
    /// Linked groups that the source is known to hold.
    pub linked_alive_groups: u64,
    /// Membership edges, including those that only the target still holds.
    pub edges: u64,
    /// Users still to be planned or carried out.
    pub dirty_users: u64,
    /// Groups still to be planned or carried out.
    pub dirty_groups: u64,
}

impl Counts {
    /// Returns the number of records of a kind.
    #[must_use]
    pub const fn objects(&self, kind: ObjectKind) -> u64 {
        match kind {
            ObjectKind::User => self.users,
            ObjectKind::Group => self.groups,
        }
    }

    /// Returns the number of linked objects of a kind.
    #[must_use]
    pub const fn linked(&self, kind: ObjectKind) -> u64 {
        match kind {
            ObjectKind::User => self.linked_users,
            ObjectKind::Group => self.linked_groups,
        }
    }

    /// Returns the number of living objects of a kind.
    #[must_use]
    pub const fn alive(&self, kind: ObjectKind) -> u64 {
        match kind {
            ObjectKind::User => self.alive_users,
            ObjectKind::Group => self.alive_groups,
        }
    }

    /// Returns the number of linked and living objects of a kind.
    #[must_use]
    pub const fn linked_alive(&self, kind: ObjectKind) -> u64 {
        match kind {
            ObjectKind::User => self.linked_alive_users,
            ObjectKind::Group => self.linked_alive_groups,
        }
    }

    /// Returns the number of dirty objects of a kind.
    #[must_use]
    pub const fn dirty(&self, kind: ObjectKind) -> u64 {
        match kind {
            ObjectKind::User => self.dirty_users,
            ObjectKind::Group => self.dirty_groups,
        }
    }

    pub(super) fn count_dirty(&mut self, kind: ObjectKind, up: bool) {
        match kind {
            ObjectKind::User => step(&mut self.dirty_users, up),
            ObjectKind::Group => step(&mut self.dirty_groups, up),
        }
    }

    pub(super) fn count_edge(&mut self, up: bool) {
        step(&mut self.edges, up);
    }

    /// Counts a record in (`up`) or out.
    pub(super) fn count_record(&mut self, kind: ObjectKind, record: &Facts, up: bool) {
        let alive = record.life == Life::Alive;
        let linked = record.target.is_some();
        let (objects, living, links, both) = match kind {
            ObjectKind::User => (
                &mut self.users,
                &mut self.alive_users,
                &mut self.linked_users,
                &mut self.linked_alive_users,
            ),
            ObjectKind::Group => (
                &mut self.groups,
                &mut self.alive_groups,
                &mut self.linked_groups,
                &mut self.linked_alive_groups,
            ),
        };
        step(objects, up);
        for (counter, applies) in [(living, alive), (links, linked), (both, alive && linked)] {
            if applies {
                step(counter, up);
            }
        }
    }
}

fn step(counter: &mut u64, up: bool) {
    *counter = if up {
        counter.saturating_add(1)
    } else {
        counter.saturating_sub(1)
    };
}

/// Counters and running numbers: one record, written with every commit that changes them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Heads {
    /// The counters.
    pub counts: Counts,
    /// The number that the next history entry gets.
    pub next_history: u64,
    /// The hash over the last history record.
    pub history_hash: [u8; 32],
    /// The number that the next batch of intents gets.
    pub next_intents: u64,
    /// The number that the next cycle's summary gets.
    pub next_cycle: u64,
}

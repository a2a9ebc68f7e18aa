//! What a job that only observes would have done, compared with what Azure's own provisioning job did.
//!
//! Both sides are brought to one form: the *effects* on one object, each a name with a digest of its value. A decision of ours lasts
//! as long as cycles plan it; a deed of Azure's has its moment. They belong together where they are of one object and no further
//! apart than [`WINDOW`]. Nothing is compared before [`SETTLED_AFTER`]: Azure's cycle takes 40 minutes, and its log is late.
//!
//! Only names of attributes and salted digests are kept: no value. A value that the log redacts, and a reference, which the two sides
//! write differently, is known by its name alone, and is never a difference.

mod compare;
mod effects;

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;
use uuid::Uuid;

use crate::model::clock::Timestamp;

pub use compare::Class;
pub use compare::Compared;
pub use compare::Seen;
pub use compare::compare;
pub use effects::ACTIVE;
pub use effects::EXISTS;
pub use effects::Effects;
pub use effects::Salt;
pub use effects::of_entry;
pub use effects::of_operation;

/// Two of Azure's cycles: a decision and a deed further apart are not of one change.
pub const WINDOW: Duration = Duration::from_secs(80 * 60);
/// So long after the later of the two sides something is compared.
pub const SETTLED_AFTER: Duration = Duration::from_secs(2 * 3600);
/// As long is something kept: longer than Azure's log.
pub const KEPT_FOR: Duration = Duration::from_secs(35 * 24 * 3600);
/// As many decisions, and as many deeds, are kept of one object; the oldest go first.
const MOST: usize = 60;

/// What cycles of ours wanted of an object, as long as it lasted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// The cycle that planned it first.
    pub first: Timestamp,
    /// The cycle that planned it last.
    pub last: Timestamp,
    /// What was planned last.
    pub effects: Effects,
}

/// What Azure's job did to an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    /// The id of the log's entry.
    pub id: Uuid,
    /// When.
    pub at: Timestamp,
    /// True where it was carried out.
    pub done: bool,
    /// What it changed.
    pub effects: Effects,
    /// The resource.
    pub target: Option<String>,
    /// Whether our planner left the resource as it then was; `None` where it was not asked.
    pub agreed: Option<bool>,
}

/// Everything that is known of one object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// Ours, oldest first.
    pub wanted: Vec<Wanted>,
    /// Azure's, oldest first.
    pub deeds: Vec<Deed>,
}

impl Watched {
    /// Notes what the cycle that began at `cycle` plans. Passes of one cycle add up; a later cycle's plan takes the place of an
    /// earlier one's while that lasts.
    pub fn want(&mut self, effects: Effects, cycle: Timestamp) {
        match self.wanted.last_mut() {
            Some(last) if last.last == cycle => last.effects.extend(effects),
            Some(last) if cycle.since(last.last) <= WINDOW => {
                last.effects = effects;
                last.last = cycle;
            }
            _ => self.wanted.push(Wanted {
                first: cycle,
                last: cycle,
                effects,
            }),
        }
        self.trim(cycle);
    }

    /// Notes a deed, once.
    pub fn note(&mut self, deed: Deed, now: Timestamp) {
        if self.deeds.iter().any(|known| known.id == deed.id) {
            return;
        }
        self.deeds.push(deed);
        self.deeds.sort_by_key(|deed| (deed.at, deed.id));
        self.trim(now);
    }

    /// Forgets what is old.
    fn trim(&mut self, now: Timestamp) {
        let oldest = now.minus(KEPT_FOR);
        self.wanted.retain(|one| one.last >= oldest);
        self.deeds.retain(|one| one.at >= oldest);
        self.wanted.drain(..self.wanted.len().saturating_sub(MOST));
        self.deeds.drain(..self.deeds.len().saturating_sub(MOST));
    }
}

#[cfg(test)]
mod tests;

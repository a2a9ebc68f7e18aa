//! A cell: what is remembered of one written-back attribute of one link.
//!
//! The base is a pair, what Entra held and what the target held, so that a difference which was there at first contact is
//! nobody's change. At most one write is open; it is stored before it is sent, so that a crash goes on at the echo filter.

use serde::Deserialize;
use serde::Serialize;

use super::canonical::Compare;
use crate::model::clock::Timestamp;
use crate::model::value::Value;

/// How long a superseded value that is read again is suspected to come from a replica that is behind.
pub const SUSPECT_FOR: std::time::Duration = std::time::Duration::from_secs(24 * 60 * 60);

/// The number of superseded values that a cell remembers.
pub const MOST_RECENT: usize = 8;

/// The most writes of one cell within a day; so many are remembered.
pub const MOST_A_DAY: usize = 6;

/// The number of a complete reading; a later one has a larger number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ReadingId(pub u64);

/// What both sides held when they were last in agreement, or at first contact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// At Entra.
    pub source: Value,
    /// At the target.
    pub target: Value,
}

/// The write to Entra whose effect was not seen yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// What Entra held before.
    pub from: Value,
    /// What it is to hold.
    pub to: Value,
    /// What the target held when it was sent.
    pub target: Value,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// True once Graph answered that it was carried out.
    pub answered: bool,
    /// True once it was sent a second time.
    pub resent: bool,
    /// The number of looks that still found the old value.
    pub looks: u8,
    /// The last of them.
    pub looked_at: Option<Timestamp>,
}

/// Who replaced a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Who {
    /// melonsync.
    Us,
    /// Somebody at Entra.
    Source,
    /// Somebody at the target.
    Target,
}

/// A value that was replaced.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Superseded {
    /// The value.
    pub value: Value,
    /// When it was seen to be replaced.
    pub at: Timestamp,
    /// By whom.
    pub by: Who,
}

/// A write that was sent, for the brake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// The value; `Null` for a clear.
    pub value: Value,
    /// When it was sent.
    pub at: Timestamp,
}

/// A first sight of something that counts when a second complete reading shows it too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sighting {
    /// What was read; `Null` where it was empty.
    pub value: Value,
    /// By which reading.
    pub reading: ReadingId,
    /// When.
    pub at: Timestamp,
}

/// What decides whether Entra takes a value for a user, as far as it was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Writable {
    /// `onPremisesSyncEnabled`.
    pub synced: Option<bool>,
    /// `isCloudManaged` of a synced object whose source of authority was moved.
    pub cloud_managed: Option<bool>,
    /// True where the user holds an administrator's role.
    pub admin: Option<bool>,
}

/// Why Graph takes nothing for a user: a property of the user, not of the app.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// 400: the user is mastered on premises.
    OnPremises,
    /// 403: the user holds a role that this app may not touch.
    Privileged,
    /// 404, twice: the user is not there, or in the recycle bin.
    NotFound,
    /// Any other refusal of this one value.
    Value,
}

/// Why nothing is written for a cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Held {
    /// Both sides moved, and a person is to decide.
    Conflict,
    /// The brake stopped it.
    TwoWriters,
    /// Graph refused it: tried again when the value or the user's standing changes.
    Refused {
        /// Why.
        why: Refusal,
        /// The value that was refused.
        to: Value,
        /// The user's standing then.
        standing: Writable,
    },
    /// Graph answered for the first time that the user is not there, as it does of a new one for a while: asked again later.
    NotThereYet {
        /// The value that was refused.
        to: Value,
        /// When it was sent.
        at: Timestamp,
    },
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Cell {
    /// The base; `None` before first contact.
    pub base: Option<Pair>,
    /// True once a value was read at the target since the link.
    pub seen_at_target: bool,
    /// The first complete reading that found the target empty, and every one since.
    pub empty_since: Option<Sighting>,
    /// The last value that the target was believed to hold. It is superseded by the next one even if it was never carried: a replica
    /// that is behind may show it again.
    pub shown: Option<Value>,
    /// A superseded value that the last complete reading of the target showed.
    pub doubted: Option<Sighting>,
    /// The write whose effect was not seen yet.
    pub open: Option<Open>,
    /// The last values that were replaced, the oldest first.
    pub recent: Vec<Superseded>,
    /// The last writes, the oldest first. Apart from `recent`, whose eight places would not hold a day's writes beside what
    /// others did.
    pub writes: Vec<Written>,
    /// Why nothing is written.
    pub held: Option<Held>,
}

impl Cell {
    /// Returns the cell of somebody who left or was linked anew: their return is first contact. The writes stay for the brake.
    #[must_use]
    pub fn forgotten(&self) -> Self {
        Self {
            writes: self.writes.clone(),
            ..Self::default()
        }
    }

    /// Returns the cell with its hold taken away by a person. The brake begins to count anew.
    #[must_use]
    pub fn released(&self) -> Self {
        Self {
            held: None,
            writes: Vec::new(),
            ..self.clone()
        }
    }

    /// Returns true for a value that was replaced a short time ago: a replica that is behind may show it again. `read`: since when
    /// what is read is read; what was replaced later is shown as it was before.
    #[must_use]
    pub fn is_superseded(
        &self,
        value: &Value,
        compare: Compare,
        (read, now): (Option<Timestamp>, Timestamp),
    ) -> bool {
        let may_show =
            |old: &Superseded| now.since(old.at) < SUSPECT_FOR || read.is_some_and(|read| read <= old.at);
        let mut recent = self.recent.iter();
        recent.any(|old| may_show(old) && compare.alike(&old.value, value))
    }

    /// Remembers a value that was replaced.
    pub fn supersede(&mut self, value: &Value, by: Who, at: Timestamp) {
        self.recent.retain(|old| old.value != *value);
        self.recent.push(Superseded {
            value: value.clone(),
            at,
            by,
        });
        let over = self.recent.len().saturating_sub(MOST_RECENT);
        self.recent.drain(..over);
    }

    /// Returns the cell with this write open. It is stored before the write is sent.
    #[must_use]
    pub fn opened(&self, write: &Write, now: Timestamp) -> Self {
        let mut cell = self.clone();
        cell.supersede(&write.from, Who::Us, now);
        if let Some(base) = &self.base {
            cell.supersede(&base.target, Who::Target, now);
            cell.supersede(&base.source, Who::Us, now);
        }
        cell.recent.retain(|old| old.value != write.to);
        cell.held = None;
        cell.open = Some(Open {
            from: write.from.clone(),
            to: write.to.clone(),
            target: write.target.clone(),
            sent_at: now,
            answered: false,
            resent: write.again,
            looks: 0,
            looked_at: None,
        });
        cell.writes.push(Written {
            value: write.to.clone(),
            at: now,
        });
        let over = cell.writes.len().saturating_sub(MOST_A_DAY);
        cell.writes.drain(..over);
        cell
    }
}

/// A write to Entra that was decided.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// What Entra holds, as far as it was read.
    pub from: Value,
    /// What it is to hold: the target's value, untouched; `Null` clears it.
    pub to: Value,
    /// What the target holds.
    pub target: Value,
    /// True where it is an earlier write that is sent once more.
    pub again: bool,
}

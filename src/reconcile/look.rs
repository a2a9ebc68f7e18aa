//! What looking for one object at the source proves, where its replicas may be behind (docs/design/evidence.md, "Two
//! looks"): a pure function of what the streams said, the looks before, and this answer.
//!
//! A look that agrees with the streams is believed. One that contradicts them, and one whose only evidence is absence, waits
//! until a second look at least [`APART`] later answers the same. What the streams said is kept meanwhile, so that no answer
//! of a replica that is behind can make a tombstone or a life forgotten.
//!
//! Of a user whom an admin named, that they are among the deleted items is believed at once, for what can be taken back: they
//! are disabled, and deleted only after a second look, which enables them again where it says that they live.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use crate::model::clock::Timestamp;
use crate::model::object::Existence;
use crate::model::object::Life;
use crate::model::object::Removed;

/// How far apart two looks are that count as two: replicas were seen to be up to 15 minutes behind.
pub const APART: Duration = Duration::from_secs(15 * 60);

/// What a look saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seen {
    /// It answered.
    Alive,
    /// Among the deleted items.
    SoftDeleted,
    /// 404 on both: only absence says so.
    Nowhere,
}

impl Seen {
    /// Nothing where the answer proves nothing.
    const fn of(answer: &Existence) -> Option<Self> {
        match answer {
            Existence::Alive(_) => Some(Self::Alive),
            Existence::SoftDeleted => Some(Self::SoftDeleted),
            Existence::HardDeleted => Some(Self::Nowhere),
            Existence::Unknown(_) => None,
        }
    }

    const fn life(self) -> Life {
        match self {
            Self::Alive => Life::Alive,
            Self::SoftDeleted => Life::Gone(Removed::SoftDeleted),
            Self::Nowhere => Life::Gone(Removed::HardDeleted),
        }
    }
}

/// A look that waits for a second one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Look {
    /// What the streams had said before the first look.
    pub was: Life,
    /// What was seen; nothing where the answer proved nothing.
    pub seen: Option<Seen>,
    /// Since when it is seen so.
    pub since: Timestamp,
}

impl Look {
    /// True when a look at this time can settle it.
    #[must_use]
    pub fn is_due(&self, now: Timestamp) -> bool {
        // A clock that was put back must not make it wait for ever.
        self.seen.is_none() || self.is_apart(now) || now < self.since
    }

    /// True when a look at this time is a second one: every replica knows by then what had happened before the first.
    #[must_use]
    pub fn is_apart(&self, now: Timestamp) -> bool {
        now >= self.since && now.since(self.since) >= APART
    }

    /// Returns the look with the time from which it waits: from now, where the clock was put back behind it.
    #[must_use]
    pub fn going_on(self, now: Timestamp) -> Self {
        Self {
            since: self.since.min(now),
            ..self
        }
    }

    /// True where it keeps a resource from being deleted that the streams said is nobody's any more.
    #[must_use]
    pub const fn doubts(&self) -> bool {
        match (self.was, self.seen) {
            // Purged meanwhile, as far as can be seen: not there is all that its own deletion needs.
            (Life::Gone(Removed::SoftDeleted), Some(Seen::Nowhere | Seen::SoftDeleted)) => false,
            (Life::Alive | Life::Missing | Life::Unknown | Life::Gone(_), _) => true,
        }
    }

    /// What is known of the object once a second look sees the same; nothing where the first one proved nothing.
    #[must_use]
    pub fn seen_again(&self) -> Option<Life> {
        self.seen.map(Seen::life)
    }

    /// What is known, for people.
    #[must_use]
    pub fn words(&self) -> String {
        let seen = match self.seen {
            None => return "asked for by its id, and the answer was neither yes nor no".to_owned(),
            Some(Seen::Alive) => "answers",
            Some(Seen::SoftDeleted) => "is among the deleted items",
            Some(Seen::Nowhere) => "is found nowhere (404)",
        };
        if (self.was, self.seen) == (Life::Alive, Some(Seen::Alive)) {
            return format!(
                "by its id it answered at {} with other values than the delta query brought; replicas of Entra can be behind, so it is asked again {} minutes later",
                self.since,
                APART.as_secs() / 60
            );
        }
        if (self.was, self.seen) == (Life::Gone(Removed::SoftDeleted), Some(Seen::SoftDeleted)) {
            return format!(
                "the last full read did not bring it, and by its id it is among the deleted items; whether it is deleted for good by now is asked again {} minutes after {}",
                APART.as_secs() / 60,
                self.since
            );
        }
        let said = match self.was {
            Life::Alive => "the delta query brought it as one that lives",
            Life::Missing | Life::Unknown => "the last full read did not bring it",
            Life::Gone(Removed::SoftDeleted) => "the delta query said that it was deleted",
            Life::Gone(Removed::HardDeleted) => "the delta query said that it was deleted for good",
        };
        format!(
            "{said}, and by its id it {seen} since {}; replicas of Entra can be behind, so that counts when it is seen again at least {} minutes later",
            self.since,
            APART.as_secs() / 60
        )
    }
}

/// The life of an object after a look, and the look that waits for a second one. `believed`: the deleted items are, for what can
/// be taken back.
#[must_use]
pub fn judge(
    life: Life,
    before: Option<Look>,
    answer: &Existence,
    now: Timestamp,
    believed: bool,
) -> (Life, Option<Look>) {
    let was = before.map_or(life, |look| look.was);
    let Some(seen) = Seen::of(answer) else {
        let unproven = Look {
            was,
            seen: None,
            since: now,
        };
        let kept = if matches!(was, Life::Gone(_)) || before.is_some() {
            life
        } else {
            Life::Unknown
        };
        return (kept, Some(before.unwrap_or(unproven)));
    };
    let same = before.filter(|look| look.seen == Some(seen) && look.since <= now);
    if agrees(was, seen) || same.is_some_and(|look| look.is_apart(now)) {
        // Believed, and asked once more after a full round: the stream that would have brought its end was read anew, so no page
        // tells of a purge that a replica which is behind does not show yet.
        let purged = (was, seen) == (Life::Missing, Seen::SoftDeleted);
        let look = Look {
            was: seen.life(),
            seen: Some(seen),
            since: now,
        };
        return (seen.life(), purged.then_some(look));
    }
    let look = Look {
        was,
        seen: Some(seen),
        since: same.map_or(now, |look| look.since),
    };
    let life = match (was, seen) {
        // A tombstone stays one.
        (Life::Gone(_), _) => life,
        // What was believed of it is until a look says otherwise.
        (Life::Alive | Life::Missing | Life::Unknown, Seen::SoftDeleted)
            if believed || life == seen.life() =>
        {
            seen.life()
        }
        // Whoever answers goes on as one who lives, and is asked once more.
        (Life::Alive | Life::Missing | Life::Unknown, Seen::Alive) => Life::Alive,
        (Life::Missing, Seen::SoftDeleted | Seen::Nowhere) => Life::Missing,
        (Life::Alive | Life::Unknown, Seen::SoftDeleted | Seen::Nowhere) => Life::Unknown,
    };
    (life, Some(look))
}

/// Returns the look that follows where an object of the recycle bin, which a full round did not bring, is there still: no page
/// tells of a purge that came before the round, and a replica that is behind does not show it yet. Until it is due no other
/// answer settles it.
#[must_use]
pub fn in_bin_still(life: Life, before: Option<Look>, answer: &Existence, now: Timestamp) -> Option<Look> {
    let bin = Life::Gone(Removed::SoftDeleted);
    let answered = before.filter(|look| look.seen.is_some());
    let settles =
        before.is_some_and(|look| look.was != bin) || answered.is_some_and(|look| look.is_apart(now));
    let still = life == bin && matches!(answer, Existence::SoftDeleted) && !settles;
    still.then(|| Look {
        was: bin,
        seen: Some(Seen::SoftDeleted),
        since: answered.map_or(now, |look| look.going_on(now).since),
    })
}

/// True where the answer says what the streams said, or is positive evidence that nothing contradicts.
const fn agrees(was: Life, seen: Seen) -> bool {
    match (was, seen) {
        // A full round that does not bring somebody says that they do not live.
        (Life::Alive | Life::Unknown, Seen::Alive)
        | (Life::Missing, Seen::SoftDeleted)
        | (Life::Gone(Removed::SoftDeleted), Seen::SoftDeleted)
        | (Life::Gone(Removed::HardDeleted), Seen::Nowhere) => true,
        // Of what was restored a minute ago a replica that is behind says so too, and no page brings it a second time. What
        // came as new, or was read since it came back, may have been restored as well.
        (Life::Alive | Life::Unknown, Seen::SoftDeleted)
        | (Life::Alive | Life::Unknown | Life::Missing, Seen::Nowhere)
        | (Life::Missing, Seen::Alive)
        | (Life::Gone(Removed::SoftDeleted), Seen::Nowhere | Seen::Alive)
        | (Life::Gone(Removed::HardDeleted), Seen::SoftDeleted | Seen::Alive) => false,
    }
}

#[cfg(test)]
mod tests;

//! The echo filter: what a value of Entra says about the write that is open. It decides by values, never by the clock: a time that
//! runs out leads to a look, not to a write.

use std::time::Duration;

use super::canonical::Compare;
use super::cell::Cell;
use super::cell::Open;
use crate::model::clock::Timestamp;
use crate::model::value::Value;

/// The age at which a write that has not arrived is looked for, and the time between two looks.
pub const LOOK_AFTER: Duration = Duration::from_secs(15 * 60);
/// The looks that find the old value before it counts as what Entra keeps.
const LOOKS: u8 = 2;

/// What a value of Entra comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// Nothing is open: the value counts as read, or as unknown.
    AsRead,
    /// The write has not arrived: the source counts as unchanged.
    Waits,
    /// One GET of the user is due before anything is decided.
    Look,
    /// The write arrived.
    Confirmed,
    /// Somebody else wrote another value.
    Superseded,
    /// Graph did not answer and the old value stays: the write may be sent once more.
    Resend,
    /// Graph answered that it was done, and the old value stays.
    NotKept,
}

/// What was read of Entra.
#[derive(Debug, Clone, Copy)]
pub struct FromEntra<'a> {
    /// The value; `None` where it was not read.
    pub value: Option<&'a Value>,
    /// True where it comes from a GET that was sent just now, false where it comes from the delta stream.
    pub looked: bool,
    /// The moment up to which the delta stream was read to its end, where it ever was: what came later it does not show.
    pub as_of: Option<Timestamp>,
}

/// Decides what a value of Entra means, and counts the look that it comes from.
pub fn hear(cell: &mut Cell, read: FromEntra<'_>, compare: Compare, now: Timestamp) -> Heard {
    let suspect = |value| !read.looked && cell.is_superseded(value, compare, (read.as_of, now));
    let moved = |value| {
        let base = cell.base.as_ref();
        base.is_some_and(|base| !compare.alike(value, &base.source))
    };
    match (&mut cell.open.clone(), read.value) {
        (None, Some(value)) if moved(value) && suspect(value) => Heard::Look,
        (None, _) => Heard::AsRead,
        (Some(open), None) => waits(open, now),
        (Some(open), Some(value)) if compare.alike(value, &open.to) => Heard::Confirmed,
        (Some(open), Some(value)) if compare.alike(value, &open.from) => {
            let heard = not_arrived(open, read.looked, now);
            cell.open = Some(open.clone());
            heard
        }
        (Some(_), Some(value)) if suspect(value) => Heard::Look,
        (Some(_), Some(_)) => Heard::Superseded,
    }
}

fn not_arrived(open: &mut Open, looked: bool, now: Timestamp) -> Heard {
    if looked && is_due(open, now) {
        open.looks += 1;
        open.looked_at = Some(now);
    }
    if open.looks < LOOKS {
        return waits(open, now);
    }
    if open.answered || open.resent {
        Heard::NotKept
    } else {
        Heard::Resend
    }
}

fn waits(open: &Open, now: Timestamp) -> Heard {
    if is_due(open, now) {
        Heard::Look
    } else {
        Heard::Waits
    }
}

fn is_due(open: &Open, now: Timestamp) -> bool {
    let last = open.looked_at.unwrap_or(open.sent_at);
    // A clock that was put back must not make it wait for ever.
    now < last || now.since(last) >= LOOK_AFTER
}

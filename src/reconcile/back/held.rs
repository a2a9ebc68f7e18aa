//! Whether what keeps a cell back still does: a hold ends by itself where what it was for is no more.

use super::canonical::Compare;
use super::cell::Cell;
use super::cell::Held;
use super::cell::Writable;
use super::echo::LOOK_AFTER;
use crate::model::clock::Timestamp;
use crate::model::value::Value;

/// How long a hold lasts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lasts {
    /// It lasts.
    Still,
    /// What was refused is sent once more; the hold is kept, so that a second refusal is known to be one.
    OnceMore,
    /// It is over.
    Over,
}

/// Returns true while a hold of the cell lasts, and takes one away that is over. `observed`: what the target holds, and whether both
/// sides are in step.
pub(super) fn stays(
    cell: &mut Cell,
    observed: (&Value, bool),
    known: (Writable, Timestamp),
    compare: Compare,
) -> bool {
    let lasts = cell
        .held
        .as_ref()
        .map(|held| lasts(held, observed, known, compare));
    if lasts == Some(Lasts::Over) {
        cell.held = None;
    }
    lasts == Some(Lasts::Still)
}

fn lasts(
    held: &Held,
    (observed, in_step): (&Value, bool),
    (writable, now): (Writable, Timestamp),
    compare: Compare,
) -> Lasts {
    let same = |to: &Value| !in_step && compare.alike(to, observed);
    let stays = match held {
        Held::TwoWriters => true,
        Held::Conflict => !in_step,
        Held::Refused { to, standing, .. } => *standing == writable && same(to),
        Held::NotThereYet { to, at } => {
            // A clock that was put back must not make it wait for ever.
            let waits = now >= *at && now.since(*at) < LOOK_AFTER;
            if same(to) && !waits {
                return Lasts::OnceMore;
            }
            same(to)
        }
    };
    if stays { Lasts::Still } else { Lasts::Over }
}

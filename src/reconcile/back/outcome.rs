//! What the answer to a write makes of its cell, when refusals mean that the app lacks a right, and when a refused change is asked for
//! again.

use std::time::Duration;

use super::cell::Cell;
use super::cell::Held;
use super::cell::Refusal;
use super::cell::Writable;
use super::cell::Write;
use super::echo::LOOK_AFTER;
use crate::model::clock::Timestamp;

/// How a write ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// 204: carried out, and not seen yet.
    Done,
    /// No answer, or a server error: it may have been carried out.
    Unanswered,
    /// Refused for coming too early (429, 503): not carried out, and the next cycle asks again.
    NotSent,
    /// Refused for this user or this value.
    Refused(Refusal),
}

/// Returns the cell after a write, from the cell as it was decided and the cell as it was opened.
#[must_use]
pub fn after(decided: &Cell, opened: &Cell, write: &Write, outcome: Outcome, standing: Writable) -> Cell {
    match outcome {
        Outcome::Done => {
            let mut cell = opened.clone();
            if let Some(open) = &mut cell.open {
                open.answered = true;
            }
            cell
        }
        Outcome::Unanswered => opened.clone(),
        Outcome::NotSent => decided.clone(),
        Outcome::Refused(why) => Cell {
            open: None,
            held: Some(refused(decided, opened, write, (why, standing))),
            ..decided.clone()
        },
    }
}

/// Returns what keeps a write back that was refused. That the user is not there counts when it is answered twice.
fn refused(decided: &Cell, opened: &Cell, write: &Write, (why, standing): (Refusal, Writable)) -> Held {
    let to = write.to.clone();
    let before = matches!(decided.held, Some(Held::NotThereYet { .. }));
    match (why, &opened.open) {
        (Refusal::NotFound, Some(open)) if !before => Held::NotThereYet { to, at: open.sent_at },
        _ => Held::Refused { why, to, standing },
    }
}

/// Returns what a refusal with this status is about. Graph answers 400 both for a user mastered on premises and for a value that it does
/// not take: what was read of the user tells them apart.
#[must_use]
pub const fn refusal(status: u16, standing: Writable) -> Refusal {
    match (status, standing) {
        (403, _) => Refusal::Privileged,
        (NOT_FOUND, _) => Refusal::NotFound,
        (
            400,
            Writable {
                synced: Some(true),
                cloud_managed: None | Some(false),
                ..
            },
        ) => Refusal::OnPremises,
        _ => Refusal::Value,
    }
}

/// Graph's answer that a user or a group is not there: also of one that is new, and not on every replica yet.
pub const NOT_FOUND: u16 = 404;

/// So long a change of membership that Graph refused of one user is not asked for again.
const REFUSED_FOR: Duration = Duration::from_secs(24 * 60 * 60);

/// What an earlier refusal of a change of membership means by now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Earlier {
    /// It may have come too early: a little is waited.
    NotThereYet,
    /// It may have come too early, and is asked for once more: a second refusal stands.
    OnceMore,
    /// It is not asked for again for a day.
    Stands,
    /// It was long ago.
    Over,
}

/// Returns what a refusal with this status means by now. `stands`: it counted already.
#[must_use]
pub fn earlier(status: u16, at: Timestamp, stands: bool, now: Timestamp) -> Earlier {
    // A clock that was put back must not make it wait for ever.
    if now < at || now.since(at) >= REFUSED_FOR {
        return Earlier::Over;
    }
    match (status, stands) {
        (NOT_FOUND, false) if now.since(at) < LOOK_AFTER => Earlier::NotThereYet,
        (NOT_FOUND, false) => Earlier::OnceMore,
        _ => Earlier::Stands,
    }
}

/// The number of different users whose refusal means that the app lacks the right, where none ever succeeded.
pub const REFUSED_USERS: usize = 3;

/// Returns true where refusals (403) of so many different users mean that a right is missing: the direction stops, and names it.
#[must_use]
pub const fn lacks_right(refused_users: usize, ever_succeeded: bool) -> bool {
    !ever_succeeded && refused_users >= REFUSED_USERS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::value::Value;

    #[test]
    fn an_answer_leaves_the_cell_as_it_must_be_found_by_the_next_cycle() {
        let decided = Cell::default();
        let write = Write {
            from: Value::text("a"),
            to: Value::text("b"),
            target: Value::text("b"),
            again: false,
        };
        let opened = decided.opened(&write, Timestamp(0));
        let of = |outcome| after(&decided, &opened, &write, outcome, Writable::default());
        let answered = |cell: &Cell| cell.open.as_ref().map(|open| open.answered);
        assert_eq!(answered(&of(Outcome::Done)), Some(true));
        assert_eq!(answered(&of(Outcome::Unanswered)), Some(false));
        assert_eq!(of(Outcome::NotSent), decided, "the same edit is carried later");
        let refused = of(Outcome::Refused(Refusal::OnPremises));
        assert_eq!((refused.open, refused.held.is_some()), (None, true));
    }

    #[test]
    fn that_somebody_is_not_there_counts_when_it_is_answered_twice() {
        let write = Write {
            from: Value::text("a"),
            to: Value::text("b"),
            target: Value::text("b"),
            again: false,
        };
        let ends = |decided: &Cell| {
            let opened = decided.opened(&write, Timestamp(7));
            let outcome = Outcome::Refused(Refusal::NotFound);
            after(decided, &opened, &write, outcome, Writable::default())
        };
        let first = ends(&Cell::default());
        let waits = Held::NotThereYet {
            to: Value::text("b"),
            at: Timestamp(7),
        };
        assert_eq!(first.held, Some(waits));
        assert!(matches!(
            ends(&first).held,
            Some(Held::Refused {
                why: Refusal::NotFound,
                ..
            })
        ));
    }

    #[test]
    fn a_refused_membership_is_asked_for_again_in_its_time() {
        let minutes = |minutes: u64| Timestamp(0).plus(Duration::from_secs(60 * minutes));
        for (name, status, stands, age, expected) in [
            ("too early, perhaps", 404, false, 14, Earlier::NotThereYet),
            ("a quarter of an hour later", 404, false, 15, Earlier::OnceMore),
            ("so twice", 404, true, 15, Earlier::Stands),
            ("a day later", 404, true, 24 * 60, Earlier::Over),
            ("may not", 403, false, 15, Earlier::Stands),
            ("may not, a day later", 403, false, 24 * 60, Earlier::Over),
        ] {
            assert_eq!(
                earlier(status, minutes(0), stands, minutes(age)),
                expected,
                "{name}"
            );
        }
        assert_eq!(
            earlier(404, minutes(9), false, minutes(0)),
            Earlier::Over,
            "a clock put back"
        );
    }

    #[test]
    fn a_refusal_is_about_the_user_or_about_the_value() {
        let standing = |synced, cloud_managed| Writable {
            synced,
            cloud_managed,
            admin: None,
        };
        for (name, status, standing, expected) in [
            (
                "on premises",
                400,
                standing(Some(true), None),
                Refusal::OnPremises,
            ),
            (
                "moved to the cloud",
                400,
                standing(Some(true), Some(true)),
                Refusal::Value,
            ),
            ("of the cloud", 400, standing(Some(false), None), Refusal::Value),
            ("not read", 400, standing(None, None), Refusal::Value),
            (
                "an administrator",
                403,
                standing(Some(true), None),
                Refusal::Privileged,
            ),
            ("gone", 404, standing(Some(false), None), Refusal::NotFound),
            ("too large", 413, standing(Some(true), None), Refusal::Value),
        ] {
            assert_eq!(refusal(status, standing), expected, "{name}");
        }
    }

    #[test]
    fn three_users_and_no_success_are_a_missing_right() {
        for (users, succeeded, expected) in [(2, false, false), (3, false, true), (9, true, false)] {
            assert_eq!(lacks_right(users, succeeded), expected, "{users} {succeeded}");
        }
    }
}

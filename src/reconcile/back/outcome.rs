//! What the answer to a write makes of its cell, and when refusals mean that the app lacks a right.

use super::cell::Cell;
use super::cell::Held;
use super::cell::Refusal;
use super::cell::Writable;
use super::cell::Write;

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
            held: Some(Held::Refused {
                why,
                to: write.to.clone(),
                standing,
            }),
            ..decided.clone()
        },
    }
}

/// Returns what a refusal with this status is about. Graph answers 400 both for a user mastered on premises and for a value that it does
/// not take: what was read of the user tells them apart.
#[must_use]
pub const fn refusal(status: u16, standing: Writable) -> Refusal {
    match (status, standing) {
        (403, _) => Refusal::Privileged,
        (404, _) => Refusal::NotFound,
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
    use crate::model::clock::Timestamp;
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

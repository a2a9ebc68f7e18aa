//! What the settings ask of whoever decides: to say why, and that a second person lets through what a changed config caused.
//!
//! Both are checked where decisions are made, for commands, the API and pages alike.

use super::actor::Actor;
use super::error::AppError;
use crate::model::clock::Timestamp;
use crate::settings::Settings;
use crate::snapshot::state::StateReads;
use crate::snapshot::state::TAKEN;
use crate::snapshot::store::Snapshot;

/// What is asked of whoever decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rules {
    /// Who changed the config cannot release what it caused.
    pub two_person: bool,
    /// Releases, undos, holds and drops need a comment.
    pub comment_required: bool,
}

/// The decisions that need a comment, as the history calls them.
const COMMENTED: [&str; 7] = [
    "escrow_drop",
    "hold",
    "hold_release",
    "quarantine_release",
    "reject",
    "release",
    "undo",
];

impl Rules {
    /// Those of these settings.
    #[must_use]
    pub const fn of(settings: &Settings) -> Self {
        Self {
            two_person: settings.admin.two_person,
            comment_required: settings.admin.comment_required,
        }
    }

    /// Refuses a decision of this name that needs a comment and has none.
    pub fn commented(&self, verb: &str, comment: Option<&str>) -> Result<(), AppError> {
        let says_nothing = comment.is_none_or(|comment| comment.trim().is_empty());
        if !self.comment_required || !says_nothing || !COMMENTED.contains(&verb) {
            return Ok(());
        }
        Err(AppError::usage(
            "a comment is required here, and there is none: nothing was done",
            "say why with --comment, `comment` in the API, or in the field of the page; `comment_required` under [admin] asks for it",
        ))
    }

    /// Refuses a cycle that may do more than the guard allows, by a person whose own change of the config may be why.
    pub fn allowing(&self, snapshot: &Snapshot, actor: &str, more: [Option<u64>; 2]) -> Result<(), AppError> {
        let asks = more.iter().flatten().any(|most| *most > 0);
        let now = asks.then_some(Timestamp(i64::MAX));
        self.second_person(snapshot, &Actor::known(actor), now)
    }

    /// Refuses to let through what was first withheld at one of these moments, where that person's own change of the config may
    /// have caused it. Nobody can tell for sure what a change caused: all that was first withheld since counts.
    pub fn second_person(
        &self,
        snapshot: &Snapshot,
        actor: &Actor,
        since: impl IntoIterator<Item = Timestamp>,
    ) -> Result<(), AppError> {
        if !self.two_person {
            return Ok(());
        }
        let Some(taken) = snapshot.state(&TAKEN)? else {
            return Ok(());
        };
        let caused = since.into_iter().filter(|since| *since >= taken.since).count();
        if caused == 0 || !actor.may_be(&Actor::known(&taken.by)) {
            return Ok(());
        }
        Err(AppError::conflict(
            format!(
                "the config in force since {} is owned by whoever decides here ({}), and this was withheld since: nothing was done",
                taken.since, taken.by
            ),
            "have somebody else release it; `two_person` under [admin] asks for a second person",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_decisions_need_a_comment_where_the_settings_say_so() {
        let asks = Rules {
            comment_required: true,
            ..Rules::default()
        };
        for (rules, verb, comment, is_taken) in [
            (Rules::default(), "release", None, true),
            (asks, "release", None, false),
            (asks, "release", Some("  "), false),
            (asks, "release", Some("they left"), true),
            (asks, "undo", None, false),
            (asks, "hold", None, false),
            (asks, "escrow_drop", None, false),
            (asks, "escrow_retry", None, true),
            (asks, "pause", None, true),
        ] {
            assert_eq!(
                rules.commented(verb, comment).is_ok(),
                is_taken,
                "{verb} {comment:?}"
            );
        }
    }
}

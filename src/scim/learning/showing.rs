//! How a target shows the members of its groups, and what a reading proves by that. Pure.
//!
//! A target shows members, or was never seen to: some answer every group without members, or with an empty list,
//! whatever is in it. Until a reading held a member, an empty one proves nothing. Some show members only when asked for
//! by name, and some show no more than a fixed number.

use serde::{Deserialize, Serialize};

use super::Learned;
use crate::model::clock::Timestamp;
use crate::reconcile::shown_members::Extent;
use crate::scim::dialect::Aspect;

/// Whether groups show their members.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    /// No reading held a member so far, and no added member was missing from a reading.
    Unknown,
    /// Members were accepted, and no reading shows any.
    Not,
    /// They are shown.
    All,
    /// They are shown, and never more than this.
    AtMost(usize),
}

/// The origin of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Door {
    /// A GET of one group.
    Alone,
    /// A listing, or the answer to a filter.
    Listed,
    /// The answer to a write, which may repeat what was sent rather than show what is held.
    Answer,
}

impl Door {
    /// Returns what a body with so many members proves about other members of the group.
    #[must_use]
    pub const fn extent(self, shown: usize, shows: Shows) -> Extent {
        match (shown, self, shows) {
            (0, Self::Listed, Shows::Unknown | Shows::All | Shows::AtMost(_)) => Extent::Ask,
            (0, Self::Alone, Shows::All | Shows::AtMost(_)) => Extent::Whole,
            (0, _, _) => Extent::Part,
            (_, Self::Answer, Shows::Unknown | Shows::Not) => Extent::Part,
            (count, _, Shows::AtMost(most)) if count >= most => Extent::Part,
            (_, _, _) => Extent::Whole,
        }
    }
}

/// The ways to ask whether a user is in a group, besides reading its members: filters that name the group and the
/// member.
pub const QUESTIONS: [&str; 3] = ["members.value eq", "members eq", "members[value eq]"];

/// What else was learned about it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Showing {
    /// True if members are shown where `attributes=members` asks for them.
    pub by_name: bool,
    /// The most members that any group was seen to show, where some hold more.
    most: Option<usize>,
    /// The filter that was seen to find members and not to find others: its place in [`QUESTIONS`].
    pub question: Option<usize>,
}

impl Learned {
    /// Returns whether groups show their members.
    #[must_use]
    pub fn shows_members(&self) -> Shows {
        let aspect = Aspect::MembersShown;
        match (self.form(aspect), self.showing.most) {
            (0, Some(most)) => Shows::AtMost(most),
            (0, None) if self.is_pinned(aspect) || self.is_proven(aspect) => Shows::All,
            (0, None) => Shows::Unknown,
            _ => Shows::Not,
        }
    }

    /// Notes that a reading of a group showed so many members. Returns the message to report, where that takes back
    /// what was learned, and whether it was new.
    pub fn saw_members(&mut self, count: usize) -> (Option<String>, bool) {
        let aspect = Aspect::MembersShown;
        let mut news = false;
        if self.showing.most.is_some_and(|most| count > most) {
            self.showing.most = None;
            news = true;
        }
        if self.is_pinned(aspect) {
            return (None, news);
        }
        let hidden = self.form(aspect) != 0;
        news |= self.settle(aspect);
        let finding =
            hidden.then(|| "groups show their members after all: they are compared again".to_owned());
        (finding, news)
    }

    /// Notes that members were added to a group, which was answered with 2xx, and no reading shows any. Returns the
    /// message to report, where that is new.
    pub fn hides_members(&mut self, now: Timestamp) -> Option<String> {
        let aspect = Aspect::MembersShown;
        if self.is_pinned(aspect) || self.shows_members() != Shows::Unknown {
            return None;
        }
        let why =
            "members were added to a group and answered 2xx, and no reading of any group shows a member";
        self.choose(aspect, 1, now, why);
        Some(format!(
            "the target does not show the members of its groups ({why}): what was sent and accepted counts as its state, \
             removals are sent, and no drift of members can be found; `dialect = {{ members_shown = true }}` in the job's \
             [target] overrides this"
        ))
    }

    /// Notes that a group that surely holds more shows so many. Returns the message to report, where that is new.
    pub fn shows_at_most(&mut self, count: usize) -> Option<String> {
        let known = self.showing.most;
        if count == 0 || known.is_some_and(|most| most >= count) {
            return None;
        }
        self.showing.most = Some(count);
        Some(format!(
            "the target shows no more than {count} members of a group: a member that is not shown in a group that large \
             counts as in it where that was sent and accepted"
        ))
    }

    /// Notes that members are shown where they are asked for by name. Returns the message to report, where that is new.
    pub fn shows_by_name(&mut self) -> Option<String> {
        let news = !std::mem::replace(&mut self.showing.by_name, true);
        news.then(|| {
            "the target shows the members of a group only where `attributes=members` asks for them: groups are read twice".to_owned()
        })
    }

    /// Returns what `check` reports about it.
    #[must_use]
    pub fn notes_on_members(&self) -> Vec<String> {
        let mut notes = Vec::new();
        if self.showing.by_name {
            notes.push("members are shown only where `attributes=members` asks for them".to_owned());
        }
        if let Some(most) = self.showing.most {
            notes.push(format!(
                "no more than {most} members of a group are shown: others are not compared"
            ));
        }
        if self.shows_members() == Shows::Not {
            notes.push(
                "the target does not show the members of groups: members that were sent and accepted count, and drift of \
                 members is not found"
                    .to_owned(),
            );
        }
        notes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scim::dialect::PinnedDialect;

    #[test]
    fn an_empty_reading_proves_nothing_until_one_held_a_member() {
        use Extent::{Ask, Part, Whole};
        for (shown, door, shows, expected) in [
            (0, Door::Alone, Shows::Unknown, Part),
            (0, Door::Alone, Shows::Not, Part),
            (0, Door::Alone, Shows::All, Whole),
            (0, Door::Listed, Shows::All, Ask),
            (0, Door::Listed, Shows::Unknown, Ask),
            (0, Door::Listed, Shows::Not, Part),
            (0, Door::Answer, Shows::All, Part),
            (3, Door::Answer, Shows::Not, Part),
            (3, Door::Answer, Shows::All, Whole),
            (3, Door::Alone, Shows::Unknown, Whole),
            (3, Door::Alone, Shows::AtMost(3), Part),
            (2, Door::Alone, Shows::AtMost(3), Whole),
        ] {
            assert_eq!(door.extent(shown, shows), expected, "{shown} {door:?} {shows:?}");
        }
    }

    #[test]
    fn what_was_learned_is_taken_back_by_the_first_member_that_is_seen() {
        let mut learned = Learned::default();
        assert!(learned.hides_members(Timestamp(1)).is_some());
        assert_eq!(
            (learned.shows_members(), learned.hides_members(Timestamp(2))),
            (Shows::Not, None)
        );
        let (finding, news) = learned.saw_members(2);
        assert!(finding.is_some() && news);
        assert_eq!(
            (learned.shows_members(), learned.hides_members(Timestamp(3))),
            (Shows::All, None)
        );
        assert!(learned.shows_at_most(2).is_some());
        assert_eq!(learned.shows_members(), Shows::AtMost(2));
        learned.saw_members(3);
        assert_eq!(learned.shows_members(), Shows::All);
    }

    #[test]
    fn the_configuration_has_the_last_word() {
        let mut learned = Learned::default();
        learned.under(&PinnedDialect {
            members_shown: Some(false),
            ..PinnedDialect::default()
        });
        learned.saw_members(2);
        assert_eq!(learned.shows_members(), Shows::Not);
        learned.under(&PinnedDialect {
            members_shown: Some(true),
            ..PinnedDialect::default()
        });
        assert_eq!(
            (learned.shows_members(), learned.hides_members(Timestamp(1))),
            (Shows::All, None)
        );
    }
}

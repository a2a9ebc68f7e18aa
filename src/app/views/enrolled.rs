//! How users stand with the enrolled group, as the last look of the way back left it.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use super::objects::State;
use crate::engine::summary::Finding;
use crate::model::clock::Timestamp;
use crate::model::id::SourceId;
use crate::ports::StoreError;
use crate::reconcile::back::standing::Standing;
use crate::snapshot::enrolments::EnrolmentReads;
use crate::snapshot::enrolments::Group;
use crate::snapshot::store::Snapshot;

/// The enrolled group that the settings name.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EnrolledView {
    /// How many users stand how, by the states of `list users --state` with `_` for `-`; null before the keys were read to the end.
    pub counts: Option<BTreeMap<String, u64>>,
    /// What the last look found.
    #[serde(serialize_with = "super::sorted")]
    pub findings: Vec<Finding>,
    /// The group.
    #[serde(serialize_with = "super::text")]
    #[schema(value_type = String)]
    pub group: SourceId,
    /// When the keys were last read to the end.
    #[serde(serialize_with = "super::text_or_null")]
    #[schema(value_type = Option<String>)]
    pub keys_read: Option<Timestamp>,
    /// What stops it, of what was found.
    #[serde(serialize_with = "super::sorted")]
    pub stops: Vec<Finding>,
}

impl EnrolledView {
    /// What is known of this group.
    pub fn of(snapshot: &Snapshot, group: SourceId) -> Result<Self, StoreError> {
        // Of another group nothing is said.
        let known = snapshot
            .enrolled_group()?
            .filter(|known| known.group == Some(group));
        Ok(known.map_or_else(|| Self::unknown(group), |known| Self::known(group, known)))
    }

    /// A group that nobody looked at yet.
    #[must_use]
    pub const fn unknown(group: SourceId) -> Self {
        Self {
            counts: None,
            findings: Vec::new(),
            group,
            keys_read: None,
            stops: Vec::new(),
        }
    }

    fn known(group: SourceId, known: Group) -> Self {
        let count = |standing: Standing| {
            let count = known.counts.get(standing.code()).copied().unwrap_or_default();
            (key(standing), count)
        };
        let finding = |(code, text, advice): (String, String, String)| Finding { code, text, advice };
        let (stops, findings) = known
            .findings
            .into_iter()
            .map(finding)
            .partition(|found| known.stops.contains(&found.code));
        Self {
            counts: known
                .proven_at
                .map(|_| Standing::ALL.into_iter().map(count).collect()),
            findings,
            group,
            keys_read: known.proven_at,
            stops,
        }
    }

    /// How many users stand so; `None` where nobody knows.
    #[must_use]
    pub fn count(&self, standing: Standing) -> Option<u64> {
        self.counts.as_ref()?.get(&key(standing)).copied()
    }
}

/// How many users stand so, as it is shown.
pub struct Figure {
    /// How many.
    pub count: u64,
    /// The heading of the figure.
    pub heading: &'static str,
    /// The state that they are listed by.
    pub state: State,
    /// What follows the number in a sentence.
    pub words: &'static str,
}

/// What is always shown; other figures where they are not zero.
const ALWAYS: [Standing; 4] = [
    Standing::Member,
    Standing::Pending,
    Standing::Outside,
    Standing::RemovedByHand,
];

impl EnrolledView {
    /// What is always shown, and what there is beside that; nothing where nobody knows.
    #[must_use]
    pub fn figures(&self) -> (Vec<Figure>, Vec<Figure>) {
        let figure = |standing| {
            let (heading, words) = said(standing);
            Some(Figure {
                count: self.count(standing)?,
                heading,
                state: State::of_enrolment(standing),
                words,
            })
        };
        let others = Standing::ALL
            .into_iter()
            .filter(|standing| !ALWAYS.contains(standing));
        (
            ALWAYS.into_iter().filter_map(figure).collect(),
            others
                .filter_map(figure)
                .filter(|figure| figure.count > 0)
                .collect(),
        )
    }
}

/// The heading of a figure, and what follows the number in a sentence.
const fn said(standing: Standing) -> (&'static str, &'static str) {
    match standing {
        Standing::Outside => ("Without a key", "without a key"),
        Standing::Member => ("Enrolled", "in the group"),
        Standing::Pending => ("To be added", "to be added"),
        Standing::KeyWithoutPasskey => ("Key without passkey", "with a key and without a passkey"),
        Standing::PasskeyWithoutKey => ("Passkey without key", "with a passkey and without a key"),
        Standing::RemovedByHand => ("Removed by hand", "taken out by hand"),
        Standing::Foreign => (
            "Not added by us",
            "in the group without a key and not added by melonsync",
        ),
        Standing::Leaving => ("About to leave", "about to leave"),
        Standing::Refused => ("Refused by Entra", "refused by Entra"),
        Standing::Unknown => ("Not known", "of whom nothing is known"),
    }
}

/// What the users who stand so are counted under.
#[must_use]
pub fn key(standing: Standing) -> String {
    State::of_enrolment(standing).word().replace('-', "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group() -> Group {
        Group {
            group: Some(SourceId::from_bytes([1; 16])),
            counts: BTreeMap::from([("member".to_owned(), 4), ("removed_by_hand".to_owned(), 1)]),
            findings: vec![
                ("right_missing".to_owned(), "it may not".to_owned(), String::new()),
                ("removed_by_hand".to_owned(), "1 member".to_owned(), String::new()),
            ],
            stops: ["right_missing".to_owned()].into(),
            ..Group::default()
        }
    }

    #[test]
    fn nothing_is_counted_before_the_keys_were_read_to_the_end() {
        let id = SourceId::from_bytes([1; 16]);
        let early = EnrolledView::known(id, group());
        assert_eq!(
            (early.counts.is_some(), early.count(Standing::Member)),
            (false, None)
        );
        let proven = Group {
            proven_at: Some(Timestamp(7)),
            ..group()
        };
        let view = EnrolledView::known(id, proven);
        let counted = [
            (Standing::Member, "enrolled", 4),
            (Standing::RemovedByHand, "removed_by_hand", 1),
            (Standing::Pending, "enrol_pending", 0),
            (Standing::PasskeyWithoutKey, "passkey_without_key", 0),
        ];
        for (standing, word, expected) in counted {
            assert_eq!(view.count(standing), Some(expected), "{word}");
            assert_eq!(view.counts.as_ref().unwrap()[word], expected);
        }
        let codes = |found: &[Finding]| found.iter().map(|one| one.code.clone()).collect::<Vec<_>>();
        assert_eq!(
            (codes(&view.stops), codes(&view.findings)),
            (
                vec!["right_missing".to_owned()],
                vec!["removed_by_hand".to_owned()]
            )
        );
    }
}

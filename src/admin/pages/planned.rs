//! A plan as a page shows it: how many operations of each kind, and the first of each; what takes something away stands first.

use crate::app::plans::Form;
use crate::app::plans::Omissions;
use crate::app::plans::Sample;
use crate::app::service::order::Work;
use crate::app::service::track::Standing;
use crate::app::service::track::Track;
use crate::engine::summary::Summary;
use crate::model::verb::Act;
use crate::model::verb::Verb;

/// A plan.
pub(super) struct Planned {
    /// What would be done, by operation.
    pub(super) kinds: Vec<Kind>,
    /// What would be left alone, by reason.
    pub(super) left: Vec<Left>,
    /// How many operations that is.
    pub(super) count: u64,
    /// True where the whole of it can be fetched.
    pub(super) is_kept: bool,
}

/// What would be left alone for one reason.
pub(super) struct Left {
    pub(super) reason: String,
    pub(super) count: u64,
    /// The first of them, by what is said of them.
    pub(super) first: Vec<(String, Vec<Sample>)>,
    /// True where there are more.
    pub(super) is_part: bool,
}

impl Left {
    fn of(reason: &str, omissions: &Omissions) -> Self {
        let mut first: Vec<(String, Vec<Sample>)> = Vec::new();
        for one in &omissions.first {
            match first.iter_mut().find(|(because, _)| *because == one.because) {
                Some((_, same)) => same.push(one.clone()),
                None => first.push((one.because.clone(), vec![one.clone()])),
            }
        }
        Self {
            reason: reason.to_owned(),
            count: omissions.count,
            first,
            is_part: omissions.count > omissions.first.len() as u64,
        }
    }
}

/// What would be done of one kind.
pub(super) struct Kind {
    /// The operation.
    pub(super) operation: String,
    /// How many; of memberships, each is one.
    pub(super) count: u64,
    /// The first of them.
    pub(super) first: Vec<Sample>,
}

impl Kind {
    /// True where more are meant than are shown.
    pub(super) fn is_part(&self) -> bool {
        let shown: usize = self.first.iter().map(|one| one.changes.len().max(1)).sum();
        self.count > shown as u64 && self.count > self.first.len() as u64
    }
}

impl Planned {
    /// The plan that an order made, where it was asked for one alone and has ended well.
    pub(super) fn of(track: &Track) -> Option<Self> {
        if !matches!(
            track.ask.work,
            Work::Undo { apply: false, .. } | Work::Plan { .. } | Work::Preview { .. }
        ) {
            return None;
        }
        let Standing::Ended(answer) = track.standing().borrow().clone() else {
            return None;
        };
        let (summary, made) = (answer.summary.as_ref()?, answer.made.as_ref()?);
        let left = made.samples.omitted.iter();
        let left = left.filter(|(reason, _)| **reason != UNCHANGED);
        let mut left: Vec<Left> = left.map(|(reason, of)| Left::of(reason, of)).collect();
        left.sort_by_key(|left| (left.reason != WITHHELD, std::cmp::Reverse(left.count)));
        Some(Self {
            kinds: kinds(summary, |verb| {
                made.samples.operations.get(verb).cloned().unwrap_or_default()
            }),
            left,
            count: summary.operations.values().sum(),
            is_kept: made.sheet(Form::Json).is_some(),
        })
    }
}

/// The code of what is as it should be.
const UNCHANGED: &str = "unchanged";

/// The code of what the guard holds back.
const WITHHELD: &str = "withheld";

fn kinds(summary: &Summary, first: impl Fn(&str) -> Vec<Sample>) -> Vec<Kind> {
    let some = summary.operations.iter().filter(|(_, count)| **count > 0);
    let mut kinds: Vec<Kind> = some
        .map(|(operation, count)| Kind {
            operation: operation.clone(),
            count: *count,
            first: first(operation),
        })
        .collect();
    kinds.sort_by_key(|kind| Verb::named(&kind.operation).map_or(0, |verb| weight(verb.act())));
    kinds
}

/// What takes something away comes first.
const fn weight(act: Act) -> u8 {
    match act {
        Act::Delete | Act::Disable => 0,
        Act::RemoveMembers | Act::Unlink | Act::Leave => 1,
        Act::Create | Act::Enable | Act::Link => 2,
        Act::AddMembers | Act::Join => 3,
        Act::Update => 4,
    }
}

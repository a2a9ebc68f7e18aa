//! The comparison of the two sides, for one object.

use uuid::Uuid;

use super::Deed;
use super::SETTLED_AFTER;
use super::WINDOW;
use super::Wanted;
use super::Watched;
use super::effects::ACTIVE;
use super::effects::EXISTS;
use super::effects::Effects;
use super::effects::JOINED;
use super::effects::LEFT;
use super::effects::Salt;
use crate::model::clock::Timestamp;

/// What the comparison comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Both did the same.
    Same,
    /// We would do it, and Azure did not.
    OnlyWe,
    /// Azure did it, and our planner was not seen to want it.
    OnlyThey,
    /// Both did something, and not the same.
    Differently,
    /// We wanted it for a while, Azure did not do it, and it is wanted no more: the source moved back, or somebody else did it.
    Gone,
    /// Too fresh to be compared.
    Pending,
}

/// What is seen of an object, as times go.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// Now.
    pub now: Timestamp,
    /// The beginning of the last cycle that looked at everything.
    pub cycle: Timestamp,
    /// Nothing before this moment is compared: nobody observed.
    pub since: Timestamp,
}

/// One change, as both sides have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// What the comparison comes to.
    pub class: Class,
    /// The later of the two sides.
    pub at: Timestamp,
    /// The effects of both sides by their names.
    pub effects: Vec<String>,
    /// The effects that differ.
    pub differing: Vec<String>,
    /// The difference is that we clear what Entra leaves (`entra_compat = ["keep-nulls"]`).
    pub clears: bool,
    /// The entries of Azure's log.
    pub deeds: Vec<Uuid>,
    /// The resource that Azure's log names.
    pub target: Option<String>,
}

/// Compares what is known of an object, oldest first.
#[must_use]
pub fn compare(watched: &Watched, seen: Seen, salt: Salt<'_>) -> Vec<Compared> {
    let mut left: Vec<&Deed> = watched
        .deeds
        .iter()
        .filter(|deed| deed.at >= seen.since)
        .collect();
    let mut all = Vec::new();
    for wanted in watched.wanted.iter().filter(|wanted| wanted.last >= seen.since) {
        let (begin, end) = (wanted.first.minus(WINDOW), wanted.last.plus(WINDOW));
        let is_of = |deed: &&Deed| deed.at >= begin && deed.at <= end;
        let (mine, others): (Vec<&Deed>, Vec<&Deed>) = left.into_iter().partition(is_of);
        left = others;
        all.extend(judged(wanted, &mine, seen, salt));
    }
    while !left.is_empty() {
        let end = left[0].at.plus(WINDOW);
        let (together, others): (Vec<&Deed>, Vec<&Deed>) = left.into_iter().partition(|deed| deed.at <= end);
        left = others;
        all.extend(theirs(&together, seen));
    }
    all.sort_by_key(|one| one.at);
    all
}

/// A decision of ours with the deeds of its time.
fn judged(wanted: &Wanted, deeds: &[&Deed], seen: Seen, salt: Salt<'_>) -> Option<Compared> {
    if deeds.is_empty() && !wanted.effects.iter().any(tells) {
        return None;
    }
    let latest = deeds.iter().map(|deed| deed.at).max();
    let at = latest.map_or(wanted.first, |latest| latest.max(wanted.first));
    let done = merged(deeds.iter().filter(|deed| deed.done));
    let settled = seen.now.since(at) >= SETTLED_AFTER;
    let differing = differences(&wanted.effects, &done);
    let nothing = salt.digest("");
    let clears = |name: &String| wanted.effects.get(name) == Some(&Some(nothing)) && !done.contains_key(name);
    let class = match (settled, done.is_empty(), differing.is_empty()) {
        (false, ..) => Class::Pending,
        (true, true, _) if !deeds.is_empty() => Class::Differently,
        (true, true, _) if wanted.last >= seen.cycle => Class::OnlyWe,
        (true, true, _) => Class::Gone,
        (true, false, true) => Class::Same,
        (true, false, false) => Class::Differently,
    };
    let mut effects: Vec<String> = wanted.effects.keys().chain(done.keys()).cloned().collect();
    effects.sort();
    effects.dedup();
    Some(Compared {
        class,
        at,
        effects,
        clears: !differing.is_empty() && differing.iter().all(clears),
        differing,
        deeds: deeds.iter().map(|deed| deed.id).collect(),
        target: deeds.iter().rev().find_map(|deed| deed.target.clone()),
    })
}

/// Deeds of Azure's of which nothing was planned here. What Azure tried in vain is no difference.
fn theirs(deeds: &[&Deed], seen: Seen) -> Option<Compared> {
    let done: Vec<&&Deed> = deeds.iter().filter(|deed| deed.done).collect();
    let at = done.iter().map(|deed| deed.at).max()?;
    let class = if seen.now.since(at) < SETTLED_AFTER {
        Class::Pending
    } else {
        // What our planner was asked since decides; where it was not asked, nothing is taken for granted.
        let answers: Vec<Option<bool>> = done.iter().map(|deed| deed.agreed).collect();
        match answers.as_slice() {
            all if all.iter().all(|one| *one == Some(true)) => Class::Same,
            all if all.contains(&Some(false)) => Class::Differently,
            _ => Class::OnlyThey,
        }
    };
    let effects: Vec<String> = merged(done.into_iter()).into_keys().collect();
    Some(Compared {
        class,
        at,
        differing: if class == Class::Differently {
            effects.clone()
        } else {
            Vec::new()
        },
        effects,
        clears: false,
        deeds: deeds.iter().map(|deed| deed.id).collect(),
        target: deeds.iter().rev().find_map(|deed| deed.target.clone()),
    })
}

/// The effects of several deeds; a later one's value counts.
fn merged<'d>(deeds: impl Iterator<Item = &'d &'d Deed>) -> Effects {
    deeds.flat_map(|deed| deed.effects.clone()).collect()
}

/// Whether an effect that one side has alone tells of a difference. A reference of which only the name is known does not: it may be
/// what is there already.
fn tells((name, value): (&String, &Option<[u8; 8]>)) -> bool {
    value.is_some() || name == JOINED || name == LEFT
}

/// The names of effects that differ: of another value, or of one side alone. Within a create, what a new resource has by itself is
/// none.
fn differences(ours: &Effects, theirs: &Effects) -> Vec<String> {
    let creates = ours.contains_key(EXISTS) && theirs.contains_key(EXISTS);
    let by_itself = |name: &str| creates && (name == ACTIVE || name == JOINED || name == LEFT);
    let mut names: Vec<&String> = ours.keys().chain(theirs.keys()).collect();
    names.sort();
    names.dedup();
    let differ = names
        .into_iter()
        .filter(|name| match (ours.get(*name), theirs.get(*name)) {
            (Some(Some(ours)), Some(Some(theirs))) => ours != theirs,
            (Some(_), Some(_)) | (None, None) => false,
            (Some(value), None) | (None, Some(value)) => tells((name, value)) && !by_itself(name),
        });
    differ.cloned().collect()
}

//! When a kind of operation stops: over 40 % of at least 20 of them failed in a cycle (docs/design/failures.md). Pure.
//!
//! A stopped kind is left for the rest of the cycle. In each later cycle one operation of it is sent as a probe; when that
//! works, the kind goes on. Disables never stop by this rule: taking access away goes on while the credential works.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::verb::Act;
use crate::reconcile::operation::Operation;
use crate::reconcile::operation::Verb;

/// As many operations of a kind as have to be sent in a cycle before their share of failures says anything.
const LEAST: u64 = 20;

/// More failures of a hundred than this stop a kind.
const PERCENT: u64 = 40;

/// Operations of one kind in one cycle; retries of entries in escrow are not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Answered, whatever the answer.
    pub sent: u64,
    /// Of them refused.
    pub failed: u64,
}

impl Tally {
    /// True when the kind stops.
    #[must_use]
    pub const fn stops(self) -> bool {
        self.sent >= LEAST && self.failed * 100 > self.sent * PERCENT
    }
}

/// True for kinds that the rule is about: not disables, and not adoptions, which have no request of their own.
#[must_use]
pub const fn may_stop(verb: Verb) -> bool {
    verb.has_request() && !verb.act().is(Act::Disable)
}

/// A kind that stopped, as it is kept from cycle to cycle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopped {
    /// Since when.
    pub since: Timestamp,
    /// In whose cycle.
    pub actor: String,
    /// Operations sent in the cycle that stopped it.
    pub sent: u64,
    /// Of them refused.
    pub failed: u64,
    /// What the target said last.
    pub cause: String,
    /// What to do.
    pub hint: String,
    /// Of which object it said that.
    pub object: SourceId,
    /// The object of the last probe that failed: the next one is another's, where there is one.
    pub probed: Option<SourceId>,
}

impl Stopped {
    /// In words, for whoever meets what it leaves.
    #[must_use]
    pub fn words(&self) -> String {
        let Self {
            sent, failed, since, ..
        } = self;
        format!(
            "{failed} of {sent} failed in the cycle of {since}; one is tried in each cycle, and when that works the others follow"
        )
    }
}

/// What a failed operation said.
#[derive(Debug, Clone)]
pub struct Said<'a> {
    /// The error, with its causes.
    pub cause: &'a str,
    /// What to do.
    pub hint: &'a str,
    /// When.
    pub now: Timestamp,
    /// In whose cycle.
    pub actor: &'a str,
}

/// What a cycle knows of the kinds of operations.
#[derive(Debug, Clone, Default)]
pub struct Kinds {
    stopped: BTreeMap<Verb, Stopped>,
    tallies: BTreeMap<Verb, Tally>,
    /// Whose operation is the probe of a kind that stopped in an earlier cycle.
    probes: BTreeMap<Verb, SourceId>,
    /// Kinds that stopped in this cycle: without a probe.
    fresh: BTreeSet<Verb>,
    /// Kinds that a probe let go on in this cycle.
    pub released: BTreeSet<Verb>,
    /// Who failed in this cycle, by kind: where it stops, that was not the entry's trouble.
    failed: BTreeMap<Verb, Vec<(ObjectKind, SourceId)>>,
}

impl Kinds {
    /// As the last cycle left them.
    #[must_use]
    pub fn new(stopped: BTreeMap<Verb, Stopped>) -> Self {
        Self {
            stopped,
            ..Self::default()
        }
    }

    /// The kinds that are stopped now.
    #[must_use]
    pub const fn stopped(&self) -> &BTreeMap<Verb, Stopped> {
        &self.stopped
    }

    /// Why an operation of this kind on this object is left; `None`: it is sent. The first one asked about in a cycle
    /// becomes the probe.
    pub fn leaves(&mut self, verb: Verb, id: SourceId) -> Option<&Stopped> {
        let stopped = self.stopped.get(&verb)?;
        let later = stopped.probed.is_none_or(|probed| id > probed);
        if later && !self.fresh.contains(&verb) && !self.probes.contains_key(&verb) {
            self.probes.insert(verb, id);
        }
        (self.probes.get(&verb) != Some(&id)).then_some(stopped)
    }

    /// True for the operation by which a stopped kind is probed.
    #[must_use]
    pub fn is_probe(&self, operation: &Operation) -> bool {
        self.probes.get(&operation.verb) == Some(&operation.source)
    }

    /// The first of these operations whose kind stopped since they were planned.
    #[must_use]
    pub fn cuts(&self, run: &[Operation]) -> Option<Verb> {
        let is_cut =
            |operation: &&Operation| self.stopped.contains_key(&operation.verb) && !self.is_probe(operation);
        run.iter().find(is_cut).map(|operation| operation.verb)
    }

    /// An operation was carried out.
    pub fn done(&mut self, operation: &Operation) {
        let verb = operation.verb;
        if !may_stop(verb) {
            return;
        }
        if self.is_probe(operation) && self.stopped.remove(&verb).is_some() {
            self.released.insert(verb);
            self.tallies.remove(&verb);
        }
        self.tallies.entry(verb).or_default().sent += 1;
    }

    /// An operation was refused. True when its kind stops by it.
    pub fn refused(&mut self, operation: &Operation, said: &Said<'_>) -> bool {
        let (verb, id) = (operation.verb, operation.source);
        if !may_stop(verb) {
            return false;
        }
        if let Some(stopped) = self.stopped.get_mut(&verb) {
            if self.probes.get(&verb) == Some(&id) {
                stopped.probed = Some(id);
            }
            (stopped.cause, stopped.hint, stopped.object) = (said.cause.to_owned(), said.hint.to_owned(), id);
            return false;
        }
        let tally = self.tallies.entry(verb).or_default();
        (tally.sent, tally.failed) = (tally.sent + 1, tally.failed + 1);
        let tally = *tally;
        self.failed.entry(verb).or_default().push((operation.kind, id));
        if !tally.stops() {
            return false;
        }
        let stopped = Stopped {
            since: said.now,
            actor: said.actor.to_owned(),
            sent: tally.sent,
            failed: tally.failed,
            cause: said.cause.to_owned(),
            hint: said.hint.to_owned(),
            object: id,
            probed: None,
        };
        self.stopped.insert(verb, stopped);
        self.fresh.insert(verb);
        true
    }

    /// True where one of these operations is of a kind that is stopped: its failure is not the entry's.
    #[must_use]
    pub fn excuses(&self, run: &[Operation]) -> bool {
        run.iter()
            .any(|operation| self.stopped.contains_key(&operation.verb))
    }

    /// Who failed in this cycle before their kinds stopped; each is said once.
    pub fn take_excused(&mut self) -> Vec<(ObjectKind, SourceId)> {
        let of_stopped: Vec<Verb> = self
            .failed
            .keys()
            .filter(|verb| self.stopped.contains_key(verb))
            .copied()
            .collect();
        of_stopped
            .iter()
            .filter_map(|verb| self.failed.remove(verb))
            .flatten()
            .collect()
    }

    /// What is kept for the next cycle. A kind of which no probe could be sent begins again with the first object.
    #[must_use]
    pub fn into_stopped(mut self) -> BTreeMap<Verb, Stopped> {
        for (verb, stopped) in &mut self.stopped {
            if !self.probes.contains_key(verb) {
                stopped.probed = None;
            }
        }
        self.stopped
    }
}

#[cfg(test)]
mod tests;

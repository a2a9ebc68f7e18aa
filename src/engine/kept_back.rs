//! What is kept back from the target, as a cycle knows it: holds, releases, a pause, and who an admin named.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;

use super::cycle::Cycle;
use super::cycle::CycleError;
use super::guarding::empties;
use super::job::Extent;
use crate::model::id::CycleId;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::verb::Act;
use crate::model::verb::GuardClass;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::reconcile::guard::Class;
use crate::reconcile::guard::changes_identity;
use crate::reconcile::operation::Operation;
use crate::reconcile::operation::Verb;
use crate::snapshot::kept_back::Hold;
use crate::snapshot::kept_back::KeptBackReads;
use crate::snapshot::kept_back::Pause;
use crate::snapshot::kept_back::Withheld;
use crate::snapshot::kept_back::WithheldKey;
use crate::snapshot::read::Reads;
use crate::snapshot::store::Snapshot;

/// As many users as may be disabled by name although the guard is closed.
const NAMED: usize = 10;

/// What a cycle was told to keep back, and what to let through. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct KeptBack {
    holds: Arc<HashMap<(ObjectKind, SourceId), Vec<Hold>>>,
    released: Arc<HashMap<WithheldKey, Withheld>>,
    pub(super) pause: Option<Pause>,
    /// Users whom an admin named, few enough to be disabled although the guard is closed.
    pub(super) named: BTreeSet<SourceId>,
}

/// What became of an operation that the guard would hold back, until the batch is recorded.
#[derive(Debug)]
pub(super) enum Met {
    /// Withheld.
    Withheld(Box<Withheld>),
    /// Let through by a release.
    Released,
}

impl KeptBack {
    /// The hold on the whole object.
    pub(super) fn whole(&self, kind: ObjectKind, id: SourceId) -> Option<&Hold> {
        self.of(kind, id).find(|hold| hold.attribute.is_none())
    }

    /// The hold on one attribute.
    pub(super) fn attribute(&self, kind: ObjectKind, id: SourceId, path: &str) -> Option<&Hold> {
        let named = |hold: &&Hold| {
            let held = hold.attribute.as_deref();
            held.is_some_and(|held| held.eq_ignore_ascii_case(path))
        };
        self.of(kind, id).find(named)
    }

    fn of(&self, kind: ObjectKind, id: SourceId) -> impl Iterator<Item = &Hold> {
        self.holds.get(&(kind, id)).into_iter().flatten()
    }

    /// True while removals are paused.
    pub(super) const fn removals_paused(&self) -> bool {
        self.pause.is_some()
    }

    /// The release that lets an operation of this verb through.
    pub(super) fn released(&self, key: &WithheldKey, verb: Verb) -> Option<&Withheld> {
        self.released.get(key).filter(|entry| entry.verb == verb)
    }

    /// True for an adoption that needs no review, or that a person let through: of this very resource.
    pub(super) fn lets_link(&self, operation: &Operation) -> bool {
        let key = (operation.kind, operation.source, Class::Adoption);
        let released = || self.released.get(&key);
        operation
            .alike()
            .is_none_or(|alike| released().is_some_and(|entry| entry.is_about(operation.verb, Some(alike))))
    }

    /// True for a removal that goes although the guard is closed: a person released it, or named the user.
    pub(super) fn lets_through(&self, kind: ObjectKind, id: SourceId, verb: Verb) -> bool {
        let named = verb.act() == Act::Disable && self.named.contains(&id);
        !self.removals_paused() && (named || self.released(&(kind, id, Class::Removal), verb).is_some())
    }

    /// True for a member whose own removal goes although the guard is closed.
    pub(super) fn lets_member_through(&self, member: SourceId) -> bool {
        let released = self
            .released
            .contains_key(&(ObjectKind::User, member, Class::Removal));
        !self.removals_paused() && (released || self.named.contains(&member))
    }

    /// The releases that these operations use up.
    pub(super) fn used_by(&self, run: &[Operation]) -> Vec<WithheldKey> {
        let of = |operation: &Operation| {
            let mut classes = vec![class_of(operation)];
            classes.push(changes_identity(operation).then_some(Class::Identity));
            let (kind, id) = (operation.kind, operation.source);
            classes.into_iter().flatten().map(move |class| (kind, id, class))
        };
        run.iter()
            .flat_map(of)
            .filter(|key| self.released.contains_key(key))
            .collect()
    }
}

/// The class by which an operation as such is withheld; an update is none.
pub(super) const fn class_of(operation: &Operation) -> Option<Class> {
    match operation.verb.guard_class() {
        GuardClass::Removal => Some(Class::Removal),
        GuardClass::Members if empties(operation) => Some(Class::Removal),
        GuardClass::Members => Some(Class::Members),
        GuardClass::Create => Some(Class::Create),
        GuardClass::Adoption if operation.alike().is_some() => Some(Class::Adoption),
        GuardClass::Adoption | GuardClass::Changes | GuardClass::Free | GuardClass::LetGo => None,
        // Nothing lets it through, so there is nothing to keep for a person to release.
        GuardClass::Unknown => None,
    }
}

impl Cycle<'_> {
    /// Reads holds, releases and the pause; holds that ended by themselves go.
    pub(super) async fn prepare_kept_back(&mut self) -> Result<(), CycleError> {
        let (now, keeps) = (self.now, self.order.apply);
        let (holds, released, pause) = self
            .store(move |snapshot| {
                let mut holds: HashMap<_, Vec<Hold>> = HashMap::new();
                let mut tx = snapshot.tx()?;
                for (kind, id, hold) in snapshot.holds()? {
                    if hold.holds_at(now) {
                        holds.entry((kind, id)).or_default().push(hold);
                    } else if keeps {
                        tx.delete_hold(kind, &id, hold.attribute.as_deref());
                    }
                }
                tx.commit(Durability::Lazy)?;
                let mut released = HashMap::new();
                snapshot.each_withheld(|key, entry| {
                    if entry.released_by.is_some() {
                        released.insert(key, entry);
                    }
                    Ok(())
                })?;
                Ok((holds, released, snapshot.pause_at(now)?))
            })
            .await?;
        self.kept_back = KeptBack {
            holds: Arc::new(holds),
            released: Arc::new(released),
            pause,
            named: BTreeSet::new(),
        };
        Ok(())
    }

    /// Says that the job is paused, where that keeps anything back.
    pub(super) fn tell_pause(&self) {
        let removals = self.summary.withheld.count > 0;
        if let Some(pause) = &self.kept_back.pause
            && (removals || (!pause.removals_only && self.summary.has_changes()))
        {
            self.order.watcher.finding(&paused(pause));
        }
    }

    /// Up to ten users whom an admin named may be disabled although the guard is closed.
    pub(super) fn note_named(&mut self) {
        let Extent::Objects { users, .. } = &self.order.extent else {
            return;
        };
        if users.len() <= NAMED {
            let chosen = self.focus.iter().flatten();
            let users = chosen.filter(|(kind, _)| *kind == ObjectKind::User);
            self.kept_back.named = users.map(|(_, id)| *id).collect();
        }
    }

    /// Keeps what this batch met of withheld operations.
    pub(super) async fn keep_withheld(&mut self) -> Result<(), CycleError> {
        let met = std::mem::take(&mut self.met);
        if met.is_empty() || !self.applies() {
            return Ok(());
        }
        let cycle = self.order.id;
        self.store(move |snapshot| keep(snapshot, met, cycle)).await
    }

    /// At the end of a cycle: what it did not meet is not asked for any more.
    pub(super) async fn forget_unasked(&self) -> Result<(), CycleError> {
        if !self.applies() {
            return Ok(());
        }
        let (cycle, focus) = (self.order.id, self.focus.clone());
        let planned: BTreeSet<ObjectKind> = self.job.managed.difference(&self.stopped).copied().collect();
        let latecomers = self.latecomers.clone();
        self.store(move |snapshot| {
            let mut stale = Vec::new();
            snapshot.each_withheld(|key, entry| {
                let mine = planned.contains(&key.0)
                    && !latecomers.contains(&(key.0, key.1))
                    && focus.as_ref().is_none_or(|focus| focus.contains(&(key.0, key.1)));
                // A release waits with its object: in escrow, behind an open create, for a value.
                let waits = entry.released_by.is_some() && snapshot.dirty_cause(key.0, &key.1)?.is_some();
                if mine && entry.cycle != cycle && !waits {
                    stale.push(key);
                }
                Ok(())
            })?;
            let mut tx = snapshot.tx()?;
            for key in &stale {
                tx.delete_withheld(key);
            }
            tx.commit(Durability::Lazy)
        })
        .await
    }
}

fn is_same(before: &Withheld, now: &Withheld) -> bool {
    before.is_about(now.verb, now.alike.as_ref())
}

fn keep(snapshot: &Snapshot, met: Vec<(WithheldKey, Met)>, cycle: CycleId) -> Result<(), StoreError> {
    let mut tx = snapshot.tx()?;
    for (key, met) in met {
        let before = tx.withheld(&key)?;
        let entry = match (before, met) {
            // A release that could not be sent stays; what is asked for beyond it is entered by the next cycle.
            (Some(before), Met::Released) => Some(Withheld { cycle, ..before }),
            (Some(before), Met::Withheld(now)) if before.released_by.is_some() && is_same(&before, &now) => {
                Some(Withheld { cycle, ..before })
            }
            (Some(before), Met::Withheld(now)) if is_same(&before, &now) => Some(Withheld {
                since: before.since,
                ..*now
            }),
            (_, Met::Withheld(now)) => Some(*now),
            (None, Met::Released) => None,
        };
        if let Some(entry) = entry {
            tx.put_withheld(&key, &entry);
        }
    }
    tx.commit(Durability::Lazy)
}

/// What a pause says, for people.
pub(super) fn paused(pause: &Pause) -> String {
    let what = if pause.removals_only {
        "removals are"
    } else {
        "the job is"
    };
    let until = pause
        .until
        .map_or_else(String::new, |until| format!(" until {until}"));
    let comment = pause
        .comment
        .as_ref()
        .map_or_else(String::new, |comment| format!(" ({comment})"));
    format!(
        "{what} paused by {} since {}{until}{comment}: `melonsync resume` lets it go on",
        pause.actor, pause.since
    )
}

//! Recording a batch: one transaction, or, of a large batch, one for each part that is answered, while the rest of it is
//! still being sent.
//!
//! Guarantee: after a crash between two parts the objects of the second are dirty and their intents open, as before
//! the batch. Parts are written one after the other; their order does not matter.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::task::JoinHandle;

use crate::engine::apply::prepare::Intents;
use crate::engine::error::CycleError;
use crate::engine::judge::window::remember_sent;
use crate::engine::open;
use crate::engine::record::Learned;
use crate::engine::record::Recorder;
use crate::engine::record::links::Terms;
use crate::engine::record::part::Claim;
use crate::engine::record::part::Done;
use crate::engine::record::part::Part;
use crate::engine::work::empties;
use crate::engine::work::rehired_from;
use crate::mapping::Mapping;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::verb::Act;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::reconcile::guard::Sent;
use crate::snapshot::drift::has_drift;
use crate::snapshot::filled::has_forecasts;
use crate::snapshot::read::ObjectIntent;
use crate::snapshot::store::Snapshot;
use crate::snapshot::tx::Tx;

/// What the parts of a batch have in common. They are written one after the other, in any order.
#[derive(Debug, Default)]
struct Ledger {
    /// Intents still open, by the number of their batch.
    intents: Intents,
    /// Who was linked, relinked or deleted.
    relinked: Vec<SourceId>,
    /// Who was marked because of them, of the kind that this batch is of.
    marked: BTreeSet<SourceId>,
    /// What the target did not keep as it was healed, in words.
    not_kept: Vec<String>,
    /// Whose resource turned out to be another object's.
    claims: Vec<Claim>,
}

/// What writing a batch found.
#[derive(Debug, Default)]
pub(in crate::engine) struct Ended {
    /// What its answers say beyond the objects that they are of.
    pub(in crate::engine) learned: Learned,
    /// What the target did not keep as it was healed, in words.
    pub(in crate::engine) not_kept: Vec<String>,
    /// Whose resource turned out to be another object's.
    pub(in crate::engine) claims: Vec<Claim>,
}

/// A batch that is being recorded, part by part, while the rest of it is still being sent.
pub(in crate::engine) struct Recording {
    pub(super) kind: ObjectKind,
    /// True where readings are compared with, and have to be renewed.
    observes: bool,
    /// What the answers so far say beyond the objects that they are of.
    pub(in crate::engine) learned: Learned,
    ledger: Arc<Mutex<Ledger>>,
    under_way: Vec<JoinHandle<Result<(), StoreError>>>,
    /// What a store that does not block answered at once.
    written: Result<(), StoreError>,
}

impl Recording {
    /// A batch whose creates have these intents. `observes`: readings are compared with, and have to be renewed.
    pub(in crate::engine) fn new(kind: ObjectKind, intents: Intents, observes: bool) -> Self {
        let ledger = Ledger {
            intents,
            ..Ledger::default()
        };
        Self {
            kind,
            observes,
            learned: Learned::default(),
            ledger: Arc::new(Mutex::new(ledger)),
            under_way: Vec::new(),
            written: Ok(()),
        }
    }

    /// Waits until all that was begun is written.
    async fn end(self) -> Result<Ended, CycleError> {
        let mut result = self.written.map_err(CycleError::Store);
        for part in self.under_way {
            let ended = match part.await {
                Ok(ended) => ended.map_err(CycleError::Store),
                Err(broken) => Err(CycleError::Broken(broken)),
            };
            result = result.and(ended);
        }
        let mut ledger = self.ledger.lock().unwrap_or_else(PoisonError::into_inner);
        result.map(|()| Ended {
            learned: self.learned,
            not_kept: std::mem::take(&mut ledger.not_kept),
            claims: std::mem::take(&mut ledger.claims),
        })
    }
}

/// What writing a part needs to know of the cycle.
struct Setting {
    mapping: Arc<Mapping>,
    kind: ObjectKind,
    now: Timestamp,
    /// When the answers had come that are recorded.
    answered_at: Timestamp,
    window: Duration,
    flattens: bool,
    /// True where readings are compared with, and have to be renewed.
    observes: bool,
}

impl Recorder<'_, '_> {
    /// Writes what is left of a batch, and waits until all of it is written.
    pub(in crate::engine) async fn record(
        &mut self,
        mut recording: Recording,
        part: Part,
    ) -> Result<Ended, CycleError> {
        self.start(&mut recording, part);
        recording.end().await
    }

    /// Begins to write a part, on the thread that serves the store.
    pub(super) fn start(&mut self, recording: &mut Recording, mut part: Part) {
        let kind = recording.kind;
        let escrow = &mut self.failures.escrow;
        let through = |done: &&Done| {
            let (work, key) = (&done.work, (kind, done.work.plan.source));
            work.completes() || escrow.is_for(key, &work.run)
        };
        let settled: Vec<SourceId> = part
            .done
            .iter()
            .filter(through)
            .map(|done| done.work.plan.source)
            .collect();
        part.settled = settled
            .into_iter()
            .filter(|id| escrow.settled((kind, *id)))
            .collect();
        let setting = Setting {
            mapping: Arc::clone(&self.run.job.mapping),
            kind,
            now: self.run.now,
            answered_at: self.run.job.clock.now(),
            window: self.run.job.policy.guard_window,
            flattens: self.run.job.assigning.nesting.members,
            observes: recording.observes,
        };
        let (snapshot, ledger) = (self.run.job.snapshot.clone(), Arc::clone(&recording.ledger));
        if !snapshot.store().blocks() {
            let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
            let written = part.write(&snapshot, &setting, &mut ledger);
            recording.written = std::mem::replace(&mut recording.written, Ok(())).and(written);
            return;
        }
        recording.under_way.push(tokio::task::spawn_blocking(move || {
            let mut ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner);
            part.write(&snapshot, &setting, &mut ledger)
        }));
    }
}

impl Part {
    fn write(
        mut self,
        snapshot: &Snapshot,
        setting: &Setting,
        ledger: &mut Ledger,
    ) -> Result<(), StoreError> {
        let kind = setting.kind;
        let drifted = has_drift(snapshot)?;
        let mut tx = snapshot.tx()?;
        let (mut relinked, mut not_kept, mut claims) = (Vec::new(), Vec::new(), Vec::new());
        let terms = Terms {
            mapping: &setting.mapping,
            kind,
            now: setting.now,
            forecasts: has_forecasts(snapshot)?,
            observes: setting.observes,
        };
        for done in &mut self.done {
            if let Some(claim) = done.claim(&tx, kind)? {
                claims.push(claim);
                continue;
            }
            relinked.extend(done.record(&mut tx, &terms)?);
            if setting.observes || drifted || done.is_not_kept() {
                not_kept.extend(done.settle_drift(&mut tx, &terms)?);
            }
        }
        let marked = self.mark(&mut tx, setting, &relinked, ledger)?;
        claims.iter().for_each(|claim| self.take_back(claim));
        self.move_escrow(&mut tx, kind)?;
        let sent = Sent {
            identities: self.identities,
            ..sent_by(&self.done)
        };
        remember_sent(&mut tx, setting.now, setting.window, sent)?;
        self.used.iter().for_each(|key| tx.delete_withheld(key));
        let (open, judged) = (&self.open, &self.judged);
        let stays = |(of, id, _): &ObjectIntent| *of != kind || open.contains(id) || !judged.contains(id);
        close_intents(&mut tx, &ledger.intents, stays);
        open::settle(&mut tx, kind, &self.certain, &self.undone, &self.answered)?;
        open::add(&mut tx, self.opens)?;
        let created = open.intersection(&self.answered).copied();
        open::note_answered(&mut tx, kind, created, setting.answered_at)?;
        if !self.history.is_empty() {
            tx.append_history(self.history);
        }
        if !tx.is_empty() {
            tx.commit(Durability::Lazy)?;
        }
        // Only now: an intent that this part could not close is not to be closed by the next one.
        for (_, entries) in &mut ledger.intents {
            entries.retain(stays);
        }
        ledger.marked.extend(marked);
        ledger.relinked.extend(relinked);
        ledger.not_kept.extend(not_kept);
        ledger.claims.extend(claims);
        Ok(())
    }

    /// Takes out of escrow who was settled, and puts in who failed: after the marks of this batch, which would make it due at once.
    fn move_escrow(&self, tx: &mut Tx<'_>, kind: ObjectKind) -> Result<(), StoreError> {
        for id in &self.settled {
            tx.delete_escrow(kind, id);
        }
        for (id, escrowed) in self.aside.iter().chain(&self.in_part) {
            tx.put_escrow(kind, id, escrowed)?;
        }
        for (of, id) in &self.excused {
            tx.delete_escrow(*of, id);
        }
        Ok(())
    }

    /// Marks last: whoever is recorded in this part without one of these references is dirty again. So is whoever an
    /// earlier part marked: this one may have been planned without what that one recorded. Who was marked, of this kind.
    fn mark(
        &self,
        tx: &mut Tx<'_>,
        setting: &Setting,
        relinked: &[SourceId],
        ledger: &Ledger,
    ) -> Result<Vec<SourceId>, StoreError> {
        let of_this_kind = |(kind, by)| (kind == setting.kind).then_some(by);
        // Whoever lost a resource to a newcomer is referred to no longer.
        let leavers = self.done.iter().filter_map(|done| rehired_from(&done.work.run));
        let moved: Vec<SourceId> = relinked.iter().copied().chain(leavers).collect();
        let marked = tx.mark_referrers_of(&moved)?;
        let marked: Vec<SourceId> = marked.into_iter().filter_map(of_this_kind).collect();
        for done in &self.done {
            let id = done.work.plan.source;
            if ledger.marked.contains(&id) {
                tx.mark_referrer(setting.kind, &id)?;
            }
        }
        if setting.flattens {
            for id in ledger.relinked.iter().chain(relinked) {
                tx.mark_holders(id)?;
            }
        }
        Ok(marked)
    }
}

/// Takes the intents out that a part settles.
fn close_intents(tx: &mut Tx<'_>, intents: &Intents, stays: impl Fn(&ObjectIntent) -> bool) {
    for (batch, entries) in intents {
        let left: Vec<&ObjectIntent> = entries.iter().filter(|entry| stays(entry)).collect();
        if left.len() != entries.len() {
            tx.replace_intents(*batch, &left);
        }
    }
}

/// What a batch sent of what the guard window counts; identity changes are counted before their values are taken out.
fn sent_by(done: &[Done]) -> Sent {
    let mut sent = Sent::default();
    for operation in done.iter().flat_map(|done| &done.work.run) {
        sent.users += u64::from(operation.removes_user());
        sent.groups += u64::from(
            (operation.verb.deletes() && operation.kind == ObjectKind::Group) || empties(operation),
        );
        sent.creates += u64::from(operation.verb.creates());
        if operation.verb.act() == Act::RemoveMembers && !empties(operation) {
            let own = operation
                .members
                .iter()
                .filter(|member| !member.with_user)
                .count() as u64;
            if own > 0 {
                *sent.members.entry(operation.source).or_default() += own;
            }
        }
    }
    sent
}

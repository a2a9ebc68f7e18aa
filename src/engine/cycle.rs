//! One provisioning cycle: `observe → plan → guard → apply → record`.
//!
//! Guarantees: nothing is planned for a type while its round is incomplete; a removal is sent only when the
//! guard counted it before anything was sent; a create's intent is durable before the create is sent; what was
//! done is recorded in the snapshot, in one transaction a batch, before the next batch is planned.
//! After a crash anywhere in it the next cycle goes on: pages read stay read, open creates are resolved by
//! their intents, and everything not recorded is still dirty.

use tracing::info;
use tracing::warn;

use super::error::CycleError;
use super::escrow::Escrow;
use super::intake::Intake;
use super::intake::evaluation::prepare_evaluation;
use super::intake::stream::pull;
use super::job::Extent;
use super::job::Job;
use super::job::Order;
use super::job::Report;
use super::job::UndoRequest;
use super::judge::Judge;
use super::judge::withhold::forget_unasked;
use super::notes::Overtaking;
use super::open::open_writes;
use super::plan::unique_names::UniqueNames;
use super::quarantine::Stops;
use super::readings::Readings;
use super::readings::dialect;
use super::record::after_write::list_not_kept;
use super::run::Run;
use super::run::blocking;
use super::set_aside;
use super::standing::Fact;
use super::summary::Kind;
use super::summary::Outcome;
use super::summary::Summary;
use super::trouble::Troubles;
use super::warnings;
use crate::model::clock::Stopwatch;
use crate::model::clock::Timestamp;
use crate::model::cursor::Cursor;
use crate::model::id::ObjectKind;
use crate::ports::Durability;
use crate::ports::Traffic;
use crate::snapshot::assignments::Watch;
use crate::snapshot::history::NewEntry;
use crate::snapshot::quarantine::Quarantine;
use crate::snapshot::quarantine::QuarantineReads;
use crate::snapshot::read::Reads;
use crate::snapshot::record::DirtyCause;
use crate::snapshot::state::{CARRIED_OUT, FINGERPRINT, INCOMPLETE, INITIAL_DONE, RESTORED, StateReads};

/// A cycle under way.
pub struct Cycle<'j> {
    pub(super) run: Run<'j>,
    pub(super) readings: Readings,
    /// Objects that are set aside after failures of earlier cycles, or of this one.
    pub(super) escrow: Escrow,
    /// What is sent and what is kept back.
    pub(super) judge: Judge,
    /// Whose turn it is to have a name.
    pub(super) names: UniqueNames,
    pub(super) intake: Intake,
    pub(super) troubles: Troubles,
    pub(super) stops: Stops,
    pub(super) overtaking: Overtaking,
}

/// Runs one cycle. Never panics on what source or target say; the report has the error where there was one.
pub async fn run(job: &Job, order: &Order) -> Report {
    frame(job, order, None).await
}

/// Takes back what an earlier cycle did, as far as it still stands. Otherwise as [`run`].
pub async fn undo(job: &Job, order: &Order, request: &UndoRequest) -> Report {
    frame(job, order, Some(request)).await
}

async fn frame(job: &Job, order: &Order, undo: Option<&UndoRequest>) -> Report {
    let watch = Stopwatch::start();
    let now = job.clock.now();
    let (source, target) = (job.source.traffic(), job.target.traffic());
    let mut cycle = Cycle::new(job, order, now);
    let error = match undo {
        None => cycle.story().await.err(),
        Some(request) => cycle.undo_story(request).await.err(),
    };
    dialect::tell_findings(&cycle.run);
    cycle.judge.tell_pause(&cycle.run);
    if let Err(late) = set_aside::name_what_is_left(&mut cycle.run).await {
        warn!("The summary names nobody: {late}");
    }
    let error = match dialect::keep_announced(&cycle.run).await {
        Ok(()) => error,
        Err(late) => error.or(Some(late)),
    };
    let error = match list_not_kept(&mut cycle.run).await {
        Ok(()) => error,
        Err(late) => error.or(Some(late)),
    };
    let whole = error.is_none() && undo.is_none() && !order.extent.is_partial();
    let error = match cycle.keep_standing(whole).await {
        Ok(()) => error,
        Err(late) => error.or(Some(late)),
    };
    cycle.stops.confirm_refusal(&cycle.run, error.as_ref()).await;
    let quarantine = cycle.stops.after(&cycle.run, error.as_ref());
    let whole = undo.is_none() && cycle.run.standing.count(Fact::Late) == 0;
    let mut summary = cycle.close(error.as_ref());
    summary.duration_ms = u64::try_from(watch.elapsed().as_millis()).unwrap_or(u64::MAX);
    add_traffic(
        &mut summary,
        job.source.traffic().since(source),
        job.target.traffic().since(target),
    );
    let error = match remember(job, order, &summary, whole, quarantine).await {
        Ok(()) => error,
        Err(late) => error.or(Some(late)),
    };
    if error.is_some() && summary.outcome == Outcome::Converged {
        summary.outcome = Outcome::Failed;
    }
    log(&summary, error.as_ref());
    Report { summary, error }
}

impl<'j> Cycle<'j> {
    pub(super) fn new(job: &'j Job, order: &'j Order, now: Timestamp) -> Self {
        Self {
            run: Run::new(job, order, now),
            readings: Readings::default(),
            escrow: Escrow::default(),
            judge: Judge::default(),
            names: UniqueNames::default(),
            intake: Intake::default(),
            troubles: Troubles::default(),
            stops: Stops::default(),
            overtaking: Overtaking::new(now),
        }
    }

    /// The story of a cycle.
    async fn story(&mut self) -> Result<(), CycleError> {
        self.read_standing().await?;
        self.stops.pass(&self.run).await?;
        self.prepare().await?;
        self.judge.read_kept_back(&mut self.run).await?;
        prepare_evaluation(&mut self.run).await?;
        if let Err(error) = pull(&mut self.run).await {
            return Err(self.cut_short(error).await);
        }
        self.intake.pull_assignments(&mut self.run).await?;
        self.intake.choose(&self.run).await?;
        self.judge.note_named(&self.run, self.intake.focus.as_ref());
        self.intake.rescope(&mut self.run).await?;
        self.escrow.read(&mut self.run).await?;
        self.find_due().await?;
        if !self.has_work().await? {
            forget_unasked(&self.run, self.intake.focus.clone(), &self.intake.stopped).await?;
            return self.intake.settle_assignments(&mut self.run).await;
        }
        self.readings.prepare_target(&self.run).await?;
        self.settle_intents().await?;
        self.settle_writes().await?;
        if self.intake.ask_for_doubtful(&self.run).await? {
            self.intake.settle_scope(&self.run).await?;
        }
        self.read_target().await?;
        self.find_drift().await?;
        if !self.go_on_with_drift() {
            return self.intake.settle_assignments(&mut self.run).await;
        }
        self.guard().await?;
        self.disables().await?;
        self.members_out().await?;
        self.users().await?;
        self.groups().await?;
        self.deletes().await?;
        self.late_values().await?;
        self.readings.tell_not_kept(&self.run);
        self.troubles.judge(&mut self.run, &mut self.escrow).await?;
        forget_unasked(&self.run, self.intake.focus.clone(), &self.intake.stopped).await?;
        self.escrow.settle(&self.run).await?;
        self.intake.settle_assignments(&mut self.run).await
    }

    /// Clears what the last cycle left in its scratch tables, and marks everything when the rules changed.
    #[expect(clippy::too_many_lines, reason = "to be cut with the phases of a cycle")]
    pub(super) async fn prepare(&mut self) -> Result<(), CycleError> {
        let first = self
            .run
            .store(|snapshot| Ok(!snapshot.has_state(&INITIAL_DONE)?))
            .await?;
        if first && self.run.order.extent == Extent::Changes {
            self.run.summary.kind = Kind::Initial;
        }
        let restart = self.run.order.extent == Extent::Restart;
        let all = matches!(
            self.run.order.extent,
            Extent::All | Extent::Full | Extent::Restart
        );
        let fingerprint = self.run.job.fingerprint.clone();
        let watch = Watch {
            assigned: self.run.job.assignments_of().is_some(),
            nesting: self.run.job.assigning.nesting,
        };
        let managed = self.run.job.managed.clone();
        // What only looks leaves marks that wake nobody in escrow, and does not take a changed config for carried over.
        let looks = !self.run.order.apply;
        let now = self.run.now;
        let again = self
            .run
            .store(move |snapshot| {
                snapshot.give_back_looks()?;
                snapshot.mark_due_looks(now)?;
                snapshot.clear_forecast()?;
                snapshot.clear_removals()?;
                snapshot.clear_scope_seen()?;
                for kind in [ObjectKind::User, ObjectKind::Group] {
                    snapshot.clear_readings(kind)?;
                }
                let mut tx = snapshot.tx()?;
                let rewatched = tx.put_watch(watch)?;
                tx.commit(Durability::Lazy)?;
                let marked = snapshot.state(&FINGERPRINT)?;
                let differs = |held: &String| *held != fingerprint;
                let changed = rewatched || marked.as_ref().is_some_and(differs);
                for kind in [ObjectKind::User, ObjectKind::Group] {
                    if changed || all {
                        let cause = match (looks, all) {
                            (true, _) => DirtyCause::LOOK,
                            (false, true) => DirtyCause::MANUAL,
                            (false, false) => DirtyCause::CONFIG,
                        };
                        let held = marked.as_deref().filter(|_| changed);
                        let facts = held.map(|held| parts_changed(held, &fingerprint));
                        snapshot.mark_all_dirty(kind, cause.and(facts.unwrap_or_default()))?;
                    }
                }
                if changed {
                    let mut tx = snapshot.tx()?;
                    tx.hasten_refusals()?;
                    if !tx.is_empty() {
                        tx.commit(Durability::Lazy)?;
                    }
                }
                // Whoever was forgotten while the rules left them out is asked for again where the rules change.
                let lacks = changed && snapshot.has_state(&INCOMPLETE)?;
                let mut tx = snapshot.tx()?;
                if lacks {
                    tx.delete_state(&INCOMPLETE);
                }
                if restart || lacks {
                    for kind in [ObjectKind::User, ObjectKind::Group] {
                        let mut stream = snapshot.stream(kind)?;
                        stream.cursor = Cursor::Start;
                        tx.put_stream(kind, &stream);
                    }
                }
                if !(looks && marked.is_some()) && marked.as_ref() != Some(&fingerprint) {
                    tx.put_state(&FINGERPRINT, &fingerprint);
                }
                if !tx.is_empty() {
                    tx.commit(Durability::Lazy)?;
                }
                // Those of the last `sync`, so that it is said in every `plan` until then.
                let before = snapshot.state(&CARRIED_OUT)?.or(marked);
                let what = before.and_then(|before| what_changed(&before, &fingerprint));
                let what = what.or_else(|| rewatched.then(|| "the scope".to_owned()));
                let counts = snapshot.counts()?;
                let again = changed || all;
                let count = |kind| {
                    if managed.contains(&kind) {
                        counts.objects(kind)
                    } else {
                        0
                    }
                };
                let (users, groups) = (count(ObjectKind::User), count(ObjectKind::Group));
                let what = what
                    .filter(|_| users + groups > 0)
                    .map(|what| (what, users, groups));
                Ok((again, what))
            })
            .await?;
        let (again, what) = again;
        self.escrow.retries = looks && again;
        if let Some((what, users, groups)) = what {
            self.run.order.watcher.finding(&format!(
                "{what} changed since the last cycle: {users} users and {groups} groups are looked at again; links stay"
            ));
        }
        Ok(())
    }

    /// True when there is anything to plan: without it, the target is not even asked.
    async fn has_work(&self) -> Result<bool, CycleError> {
        let managed = self.run.job.managed.clone();
        let full = self.run.order.extent.lists_target() || !self.readings.due.is_empty();
        let standing = self.run.standing.clone();
        self.run
            .store(move |snapshot| {
                let mut work = full || !snapshot.intents()?.is_empty() || !open_writes(snapshot)?.is_empty();
                for kind in managed {
                    let waiting = standing.count_of(kind, Fact::InEscrow) as u64;
                    work |= snapshot.dirty_count(kind)? > waiting;
                }
                Ok(work)
            })
            .await
    }

    fn close(self, error: Option<&CycleError>) -> Summary {
        let applies = self.run.applies();
        let stops = error.is_some_and(|error| self.stops.stops(error));
        let mut summary = self.run.summary;
        summary.escrow = self.escrow.count() + self.run.standing.count(Fact::InEscrow) as u64;
        summary.outcome = match error {
            Some(_) if stops => Outcome::Quarantined,
            Some(_) => Outcome::Failed,
            None if !applies => Outcome::Planned,
            None if summary.withheld.count > 0 => Outcome::Withheld,
            None if summary.escrow > 0
                || !summary.not_kept.is_empty()
                || !summary.failed.is_empty()
                || !self.run.left.is_none()
                || self.run.standing.count(Fact::CreateOpen) > 0 =>
            {
                Outcome::Partial
            }
            None => Outcome::Converged,
        };
        summary
    }
}

/// Which of mapping, scope and policy differ, in words; `None` where none does. A fingerprint has a part for each, but
/// those of older snapshots.
fn what_changed(before: &str, now: &str) -> Option<String> {
    if before == now {
        return None;
    }
    let parts = |print: &str| print.split('-').map(str::to_owned).collect::<Vec<String>>();
    let names = ["the mapping", "the scope", "the policy"];
    let (before, now) = (parts(before), parts(now));
    if before.len() != names.len() || now.len() != names.len() {
        return Some("mapping, scope or policy".to_owned());
    }
    let differ = names.iter().zip(before.iter().zip(&now));
    let differ: Vec<&str> = differ
        .filter(|(_, (before, now))| before != now)
        .map(|(name, _)| *name)
        .collect();
    Some(differ.join(" and "))
}

/// The same as facts for the reasons of what follows from it. What else made everything dirty (who is counted as
/// assigned) is a rule of the scope.
fn parts_changed(before: &str, now: &str) -> DirtyCause {
    let parts = [
        ("the mapping", DirtyCause::MAPPING),
        ("the scope", DirtyCause::RULES),
        ("the policy", DirtyCause::POLICY),
    ];
    let all = DirtyCause::MAPPING.and(DirtyCause::RULES).and(DirtyCause::POLICY);
    let Some(words) = what_changed(before, now) else {
        return DirtyCause::RULES;
    };
    let named = parts.iter().filter(|(word, _)| words.contains(word));
    let named = named.fold(DirtyCause::default(), |facts, (_, fact)| facts.and(*fact));
    if named == DirtyCause::default() {
        all
    } else {
        named
    }
}

fn add_traffic(summary: &mut Summary, source: Traffic, target: Traffic) {
    summary.source.requests = source.requests;
    summary.source.throttled = source.throttled;
    summary.target.requests = target.requests;
    summary.target.throttled = target.throttled;
    summary.target.retries = target.retries;
}

/// Keeps the summary, and makes everything durable.
async fn remember(
    job: &Job,
    order: &Order,
    summary: &Summary,
    looked: bool,
    quarantine: Option<(Quarantine, Vec<NewEntry>)>,
) -> Result<(), CycleError> {
    let mut kept = summary.clone();
    // Names are for whoever reads the summary; what is kept names objects by their ids, so that `state forget` is true.
    kept.pending.iter_mut().for_each(|pending| pending.name.clear());
    kept.failed.iter_mut().for_each(|failure| failure.name.clear());
    // They have a table of their own.
    kept.escrowed.clear();
    for one in &mut kept.not_kept {
        one.name.clear();
        (one.sent, one.holds) = Default::default();
    }
    let json = serde_json::to_value(kept).unwrap_or_default();
    let (keep, cycle) = (order.apply, order.id);
    // With nothing held back, there was nothing left to look at.
    // Of a cycle over a few objects, or with something left undone, that cannot be said.
    let whole = summary.outcome == Outcome::Converged && !order.extent.is_partial();
    let looked = looked && whole && summary.withheld.count == 0;
    let oldest = job.clock.now().minus(job.history_retention);
    let fingerprint = job.fingerprint.clone();
    let ended = !matches!(summary.outcome, Outcome::Failed | Outcome::Quarantined);
    let through = job.enforce
        && !matches!(
            summary.outcome,
            Outcome::Failed | Outcome::Quarantined | Outcome::Planned
        );
    blocking(&job.snapshot, move |snapshot| {
        if !keep {
            return Ok(());
        }
        let mut tx = snapshot.tx()?;
        tx.put_cycle(&json);
        if let Some((stopped, entries)) = quarantine
            && (snapshot.quarantine()? != stopped || !entries.is_empty())
        {
            tx.put_quarantine(&stopped);
            tx.append_history(entries);
        }
        if ended && snapshot.state(&CARRIED_OUT)?.as_ref() != Some(&fingerprint) {
            tx.put_state(&CARRIED_OUT, &fingerprint);
        }
        if through && !snapshot.has_state(&INITIAL_DONE)? {
            tx.put_state(&INITIAL_DONE, &());
        }
        if through && looked && snapshot.has_state(&RESTORED)? {
            tx.delete_state(&RESTORED);
        }
        tx.commit(Durability::Synced)?;
        snapshot.prune_history(oldest)?;
        let head = snapshot.history_head()?;
        info!(cycle.id = %cycle, history.entries = head.next, history.head = %head, "The history ends before entry {} with {head}", head.next);
        Ok(())
    })
    .await
}

fn log(summary: &Summary, error: Option<&CycleError>) {
    let done: u64 = summary.operations.values().sum();
    let (cycle, outcome) = (&summary.cycle, format!("{:?}", summary.outcome).to_lowercase());
    info!(
        cycle.id = %cycle,
        job = %summary.job,
        outcome,
        operations = done,
        failed = summary.failed.len(),
        escrow = summary.escrow,
        withheld = summary.withheld.count,
        duration_ms = summary.duration_ms,
        "Cycle {cycle} finished: {outcome}, {done} operations"
    );
    for entry in &summary.escrowed {
        let (object, operation) = (&entry.object, &entry.operation);
        info!(cycle.id = %cycle, object, op = operation, next_try = entry.next_try, "In escrow: {operation} of {object} failed: {}", entry.error);
    }
    if let Some(error) = error {
        warn!(cycle.id = %cycle, "Cycle {cycle} ended early: {error}");
    }
}

impl Cycle<'_> {
    /// Reads what the last cycle warned of.
    pub(super) async fn read_standing(&mut self) -> Result<(), CycleError> {
        self.run.warnings.before = self.run.store(warnings::standing).await?;
        Ok(())
    }

    /// Keeps what this one warns of. One that did not see everything takes nothing back.
    pub(super) async fn keep_standing(&self, whole: bool) -> Result<(), CycleError> {
        let mut now = self.run.warnings.now().clone();
        if !whole {
            now.extend(self.run.warnings.before.iter().take(warnings::MOST).cloned());
        }
        if !self.run.order.apply || now == self.run.warnings.before {
            return Ok(());
        }
        self.run
            .store(move |snapshot| warnings::put(snapshot, &now))
            .await
    }
}

//! `undo`: plans the inverse of a cycle from the history, asks the guard, carries it out, and holds what it touched.
//!
//! The holds are on disk before anything is sent: after a crash in between, a hold on what was not undone is let go of
//! by the next cycle, because the source asks for nothing then; without the hold that cycle would undo the undo.

mod deeds;

use std::collections::BTreeMap;

use super::back::cells;
use super::back::enrolled;
use super::carry::carry;
use super::ending::Frame;
use super::error::CycleError;
use super::job::Job;
use super::job::Order;
use super::job::Report;
use super::job::UndoRequest;
use super::judge::Judge;
use super::open::open_writes;
use super::phases::Phases;
use super::readings::dialect::recall_dialect;
use super::rules::print;
use super::run::Run;
use super::unanswered::read_writes_back;
use super::work::Pass;
use super::work::Work;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::object::Life;
use crate::model::object::Removed;
use crate::model::verb::GuardClass;
use crate::ports::Durability;
use crate::reconcile::explain::omission::Omission;
use crate::reconcile::forward::plan::ObjectPlan;
use crate::reconcile::guard;
use crate::reconcile::guard::Approval;
use crate::reconcile::operation::Operation;
use crate::reconcile::undo::Now;
use crate::reconcile::undo::Undo;
use crate::snapshot::history::NewEntry;
use crate::snapshot::history::Values;
use crate::snapshot::read::PAGE;
use crate::snapshot::read::Reads;
use crate::snapshot::record::Record;
use crate::snapshot::undone::Undone;

/// The inverse for one object, with what it was made from.
struct Inverse {
    now: Now,
    undo: Undo,
}

/// Takes back what an earlier cycle did, as far as it still stands. Otherwise as [`super::forward::run`].
pub async fn undo(job: &Job, order: &Order, request: &UndoRequest) -> Report {
    let frame = Frame::open(job);
    let now = job.clock.now();
    let (mut run, mut phases) = (Run::new(job, order, now), Phases::new(now));
    run.undoes = true;
    let story = story(&mut run, &mut phases, request).await;
    frame.close(run, &phases.judge, phases.failures, story).await
}

/// The story of an undo.
async fn story(run: &mut Run<'_>, phases: &mut Phases, request: &UndoRequest) -> Result<(), CycleError> {
    phases.failures.stops.pass(run).await?;
    phases.judge.read_kept_back(run).await?;
    let applies = run.applies();
    if applies {
        recall_dialect(run).await?;
        read_writes_back(run, phases).await?;
    }
    let mut inverses = invert(run, request).await?;
    admit(run, &mut phases.judge, &mut inverses).await?;
    inverses.retain(|inverse| !inverse.undo.operations.is_empty());
    if applies {
        hold(run, request, &inverses).await?;
    }
    let is_delete = |operation: &Operation| operation.verb.deletes();
    for (kind, deletes) in [
        (ObjectKind::User, false),
        (ObjectKind::Group, false),
        (ObjectKind::Group, true),
        (ObjectKind::User, true),
    ] {
        let works: Vec<Work> = inverses
            .iter()
            .filter(|inverse| inverse.now.kind == kind)
            .filter_map(|inverse| work(inverse, |operation| is_delete(operation) == deletes))
            .collect();
        let mut works = works.into_iter().peekable();
        while works.peek().is_some() {
            run.check_stop()?;
            let batch: Vec<Work> = works.by_ref().take(run.job.batch).collect();
            carry(run, phases, kind, batch).await?;
        }
    }
    enrolled::take_back(run, &mut phases.judge, request).await?;
    cells::take_back(run, &mut phases.judge, request.cycle).await
}

/// Inverts the cycle, object by object. What cannot be taken back is reported; what is open of an object keeps it as it is.
async fn invert(run: &mut Run<'_>, request: &UndoRequest) -> Result<Vec<Inverse>, CycleError> {
    let (wanted, manager) = (request.clone(), run.manager_path());
    let (mut inverses, open) = run
        .store(move |snapshot| {
            snapshot.clear_forecast()?;
            snapshot.clear_scope_seen()?;
            let mut open: BTreeMap<(ObjectKind, SourceId), &str> = open_writes(snapshot)?
                .into_iter()
                .map(|write| ((write.kind, write.id), "a write"))
                .collect();
            let intents = snapshot.intents()?.into_iter().flat_map(|(_, intents)| intents);
            open.extend(intents.map(|(kind, id, _)| ((kind, id), "a create")));
            Ok((deeds::plan(snapshot, &wanted, manager.as_deref())?, open))
        })
        .await?;
    for inverse in &mut inverses {
        let (kind, id) = (inverse.now.kind, inverse.now.source);
        if let Some(what) = open.get(&(kind, id)) {
            inverse.undo = Undo {
                findings: vec![format!("{what} of it is open: run `melonsync sync` first")],
                ..Undo::default()
            };
        }
        for finding in &inverse.undo.findings {
            run.order
                .watcher
                .finding(&format!("{kind} {} ({id}): {finding}", inverse.now.name));
        }
        // What the target answers is not planned anew here: it is a failure, and is reported.
        run.standing.tries_once((kind, id));
    }
    inverses.retain(|inverse| !inverse.undo.operations.is_empty());
    Ok(inverses)
}

/// Asks the guard, as for any other operation; what it holds back is taken out and reported.
async fn admit(run: &mut Run<'_>, judge: &mut Judge, inverses: &mut [Inverse]) -> Result<(), CycleError> {
    let operations = inverses.iter().flat_map(|inverse| &inverse.undo.operations);
    judge.judge_undo(run, operations).await?;
    for inverse in inverses {
        let (kind, id, name) = (inverse.now.kind, inverse.now.source, inverse.now.name.clone());
        for operation in without_what_is_held(run, judge, inverse) {
            let word = word_on(run, judge, inverse, &operation);
            match word {
                Approval::Approved => inverse.undo.operations.push(operation),
                Approval::Withheld(why) => {
                    run.summary.withhold(&operation, operation.count());
                    let omission = Omission::Withheld {
                        verb: operation.verb,
                        why,
                    };
                    run.omit(kind, id, &name, &omission);
                }
            }
        }
    }
    Ok(())
}

/// Takes an object's operations out of the inverse; without what a person holds, which is said.
fn without_what_is_held(run: &mut Run<'_>, judge: &Judge, inverse: &mut Inverse) -> Vec<Operation> {
    let mut scratch = Work::new(plan_of(inverse), None, Pass::Users);
    let mut left = Vec::new();
    for operation in std::mem::take(&mut inverse.undo.operations) {
        left.extend(judge.without_held(run, Pass::Users, operation, &mut scratch));
    }
    let (kind, id, name) = (inverse.now.kind, inverse.now.source, inverse.now.name.clone());
    for omission in &scratch.plan.omissions {
        run.omit(kind, id, &name, omission);
    }
    left
}

/// The guard's word on one operation of an undo.
fn word_on(run: &Run<'_>, judge: &Judge, inverse: &Inverse, operation: &Operation) -> Approval {
    let word = match operation.verb.guard_class() {
        GuardClass::Removal => judge.approval(operation.verb.kind()),
        GuardClass::Members => {
            let (holds, count) = (inverse.now.members.len() as u64, operation.count());
            judge.word_on_members(run, operation, count, holds)
        }
        GuardClass::Create => judge.on_creates(),
        GuardClass::Adoption => {
            let alike = operation.alike();
            alike.map_or(Approval::Approved, |alike| Approval::Withheld(alike.words()))
        }
        GuardClass::Changes | GuardClass::Free | GuardClass::LetGo => Approval::Approved,
        GuardClass::WriteBack | GuardClass::Join | GuardClass::Leave | GuardClass::Unknown => {
            Approval::Withheld(guard::unknown(operation.verb))
        }
    };
    // A disable or an enable may change who somebody is as well: it needs both words.
    match word {
        Approval::Approved if guard::changes_identity(operation) => judge.on_identities(),
        word => word,
    }
}

/// The undo itself goes into the history, with its comment; the holds are made, and the records that a resource
/// made anew is linked with.
async fn hold(run: &Run<'_>, request: &UndoRequest, inverses: &[Inverse]) -> Result<(), CycleError> {
    let note = NewEntry {
        time: run.now,
        cycle: Some(run.order.id),
        actor: run.order.actor.clone(),
        operation: "undo".to_owned(),
        kind: None,
        object: None,
        target: None,
        reason: format!("undoes cycle {}", request.cycle),
        result: "done".to_owned(),
        config: run.job.fingerprint.clone(),
        values: Values {
            changes: Vec::new(),
            detail: request.comment.clone(),
        },
        salt: (run.job.entropy)(),
    };
    let holds: Vec<_> = inverses
        .iter()
        .map(|inverse| (inverse.now.kind, inverse.now.source, inverse.undo.hold.clone()))
        .collect();
    let now = run.now;
    run.store(move |snapshot| {
        let mut tx = snapshot.tx()?;
        tx.append_history(vec![note]);
        tx.commit(Durability::Lazy)?;
        for page in holds.chunks(PAGE) {
            let mut tx = snapshot.tx()?;
            for (kind, id, hold) in page {
                let record = match tx.record(*kind, id)? {
                    Some(record) => record,
                    None => {
                        let mut record = Record::new(*kind, *id, 0);
                        record.object.life = Life::Gone(Removed::HardDeleted);
                        record.object.gone_since = Some(now);
                        tx.put_record(&record)?;
                        record
                    }
                };
                let before = snapshot.undone(*kind, id)?;
                let undone = Undone::over(before, hold.clone(), print(&record));
                tx.put_undone(*kind, id, Some(&undone));
            }
            tx.commit(Durability::Lazy)?;
        }
        snapshot.sync()
    })
    .await
}

/// What one phase does to one object. The dirty mark stays: an undo settles nothing of what the source asks for.
fn work(inverse: &Inverse, takes: impl Fn(&Operation) -> bool) -> Option<Work> {
    let run: Vec<Operation> = inverse
        .undo
        .operations
        .iter()
        .filter(|operation| takes(operation))
        .cloned()
        .collect();
    let mut work = Work::new(plan_of(inverse), None, Pass::Users);
    work.run = run;
    work.left = true;
    (!work.run.is_empty()).then_some(work)
}

/// A plan without operations, for a work to carry.
fn plan_of(inverse: &Inverse) -> ObjectPlan {
    ObjectPlan {
        kind: inverse.now.kind,
        source: inverse.now.source,
        name: inverse.now.name.clone(),
        operations: Vec::new(),
        record: Vec::new(),
        omissions: Vec::new(),
        pending: Vec::new(),
        need: None,
        forget: false,
        members_held: inverse.now.members.len() as u64,
        skipped_references: 0,
        pending_references: 0,
        refused: Vec::new(),
        waiting: std::collections::BTreeSet::new(),
    }
}

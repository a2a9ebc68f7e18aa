//! Quarantine: a job, or one kind of operation, stops, is probed, and goes on by itself (docs/design/failures.md).
//!
//! A job stops on an error that every further cycle would meet: a bad credential, a permission that is missing, an
//! endpoint that is gone. While it is stopped, a cycle begins with one probe of the side that refused, and ends there when
//! that fails; `plan` does not stop, because it asks for what it can get. A kind of operation stops by
//! [`crate::reconcile::guard::quarantine`].
//! Crash in the middle: the state is written with the cycle's summary; a cycle that wrote none meets the trouble again.

use tracing::info;
use tracing::warn;

use super::error::CycleError;
use super::error::chain;
use super::error::is_gone;
use super::job::Extent;
use super::run::Run;
use super::standing::Fact;
use super::work::Work;
use crate::model::cursor::Cursor;
use crate::model::id::ObjectKind;
use crate::ports::Durability;
use crate::ports::PageRequest;
use crate::ports::SourceError;
use crate::ports::TargetError;
use crate::reconcile::explain::omission::Omission;
use crate::reconcile::forward::plan::ObjectPlan;
use crate::reconcile::guard::quarantine::Kinds;
use crate::reconcile::operation::Verb;
use crate::snapshot::history::NewEntry;
use crate::snapshot::history::Values;
use crate::snapshot::quarantine::JobStop;
use crate::snapshot::quarantine::Quarantine;
use crate::snapshot::quarantine::QuarantineReads;
use crate::snapshot::quarantine::Side;
use crate::snapshot::read::Reads;

/// A probe that failed.
struct Refused {
    words: String,
    hint: String,
}

/// What is stopped: the job, or kinds of operations.
#[derive(Debug, Default)]
pub(super) struct Stops {
    /// Why the job is stopped, where it is.
    job: Option<JobStop>,
    /// True where the target refused one request and answers others.
    answers: bool,
    /// Kinds of operations, and which of them are stopped.
    pub(super) kinds: Kinds,
}

impl Stops {
    /// Reads what is stopped. A cycle that is to write goes on only when the probe of a stopped job works.
    pub(super) async fn pass(&mut self, run: &Run<'_>) -> Result<(), CycleError> {
        let Quarantine { job, kinds } = run.store(|snapshot| snapshot.quarantine()).await?;
        self.kinds = Kinds::new(kinds);
        let Some(stop) = job else { return Ok(()) };
        if !run.order.apply {
            run.order.watcher.finding(&format!(
                "the job is quarantined since {}, and sends nothing: {}; {}",
                stop.since, stop.cause, stop.hint
            ));
            self.job = Some(stop);
            return Ok(());
        }
        match probe(run, stop.side).await? {
            Ok(()) => end_quarantine(run, &stop).await,
            Err(refused) => {
                let error = CycleError::Quarantined {
                    since: stop.since,
                    cause: stop.cause.clone(),
                    probe: refused.words,
                    hint: refused.hint,
                };
                self.job = Some(JobStop {
                    probed: Some(run.now),
                    ..stop
                });
                Err(error)
            }
        }
    }

    /// What is stopped when the cycle ends, with its entries of the history; `None` where that is as it was kept.
    pub(super) fn after(
        &self,
        run: &Run<'_>,
        error: Option<&CycleError>,
    ) -> Option<(Quarantine, Vec<NewEntry>)> {
        // Where the store failed, what was stopped may not even have been read.
        if !run.order.apply || matches!(error, Some(CycleError::Store(_) | CycleError::Broken(_))) {
            return None;
        }
        let entry =
            |operation: &str, reason: String, detail: Option<String>| note(run, operation, reason, detail);
        let mut entries = Vec::new();
        let mut job = self.job.clone();
        if let Some(error) = error
            && job.is_none()
            && let Some(stop) = self.stop_by(run, error)
        {
            warn!(job = %run.job.name, side = stop.side.word(), "Job {} is quarantined: {}", run.job.name, stop.cause);
            let reason = format!("the {} refuses every request", stop.side.word());
            entries.push(entry("quarantine", reason, Some(stop.cause.clone())));
            job = Some(stop);
        }
        for (verb, stopped) in self.kinds.stopped() {
            if stopped.since == run.now {
                warn!(job = %run.job.name, op = verb.name(), "{verb} stops: {} of {} failed", stopped.failed, stopped.sent);
                let reason = format!("{verb} stops: {} of {} failed", stopped.failed, stopped.sent);
                entries.push(entry("quarantine", reason, Some(stopped.cause.clone())));
            }
        }
        for verb in &self.kinds.released {
            info!(job = %run.job.name, op = verb.name(), "{verb} goes on: the probe worked");
            let reason = format!("{verb} goes on: the probe worked");
            entries.push(entry("quarantine_end", reason, None));
        }
        let kinds = self.kinds.clone().into_stopped();
        Some((Quarantine { job, kinds }, entries))
    }

    /// Asks once more where the target refused a request that may have been about one resource only: what answers
    /// another question is not gone.
    pub(super) async fn confirm_refusal(&mut self, run: &Run<'_>, error: Option<&CycleError>) {
        if let Some(CycleError::Target(cause)) = error
            && is_gone(cause)
        {
            self.answers = matches!(probe(run, Side::Target).await, Ok(Ok(())));
        }
    }

    /// True for an error that stops the job.
    pub(super) const fn stops(&self, error: &CycleError) -> bool {
        error.quarantines() && !self.answers
    }

    fn stop_by(&self, run: &Run<'_>, error: &CycleError) -> Option<JobStop> {
        if !self.stops(error) {
            return None;
        }
        let (side, cause) = match error {
            CycleError::Source(cause) => (Side::Source, chain(cause)),
            CycleError::Target(cause) => (Side::Target, chain(cause)),
            _ => return None,
        };
        Some(JobStop {
            side,
            since: run.now,
            cause,
            hint: error.hint(),
            actor: run.order.actor.clone(),
            probed: None,
            credential: refuses_credential(error),
        })
    }

    /// Leaves what is of a stopped kind, but for its probe.
    pub(super) fn keep_to_kinds(&mut self, run: &mut Run<'_>, work: &mut Work) {
        if self.kinds.stopped().is_empty() {
            return;
        }
        let (kind, id) = (work.plan.kind, work.plan.source);
        // Of one object nobody can tell whether it will be the probe.
        let explained = run.order.extent == Extent::Explain;
        let mut kept = Vec::with_capacity(work.run.len());
        // Without its create nothing that follows can be sent.
        let mut created = true;
        for operation in std::mem::take(&mut work.run) {
            let verb = operation.verb;
            let creates = verb.creates();
            let left = if explained {
                self.kinds.stopped().get(&verb)
            } else {
                self.kinds.leaves(verb, id)
            };
            match left {
                None if created => kept.push(operation),
                None => work.left = true,
                Some(stopped) => {
                    created &= !creates;
                    work.left = true;
                    let why = stopped.words();
                    if !run.standing.is((kind, id), Fact::Reported) {
                        run.left.by_kind += 1;
                    }
                    work.plan.omissions.push(Omission::KindStopped { verb, why });
                }
            }
        }
        work.run = kept;
    }

    /// Says of a work that was not sent that its kind stopped meanwhile.
    pub(super) fn note_cut(&self, run: &mut Run<'_>, plan: &ObjectPlan, verb: Verb) {
        let Some(stopped) = self.kinds.stopped().get(&verb) else {
            return;
        };
        let omission = Omission::KindStopped {
            verb,
            why: stopped.words(),
        };
        run.left.by_kind += 1;
        run.standing.note((plan.kind, plan.source), Fact::Failed);
        run.omit(plan.kind, plan.source, &plan.name, &omission);
    }
}

/// One question to the side that refused, of the kind that a cycle asks. Nothing of the answer is kept.
async fn probe(run: &Run<'_>, side: Side) -> Result<Result<(), Refused>, CycleError> {
    match side {
        Side::Source => probe_source(run).await,
        Side::Target => {
            let kind = run.job.managed.first().copied().unwrap_or(ObjectKind::User);
            let answer = run.job.target.list(kind, None).await;
            Ok(answer.map(drop).map_err(|error| Refused {
                words: chain(&error),
                hint: error.hint().to_owned(),
            }))
        }
    }
}

/// A token, and a page of each stream: each may lack a permission of its own.
async fn probe_source(run: &Run<'_>) -> Result<Result<(), Refused>, CycleError> {
    for kind in run.job.streams() {
        let select = run.job.select(kind);
        let request = run
            .store(move |snapshot| {
                Ok(match snapshot.stream(kind)?.cursor {
                    Cursor::Following { delta_link } => PageRequest::Follow {
                        link: delta_link,
                        minimal: true,
                    },
                    _ => PageRequest::First { select },
                })
            })
            .await?;
        match run.job.source.page(kind, request).await {
            // An outdated token was read by somebody who let us in.
            Ok(_) | Err(SourceError::Reset { .. } | SourceError::LinkRefused { .. }) => {}
            Err(error) => return Ok(Err(of_source(&error))),
        }
    }
    if let Some(application) = run.job.assignments_of()
        && let Err(error) = run.job.source.app_roles(application).await
    {
        return Ok(Err(of_source(&error)));
    }
    Ok(Ok(()))
}

/// The job goes on, with an entry of the history.
async fn end_quarantine(run: &Run<'_>, stop: &JobStop) -> Result<(), CycleError> {
    info!(job = %run.job.name, "Job {} goes on: the probe of the {} worked", run.job.name, stop.side.word());
    let reason = format!("the probe of the {} worked", stop.side.word());
    let entry = note(run, "quarantine_end", reason, None);
    run.store(move |snapshot| {
        let held = snapshot.quarantine()?;
        let mut tx = snapshot.tx()?;
        tx.put_quarantine(&Quarantine { job: None, ..held });
        tx.append_history(vec![entry]);
        tx.commit(Durability::Lazy)
    })
    .await
}

fn of_source(error: &SourceError) -> Refused {
    Refused {
        words: chain(error),
        hint: error.hint().to_owned(),
    }
}

fn note(run: &Run<'_>, operation: &str, reason: String, detail: Option<String>) -> NewEntry {
    let (job, order, now) = (run.job, run.order, run.now);
    NewEntry {
        time: now,
        cycle: Some(order.id),
        actor: order.actor.clone(),
        operation: operation.to_owned(),
        kind: None,
        object: None,
        target: None,
        reason,
        result: "done".to_owned(),
        config: job.fingerprint.clone(),
        values: Values {
            changes: Vec::new(),
            detail,
        },
        salt: (job.entropy)(),
    }
}

/// True where a side refuses who asks, and not what was asked.
const fn refuses_credential(error: &CycleError) -> bool {
    matches!(
        error,
        CycleError::Source(SourceError::Unauthorized { .. } | SourceError::Forbidden { .. })
            | CycleError::Target(TargetError::Unauthorized { .. })
    )
}

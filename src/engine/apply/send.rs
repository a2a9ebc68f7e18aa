//! Sends the requests of a batch: concurrent across objects, one request at a time for one object.
//!
//! Guarantee: a create is not sent once its intent is older than the request timeout, nothing is sent any more once the
//! target as a whole is in trouble, and nothing of a kind once that stopped.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use futures::StreamExt;
use futures::stream;

use crate::engine::apply::answered::Answered;
use crate::engine::apply::completing::complete;
use crate::engine::apply::coupled;
use crate::engine::apply::create::create;
use crate::engine::apply::refused::create_without;
use crate::engine::apply::refused_members::create_in_part;
use crate::engine::audit;
use crate::engine::audit::Ending;
use crate::engine::error::chain;
use crate::engine::failures::Failures;
use crate::engine::job::Job;
use crate::engine::job::Order;
use crate::engine::readings::stored::StoredReading;
use crate::engine::run::Run;
use crate::engine::run::blocking;
use crate::engine::trouble::TROUBLE;
use crate::engine::work::Answer;
use crate::engine::work::Request;
use crate::engine::work::Work;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::verb::Act;
use crate::ports::Patch;
use crate::ports::TargetError;
use crate::ports::turn::Turn;

use crate::reconcile::guard::quarantine::Kinds;
use crate::reconcile::guard::quarantine::Said;
use crate::snapshot::read::Reads;

/// Good answers that are handed over while other requests of their batch are still on their way. Fewer would cost more
/// transactions than the overlap saves.
const HANDED_OVER_EARLY: usize = 250;

/// What the target answered to a batch, beside the good answers that were handed over before.
pub(in crate::engine) struct Answers {
    pub(in crate::engine) results: Vec<(Work, Answer)>,
    /// Answers in a row that say that the target as a whole is in trouble.
    pub(in crate::engine) in_a_row: u32,
    /// What the answers say of each kind of operation.
    pub(in crate::engine) kinds: Kinds,
}

/// A batch on its way.
pub(in crate::engine) struct Sending<'j> {
    job: &'j Job,
    order: &'j Order,
    /// When the cycle began.
    began: Timestamp,
    /// When the intents of the batch were made.
    prepared: Timestamp,
    trouble: AtomicU32,
    kinds: Mutex<Kinds>,
    /// Objects that are tried again after a failure of an earlier cycle.
    retried: HashSet<SourceId>,
}

impl<'j> Sending<'j> {
    /// Begins with what earlier batches taught of the target. The kinds of operations come back with the answers.
    pub(in crate::engine) fn begin(
        run: &Run<'j>,
        failures: &mut Failures,
        prepared: Timestamp,
        works: &[Work],
    ) -> Self {
        let due = |work: &&Work| failures.escrow.is_due((work.plan.kind, work.plan.source));
        let retried = works.iter().filter(due).map(|work| work.plan.source).collect();
        Self {
            job: run.job,
            order: run.order,
            began: run.now,
            prepared,
            trouble: AtomicU32::new(failures.troubles.in_a_row),
            kinds: Mutex::new(std::mem::take(&mut failures.stops.kinds)),
            retried,
        }
    }

    /// Sends everything. Of a large batch, `early` is given the good answers while other requests are on their way.
    pub(in crate::engine) async fn send_all(
        self,
        works: Vec<Work>,
        mut early: impl FnMut(Vec<(Work, Answer)>),
    ) -> Answers {
        let (mut good, mut others) = (Vec::new(), Vec::new());
        let mut sending = stream::iter(works)
            .map(|work| self.send_one(work))
            .buffer_unordered(self.job.max_concurrency.max(1));
        while let Some(result) = sending.next().await {
            match result.1 {
                Answer::Done { .. } => good.push(result),
                _ => others.push(result),
            }
            // Nothing is waited for in here: the requests in flight go on only while they are polled.
            if good.len() >= HANDED_OVER_EARLY {
                early(std::mem::take(&mut good));
            }
        }
        drop(sending);
        good.append(&mut others);
        Answers {
            results: good,
            in_a_row: self.trouble.load(Ordering::Relaxed),
            kinds: self.kinds.into_inner().unwrap_or_else(PoisonError::into_inner),
        }
    }

    async fn send_one(&self, work: Work) -> (Work, Answer) {
        let (job, order) = (self.job, self.order);
        if work.sends()
            && let Some(verb) = locked(&self.kinds).cuts(&work.run)
        {
            return (work, Answer::Cut(verb));
        }
        if work.creates() && job.clock.now().since(self.prepared) > job.request_timeout {
            return (work, Answer::TooLate);
        }
        if work.sends() && (order.stop.is_cancelled() || self.trouble.load(Ordering::Relaxed) >= TROUBLE) {
            return (work, Answer::NotSent);
        }
        if work.sends() {
            let ending = Ending {
                target: work.target.as_ref(),
                at: job.clock.now(),
                result: "sending",
                detail: None,
            };
            work.run
                .iter()
                .for_each(|operation| audit::tell(job, order, operation, ending));
        }
        let turn = Turn::until(&order.stop);
        let (mut work, answer) = turn.during(send(job, work)).await;
        work.answered_at = work.sends().then(|| job.clock.now());
        if turn.gave_way() {
            return (work, Answer::NotSent);
        }
        note_trouble(&self.trouble, &answer, work.sends());
        if work.sends() {
            let retry = self.retried.contains(&work.plan.source);
            note_kinds(
                &mut locked(&self.kinds),
                order,
                (&work, &answer),
                retry,
                self.began,
            );
        }
        (work, answer)
    }
}

fn locked(kinds: &Mutex<Kinds>) -> MutexGuard<'_, Kinds> {
    kinds.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What an answer says of the kinds of operations that were sent. A 409 and a 404 are observations first, and a target in
/// trouble says nothing of a kind. `retry`: an entry from escrow counts only as a probe.
fn note_kinds(
    kinds: &mut Kinds,
    order: &Order,
    (work, answer): (&Work, &Answer),
    retry: bool,
    now: Timestamp,
) {
    let refused = |error: &TargetError| matches!(error, TargetError::Refused { .. });
    for operation in &work.run {
        if retry && !kinds.is_probe(operation) {
            continue;
        }
        if let Some(error) = work.refused_whole(operation) {
            let cause = chain(error);
            let said = Said {
                cause: &cause,
                hint: error.hint(),
                now,
                actor: &order.actor,
            };
            kinds.refused(operation, &said);
            continue;
        }
        match answer {
            Answer::Done { .. } => kinds.done(operation),
            Answer::Half { .. } if !operation.verb.act().is(Act::AddMembers) => kinds.done(operation),
            Answer::Half { error, .. } | Answer::Failed(error) if refused(error) => {
                let cause = chain(error);
                let said = Said {
                    cause: &cause,
                    hint: error.hint(),
                    now,
                    actor: &order.actor,
                };
                kinds.refused(operation, &said);
            }
            _ => {}
        }
    }
}

fn note_trouble(trouble: &AtomicU32, answer: &Answer, sent: bool) {
    match answer {
        Answer::Failed(TargetError::Unavailable { .. }) => {
            trouble.fetch_add(1, Ordering::Relaxed);
        }
        Answer::Failed(TargetError::Unauthorized { .. }) => trouble.store(TROUBLE, Ordering::Relaxed),
        Answer::NotSent => {}
        _ if sent => trouble.store(0, Ordering::Relaxed),
        _ => {}
    }
}

async fn send(job: &Job, mut work: Work) -> (Work, Answer) {
    let kind = work.plan.kind;
    let request = std::mem::replace(&mut work.request, Request::None);
    let answer = match (request, work.target.clone()) {
        (Request::Create { body, rest }, _) => {
            let answer = match create(job, kind, body, (work.rode, &rest)).await {
                Answer::Failed(error) => create_without(job, &mut work, error).await,
                answer => answer,
            };
            let answer = was_met(job, &work, answer).await;
            let answer = complete(job, &mut work, answer).await;
            create_in_part(job, &mut work, answer).await
        }
        (Request::None, Some(target)) => Answer::Done {
            target,
            resource: None,
            whole: false,
        },
        (Request::Patch(patch), Some(target)) => update(job, target, &patch, &mut work).await,
        (Request::Delete, Some(target)) => match job.target.delete(kind, &target).await {
            Ok(()) => Answer::Done {
                target,
                resource: None,
                whole: false,
            },
            Err(error) => Answer::Failed(error),
        },
        // Nothing to do at the target, and nothing there.
        (_, None) => Answer::NotSent,
    };
    (work, answer)
}

/// A create whose answer names a resource that was listed or linked before.
async fn was_met(job: &Job, work: &Work, answer: Answer) -> Answer {
    match answer {
        Answer::Done {
            target,
            resource: Some(resource),
            ..
        } if work.asks && was_there(job, work.plan.kind, &target).await => Answer::Met { target, resource },
        other => other,
    }
}

async fn was_there(job: &Job, kind: ObjectKind, target: &TargetId) -> bool {
    let target = target.clone();
    let known = blocking(&job.snapshot, move |snapshot| {
        Ok(snapshot.owner(kind, &target)?.is_some()
            || snapshot.reading::<StoredReading>(kind, &target)?.is_some())
    });
    // The store's own trouble is met when the result is recorded.
    known.await.unwrap_or_default()
}

/// A PATCH; after a change of `active` the resource is read back whole, because some targets clear other attributes
/// with it (IDmelon clears roles). So it is after a heal, whatever was answered: services answer 200 and do nothing.
async fn update(job: &Job, target: TargetId, patch: &Patch, work: &mut Work) -> Answer {
    let (kind, heals) = (work.plan.kind, work.heals());
    let answered = match job.target.patch(kind, &target, patch).await {
        Ok(answered) => answered,
        Err(error) if work.takes_apart(patch, &error) => {
            let answered = work.set_refused(patch, error);
            work.name_refused_members(job).await;
            answered
        }
        Err(error) => return Answer::Failed(error),
    };
    let sets = |attribute: &str| {
        let mut changes = patch.changes.iter();
        changes.any(|change| change.attribute.eq_ignore_ascii_case(attribute))
    };
    // Where ids are made of names, a rename moves the resource.
    let target = match &answered {
        Some(resource) if sets("userName") => resource.id.clone(),
        _ => target,
    };
    let resource = if heals || (answered.is_none() && sets("active")) {
        // The change itself is done; an unreadable resource only leaves what it kept unknown.
        let read = job.target.read(kind, &target).await;
        read.ok().flatten().or(answered)
    } else {
        answered
    };
    let resource = match resource {
        Some(found) => match coupled::settle(job, &target, work, found).await {
            Ok(found) => Some(found),
            Err(error) => return Answer::Failed(error),
        },
        None => None,
    };
    let resource = resource.map(|resource| Answered::Tree(resource.body));
    Answer::Done {
        target,
        whole: resource.is_some(),
        resource,
    }
}

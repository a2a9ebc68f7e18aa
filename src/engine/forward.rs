//! One provisioning cycle: `observe → plan → guard → apply → record`.
//!
//! Guarantees: nothing is planned for a type while its round is incomplete; a removal is sent only when the
//! guard counted it before anything was sent; a create's intent is durable before the create is sent; what was
//! done is recorded in the snapshot, in one transaction a batch, before the next batch is planned.
//! After a crash anywhere in it the next cycle goes on: pages read stay read, open creates are resolved by
//! their intents, and everything not recorded is still dirty.

use tracing::Instrument;
use tracing::Span;
use tracing::field::Empty;
use tracing::trace_span;

use super::back;
use super::begin::begin;
use super::cut_short::cut_short;
use super::ending::Frame;
use super::error::CycleError;
use super::intake::evaluation::prepare_evaluation;
use super::intake::stream::pull;
use super::job::Extent;
use super::job::Job;
use super::job::Order;
use super::job::Report;
use super::judge::withhold::forget_unasked;
use super::observing;
use super::open::open_writes;
use super::passes;
use super::phases::Phases;
use super::quiet;
use super::run::Run;
use super::standing::Fact;
use super::unanswered::settle_intents;
use super::unanswered::settle_writes;
use super::warnings;
use crate::snapshot::read::Reads;
use crate::telemetry::traces::SPANS;

/// Runs one cycle. Never panics on what source or target say; the report has the error where there was one.
pub async fn run(job: &Job, order: &Order) -> Report {
    let cycle = order.id.to_string();
    let span = trace_span!(target: SPANS, "cycle", job = job.name, cycle, kind = Empty, outcome = Empty);
    let report = told(job, order).instrument(span.clone()).await;
    span.record("kind", report.summary.kind.word());
    span.record("outcome", report.summary.outcome.word());
    report
}

async fn told(job: &Job, order: &Order) -> Report {
    let frame = Frame::open(job);
    let now = job.clock.now();
    let (mut run, mut phases) = (Run::new(job, order, now), Phases::new(now));
    let mut story = story(&mut run, &mut phases).await;
    if story.is_ok() {
        story = observing::end(&run).await;
    }
    frame.close(run, &phases.judge, phases.failures, story).await
}

/// The story of a cycle: there, and where it is its turn, back.
async fn story(run: &mut Run<'_>, phases: &mut Phases) -> Result<(), CycleError> {
    run.warnings.before = run.store(warnings::standing).await?;
    phases.failures.stops.pass(run).await?;
    if run.order.extent != Extent::Back {
        there(run, phases).await?;
    }
    back::phase::run(run, &mut phases.judge, &mut phases.readings)
        .instrument(phase("the way back"))
        .await
}

/// From the source to the target.
async fn there(run: &mut Run<'_>, phases: &mut Phases) -> Result<(), CycleError> {
    begin(run, &mut phases.failures.escrow).await?;
    phases.judge.read_kept_back(run).await?;
    observe_source(run, phases)
        .instrument(phase("observe the source"))
        .await?;
    if !has_work(run, phases).await? {
        quiet::ask(run).await?;
        return settle(run, phases).await;
    }
    observe_target(run, phases)
        .instrument(phase("observe the target"))
        .await?;
    if !goes_on(run, phases) {
        return phases.intake.settle_assignments(run).await;
    }
    passes::guard(run, phases).instrument(phase("guard")).await?;
    passes::all(run, phases)
        .instrument(phase("plan, apply and record"))
        .await?;
    phases.readings.tell_not_kept(run);
    let failures = &mut phases.failures;
    failures.troubles.judge(run, &mut failures.escrow).await?;
    forget_unasked(run, phases.intake.focus.clone(), &phases.intake.stopped).await?;
    phases.failures.escrow.settle(run).await?;
    phases.intake.settle_assignments(run).await
}

/// The span of a phase.
fn phase(name: &'static str) -> Span {
    trace_span!(target: SPANS, "phase", otel.name = name)
}

/// Reads what the source says, who is ours by it, and what of it this cycle looks at.
async fn observe_source(run: &mut Run<'_>, phases: &mut Phases) -> Result<(), CycleError> {
    prepare_evaluation(run).await?;
    if let Err(error) = pull(run).await {
        return Err(cut_short(run, phases, error).await);
    }
    phases.intake.pull_assignments(run).await?;
    phases.intake.choose(run).await?;
    phases.judge.note_named(run, phases.intake.focus.as_ref());
    phases.intake.rescope(run).await?;
    phases.failures.escrow.read(run).await?;
    phases.find_due(run).await
}

/// Settles what is open at the target, and reads what it holds. Who is in doubt at the source is asked for between the two.
async fn observe_target(run: &mut Run<'_>, phases: &mut Phases) -> Result<(), CycleError> {
    phases.readings.prepare_target(run).await?;
    settle_intents(run, phases).await?;
    settle_writes(run, phases).await?;
    if phases.intake.ask_for_doubtful(run).await? {
        phases.intake.settle_scope(run).await?;
    }
    phases.read_target(run).await?;
    phases.find_drift(run).await
}

/// True when there is anything to plan: without it, the target is not even asked.
async fn has_work(run: &Run<'_>, phases: &Phases) -> Result<bool, CycleError> {
    let managed = run.job.managed.clone();
    let full = run.order.extent.lists_target() || !phases.readings.due.is_empty();
    let standing = run.standing.clone();
    run.store(move |snapshot| {
        let mut work = full || !snapshot.intents()?.is_empty() || !open_writes(snapshot)?.is_empty();
        for kind in managed {
            let waiting = standing.count_of(kind, Fact::InEscrow) as u64;
            work |= snapshot.dirty_count(kind)? > waiting;
        }
        Ok(work)
    })
    .await
}

/// Settles what a cycle that found nothing to do leaves.
async fn settle(run: &mut Run<'_>, phases: &mut Phases) -> Result<(), CycleError> {
    forget_unasked(run, phases.intake.focus.clone(), &phases.intake.stopped).await?;
    phases.intake.settle_assignments(run).await
}

/// Goes on with what is to be put right alone, where only drift is looked for. False where there is nothing more to do.
fn goes_on(run: &Run<'_>, phases: &mut Phases) -> bool {
    let Extent::Drift { heal } = run.order.extent else {
        return true;
    };
    let heals = &phases.readings.drift.heals;
    phases.intake.focus = Some(heals.clone());
    heal && !heals.is_empty()
}

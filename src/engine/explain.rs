//! One object, looked at as a cycle looks at it (`melonsync explain`): the same steps over the same planner, on a snapshot
//! that keeps what is written to it in memory and forgets it.
//!
//! Guarantees: nothing is written to either side, and no link, mark, page or reading of the source reaches the store. The
//! streams are not read: what the source says of this one object is asked for by its id, and a side that does not answer
//! is a note, not a failure.
//! A cycle on this job may run meanwhile: the store is seen as it was at one moment, and what is read at the target is kept
//! beside it.

mod ask;
mod enrolled;
mod focus;
mod gathered;
mod groups;
mod show;
mod waits;

use std::sync::Arc;

use self::ask::ask_source;
use self::ask::find;
use self::ask::find_group;
use self::ask::look;
use self::ask::noted;
use self::ask::read_actual;
use self::focus::ask_for_those_referred_to;
use self::focus::focus_on;
use self::focus::follow_values;
use self::focus::mark_chosen;
use self::gathered::Gathered;
use self::show::Sides;
use self::show::put_together;
use self::waits::name_waiting_parts;
use self::waits::read_refusals;
use super::begin::begin;
use super::error::CycleError;
use super::intake::entitlements::Listing;
use super::intake::evaluation::prepare_evaluation;
use super::job::Extent;
use super::job::Job;
use super::job::Order;
use super::job::Watcher;
use super::passes;
use super::phases::Phases;
use super::run::Run;
use super::unanswered::settle_intents;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::reconcile::explain::object::Explanation;
use crate::snapshot::named::NotOne;

/// What can go wrong beside a cycle's own errors.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// As in a cycle.
    #[error(transparent)]
    Cycle(#[from] CycleError),
    /// The name does not lead to one object.
    #[error(transparent)]
    NotOne(#[from] NotOne),
}

impl ExplainError {
    /// What to do.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Cycle(error) => error.hint(),
            Self::NotOne(error) => error.hint().to_owned(),
        }
    }
}

/// What is to be explained.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked<'a> {
    /// The object: id, UPN, mail or display name.
    pub object: &'a str,
    /// The group of which it is asked whether it holds the object.
    pub in_group: Option<&'a str>,
}

impl<'a> From<&'a str> for Asked<'a> {
    fn from(object: &'a str) -> Self {
        Self {
            object,
            in_group: None,
        }
    }
}

/// Explains one object. `order` says who asks, and when to stop; its extent and
/// watcher are not used.
///
/// # Errors
/// [`ExplainError`].
pub async fn explain<'a>(
    job: &Job,
    order: &Order,
    asked: impl Into<Asked<'a>>,
) -> Result<Explanation, ExplainError> {
    let asked = asked.into();
    let aside = Job {
        snapshot: job.snapshot.aside().map_err(CycleError::Store)?,
        ..job.clone()
    };
    let gathered = Arc::new(Gathered::default());
    let order = Order {
        extent: Extent::Explain,
        apply: false,
        watcher: Arc::<Gathered>::clone(&gathered),
        ..order.clone()
    };
    let now = job.clock.now();
    let (mut run, mut phases) = (Run::new(&aside, &order, now), Phases::new(now));
    let chosen = find(&run, asked.object).await?;
    let in_group = match asked.in_group {
        None => None,
        Some(group) => match job.enrolled_group().filter(|own| group.parse() == Ok(*own)) {
            // It need not be one that the job reads.
            Some(enrolled) => Some(enrolled),
            None => Some(find_group(&run, group).await?),
        },
    };
    let chosen = Chosen {
        kind: chosen.0,
        id: chosen.1,
        in_group,
    };
    Ok(story(&mut run, &mut phases, chosen, &gathered).await?)
}

/// The object that is meant, and the group that is asked about.
struct Chosen {
    kind: ObjectKind,
    id: SourceId,
    in_group: Option<SourceId>,
}

/// The steps of a cycle, for this object alone.
async fn story(
    run: &mut Run<'_>,
    phases: &mut Phases,
    Chosen { kind, id, in_group }: Chosen,
    gathered: &Gathered,
) -> Result<Explanation, CycleError> {
    begin(run, &mut phases.failures.escrow).await?;
    prepare_evaluation(run).await?;
    phases.failures.stops.pass(run).await?;
    phases.intake.recall_assignments(run).await?;
    if phases.intake.entitlements.known {
        // What a cycle comes to whose list says the same.
        phases.intake.listing = Listing::Whole;
    }
    phases.judge.read_kept_back(run).await?;
    read_refusals(run, kind, id, gathered).await?;
    let source = ask_source(run, kind, id).await?;
    focus_on(run, &mut phases.intake, kind, id).await?;
    phases.intake.rescope(run).await?;
    ask_for_those_referred_to(run, &phases.intake, kind, id).await?;
    phases.failures.escrow.read(run).await?;
    name_waiting_parts(run, kind, id).await?;
    phases.find_due(run).await?;
    mark_chosen(run, kind, id).await?;
    let prepared = phases.readings.prepare_target(run).await;
    noted(prepared, "the target was not asked what it can do", gathered)?;
    settle_intents(run, phases).await?;
    let read = phases.read_target(run).await;
    noted(read, "the target could not be read", gathered)?;
    phases.find_drift(run).await?;
    passes::guard(run, phases).await?;
    follow_values(run, phases).await?;
    let seen = look(run, phases, kind, id).await?;
    let target = match seen.as_ref().and_then(|seen| seen.link.clone()) {
        Some(link) => read_actual(run, kind, &link.target, gathered).await?,
        None => None,
    };
    if !run.job.managed.contains(&kind) {
        gathered.finding(&format!(
            "{kind}s are not managed by this job: nothing is planned for them"
        ));
    }
    passes::all(run, phases).await?;
    phases.judge.tell_pause(run);
    let Some(view) = seen else {
        let (what, name) = (kind.word(), id.to_string());
        return Err(NotOne::Nothing { what, name }.into());
    };
    let sides = Sides {
        source,
        target,
        in_group,
    };
    put_together(run, phases, &view, sides, gathered).await
}

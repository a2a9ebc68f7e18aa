//! What is seen of the daemon from outside: each job, what it does now, and the orders before it.

use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

use super::load::Loaded;
use super::mode;
use super::order::Work;
use super::track::Standing;
use super::track::Track;
use super::worker::Seen;
use crate::app::error::AppError;
use crate::app::people::PersonReport;
use crate::app::plans::Contrast;
use crate::engine::job::Extent;

/// A job in the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct JobState {
    /// Its name.
    pub job: String,
    /// `running`, `idle`, `off` (not enabled) or `broken` (it cannot run).
    pub state: String,
    /// `enforce` or `observe`; none where it cannot run.
    pub mode: Option<String>,
    /// The cycle under way.
    pub running: Option<OrderState>,
    /// The orders that wait, in their order.
    pub waiting: Vec<OrderState>,
    /// When it runs next by itself.
    pub next: Option<String>,
    /// Why it cannot run.
    pub problem: Option<AppError>,
}

/// An order, or a cycle of the schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OrderState {
    /// Its id.
    pub cycle: String,
    /// What it is: `sync`, `sync --full`, `resync`, `release`, `drift`, `plan`, `preview`, `undo`.
    pub work: String,
    /// Who asked first.
    pub actor: String,
    /// How many asked for it, and want it still.
    pub askers: u32,
    /// `waiting`, `running`, `stopping` or `ended`.
    pub state: String,
    /// The phase it is in.
    pub phase: Option<String>,
    /// How many of that are done.
    pub done: u64,
    /// Of how many, where that is known.
    pub of: Option<u64>,
}

/// A cycle: one that waits or runs, or is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct CycleState {
    /// Who asked first; none of one that only its job remembers.
    pub actor: Option<String>,
    /// How the plan compares with that by the rules in force, of rules that were tried on their page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contrast: Option<Contrast>,
    /// Its id.
    pub cycle: String,
    /// How many are done in its phase.
    pub done: u64,
    /// What concerns every object, or could not be taken back, once it is over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<String>,
    /// The job.
    pub job: String,
    /// Of how many, where that is known.
    pub of: Option<u64>,
    /// What became of those who were named in it, once it is over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<PersonReport>,
    /// The phase it is in.
    pub phase: Option<String>,
    /// Why it was not carried out to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<AppError>,
    /// `waiting`, `running`, `stopping` or `ended`.
    pub state: String,
    /// What was done, once it is over.
    #[schema(value_type = Option<Object>)]
    pub summary: Option<Json>,
    /// What it is, as in [`OrderState::work`].
    pub work: Option<String>,
}

impl CycleState {
    /// Shows where it stands.
    #[must_use]
    pub fn of(track: &Track) -> Self {
        let order = OrderState::of(track);
        let answer = match &*track.standing().borrow() {
            Standing::Ended(answer) => Some(Arc::clone(answer)),
            Standing::Waiting | Standing::Running | Standing::Stopping => None,
        };
        let answer = answer.as_deref();
        let summary = answer.and_then(|answer| answer.summary.as_ref());
        Self {
            actor: Some(order.actor),
            contrast: answer.and_then(|answer| answer.made.as_ref()?.contrast.clone()),
            cycle: order.cycle,
            done: order.done,
            findings: answer.map(|answer| answer.findings.clone()).unwrap_or_default(),
            job: track.job.clone(),
            of: order.of,
            people: answer.map(|answer| answer.people.clone()).unwrap_or_default(),
            phase: order.phase,
            problem: answer.and_then(|answer| answer.error.clone()),
            state: order.state,
            summary: summary.map(|summary| serde_json::json!(summary)),
            work: Some(order.work),
        }
    }

    pub(super) fn kept(job: &str, cycle: &str, summary: Option<Json>) -> Self {
        Self {
            actor: None,
            contrast: None,
            cycle: cycle.to_owned(),
            done: 0,
            findings: Vec::new(),
            job: job.to_owned(),
            of: None,
            people: Vec::new(),
            phase: None,
            problem: None,
            state: "ended".to_owned(),
            summary,
            work: None,
        }
    }
}

pub(super) fn of(name: &str, seen: Seen) -> JobState {
    let (state, mode, problem) = match seen.loaded {
        Loaded::Ready(ready) => {
            let state = match &seen.running {
                Some(_) => "running",
                None => "idle",
            };
            (state, Some(mode(ready.job.enforce).to_owned()), None)
        }
        Loaded::Off => ("off", None, None),
        Loaded::Broken(error) => ("broken", None, Some(error)),
    };
    JobState {
        job: name.to_owned(),
        state: state.to_owned(),
        mode,
        running: seen.running.as_deref().map(OrderState::of),
        waiting: seen.waiting.iter().map(|track| OrderState::of(track)).collect(),
        next: seen.next.map(|next| next.to_string()),
        problem,
    }
}

impl OrderState {
    /// Where an order stands.
    #[must_use]
    pub fn of(track: &Track) -> Self {
        let progress = *track.progress().borrow();
        let state = match &*track.standing().borrow() {
            Standing::Waiting => "waiting",
            Standing::Running => "running",
            Standing::Stopping => "stopping",
            Standing::Ended(_) => "ended",
        };
        Self {
            cycle: track.cycle.to_string(),
            work: word(&track.ask.work).to_owned(),
            actor: track.ask.actor.clone(),
            askers: track.askers(),
            state: state.to_owned(),
            phase: (!progress.phase.is_empty()).then(|| progress.phase.to_owned()),
            done: progress.done,
            of: progress.of,
        }
    }
}

const fn word(work: &Work) -> &'static str {
    match work {
        Work::Undo { .. } => "undo",
        Work::Plan { .. } => "plan",
        Work::Preview { .. } => "preview",
        Work::Saved { .. } => "sync --plan",
        Work::Cycle { extent, apply, .. } => match extent {
            Extent::Drift { .. } => "drift",
            Extent::Released => "release",
            Extent::Explain => "explain",
            Extent::Back => "write-back",
            Extent::Changes | Extent::Full | Extent::All | Extent::Restart | Extent::Objects { .. }
                if !*apply =>
            {
                "plan"
            }
            Extent::Changes => "sync",
            Extent::Full => "sync --full",
            Extent::All | Extent::Restart | Extent::Objects { .. } => "resync",
        },
    }
}

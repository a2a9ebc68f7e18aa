//! Cycles that somebody asks for, as calls: planned, synced, looked at again.

use std::sync::Arc;

use serde_json::Value as Json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::actor::Actor;
use super::error::AppError;
use super::error::ErrorKind;
use super::install;
use super::install::Installation;
use super::views;
use crate::engine::error::CycleError;
use crate::engine::forward;
pub use crate::engine::job::Extent;
pub use crate::engine::job::Job;
pub use crate::engine::job::NoWatcher;
use crate::engine::job::Order;
pub use crate::engine::job::Report;
pub use crate::engine::job::UndoRequest;
pub use crate::engine::job::Watcher;
pub use crate::engine::summary::Outcome;
pub use crate::engine::summary::Summary;
use crate::model::id::CycleId;
use crate::model::shown::shown;
use crate::reconcile::saved::SavedPlan;
use crate::snapshot::query::Query;
use crate::snapshot::store::Snapshot;

/// Who asks for a cycle, what ends it early, and who follows it.
#[derive(Clone)]
pub struct Asking {
    /// The id of the cycle; a new one where there is none.
    pub id: Option<CycleId>,
    /// Who asks.
    pub actor: Actor,
    /// Ends it between two requests: what is in flight is finished and recorded.
    pub stop: CancellationToken,
    /// Gets every operation and omission as it is planned, and the phases.
    pub watcher: Arc<dyn Watcher>,
}

/// What a cycle that writes may do beyond the usual.
#[derive(Clone, Default)]
pub struct Allowing {
    /// Only operations that are in this saved plan.
    pub only: Option<Arc<SavedPlan>>,
    /// Removals of users: at most so many; if there are more, none.
    pub deletions: Option<u64>,
    /// Creates: at most so many; if there are more, none.
    pub creations: Option<u64>,
}

/// True where a cycle was asked to stop, and did.
#[must_use]
pub const fn was_stopped(done: &Report) -> bool {
    matches!(done.error, Some(CycleError::Stopped))
}

impl Asking {
    /// Makes the order of a cycle.
    #[must_use]
    pub fn order(&self, extent: Extent, apply: bool) -> Order {
        Order {
            id: self.id.unwrap_or_else(|| CycleId(Uuid::now_v7())),
            extent,
            apply,
            only: None,
            allow_deletions: None,
            allow_creations: None,
            actor: self.actor.to_string(),
            stop: self.stop.clone(),
            watcher: Arc::clone(&self.watcher),
        }
    }
}

impl Allowing {
    fn with(&self, order: Order) -> Order {
        Order {
            only: self.only.clone(),
            allow_deletions: self.deletions,
            allow_creations: self.creations,
            ..order
        }
    }
}

/// Plans what a cycle would do, writing nothing to the target.
pub async fn plan(job: &Job, extent: Extent, asking: Asking) -> Report {
    foresee(job, extent, &Allowing::default(), &asking).await
}

/// Plans what a cycle that is allowed this would do, writing nothing to the target.
pub async fn foresee(job: &Job, extent: Extent, allowing: &Allowing, asking: &Asking) -> Report {
    forward::run(job, &allowing.with(asking.order(extent, false))).await
}

/// Runs a cycle. In a job that only observes, it is planned.
pub async fn sync(job: &Job, extent: Extent, allowing: Allowing, asking: Asking) -> Report {
    forward::run(job, &allowing.with(asking.order(extent, true))).await
}

/// Every job of the settings that has a snapshot, with that.
pub fn jobs_of(installation: &Installation) -> Result<Vec<(String, Snapshot)>, AppError> {
    let mut jobs = Vec::new();
    for job in installation.folder.jobs()? {
        if installation.settings.jobs.contains_key(&job) {
            let snapshot = install::open(&installation.folder, &job)?;
            jobs.push((job, snapshot));
        }
    }
    Ok(jobs)
}

/// Finds a cycle and its job: by its id, by the beginning of one that a single cycle has, or as `last` or `last~1` where one
/// job has such a one.
pub fn find(jobs: &[(String, Snapshot)], name: &str) -> Result<(String, CycleId), AppError> {
    if let Ok(id) = name.parse() {
        return Ok((job_of(jobs, CycleId(id))?, CycleId(id)));
    }
    let mut found = Vec::new();
    let mut missing = None;
    for (job, snapshot) in jobs {
        match views::cycles::cycle(snapshot, name) {
            Ok(summary) => found.extend(id_of(&summary).map(|id| (job.clone(), id))),
            Err(error) if error.kind == ErrorKind::Absent => missing = Some(error),
            Err(error) => return Err(error),
        }
    }
    match (found.len(), missing) {
        (0, Some(error)) => Err(error),
        (1, _) => Ok(found.remove(0)),
        (0, None) => Err(views::cycles::none_kept(name)),
        (jobs, _) => Err(AppError::usage(
            format!("{jobs} jobs have a cycle `{}`", shown(name)),
            "name one by its id, as `melonsync status` and `melonsync history` show it",
        )),
    }
}

fn id_of(summary: &Json) -> Option<CycleId> {
    summary["cycle"].as_str()?.parse().ok().map(CycleId)
}

/// Finds the job whose history knows a cycle.
fn job_of(jobs: &[(String, Snapshot)], cycle: CycleId) -> Result<String, AppError> {
    for (name, snapshot) in jobs {
        let query = Query {
            cycle: Some(cycle),
            ..Query::default()
        };
        let mut found = false;
        snapshot.search_history(&query, |_, _| {
            found = true;
            Ok(())
        })?;
        if found {
            return Ok(name.clone());
        }
    }
    Err(AppError::absent(
        format!("no job's history has a cycle {cycle}"),
        "`melonsync history` names the cycles that did something; what is older than `history_retention` is gone",
    ))
}

//! Cycles that somebody asks for, as calls: planned, synced, looked at again.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::actor::Actor;
use crate::engine::cycle;
use crate::engine::job::Extent;
use crate::engine::job::Job;
use crate::engine::job::Order;
use crate::engine::job::Report;
use crate::engine::job::Watcher;
use crate::model::id::CycleId;
use crate::reconcile::saved::SavedPlan;

/// Who asks for a cycle, what ends it early, and who follows it.
#[derive(Clone)]
pub struct Asking {
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

impl Asking {
    /// Makes the order of a cycle.
    #[must_use]
    pub fn order(&self, extent: Extent, apply: bool) -> Order {
        Order {
            id: CycleId(Uuid::now_v7()),
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

/// Plans what a cycle would do, writing nothing to the target.
pub async fn plan(job: &Job, extent: Extent, asking: Asking) -> Report {
    cycle::run(job, &asking.order(extent, false)).await
}

/// Runs a cycle. In a job that only observes, it is planned.
pub async fn sync(job: &Job, extent: Extent, allowing: Allowing, asking: Asking) -> Report {
    let order = Order {
        only: allowing.only,
        allow_deletions: allowing.deletions,
        allow_creations: allowing.creations,
        ..asking.order(extent, true)
    };
    cycle::run(job, &order).await
}

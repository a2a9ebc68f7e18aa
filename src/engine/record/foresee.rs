//! The counterpart of carrying out, where a cycle only plans.
//!
//! The works are counted and shown, and what they would lead to is kept as a forecast for the objects that refer to these.

use std::collections::HashMap;

use crate::engine::error::CycleError;
use crate::engine::forecast::Forecast;
use crate::engine::forecast::forecast_of;
use crate::engine::observing;
use crate::engine::plan::unique_names::UniqueNames;
use crate::engine::run::Run;
use crate::engine::work::Carried;
use crate::engine::work::Pass;
use crate::engine::work::Work;
use crate::engine::work::rehired_from;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::reconcile::explain;
use crate::reconcile::operation::Reason;
use crate::snapshot::filled::has_forecasts;
use crate::snapshot::read::Reads;
use crate::snapshot::store::Snapshot;

/// What carrying a batch out would come to.
#[derive(Debug)]
pub(in crate::engine) struct Foreseen {
    pub(in crate::engine) carried: Carried,
    /// True where an object would lose its resource to another one.
    pub(in crate::engine) losses: bool,
}

/// What one work would lead to.
struct Coming {
    id: SourceId,
    pass: Pass,
    /// More is planned for it than this pass does.
    left: bool,
    /// It takes a temporary name: its own follows in a later sweep.
    makes_way: bool,
    /// A reference of it comes later.
    late: bool,
    /// It would be linked, with this resource where it is known.
    linked: Option<Option<TargetId>>,
}

impl Coming {
    /// Returns what a work would lead to. `None` where whoever refers to the object sees it already, and another look finds the
    /// same: it is linked, and there is nothing to do.
    fn of(kind: ObjectKind, work: &Work) -> Option<Self> {
        let late = kind == ObjectKind::User && work.plan.pending_references > 0;
        let is_linked = work.record.as_ref().is_some_and(|record| record.link.is_some());
        let settled = work.run.is_empty() && !late && is_linked;
        if settled && work.pass != Pass::MembersOut {
            return None;
        }
        let mut run = work.run.iter();
        let links = run.find(|operation| operation.verb.creates() || operation.verb.links());
        let mut run = work.run.iter();
        Some(Self {
            id: work.plan.source,
            pass: work.pass,
            left: work.left,
            makes_way: run.any(|operation| operation.because == Reason::MakesWay),
            late,
            linked: links.map(|operation| operation.target.clone()),
        })
    }
}

/// Counts and shows the works of a batch, and keeps what they would lead to.
pub(in crate::engine) async fn foresee(
    run: &mut Run<'_>,
    names: &mut UniqueNames,
    kind: ObjectKind,
    works: Vec<Work>,
) -> Result<Foreseen, CycleError> {
    let (mut coming, mut leavers) = (Vec::new(), Vec::new());
    let observed = works.iter().flat_map(|work| &work.run);
    observing::note(run, observed).await?;
    for work in works {
        for operation in &work.run {
            names.note_freed(operation);
            run.summary.count(operation);
            run.order
                .watcher
                .operation(&explain::redacted(&run.job.mapping, operation));
        }
        if let Some(one) = Coming::of(kind, &work) {
            leavers.extend(rehired_from(&work.run));
            coming.push(one);
        }
    }
    let (moved, losses) = (!coming.is_empty(), !leavers.is_empty());
    let again = moved
        && run
            .store(move |snapshot| keep(snapshot, kind, coming, leavers))
            .await?;
    Ok(Foreseen {
        carried: Carried { moved, again },
        losses,
    })
}

/// Keeps the forecasts. True where an object of this kind is to be looked at again.
fn keep(
    snapshot: &Snapshot,
    kind: ObjectKind,
    coming: Vec<Coming>,
    leavers: Vec<SourceId>,
) -> Result<bool, StoreError> {
    let mut tx = snapshot.tx()?;
    let ids: Vec<SourceId> = coming.iter().map(|one| one.id).collect();
    let mut held = if has_forecasts(snapshot)? {
        tx.forecasts_of(kind, &ids)?
    } else {
        HashMap::new()
    };
    for leaver in leavers {
        let mut forecast = forecast_of(&tx, kind, &leaver)?;
        forecast.lost = true;
        tx.put_forecast::<Forecast>(kind, &leaver, &forecast);
    }
    // As a cycle that writes marks them once there is a resource to refer to.
    let mut again = false;
    for one in coming {
        if one.linked.is_some() && kind == ObjectKind::User {
            let marked = tx.show_referrers(&one.id)?;
            again |= marked.iter().any(|(of, _)| *of == kind);
        }
        let mut forecast: Forecast = held.remove(&one.id).unwrap_or_default();
        match one.pass {
            Pass::MembersOut => forecast.members_out = true,
            Pass::Disables if one.left => forecast.disabled = true,
            _ if one.makes_way => again = true,
            _ => forecast.done = true,
        }
        forecast.late = one.late;
        forecast.linked = one.linked.or(forecast.linked);
        tx.put_forecast(kind, &one.id, &forecast);
    }
    tx.commit(Durability::Lazy)?;
    Ok(again)
}

//! An order carried out: the call that its command makes without a daemon.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use super::again;
use super::answer::Done;
use super::order::Work;
use super::track::Track;
use crate::app::actor::Actor;
use crate::app::cycles::Asking;
use crate::app::error::AppError;
use crate::app::people;
use crate::app::plans;
use crate::app::plans::Form;
use crate::app::plans::Origin;
use crate::app::plans::Planned;
use crate::app::plans::Seen;
use crate::app::preview::Preview;
use crate::engine::forward;
use crate::engine::job::Extent;
use crate::engine::job::Job;
use crate::engine::job::UndoRequest;

/// Carries an order out to its end, or until `stop`.
pub(super) async fn run(job: &Job, track: Arc<Track>, stop: CancellationToken) -> Done {
    let asking = Asking {
        id: Some(track.cycle),
        actor: Actor::known(&track.ask.actor),
        stop,
        watcher: Arc::clone(&track) as _,
    };
    match &track.work() {
        Work::Cycle {
            extent: Extent::Objects { users, groups },
            apply,
            ..
        } => {
            let extent = Extent::Objects {
                users: users.clone(),
                groups: groups.clone(),
            };
            named(job, (extent, *apply), asking).await
        }
        Work::Cycle {
            extent,
            apply,
            allow_deletions,
            allow_creations,
        } => {
            let mut order = asking.order(extent.clone(), *apply);
            order.allow_deletions = *allow_deletions;
            order.allow_creations = *allow_creations;
            Done::of(forward::run(job, &order).await)
        }
        Work::Plan { full, forms } => {
            let extent = if *full { Extent::Full } else { Extent::Changes };
            let planned = plans::plan(job, extent, forms, asking).await;
            let planned = planned.and_then(|planned| made(job, *full, planned));
            planned.unwrap_or_else(Done::failed)
        }
        Work::Preview {
            rules,
            full,
            forms,
            saves,
            contrasts,
        } => preview(job, rules, (*full, forms, *saves, *contrasts), asking)
            .await
            .unwrap_or_else(Done::failed),
        Work::Undo {
            request,
            apply: true,
            seen,
            ..
        } => taken_back(job, (request, seen), asking)
            .await
            .unwrap_or_else(Done::failed),
        Work::Undo { request, forms, .. } => undo(job, (request, forms), asking)
            .await
            .unwrap_or_else(Done::failed),
        Work::Saved { saved, how } => match plans::carry_out(job, saved, *how, asking).await {
            Ok(carried) => Done {
                summary: carried.summary,
                error: carried.error,
                compared: Some(carried.compared),
                ..Done::default()
            },
            Err(error) => Done::failed(error),
        },
    }
}

/// Looks at those who are named, and says what became of each.
async fn named(job: &Job, (extent, apply): (Extent, bool), asking: Asking) -> Done {
    let again = if apply {
        again::moments(job.clock.now())
    } else {
        Vec::new()
    };
    let (report, looked) = people::look_at(job, (extent, apply), asking, &again).await;
    let mut done = Done::of(report);
    match looked {
        Ok(looked) => {
            done.people = looked.reports;
            done.named = if apply { looked.named } else { Vec::new() };
        }
        // It is carried out all the same.
        Err(error) => done.error = done.error.or(Some(error)),
    }
    done
}

fn made(job: &Job, full: bool, planned: Planned) -> Result<Done, AppError> {
    let saves = planned.sheets.iter().any(|sheet| sheet.form == Form::Json);
    let origin = saves.then(|| Origin::of(job, full)).transpose()?;
    Ok(Done::planned(planned, origin))
}

async fn preview(
    job: &Job,
    rules: &Preview,
    (full, forms, saves, contrasts): (bool, &[Form], bool, bool),
    asking: Asking,
) -> Result<Done, AppError> {
    let tried = rules.aside(job)?;
    let extent = if full { Extent::Full } else { Extent::Changes };
    let (planned, contrast) = if contrasts {
        let (planned, contrast) = plans::contrasted(job, &tried, (extent, forms), asking).await?;
        (planned, Some(contrast))
    } else {
        (plans::plan(&tried, extent, forms, asking).await?, None)
    };
    // Of the snapshot that stays, so that the plan fits it once the rules are in force.
    let there = Job {
        snapshot: job.snapshot.clone(),
        ..tried
    };
    let origin = saves.then(|| Origin::of(&there, full)).transpose()?;
    Ok(Done::planned(planned, origin).beside(contrast))
}

async fn taken_back(
    job: &Job,
    (request, seen): (&UndoRequest, &Seen),
    asking: Asking,
) -> Result<Done, AppError> {
    let undone = plans::carry_out_undo(job, request, seen, asking).await?;
    Ok(Done {
        summary: Some(undone.summary),
        error: undone.error,
        ..Done::default()
    })
}

async fn undo(
    job: &Job,
    (request, forms): (&UndoRequest, &[Form]),
    asking: Asking,
) -> Result<Done, AppError> {
    let planned = plans::undo(job, request, forms, asking).await?;
    Ok(Done::planned(planned, None))
}

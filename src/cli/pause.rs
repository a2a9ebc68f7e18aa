//! `pause` and `resume`: writes off and on. Reading and planning go on.

use serde_json::json;

use super::args;
use super::args::Globals;
use super::exit::Exit;
use super::report::Report;
use crate::app::desk::Decision;
use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::app::install;
use crate::model::shown::shown;
use crate::snapshot::kept_back::KeptBackReads;
use crate::snapshot::kept_back::Pause;
use crate::snapshot::state::{RESTORED, StateReads};

/// Writes off.
pub fn pause(globals: &Globals, args: &args::Pause, report: &mut Report) -> Result<Exit, AppError> {
    let desk = Desk::open_job(&globals.config, args.job.as_deref())?;
    let pause = Pause {
        removals_only: args.removals_only,
        until: args.lasts.map(|lasts| desk.now.plus(lasts)),
        since: desk.now,
        actor: desk.actor.clone(),
        comment: args.comment.clone(),
    };
    let what = if args.removals_only {
        "removals are paused"
    } else {
        "paused"
    };
    let before = desk
        .snapshot
        .pause_at(desk.now)
        .map_err(|error| install::store_failure(&error))?;
    let until = pause
        .until
        .map_or_else(String::new, |until| format!(" until {until}"));
    let replaces = before
        .as_ref()
        .map_or_else(String::new, |before| format!(", in place of {}", words(before)));
    decide(
        &desk,
        "pause",
        &format!("{what}{until}{replaces}"),
        args.comment.as_deref(),
        Some(&pause),
    )?;
    if report.is_json() {
        report.json(&json!({
            "job": desk.job, "action": "pause", "removals_only": pause.removals_only,
            "until": pause.until.map(|until| until.to_string()),
            "replaces": before.map(|before| json!({
                "removals_only": before.removals_only, "since": before.since.to_string(), "actor": before.actor,
                "until": before.until.map(|until| until.to_string()), "comment": before.comment,
            })),
        }));
    } else {
        report.text(&format!(
            "Job `{}`: {what}{until}{replaces}. Reading and planning go on; `melonsync resume` ends it.",
            desk.job
        ));
    }
    Ok(Exit::Done)
}

/// A pause that was there: `the pause of removals until 2026-11-30T12:00:00Z, by ada (uid 1000)`.
fn words(pause: &Pause) -> String {
    let what = if pause.removals_only {
        "the pause of removals"
    } else {
        "the pause"
    };
    let until = pause
        .until
        .map_or_else(|| " without an end".to_owned(), |until| format!(" until {until}"));
    let comment = pause
        .comment
        .as_ref()
        .map_or_else(String::new, |comment| format!(": {}", shown(comment)));
    format!("{what}{until}, by {}{comment}", shown(&pause.actor))
}

/// Writes on. After a restore, removals go again too.
pub fn resume(globals: &Globals, args: &args::Resume, report: &mut Report) -> Result<Exit, AppError> {
    let desk = Desk::open_job(&globals.config, args.job.as_deref())?;
    let failed = |error| install::store_failure(&error);
    let paused = desk.snapshot.pause_at(desk.now).map_err(failed)?.is_some();
    let restored = desk.snapshot.has_state(&RESTORED).map_err(failed)?;
    if !paused && !restored {
        if report.is_json() {
            report.json(&json!({"job": desk.job, "action": "resume", "was_paused": false}));
        } else {
            report.text(&format!("Job `{}` was not paused.", desk.job));
        }
        return Ok(Exit::Done);
    }
    let what = if restored {
        "resumed; removals after the restore go again"
    } else {
        "resumed"
    };
    decide(&desk, "resume", what, args.comment.as_deref(), None)?;
    if report.is_json() {
        report.json(
            &json!({"job": desk.job, "action": "resume", "was_paused": paused, "was_restored": restored}),
        );
    } else {
        report.text(&format!("Job `{}`: {what}.", desk.job));
    }
    Ok(Exit::Done)
}

fn decide(
    desk: &Desk,
    verb: &'static str,
    what: &str,
    comment: Option<&str>,
    pause: Option<&Pause>,
) -> Result<(), AppError> {
    let decision = Decision {
        verb,
        object: None,
        reason: what.to_owned(),
        comment,
    };
    desk.decide(&[decision], |tx| {
        tx.put_pause(pause);
        if pause.is_none() {
            tx.delete_state(&RESTORED);
        }
        Ok(())
    })
}

//! `quarantine release`: a job, or a kind of operation, that stopped goes on with the next cycle.

use serde_json::json;

use super::args::Globals;
use super::args::QuarantineAction;
use super::exit::Exit;
use super::report::Report;
use crate::app::desk::Decision;
use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::app::install;
use crate::model::shown::shown as printable;
use crate::snapshot::quarantine::Quarantine;
use crate::snapshot::quarantine::QuarantineReads;

/// Lets it go on, without a probe first.
pub fn run(globals: &Globals, action: &QuarantineAction, report: &mut Report) -> Result<Exit, AppError> {
    let QuarantineAction::Release { job, comment } = action;
    let desk = Desk::open_job(&globals.config, job.as_deref())?;
    let held = desk
        .snapshot
        .quarantine()
        .map_err(|error| install::store_failure(&error))?;
    if !held.is_empty() {
        let decision = Decision {
            verb: "quarantine_release",
            object: None,
            reason: format!("released: {}", what(&held)),
            comment: comment.as_deref(),
        };
        desk.decide(&[decision], |tx| {
            tx.put_quarantine(&Quarantine::default());
            Ok(())
        })?;
    }
    if report.is_json() {
        report.json(&json!({
            "job": desk.job, "action": "release", "was_quarantined": held.job.is_some(),
            "kinds": held.kinds.keys().map(|verb| verb.name()).collect::<Vec<_>>(),
        }));
    } else if held.is_empty() {
        report.text(&format!("Job `{}` was not quarantined.", desk.job));
    } else {
        report.text(&format!(
            "Job `{}`: released, {}. The next cycle sends it; where it fails again, it stops again.",
            desk.job,
            what(&held)
        ));
    }
    Ok(Exit::Done)
}

fn what(held: &Quarantine) -> String {
    let job = held
        .job
        .as_ref()
        .map(|stop| format!("the job, stopped by its {}", stop.side.word()));
    let kinds = held.kinds.keys().map(|verb| verb.name().to_owned());
    job.into_iter().chain(kinds).collect::<Vec<_>>().join(", ")
}

/// What `status` shows of it; null where nothing is stopped.
pub(super) fn shown(held: &Quarantine) -> serde_json::Value {
    if held.is_empty() {
        return serde_json::Value::Null;
    }
    let kinds: Vec<_> = held
        .kinds
        .iter()
        .map(|(verb, stopped)| {
            json!({
                "operation": verb.name(), "since": stopped.since.to_string(), "failed": stopped.failed,
                "sent": stopped.sent, "cause": stopped.cause, "hint": stopped.hint, "actor": stopped.actor,
            })
        })
        .collect();
    json!({
        "job": held.job.as_ref().map(|stop| json!({
            "side": stop.side, "since": stop.since.to_string(), "cause": stop.cause, "hint": stop.hint,
            "actor": stop.actor, "last_probe": stop.probed.map(|at| at.to_string()),
        })),
        "operations": kinds,
    })
}

/// The lines of `status`.
pub(super) fn lines(shown: &serde_json::Value) -> Vec<String> {
    let word =
        |of: &serde_json::Value, key: &str| printable(of[key].as_str().unwrap_or_default()).into_owned();
    let mut lines = Vec::new();
    if let Some(job) = shown.get("job").filter(|job| !job.is_null()) {
        lines.push(format!(
            "  quarantined  since {} by its {}: {}",
            word(job, "since"),
            word(job, "side"),
            word(job, "cause")
        ));
        lines.push(format!("               do: {}", word(job, "hint")));
    }
    for kind in shown["operations"].as_array().into_iter().flatten() {
        lines.push(format!(
            "  stopped      {} since {}, when {} of {} failed: {}",
            word(kind, "operation"),
            word(kind, "since"),
            kind["failed"],
            kind["sent"],
            word(kind, "cause")
        ));
    }
    lines
}

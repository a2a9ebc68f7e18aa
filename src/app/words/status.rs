//! The jobs as people read them.

use serde_json::Value as Json;

use super::Words;
use crate::app::service::JobState;
use crate::app::service::OrderState;
use crate::app::views::quarantine::QuarantineView;
use crate::app::views::status::JobStatus;
use crate::app::views::status::Status;
use crate::model::clock::Timestamp;
use crate::model::shown::shown;

impl Words for Status {
    fn words(&self) -> String {
        self.jobs.iter().map(text).collect::<Vec<_>>().join("\n")
    }
}

impl Words for JobStatus {
    fn words(&self) -> String {
        text(self)
    }
}

fn text(job: &JobStatus) -> String {
    let mut lines = vec![format!(
        "{}  ({}{})",
        job.job,
        job.mode,
        if job.enabled { "" } else { ", not enabled" }
    )];
    if let Some(pause) = &job.paused {
        let what = if pause.removals_only {
            "removals only, "
        } else {
            ""
        };
        lines.push(format!(
            "  paused       {what}by {} since {}",
            shown(&pause.actor),
            pause.since
        ));
    }
    lines.extend(job.quarantine.iter().flat_map(stopped));
    lines.extend(job.daemon.iter().flat_map(daemon));
    lines.extend(cycle(job));
    lines.extend(target(job));
    lines.push(format!(
        "  next cycle   {} (full: {})",
        moment(job.next_cycle),
        moment(job.next_full_cycle)
    ));
    lines.push(format!(
        "  credentials  source: {}; target: {}",
        expires(job.credentials.source.as_ref()),
        expires(job.credentials.target.as_ref())
    ));
    lines.join("\n")
}

/// What the daemon does for the job now.
fn daemon(state: &JobState) -> Vec<String> {
    let order = |order: &OrderState| {
        let phase = match (&order.phase, order.of) {
            (Some(phase), Some(of)) => format!(", {phase} {} of {of}", order.done),
            (Some(phase), None) => format!(", {phase}"),
            (None, _) => String::new(),
        };
        format!(
            "{} {} for {}{phase}  ({})",
            order.state,
            order.work,
            shown(&order.actor),
            order.cycle
        )
    };
    let now = state.running.as_ref().map_or_else(|| state.state.clone(), order);
    let mut lines = vec![format!("  daemon       {now}")];
    lines.extend(
        state
            .waiting
            .iter()
            .map(|waiting| format!("               {}", order(waiting))),
    );
    if let Some(problem) = state.problem.iter().flat_map(|problem| &problem.errors).next() {
        lines.push(format!("               it cannot run: {}", shown(&problem.what)));
        let advice = problem.advice.as_deref().unwrap_or_default();
        lines.push(format!("               do: {}", shown(advice)));
    }
    lines
}

fn stopped(view: &QuarantineView) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(job) = &view.job {
        lines.push(format!(
            "  quarantined  since {} by its {}: {}",
            job.since,
            job.side.word(),
            shown(&job.cause)
        ));
        lines.push(format!("               do: {}", shown(&job.hint)));
    }
    lines.extend(view.operations.iter().map(|kind| {
        format!(
            "  stopped      {} since {}, when {} of {} failed: {}",
            kind.operation,
            kind.since,
            kind.failed,
            kind.sent,
            shown(&kind.cause)
        )
    }));
    lines
}

/// The last cycle, and what waits for the next.
fn cycle(job: &JobStatus) -> Vec<String> {
    let (Some(last), Some(snapshot), Some(waiting)) = (&job.last_cycle, &job.snapshot, &job.waiting) else {
        return vec!["  last cycle   none yet".to_owned()];
    };
    let mut lines = vec![
        format!(
            "  last cycle   {} {}: {} in {} ms",
            word(last, "/started"),
            word(last, "/kind"),
            word(last, "/outcome"),
            word(last, "/duration_ms")
        ),
        format!(
            "  snapshot     {} users ({} linked), {} groups ({} linked), {} memberships, {} KiB",
            snapshot.users,
            snapshot.linked_users,
            snapshot.groups,
            snapshot.linked_groups,
            snapshot.memberships,
            snapshot.bytes.div_ceil(1024)
        ),
    ];
    lines.extend(
        snapshot
            .advice
            .iter()
            .map(|advice| format!("  store        {advice}")),
    );
    lines.push(format!(
        "  waiting      {} users, {} groups, {} open creates; {} in escrow; {} withheld, {} failed in the last cycle",
        waiting.users,
        waiting.groups,
        waiting.open_creates,
        job.escrow.unwrap_or_default(),
        word(last, "/withheld/count"),
        last["failed"].as_array().map_or(0, Vec::len)
    ));
    lines
}

/// What is not at the target as it should be.
fn target(job: &JobStatus) -> Vec<String> {
    let mut lines = Vec::new();
    let drift = job.drift.filter(|drift| !drift.is_none());
    lines.extend(drift.map(|drift| format!("  drift        {}: `melonsync drift` shows it", drift.words())));
    if let Some(not_kept @ [first, ..]) = job.not_kept.as_deref() {
        lines.push(format!(
            "  not kept     {} sent and answered well, and the target holds something else, first {} of {}: \
             `melonsync drift` shows all",
            not_kept.len(),
            first.attribute,
            first.name
        ));
    }
    lines
}

fn word(last: &Json, path: &str) -> String {
    match last.pointer(path) {
        Some(Json::String(text)) => shown(text).into_owned(),
        Some(Json::Null) | None => "–".to_owned(),
        Some(other) => other.to_string(),
    }
}

fn moment(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "–".to_owned(), |at| at.to_string())
}

fn expires(date: Option<&String>) -> String {
    date.map_or_else(
        || "no `expires` in the config".to_owned(),
        |date| format!("expires on {date}"),
    )
}

//! The jobs as people read them.

use serde_json::Value as Json;

use super::Words;
use crate::app::service::JobState;
use crate::app::service::OrderState;
use crate::app::text::count::many;
use crate::app::views::enrolled::EnrolledView;
use crate::app::views::enrolled::Figure;
use crate::app::views::status::JobStatus;
use crate::app::views::status::Status;
use crate::app::views::verdict::Need;
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
        "{}  ({}{}): {}",
        job.job,
        job.mode,
        if job.enabled { "" } else { ", not enabled" },
        shown(&job.verdict.words)
    )];
    lines.extend(job.verdict.needs.iter().flat_map(need));
    if let Some(holds) = job.holds.filter(|holds| *holds > 0) {
        lines.push(format!(
            "  on hold      {}: `melonsync hold list` shows whose",
            many(holds as u64, "hold")
        ));
    }
    match &job.daemon {
        Some(state) => lines.extend(daemon(state)),
        None => lines.push("  daemon       none runs here: `melonsync run` starts it".to_owned()),
    }
    lines.extend(cycle(job));
    lines.extend(target(job));
    lines.extend(job.enrolled().into_iter().flat_map(enrolled));
    lines.push(format!(
        "  next cycle   {} (full: {})",
        moment(job.next_cycle),
        moment(job.next_full_cycle)
    ));
    let credentials = &job.credentials;
    let writer = credentials.writer.as_ref();
    lines.push(format!(
        "  credentials  source: {}; target: {}{}",
        expires(credentials.source.as_ref()),
        expires(credentials.target.as_ref()),
        writer.map_or_else(String::new, |_| format!("; writer: {}", expires(writer)))
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
    let mut lines = vec![format!("  daemon       runs: {now}")];
    lines.extend(
        state
            .waiting
            .iter()
            .map(|waiting| format!("               {}", order(waiting))),
    );
    lines
}

/// What needs a person, and what they can do.
fn need(need: &Need) -> Vec<String> {
    let mut lines = vec![format!(
        "  {:<11}  {}",
        need.state.replace('_', " "),
        shown(&need.words)
    )];
    if !need.advice.is_empty() {
        lines.push(format!("               do: {}", shown(&need.advice)));
    }
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
            "  snapshot     {} ({} linked), {} ({} linked), {}, {} KiB",
            many(snapshot.users, "user"),
            snapshot.linked_users,
            many(snapshot.groups, "group"),
            snapshot.linked_groups,
            many(snapshot.memberships, "membership"),
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
        "  waiting      {}, {}, {}; {} in escrow; {} withheld, {} failed in the last cycle",
        many(waiting.users, "user"),
        many(waiting.groups, "group"),
        many(waiting.open_creates as u64, "open create"),
        job.escrow.unwrap_or_default(),
        word(last, "/withheld/count"),
        last["failed"].as_array().map_or(0, Vec::len)
    ));
    lines
}

/// What is not at the target as it should be.
fn target(job: &JobStatus) -> Vec<String> {
    let mut lines = Vec::new();
    if let Some(not_kept @ [first, ..]) = job.not_kept.as_deref() {
        lines.push(format!(
            "  not kept     {} sent and answered well, and the target holds something else, first {} of {}",
            not_kept.len(),
            first.attribute,
            first.name
        ));
    }
    lines
}

/// How users stand with the enrolled group.
fn enrolled(group: &EnrolledView) -> Vec<String> {
    let Some(read) = group.keys_read else {
        return vec!["  enrolled     not known: the keys were never read to the end so far".to_owned()];
    };
    let words = |figures: Vec<Figure>| {
        let words = |figure: &Figure| format!("{} {}", figure.count, figure.words);
        figures.iter().map(words).collect::<Vec<_>>().join(", ")
    };
    let (first, others) = group.figures();
    let mut lines = vec![format!("  enrolled     {}; keys read {read}", words(first))];
    if !others.is_empty() {
        lines.push(format!("               {}", words(others)));
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

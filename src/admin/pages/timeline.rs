//! The timeline of a job: cycles, decisions, stops in one list, newest first, with what is done for it now above it.

use askama::Template;
use axum::response::Response;
use serde_json::Value as Json;

use super::decision;
use super::filters;
use super::form::Form;
use super::frame::Frame;
use super::visit::Visit;
use crate::admin::extract::Query;
use crate::admin::parameter::Kind;
use crate::admin::parameter::Parameter;
use crate::admin::parameter::of;
use crate::app::decisions::pause;
use crate::app::decisions::pause::Pausing;
use crate::app::service::request::SyncRequest;
use crate::app::text::summary::of_verb;
use crate::app::views::status::JobStatus;
use crate::app::views::timeline;
use crate::app::views::timeline::Timeline;
use crate::app::views::timeline::TimelineEvent;
use crate::model::verb::Verb;

/// As many events as a page has.
const ON_A_PAGE: usize = 50;

/// As many cycles as the chart has.
const IN_THE_CHART: u64 = 60;

/// As wide as so many cycles it is at least.
const LEAST_IN_THE_CHART: usize = 30;

/// The height of the chart, and the width of one cycle in it.
const HEIGHT: u64 = 60;
const STEP: usize = 10;

/// What the page is asked for.
pub(super) const QUERY: &[Parameter] = &[of(
    Kind::Moment,
    "before",
    "only what happened before this moment: `next` of the page before",
)];

#[derive(Template)]
#[template(path = "timeline.html")]
struct Happened {
    frame: Frame,
    status: JobStatus,
    timeline: Timeline,
    bars: Vec<Bar>,
    most: u64,
    width: usize,
}

/// A cycle in the chart.
struct Bar {
    title: String,
    class: &'static str,
    x: usize,
    y: u64,
    height: u64,
}

/// `GET /jobs/{job}`.
pub(super) async fn page(visit: Visit, query: Query) -> Response {
    let before = query.moment("before");
    let ask = move |visit: &Visit, frame: Frame| {
        let desk = visit.desk()?;
        let mut status = visit.service.status(Some(visit.job()))?;
        let timeline = timeline::timeline(&desk.snapshot, &desk.job, ON_A_PAGE, before)?;
        let cycles = desk.snapshot.cycles(IN_THE_CHART)?;
        let most = cycles.iter().map(operations).max().unwrap_or_default().max(1);
        let json = format!(
            "/api/v1/jobs/{}/timeline?limit={ON_A_PAGE}&{}",
            filters::as_part(visit.job()),
            query.without("")
        );
        Ok(Happened {
            frame: frame.titled("Timeline", "timeline", json),
            width: cycles.len().max(LEAST_IN_THE_CHART) * STEP,
            bars: cycles
                .iter()
                .enumerate()
                .map(|(at, one)| bar(at, one, most))
                .collect(),
            status: status.jobs.remove(0),
            timeline,
            most,
        })
    };
    visit.show(ask).await
}

/// How many operations a cycle carried out or planned.
fn operations(summary: &Json) -> u64 {
    let counts = summary["operations"].as_object();
    counts
        .into_iter()
        .flatten()
        .filter_map(|(_, count)| count.as_u64())
        .sum()
}

fn bar(at: usize, summary: &Json, most: u64) -> Bar {
    let text = |key: &str| summary[key].as_str().unwrap_or_default();
    let count = operations(summary);
    // A cycle without an operation is seen too.
    let height = (count * HEIGHT / most).max(2);
    Bar {
        title: format!("{}: {}, {count} operations", text("started"), text("outcome")),
        class: if matches!(text("outcome"), "converged" | "planned") {
            "good"
        } else {
            "bad"
        },
        x: at * STEP,
        y: HEIGHT - height,
        height,
    }
}

impl TimelineEvent {
    /// How it looks: the class of its kind.
    fn class(&self) -> &'static str {
        let stops = ["quarantine", "withheld"];
        match (self.kind.as_str(), self.outcome.as_deref()) {
            ("cycle", Some("converged" | "planned")) => "good",
            ("cycle", _) => "warn",
            (kind, _) if stops.iter().any(|stop| kind.contains(stop)) => "stop",
            _ => "decision",
        }
    }

    /// The operations of a cycle in words: `3 users created, 2 members added`; nothing where it had none.
    fn done(&self) -> Option<String> {
        let counts = &self.summary.as_ref()?["operations"];
        let is_planned = self.outcome.as_deref() == Some("planned");
        let some = Verb::ALL.into_iter().filter_map(|verb| {
            let count = counts[verb.name()].as_u64().filter(|count| *count > 0)?;
            Some(of_verb(count, verb, is_planned))
        });
        let done: Vec<String> = some.collect();
        (!done.is_empty()).then(|| done.join(", "))
    }
}

fn back(visit: &Visit) -> String {
    format!("/jobs/{}", filters::as_part(visit.job()))
}

/// `POST /jobs/{job}/sync`.
pub(super) async fn sync(visit: Visit, form: Form) -> Response {
    let asked = SyncRequest {
        full: form.one("full").is_some(),
        ..SyncRequest::default()
    };
    let back = back(&visit);
    decision::order(visit, &back, Ok(asked.work()))
}

/// `POST /jobs/{job}/pause`.
pub(super) async fn pause(visit: Visit, form: Form) -> Response {
    let back = back(&visit);
    let wanted = Pausing {
        removals_only: form.one("removals").is_some(),
        comment: form.one("comment"),
        ..Pausing::default()
    };
    let decide = move |visit: &Visit| {
        pause::pause(&visit.desk()?, &wanted)?;
        Ok(
            "Paused: reading and planning go on, and nothing more is written until somebody resumes it."
                .to_owned(),
        )
    };
    visit.decide(back, decide).await
}

/// `POST /jobs/{job}/resume`.
pub(super) async fn resume(visit: Visit, form: Form) -> Response {
    let back = back(&visit);
    let decide = move |visit: &Visit| {
        pause::resume(&visit.desk()?, form.one("comment"))?;
        Ok("Resumed: the next cycle writes again.".to_owned())
    };
    visit.decide(back, decide).await
}

//! The timeline of a job: cycles, decisions, stops in one list, newest first, with what is done for it now above it.

use askama::Template;
use axum::response::Response;

use super::decision;
use super::filters;
use super::filters::in_millis;
use super::filters::in_time;
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
use crate::app::views::figures::Figures;
use crate::app::views::status::JobStatus;
use crate::app::views::timeline;
use crate::app::views::timeline::Timeline;
use crate::app::views::timeline::TimelineEvent;
use crate::model::verb::Verb;

/// As many events as a page has.
const ON_A_PAGE: usize = 50;

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
}

/// A chart of the last cycles, and what it shows in words.
struct Chart {
    key: &'static str,
    name: &'static str,
    says: String,
}

/// `GET /jobs/{job}`.
pub(super) async fn page(visit: Visit, query: Query) -> Response {
    let before = query.moment("before");
    let ask = move |visit: &Visit, frame: Frame| {
        let desk = visit.desk()?;
        let mut status = visit.service.status(Some(visit.job()))?;
        let timeline = timeline::timeline(&desk.snapshot, &desk.job, ON_A_PAGE, before)?;
        let json = format!(
            "/api/v1/jobs/{}/timeline?limit={ON_A_PAGE}&{}",
            filters::as_part(visit.job()),
            query.without("")
        );
        Ok(Happened {
            frame: frame.titled("Timeline", "timeline", json),
            status: status.jobs.remove(0),
            timeline,
        })
    };
    visit.show(ask).await
}

impl Happened {
    /// The charts above the list.
    fn charts(&self) -> [Chart; 4] {
        let chart = |key, name, of: fn(&Figures) -> Option<u64>, as_text: fn(u64) -> String| {
            let known: Vec<u64> = self.timeline.cycles.iter().filter_map(of).collect();
            let says = match (known.last(), known.iter().max()) {
                (Some(last), Some(most)) => format!("last {}, at most {}", as_text(*last), as_text(*most)),
                _ => "not known of any of them".to_owned(),
            };
            Chart { key, name, says }
        };
        [
            chart("duration", "Duration", |one| Some(one.duration_ms), in_millis),
            chart(
                "operations",
                "Operations",
                |one| Some(one.operations),
                |count| count.to_string(),
            ),
            chart("lag", "Behind by", |one| one.lag_seconds, in_time),
            chart("drift", "Drift found", |one| one.drift, |count| count.to_string()),
        ]
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

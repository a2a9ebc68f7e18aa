//! The overview: one line a job, what needs a person first.

use askama::Template;
use axum::response::Response;

use super::filters;
use super::frame::Frame;
use super::standing;
use super::standing::Standing;
use super::visit::Visit;
use crate::app::views::drift::DriftCounts;
use crate::app::views::enrolled::EnrolledView;
use crate::app::views::enrolled::Figure;
use crate::app::views::status::JobStatus;

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    frame: Frame,
    /// This is the demo.
    is_tour: bool,
    jobs: Vec<Row>,
}

struct Row {
    status: JobStatus,
    standing: Standing,
}

impl Row {
    /// The cycle under way, in words.
    fn running(&self) -> Option<String> {
        let order = self.status.daemon.as_ref()?.running.as_ref()?;
        let phase = match (&order.phase, order.of) {
            (Some(phase), Some(of)) => format!(": {phase}, {} of {of}", order.done),
            (Some(phase), None) => format!(": {phase}"),
            (None, _) => String::new(),
        };
        Some(format!("{} {}{phase}", order.work, order.state))
    }

    fn withheld(&self) -> u64 {
        standing::withheld(&self.status)
    }

    fn last(&self, key: &str) -> Option<&str> {
        self.status.last_cycle.as_ref()?[key].as_str()
    }

    /// How users stand with the enrolled group; nothing where nobody knows.
    fn enrolled(&self) -> Vec<Figure> {
        let figures = self.status.enrolled().map(EnrolledView::figures);
        figures.map_or_else(Vec::new, |(first, others)| {
            first.into_iter().chain(others).collect()
        })
    }

    /// How many differences there are.
    fn drift(&self) -> Option<u64> {
        self.status.drift.as_ref().map(DriftCounts::ours)
    }
}

/// `GET /`.
pub(super) async fn page(visit: Visit) -> Response {
    let ask = |visit: &Visit, frame: Frame| {
        let mut jobs = Vec::new();
        for status in visit.service.status(None)?.jobs {
            let standing = standing::of(&status);
            jobs.push(Row { status, standing });
        }
        jobs.sort_by_key(|row| row.standing.tone);
        Ok(Overview {
            frame: frame.titled("Overview", "", "/api/v1/jobs".to_owned()),
            is_tour: visit.service.shows_tour(),
            jobs,
        })
    };
    visit.show(ask).await
}

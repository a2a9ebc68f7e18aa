//! The overview: one line a job, what needs a person first.

use askama::Template;
use axum::response::Response;

use super::filters;
use super::frame::Frame;
use super::standing;
use super::standing::Standing;
use super::visit::Visit;
use crate::app::error::AppError;
use crate::app::views::status::JobStatus;
use crate::app::views::withheld;

#[derive(Template)]
#[template(path = "overview.html")]
struct Overview {
    frame: Frame,
    jobs: Vec<Row>,
}

struct Row {
    status: JobStatus,
    standing: Standing,
    withheld: u64,
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

    fn last(&self, key: &str) -> Option<&str> {
        self.status.last_cycle.as_ref()?[key].as_str()
    }

    /// How many differences there are.
    fn drift(&self) -> Option<u64> {
        let drift = self.status.drift.as_ref()?;
        Some(drift.missing + drift.orphaned + drift.modified + drift.membership)
    }

    /// The lag in words.
    fn lag(&self) -> Option<String> {
        Some(match self.status.lag_seconds? {
            seconds @ 0..120 => format!("{seconds} s"),
            seconds @ 120..7200 => format!("{} min", seconds / 60),
            seconds => format!("{} h", seconds / 3600),
        })
    }
}

/// `GET /`.
pub(super) async fn page(visit: Visit) -> Response {
    let ask = |visit: &Visit, frame: Frame| {
        let mut jobs = Vec::new();
        for status in visit.service.status(None)?.jobs {
            let withheld = waiting(visit, &status)?;
            let standing = standing::of(&status, withheld);
            jobs.push(Row {
                status,
                standing,
                withheld,
            });
        }
        jobs.sort_by_key(|row| row.standing.tone);
        Ok(Overview {
            frame: frame.titled("Overview", "", "/api/v1/jobs".to_owned()),
            jobs,
        })
    };
    visit.show(ask).await
}

/// How many operations wait for a person in a job.
fn waiting(visit: &Visit, status: &JobStatus) -> Result<u64, AppError> {
    if status.snapshot.is_none() {
        return Ok(0);
    }
    let desk = visit.service.desk(&status.job, visit.caller.actor.clone())?;
    Ok(withheld::withheld(&desk, &[], None)?.count)
}

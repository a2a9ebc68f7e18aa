//! How a job does: what needs a person, both sides, the store, the config in force, those who are told; and on demand, the
//! connection tested.

use askama::Template;
use axum::response::Response;

use super::filters;
use super::frame;
use super::frame::Frame;
use super::standing;
use super::standing::Standing;
use super::visit::Visit;
use crate::admin::extract::Query;
use crate::admin::parameter::Kind;
use crate::admin::parameter::Parameter;
use crate::admin::parameter::of;
use crate::admin::problem::Problem;
use crate::app::check::Checked;
use crate::app::check::Level;
use crate::app::views::clock::Took;
use crate::app::views::health::Health;

/// What the page is asked for.
pub(super) const QUERY: &[Parameter] = &[of(
    Kind::Flag,
    "check",
    "`true`: the connection is tested, as `melonsync check` does",
)];

#[derive(Template)]
#[template(path = "health.html")]
struct Page {
    frame: Frame,
    health: Health,
    standing: Standing,
    checked: Option<Checked>,
}

/// `GET /jobs/{job}/health`.
pub(super) async fn page(visit: Visit, query: Query) -> Response {
    let mut checked = None;
    if query.is("check") {
        // Not on a thread that may block: it asks both sides, and there are few.
        match visit.service.checked(visit.job()).await {
            Ok(found) => checked = Some(found),
            Err(error) => return frame::refused(&Problem::from(error)),
        }
    }
    let ask = move |visit: &Visit, frame: Frame| {
        let health = visit.service.health(visit.job())?;
        let json = format!("/api/v1/jobs/{}/health", filters::as_part(visit.job()));
        Ok(Page {
            frame: frame.titled("Health", "health", json),
            standing: standing::of(&health.status),
            health,
            checked,
        })
    };
    visit.show(ask).await
}

impl Level {
    /// The class of its looks.
    fn class(self) -> &'static str {
        match self {
            Self::Ok => "good",
            Self::Warn => "warn",
            Self::Fail => "bad",
        }
    }

    /// The word for it.
    fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

impl Page {
    /// The bytes of the store, as people read them.
    fn size(&self) -> Option<String> {
        let bytes = self.health.status.snapshot.as_ref()?.bytes;
        Some(match bytes {
            0..1_048_576 => format!("{} KiB", bytes.div_ceil(1024)),
            bytes => format!("{} MiB", bytes.div_ceil(1 << 20)),
        })
    }
}

impl Took {
    /// Each percentile in words.
    pub(super) fn shown(&self) -> Vec<(&'static str, String)> {
        let all = [
            ("half", self.p50_seconds),
            ("95 of 100", self.p95_seconds),
            ("99 of 100", self.p99_seconds),
        ];
        let all = all.into_iter();
        all.filter_map(|(which, seconds)| Some((which, filters::in_time(seconds?))))
            .collect()
    }
}

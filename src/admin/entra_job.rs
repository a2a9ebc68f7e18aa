//! Azure's own provisioning job, as the daemon's reader sees it, and the verdict over what was observed. Nothing here steers it.

use std::sync::Arc;
use std::time::Duration;

use super::answer;
use super::desk::Answered;
use super::desk::AtDesk;
use super::extract::Query;
use super::parameter::Kind;
use super::parameter::Parameter;
use super::parameter::of;
use super::parameter::text;
use crate::app::cycles::Asking;
use crate::app::cycles::NoWatcher;
use crate::app::entra_job;
use crate::app::entra_job::evidence::Vouched;
use crate::app::entra_job::verdict::Subject;
use crate::app::error::AppError;
use crate::app::install;
use crate::model::clock::Clock;
use crate::model::clock::SystemClock;

/// As far back goes the log where nothing is said, and as many entries are shown.
const DAY: Duration = Duration::from_secs(24 * 3600);
const ENTRIES: u64 = 50;
const MOST_ENTRIES: u64 = 1000;

/// What the log is asked for.
pub(super) const LOGS: &[Parameter] = &[
    of(
        Kind::Moment,
        "since",
        "from this moment on; a day ago where absent",
    ),
    of(Kind::Moment, "until", "until this moment; now where absent"),
    of(
        Kind::Number,
        "limit",
        "as many entries at most, up to 1000; 50 where absent",
    ),
];

/// What the verdict is asked for.
pub(super) const VERDICT: &[Parameter] = &[text(
    "confirm",
    "what whoever asks vouches for, with commas between: notify, second-token, differences, mapping",
)];

/// `GET /api/v1/jobs/{job}/entra-job`.
pub(super) async fn status(at: AtDesk) -> Answered {
    let settings = at.service.site().settings();
    let (name, job) = install::choose(&settings, Some(&at.job))?;
    let shown = entra_job::status(name, job).await?;
    answer::shown(at.form, move || Ok(shown)).await
}

/// `GET /api/v1/jobs/{job}/entra-job/logs`.
pub(super) async fn logs(at: AtDesk, query: Query) -> Answered {
    let settings = at.service.site().settings();
    let (name, job) = install::choose(&settings, Some(&at.job))?;
    let now = SystemClock.now();
    let since = query.moment("since").unwrap_or_else(|| now.minus(DAY));
    let within = (since, query.moment("until").unwrap_or(now));
    let most = query.number("limit")?.unwrap_or(ENTRIES).min(MOST_ENTRIES);
    let shown = entra_job::logs(name, job, within, usize::try_from(most).unwrap_or(usize::MAX)).await?;
    answer::shown(at.form, move || Ok(shown)).await
}

/// `GET /api/v1/jobs/{job}/entra-job/verdict`.
pub(super) async fn verdict(at: AtDesk, query: Query) -> Answered {
    let settings = at.service.site().settings();
    let ready = at.service.ready(&at.job)?;
    let words = query.one("confirm").unwrap_or_default();
    let words = words.split(',').map(str::trim).filter(|word| !word.is_empty());
    let vouched = words.map(Vouched::of).collect::<Result<_, String>>();
    let subject = Subject {
        settings: &settings,
        job: &ready.job,
        folder: at.service.site().folder(),
        vouched: vouched.map_err(|known| {
            AppError::usage(
                "`confirm` names something that nobody can vouch for",
                format!("name {known}"),
            )
        })?,
    };
    let asking = Asking {
        id: None,
        actor: at.actor.clone(),
        stop: at.service.stop().child_token(),
        watcher: Arc::new(NoWatcher),
    };
    let shown = entra_job::verdict::verdict(&subject, asking).await?;
    answer::shown(at.form, move || Ok(shown)).await
}

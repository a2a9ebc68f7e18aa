//! A job checked as the daemon has it: with its secrets, and over its snapshot.

use super::answer;
use super::desk::Answered;
use super::desk::AtDesk;
use super::extract::Query;

/// `GET /api/v1/jobs/{job}/check`. `settings`: refused where the caller's own are others.
pub(super) async fn check(at: AtDesk, query: Query) -> Answered {
    at.service
        .same_settings(&at.job, query.one("settings").as_deref())?;
    // Not on a thread that may block: it asks both sides, and there are few.
    let checked = at.service.checked(&at.job).await?;
    answer::shown(at.form, move || Ok(checked)).await
}

//! A job checked as the daemon has it: with its secrets, and over its snapshot.

use super::answer;
use super::desk::Answered;
use super::desk::AtDesk;
use super::extract::Query;
use crate::app::check;
use crate::app::check::Subject;
use crate::app::install;

/// `GET /api/v1/jobs/{job}/check`. `settings`: refused where the caller's own are others.
pub(super) async fn check(at: AtDesk, query: Query) -> Answered {
    at.service
        .same_settings(&at.job, query.one("settings").as_deref())?;
    let site = at.service.site();
    let settings = site.settings();
    let (name, job) = install::choose(&settings, Some(&at.job))?;
    let snapshot = site.there(name)?;
    let subject = Subject {
        config: site.config(),
        settings: &settings,
        name,
        job,
        held: snapshot.as_ref(),
    };
    // Not on a thread that may block: it asks both sides, and there are few.
    let checked = check::check(&subject).await;
    answer::shown(at.form, move || Ok(checked)).await
}

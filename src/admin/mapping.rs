//! The mapping in force, and one expression tried.

use super::desk::Answered;
use super::desk::AtDesk;
use super::extract::Json;
use crate::app::install;
use crate::app::mapping::person;
use crate::app::mapping::person::TestRequest;
use crate::app::mapping::show;

/// `GET /api/v1/jobs/{job}/mapping`.
pub(super) async fn mapping(at: AtDesk) -> Answered {
    let settings = at.service.site().settings();
    at.show(move |desk| {
        let (_, job) = install::choose(&settings, Some(&desk.job))?;
        Ok(show::show(&desk.job, &*desk.mapping()?, &job.source.rules))
    })
    .await
}

/// `POST /api/v1/jobs/{job}/mapping/test`.
pub(super) async fn test(at: AtDesk, Json(wanted): Json<TestRequest>) -> Answered {
    at.show(move |desk| person::test(desk, &wanted)).await
}

//! The objects of a job, searched on the server and shown by pages.

use askama::Template;
use axum::response::Response;

use super::filters;
use super::frame;
use super::frame::Frame;
use super::visit::Visit;
use crate::admin::extract::Query;
use crate::admin::listings;
use crate::admin::parameter::Parameter;
use crate::admin::parameter::id;
use crate::admin::parameter::text;
use crate::app::views::objects;
use crate::app::views::objects::Objects;
use crate::app::views::objects::State;

/// As many objects as a page has.
const ON_A_PAGE: usize = 100;

/// What the page is asked for: as its document.
pub(super) const QUERY: &[Parameter] = &[
    text(
        "query",
        "only those with this in their id, UPN, mail or display name",
    ),
    text("state", "only those that stand so"),
    text("kind", "user or group"),
    id("after", "`next` of the page before"),
];

#[derive(Template)]
#[template(path = "objects.html")]
struct Listed {
    frame: Frame,
    found: Objects,
    query: String,
    state: String,
    kind: &'static str,
    states: [&'static str; State::ALL.len()],
    /// The query of this page without its place, to go on with.
    same: String,
}

/// `GET /jobs/{job}/objects`.
pub(super) async fn page(visit: Visit, query: Query) -> Response {
    // An empty field of the form is one that was not filled in.
    let query = query.filled();
    let wanted = match listings::wanted(&query) {
        Ok(wanted) => wanted,
        Err(problem) => return frame::refused(&problem),
    };
    let ask = move |visit: &Visit, frame: Frame| {
        let desk = visit.desk()?;
        let wanted = wanted.at(&desk);
        let found = objects::objects(&desk.snapshot, &desk.job, &wanted, ON_A_PAGE, desk.now)?;
        let given = |name: &str| query.one(name).unwrap_or_default();
        let json = format!(
            "/api/v1/jobs/{}/objects?{}",
            filters::as_part(visit.job()),
            query.without("")
        );
        Ok(Listed {
            frame: frame.titled("People and groups", "objects", json),
            found,
            query: given("query"),
            state: given("state"),
            kind: wanted.kind.word(),
            states: State::ALL.map(State::word),
            same: query.without("after"),
        })
    };
    visit.show(ask).await
}

//! The history: who did what, when, before and after, why, and how it ended. Its filters are the address of the page.

use askama::Template;
use axum::response::Response;

use super::filters;
use super::frame;
use super::frame::Frame;
use super::visit::Visit;
use crate::admin::extract::Query;
use crate::admin::parameter::Kind;
use crate::admin::parameter::Parameter;
use crate::admin::parameter::id;
use crate::admin::parameter::of;
use crate::admin::parameter::text;
use crate::admin::views;
use crate::app::views::history;
use crate::app::views::history::HistoryPage;

/// As many entries as a page has.
const ON_A_PAGE: usize = 100;

/// What the page is asked for: as its document.
pub(super) const QUERY: &[Parameter] = &[
    text(
        "object",
        "only entries of this object: an id, or any name that it ever had",
    ),
    text("operation", "only entries of this operation"),
    text("actor", "only entries of this actor"),
    text("result", "only entries with this result"),
    text("since", "only entries from this moment on"),
    text("until", "only entries before this moment"),
    id("cycle", "only entries of this cycle"),
    of(Kind::Number, "after", "`next` of the page before"),
];

#[derive(Template)]
#[template(path = "history.html")]
struct Past {
    frame: Frame,
    job: String,
    page: HistoryPage,
    /// The filters as they are filled in: name, label, value.
    fields: Vec<(&'static str, &'static str, String)>,
    /// The query of this page without its place.
    same: String,
}

/// `GET /jobs/{job}/history`.
pub(super) async fn page(visit: Visit, query: Query) -> Response {
    let query = query.filled();
    let wanted = views::wanted(&query).and_then(|wanted| Ok((wanted, query.number("after")?)));
    let (wanted, after) = match wanted {
        Ok(wanted) => wanted,
        Err(problem) => return frame::refused(&problem),
    };
    let ask = move |visit: &Visit, frame: Frame| {
        let desk = visit.desk()?;
        let history = history::history(&desk.snapshot, &desk.job, wanted)?;
        let page = history.page_newest(&desk.job, after, ON_A_PAGE)?;
        let labels = [
            ("object", "Who or what"),
            ("operation", "Operation"),
            ("actor", "By"),
            ("result", "Result"),
            ("since", "Since"),
            ("until", "Until"),
        ];
        let json = format!(
            "/api/v1/jobs/{}/history?newest=true&{}",
            filters::as_part(visit.job()),
            query.without("")
        );
        Ok(Past {
            frame: frame.titled("History", "history", json),
            job: desk.job.clone(),
            page,
            fields: labels
                .map(|(name, label)| (name, label, query.one(name).unwrap_or_default()))
                .to_vec(),
            same: query.without("after"),
        })
    };
    visit.show(ask).await
}

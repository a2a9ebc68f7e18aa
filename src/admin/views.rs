//! What is asked: each is the view of `app/views/` that the command prints.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use serde::Serialize;

use super::answer;
use super::answer::Form;
use super::caller::Caller;
use super::desk::Answered;
use super::desk::AtDesk;
use super::desk::OfId;
use super::extract::Json;
use super::extract::Path;
use super::extract::Query;
use super::parameter::Kind;
use super::parameter::Parameter;
use super::parameter::id;
use super::parameter::of;
use super::parameter::text;
use super::problem::Problem;
use crate::app::preview::Preview;
use crate::app::preview::PreviewRequest;
use crate::app::service::Service;
use crate::app::views::active;
use crate::app::views::changes;
use crate::app::views::drift;
use crate::app::views::escrow;
use crate::app::views::explain::Asked;
use crate::app::views::history;
use crate::app::views::history::HistoryEntry;
use crate::app::views::history::HistoryPage;
use crate::app::views::history::Wanted;
use crate::app::views::holds;
use crate::app::views::timeline;
use crate::app::views::withheld;
use crate::app::words;

/// `GET /api/v1/jobs?job=`: all, or the one that is named.
pub(super) async fn jobs(
    _caller: Caller,
    State(service): State<Arc<Service>>,
    query: Query,
    headers: HeaderMap,
) -> Answered {
    let ask = move || service.status(query.one("job").as_deref());
    answer::view(&headers, ask).await
}

/// `GET /api/v1/jobs/{job}`.
pub(super) async fn job(at: AtDesk) -> Answered {
    let ask = move || Ok(at.service.status(Some(&at.job))?.jobs.remove(0));
    answer::shown(at.form, ask).await
}

/// `GET /api/v1/jobs/{job}/health`.
pub(super) async fn health(at: AtDesk) -> Answered {
    let ask = move || Ok(answer::document(&at.service.health(&at.job)?));
    Ok(answer::of(Form::Json, answer::blocking(ask).await?))
}

/// `GET /api/v1/jobs/{job}/withheld?object=&reason=`.
pub(super) async fn withheld(at: AtDesk, query: Query) -> Answered {
    at.show(move |desk| withheld::withheld(desk, &query.all("object"), query.one("reason").as_deref()))
        .await
}

/// `GET /api/v1/jobs/{job}/holds`.
pub(super) async fn holds(at: AtDesk) -> Answered {
    at.show(holds::holds).await
}

/// `GET /api/v1/jobs/{job}/escrow?object=`.
pub(super) async fn escrow(at: AtDesk, query: Query) -> Answered {
    at.show(move |desk| escrow::escrow(desk, query.one("object").as_deref()))
        .await
}

/// `GET /api/v1/jobs/{job}/drift`, as the last reading found it; `healed=true`: what healing left, in words.
pub(super) async fn drift(at: AtDesk, query: Query) -> Answered {
    let (form, healed) = (at.form, query.is("healed"));
    let text = answer::blocking(move || {
        let desk = at.open()?;
        let found = drift::drift(&desk.snapshot, &desk.job)?;
        Ok(match form {
            Form::Words => words::drift::text(&found, healed),
            Form::Json | Form::Stream => answer::document(&found),
        })
    });
    Ok(answer::of(form, text.await?))
}

/// `GET /api/v1/jobs/{job}/objects/{id}/explain`. `settings`: refused where the caller's own are others.
pub(super) async fn explain(at: AtDesk, Path(OfId { id }): Path<OfId>, query: Query) -> Answered {
    at.service
        .same_settings(&at.job, query.one("settings").as_deref())?;
    Box::pin(explained(at, asked_of(id, &query), None)).await
}

fn asked_of(object: String, query: &Query) -> Asked {
    Asked {
        object,
        in_group: query.one("in"),
        details: query.is("details"),
    }
}

/// `POST /api/v1/jobs/{job}/objects/{id}/explain`: as it would be by other rules.
pub(super) async fn explain_by(
    at: AtDesk,
    Path(OfId { id }): Path<OfId>,
    query: Query,
    Json(own): Json<PreviewRequest>,
) -> Answered {
    let find = move || Ok((at.service.preview(&at.job, own)?, at));
    let (rules, at) = answer::blocking(find).await?;
    Box::pin(explained(at, asked_of(id, &query), Some(rules))).await
}

async fn explained(at: AtDesk, asked: Asked, rules: Option<Preview>) -> Answered {
    // Not on a thread that may block: it asks for those itself, and there are few.
    let explained = at
        .service
        .explained(&at.job, &asked, rules.as_ref(), at.actor)
        .await?;
    answer::shown(at.form, move || Ok(explained)).await
}

/// As many entries of the history as a page has, at most and where nothing is said.
const MOST_ENTRIES: u64 = 1000;
const ENTRIES: u64 = 100;

/// What the history is asked for.
pub(super) const HISTORY: &[Parameter] = &[
    of(
        Kind::Number,
        "limit",
        "as many entries as the page has, 1000 at most",
    ),
    of(Kind::Number, "after", "`next` of the page before"),
    of(
        Kind::Flag,
        "newest",
        "`true`: newest first; `next` goes on to older ones",
    ),
    of(Kind::Flag, "words", "`true`: each entry in words too"),
    text(
        "object",
        "only entries of this object: an id, or any name that it ever had",
    ),
    id("cycle", "only entries of this cycle"),
    of(Kind::Moment, "since", "only entries from this moment on"),
    of(Kind::Moment, "until", "only entries before this moment"),
    text("operation", "only entries of this operation"),
    text("actor", "only entries of this actor"),
    text("result", "only entries with this result"),
];

/// A page of the history, with its entries in words where they are asked for.
#[derive(Serialize)]
struct Page<'p> {
    entries: &'p [HistoryEntry],
    job: &'p str,
    next: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<Vec<String>>,
}

/// `GET /api/v1/jobs/{job}/history`: oldest first, or with `newest` newest first; `after` is `next` of the page before.
pub(super) async fn history(at: AtDesk, query: Query) -> Answered {
    let limit = limit(&query)?;
    let from = query.number("after")?;
    let is = |name: &str| query.is(name);
    let (form, in_words, newest) = (at.form, is("words"), is("newest"));
    let wanted = wanted(&query)?;
    let text = answer::blocking(move || {
        let desk = at.open()?;
        let history = history::history(&desk.snapshot, &desk.job, wanted)?;
        let page: HistoryPage = if newest {
            history.page_newest(&desk.job, from, limit)?
        } else {
            history.page(&desk.job, from.unwrap_or_default(), limit)?
        };
        let each = || page.entries.iter().map(words::history::entry);
        Ok(match form {
            Form::Words => each().collect(),
            Form::Json | Form::Stream => answer::document(&Page {
                entries: &page.entries,
                job: &page.job,
                next: page.next,
                words: in_words.then(|| each().collect()),
            }),
        })
    });
    Ok(answer::of(form, text.await?))
}

/// Which entries are asked for.
pub(super) fn wanted(query: &Query) -> Result<Wanted, Problem> {
    const NAMES: [&str; 7] = [
        "object",
        "cycle",
        "since",
        "until",
        "operation",
        "actor",
        "result",
    ];
    let given = NAMES
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), query.one(name)?.into())));
    let given = serde_json::Value::Object(given.collect());
    serde_json::from_value(given)
        .map_err(|cause| Problem::usage("the query is not what this route takes", cause.to_string()))
}

/// What the timeline is asked for.
pub(super) const TIMELINE: &[Parameter] = &[
    of(
        Kind::Number,
        "limit",
        "as many events as the page has, 1000 at most",
    ),
    of(
        Kind::Moment,
        "before",
        "only what happened before this moment: `next` of the page before",
    ),
];

/// `GET /api/v1/jobs/{job}/timeline`: newest first; `before` is `next` of the page before.
pub(super) async fn timeline(at: AtDesk, query: Query) -> Answered {
    let limit = limit(&query)?;
    let before = query.moment("before");
    at.show(move |desk| timeline::timeline(&desk.snapshot, &desk.job, limit, before))
        .await
}

/// What a summary of the history is asked for.
pub(super) const CHANGES: &[Parameter] = &[
    of(Kind::Moment, "since", "only entries from this moment on"),
    of(Kind::Moment, "until", "only entries up to this moment"),
];

/// `GET /api/v1/jobs/{job}/history/summary`.
pub(super) async fn changes(at: AtDesk, query: Query) -> Answered {
    let (since, until) = (query.moment("since"), query.moment("until"));
    at.show(move |desk| changes::changes(&desk.snapshot, &desk.job, since, until))
        .await
}

/// What the list of active users is asked for.
pub(super) const ACTIVE: &[Parameter] = &[
    of(Kind::Moment, "from", "from this moment on; now where absent"),
    of(Kind::Moment, "to", "up to this moment; at `from` where absent"),
    of(
        Kind::Number,
        "limit",
        "as many users as are listed; all where absent",
    ),
];

/// `GET /api/v1/jobs/{job}/history/active`.
pub(super) async fn active(at: AtDesk, query: Query) -> Answered {
    let within = (query.moment("from"), query.moment("to"));
    let limit = query
        .number("limit")?
        .map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    at.show(move |desk| active::active(&desk.snapshot, &desk.job, within, limit))
        .await
}

/// As many as a page has.
fn limit(query: &Query) -> Result<usize, Problem> {
    let limit = query.number("limit")?.unwrap_or(ENTRIES).clamp(1, MOST_ENTRIES);
    Ok(usize::try_from(limit).unwrap_or(usize::MAX))
}

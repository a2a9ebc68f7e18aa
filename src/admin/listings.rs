//! Lists by pages: objects, cycles; and one cycle.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use serde::Serialize;

use super::answer;
use super::answer::Form;
use super::caller::Caller;
use super::desk::Answered;
use super::desk::AtDesk;
use super::desk::OfId;
use super::extract::Path;
use super::extract::Query;
use super::parameter::Kind;
use super::parameter::Parameter;
use super::parameter::id;
use super::parameter::of;
use super::parameter::text;
use super::problem::Problem;
use super::stream;
use super::stream::Reply;
use crate::app::service::CycleState;
use crate::app::service::Service;
use crate::app::views::cycles;
use crate::app::views::objects;
use crate::app::views::objects::After;
use crate::app::views::objects::State as Standing;
use crate::app::views::objects::Wanted;
use crate::app::words;
use crate::app::words::Words;
use crate::model::id::CycleId;
use crate::model::id::ObjectKind;

/// As many objects as a page has, at most and where nothing is said.
const MOST_OBJECTS: u64 = 1000;
const OBJECTS: u64 = 100;

/// What objects are asked for.
pub(super) const OBJECTS_QUERY: &[Parameter] = &[
    text(
        "query",
        "only those with this in their id, UPN, mail or display name",
    ),
    text("state", "only those that stand so, as `melonsync list` names it"),
    text("kind", "user or group; users where nothing is said"),
    of(Kind::Number, "limit", "as many as the page has, 1000 at most"),
    id("after", "`next` of the page before"),
    of(Kind::Flag, "words", "`true`: each object in words too"),
];

/// What cycles are asked for.
pub(super) const CYCLES_QUERY: &[Parameter] = &[
    of(
        Kind::Number,
        "limit",
        "at most so many; all where nothing is said",
    ),
    text("before", "only those that are older than this one"),
];

/// A page of objects, with each in words where they are asked for.
#[derive(Serialize)]
struct Page {
    #[serde(flatten)]
    objects: objects::Objects,
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<Vec<String>>,
}

impl Words for Page {
    fn words(&self) -> String {
        self.objects.words()
    }
}

/// `GET /api/v1/jobs/{job}/objects`: by their ids; `after` is `next` of the page before.
pub(super) async fn objects(at: AtDesk, query: Query) -> Answered {
    let limit = query.number("limit")?.unwrap_or(OBJECTS).clamp(1, MOST_OBJECTS);
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let in_words = query.is("words");
    let wanted = wanted(&query)?;
    at.show(move |desk| {
        let wanted = wanted.at(desk);
        let objects = objects::objects(&desk.snapshot, &desk.job, &wanted, limit, desk.now)?;
        let words = in_words.then(|| objects.objects.iter().map(words::objects::line).collect());
        Ok(Page { objects, words })
    })
    .await
}

/// Which objects a query asks for.
pub(super) fn wanted(query: &Query) -> Result<Wanted, Problem> {
    let refused = |name: &str, known: &str| Problem::usage(&format!("`{name}` is none"), known.to_owned());
    let kind = match query.one("kind").as_deref() {
        None | Some("user") => ObjectKind::User,
        Some("group") => ObjectKind::Group,
        Some(_) => return Err(refused("kind", "it is user or group")),
    };
    let states = || Standing::ALL.map(Standing::word).join(", ");
    let state = query.one("state").map(|word| {
        let state = Standing::named(&word);
        state.ok_or_else(|| refused("state", &format!("it is one of {}", states())))
    });
    let state = state.transpose()?;
    let after = query.one("after").map(|text| {
        let after = After::named(&text, state);
        after.ok_or_else(|| refused("after", "it is `next` of the page before"))
    });
    Ok(Wanted {
        kind,
        state,
        search: query.one("query"),
        after: after.transpose()?,
        enrolled_group: None,
    })
}

/// `GET /api/v1/jobs/{job}/cycles`: newest first; those before the one that `before` names.
pub(super) async fn cycles(at: AtDesk, query: Query) -> Answered {
    let limit = query
        .number("limit")?
        .map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX));
    let before = query.one("before");
    at.show(move |desk| cycles::cycles(&desk.snapshot, &desk.job, limit, before.as_deref()))
        .await
}

/// `GET /api/v1/cycles/{id}`: an order or a cycle of this daemon, as long as it remembers it; else a cycle that is over, as a
/// job keeps it.
pub(super) async fn cycle(
    _caller: Caller,
    State(service): State<Arc<Service>>,
    Path(OfId { id }): Path<OfId>,
    reply: Reply,
) -> Result<Response, Problem> {
    let tracked = id.parse().ok().and_then(|id| service.track(CycleId(id)));
    match (tracked, reply.form) {
        (Some(track), Form::Stream) => Ok(stream::of(track, None, reply)),
        (Some(track), _) => {
            let state = CycleState::of(&track);
            Ok(answer::of(Form::Json, answer::document(&state)))
        }
        (None, _) => {
            let kept = answer::blocking(move || service.kept(&id)).await?;
            Ok(answer::of(Form::Json, answer::document(&kept)))
        }
    }
}

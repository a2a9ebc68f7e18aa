//! Plans: made as an order, and fetched.

use std::fs::File;
use std::io;
use std::io::Seek;
use std::sync::Arc;

use axum::extract::State;

use super::answer;
use super::answer::Form as Shape;
use super::caller::Caller;
use super::desk::Answered;
use super::desk::AtDesk;
use super::desk::OfId;
use super::extract::Json;
use super::extract::Path;
use super::extract::Query;
use super::orders;
use super::parameter::Kind;
use super::parameter::Parameter;
use super::parameter::of;
use super::parameter::text;
use super::problem::Problem;
use super::state;
use super::stream;
use super::stream::Reply;
use crate::app::error::AppError;
use crate::app::plans;
use crate::app::plans::Form;
use crate::app::plans::Sheet;
use crate::app::preview::PreviewRequest;
use crate::app::service::Service;
use crate::app::service::answer::Answer;
use crate::app::service::order::Ask;
use crate::app::service::order::Work;
use crate::app::service::track::Standing;
use crate::app::text::summary;
use crate::engine::summary::Summary;
use crate::model::id::CycleId;

/// The forms of a plan, its parts, and the events of its making.
pub(super) const FORMS: &[&str] = &[
    "application/json",
    "text/plain; charset=utf-8",
    "text/csv; charset=utf-8",
    "text/html; charset=utf-8",
    "application/octet-stream",
    "text/event-stream",
];

/// What a plan is asked for.
pub(super) const PLAN_QUERY: &[Parameter] = &[
    of(
        Kind::Flag,
        "full",
        "`true`: the target is read back, and everything is planned",
    ),
    of(Kind::Texts, "format", FORMAT),
    text(
        "settings",
        "what the caller's own settings come to: refused where the daemon's are others",
    ),
    text("out", "where the caller keeps it: it is only noted"),
];

/// What a preview is asked for.
pub(super) const PREVIEW_QUERY: &[Parameter] = &[
    of(
        Kind::Flag,
        "full",
        "`true`: the target is read back, and everything is planned",
    ),
    of(Kind::Texts, "format", FORMAT),
    text("out", "where the caller keeps it: it is only noted"),
];

/// What is fetched of a plan.
pub(super) const MADE_QUERY: &[Parameter] = &[
    of(Kind::Texts, "format", FORMAT),
    text(
        "part",
        "operations, omitted or saved: a part of it, as `melonsync plan` fetches it",
    ),
];

const FORMAT: &str = "text, json, csv or html; with events it may be given more than once";

/// `GET /api/v1/jobs/{job}/plan`: an order, followed to its end; the answer is the plan. With its events as the answer, the plan
/// is fetched from its cycle afterwards.
pub(super) async fn plan(at: AtDesk, query: Query, reply: Reply) -> Answered {
    at.service
        .same_settings(&at.job, query.one("settings").as_deref())?;
    let mut forms = forms(&query)?;
    if forms.is_empty() {
        forms.push(if at.form == Shape::Words {
            Form::Text
        } else {
            Form::Json
        });
    }
    let form = forms[0];
    let full = query.is("full");
    let ask = Ask::by(Work::Plan { full, forms }, &at.actor);
    let (ticket, track) = at.service.order(&at.job, ask)?;
    let shape = at.form;
    if let Some(out) = query.one("out") {
        let note = move || {
            let place = state::place(Some(out.as_str()));
            at.open()?.note_copy("plan", std::path::Path::new(place))
        };
        answer::blocking(note).await?;
    }
    if shape == Shape::Stream {
        return Ok(stream::of(track, Some(ticket), reply));
    }
    let ended = track.ended().await;
    whole(&ended, form).await
}

/// `POST /api/v1/jobs/{job}/preview`: an order for the plan of a job by other rules, which is fetched from its cycle.
pub(super) async fn preview(
    at: AtDesk,
    query: Query,
    reply: Reply,
    Json(asked): Json<PreviewRequest>,
) -> Answered {
    let mut forms = forms(&query)?;
    if forms.is_empty() {
        forms.push(Form::Json);
    }
    let out = query.one("out");
    let (full, saves) = (query.is("full"), out.is_some());
    let find = move || {
        let rules = at.service.preview(&at.job, asked)?;
        if let Some(out) = out {
            let place = state::place(Some(out.as_str()));
            at.open()?.note_copy("plan", std::path::Path::new(place))?;
        }
        Ok((at, rules))
    };
    let (at, rules) = answer::blocking(find).await?;
    let work = Work::Preview {
        rules: Arc::new(rules),
        full,
        forms,
        saves,
        contrasts: false,
    };
    orders::taken(&at.service, &at.job, &at.actor, work, reply)
}

fn forms(query: &Query) -> Result<Vec<Form>, Problem> {
    let named = |word: String| {
        let known = Form::ALL.map(Form::word).join(", ");
        Form::named(&word).ok_or_else(|| Problem::usage("`format` is none", format!("it is one of {known}")))
    };
    query.all("format").into_iter().map(named).collect()
}

/// `GET /api/v1/cycles/{id}/plan`: the plan in a form that it was made in, whole, or the `part` of it that is asked for.
pub(super) async fn made(
    _caller: Caller,
    State(service): State<Arc<Service>>,
    Path(OfId { id }): Path<OfId>,
    query: Query,
) -> Answered {
    let form = forms(&query)?.pop().unwrap_or(Form::Json);
    let track = id.parse().ok().and_then(|id| service.track(CycleId(id)));
    let track = track.ok_or_else(not_kept)?;
    let Standing::Ended(ended) = track.standing().borrow().clone() else {
        return Err(not_kept().into());
    };
    match query.one("part").as_deref() {
        None => whole(&ended, form).await,
        Some("operations") => part(&sheet(&ended, form)?.1.operations),
        Some("omitted") => part(&sheet(&ended, form)?.1.omitted),
        Some("saved") => {
            let origin = ended.made.as_ref().and_then(|made| made.origin.as_ref());
            let origin = origin.ok_or_else(not_kept)?;
            Ok(answer::of(Shape::Json, answer::document(origin)))
        }
        Some(_) => Err(Problem::usage(
            "`part` is none",
            "it is operations, omitted or saved".to_owned(),
        )),
    }
}

fn part(part: &plans::Part) -> Answered {
    let file = part
        .file()
        .try_clone()
        .map_err(|error| plans::temporary(&error))?;
    Ok(answer::file("application/octet-stream", file, 0)?)
}

fn sheet(ended: &Answer, form: Form) -> Result<(&Summary, Sheet), AppError> {
    if let Some(error) = &ended.error {
        return Err(error.clone());
    }
    let sheet = ended.made.as_ref().and_then(|made| made.sheet(form));
    ended.summary.as_ref().zip(sheet).ok_or_else(not_kept)
}

fn not_kept() -> AppError {
    AppError::absent(
        "no such plan is kept, or it is still being made",
        "make it again: the last four of a job are kept, in the forms that they were made in",
    )
}

/// The whole plan, put together in a file of its own.
async fn whole(ended: &Answer, form: Form) -> Answered {
    let (done, sheet) = sheet(ended, form)?;
    let (kind, done) = (kind(form), done.clone());
    let put_together = move || {
        let make = || -> io::Result<File> {
            let mut file = tempfile::tempfile()?;
            let (first, last) = (summary::plan_head(&done), summary::plan(&done));
            let shown = sheet.shown(&done, &plans::Shape::default(), (&first, &last));
            io::copy(&mut shown?, &mut file)?;
            file.rewind()?;
            Ok(file)
        };
        make().map_err(|error| plans::temporary(&error))
    };
    let file = answer::blocking(put_together).await?;
    Ok(answer::file(kind, file, 0)?)
}

const fn kind(form: Form) -> &'static str {
    match form {
        Form::Text => "text/plain; charset=utf-8",
        Form::Json => "application/json",
        Form::Csv => "text/csv; charset=utf-8",
        Form::Html => "text/html; charset=utf-8",
    }
}

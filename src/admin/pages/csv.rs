//! Tables for spreadsheets: each is what its page shows, whole, whatever page of it is looked at.
//!
//! Guarantees: no cell is a formula, nothing unseen is in one, and a list of people or a history of any length needs no memory: it is
//! written to a temporary file, and sent from there. An error before its end is an answer of its own, and no half of a table.

use std::io::BufWriter;
use std::io::Seek;
use std::io::Write;

use axum::http::HeaderValue;
use axum::http::header::CONTENT_DISPOSITION;
use axum::response::Response;
use serde_json::Value as Json;

use super::frame;
use super::history;
use super::objects;
use super::visit::Visit;
use crate::admin::answer;
use crate::admin::extract::Query;
use crate::admin::listings;
use crate::admin::parameter::Parameter;
use crate::admin::problem::Problem;
use crate::admin::views;
use crate::app::error::AppError;
use crate::app::plans;
use crate::app::views::drift;
use crate::app::views::drift::DriftedMembers;
use crate::app::views::drift::DriftedObject;
use crate::app::views::escrow as waiting;
use crate::app::views::history as past;
use crate::app::views::objects as listed;
use crate::app::views::withheld as kept_back;
use crate::reconcile::operation::MEMBERS;

/// As [`objects::QUERY`].
pub(super) const OBJECTS: &[Parameter] = objects::QUERY;

/// As [`history::QUERY`].
pub(super) const HISTORY: &[Parameter] = history::QUERY;

/// The lines of a table, as they are written.
struct Lines(BufWriter<std::fs::File>);

impl Lines {
    fn line<const N: usize>(&mut self, cells: [&str; N]) -> Result<(), AppError> {
        let cells = cells.map(plans::cell).join(",");
        writeln!(self.0, "{cells}").map_err(|error| plans::temporary(&error))
    }
}

/// Makes a table where it may block, and sends it under this name.
async fn table<F>(visit: Visit, name: &'static str, write: F) -> Response
where
    F: FnOnce(&Visit, &mut Lines) -> Result<(), AppError> + Send + 'static,
{
    let made = answer::blocking(move || {
        let file = tempfile::tempfile().map_err(|error| plans::temporary(&error))?;
        let mut lines = Lines(BufWriter::with_capacity(64 << 10, file));
        write(&visit, &mut lines)?;
        let file = lines.0.into_inner();
        let mut file = file.map_err(|error| plans::temporary(error.error()))?;
        file.rewind().map_err(|error| plans::temporary(&error))?;
        Ok(file)
    });
    let sent = made
        .await
        .and_then(|file| answer::file("text/csv; charset=utf-8", file, 0));
    match sent {
        Ok(mut response) => {
            let saved = HeaderValue::from_str(&format!("attachment; filename=\"{name}.csv\""));
            if let Ok(saved) = saved {
                response.headers_mut().insert(CONTENT_DISPOSITION, saved);
            }
            response
        }
        Err(error) => frame::refused(&Problem::from(error)),
    }
}

/// A value as a cell: a text as it is, anything else as JSON, nothing as nothing.
fn plain(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// `GET /jobs/{job}/objects.csv`.
pub(super) async fn objects(visit: Visit, query: Query) -> Response {
    let wanted = match listings::wanted(&query.filled()) {
        Ok(wanted) => wanted,
        Err(problem) => return frame::refused(&problem),
    };
    let write = move |visit: &Visit, lines: &mut Lines| {
        let desk = visit.desk()?;
        lines.line(["kind", "object", "name", "states", "resource"])?;
        let mut written = Ok(());
        listed::each(&desk.snapshot, &wanted, desk.now, |object| {
            let states: Vec<&str> = object.states.iter().map(|state| state.word()).collect();
            let id = object.object.map(|id| id.to_string()).unwrap_or_default();
            let states = states.join(" ");
            let resource = object.target.as_ref().map_or("", |target| target.as_str());
            written = lines.line([object.kind.word(), &id, &object.name, &states, resource]);
            written.is_ok()
        })?;
        written
    };
    table(visit, "objects", write).await
}

/// `GET /jobs/{job}/withheld.csv`.
pub(super) async fn withheld(visit: Visit, query: Query) -> Response {
    let write = move |visit: &Visit, lines: &mut Lines| {
        let list = kept_back::withheld(&visit.desk()?, &[], query.filled().one("reason").as_deref())?;
        lines.line([
            "reason",
            "operation",
            "object",
            "name",
            "count",
            "because",
            "why",
            "since",
            "released_by",
        ])?;
        for one in &list.withheld {
            lines.line([
                &one.reason,
                one.operation,
                &one.object.to_string(),
                &one.name,
                &one.count.to_string(),
                &one.because,
                &one.why,
                &one.since.to_string(),
                one.released_by.as_deref().unwrap_or_default(),
            ])?;
        }
        Ok(())
    };
    table(visit, "withheld", write).await
}

/// `GET /jobs/{job}/drift.csv`.
pub(super) async fn drift(visit: Visit) -> Response {
    let write = |visit: &Visit, lines: &mut Lines| {
        let desk = visit.desk()?;
        let found = drift::whole(&desk.snapshot, &desk.job)?;
        lines.line(["object", "name", "class", "attribute", "held", "wanted", "read"])?;
        for one in &found.objects {
            drifted(lines, one)?;
        }
        for one in &found.unmanaged {
            let name = one.name.as_deref().unwrap_or_default();
            lines.line(["", name, "unmanaged", "", &one.target.to_string(), "", ""])?;
        }
        Ok(())
    };
    table(visit, "drift", write).await
}

fn drifted(lines: &mut Lines, one: &DriftedObject) -> Result<(), AppError> {
    let (id, classes, read) = (
        one.object.to_string(),
        one.classes.join(" "),
        one.read.to_string(),
    );
    let mut line = |attribute: &str, held: &str, wanted: &str| {
        lines.line([&id, &one.name, &classes, attribute, held, wanted, &read])
    };
    for attribute in &one.attributes {
        line(
            &attribute.attribute,
            &plain(&attribute.held),
            &plain(&attribute.wanted),
        )?;
    }
    if one.extra.count > 0 {
        line(MEMBERS, &names(&one.extra), "")?;
    }
    if one.lacking.count > 0 {
        line(MEMBERS, "", &names(&one.lacking))?;
    }
    if one.attributes.is_empty() && one.extra.count + one.lacking.count == 0 {
        line("", "", "")?;
    }
    Ok(())
}

/// The members, as far as they are named.
fn names(members: &DriftedMembers) -> String {
    let more = members.count.saturating_sub(members.names.len() as u64);
    let names = members.names.join(", ");
    match more {
        0 => names,
        more => format!("{names} and {more} more"),
    }
}

/// `GET /jobs/{job}/escrow.csv`.
pub(super) async fn escrow(visit: Visit) -> Response {
    let write = |visit: &Visit, lines: &mut Lines| {
        let list = waiting::escrow(&visit.desk()?, None)?;
        lines.line([
            "object",
            "name",
            "operation",
            "attribute",
            "member",
            "error",
            "do",
            "failures",
            "since",
            "next_try",
        ])?;
        for one in &list.entries {
            let member = one.member.as_ref().map(|member| member.name.to_string());
            lines.line([
                &one.object.to_string(),
                one.name.as_deref().unwrap_or_default(),
                one.operation.as_ref(),
                one.attribute.as_deref().unwrap_or_default(),
                member.as_deref().unwrap_or_default(),
                &one.error,
                one.hint.as_ref(),
                &one.failures.to_string(),
                &one.since.to_string(),
                &one.next_try.map(|next| next.to_string()).unwrap_or_default(),
            ])?;
        }
        Ok(())
    };
    table(visit, "escrow", write).await
}

/// `GET /jobs/{job}/history.csv`: newest first, a line for each change of an entry.
pub(super) async fn history(visit: Visit, query: Query) -> Response {
    let query = query.filled();
    let wanted = views::wanted(&query).and_then(|wanted| Ok((wanted, query.number("after")?)));
    let (wanted, after) = match wanted {
        Ok(wanted) => wanted,
        Err(problem) => return frame::refused(&problem),
    };
    let write = move |visit: &Visit, lines: &mut Lines| {
        let desk = visit.desk()?;
        let history = past::history(&desk.snapshot, &desk.job, wanted)?;
        lines.line([
            "seq",
            "time",
            "actor",
            "operation",
            "result",
            "object",
            "name",
            "resource",
            "because",
            "detail",
            "cycle",
            "attribute",
            "before",
            "after",
        ])?;
        let mut written = Ok(());
        history.each_newest(after, |entry| {
            written = entry_lines(lines, &entry);
            written.is_ok()
        })?;
        written
    };
    table(visit, "history", write).await
}

fn entry_lines(lines: &mut Lines, entry: &past::HistoryEntry) -> Result<(), AppError> {
    let text = |value: Option<String>| value.unwrap_or_default();
    let (seq, time) = (entry.seq.to_string(), entry.time.to_string());
    let object = text(entry.object.map(|object| object.to_string()));
    let resource = text(entry.target.as_ref().map(ToString::to_string));
    let cycle = text(entry.cycle.map(|cycle| cycle.to_string()));
    let (name, detail) = (
        entry.named().unwrap_or_default(),
        entry.said().unwrap_or_default(),
    );
    let mut line = |[attribute, before, after]: [&str; 3]| {
        lines.line([
            &seq,
            &time,
            &entry.actor,
            &entry.operation,
            &entry.result,
            &object,
            name,
            &resource,
            &entry.because,
            detail,
            &cycle,
            attribute,
            before,
            after,
        ])
    };
    let changes = entry.changes.as_deref().unwrap_or_default();
    for change in changes {
        line([&change.attribute, &plain(&change.before), &plain(&change.after)])?;
    }
    if changes.is_empty() {
        line(["", "", ""])?;
    }
    Ok(())
}

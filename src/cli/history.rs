//! `history`: the audit log shown, exported, and an export checked.

use std::cell::RefCell;
use std::io::Write;
use std::path::Path;

use serde_json::json;

use super::args;
use super::args::Globals;
use super::args::HistoryAction;
use super::exit::Exit;
use super::report::Report;
use super::state;
use super::when;
use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::app::install;
use crate::files;
use crate::model::clock::Clock;
use crate::model::clock::SystemClock;
use crate::model::clock::Timestamp;
use crate::model::id::CycleId;
use crate::model::id::ObjectKind;
use crate::model::shown::shown;
use crate::model::shown::shown_json;
use crate::model::shown::shown_lines;
use crate::model::value::Value;
use crate::ports::StoreError;
use crate::reconcile::operation::MEMBERS;
use crate::reconcile::undo::ids_of;
use crate::snapshot::folder::StateFolder;
use crate::snapshot::history::Entry;
use crate::snapshot::history::Values;
use crate::snapshot::proof;
use crate::snapshot::query;
use crate::snapshot::query::Query;
use crate::snapshot::store::Snapshot;

/// Shows the history, or does what the subcommand says.
pub fn run(globals: &Globals, args: &args::History, report: &mut Report) -> Result<Exit, AppError> {
    match &args.action {
        None => show(globals, args, report),
        Some(HistoryAction::Export {
            job,
            since,
            until,
            out,
        }) => {
            let now = SystemClock.now();
            let since = moment("--since", since.as_deref(), now, false)?.unwrap_or(Timestamp(0));
            let until = moment("--until", until.as_deref(), now, true)?.unwrap_or(now);
            let (name, folder, snapshot) = snapshot(globals, job.as_deref())?;
            let done = export(&snapshot, &name, since, until, out, report)?;
            state::noted(&folder, &name, "history export", out)?;
            Ok(done)
        }
        Some(HistoryAction::Verify { dir }) => verify(dir, report),
    }
}

fn snapshot(globals: &Globals, job: Option<&str>) -> Result<(String, StateFolder, Snapshot), AppError> {
    let settings = install::settings(&globals.config, true)?;
    let (name, _) = install::choose(&settings, job)?;
    let folder = install::hold(&settings)?;
    let snapshot = state::known(&folder, name)?;
    Ok((name.to_owned(), folder, snapshot))
}

fn moment(flag: &str, text: Option<&str>, now: Timestamp, end: bool) -> Result<Option<Timestamp>, AppError> {
    text.map(|text| when::parse(flag, text, now, end)).transpose()
}

fn show(globals: &Globals, args: &args::History, report: &mut Report) -> Result<Exit, AppError> {
    let now = SystemClock.now();
    let mut query = Query {
        objects: None,
        cycle: args.cycle.map(CycleId),
        since: moment("--since", args.since.as_deref(), now, false)?,
        until: moment("--until", args.until.as_deref(), now, true)?,
        operation: args.operation.clone(),
        actor: args.actor.clone(),
        result: args.result.clone(),
    };
    let (name, _folder, snapshot) = snapshot(globals, args.job.as_deref())?;
    let failed = |error| install::store_failure(&error);
    if let Some(object) = &args.object {
        let found = snapshot.who_is(object).map_err(failed)?;
        if found.is_empty() {
            return Err(AppError::usage(
                format!(
                    "nobody is, or ever was, known as `{}` in job `{name}`",
                    shown(object)
                ),
                "give an object id, or a name, UPN or mail as it was at some time; what was erased or is older than \
                 `history_retention` cannot be found by name",
            ));
        }
        query.objects = Some(found);
    }
    let json = report.is_json();
    let out = RefCell::new(report.out());
    let mut count = 0u64;
    // Stdout swallows what nobody reads, so writing cannot fail.
    if json {
        let _ = write!(out.borrow_mut(), "{{\"job\":{},\"entries\":[", json!(name));
    }
    let walked = snapshot.search_history(&query, |entry, values| {
        let text = if json {
            let comma = if count > 0 { "," } else { "" };
            let document = document(&snapshot, entry, values)?;
            format!("{comma}{}", shown_json(&document.to_string()))
        } else {
            text(&snapshot, entry, values)?
        };
        count += 1;
        let _ = out.borrow_mut().write_all(shown_lines(&text).as_bytes());
        Ok(())
    });
    let end = match (json, count) {
        (true, _) => "]}\n",
        (false, 0) => "No entry in the history is like that.\n",
        (false, _) => "",
    };
    let _ = out.borrow_mut().write_all(end.as_bytes());
    let _ = out.borrow_mut().flush();
    walked.map_err(failed)?;
    Ok(Exit::Done)
}

/// An entry as programs read it, with the names that the ids have by now.
fn document(
    snapshot: &Snapshot,
    entry: &Entry,
    values: Option<&Values>,
) -> Result<serde_json::Value, StoreError> {
    let mut line = query::document(entry, values);
    if let (Some(kind), Some(id)) = (entry.kind, entry.object) {
        line["name"] = json!(snapshot.name_of(kind, &id)?);
    }
    for (at, change) in values.iter().flat_map(|values| values.changes.iter().enumerate()) {
        if change.attribute != MEMBERS {
            continue;
        }
        let mut members = Vec::new();
        for id in [ids_of(&change.before), ids_of(&change.after)].concat() {
            let name = snapshot.name_of(ObjectKind::User, &id)?;
            members.push(json!({"object": id.to_string(), "name": name}));
        }
        line["changes"][at]["members"] = json!(members);
    }
    Ok(line)
}

/// An entry as people read it: several lines.
fn text(snapshot: &Snapshot, entry: &Entry, values: Option<&Values>) -> Result<String, StoreError> {
    let object = match (entry.kind, entry.object) {
        (Some(kind), Some(id)) => match snapshot.name_of(kind, &id)? {
            Some(name) => format!("  {}  ({id})", shown(&name)),
            None => format!("  {id}"),
        },
        _ => String::new(),
    };
    let target = entry.target.as_ref();
    let target = target.map_or_else(String::new, |target| format!("  → {}", shown(target.as_str())));
    let verb = shown(&entry.operation).replace('_', " ");
    let result = match entry.result.as_str() {
        "done" => String::new(),
        other => format!("  {}", shown(other).to_uppercase()),
    };
    let cycle = entry
        .cycle
        .map_or_else(String::new, |cycle| format!(", cycle {cycle}"));
    let mut text = format!(
        "{}  {verb}{object}{target}{result}\n    by {}{cycle}\n",
        entry.time,
        shown(&entry.actor)
    );
    if !entry.reason.is_empty() {
        text += &format!("    because {}\n", shown(&entry.reason));
    }
    let Some(values) = values else {
        return Ok(text + "    (its values were erased)\n");
    };
    for change in &values.changes {
        text += &format!(
            "    {}: {}\n",
            shown(&change.attribute),
            arrow(&change.before, &change.after)
        );
    }
    if let Some(detail) = &values.detail {
        text += &format!("    detail: {}\n", shown(detail));
    }
    Ok(text)
}

fn arrow(before: &Value, after: &Value) -> String {
    match (before, after) {
        (Value::Null, after) => after.to_string(),
        (before, Value::Null) => format!("{before} → (removed)"),
        (before, after) => format!("{before} → {after}"),
    }
}

fn export(
    snapshot: &Snapshot,
    name: &str,
    since: Timestamp,
    until: Timestamp,
    out: &Path,
    report: &mut Report,
) -> Result<Exit, AppError> {
    let is_link = out.symlink_metadata().is_ok_and(|held| held.is_symlink());
    let theirs = matches!(files::looseness(out, false), Ok(Some(files::Loose::Owner(_))));
    if is_link || theirs {
        return Err(AppError::usage(
            format!("{} is a link, or somebody else's folder", out.display()),
            "name a folder of your own with --out, or one that does not exist",
        ));
    }
    if std::fs::read_dir(out).is_ok_and(|mut held| held.next().is_some()) {
        return Err(AppError::usage(
            format!("{} is not empty", out.display()),
            "name a folder with --out that is empty or does not exist; an export overwrites nothing",
        ));
    }
    let manifest =
        proof::export(snapshot, name, since, until, out).map_err(|error| install::store_failure(&error))?;
    if report.is_json() {
        report.json(
            &json!({"job": name, "action": "export", "entries": manifest.entries,
            "first": manifest.first, "next": manifest.next, "head": manifest.head,
            "folder": out.display().to_string()}),
        );
    } else {
        report.text(&format!(
            "{} entries of job `{name}` are in {}, with the chain up to its head {}\n\
             `melonsync history verify {}` checks them anywhere.",
            manifest.entries,
            out.display(),
            manifest.head,
            out.display()
        ));
    }
    Ok(Exit::Done)
}

fn verify(dir: &Path, report: &mut Report) -> Result<Exit, AppError> {
    let checked = proof::verify(dir).map_err(|error| {
        let advice = "name a folder that `melonsync history export --out DIR` wrote";
        AppError::new(ErrorKind::Failed, ErrorText::of(&error).advise(advice))
    })?;
    let manifest = &checked.manifest;
    let whole = checked.findings.is_empty();
    if report.is_json() {
        report.json(
            &json!({"ok": whole, "job": manifest.job, "entries": manifest.entries,
            "since": manifest.since.to_string(), "until": manifest.until.to_string(),
            "proven": checked.proven, "erased": checked.erased,
            "first": manifest.first, "next": manifest.next, "anchor": manifest.anchor, "head": manifest.head,
            "findings": checked.findings}),
        );
    } else {
        report.text(&format!(
            "{}: {} entries of job `{}` from {} to {}, {} with their values, {} erased\n\
             chain of entries {} to {}, head {}",
            if whole { "whole" } else { "altered" },
            manifest.entries,
            shown(&manifest.job),
            manifest.since,
            manifest.until,
            checked.proven,
            checked.erased,
            manifest.first,
            manifest.next.saturating_sub(1),
            manifest.head
        ));
        for finding in &checked.findings {
            report.text(&format!("wrong: {}", shown(finding)));
        }
        if whole {
            report.text(
                "Compare the head with the one that the log of the cycle names (history.head): it stands for every entry before it.",
            );
        }
    }
    if whole {
        return Ok(Exit::Done);
    }
    let altered = ErrorText {
        what: format!("{} is not what was exported", dir.display()),
        ..ErrorText::default()
    };
    Err(AppError::new(
        ErrorKind::Failed,
        altered.advise("export the history again, and find out who had access to the folder"),
    ))
}

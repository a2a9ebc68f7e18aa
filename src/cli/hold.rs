//! `hold`: changes to an object are planned and shown, and not sent.

use serde_json::json;

use super::args;
use super::args::Globals;
use super::args::HoldAction;
use super::exit::Exit;
use super::report::Report;
use crate::app::desk::Decision;
use crate::app::desk::Desk;
use crate::app::desk::Named;
use crate::app::error::AppError;
use crate::app::install;
use crate::mapping::Mapping;
use crate::mapping::TargetPath;
use crate::mapping::diagnostic::nearest;
use crate::model::id::ObjectKind;
use crate::model::shown::shown as printable;
use crate::reconcile::operation::MEMBERS;
use crate::snapshot::kept_back::Hold;
use crate::snapshot::kept_back::HoldCause;
use crate::snapshot::kept_back::KeptBackReads;
use crate::snapshot::record::DirtyCause;

/// Holds, lists or releases.
pub fn run(globals: &Globals, args: &args::Hold, report: &mut Report) -> Result<Exit, AppError> {
    match &args.action {
        None => hold(globals, args, report),
        Some(HoldAction::List { job }) => list(&Desk::open_job(&globals.config, job.as_deref())?, report),
        Some(HoldAction::Release { names, comment }) => {
            release(&Desk::open(&globals.config, names)?, comment.as_deref(), report)
        }
    }
}

fn hold(globals: &Globals, args: &args::Hold, report: &mut Report) -> Result<Exit, AppError> {
    let desk = Desk::open(&globals.config, &args.objects)?;
    let objects = named(&desk)?;
    if let Some(until) = args.until.filter(|until| *until <= desk.now) {
        return Err(AppError::usage(
            format!("--until {until} has passed"),
            "name a moment to come, or leave --until out: the hold then ends when it is released",
        ));
    }
    if let Some(path) = &args.attribute {
        let mapping = desk.mapping(&globals.config)?;
        for object in &objects {
            is_sent(&mapping, object, path)?;
        }
    }
    let what = match (&args.attribute, args.until) {
        (None, None) => "put on hold".to_owned(),
        (None, Some(until)) => format!("put on hold until {until}"),
        (Some(path), None) => format!("{path} put on hold"),
        (Some(path), Some(until)) => format!("{path} put on hold until {until}"),
    };
    let decisions: Vec<Decision<'_>> = objects
        .iter()
        .map(|object| decision(object, "hold", &what, args.comment.as_deref()))
        .collect();
    let hold = Hold {
        attribute: args.attribute.clone(),
        until: args.until,
        since: desk.now,
        actor: desk.actor.clone(),
        comment: args.comment.clone(),
        cause: HoldCause::Hand,
    };
    desk.decide(&decisions, |tx| {
        for object in &objects {
            tx.put_hold(object.kind, &object.id, &hold);
        }
        Ok(())
    })?;
    done(&desk, &objects, "hold", &what, report);
    Ok(Exit::Done)
}

/// Refuses an attribute that the mapping does not send for such an object: a hold of it would hold nothing, and say that it did.
fn is_sent(mapping: &Mapping, object: &Named, path: &str) -> Result<(), AppError> {
    let rows = mapping.rows(object.kind);
    let own = match object.kind {
        // Sent of each user, with or without a row.
        ObjectKind::User => TargetPath::active().as_str(),
        ObjectKind::Group => MEMBERS,
    };
    let known: Vec<&str> = rows.iter().map(|row| row.target.as_str()).chain([own]).collect();
    if known.iter().any(|known| known.eq_ignore_ascii_case(path)) {
        return Ok(());
    }
    // The attribute alone, where the mapping has parts of it; else a slip.
    let parts = rows
        .iter()
        .filter(|row| row.target.attribute().eq_ignore_ascii_case(path));
    let mut meant: Vec<&str> = parts.map(|row| row.target.as_str()).collect();
    meant.extend(nearest(path, known.iter().copied()).filter(|_| meant.is_empty()));
    let advice = if meant.is_empty() {
        format!("name one of: {}", known.join(", "))
    } else {
        format!(
            "did you mean `{}`? `melonsync mapping show` lists all of them",
            meant.join("`, `")
        )
    };
    let what = format!(
        "the mapping `{}` sends no `{}` for {}s: nothing would be held",
        mapping.name,
        printable(path),
        object.kind
    );
    Err(AppError::usage(what, advice))
}

fn named(desk: &Desk) -> Result<Vec<Named>, AppError> {
    if desk.names.is_empty() {
        return Err(AppError::usage(
            "no object is named",
            "name users or groups by object id, UPN, mail or display name",
        ));
    }
    desk.find(&desk.names)
}

fn release(desk: &Desk, comment: Option<&str>, report: &mut Report) -> Result<Exit, AppError> {
    let objects = named(desk)?;
    let holds = desk
        .snapshot
        .holds()
        .map_err(|error| install::store_failure(&error))?;
    let undone = desk
        .snapshot
        .all_undone()
        .map_err(|error| install::store_failure(&error))?;
    for object in &objects {
        let key = (object.kind, object.id);
        if !undone.contains(&key) && !holds.iter().any(|(kind, id, _)| (*kind, *id) == key) {
            return Err(AppError::usage(
                format!("{} {} is not on hold", object.kind, printable(&object.name)),
                "`melonsync hold list` shows what is",
            ));
        }
    }
    let what = "taken off hold";
    let decisions: Vec<Decision<'_>> = objects
        .iter()
        .map(|object| decision(object, "hold_release", what, comment))
        .collect();
    desk.decide(&decisions, |tx| {
        for (kind, id, hold) in &holds {
            if objects
                .iter()
                .any(|object| (object.kind, object.id) == (*kind, *id))
            {
                tx.delete_hold(*kind, id, hold.attribute.as_deref());
            }
        }
        for object in &objects {
            tx.put_undone(object.kind, &object.id, None);
            // What the source still asks for is looked at again.
            let cause = if undone.contains(&(object.kind, object.id)) {
                DirtyCause::MANUAL.and(DirtyCause::RELEASED)
            } else {
                DirtyCause::MANUAL
            };
            tx.mark_dirty(object.kind, &object.id, cause)?;
        }
        Ok(())
    })?;
    done(desk, &objects, "release", what, report);
    Ok(Exit::Done)
}

fn decision<'a>(object: &'a Named, verb: &'static str, what: &str, comment: Option<&'a str>) -> Decision<'a> {
    Decision {
        verb,
        object: Some(object),
        reason: what.to_owned(),
        comment,
    }
}

fn list(desk: &Desk, report: &mut Report) -> Result<Exit, AppError> {
    let holds = desk
        .snapshot
        .holds()
        .map_err(|error| install::store_failure(&error))?;
    let mut shown = Vec::new();
    for (kind, id, hold) in holds.into_iter().filter(|(_, _, hold)| hold.holds_at(desk.now)) {
        shown.push((desk.known(kind, id)?, hold));
    }
    let undone = desk
        .snapshot
        .all_undone()
        .map_err(|error| install::store_failure(&error))?;
    let undone: Vec<Named> = undone
        .into_iter()
        .map(|(kind, id)| desk.known(kind, id))
        .collect::<Result<_, _>>()?;
    if report.is_json() {
        let by_hand = shown.iter().map(|(object, hold)| {
            json!({
                "object": object.id.to_string(), "kind": object.kind, "name": object.name,
                "attribute": hold.attribute, "until": hold.until.map(|until| until.to_string()),
                "since": hold.since.to_string(), "actor": hold.actor, "comment": hold.comment,
                "cause": hold.cause.word(),
            })
        });
        let by_undo = undone.iter().map(|object| {
            json!({
                "object": object.id.to_string(), "kind": object.kind, "name": object.name, "cause": "undo",
            })
        });
        let list: Vec<_> = by_hand.chain(by_undo).collect();
        report.json(&json!({"job": desk.job, "holds": list}));
    } else if shown.is_empty() && undone.is_empty() {
        report.text("Nothing is on hold.");
    } else {
        for (object, hold) in shown {
            let attribute = hold
                .attribute
                .as_ref()
                .map_or_else(String::new, |path| format!(" {path}"));
            report.text(&format!(
                "{} {}  ({}){attribute}: {}",
                object.kind,
                printable(&object.name),
                object.id,
                printable(&hold.words())
            ));
        }
        for object in undone {
            report.text(&format!(
                "{} {}  ({}): taken back by an undo, until the source says something else",
                object.kind,
                printable(&object.name),
                object.id
            ));
        }
    }
    Ok(Exit::Done)
}

fn done(desk: &Desk, objects: &[Named], action: &str, what: &str, report: &mut Report) {
    if report.is_json() {
        let ids: Vec<String> = objects.iter().map(|object| object.id.to_string()).collect();
        return report.json(&json!({"job": desk.job, "action": action, "objects": ids}));
    }
    for object in objects {
        report.text(&format!(
            "{} {}  ({}): {what}",
            object.kind,
            printable(&object.name),
            object.id
        ));
    }
}

//! `escrow`: entries set aside after failures: shown, tried again, or left until something changes.

use std::collections::BTreeSet;

use serde_json::json;

use super::args::EscrowAction;
use super::args::EscrowDecision;
use super::args::EscrowObject;
use super::args::Globals;
use super::exit::Exit;
use super::report::Report;
use crate::app::desk::Decision;
use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::app::install;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::refusal::Refusal;
use crate::model::shown::shown as printable;
use crate::ports::StoreError;
use crate::reconcile::omission::IN_ESCROW;
use crate::snapshot::escrow;
use crate::snapshot::escrow::Entry;
use crate::snapshot::escrow::Escrowed;
use crate::snapshot::read::Reads;
use crate::snapshot::record::DirtyCause;
use crate::snapshot::refused;
use crate::snapshot::store::Snapshot;
use crate::snapshot::tx::Tx;

/// An entry, and a name of its object for people.
struct Named {
    entry: Entry,
    name: Option<String>,
    /// Where only parts of the object wait: each of them.
    parts: Vec<Waiting>,
}

/// A part of an object that waits alone: an attribute, or a member.
struct Waiting {
    refusal: Refusal,
    member: Option<(SourceId, String)>,
}

impl Waiting {
    /// The code of why it waits.
    fn reason(&self) -> &'static str {
        match self.member {
            Some(_) => "member_refused",
            None => "attribute_refused",
        }
    }
}

/// Carries out one of them. Each needs the state folder for itself.
pub fn run(globals: &Globals, action: &EscrowAction, report: &mut Report) -> Result<Exit, AppError> {
    let (job, chosen) = match action {
        EscrowAction::List(args) => list(globals, args)?,
        EscrowAction::Retry(args) => decide(
            globals,
            args,
            "escrow_retry",
            "let the next cycle try it",
            |tx, one| {
                // Marked by hand: it is due, whatever its gap.
                tx.reschedule_refusals(one.kind, &one.id, Some(Timestamp(0)))?;
                tx.mark_dirty(one.kind, &one.id, DirtyCause::MANUAL)
            },
        )?,
        EscrowAction::Drop(args) => decide(
            globals,
            args,
            "escrow_drop",
            "left until it changes",
            |tx, one| {
                // Without a next try: only a change makes it due.
                let mut escrowed = one.escrowed.clone();
                escrowed.next_try = None;
                tx.reschedule_refusals(one.kind, &one.id, None)?;
                tx.put_escrow(one.kind, &one.id, &escrowed)
            },
        )?,
    };
    show(&job, action, &chosen, report);
    Ok(Exit::Done)
}

fn list(globals: &Globals, args: &EscrowObject) -> Result<(String, Vec<Named>), AppError> {
    let settings = install::settings(&globals.config, true)?;
    let (name, _) = install::choose(&settings, args.job.as_deref())?;
    let folder = install::hold(&settings)?;
    if !folder.job(name).exists() {
        return Ok((name.to_owned(), Vec::new()));
    }
    Ok((name.to_owned(), choose(&install::open(&folder, name)?, args)?))
}

/// Writes a decision on each of the chosen, with an entry of the history.
fn decide(
    globals: &Globals,
    args: &EscrowDecision,
    verb: &'static str,
    reason: &str,
    write: impl Fn(&mut Tx<'_>, &Entry) -> Result<(), StoreError>,
) -> Result<(String, Vec<Named>), AppError> {
    let desk = Desk::open_job(&globals.config, args.which.job.as_deref())?;
    let chosen = choose(&desk.snapshot, &args.which)?;
    let mut objects = Vec::with_capacity(chosen.len());
    for one in &chosen {
        objects.push(desk.known(one.entry.kind, one.entry.id)?);
    }
    let decisions: Vec<Decision<'_>> = objects
        .iter()
        .map(|object| Decision {
            verb,
            object: Some(object),
            reason: reason.to_owned(),
            comment: args.comment.as_deref(),
        })
        .collect();
    desk.decide(&decisions, |tx| {
        chosen.iter().try_for_each(|one| write(tx, &one.entry))
    })?;
    Ok((desk.job, chosen))
}

/// The entries that the object names; all where none is named.
fn choose(snapshot: &Snapshot, args: &EscrowObject) -> Result<Vec<Named>, AppError> {
    let all = named(snapshot).map_err(|error| install::store_failure(&error))?;
    let Some(wanted) = &args.object else {
        return Ok(all);
    };
    let called = snapshot
        .named(
            &[ObjectKind::User, ObjectKind::Group],
            std::slice::from_ref(wanted),
        )
        .map_err(|error| install::store_failure(&error))?;
    let mut ids: BTreeSet<SourceId> = called.iter().flatten().map(|one| one.id).collect();
    // One that is not in the snapshot any more may still have its entry.
    ids.extend(wanted.parse::<SourceId>().ok());
    let found: Vec<Named> = all
        .into_iter()
        .filter(|one| {
            let mut members = one.parts.iter().filter_map(|part| part.member.as_ref());
            ids.contains(&one.entry.id) || members.any(|(id, _)| ids.contains(id))
        })
        .collect();
    match found.len() {
        0 => Err(AppError::usage(
            format!("`{}` is not in escrow", printable(wanted)),
            "`melonsync escrow list` shows who is; name one by object id, UPN, mail or display name",
        )),
        1 => Ok(found),
        many => {
            let each = found.iter().map(|one| {
                let name = one.name.as_deref().unwrap_or_default();
                format!("{} {} ({})", one.entry.kind, printable(name), one.entry.id)
            });
            let each: Vec<String> = each.collect();
            Err(AppError::usage(
                format!(
                    "`{}` is the name of {many} entries in escrow: {}",
                    printable(wanted),
                    each.join(", ")
                ),
                "name one by its object id, as `melonsync escrow list` shows it",
            ))
        }
    }
}

fn named(snapshot: &Snapshot) -> Result<Vec<Named>, StoreError> {
    let mut all = Vec::new();
    for entry in escrow::entries(snapshot)? {
        let record = snapshot.record(entry.kind, &entry.id)?;
        let name = record.and_then(|record| {
            let names = ["userPrincipalName", "displayName", "mail"].iter();
            let mut names = names.filter_map(|name| record.object.attribute(name)?.as_str());
            names.next().map(str::to_owned)
        });
        let parts = parts(snapshot, &entry)?;
        all.push(Named { entry, name, parts });
    }
    Ok(all)
}

fn parts(snapshot: &Snapshot, entry: &Entry) -> Result<Vec<Waiting>, StoreError> {
    let mut parts = Vec::new();
    for refusal in refused::refusals(snapshot, entry.kind, &entry.id)? {
        let member = match refusal.member() {
            Some(id) => {
                let record = snapshot.record(ObjectKind::User, &id)?;
                Some((
                    id,
                    record.map_or_else(|| id.to_string(), |record| record.object.name()),
                ))
            }
            None => None,
        };
        parts.push(Waiting { refusal, member });
    }
    Ok(parts)
}

/// What is told of an entry: a line for each part that waits alone; one, where it is the whole object.
fn lines(one: &Named) -> Vec<(Escrowed, Option<&Waiting>)> {
    if one.parts.is_empty() {
        return vec![(one.entry.escrowed.clone(), None)];
    }
    let line = |part: &'_ Waiting| {
        let row = part.refusal.clone();
        Escrowed {
            operation: row.operation,
            error: row.error,
            hint: row.hint,
            failures: row.failures,
            since: row.since,
            next_try: row.next_try,
        }
    };
    one.parts.iter().map(|part| (line(part), Some(part))).collect()
}

fn show(job: &str, action: &EscrowAction, chosen: &[Named], report: &mut Report) {
    let (word, after) = match action {
        EscrowAction::List(_) => ("list", ""),
        EscrowAction::Retry(_) => ("retry", "the next cycle tries them: `melonsync sync` starts one"),
        EscrowAction::Drop(_) => (
            "drop",
            "they wait until they change at the source, or the config does",
        ),
    };
    if report.is_json() {
        let entries: Vec<_> = chosen
            .iter()
            .flat_map(|one| lines(one).into_iter().map(|(line, part)| shown(one, &line, part)))
            .collect();
        return report.json(&json!({"job": job, "action": word, "entries": entries}));
    }
    if word != "list" {
        return report.text(&format!("{} entries: {after}", chosen.len()));
    }
    if chosen.is_empty() {
        report.text("nothing is in escrow");
    }
    for one in chosen {
        for (escrowed, _) in lines(one) {
            report.text(&format!(
                "{} {}  {}\n  {} failed {} times since {}; next try: {}\n  {}\n  do: {}",
                one.entry.kind,
                one.entry.id,
                printable(one.name.as_deref().unwrap_or_default()),
                escrowed.operation,
                escrowed.failures,
                escrowed.since,
                next_try(&one.entry, &escrowed),
                printable(&escrowed.error),
                printable(&escrowed.hint),
            ));
        }
    }
}

fn next_try(entry: &Entry, escrowed: &Escrowed) -> String {
    match (entry.waits, escrowed.next_try) {
        (false, _) => "in the next cycle".to_owned(),
        (true, Some(at)) => at.to_string(),
        (true, None) => "dropped; when it changes".to_owned(),
    }
}

fn shown(one: &Named, escrowed: &Escrowed, part: Option<&Waiting>) -> serde_json::Value {
    let mut entry = json!({
        "object": one.entry.id.to_string(),
        "kind": one.entry.kind.word(),
        "name": one.name,
        "operation": escrowed.operation,
        "reason": part.map_or(IN_ESCROW, Waiting::reason),
        "error": escrowed.error,
        "hint": escrowed.hint,
        "failures": escrowed.failures,
        "since": escrowed.since.to_string(),
        "next_try": escrowed.next_try.map(|at| at.to_string()),
        "due": !one.entry.waits,
    });
    match part {
        Some(Waiting {
            member: Some((id, name)),
            ..
        }) => entry["member"] = json!({"object": id.to_string(), "name": name}),
        Some(Waiting { refusal, .. }) => entry["attribute"] = refusal.attribute.clone().into(),
        None => {}
    }
    entry
}

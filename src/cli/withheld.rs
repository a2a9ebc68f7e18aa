//! `withheld`: operations held back by the guard, shown by cause, let through, or rejected.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::json;

use super::args::Chosen;
use super::args::Globals;
use super::args::WithheldAction;
use super::exit::Exit;
use super::report::Report;
use crate::app::desk::Decision;
use crate::app::desk::Desk;
use crate::app::desk::Named;
use crate::app::error::AppError;
use crate::app::install;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::shown::shown;
use crate::reconcile::review::Holder;
use crate::snapshot::kept_back::Hold;
use crate::snapshot::kept_back::HoldCause;
use crate::snapshot::kept_back::KeptBackReads;
use crate::snapshot::kept_back::Withheld;
use crate::snapshot::kept_back::WithheldKey;

/// One entry with its object.
struct Entry {
    key: WithheldKey,
    withheld: Withheld,
    object: Named,
}

/// Lists, releases or rejects.
pub fn run(globals: &Globals, action: &WithheldAction, report: &mut Report) -> Result<Exit, AppError> {
    match action {
        WithheldAction::List { names, reason_is } => {
            let desk = Desk::open(&globals.config, names)?;
            let entries = entries(&desk, reason_is.as_deref())?;
            list(&desk, &entries, report);
        }
        WithheldAction::Release(chosen) => {
            let desk = Desk::open(&globals.config, &chosen.names)?;
            let entries = chosen_entries(&desk, chosen, true)?;
            release(&desk, &entries, chosen, report)?;
        }
        WithheldAction::Reject(chosen) => {
            let desk = Desk::open(&globals.config, &chosen.names)?;
            let entries = chosen_entries(&desk, chosen, false)?;
            reject(&desk, &entries, chosen, report)?;
        }
    }
    Ok(Exit::Done)
}

/// The entries of the objects named beside the job, of one reason where one is named.
fn entries(desk: &Desk, reason: Option<&str>) -> Result<Vec<Entry>, AppError> {
    let named: BTreeSet<_> = desk
        .find(&desk.names)?
        .into_iter()
        .map(|object| (object.kind, object.id))
        .collect();
    let mut kept = Vec::new();
    desk.snapshot
        .each_withheld(|key, withheld| {
            let wanted = named.is_empty() || named.contains(&(key.0, key.1));
            if wanted && reason.is_none_or(|reason| is_reason(&withheld, reason)) {
                kept.push((key, withheld));
            }
            Ok(())
        })
        .map_err(|error| install::store_failure(&error))?;
    let with_object = |(key, withheld): (WithheldKey, Withheld)| {
        let object = desk.known(key.0, key.1)?;
        Ok(Entry {
            key,
            withheld,
            object,
        })
    };
    kept.into_iter().map(with_object).collect()
}

/// `account_disabled`, or as it is shown to people: `account disabled`.
fn is_reason(withheld: &Withheld, reason: &str) -> bool {
    let plain = |text: &str| text.to_lowercase().replace([' ', '-'], "_");
    plain(&withheld.reason) == plain(reason)
}

/// The entries that a decision is about; `pending`: only those that nobody let through yet.
fn chosen_entries(desk: &Desk, chosen: &Chosen, pending: bool) -> Result<Vec<Entry>, AppError> {
    if desk.names.is_empty() && chosen.reason_is.is_none() && !chosen.all {
        return Err(AppError::usage(
            "nothing says which operations",
            "name objects, a reason with --reason-is, or --all with --expect and their number (`melonsync withheld list` shows it)",
        ));
    }
    let mut entries = entries(desk, chosen.reason_is.as_deref())?;
    entries.retain(|entry| !pending || entry.withheld.released_by.is_none());
    let count = count(&entries);
    if let Some(expected) = chosen.expect.filter(|expected| *expected != count) {
        return Err(AppError::usage(
            format!("{count} operations are withheld by now, not {expected}: nothing was decided"),
            "look at them again with `melonsync withheld list`",
        ));
    }
    if entries.is_empty() {
        return Err(AppError::usage(
            "no such operation is withheld",
            "`melonsync withheld list` shows those that are",
        ));
    }
    Ok(entries)
}

fn count(entries: &[Entry]) -> u64 {
    entries.iter().map(|entry| entry.withheld.count).sum()
}

fn list(desk: &Desk, entries: &[Entry], report: &mut Report) {
    let pending: Vec<&Entry> = entries
        .iter()
        .filter(|e| e.withheld.released_by.is_none())
        .collect();
    let total: u64 = pending.iter().map(|entry| entry.withheld.count).sum();
    let mut by_reason: BTreeMap<&str, Vec<&Entry>> = BTreeMap::new();
    for entry in entries {
        by_reason.entry(&entry.withheld.reason).or_default().push(entry);
    }
    if report.is_json() {
        let counts: BTreeMap<&str, u64> = by_reason
            .iter()
            .map(|(reason, of)| (*reason, of.iter().map(|e| e.withheld.count).sum()))
            .collect();
        let names = member_names(desk, entries);
        let list: Vec<_> = entries.iter().map(|entry| document(entry, &names)).collect();
        return report.json(&json!({"job": desk.job, "count": total, "by_reason": counts, "withheld": list}));
    }
    if entries.is_empty() {
        return report.text("Nothing is withheld.");
    }
    for (reason, of) in by_reason {
        let sum: u64 = of.iter().map(|entry| entry.withheld.count).sum();
        let why = match &of[0].withheld.alike {
            Some(_) => REVIEW,
            None => &of[0].withheld.why,
        };
        report.text(&format!("{} ({sum}): {}", reason.replace('_', " "), shown(why)));
        for entry in of {
            report.text(&line(entry));
            for member in holders(desk, entry) {
                report.text(&format!("      {}", shown(&member)));
            }
        }
    }
    if total > 0 {
        report.text(&format!(
            "\nIf they are right, `melonsync withheld release --all --expect {total}`; \
             if not, `melonsync withheld reject OBJECT …` holds the objects."
        ));
    }
}

/// The names of members that are withheld; one that cannot be read is only a name that is not shown.
fn member_names(desk: &Desk, entries: &[Entry]) -> BTreeMap<SourceId, String> {
    let name_of = |id: &SourceId| {
        let name = desk.snapshot.name_of(ObjectKind::User, id).ok().flatten();
        name.map(|name| (*id, name))
    };
    let members = entries.iter().flat_map(|entry| &entry.withheld.members);
    members.filter_map(name_of).collect()
}

/// What each of these adoptions waits for.
const REVIEW: &str = "whoever makes it in Entra can choose its name, so a person decides: `melonsync withheld release OBJECT` \
                      adopts the resource, `melonsync link OBJECT RESOURCE` links another, `melonsync withheld reject OBJECT` leaves both";

/// Who is in the resource that an entry would take over, each with who that is.
fn holders(desk: &Desk, entry: &Entry) -> Vec<String> {
    let Some(alike) = &entry.withheld.alike else {
        return Vec::new();
    };
    let words = |holder: &Holder| {
        let name = holder.name.as_deref().unwrap_or("member");
        let known = holder.source.and_then(|id| desk.known(ObjectKind::User, id).ok());
        let who = known.map_or_else(
            || "linked to no user".to_owned(),
            |user| format!("linked with {}", user.name),
        );
        format!("{name}  ({}), {who}", holder.target)
    };
    let mut lines = vec![format!("resource {}", alike.target)];
    lines.extend(alike.members.iter().map(words));
    let more = alike.count.saturating_sub(alike.members.len() as u64);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}

fn line(entry: &Entry) -> String {
    let Entry { withheld, object, .. } = entry;
    let times = match withheld.members.len() {
        0 => String::new(),
        n => format!(" ×{n}"),
    };
    let released = withheld.released_by.as_ref().map_or_else(String::new, |by| {
        format!("; released by {}, sent by the next cycle", shown(by))
    });
    format!(
        "  {}{times} {}  ({}): {}, since {}{released}",
        withheld.verb.name().replace('_', " "),
        shown(&object.name),
        object.id,
        shown(&withheld.because),
        withheld.since
    )
}

fn document(entry: &Entry, names: &BTreeMap<SourceId, String>) -> serde_json::Value {
    let Entry { withheld, object, .. } = entry;
    let members: Vec<String> = withheld.members.iter().map(ToString::to_string).collect();
    let named = |id: &SourceId| json!({"object": id.to_string(), "name": names.get(id)});
    let member_names: Vec<_> = withheld.members.iter().map(named).collect();
    let alike = withheld.alike.as_ref();
    let holder = |holder: &Holder| {
        let object = holder.source.map(|id| id.to_string());
        json!({"id": holder.target.as_str(), "name": holder.name, "object": object})
    };
    let adopts = alike.map(|alike| {
        let holds: Vec<_> = alike.members.iter().map(holder).collect();
        json!({
            "resource": alike.target.as_str(), "by": alike.by, "members": alike.count, "strangers": alike.strangers,
            "whole": alike.whole, "holds": holds,
        })
    });
    json!({
        "operation": withheld.verb.name(), "object": object.id.to_string(), "kind": object.kind, "name": object.name,
        "target": object.target.as_ref().map(ToString::to_string), "reason": withheld.reason,
        "because": withheld.because, "why": withheld.why, "count": withheld.count, "members": members,
        "member_names": member_names, "since": withheld.since.to_string(), "released_by": withheld.released_by, "adopts": adopts,
    })
}

fn release(desk: &Desk, entries: &[Entry], chosen: &Chosen, report: &mut Report) -> Result<(), AppError> {
    let decisions: Vec<Decision<'_>> = entries
        .iter()
        .map(|entry| decision(entry, "release", "let through once", chosen))
        .collect();
    desk.decide(&decisions, |tx| {
        for entry in entries {
            let released_by = Some(desk.actor.clone());
            let withheld = Withheld {
                released_by,
                ..entry.withheld.clone()
            };
            tx.put_withheld(&entry.key, &withheld);
        }
        Ok(())
    })?;
    done(
        desk,
        entries,
        "release",
        "released: the next cycle sends exactly these, once",
        report,
    );
    Ok(())
}

fn reject(desk: &Desk, entries: &[Entry], chosen: &Chosen, report: &mut Report) -> Result<(), AppError> {
    let decisions: Vec<Decision<'_>> = entries
        .iter()
        .map(|entry| decision(entry, "reject", "rejected, and the object put on hold", chosen))
        .collect();
    desk.decide(&decisions, |tx| {
        for entry in entries {
            tx.delete_withheld(&entry.key);
            let hold = Hold {
                attribute: None,
                until: None,
                since: desk.now,
                actor: desk.actor.clone(),
                comment: chosen.comment.clone(),
                cause: HoldCause::Reject,
            };
            tx.put_hold(entry.key.0, &entry.key.1, &hold);
        }
        Ok(())
    })?;
    let text = "rejected: their objects are on hold until `melonsync hold release OBJECT`";
    done(desk, entries, "reject", text, report);
    Ok(())
}

fn decision<'a>(entry: &'a Entry, verb: &'static str, what: &str, chosen: &'a Chosen) -> Decision<'a> {
    Decision {
        verb,
        object: Some(&entry.object),
        reason: format!(
            "{} {what}; it was withheld: {}",
            entry.withheld.verb, entry.withheld.why
        ),
        comment: chosen.comment.as_deref(),
    }
}

fn done(desk: &Desk, entries: &[Entry], action: &str, text: &str, report: &mut Report) {
    let count = count(entries);
    if report.is_json() {
        let objects: BTreeSet<String> = entries.iter().map(|entry| entry.object.id.to_string()).collect();
        return report.json(&json!({"job": desk.job, "action": action, "count": count, "objects": objects}));
    }
    report.text(&format!("{count} operations {text}"));
}

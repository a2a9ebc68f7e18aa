//! Operations that the guard holds back: let through once, or rejected.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use super::about;
use crate::app::desk::Decision;
use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::app::lookup;
use crate::app::lookup::Named;
use crate::app::views::withheld::Entry;
use crate::app::views::withheld::digest;
use crate::app::views::withheld::entries;
use crate::snapshot::kept_back::Hold;
use crate::snapshot::kept_back::HoldCause;
use crate::snapshot::kept_back::Withheld;

/// Which withheld operations a decision is about.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Chosen {
    /// Those on these objects: id, UPN, mail or display name.
    pub objects: Vec<String>,
    /// Those with this reason.
    pub reason: Option<String>,
    /// These operations, by the ids that the list gives them: refused where one of them is not there as it was.
    pub ids: Vec<String>,
    /// All of them.
    pub all: bool,
    /// The digest of what was looked at, as the list gives it: refused when the set is another by now.
    pub digest: Option<String>,
    /// Refused when the number is another by now.
    #[schema(format = "uint64")]
    pub expect: Option<u64>,
    /// Why.
    pub comment: Option<String>,
}

/// What was decided.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WithheldDecided)]
pub struct Decided {
    /// `release` or `reject`.
    #[schema(value_type = String)]
    pub action: &'static str,
    /// How many operations.
    pub count: u64,
    /// The job.
    pub job: String,
    /// The objects that they are about.
    #[schema(value_type = Vec<String>)]
    pub objects: BTreeSet<String>,
}

/// Lets exactly the chosen operations through, once: the next cycle sends them.
pub fn release(desk: &Desk, chosen: &Chosen) -> Result<Decided, AppError> {
    let named = named(desk, chosen)?;
    desk.decide(|tx| {
        let entries = chosen_entries(desk, &named, chosen, true)?;
        let since = entries.iter().map(|entry| entry.withheld.since);
        desk.rules.second_person(&desk.snapshot, &desk.actor, since)?;
        for entry in &entries {
            let withheld = Withheld {
                released_by: Some(desk.actor.to_string()),
                ..entry.withheld.clone()
            };
            tx.put_withheld(&entry.key, &withheld);
        }
        let decisions = decisions(&entries, "release", "let through once", chosen);
        Ok((decisions, decided(desk, "release", &entries)))
    })
}

/// Drops the chosen operations, and puts their objects on hold.
pub fn reject(desk: &Desk, chosen: &Chosen) -> Result<Decided, AppError> {
    let named = named(desk, chosen)?;
    desk.decide(|tx| {
        let entries = chosen_entries(desk, &named, chosen, false)?;
        let hold = Hold {
            attribute: None,
            until: None,
            since: desk.now,
            actor: desk.actor.to_string(),
            comment: chosen.comment.clone(),
            cause: HoldCause::Reject,
        };
        for entry in &entries {
            tx.delete_withheld(&entry.key);
            tx.put_hold(entry.key.0, &entry.key.1, &hold);
        }
        let what = "rejected, and the object put on hold";
        let decisions = decisions(&entries, "reject", what, chosen);
        Ok((decisions, decided(desk, "reject", &entries)))
    })
}

/// Finds the objects that are named. Refuses a decision that nothing limits.
fn named(desk: &Desk, chosen: &Chosen) -> Result<Vec<Named>, AppError> {
    let says_none = chosen.objects.is_empty() && chosen.ids.is_empty();
    if says_none && chosen.reason.is_none() && !chosen.all {
        return Err(AppError::usage(
            "nothing says which operations",
            "name objects, a reason with --reason-is, or --all with --expect and their number (`melonsync withheld list` shows it)",
        ));
    }
    lookup::all(&desk.snapshot, &chosen.objects)
}

/// Returns the entries that a decision is about; `pending`: only those that nobody let through yet.
fn chosen_entries(
    desk: &Desk,
    named: &[Named],
    chosen: &Chosen,
    pending: bool,
) -> Result<Vec<Entry>, AppError> {
    let mut entries = entries(&desk.snapshot, named, chosen.reason.as_deref())?;
    entries.retain(|entry| !pending || entry.withheld.released_by.is_none());
    if !chosen.ids.is_empty() {
        only(&mut entries, &chosen.ids)?;
    }
    let is_as_seen = |seen: &String| *seen == digest(entries.iter().map(Entry::id));
    if chosen.digest.as_ref().is_some_and(|seen| !is_as_seen(seen)) {
        return Err(AppError::conflict(
            "what is withheld is not what was looked at any more: nothing was decided",
            "look at them again with `melonsync withheld list`",
        ));
    }
    let count = count(&entries);
    if let Some(expected) = chosen.expect.filter(|expected| *expected != count) {
        return Err(AppError::conflict(
            format!("{count} operations are withheld by now, not {expected}: nothing was decided"),
            "look at them again with `melonsync withheld list`",
        ));
    }
    if entries.is_empty() {
        return Err(AppError::absent(
            "no such operation is withheld",
            "`melonsync withheld list` shows those that are",
        ));
    }
    Ok(entries)
}

/// Keeps the entries with these ids. Refuses where one of them is gone, or is another by now.
fn only(entries: &mut Vec<Entry>, ids: &[String]) -> Result<(), AppError> {
    let wanted: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
    entries.retain(|entry| wanted.contains(entry.id().as_str()));
    let found: BTreeSet<String> = entries.iter().map(Entry::id).collect();
    let gone = wanted.iter().filter(|id| !found.contains(**id)).count();
    if gone == 0 {
        return Ok(());
    }
    let all = wanted.len();
    Err(AppError::conflict(
        format!(
            "{gone} of {all} operations are not withheld any more as they were shown: nothing was decided"
        ),
        "look at them again with `melonsync withheld list`",
    ))
}

fn count(entries: &[Entry]) -> u64 {
    entries.iter().map(|entry| entry.withheld.count).sum()
}

fn decisions(entries: &[Entry], verb: &'static str, what: &str, chosen: &Chosen) -> Vec<Decision> {
    let decision = |entry: &Entry| {
        let withheld = &entry.withheld;
        let reason = format!("{} {what}; it was withheld: {}", withheld.verb, withheld.why);
        about(&entry.object, verb, &reason, chosen.comment.as_ref())
    };
    entries.iter().map(decision).collect()
}

fn decided(desk: &Desk, action: &'static str, entries: &[Entry]) -> Decided {
    Decided {
        action,
        count: count(entries),
        job: desk.job.clone(),
        objects: entries.iter().map(|entry| entry.object.id.to_string()).collect(),
    }
}

//! The history as people read it.

use serde_json::Value as Json;

use crate::app::proof::Checked;
use crate::app::proof::Exported;
use crate::app::views::cycles::Cycles;
use crate::app::views::history::HistoryChange;
use crate::app::views::history::HistoryEntry;
use crate::app::views::history::Member;
use crate::model::shown::shown;

/// An entry: several lines.
#[must_use]
pub fn entry(entry: &HistoryEntry) -> String {
    let object = match (&entry.object, &entry.name) {
        (Some(id), Some(known)) => match &known.0 {
            Some(name) => format!("  {}  ({id})", shown(name)),
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
    if !entry.because.is_empty() {
        text += &format!("    because {}\n", shown(&entry.because));
    }
    let Some(changes) = &entry.changes else {
        return text + "    (its values were erased)\n";
    };
    for change in changes {
        let line = match &change.members {
            Some(members) => moved(change, members),
            None => arrow(&change.before, &change.after),
        };
        text += &format!("    {}: {line}\n", shown(&change.attribute));
    }
    if let Some(detail) = entry.said() {
        text += &format!("    detail: {}\n", shown(detail));
    }
    text
}

/// As many members of one entry as are named.
const MEMBERS_NAMED: usize = 10;

/// Who came, or left, by name.
fn moved(change: &HistoryChange, members: &[Member]) -> String {
    let sign = if change.after.is_null() { '-' } else { '+' };
    let named: Vec<String> = members
        .iter()
        .take(MEMBERS_NAMED)
        .map(|member| match &member.name {
            Some(name) => format!("{sign} {}", shown(name)),
            None => format!("{sign} {}", member.object),
        })
        .collect();
    let more = match members.len().saturating_sub(MEMBERS_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more (all of them with -o json)"),
    };
    format!("{}{more}", named.join(", "))
}

fn arrow(before: &Json, after: &Json) -> String {
    match (before, after) {
        (Json::Null, after) => after.to_string(),
        (before, Json::Null) => format!("{before} → (removed)"),
        (before, after) => format!("{before} → {after}"),
    }
}

/// Cycles, a line each.
#[must_use]
pub fn cycles(all: &Cycles) -> String {
    if all.cycles.is_empty() {
        return "No cycle ran yet.".to_owned();
    }
    let line = |summary: &Json| {
        let word = |name: &str| shown(summary[name].as_str().unwrap_or("–")).into_owned();
        let counts = summary["operations"].as_object().into_iter().flatten();
        let done: Vec<String> = counts
            .filter(|(_, count)| count.as_u64() > Some(0))
            .map(|(verb, count)| format!("{count} {}", shown(verb).replace('_', " ")))
            .collect();
        let done = if done.is_empty() {
            "nothing to do".to_owned()
        } else {
            done.join(", ")
        };
        let by = summary["actor"].as_str();
        let by = by.map_or_else(String::new, |actor| format!("  by {}", shown(actor)));
        format!(
            "{}  {}  {}: {}, {done}{by}",
            word("started"),
            word("cycle"),
            word("kind"),
            word("outcome")
        )
    };
    all.cycles.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What was exported, and how it is checked.
#[must_use]
pub fn exported(done: &Exported) -> String {
    format!(
        "{} entries of job `{}` are in {folder}, with the chain up to its head {}\n\
         `melonsync history verify {folder}` checks them anywhere.",
        done.entries,
        done.job,
        done.head,
        folder = done.folder
    )
}

/// How an export was found.
#[must_use]
pub fn checked(checked: &Checked) -> String {
    let mut lines = vec![format!(
        "{}: {} entries of job `{}` from {} to {}, {} with their values, {} erased\n\
         chain of entries {} to {}, head {}",
        if checked.ok { "whole" } else { "altered" },
        checked.entries,
        shown(&checked.job),
        checked.since,
        checked.until,
        checked.proven,
        checked.erased,
        checked.first,
        checked.next.saturating_sub(1),
        checked.head
    )];
    let findings = checked.findings.iter();
    lines.extend(findings.map(|finding| format!("wrong: {}", shown(finding))));
    if checked.ok {
        lines.push(
            "Compare the head with the one that the log of the cycle names (history.head): it stands for every entry before it."
                .to_owned(),
        );
    }
    lines.join("\n")
}

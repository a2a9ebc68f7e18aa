//! One entry of a plan in words.

use std::fmt::Write;

use serde_json::Value as Json;

use crate::app::plans::shape::Shape;
use crate::app::plans::shape::changes;
use crate::app::plans::shape::member_of;
use crate::app::plans::shape::verb;
use crate::model::shown::shown;
use crate::model::verb::Act;
use crate::reconcile::explain;
use crate::reconcile::explain::omission::HELD;
use crate::reconcile::explain::omission::KIND_STOPPED;
use crate::reconcile::explain::omission::SCOPE_LOSS_UNCONFIRMED;
use crate::reconcile::explain::omission::WITHHELD;
use crate::reconcile::operation::MEMBERS;
use crate::reconcile::operation::Verb;

/// A part of the text; in the order in which they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    Removals,
    Withheld,
    Pending,
    Conflicts,
    Changes,
    Adds,
    LeftAlone,
}

impl Section {
    pub(super) const ALL: [Self; 7] = [
        Self::Removals,
        Self::Withheld,
        Self::Pending,
        Self::Conflicts,
        Self::Changes,
        Self::Adds,
        Self::LeftAlone,
    ];

    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Removals => "Removals",
            Self::Withheld => "Withheld",
            Self::Pending => "Pending (the next cycle does it if nothing changes)",
            Self::Conflicts => "Conflicts (both sides moved; the source wins)",
            Self::Changes => "Changes",
            Self::Adds => "Adds",
            Self::LeftAlone => "Left alone (each with --omitted)",
        }
    }

    /// Where an operation stands.
    pub(super) fn of(entry: &Json) -> Self {
        let side = verb(entry).map(side_of);
        let conflict = |one: &Json| one["reason"] == "conflict";
        let moved = entry["reasons"]
            .as_array()
            .is_some_and(|all| all.iter().any(conflict));
        match side {
            Some(Side::Takes) => Self::Removals,
            _ if moved || conflict(entry) => Self::Conflicts,
            Some(Side::Gives) => Self::Adds,
            Some(Side::Changes) | None => Self::Changes,
        }
    }
}

/// Which way an operation goes.
enum Side {
    Takes,
    Gives,
    Changes,
}

fn side_of(verb: Verb) -> Side {
    match verb.act() {
        Act::Disable | Act::Delete | Act::RemoveMembers | Act::Leave => Side::Takes,
        Act::Create | Act::AddMembers | Act::Enable | Act::Join => Side::Gives,
        Act::Update | Act::Link | Act::Unlink => Side::Changes,
    }
}

/// True for what the guard or a person keeps back.
pub(super) fn is_kept_back(entry: &Json) -> bool {
    matches!(entry["reason"].as_str(), Some(WITHHELD | HELD | KIND_STOPPED))
}

/// True for a loss of scope that waits for a second look: it stands under Pending.
pub(super) fn is_pending(entry: &Json) -> bool {
    entry["reason"] == SCOPE_LOSS_UNCONFIRMED
}

/// As many attributes or members of one entry as are shown without `--details`.
const SHOWN: usize = 5;

/// An operation: one line for a create or for members, with what changes below it for others.
pub(super) fn operation(entry: &Json, shape: &Shape) -> String {
    let act = verb(entry).map(Verb::act);
    let sign = verb(entry).map_or('~', explain::sign);
    let members: Vec<&Json> = changes(entry)
        .filter(|change| change["attribute"] == MEMBERS)
        .collect();
    let mut text = format!("{sign} {}", words(entry));
    if members.len() > 1 && matches!(act, Some(Act::AddMembers | Act::RemoveMembers)) {
        let _ = write!(text, " × {}", members.len());
    }
    let _ = write!(text, "  {}", who(entry, shape));
    if let Some(target) = entry["target"].as_str().filter(|_| shape.details) {
        let _ = write!(text, "  → {}", shown(target));
    }
    text.push('\n');
    let because = entry["because"].as_str().unwrap_or_default();
    if !because.is_empty() && (shape.details || !goes_without_saying(entry)) {
        let _ = writeln!(text, "    because {}", shown(because));
    }
    if act == Some(Act::Create) && !shape.details {
        return text;
    }
    let attributes = changes(entry).filter(|change| change["attribute"] != MEMBERS);
    let lines: Vec<String> = attributes
        .map(|change| format!("{}: {}", shown(text_of(change, "attribute")), arrow(change)))
        .chain(
            members
                .iter()
                .map(|member| format!("{sign} {}", member_name(member, shape))),
        )
        .collect();
    let most = if shape.details { usize::MAX } else { SHOWN };
    for line in lines.iter().take(most) {
        let _ = writeln!(text, "    {line}");
    }
    if let more @ 1.. = lines.len().saturating_sub(most) {
        let _ = writeln!(text, "    … and {more} more (--details)");
    }
    text
}

/// True for a reason that the operation itself names.
fn goes_without_saying(entry: &Json) -> bool {
    matches!(
        entry["reason"].as_str(),
        Some("new" | "member_joined" | "member_left")
    )
}

/// An operation that is kept back.
pub(super) fn kept_back(entry: &Json, shape: &Shape) -> String {
    format!(
        "! {}: {}\n{}",
        who_of_kind(entry, shape),
        shown(text_of(entry, "because")),
        hint(entry)
    )
}

/// Something that is left alone; about an object, or about all of them.
pub(super) fn omission(entry: &Json, shape: &Shape) -> String {
    let because = shown(text_of(entry, "because"));
    if let Some(more) = entry["count"].as_u64() {
        return format!("  … and {more} more: {because}\n");
    }
    if entry["object"].is_null() {
        return format!("  {because}\n{}", hint(entry));
    }
    format!("  {}: {because}\n{}", who_of_kind(entry, shape), hint(entry))
}

fn hint(entry: &Json) -> String {
    let hint = entry["do"].as_str().filter(|hint| !hint.is_empty());
    hint.map_or_else(String::new, |hint| format!("      do: {}\n", shown(hint)))
}

/// `create user`, `add member`.
fn words(entry: &Json) -> String {
    shown(text_of(entry, "operation")).replace('_', " ")
}

fn who_of_kind(entry: &Json, shape: &Shape) -> String {
    match entry["kind"].as_str() {
        Some(kind) => format!("{} {}", shown(kind), who(entry, shape)),
        None => who(entry, shape),
    }
}

/// Name and id of the object.
fn who(entry: &Json, shape: &Shape) -> String {
    named(text_of(entry, "name"), text_of(entry, "object"), shape)
}

/// As much of an id as finds its object.
const ID_SHOWN: usize = 8;

fn named(name: &str, id: &str, shape: &Shape) -> String {
    let short = id.get(..ID_SHOWN).filter(|_| !shape.details).unwrap_or(id);
    if name.is_empty() || name == id {
        shown(id).into_owned()
    } else {
        format!("{}  ({})", shown(name), shown(short))
    }
}

fn member_name(change: &Json, shape: &Shape) -> String {
    named(
        text_of(change, "name"),
        member_of(change).unwrap_or_default(),
        shape,
    )
}

/// What an attribute held, and is to hold.
fn arrow(change: &Json) -> String {
    let value = |name: &str| match &change[name] {
        Json::Null => None,
        value => Some(shown(&value.to_string()).into_owned()),
    };
    let called = change["name"].as_str();
    let called = called.map_or_else(String::new, |name| format!(" ({})", shown(name)));
    match (value("before"), value("after")) {
        (None, after) => format!("{}{called}", after.unwrap_or_default()),
        (Some(before), None) => format!("{before}{called} → (removed)"),
        (Some(before), Some(after)) => format!("{before} → {after}{called}"),
    }
}

pub(super) fn text_of<'e>(entry: &'e Json, name: &str) -> &'e str {
    entry[name].as_str().unwrap_or_default()
}

//! A plan as people and programs read it: text with a diff, and JSON.

pub mod omission;
pub mod reason;
pub(super) mod why;

pub mod enrolled;
pub mod groups;
pub mod object;
mod object_json;
mod object_text;
pub mod rows;
pub mod verdict;

use std::borrow::Cow;
use std::fmt::Write;

use serde_json::json;

use super::operation::Change;
use super::operation::Operation;
use super::operation::Reason;
use super::operation::Verb;
use crate::mapping::Mapping;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::name::Name;
use crate::model::shown::shown;
use crate::model::value::Value;
use crate::model::verb::Act;

/// What stands in place of a value that is not to be seen, as in Entra's provisioning logs.
pub const REDACTED: &str = "[Redact]";

/// The operation as it may be shown: values of rows that call `Redact` are hidden; that they change is not.
#[must_use]
pub fn redacted<'o>(mapping: &Mapping, operation: &'o Operation) -> Cow<'o, Operation> {
    let hidden = |change: &Change| mapping.is_redacted(operation.kind, &change.attribute);
    if !mapping.redacts(operation.kind) || !operation.changes.iter().any(hidden) {
        return Cow::Borrowed(operation);
    }
    let mut shown = operation.clone();
    shown.changes = redacted_changes(mapping, operation.kind, shown.changes);
    Cow::Owned(shown)
}

/// Changes as they may be kept, as [`redacted`].
#[must_use]
pub fn redacted_changes(mapping: &Mapping, kind: ObjectKind, mut changes: Vec<Change>) -> Vec<Change> {
    if !mapping.redacts(kind) {
        return changes;
    }
    for change in &mut changes {
        if mapping.is_redacted(kind, &change.attribute) {
            for value in [&mut change.before, &mut change.after] {
                if !value.is_unassigned() {
                    *value = Value::text(REDACTED);
                }
            }
        }
    }
    changes
}

/// A value as it may be shown of a row that calls `Redact`: that there is one, not which.
#[must_use]
pub fn hidden(value: Value) -> Value {
    if value.is_unassigned() {
        value
    } else {
        Value::text(REDACTED)
    }
}

/// One operation as a JSON entry of `plan -o json`, without the names of members.
#[must_use]
pub fn entry(operation: &Operation) -> serde_json::Value {
    entry_named(operation, |_| None)
}

/// One operation as a JSON entry of `plan -o json`. `name_of` gives the name of a user who is referred to, where it is known.
#[must_use]
pub fn entry_named(operation: &Operation, name_of: impl Fn(SourceId) -> Option<String>) -> serde_json::Value {
    // A link records what was found equal, under the attribute's own rules: that is no change to show.
    let mut changes: Vec<serde_json::Value> = operation
        .changes
        .iter()
        .filter(|_| !operation.verb.links())
        .map(|change| {
            let reason = operation.because.of(&change.attribute).label();
            let mut entry = json!({
                "attribute": change.attribute, "before": change.before.to_json(), "after": change.after.to_json(),
                "reason": reason,
            });
            let value = if change.after.is_unassigned() { &change.before } else { &change.after };
            if let Some(name) = referred_name(change, value, &name_of) {
                entry["name"] = name.into();
            }
            entry
        })
        .collect();
    let members = operation.members.iter().filter(|_| !operation.verb.links());
    changes.extend(members.map(|member| {
        let id = member.source.to_string();
        let (before, after) = if operation.verb.act() == Act::RemoveMembers {
            (Some(id), None)
        } else {
            (None, Some(id))
        };
        json!({
            "attribute": "members", "before": before, "after": after, "name": name_of(member.source),
            "reason": member.because.label(),
        })
    }));
    json!({
        "operation": operation.verb.name(),
        "object": operation.source.to_string(),
        "kind": operation.kind.word(),
        "name": operation.name,
        "target": operation.target.as_ref().map(ToString::to_string),
        "because": operation.because.to_string(),
        "reason": operation.because.label(),
        "reasons": reasons(operation),
        "changes": changes,
    })
}

/// Each reason of an operation, with what it is the reason of.
fn reasons(operation: &Operation) -> Vec<serde_json::Value> {
    let one = |(reason, attributes): (Reason, Vec<Name>)| json!({"reason": reason.label(), "because": reason.to_string(), "attributes": attributes});
    operation.because.each().into_iter().map(one).collect()
}

/// The sign of a verb: `+` adds, `-` takes away, `~` changes, `=` links.
#[must_use]
pub const fn sign(verb: Verb) -> char {
    match verb.act() {
        Act::Create | Act::AddMembers | Act::Enable | Act::Join => '+',
        Act::Disable | Act::Delete | Act::RemoveMembers | Act::Leave => '-',
        Act::Update => '~',
        Act::Link => '=',
        Act::Unlink => '≠',
    }
}

/// One operation as text, several lines, each ending in a line break. `name_of` gives the name of a user who is
/// referred to, where it is known.
#[must_use]
pub fn text(operation: &Operation, name_of: impl Fn(SourceId) -> Option<String>) -> String {
    let mut out = String::new();
    let verb = operation.verb.name().replace('_', " ");
    let target = operation
        .target
        .as_ref()
        .map_or_else(String::new, |target| format!("  → {target}"));
    let many = if operation.verb.moves_members() {
        format!(" × {}", operation.members.len())
    } else {
        String::new()
    };
    let _ = writeln!(
        out,
        "{} {verb}{many}  {}  ({}){target}",
        sign(operation.verb),
        shown(&operation.name),
        operation.source
    );
    let _ = writeln!(out, "    because {}", shown(&operation.because.to_string()));
    for change in operation.changes.iter().filter(|_| !operation.verb.links()) {
        let _ = writeln!(
            out,
            "    {}: {}",
            shown(&change.attribute),
            arrow(change, &name_of)
        );
    }
    for member in operation.members.iter().take(MEMBERS_SHOWN) {
        let id = member.source;
        let who = name_of(id).map_or_else(|| id.to_string(), |name| format!("{}  ({id})", shown(&name)));
        let _ = writeln!(out, "    {} {who}", sign(operation.verb));
    }
    if operation.members.len() > MEMBERS_SHOWN {
        let _ = writeln!(
            out,
            "    … and {} more (all of them with -o json)",
            operation.members.len() - MEMBERS_SHOWN
        );
    }
    out
}

/// As many members of one group as fit a screen.
const MEMBERS_SHOWN: usize = 20;

/// The name of whom a value refers to: a manager is referred to by id, and people know the name.
pub fn referred_name(
    change: &Change,
    value: &Value,
    name_of: impl Fn(SourceId) -> Option<String>,
) -> Option<String> {
    let id = value.as_str().filter(|_| change.attribute.ends_with("manager"));
    id.and_then(|id| id.parse().ok()).and_then(name_of)
}

fn arrow(change: &Change, name_of: impl Fn(SourceId) -> Option<String>) -> String {
    let held = |value: &Value| match referred_name(change, value, &name_of) {
        Some(name) => format!("{value} ({})", shown(&name)),
        None => value.to_string(),
    };
    match (&change.before, &change.after) {
        (Value::Null, after) => held(after),
        (before, Value::Null) => format!("{} → (removed)", held(before)),
        (before, after) => format!("{} → {}", held(before), held(after)),
    }
}

#[cfg(test)]
mod tests;

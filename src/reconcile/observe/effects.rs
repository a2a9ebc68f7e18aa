//! What an operation of ours, or an entry of Azure's log, does to an object.

use std::collections::BTreeMap;

use sha2::Digest;
use sha2::Sha256;

use crate::model::azure_job::LogAction;
use crate::model::azure_job::LogEntry;
use crate::model::side::Side;
use crate::model::value::Value;
use crate::model::verb::Act;
use crate::reconcile::operation::Operation;

/// Effects by name, each with a digest of its value; `None` where the value is not known.
pub type Effects = BTreeMap<String, Option<[u8; 8]>>;

/// Whether the resource is there.
pub const EXISTS: &str = "(exists)";
/// Members who came.
pub const JOINED: &str = "(members added)";
/// Members who went.
pub const LEFT: &str = "(members removed)";
/// Whether the user is enabled.
pub const ACTIVE: &str = "active";
/// The end of the names of attributes that refer to an object.
const REFERENCE: &str = "manager";
/// The log writes this in the place of a value that it does not show.
const REDACTED: &str = "[redact";

/// What makes digests of one installation differ from those of another.
#[derive(Debug, Clone, Copy)]
pub struct Salt<'s>(pub &'s [u8]);

impl Salt<'_> {
    /// Returns the digest of a value. No value and an empty one are the same.
    #[must_use]
    pub fn digest(self, text: &str) -> [u8; 8] {
        let mut hash = Sha256::new();
        hash.update(self.0);
        hash.update(text.trim());
        let hash = hash.finalize();
        std::array::from_fn(|at| hash[at])
    }

    fn truth(self, is: bool) -> Option<[u8; 8]> {
        Some(self.digest(if is { "true" } else { "false" }))
    }
}

/// Returns the effects of an operation; nothing for one that sends nothing.
#[must_use]
pub fn of_operation(operation: &Operation, salt: Salt<'_>) -> Effects {
    let mut effects = Effects::new();
    if operation.verb.side() != Side::Target {
        return effects;
    }
    match operation.verb.act() {
        // What changes nothing at the target.
        Act::Link | Act::Unlink | Act::Join | Act::Leave => return effects,
        Act::Create => drop(effects.insert(EXISTS.to_owned(), salt.truth(true))),
        Act::Delete => drop(effects.insert(EXISTS.to_owned(), salt.truth(false))),
        Act::AddMembers => drop(effects.insert(JOINED.to_owned(), None)),
        Act::RemoveMembers => drop(effects.insert(LEFT.to_owned(), None)),
        Act::Disable => drop(effects.insert(ACTIVE.to_owned(), salt.truth(false))),
        Act::Enable => drop(effects.insert(ACTIVE.to_owned(), salt.truth(true))),
        Act::Update => {}
    }
    if operation.verb.act() == Act::Create && !operation.members.is_empty() {
        effects.insert(JOINED.to_owned(), None);
    }
    for change in &operation.changes {
        let name = name_of(&change.attribute);
        let value = if is_reference(&name) {
            None
        } else {
            written(&change.after).map(|text| salt.digest(&text))
        };
        effects.insert(name, value);
    }
    effects
}

/// Returns the effects of an entry of the log; nothing for one that changed nothing.
#[must_use]
pub fn of_entry(entry: &LogEntry, salt: Salt<'_>) -> Effects {
    let mut effects = Effects::new();
    match entry.action {
        LogAction::Create => drop(effects.insert(EXISTS.to_owned(), salt.truth(true))),
        LogAction::Delete => drop(effects.insert(EXISTS.to_owned(), salt.truth(false))),
        LogAction::Disable => drop(effects.insert(ACTIVE.to_owned(), salt.truth(false))),
        LogAction::Update => {}
        LogAction::Other => return effects,
    }
    for one in &entry.modified {
        let name = name_of(&one.name);
        if name == "members" {
            let effect = if one.new.is_some() { JOINED } else { LEFT };
            effects.insert(effect.to_owned(), None);
            continue;
        }
        let text = one.new.as_deref().unwrap_or_default();
        let hidden = text.to_ascii_lowercase().starts_with(REDACTED) || is_reference(&name);
        effects.insert(name, (!hidden).then(|| salt.digest(&plain(text))));
    }
    effects
}

/// The name of an attribute as both sides compare it.
fn name_of(path: &str) -> String {
    path.chars()
        .filter(|c| !c.is_whitespace() && *c != '\\')
        .collect::<String>()
        .to_ascii_lowercase()
}

fn is_reference(name: &str) -> bool {
    name.ends_with(REFERENCE)
}

/// A value as the log would write it; `None` where the two may write it differently.
fn written(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::Bool(is) => Some(is.to_string()),
        Value::Integer(number) => Some(number.to_string()),
        Value::String(text) => Some(plain(text)),
        Value::List(_) | Value::Map(_) => None,
    }
}

/// The log writes booleans with a capital.
fn plain(text: &str) -> String {
    match text.trim() {
        "True" => "true".to_owned(),
        "False" => "false".to_owned(),
        other => other.to_owned(),
    }
}

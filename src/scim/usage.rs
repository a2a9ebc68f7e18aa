//! Which uses of the forms in force a patch or a create makes, and whether a read-back shows that it was done. Pure.
//!
//! Each use of a form is proven apart: a server that knows `displayName` may store `name.familyName` under that very
//! key.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserializer;
use serde::de::DeserializeSeed;
use serde::de::IgnoredAny;
use serde::de::MapAccess;
use serde::de::Visitor;
use serde_json::Value as Json;

use super::dialect::Aspect;
use super::patch::new_elements;
use super::path::ENTERPRISE_USER;
use super::path::TargetPath;
use super::resource::field;
use crate::mapping;
use crate::model::id::ObjectKind;
use crate::model::value::Value;
use crate::ports::Patch;
use crate::reconcile::operation::Change;

/// Adding members.
pub const MEMBERS_ADDED: &str = "members added";
/// Removing members.
pub const MEMBERS_REMOVED: &str = "members removed";
/// Members left out of the answer to a change of a group.
pub const MEMBERS_LEFT_OUT: &str = "members left out of an answer";
/// More than one change in a request.
pub const SEVERAL: &str = "several changes at once";
/// Changing the userName under the same id.
pub const RENAMED: &str = "a user renamed";

/// Returns the changes of a patch, each with the kind of its use.
#[must_use]
pub fn each(patch: &Patch) -> Vec<(&Change, &'static str)> {
    let new = new_elements(patch);
    let usage = |change: &Change| match usage_of(change) {
        "element set" if new.contains(change.attribute.as_str()) => "new element set",
        usage => usage,
    };
    patch
        .changes
        .iter()
        .map(|change| (change, usage(change)))
        .collect()
}

/// Returns the kind of use of a change: `sub-attribute set`, `manager cleared`.
fn usage_of(change: &Change) -> &'static str {
    let clears = change.after.is_unassigned();
    let Ok(path) = TargetPath::parse(&change.attribute) else {
        return "attribute set";
    };
    let (set, cleared) = if path.is_manager() {
        ("manager set", "manager cleared")
    } else if path.selects_element() {
        ("element set", "element cleared")
    } else if matches!(change.after, Value::Bool(_)) {
        ("boolean set", "boolean cleared")
    } else if path
        .urn
        .as_deref()
        .is_some_and(|urn| urn.eq_ignore_ascii_case(ENTERPRISE_USER))
    {
        ("enterprise attribute set", "enterprise attribute cleared")
    } else if path.urn.is_some() {
        ("extension attribute set", "extension attribute cleared")
    } else if path.sub.is_some() {
        ("sub-attribute set", "sub-attribute cleared")
    } else {
        ("attribute set", "attribute cleared")
    };
    if clears { cleared } else { set }
}

/// Returns the uses that a patch of attributes makes.
#[must_use]
pub fn usages(kind: ObjectKind, patch: &Patch) -> BTreeSet<&'static str> {
    let mut uses: BTreeSet<&'static str> = each(patch).into_iter().map(|(_, usage)| usage).collect();
    if patch.changes.len() > 1 {
        uses.insert(SEVERAL);
    }
    if renames(kind, &patch.changes) {
        uses.insert(RENAMED);
    }
    uses
}

/// Returns true when a user gets another userName, which moves the resource where ids are made of names.
#[must_use]
pub fn renames(kind: ObjectKind, changes: &[Change]) -> bool {
    kind == ObjectKind::User
        && changes
            .iter()
            .any(|change| change.attribute.eq_ignore_ascii_case("userName"))
}

/// Returns the aspects that a refusal of these uses may be about, the likeliest first.
#[must_use]
pub fn aspects(uses: impl IntoIterator<Item = &'static str>) -> Vec<Aspect> {
    let mut found = BTreeSet::new();
    for usage in uses {
        match usage {
            "boolean set" => found.insert(Aspect::Booleans),
            "manager set" | "manager cleared" => found.insert(Aspect::Manager),
            "new element set" => found.insert(Aspect::NewElement),
            _ => false,
        };
    }
    found.into_iter().collect()
}

/// Returns the changes that a read-back does not show: what was set is absent or as it was before, what was cleared is
/// still there. Another value than either is the target's own doing, and is no failure of a form.
#[must_use]
pub fn not_done<'c>(changes: &'c [Change], body: &Json) -> Vec<&'c Change> {
    changes.iter().filter(|change| !is_done(change, body)).collect()
}

fn is_done(change: &Change, body: &Json) -> bool {
    let Ok(path) = change.attribute.parse::<mapping::TargetPath>() else {
        return true;
    };
    let held = mapping::read_path(body, &path).filter(|held| !held.is_unassigned());
    let was = |held: &Value| mapping::same(&path, held, &change.before);
    match (held, change.after.is_unassigned()) {
        (None, true) => true,
        (None, false) => false,
        (Some(held), true) => !(change.before.is_unassigned() || was(&held)),
        (Some(held), false) if mapping::same(&path, &held, &change.after) => true,
        (Some(held), false) => !matches!(change.after, Value::Bool(_)) && !was(&held),
    }
}

/// Returns the new uses of the body of a create: each attribute of its kind is one. Called for every create, and mostly
/// none is new, so one text serves for all look-ups, and only the names are read.
#[must_use]
pub fn creating(kind: ObjectKind, body: &[u8], is_new: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let mut new = BTreeSet::new();
    let mut usage = format!("{} created with ", kind.word());
    let start = usage.len();
    each_name(body, |name| {
        if !matches!(name, "schemas" | "meta" | "id") {
            usage.truncate(start);
            usage.push_str(name);
            if is_new(&usage) {
                new.insert(usage.clone());
            }
        }
    });
    new
}

/// Shows the names in a JSON object, one after the other; where it is not valid, those before the fault.
fn each_name(object: &[u8], see: impl FnMut(&str)) {
    let _ = serde_json::Deserializer::from_slice(object).deserialize_map(Names(see));
}

struct Names<F>(F);

impl<'de, F: FnMut(&str)> Visitor<'de> for Names<F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        while map.next_key_seed(Name(&mut self.0))?.is_some() {
            map.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
}

struct Name<'f, F>(&'f mut F);

impl<'de, F: FnMut(&str)> DeserializeSeed<'de> for Name<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de, F: FnMut(&str)> Visitor<'de> for Name<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E>(self, name: &str) -> Result<(), E> {
        (self.0)(name);
        Ok(())
    }
}

/// Returns the attributes of a create that a read-back shows, without filters: `title`, `name.givenName`,
/// `phoneNumbers`.
#[must_use]
pub fn held_of(sent: &Json, held: &Json) -> Vec<String> {
    let (Some(sent), Some(held)) = (sent.as_object(), held.as_object()) else {
        return Vec::new();
    };
    let mut shown = Vec::new();
    for (name, value) in sent.iter().filter(|(_, value)| !is_empty(value)) {
        let Some(kept) = field(held, name).filter(|kept| !is_empty(kept)) else {
            continue;
        };
        if let (Json::Object(inner), Json::Object(kept)) = (value, kept) {
            let colon = if name.contains(':') { ':' } else { '.' };
            let subs = inner.keys().filter(|sub| field(kept, sub).is_some());
            shown.extend(subs.map(|sub| format!("{name}{colon}{sub}")));
        }
        shown.push(name.clone());
    }
    shown
}

/// Returns the attributes of a create that a read-back does not show. A value that differs is the target's own doing,
/// but for `active`.
#[must_use]
pub fn not_created(sent: &Json, held: &Json) -> Vec<String> {
    let (Some(sent), Some(held)) = (sent.as_object(), held.as_object()) else {
        return Vec::new();
    };
    let mut missing = Vec::new();
    for (name, value) in sent {
        if matches!(name.as_str(), "schemas" | "meta" | "id") || is_empty(value) {
            continue;
        }
        match (value, field(held, name)) {
            (_, None) => missing.push(name.clone()),
            (Json::Object(inner), Some(Json::Object(kept))) => {
                let colon = if name.contains(':') { ':' } else { '.' };
                let lacks = |sub: &&String| !is_empty(&inner[*sub]) && field(kept, sub).is_none();
                missing.extend(
                    inner
                        .keys()
                        .filter(lacks)
                        .map(|sub| format!("{name}{colon}{sub}")),
                );
            }
            (value, Some(kept)) if name == "active" && truth(value) != truth(kept) => {
                missing.push(name.clone())
            }
            _ => {}
        }
    }
    missing
}

fn is_empty(value: &Json) -> bool {
    match value {
        Json::Null => true,
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(map) => map.is_empty(),
        _ => false,
    }
}

fn truth(value: &Json) -> Option<bool> {
    match value {
        Json::Bool(truth) => Some(*truth),
        Json::String(text) => text.to_ascii_lowercase().parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn change(attribute: &str, before: Value, after: Value) -> Change {
        Change {
            attribute: attribute.into(),
            before,
            after,
        }
    }

    #[test]
    fn what_a_read_back_must_show() {
        const IDMELON: &str = "urn:ietf:params:scim:schemas:extension:IDmelon:2.0:User";
        let manager = format!("{ENTERPRISE_USER}:manager");
        for (name, change, body, done) in [
            (
                "set",
                change("title", Value::Null, "B".into()),
                json!({"title": "B"}),
                true,
            ),
            (
                "set, in another case",
                change("title", "A".into(), "b".into()),
                json!({"title": "B"}),
                true,
            ),
            (
                "absent",
                change("title", Value::Null, "B".into()),
                json!({}),
                false,
            ),
            (
                "as before",
                change("title", "A".into(), "B".into()),
                json!({"title": "A"}),
                false,
            ),
            (
                "altered",
                change("title", "A".into(), "B ".into()),
                json!({"title": "Bee"}),
                true,
            ),
            (
                "cleared",
                change("title", "A".into(), Value::Null),
                json!({"title": ""}),
                true,
            ),
            (
                "still there",
                change("title", "A".into(), Value::Null),
                json!({"title": "A"}),
                false,
            ),
            (
                "active",
                change("active", true.into(), false.into()),
                json!({"active": "False"}),
                true,
            ),
            (
                "still active",
                change("active", Value::Null, false.into()),
                json!({"active": true}),
                false,
            ),
            (
                "stored under its own key",
                change("name.familyName", Value::Null, "K".into()),
                json!({"name.familyName": "K"}),
                false,
            ),
            (
                "sub-attribute",
                change("name.familyName", Value::Null, "K".into()),
                json!({"name": {"familyName": "K"}}),
                true,
            ),
            (
                "element",
                change("emails[type eq \"work\"].value", Value::Null, "a@x".into()),
                json!({"emails": [{"type": "work", "value": "a@x"}]}),
                true,
            ),
            (
                "manager as an object",
                change(&manager, Value::Null, "m".into()),
                json!({ENTERPRISE_USER: {"manager": {"value": "m"}}}),
                true,
            ),
            (
                "manager as a text",
                change(&manager, Value::Null, "m".into()),
                json!({ENTERPRISE_USER: {"manager": "m"}}),
                true,
            ),
            (
                "extension",
                change(&format!("{IDMELON}:immutable_id"), Value::Null, "i".into()),
                json!({format!("{IDMELON}:immutable_id"): "i"}),
                false,
            ),
        ] {
            let changes = [change];
            assert_eq!(not_done(&changes, &body).is_empty(), done, "{name}");
        }
    }

    #[test]
    fn what_a_create_must_show() {
        let sent = json!({"schemas": [], "userName": "a", "active": true, "title": "", "name": {"givenName": "A", "familyName": "B"},
            "urn:x:2.0:User": {"code": "1"}});
        for (held, missing) in [
            (
                json!({"id": "1", "username": "A", "active": "True", "name": {"givenname": "a", "familyName": "B"}, "urn:X:2.0:User": {"code": 1}}),
                vec![],
            ),
            (
                json!({"id": "1", "userName": "a", "active": false, "name": {"givenName": "A"}}),
                vec!["active", "name.familyName", "urn:x:2.0:User"],
            ),
        ] {
            let mut found = not_created(&sent, &held);
            found.sort();
            assert_eq!(found, missing);
        }
    }

    #[test]
    fn each_attribute_of_a_create_is_a_use_of_its_own() {
        let body = json!({"schemas": ["x"], "id": 1, "userName": "a", "q\"uote\n": [{"inner": {}}], "name": {"givenName": "A"}});
        let new = |known: &str| {
            let text = body.to_string();
            let uses = creating(ObjectKind::User, text.as_bytes(), |usage| !usage.ends_with(known));
            uses.into_iter().collect::<Vec<_>>()
        };
        assert_eq!(
            new("nothing"),
            [
                "user created with name",
                "user created with q\"uote\n",
                "user created with userName"
            ]
        );
        assert_eq!(new("name").len(), 2);
        assert!(creating(ObjectKind::User, b"no object", |_| true).is_empty());
    }
}

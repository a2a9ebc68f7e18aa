//! SCIM resources as JSON: built from paths and values, read at a path, compared under the schema's rules.
//!
//! Reading never fails, whatever a service answered: a value that does not have the expected shape is absent.

use std::borrow::Borrow;

use serde_json::{Map, Value as Json};

use crate::model::id::ObjectKind;
use crate::model::id::TargetId;
use crate::model::value::Value;

use super::path::{CORE_GROUP, CORE_USER, ENTERPRISE_USER, TargetPath};

mod body;
mod tree;

use body::{Fields, Node};
use tree::{Tree, fits};

/// The form of a written resource, in which services differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResourceForm {
    /// True if `schemas` lists extension URNs, as RFC 7643 section 3 asks. If false, as Entra: only the enterprise
    /// extension is listed, custom ones are not.
    pub extension_urns_in_schemas: bool,
    /// True for `manager` as `{"value": id}`, false for the bare id.
    pub manager_as_object: bool,
    /// True for booleans as JSON, false for the texts `True` and `False`.
    pub json_booleans: bool,
}

impl Default for ResourceForm {
    fn default() -> Self {
        Self {
            extension_urns_in_schemas: true,
            manager_as_object: true,
            json_booleans: true,
        }
    }
}

/// The size in bytes that most resources fit into.
const ROOM: usize = 1024;

/// Writes the resource with these values and members, as it is sent in a create. Null and empty values are left out:
/// some services refuse explicit nulls. Of two values for one place the later one wins.
#[must_use]
pub fn write_resource<P, V>(
    kind: ObjectKind,
    form: ResourceForm,
    values: &[(P, V)],
    members: &[TargetId],
) -> Vec<u8>
where
    P: Borrow<TargetPath>,
    V: Borrow<Value>,
{
    let mut fields = fields_of(kind, form, values);
    if !members.is_empty() {
        let members = members.iter().map(|member| Node::reference(member.as_str()));
        fields.insert("members", Node::List(members.collect()));
    }
    let mut text = Vec::with_capacity(ROOM);
    serde_json::to_writer(&mut text, &fields).expect("texts, numbers and lists of them are always written");
    text
}

fn fields_of<P, V>(kind: ObjectKind, form: ResourceForm, values: &[(P, V)]) -> Fields<'_>
where
    P: Borrow<TargetPath>,
    V: Borrow<Value>,
{
    let core = match kind {
        ObjectKind::User => CORE_USER,
        ObjectKind::Group => CORE_GROUP,
    };
    let mut schemas = vec![core];
    let mut resource = Fields::with_capacity(values.len() + 1);
    // Most of one schema come together.
    for part in values.chunk_by(|(a, _), (b, _)| a.borrow().urn() == b.borrow().urn()) {
        let part = part.iter().map(|(path, value)| (path.borrow(), value.borrow()));
        let mut part = part.filter(|(_, value)| !value.is_unassigned()).peekable();
        let Some((first, _)) = part.peek() else { continue };
        let holder = match first.urn() {
            None => &mut resource,
            Some(urn) => {
                let listed = form.extension_urns_in_schemas || urn.eq_ignore_ascii_case(ENTERPRISE_USER);
                if listed && !schemas.iter().any(|known| known.eq_ignore_ascii_case(urn)) {
                    schemas.push(urn);
                }
                resource.object_at(urn)
            }
        };
        for (path, value) in part {
            holder.put(path, Node::at(form, path, value));
        }
    }
    resource.insert(
        "schemas",
        Node::List(schemas.into_iter().map(Node::text).collect()),
    );
    resource
}

/// Returns the value as it is written at a path, in a create and in a PATCH alike.
#[must_use]
pub fn json_value(form: ResourceForm, path: &TargetPath, value: &Value) -> Json {
    serde_json::to_value(Node::at(form, path, value))
        .expect("texts, numbers and lists of them are always written")
}

/// Returns, for a path with a filter, the whole element that holds the value, with the filter's own values in it. A
/// PATCH adds it to [`TargetPath::whole_attribute`] where the service holds no such element yet (services refuse the
/// filtered path then).
#[must_use]
pub fn whole_element(form: ResourceForm, path: &TargetPath, value: &Value) -> Option<Json> {
    if path.filter().is_empty() {
        return None;
    }
    let mut element = new_element(path);
    match path.sub_attribute() {
        Some(sub) => {
            element.insert(sub.to_owned(), json_value(form, path, value));
        }
        None => {
            if let Json::Object(map) = value.to_json() {
                element.extend(map);
            }
        }
    }
    Some(Json::Object(element))
}

fn new_element(path: &TargetPath) -> Map<String, Json> {
    path.filter()
        .iter()
        .map(|(name, value)| (name.clone(), value.to_json()))
        .collect()
}

/// Returns the value of a resource at a path, or `None` where there is none. Attribute names and URNs are found in any
/// case. References read as ids: `manager` as the id, `members` as the list of ids.
#[must_use]
pub fn read_path(resource: &Json, path: &TargetPath) -> Option<Value> {
    let holder = match path.urn() {
        Some(urn) => resource.field(urn)?,
        None => resource,
    };
    let attribute = holder.field(path.attribute())?;
    let found = if path.filter().is_empty() {
        match (path.sub_attribute(), attribute) {
            (None, whole) => references(path, whole),
            (Some(sub), Json::Array(elements)) => Value::List(
                elements
                    .iter()
                    .filter_map(|e| e.field(sub))
                    .map(Value::from_json)
                    .collect(),
            ),
            (Some(sub), one) => Value::from_json(one.field(sub)?),
        }
    } else {
        let elements = match attribute {
            Json::Array(elements) => elements.as_slice(),
            // Seen in the field: a single element without its list.
            one => std::slice::from_ref(one),
        };
        let mut fitting = elements.iter().filter(|element| fits(*element, path));
        match path.sub_attribute() {
            Some(sub) => Value::from_json(fitting.find_map(|element| element.field(sub))?),
            None => Value::from_json(fitting.next()?),
        }
    };
    (!found.is_unassigned()).then_some(found)
}

fn references(path: &TargetPath, whole: &Json) -> Value {
    let id = |one: &Json| match one {
        Json::Object(_) => one.field("value").map(Value::from_json).unwrap_or_default(),
        other => Value::from_json(other),
    };
    match whole {
        Json::Array(members) if path.is_members() => {
            Value::List(members.iter().map(id).filter(|id| !id.is_unassigned()).collect())
        }
        // Entra's own documentation shows `manager` as a list of one.
        Json::Array(one) if path.is_manager() => one.first().map(id).unwrap_or_default(),
        one if path.is_manager() => id(one),
        other => Value::from_json(other),
    }
}

/// A resource as a target answered it, to be compared with what was sent: the text is parsed once, and little of it is
/// copied.
#[derive(Debug)]
pub struct BorrowedResource<'a>(Node<'a>);

impl<'a> BorrowedResource<'a> {
    /// Parses a resource. Returns `None` for a text that is not JSON.
    #[must_use]
    pub fn read(text: &'a [u8]) -> Option<Self> {
        serde_json::from_slice(text).ok().map(Self)
    }

    /// See [`plainly_holds`].
    #[must_use]
    pub fn plainly_holds(&self, path: &TargetPath, value: &Value) -> bool {
        tree::plainly_holds(&self.0, path, value)
    }
}

/// Returns true where a resource holds exactly this text or boolean at a path: what [`read_path`] would find to be
/// equal, without a copy of it. False proves nothing.
#[must_use]
pub fn plainly_holds(resource: &Json, path: &TargetPath, value: &Value) -> bool {
    tree::plainly_holds(resource, path, value)
}

/// Returns whether two values at a path are the same to the service: for what was *observed*. A change of the desired
/// value is found by `==`, which is stricter.
///
/// * Null, absent, `""` and `[]` are alike (RFC 7643 section 2.5).
/// * At a boolean path `true` is `"True"`; elsewhere a number or boolean is its text.
/// * Case counts where [`TargetPath::is_case_exact`] is true.
/// * Lists have no order (RFC 7643 section 2.4); objects are compared without empty keys, `$ref`, `display`.
/// * A reference is its id, whether bare or in `{"value": id}`.
#[must_use]
pub fn same(path: &TargetPath, a: &Value, b: &Value) -> bool {
    if a == b {
        return true;
    }
    if path.is_boolean() {
        return match (a.as_bool(), b.as_bool()) {
            (Some(a), Some(b)) => a == b,
            (None, None) => a.is_unassigned() && b.is_unassigned(),
            _ => false,
        };
    }
    fold(path, a) == fold(path, b)
}

/// Removes from the value everything that makes no difference.
fn fold(path: &TargetPath, value: &Value) -> Value {
    match value {
        value if value.is_unassigned() => Value::Null,
        Value::Bool(truth) => fold(path, &if *truth { "True" } else { "False" }.into()),
        Value::Integer(number) => Value::String(number.to_string()),
        Value::String(text) if path.is_case_exact() => Value::text(text.as_str()),
        Value::String(text) => Value::String(text.to_lowercase()),
        Value::List(items) => {
            let mut folded: Vec<Value> = items
                .iter()
                .map(|item| fold(path, item))
                .filter(|item| !item.is_null())
                .collect();
            folded.sort();
            if path.is_manager() && folded.len() == 1 {
                return folded.remove(0);
            }
            if folded.is_empty() {
                Value::Null
            } else {
                Value::List(folded)
            }
        }
        Value::Map(map) => {
            if let (true, Some(id)) = (path.is_manager() || path.is_members(), map.get("value")) {
                return fold(path, id);
            }
            let kept = map
                .iter()
                .filter(|(key, _)| !matches!(key.as_str(), "$ref" | "display"));
            let folded: std::collections::BTreeMap<_, _> = kept
                .map(|(key, value)| (key.to_ascii_lowercase(), fold(path, value)))
                .filter(|(_, value)| !value.is_null())
                .collect();
            if folded.is_empty() {
                Value::Null
            } else {
                Value::Map(folded)
            }
        }
        Value::Null => Value::Null,
    }
}

//! Turns a [`Patch`] into the PATCH bodies that carry it out (RFC 7644 section 3.5.2), and into a changed resource for
//! targets without PATCH. Pure.
//!
//! A body contains no more than what changes. A multi-valued element that the target does not hold is added whole,
//! because servers refuse a path into it with `noTarget`; clearing the last value of an element removes the element.
//! Everything here may be sent twice: values are set, members added are a set, and removing what is not there changes
//! nothing.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_json::Value as Json;
use serde_json::json;

use super::dialect::{Booleans, Clearing, Dialect, ManagerForm, MemberRemoval, NewElement, OpCase};
use super::path::{PathError, TargetPath};
use super::spelling::write_booleans;
use crate::model::id::TargetId;
use crate::model::value::Value;
use crate::ports::Patch;
use crate::reconcile::operation::Change;

/// The schema of a PATCH body.
const PATCH_OP: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

/// One operation of a PATCH.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Operation {
    op: &'static str,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Json>,
}

/// The body of one PATCH request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PatchBody {
    schemas: [&'static str; 1],
    /// Its operations, in order.
    #[serde(rename = "Operations")]
    pub operations: Vec<Operation>,
    /// True when it removes members of a group, which some servers refuse in one form or another.
    #[serde(skip)]
    pub removes_members: bool,
}

/// Builds the bodies that carry out a patch, in order; none where nothing changes. Attributes go with the first
/// members; removals of members come before additions, because what takes access away comes first.
///
/// # Errors
/// When a path cannot be written.
pub fn compile(patch: &Patch, dialect: &Dialect) -> Result<Vec<PatchBody>, PathError> {
    let mut writer = Writer {
        dialect,
        operations: Vec::new(),
        removed: Vec::new(),
        added: Vec::new(),
    };
    let held = Held::of(patch)?;
    for change in &patch.changes {
        writer.change(&TargetPath::parse(&change.attribute)?, change, &held);
    }
    let mut operations = writer.operations;
    dialect.dress(&mut operations);
    let (remove, add) = (distinct(&patch.remove_members), distinct(&patch.add_members));
    let mut bodies = Vec::new();
    let room = dialect.members_per_patch.max(1);
    let members = remove
        .iter()
        .map(|id| (false, id))
        .chain(add.iter().map(|id| (true, id)))
        .collect::<Vec<_>>();
    let mut close = |operations: Vec<Operation>, removes_members| {
        if !operations.is_empty() {
            bodies.push(PatchBody {
                schemas: [PATCH_OP],
                operations,
                removes_members,
            });
        }
    };
    if members.is_empty() {
        close(std::mem::take(&mut operations), false);
    }
    for chunk in members.chunks(room) {
        let (added, removed): (Vec<_>, Vec<_>) = chunk.iter().partition(|(is_added, _)| *is_added);
        operations.extend(removals(removed.iter().map(|(_, id)| *id), dialect));
        let values: Vec<Json> = added
            .iter()
            .map(|(_, id)| json!({"value": id.as_str()}))
            .collect();
        if !values.is_empty() {
            operations.push(dialect.operation(Op::Add, "members".to_owned(), Some(values.into())));
        }
        close(std::mem::take(&mut operations), !removed.is_empty());
    }
    Ok(bodies)
}

/// Returns the attributes of a patch that create an element which the target does not hold, as the changes name them.
#[must_use]
pub fn new_elements(patch: &Patch) -> BTreeSet<String> {
    let Ok(held) = Held::of(patch) else {
        return BTreeSet::new();
    };
    let is_new = |change: &&Change| {
        let path = TargetPath::parse(&change.attribute);
        !change.after.is_unassigned() && path.is_ok_and(|path| path.selects_element() && !held.had(&path))
    };
    let new = patch.changes.iter().filter(is_new);
    new.map(|change| change.attribute.to_string()).collect()
}

fn removals<'a>(ids: impl Iterator<Item = &'a TargetId>, dialect: &Dialect) -> Vec<Operation> {
    match dialect.member_removal {
        MemberRemoval::Path | MemberRemoval::Put => ids
            .map(|id| {
                let path = format!("members[value eq {}]", Json::from(id.as_str()));
                dialect.operation(Op::Remove, path, None)
            })
            .collect(),
        MemberRemoval::ValueArray => {
            let values: Vec<Json> = ids.map(|id| json!({"value": id.as_str()})).collect();
            let one =
                |values: Vec<Json>| dialect.operation(Op::Remove, "members".to_owned(), Some(values.into()));
            if values.is_empty() {
                Vec::new()
            } else {
                vec![one(values)]
            }
        }
    }
}

fn distinct(ids: &[TargetId]) -> Vec<TargetId> {
    let mut seen = BTreeSet::new();
    ids.iter().filter(|id| seen.insert(*id)).cloned().collect()
}

#[derive(Debug, Clone, Copy)]
enum Op {
    Add,
    Replace,
    Remove,
}

impl Dialect {
    fn operation(&self, op: Op, path: String, value: Option<Json>) -> Operation {
        let op = match (self.op_case, op) {
            (OpCase::Lower, Op::Add) => "add",
            (OpCase::Lower, Op::Replace) => "replace",
            (OpCase::Lower, Op::Remove) => "remove",
            (OpCase::Capital, Op::Add) => "Add",
            (OpCase::Capital, Op::Replace) => "Replace",
            (OpCase::Capital, Op::Remove) => "Remove",
        };
        Operation { op, path, value }
    }

    /// Writes operations with the booleans that this target wants, also those that select an element.
    fn dress(&self, operations: &mut [Operation]) {
        if self.booleans == Booleans::String {
            let values = operations
                .iter_mut()
                .filter_map(|operation| operation.value.as_mut());
            values.for_each(write_booleans);
        }
    }

    /// Returns a value in the form that this target wants at this path.
    #[must_use]
    pub fn value_at(&self, path: &TargetPath, value: &Value) -> Json {
        match value {
            Value::Bool(b) if self.booleans == Booleans::String => if *b { "True" } else { "False" }.into(),
            Value::String(id) if path.is_manager() && self.manager == ManagerForm::Object => {
                json!({"value": id})
            }
            _ => value.to_json(),
        }
    }
}

/// The multi-valued elements that the target holds, before and after the patch.
struct Held {
    before: Vec<TargetPath>,
    after: Vec<TargetPath>,
}

impl Held {
    fn of(patch: &Patch) -> Result<Self, PathError> {
        let mut before = Vec::new();
        for (path, value) in patch.held.iter().filter(|(_, value)| !value.is_unassigned()) {
            // A held attribute that is not a path is not ours to write: only what changes must be one.
            if let Ok(path) = TargetPath::parse(path) {
                before.extend(elements_in(&path, value));
                before.push(path);
            }
        }
        let mut after = before.clone();
        for change in &patch.changes {
            let path = TargetPath::parse(&change.attribute)?;
            after.retain(|held| *held != path);
            if !change.before.is_unassigned() && !before.contains(&path) {
                before.push(path.clone());
            }
            if !change.after.is_unassigned() {
                after.push(path);
            }
        }
        Ok(Self { before, after })
    }

    fn had(&self, path: &TargetPath) -> bool {
        self.before.iter().any(|held| held.same_element(path))
    }

    fn keeps(&self, path: &TargetPath) -> bool {
        self.after.iter().any(|held| held.same_element(path))
    }
}

/// Returns one path for each element of a whole list, such as `emails`, that a `type` selects.
fn elements_in(path: &TargetPath, value: &Value) -> Vec<TargetPath> {
    let Value::List(items) = value else {
        return Vec::new();
    };
    let of_type = |item: &Value| match item {
        Value::Map(map) => map.get("type").map(Value::to_json),
        _ => None,
    };
    items
        .iter()
        .filter_map(of_type)
        .map(|kind| TargetPath {
            selector: vec![("type".to_owned(), kind)],
            ..path.clone()
        })
        .collect()
}

struct Writer<'a> {
    dialect: &'a Dialect,
    operations: Vec<Operation>,
    /// Elements that are removed whole: once, however many of their values go.
    removed: Vec<TargetPath>,
    /// Elements that are added whole, with the operation and the place in its value where they are built.
    added: Vec<(TargetPath, usize, usize)>,
}

impl Writer<'_> {
    fn change(&mut self, path: &TargetPath, change: &Change, held: &Held) {
        let after = &change.after;
        if after.is_unassigned() && self.empty(path, change, held) {
            return;
        }
        match (path.selects_element(), after.is_unassigned()) {
            (true, true) => self.clear_in_element(path, held),
            (true, false) if !held.had(path) && self.dialect.new_element == NewElement::Whole => {
                self.add_to_new_element(path, after);
            }
            (true, false) if !held.had(path) => {
                let value = self.dialect.value_at(path, after);
                self.push(Op::Add, path.wire(), Some(value));
            }
            (false, true) => self.clear(path),
            (_, false) => {
                let value = self.dialect.value_at(path, after);
                self.push(Op::Replace, path.wire(), Some(value));
            }
        }
    }

    /// Clears an attribute by writing an empty value in its place, where this target wants that. Returns false where it
    /// does not.
    fn empty(&mut self, path: &TargetPath, change: &Change, held: &Held) -> bool {
        let nothing = match self.dialect.clearing(path) {
            Clearing::Remove | Clearing::Put => return false,
            Clearing::Null => Json::Null,
            Clearing::Empty if matches!(change.before, Value::List(_)) => Json::Array(Vec::new()),
            Clearing::Empty => "".into(),
        };
        if !path.selects_element() || held.had(path) {
            self.push(Op::Replace, path.wire(), Some(nothing));
        }
        true
    }

    fn push(&mut self, op: Op, path: String, value: Option<Json>) {
        self.operations.push(self.dialect.operation(op, path, value));
    }

    fn clear(&mut self, path: &TargetPath) {
        if path.is_manager() && self.dialect.manager == ManagerForm::String {
            self.push(Op::Replace, path.wire(), Some("".into()));
        } else {
            self.push(Op::Remove, path.wire(), None);
        }
    }

    fn clear_in_element(&mut self, path: &TargetPath, held: &Held) {
        if !held.had(path) {
            return; // nothing there, and a path into an absent element is refused
        }
        if held.keeps(path) {
            self.push(Op::Remove, path.wire(), None);
        } else if !self.removed.iter().any(|gone| gone.same_element(path)) {
            self.push(Op::Remove, path.element(), None);
            self.removed.push(path.clone());
        }
    }

    fn add_to_new_element(&mut self, path: &TargetPath, after: &Value) {
        let value = self.dialect.value_at(path, after);
        let known = self
            .added
            .iter()
            .find(|(element, ..)| element.same_element(path))
            .map(|known| (known.1, known.2));
        let (operation, place) = known.unwrap_or_else(|| self.new_element(path));
        let Some(Json::Object(element)) = self.operations[operation]
            .value
            .as_mut()
            .and_then(|elements| elements.get_mut(place))
        else {
            return;
        };
        put_into_element(element, path, value);
    }

    /// Opens an element in the one `add` of its attribute.
    fn new_element(&mut self, path: &TargetPath) -> (usize, usize) {
        let known = self
            .added
            .iter()
            .find(|(element, ..)| element.same_attribute(path))
            .map(|known| known.1);
        let operation = known.unwrap_or_else(|| {
            self.push(Op::Add, path.attribute(), Some(Json::Array(Vec::new())));
            self.operations.len() - 1
        });
        let mut place = 0;
        if let Some(Json::Array(elements)) = &mut self.operations[operation].value {
            place = elements.len();
            elements.push(Json::Object(path.new_element()));
        }
        self.added.push((path.clone(), operation, place));
        (operation, place)
    }
}

/// Sets the sub-attribute that a path names; without one, an object is merged and anything else is its `value`.
pub(super) fn put_into_element(element: &mut serde_json::Map<String, Json>, path: &TargetPath, value: Json) {
    match (&path.sub, value) {
        (Some(sub), value) => {
            element.insert(sub.clone(), value);
        }
        (None, Json::Object(fields)) => element.extend(fields),
        (None, value) => {
            element.insert("value".to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests;

//! The inverse of a cycle, from what the history says that it did: attributes, memberships and `active` as they were
//! before it. Pure.
//!
//! Only what is still as that cycle left it is undone: what a later cycle changed again is somebody else's last word,
//! and is said. A create is undone by a delete. A delete cannot be undone: a new resource has a new id, and what
//! the service kept with the old one (security keys) is lost; it is made only where that is asked for.

pub mod undo_hold;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::operation::Change;
use super::operation::MEMBERS;
use super::operation::Member;
use super::operation::Operation;
use super::operation::Reason;
use super::operation::Verb;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::name::Name;
use crate::model::side::Side;
use crate::model::value::Attributes;
use crate::model::value::Value;
use crate::model::verb::Act;
use crate::reconcile::undo::undo_hold::UndoHold;
use crate::reconcile::undo::undo_hold::equal;
use crate::reconcile::undo::undo_hold::verb_of;

/// One thing that the cycle did to an object, as the history has it; a manager by its source id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    /// The operation, by name.
    pub operation: String,
    /// At which resource.
    pub target: Option<TargetId>,
    /// Before and after; `None` where the values were erased.
    pub changes: Option<Vec<Change>>,
}

/// What is known of the object now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Now {
    /// User or group.
    pub kind: ObjectKind,
    /// The object.
    pub source: SourceId,
    /// Its name, for showing.
    pub name: String,
    /// Its resource.
    pub target: Option<TargetId>,
    /// As last sent; a manager by its source id.
    pub sent: Attributes,
    /// The members that the group holds through us, with their resources.
    pub members: BTreeMap<SourceId, TargetId>,
    /// What its resource held when it was deleted, where the cycle did that and the history knows all of it.
    pub lost: Option<Past>,
}

/// What a resource held through us.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past {
    /// Attributes.
    pub attributes: Attributes,
    /// Members of a group.
    pub members: BTreeSet<SourceId>,
}

/// The inverse for one object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Undo {
    /// In order.
    pub operations: Vec<Operation>,
    /// What is to be held.
    pub hold: UndoHold,
    /// What is not undone, and why.
    pub findings: Vec<String>,
}

/// First before and last after of one attribute or membership.
type Span = (Value, Value);

#[derive(Default)]
struct Story {
    attributes: BTreeMap<Name, Span>,
    members: BTreeMap<SourceId, (bool, bool)>,
    created: Option<Option<TargetId>>,
    deleted: bool,
    linked: bool,
    erased: bool,
    /// Operations that this version does not know.
    unknown: BTreeSet<String>,
}

/// The inverse of what a cycle did to one object. `cycle` is for the reason.
#[must_use]
pub fn invert(deeds: &[Deed], now: &Now, cycle: &str, recreate: bool) -> Undo {
    let story = Story::of(deeds);
    let mut undo = Undo::default();
    let because = Reason::Undone {
        cycle: cycle.to_owned(),
    };
    for operation in &story.unknown {
        undo.findings.push(format!(
            "the history has an operation {operation} of it, which this melonsync does not know, and cannot undo"
        ));
    }
    if story.erased {
        undo.findings
            .push("its values in the history were erased".to_owned());
    }
    match (&story.created, story.deleted) {
        (Some(_), true) => {}
        (Some(made), false) => uncreate(made.as_ref(), now, because, &mut undo),
        (None, true) => recreate_it(now, because, recreate, &mut undo),
        (None, false) => {
            if story.linked && now.target.is_some() {
                undo.findings.push(
                    "it was adopted in that cycle, and stays linked; `melonsync unlink` parts them"
                        .to_owned(),
                );
            }
            revert(&story, now, &because, &mut undo);
        }
    }
    undo
}

impl Story {
    fn of(deeds: &[Deed]) -> Self {
        let mut story = Self::default();
        for deed in deeds {
            // What was done at the source, the way back takes back.
            let verb = Verb::named(&deed.operation);
            if verb.is_some_and(|verb| verb.side() == Side::Source) {
                continue;
            }
            match verb.map(Verb::act) {
                Some(Act::Create) => {
                    story.created = Some(deed.target.clone());
                    continue;
                }
                Some(Act::Delete) => {
                    story.deleted = true;
                    continue;
                }
                Some(Act::Link) => {
                    story.linked = true;
                    continue;
                }
                Some(
                    Act::Update
                    | Act::Disable
                    | Act::Enable
                    | Act::AddMembers
                    | Act::RemoveMembers
                    | Act::Unlink,
                ) => {}
                Some(Act::Join | Act::Leave) | None => {
                    story.unknown.insert(deed.operation.clone());
                    continue;
                }
            }
            let Some(changes) = &deed.changes else {
                story.erased = true;
                continue;
            };
            for change in changes {
                story.change(change);
            }
        }
        story
    }

    fn change(&mut self, change: &Change) {
        if change.attribute == MEMBERS {
            for (ids, is_in) in [(&change.before, false), (&change.after, true)] {
                for id in ids_of(ids) {
                    let span = self.members.entry(id).or_insert((!is_in, is_in));
                    span.1 = is_in;
                }
            }
            return;
        }
        let span = self
            .attributes
            .entry(change.attribute.clone())
            .or_insert_with(|| (change.before.clone(), Value::Null));
        span.1 = change.after.clone();
    }
}

/// The object ids in a list.
#[must_use]
pub fn ids_of(list: &Value) -> Vec<SourceId> {
    match list {
        Value::List(items) => items
            .iter()
            .filter_map(|item| item.as_str()?.parse().ok())
            .collect(),
        _ => Vec::new(),
    }
}

fn operation(now: &Now, verb: Verb, because: Reason) -> Operation {
    Operation {
        verb,
        kind: now.kind,
        source: now.source,
        name: now.name.clone(),
        target: now.target.clone(),
        because,
        changes: Vec::new(),
        members: Vec::new(),
    }
}

fn uncreate(made: Option<&TargetId>, now: &Now, because: Reason, undo: &mut Undo) {
    match &now.target {
        Some(target) if made.is_none_or(|made| made == target) => {
            undo.operations
                .push(operation(now, Verb::delete(now.kind), because));
            undo.hold.absent = true;
        }
        Some(_) => undo
            .findings
            .push("it was created in that cycle, and has another resource by now".to_owned()),
        None => {}
    }
}

fn recreate_it(now: &Now, because: Reason, recreate: bool, undo: &mut Undo) {
    if now.target.is_some() {
        undo.findings
            .push("it was deleted in that cycle, and has a resource again".to_owned());
        return;
    }
    if !recreate {
        undo.findings.push(
            "it was deleted: a resource made anew has a new id, and its security keys are lost; --recreate makes it all the same"
                .to_owned(),
        );
        return;
    }
    let Some(past) = &now.lost else {
        undo.findings.push(
            "it was deleted, and the history no longer knows what it held (erased, pruned or hidden): it cannot be made anew"
                .to_owned(),
        );
        return;
    };
    let add = match now.kind {
        ObjectKind::User => None,
        ObjectKind::Group => Some(Verb::AddMember),
    };
    let mut create = operation(now, Verb::create(now.kind), because.clone());
    create.changes = past
        .attributes
        .iter()
        .map(|(attribute, value)| Change {
            attribute: attribute.clone(),
            before: Value::Null,
            after: value.clone(),
        })
        .collect();
    undo.operations.push(create);
    if let (Some(verb), false) = (add, past.members.is_empty()) {
        let mut members = operation(now, verb, because);
        members.members = past
            .members
            .iter()
            .map(|id| member(*id, None, &members.because))
            .collect();
        undo.operations.push(members);
    }
    undo.hold.present = true;
}

fn member(source: SourceId, target: Option<TargetId>, because: &Reason) -> Member {
    Member {
        source,
        target,
        with_user: false,
        because: because.clone(),
    }
}

/// What stands in place of hidden values in the history.
const HIDDEN: &str = "[Redact]";

fn revert(story: &Story, now: &Now, because: &Reason, undo: &mut Undo) {
    let moves = !(story.attributes.is_empty() && story.members.is_empty());
    if now.target.is_none() {
        if moves {
            undo.findings.push("it has no resource any more".to_owned());
        }
        return;
    }
    let mut changes = Vec::new();
    for (attribute, (before, after)) in &story.attributes {
        if equal(before, after) {
            continue;
        }
        if [before, after].iter().any(|value| value.as_str() == Some(HIDDEN)) {
            undo.findings
                .push(format!("{attribute} is hidden in the history, and stays"));
        } else if !equal(now.sent.get(attribute).unwrap_or(&Value::Null), after) {
            undo.findings
                .push(format!("{attribute} was changed again since, and stays"));
        } else {
            undo.hold.attributes.insert(attribute.clone(), after.clone());
            changes.push(Change {
                attribute: attribute.clone(),
                before: after.clone(),
                after: before.clone(),
            });
        }
    }
    if !changes.is_empty() {
        let mut update = operation(now, verb_of(now.kind, &changes), because.clone());
        update.changes = changes;
        undo.operations.push(update);
    }
    let (mut add, mut remove) = (Vec::new(), Vec::new());
    for (id, (was, is)) in &story.members {
        let held = now.members.get(id);
        if was == is || held.is_some() != *is {
            continue;
        }
        undo.hold.members.insert(*id, *is);
        match held {
            Some(target) => remove.push(member(*id, Some(target.clone()), because)),
            None => add.push(member(*id, None, because)),
        }
    }
    for (verb, members) in [(Verb::RemoveMember, remove), (Verb::AddMember, add)] {
        if !members.is_empty() {
            let mut operation = operation(now, verb, because.clone());
            operation.members = members;
            undo.operations.push(operation);
        }
    }
}

#[cfg(test)]
mod tests;

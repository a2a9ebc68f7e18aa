//! What a cycle did, out of the history, with what is known of each object now.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::Inverse;
use super::UndoRequest;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::object::Membership;
use crate::model::value::Value;
use crate::ports::StoreError;
use crate::reconcile::operation::Change;
use crate::reconcile::operation::MEMBERS;
use crate::reconcile::operation::Verb;
use crate::reconcile::undo::Deed;
use crate::reconcile::undo::Now;
use crate::reconcile::undo::Past;
use crate::reconcile::undo::ids_of;
use crate::reconcile::undo::invert;
use crate::snapshot::history::Entry;
use crate::snapshot::history::Values;
use crate::snapshot::pages::Pages;
use crate::snapshot::query::Query;
use crate::snapshot::read::Reads;
use crate::snapshot::store::Snapshot;

/// The inverses of everything that a cycle did, in the order of kinds and ids.
pub(super) fn plan(
    snapshot: &Snapshot,
    request: &UndoRequest,
    manager: Option<&str>,
) -> Result<Vec<Inverse>, StoreError> {
    let mut deeds: BTreeMap<(ObjectKind, SourceId), Vec<Deed>> = BTreeMap::new();
    let mut names: BTreeMap<SourceId, String> = BTreeMap::new();
    let mut last = 0;
    let query = Query {
        cycle: Some(request.cycle),
        result: Some("done".to_owned()),
        ..Query::default()
    };
    snapshot.search_history(&query, |entry, values| {
        let (Some(kind), Some(id)) = (entry.kind, entry.object) else {
            return Ok(());
        };
        last = entry.seq;
        if let Some(name) = values.and_then(name_in) {
            names.insert(id, name);
        }
        let changes = values.map(|values| by_source(snapshot, &values.changes, manager));
        deeds.entry((kind, id)).or_default().push(Deed {
            operation: entry.operation.clone(),
            target: entry.target.clone(),
            changes: changes.transpose()?,
        });
        Ok(())
    })?;
    let deleted: BTreeSet<SourceId> = deeds
        .iter()
        .filter(|(_, deeds)| {
            deeds
                .iter()
                .any(|deed| Verb::named(&deed.operation).is_some_and(Verb::deletes))
        })
        .map(|((_, id), _)| *id)
        .collect();
    // Also for the name of what is not made anew: nothing else knows it any more.
    let mut pasts = if deleted.is_empty() {
        BTreeMap::new()
    } else {
        pasts(snapshot, deleted, last)?
    };
    let mut inverses = Vec::with_capacity(deeds.len());
    for ((kind, id), deeds) in deeds {
        let mut now = now(snapshot, kind, id, manager)?;
        now.lost = pasts.remove(&id).flatten();
        if now.name == id.to_string()
            && let Some(name) = names
                .remove(&id)
                .or_else(|| now.lost.as_ref().and_then(past_name))
        {
            now.name = name;
        }
        let undo = invert(&deeds, &now, &request.cycle.to_string(), request.recreate);
        inverses.push(Inverse { now, undo });
    }
    Ok(inverses)
}

fn name_in(values: &Values) -> Option<String> {
    let named = |change: &&Change| change.attribute == "userName" || change.attribute == "displayName";
    let change = values.changes.iter().find(named)?;
    change.after.as_str().map(str::to_owned)
}

fn past_name(past: &Past) -> Option<String> {
    ["userName", "displayName"]
        .iter()
        .find_map(|name| past.attributes.get(name)?.as_str().map(str::to_owned))
}

/// What is known of the object now.
fn now(
    snapshot: &Snapshot,
    kind: ObjectKind,
    id: SourceId,
    manager: Option<&str>,
) -> Result<Now, StoreError> {
    let record = snapshot.record(kind, &id)?;
    let name = record
        .as_ref()
        .map_or_else(|| id.to_string(), |record| record.object.name());
    let link = record.and_then(|record| record.link);
    let mut members = BTreeMap::new();
    if kind == ObjectKind::Group && link.is_some() {
        let mut pages = Pages::growing(|(member, _): &(SourceId, Membership)| *member);
        while let Some(page) = pages.next_page(|after, limit| snapshot.edges(&id, after, limit))? {
            members.extend(
                page.into_iter()
                    .filter_map(|(member, edge)| Some((member, edge.sent?))),
            );
        }
    }
    let mut sent = link.as_ref().map(|link| link.sent.clone()).unwrap_or_default();
    if let Some(path) = manager
        && let Some(value) = sent.get(path).cloned()
    {
        sent.insert(path, referred(snapshot, &value)?);
    }
    Ok(Now {
        kind,
        source: id,
        name,
        target: link.map(|link| link.target),
        sent,
        members,
        lost: None,
    })
}

/// Changes with managers by their source ids: what was sent is a target id.
fn by_source(
    snapshot: &Snapshot,
    changes: &[Change],
    manager: Option<&str>,
) -> Result<Vec<Change>, StoreError> {
    let mut changes = changes.to_vec();
    for change in &mut changes {
        if manager == Some(change.attribute.as_str()) {
            change.before = referred(snapshot, &change.before)?;
            change.after = referred(snapshot, &change.after)?;
        }
    }
    Ok(changes)
}

fn referred(snapshot: &Snapshot, value: &Value) -> Result<Value, StoreError> {
    let Some(target) = value.as_str().and_then(TargetId::new) else {
        return Ok(value.clone());
    };
    let owner = snapshot.owner(ObjectKind::User, &target)?;
    Ok(owner.map_or_else(|| value.clone(), |id| Value::text(id.to_string())))
}

/// What resources held through us when they were deleted, folded from their history up to this entry; `None` where
/// something of it was erased or hidden, or its beginning is not there any more.
fn pasts(
    snapshot: &Snapshot,
    deleted: BTreeSet<SourceId>,
    last: u64,
) -> Result<BTreeMap<SourceId, Option<Past>>, StoreError> {
    let mut pasts: BTreeMap<SourceId, Option<Past>> = BTreeMap::new();
    let query = Query {
        objects: Some(deleted),
        result: Some("done".to_owned()),
        ..Query::default()
    };
    snapshot.search_history(&query, |entry, values| {
        if let (Some(id), true) = (entry.object, entry.seq <= last) {
            fold(pasts.entry(id).or_default(), entry, values);
        }
        Ok(())
    })?;
    Ok(pasts)
}

fn fold(past: &mut Option<Past>, entry: &Entry, values: Option<&Values>) {
    let verb = Verb::named(&entry.operation);
    if verb.is_some_and(|verb| verb.creates() || verb.links()) {
        *past = Some(Past::default());
    }
    let Some(values) = values else {
        *past = None;
        return;
    };
    let Some(held) = past else { return };
    for change in &values.changes {
        if change.attribute == MEMBERS {
            for id in ids_of(&change.before) {
                held.members.remove(&id);
            }
            held.members.extend(ids_of(&change.after));
        } else if change.after.as_str() == Some("[Redact]") {
            *past = None;
            return;
        } else if change.after.is_unassigned() {
            held.attributes.remove(&change.attribute);
        } else {
            held.attributes
                .insert(change.attribute.clone(), change.after.clone());
        }
    }
}

//! Queries of the history: entries by object, time and actor; and which objects once had a name.

use std::collections::BTreeSet;

use serde_json::Value as Json;
use serde_json::json;

use crate::model::clock::Timestamp;
use crate::model::id::CycleId;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::value::Value;
use crate::model::verb::Verb;
use crate::ports::StoreError;
use crate::ports::Table;
use crate::reconcile::explain::reason::code_of;

use super::{
    history::index::moved,
    history::{Batch, BatchValues, Entry, Values},
    pages::Pages,
    read::Reads,
    record::Record,
    store::Snapshot,
};

/// Stands for every operation that is none of a cycle's own: what people and the daemon decided, such as a pause or a release.
pub const DECISION: &str = "decision";

/// The entries wanted; a field of `None` does not restrict them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query {
    /// Entries of these objects, and of the groups that they came into or left.
    pub objects: Option<BTreeSet<SourceId>>,
    /// Entries of this cycle.
    pub cycle: Option<CycleId>,
    /// Entries at this moment or later.
    pub since: Option<Timestamp>,
    /// Entries at this moment or earlier.
    pub until: Option<Timestamp>,
    /// Entries with this operation, or with [`DECISION`].
    pub operation: Option<String>,
    /// Entries of this actor.
    pub actor: Option<String>,
    /// Entries with this result.
    pub result: Option<String>,
}

impl Query {
    /// Returns true for an entry that is wanted. Memberships are its values: of an entry without them nobody knows.
    #[must_use]
    pub fn wants(&self, entry: &Entry, values: Option<&Values>) -> bool {
        let is = |wanted: &Option<String>, held: &str| wanted.as_ref().is_none_or(|wanted| wanted == held);
        let ours = |objects: &BTreeSet<SourceId>| {
            entry.object.is_some_and(|id| objects.contains(&id))
                || values.is_some_and(|values| moves_one_of(values, objects))
        };
        self.objects.as_ref().is_none_or(ours)
            && self.cycle.is_none_or(|cycle| entry.cycle == Some(cycle))
            && self.since.is_none_or(|since| entry.time >= since)
            && self.until.is_none_or(|until| entry.time <= until)
            && self
                .operation
                .as_ref()
                .is_none_or(|wanted| is_operation(wanted, &entry.operation))
            && self
                .actor
                .as_ref()
                .is_none_or(|wanted| is_by(wanted, &entry.actor))
            && is(&self.result, &entry.result)
    }
}

fn is_operation(wanted: &str, operation: &str) -> bool {
    operation == wanted || (wanted == DECISION && Verb::named(operation).is_none())
}

/// Returns true where one of the objects comes into a group, or leaves it.
fn moves_one_of(values: &Values, objects: &BTreeSet<SourceId>) -> bool {
    moved(values).any(|id| objects.contains(&id))
}

/// Returns true when the actor is the wanted one: the whole text, or the name before its user id. The claimed part of
/// an actor is not searched.
fn is_by(wanted: &str, actor: &str) -> bool {
    actor == wanted
        || actor
            .strip_prefix(wanted)
            .is_some_and(|rest| rest.starts_with(" (uid "))
}

/// Builds an entry's document for programs, with its values where they were not erased. `members` are lists of source
/// ids: those that left in `before`, those that came in `after`.
#[must_use]
pub fn document(entry: &Entry, values: Option<&Values>) -> Json {
    let mut line = json!({
        "seq": entry.seq, "time": entry.time.to_string(), "cycle": entry.cycle.map(|cycle| cycle.to_string()),
        "actor": entry.actor, "operation": entry.operation, "kind": entry.kind,
        "object": entry.object.map(|id| id.to_string()),
        "target": entry.target.as_ref().map(|target| target.as_str()),
        "because": entry.reason, "reason": code_of(&entry.reason), "result": entry.result, "config": entry.config,
    });
    match values {
        Some(values) => {
            line["changes"] = changes(values);
            line["detail"] = json!(values.detail);
        }
        None => line["erased"] = json!(true),
    }
    line
}

/// Builds the JSON of an entry's changes.
#[must_use]
pub fn changes(values: &Values) -> Json {
    let shown = values.changes.iter().map(|change| {
        json!({"attribute": change.attribute, "before": change.before.to_json(), "after": change.after.to_json()})
    });
    shown.collect()
}

impl Snapshot {
    /// Shows every wanted entry, oldest first, with its values (`None` if erased).
    ///
    /// # Errors
    /// As [`Reads`], and what `show` returns.
    pub fn search_history(
        &self,
        query: &Query,
        mut show: impl FnMut(&Entry, Option<&Values>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let after = match query.since {
            Some(since) => self.first_after(since)?,
            None => None,
        };
        let mut show = |batch: &Batch, values: &BatchValues| {
            for (at, entry) in batch.entries.iter().enumerate() {
                let values = values
                    .0
                    .get(at)
                    .and_then(Option::as_ref)
                    .map(|(_, values)| values);
                if query.wants(entry, values) {
                    show(entry, values)?;
                }
            }
            Ok(())
        };
        let Some(objects) = &query.objects else {
            return self.each_history(after, |_, batch, values| show(batch, values));
        };
        for key in self.records_of(objects, after)? {
            let (batch, values) = self.history_record(&key)?;
            show(&batch, &values)?;
        }
        Ok(())
    }

    /// Shows every record of the history after a key, with the values beside it.
    pub(super) fn each_history(
        &self,
        after: Option<Vec<u8>>,
        mut show: impl FnMut(&[u8], &Batch, &BatchValues) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.each_history_record(after, |key, bytes| {
            let batch: Batch = self.decode(Table::History, bytes)?;
            show(key, &batch, &BatchValues::beside(self, key)?)
        })
    }

    /// Returns the objects that are, or ever were, known by this name: an object id, the id of a resource, or a name,
    /// UPN or mail in any case, at the source or as it was sent. Erased or pruned entries no longer count.
    pub fn who_is(&self, name: &str) -> Result<BTreeSet<SourceId>, StoreError> {
        if let Ok(id) = name.parse() {
            return Ok(BTreeSet::from([id]));
        }
        let wanted = name.to_lowercase();
        let mut found = BTreeSet::new();
        for kind in [ObjectKind::User, ObjectKind::Group] {
            self.each_record(kind, |record| {
                if is_known_as(record, name, &wanted) {
                    found.insert(record.object.id);
                }
            })?;
        }
        self.each_history(None, |_, batch, values| {
            for (at, entry) in batch.entries.iter().enumerate() {
                let Some(id) = entry.object else { continue };
                let resource = entry
                    .target
                    .as_ref()
                    .is_some_and(|target| target.as_str() == name);
                let values = values.0.get(at).and_then(Option::as_ref);
                let named = values.is_some_and(|(_, values)| was_named(values, &wanted));
                if resource || named {
                    found.insert(id);
                }
            }
            Ok(())
        })?;
        Ok(found)
    }

    /// Returns the ids of the objects of a kind, with the records of those of whose bytes `is_wanted` is true.
    pub fn scan_records_where(
        &self,
        kind: ObjectKind,
        after: Option<&SourceId>,
        limit: usize,
        is_wanted: impl Fn(&SourceId, &[u8]) -> bool,
    ) -> Result<Vec<(SourceId, Option<Record>)>, StoreError> {
        self.scan_objects(kind, after, limit, |id, value| {
            let record = is_wanted(&id, value).then(|| self.decode_record(kind, id, value));
            Ok((id, record.transpose()?))
        })
    }

    /// Shows every record of a kind.
    pub(super) fn each_record(
        &self,
        kind: ObjectKind,
        mut show: impl FnMut(&Record),
    ) -> Result<(), StoreError> {
        let mut pages = Pages::growing(|record: &Record| record.object.id);
        while let Some(page) = pages.next_page(|after, limit| self.scan_records(kind, after, limit))? {
            page.iter().for_each(&mut show);
        }
        Ok(())
    }

    /// Returns the current name of an object in the snapshot, for display beside its id.
    pub fn name_of(&self, kind: ObjectKind, id: &SourceId) -> Result<Option<String>, StoreError> {
        Ok(self.record(kind, id)?.map(|record| record.object.name()))
    }
}

/// Returns true for a path that may hold a name, at the source or at the target.
fn is_name(path: &str) -> bool {
    const NAMES: [&str; 12] = [
        "userPrincipalName",
        "mail",
        "displayName",
        "mailNickname",
        "otherMails",
        "proxyAddresses",
        "onPremisesUserPrincipalName",
        "userName",
        "externalId",
        "name.formatted",
        "nickName",
        "emails",
    ];
    NAMES.contains(&path) || path.starts_with("emails[")
}

fn is_known_as(record: &Record, name: &str, wanted: &str) -> bool {
    let link = record.link.as_ref();
    let sent = link.into_iter().flat_map(|link| link.sent.iter());
    link.is_some_and(|link| link.target.as_str() == name)
        || record
            .object
            .attributes
            .iter()
            .chain(sent)
            .any(|(path, value)| is_name(path.as_str()) && says(value, wanted))
}

fn was_named(values: &Values, wanted: &str) -> bool {
    let named = values.changes.iter().filter(|change| is_name(&change.attribute));
    let mut both = named.flat_map(|change| [&change.before, &change.after]);
    both.any(|value| says(value, wanted))
}

/// Returns true where a value is this text in any case, or a list that contains it; `smtp:` before an address is
/// ignored.
fn says(value: &Value, wanted: &str) -> bool {
    match value {
        Value::String(text) => {
            let text = text.to_lowercase();
            text == wanted || text.strip_prefix("smtp:") == Some(wanted)
        }
        Value::List(items) => items.iter().any(|item| says(item, wanted)),
        _ => false,
    }
}

//! Who had access at the target at a moment, or on a day: as they stand now, and what the history says was done since.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::error::AppError;
use crate::model::clock::Clock as _;
use crate::model::clock::SystemClock;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::value::Value;
use crate::model::verb::Act;
use crate::model::verb::Verb;
use crate::ports::StoreError;
use crate::reconcile::operation::Change;
use crate::snapshot::history::Entry;
use crate::snapshot::history::Values;
use crate::snapshot::pages::Pages;
use crate::snapshot::query::Query;
use crate::snapshot::read::Reads;
use crate::snapshot::record::Record;
use crate::snapshot::store::Snapshot;

/// Who was active within a time, as melonsync left them.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActiveView {
    /// The oldest entry that is left, where the history was cut and begins after `from`: what was before it is not known.
    #[serde(serialize_with = "super::text_or_null")]
    #[schema(value_type = Option<String>)]
    pub begins: Option<Timestamp>,
    /// How many.
    pub count: u64,
    /// From this moment on.
    #[serde(serialize_with = "super::text")]
    #[schema(value_type = String)]
    pub from: Timestamp,
    /// The job.
    pub job: String,
    /// How many of them are not listed.
    pub more: u64,
    /// Up to this moment.
    #[serde(serialize_with = "super::text")]
    #[schema(value_type = String)]
    pub to: Timestamp,
    /// Users of whom the history does not say how they stood.
    pub unknown: Vec<ActiveUser>,
    /// The users, by their ids.
    pub users: Vec<ActiveUser>,
}

/// A user.
#[derive(Debug, Serialize, ToSchema)]
pub struct ActiveUser {
    /// The name, as far as it is still known; else the id.
    pub name: String,
    /// The user.
    #[serde(serialize_with = "super::text")]
    #[schema(value_type = String)]
    pub object: SourceId,
}

/// How somebody stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Has,
    HasNot,
    Unknown,
}

/// What is known of one user while the history is read.
#[derive(Debug, Clone, Copy)]
struct Known {
    /// At the beginning of the time.
    first: Access,
    /// At some moment within it.
    within: bool,
}

/// Tells who was active at some moment of a time; at most so many are listed. Without a time: now; without its end: at that moment.
pub fn active(
    snapshot: &Snapshot,
    job: &str,
    (from, to): (Option<Timestamp>, Option<Timestamp>),
    limit: usize,
) -> Result<ActiveView, AppError> {
    let from = from.unwrap_or_else(|| SystemClock.now());
    let to = to.map_or(from, |to| to.max(from));
    let mut known = since(snapshot, from, to)?;
    let open = known.iter().filter(|(_, one)| one.first == Access::Unknown);
    let open: BTreeSet<SourceId> = open.map(|(id, _)| *id).collect();
    if !open.is_empty() {
        for (id, access) in before(snapshot, from, open)? {
            known.entry(id).and_modify(|one| one.first = access);
        }
    }
    let mut users: BTreeSet<SourceId> = BTreeSet::new();
    let mut unknown = BTreeSet::new();
    for (id, one) in &known {
        let _is_new = match one {
            Known { within: true, .. }
            | Known {
                first: Access::Has, ..
            } => users.insert(*id),
            Known {
                first: Access::Unknown,
                ..
            } => unknown.insert(*id),
            Known {
                first: Access::HasNot,
                ..
            } => false,
        };
    }
    // Of whom nothing was written since: they stand as they stood.
    users.extend(now(snapshot)?.into_iter().filter(|id| !known.contains_key(id)));
    let named = |ids: BTreeSet<SourceId>| {
        let each = ids.into_iter().take(limit).map(|object| {
            let name = snapshot.name_of(ObjectKind::User, &object)?;
            let name = name.unwrap_or_else(|| object.to_string());
            Ok(ActiveUser { name, object })
        });
        each.collect::<Result<Vec<_>, StoreError>>()
    };
    let count = users.len();
    Ok(ActiveView {
        count: count as u64,
        from,
        begins: begins(snapshot)?.filter(|oldest| *oldest > from),
        job: job.to_owned(),
        more: count.saturating_sub(limit) as u64,
        to,
        unknown: named(unknown)?,
        users: named(users)?,
    })
}

/// Users who are linked and active now.
fn now(snapshot: &Snapshot) -> Result<BTreeSet<SourceId>, StoreError> {
    let mut found = BTreeSet::new();
    let mut pages = Pages::growing(|record: &Record| record.object.id);
    while let Some(page) =
        pages.next_page(|after, limit| snapshot.scan_records(ObjectKind::User, after, limit))?
    {
        let active = page.iter().filter(|record| {
            let sent = record.link.as_ref().map(|link| link.sent.get(ACTIVE));
            sent.is_some_and(|sent| sent.is_none_or(|sent| !is_false(sent)))
        });
        found.extend(active.map(|record| record.object.id));
    }
    Ok(found)
}

/// What the entries from a moment on say of each user: how they stood at it, and up to another one.
fn since(
    snapshot: &Snapshot,
    from: Timestamp,
    to: Timestamp,
) -> Result<BTreeMap<SourceId, Known>, StoreError> {
    let query = Query {
        since: Some(from),
        ..Query::default()
    };
    let mut known = BTreeMap::new();
    snapshot.search_history(&query, |entry, values| {
        if let (Some(id), Some((was, is))) = (entry.object, told(entry, values)) {
            let one = known.entry(id).or_insert(Known {
                first: was,
                within: false,
            });
            one.within |= entry.time <= to && (was == Access::Has || is == Access::Has);
        }
        Ok(())
    })?;
    Ok(known)
}

/// How these users stood before a moment, by the last entry that tells.
fn before(
    snapshot: &Snapshot,
    from: Timestamp,
    users: BTreeSet<SourceId>,
) -> Result<BTreeMap<SourceId, Access>, StoreError> {
    let query = Query {
        objects: Some(users.clone()),
        until: Some(Timestamp(from.0 - 1)),
        ..Query::default()
    };
    let mut stood = BTreeMap::new();
    snapshot.search_history(&query, |entry, values| {
        let told = told(entry, values).filter(|_| entry.object.is_some_and(|id| users.contains(&id)));
        if let (Some(id), Some((_, is))) = (entry.object, told) {
            stood.insert(id, is);
        }
        Ok(())
    })?;
    Ok(stood)
}

/// The path of the flag at the target.
const ACTIVE: &str = "active";

/// What an entry says of a user's access before it and after it; `None` where it says nothing of it.
fn told(entry: &Entry, values: Option<&Values>) -> Option<(Access, Access)> {
    if entry.result != "done" || entry.kind != Some(ObjectKind::User) {
        return None;
    }
    let changes = values.map_or(&[] as &[Change], |values| values.changes.as_slice());
    let flag = changes.iter().find(|change| change.attribute == ACTIVE);
    let created = || match flag {
        Some(flag) if is_false(&flag.after) => Access::HasNot,
        _ => Access::Has,
    };
    if entry.operation == "unlink" {
        return Some((Access::Unknown, Access::HasNot));
    }
    match Verb::named(&entry.operation)?.act() {
        Act::Create => Some((Access::HasNot, created())),
        Act::Enable => Some((Access::HasNot, Access::Has)),
        Act::Disable => Some((Access::Has, Access::HasNot)),
        Act::Delete | Act::Unlink => Some((Access::Unknown, Access::HasNot)),
        // Before that it was not known here, and what the target held is not noted.
        Act::Link => Some((Access::Unknown, Access::Unknown)),
        Act::Update | Act::AddMembers | Act::RemoveMembers | Act::Join | Act::Leave => None,
    }
}

/// True for a flag that is off, in whichever form a target has it.
fn is_false(value: &Value) -> bool {
    match value {
        Value::Bool(is) => !is,
        Value::String(text) => text.eq_ignore_ascii_case("false"),
        _ => false,
    }
}

/// When the oldest entry was made, where older ones were dropped.
fn begins(snapshot: &Snapshot) -> Result<Option<Timestamp>, StoreError> {
    let oldest = snapshot.entries(0, 1)?;
    Ok(oldest
        .first()
        .filter(|entry| entry.seq > 0)
        .map(|entry| entry.time))
}

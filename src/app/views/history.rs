//! The audit log, as it is shown: entry by entry, in either order.

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

use super::Known;
use crate::app::error::AppError;
use crate::app::lookup;
use crate::model::clock::Timestamp;
use crate::model::id::CycleId;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::ports::StoreError;
use crate::reconcile::explain::reason::code_of;
use crate::reconcile::operation::Change;
use crate::reconcile::operation::MEMBERS;
use crate::reconcile::undo::ids_of;
use crate::snapshot::history::Entry;
use crate::snapshot::history::Values;
use crate::snapshot::query::Query;
use crate::snapshot::store::Snapshot;

/// Which entries are wanted; what is `None` does not matter.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Wanted {
    /// Of this object: an id, or any name, UPN or mail that it ever had.
    pub object: Option<String>,
    /// Of this cycle.
    pub cycle: Option<CycleId>,
    /// At this moment or later.
    #[serde(with = "super::moment")]
    pub since: Option<Timestamp>,
    /// At this moment or earlier.
    #[serde(with = "super::moment")]
    pub until: Option<Timestamp>,
    /// With this operation.
    pub operation: Option<String>,
    /// By this actor: whole, or by the name before its user id.
    pub actor: Option<String>,
    /// With this result.
    pub result: Option<String>,
}

/// A page of the history.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryPage {
    /// The entries, oldest first, or newest first where that was asked for.
    pub entries: Vec<HistoryEntry>,
    /// The job.
    pub job: String,
    /// The number to go on from; null at the end.
    pub next: Option<u64>,
}

/// One entry, with the names that the ids have by now.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryEntry {
    /// Who.
    pub actor: String,
    /// Why.
    pub because: String,
    /// What changed; absent where the values were erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Vec<HistoryChange>>,
    /// The fingerprint of mapping, scope and thresholds.
    pub config: String,
    /// In which cycle; null for what is done between cycles.
    #[serde(serialize_with = "super::text_or_null")]
    #[schema(value_type = Option<String>)]
    pub cycle: Option<CycleId>,
    /// What a person said, or the target; absent where the values were erased.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub detail: Option<Known>,
    /// True where the values were erased; absent where they are there.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub erased: bool,
    /// User or group.
    #[schema(value_type = Option<String>)]
    pub kind: Option<ObjectKind>,
    /// The object's name; absent where the entry is about none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub name: Option<Known>,
    /// The object.
    #[serde(serialize_with = "super::text_or_null")]
    #[schema(value_type = Option<String>)]
    pub object: Option<SourceId>,
    /// What was done, tried or decided.
    pub operation: String,
    /// The code of why.
    #[schema(value_type = Option<String>)]
    pub reason: Option<&'static str>,
    /// How it ended.
    pub result: String,
    /// Its number.
    pub seq: u64,
    /// The resource.
    #[schema(value_type = Option<String>)]
    pub target: Option<TargetId>,
    /// When.
    #[serde(serialize_with = "super::text")]
    #[schema(value_type = String)]
    pub time: Timestamp,
}

impl HistoryEntry {
    /// The object's name, where it is known.
    #[must_use]
    pub fn named(&self) -> Option<&str> {
        self.name.as_ref()?.0.as_deref()
    }

    /// What a person said, or the target.
    #[must_use]
    pub fn said(&self) -> Option<&str> {
        self.detail.as_ref()?.0.as_deref()
    }
}

/// One attribute that changed.
#[derive(Debug, Serialize, ToSchema)]
pub struct HistoryChange {
    /// Its value afterwards; of members, those that came.
    #[schema(value_type = serde_json::Value)]
    pub after: Json,
    /// Target path.
    pub attribute: String,
    /// Its value before; of members, those that went.
    #[schema(value_type = serde_json::Value)]
    pub before: Json,
    /// The members that came or went.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<Member>>,
}

/// A member that came or went.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HistoryMember)]
pub struct Member {
    /// Its name, where it is known.
    pub name: Option<String>,
    /// The member.
    #[serde(serialize_with = "super::text")]
    #[schema(value_type = String)]
    pub object: SourceId,
}

/// The history of a job, asked for certain entries.
#[derive(Debug)]
pub struct History<'s> {
    snapshot: &'s Snapshot,
    query: Query,
}

/// Looks for the object that is asked about.
pub fn history<'s>(snapshot: &'s Snapshot, job: &str, wanted: Wanted) -> Result<History<'s>, AppError> {
    let objects = match &wanted.object {
        Some(name) => Some(lookup::ever(snapshot, job, name)?),
        None => None,
    };
    let query = Query {
        objects,
        cycle: wanted.cycle,
        since: wanted.since,
        until: wanted.until,
        operation: wanted.operation,
        actor: wanted.actor,
        result: wanted.result,
    };
    Ok(History { snapshot, query })
}

/// As many entries as are read together.
const READ_TOGETHER: usize = 500;

impl History<'_> {
    /// Shows every entry that is wanted, newest first, for as long as `show` returns true; those below this number only,
    /// where there is one. Returns the number of the last that was shown where more may be wanted.
    pub fn each_newest(
        &self,
        below: Option<u64>,
        mut show: impl FnMut(HistoryEntry) -> bool,
    ) -> Result<Option<u64>, AppError> {
        let mut upper = match below {
            Some(below) => below,
            None => self.snapshot.history_head()?.next,
        };
        while upper > 0 {
            let lower = upper.saturating_sub(READ_TOGETHER as u64);
            let read = self.snapshot.history(lower, READ_TOGETHER)?;
            let within = read.iter().filter(|(entry, _)| entry.seq < upper);
            for (entry, values) in within.clone().rev() {
                if !self.query.wants(entry, values.as_ref()) {
                    continue;
                }
                if !show(view(self.snapshot, entry, values.as_ref())?) {
                    return Ok(Some(entry.seq));
                }
            }
            // Times grow along the chain: what is older still is not wanted either.
            let newest = within.map(|(entry, _)| entry.time).max();
            if newest.is_none() || self.query.since.is_some_and(|since| newest < Some(since)) {
                break;
            }
            upper = lower;
        }
        Ok(None)
    }

    /// Returns at most `limit` entries, newest first, those below this number only, where there is one.
    pub fn page_newest(&self, job: &str, below: Option<u64>, limit: usize) -> Result<HistoryPage, AppError> {
        let mut entries = Vec::new();
        let more = self.each_newest(below, |entry| {
            if entries.len() == limit {
                return false;
            }
            entries.push(entry);
            true
        })?;
        Ok(HistoryPage {
            entries,
            job: job.to_owned(),
            next: more.map(|not_shown| not_shown + 1),
        })
    }

    /// Returns at most `limit` entries, from this number on.
    pub fn page(&self, job: &str, mut from: u64, limit: usize) -> Result<HistoryPage, AppError> {
        let mut entries = Vec::new();
        loop {
            let read = self.snapshot.history(from, READ_TOGETHER)?;
            let Some((last, _)) = read.last() else { break };
            from = last.seq + 1;
            let wanted =
                |(entry, values): &&(Entry, Option<Values>)| self.query.wants(entry, values.as_ref());
            for (entry, values) in read.iter().filter(wanted) {
                if entries.len() == limit {
                    return Ok(HistoryPage {
                        entries,
                        job: job.to_owned(),
                        next: Some(entry.seq),
                    });
                }
                entries.push(view(self.snapshot, entry, values.as_ref())?);
            }
        }
        Ok(HistoryPage {
            entries,
            job: job.to_owned(),
            next: None,
        })
    }
}

fn view(snapshot: &Snapshot, entry: &Entry, values: Option<&Values>) -> Result<HistoryEntry, StoreError> {
    let name = match (entry.kind, entry.object) {
        (Some(kind), Some(id)) => Some(Known(snapshot.name_of(kind, &id)?)),
        _ => None,
    };
    let changes = match values {
        Some(values) => {
            let changes = values.changes.iter().map(|change| change_of(snapshot, change));
            Some(changes.collect::<Result<_, _>>()?)
        }
        None => None,
    };
    Ok(HistoryEntry {
        actor: entry.actor.clone(),
        because: entry.reason.clone(),
        changes,
        config: entry.config.clone(),
        cycle: entry.cycle,
        detail: values.map(|values| Known(values.detail.clone())),
        erased: values.is_none(),
        kind: entry.kind,
        name,
        object: entry.object,
        operation: entry.operation.clone(),
        reason: code_of(&entry.reason),
        result: entry.result.clone(),
        seq: entry.seq,
        target: entry.target.clone(),
        time: entry.time,
    })
}

fn change_of(snapshot: &Snapshot, change: &Change) -> Result<HistoryChange, StoreError> {
    let member = |object: SourceId| {
        let name = snapshot.name_of(ObjectKind::User, &object)?;
        Ok(Member { name, object })
    };
    let members = if change.attribute == MEMBERS {
        let ids = [ids_of(&change.before), ids_of(&change.after)].concat();
        Some(ids.into_iter().map(member).collect::<Result<_, StoreError>>()?)
    } else {
        None
    };
    Ok(HistoryChange {
        after: change.after.to_json(),
        attribute: change.attribute.to_string(),
        before: change.before.to_json(),
        members,
    })
}

//! What changed within a time, counted: by operation, by its cause, and by how it ended.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::error::AppError;
use crate::model::clock::Timestamp;
use crate::reconcile::explain::reason::code_of;
use crate::snapshot::query::Query;
use crate::snapshot::store::Snapshot;

/// What changed within a time.
#[derive(Debug, Serialize, ToSchema)]
pub struct Changes {
    /// By operation and cause; the most first.
    pub changes: Vec<Changed>,
    /// How many entries of the history that are.
    pub entries: u64,
    /// The job.
    pub job: String,
    /// From this moment on; null: from the beginning.
    pub since: Option<String>,
    /// Up to this moment; null: up to now.
    pub until: Option<String>,
}

/// Operations of one kind, for one cause.
#[derive(Debug, Serialize, ToSchema)]
pub struct Changed {
    /// The cause of one of them, in words.
    pub because: String,
    /// How many.
    pub count: u64,
    /// What was done, tried or decided.
    pub operation: String,
    /// The code of the cause, where it has one.
    #[schema(value_type = Option<String>)]
    pub reason: Option<&'static str>,
    /// How they ended.
    pub result: String,
}

/// Counts the entries of the history within a time.
pub fn changes(
    snapshot: &Snapshot,
    job: &str,
    since: Option<Timestamp>,
    until: Option<Timestamp>,
) -> Result<Changes, AppError> {
    let query = Query {
        since,
        until,
        ..Query::default()
    };
    let mut counted: BTreeMap<(String, Option<&'static str>, String), (u64, String)> = BTreeMap::new();
    snapshot.search_history(&query, |entry, _| {
        let key = (
            entry.operation.clone(),
            code_of(&entry.reason),
            entry.result.clone(),
        );
        let (count, _) = counted.entry(key).or_insert_with(|| (0, entry.reason.clone()));
        *count += 1;
        Ok(())
    })?;
    let entries = counted.values().map(|(count, _)| count).sum();
    let mut changes: Vec<Changed> = counted
        .into_iter()
        .map(|((operation, reason, result), (count, because))| Changed {
            because,
            count,
            operation,
            reason,
            result,
        })
        .collect();
    changes.sort_by_key(|changed| std::cmp::Reverse(changed.count));
    Ok(Changes {
        changes,
        entries,
        job: job.to_owned(),
        since: since.map(|since| since.to_string()),
        until: until.map(|until| until.to_string()),
    })
}

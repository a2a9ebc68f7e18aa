//! What withheld operations have in common: where one fact holds for most of them, it is often the cause.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Serialize;
use utoipa::ToSchema;

use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::value::Value;
use crate::ports::StoreError;
use crate::snapshot::assignments::groups_of;
use crate::snapshot::read::Reads;
use crate::snapshot::store::Snapshot;

/// A fact that holds for most of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = WithheldCommon)]
pub struct Common {
    /// For how many objects it holds.
    pub count: u64,
    /// Of how many.
    pub of: u64,
    /// Its value.
    pub value: String,
    /// What it is: `cause`, `department`, `group` or `hour`.
    pub what: &'static str,
}

/// What is known of one object.
#[derive(Debug, Clone, Default)]
pub(super) struct Facts {
    pub(super) cause: String,
    pub(super) department: Option<String>,
    pub(super) groups: BTreeSet<String>,
    pub(super) hour: String,
}

/// Of more objects than this no groups are read.
const LOOKED_AT: usize = 1000;

/// As many facts of one kind as are shown.
const SHOWN: usize = 3;

impl Facts {
    /// Reads them.
    pub(super) fn of(
        snapshot: &Snapshot,
        (kind, id): (ObjectKind, SourceId),
        cause: &str,
        since: Timestamp,
    ) -> Result<Self, StoreError> {
        let record = snapshot.record(kind, &id)?;
        let department = record
            .as_ref()
            .and_then(|record| record.object.attribute("department"));
        let mut groups = BTreeSet::new();
        if kind == ObjectKind::User {
            for group in groups_of(snapshot, &id)? {
                let name = snapshot.name_of(ObjectKind::Group, &group)?;
                groups.insert(name.unwrap_or_else(|| group.to_string()));
            }
        }
        Ok(Self {
            cause: cause.to_owned(),
            department: department.and_then(Value::as_str).map(str::to_owned),
            groups,
            hour: since.to_utc().format("%Y-%m-%d %H:00 UTC").to_string(),
        })
    }
}

/// Reads the facts of these objects, and finds those that most share.
pub(super) fn of(
    snapshot: &Snapshot,
    objects: &[((ObjectKind, SourceId), String, Timestamp)],
) -> Result<Vec<Common>, StoreError> {
    if objects.len() > LOOKED_AT {
        return Ok(Vec::new());
    }
    let mut facts = Vec::new();
    for (object, cause, since) in objects {
        facts.push(Facts::of(snapshot, *object, cause, *since)?);
    }
    Ok(common(&facts))
}

/// The facts that more than half of at least three objects share, each kind with the most first.
pub(super) fn common(facts: &[Facts]) -> Vec<Common> {
    let of = facts.len() as u64;
    if of < 3 {
        return Vec::new();
    }
    let counted = |what: &'static str, values: &dyn Fn(&Facts) -> Vec<String>| {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        for value in facts.iter().flat_map(values) {
            *counts.entry(value).or_default() += 1;
        }
        let mut found: Vec<Common> = counts
            .into_iter()
            .filter(|(_, count)| count * 2 > of)
            .map(|(value, count)| Common {
                count,
                of,
                what,
                value,
            })
            .collect();
        found.sort_by_key(|one| std::cmp::Reverse(one.count));
        found.truncate(SHOWN);
        found
    };
    [
        counted("cause", &|one| vec![one.cause.clone()]),
        counted("group", &|one| one.groups.iter().cloned().collect()),
        counted("department", &|one| one.department.iter().cloned().collect()),
        counted("hour", &|one| vec![one.hour.clone()]),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(cause: &str, department: Option<&str>, groups: &[&str]) -> Facts {
        Facts {
            cause: cause.to_owned(),
            department: department.map(str::to_owned),
            groups: groups.iter().map(|group| (*group).to_owned()).collect(),
            hour: "2026-11-30 23:00 UTC".to_owned(),
        }
    }

    #[test]
    fn what_most_share_is_named_with_its_number() {
        let found = common(&[
            facts("accountEnabled is false", Some("Sales"), &["Staff", "Berlin"]),
            facts("accountEnabled is false", Some("Sales"), &["Staff"]),
            facts("out of scope", Some("IT"), &["Staff", "Berlin", "Board"]),
        ]);
        let shown: Vec<String> = found
            .iter()
            .map(|one| format!("{} {} {} of {}", one.what, one.value, one.count, one.of))
            .collect();
        assert_eq!(
            shown,
            [
                "cause accountEnabled is false 2 of 3",
                "group Staff 3 of 3",
                "group Berlin 2 of 3",
                "department Sales 2 of 3",
                "hour 2026-11-30 23:00 UTC 3 of 3",
            ]
        );
        assert!(
            common(&[facts("x", None, &[]), facts("x", None, &[])]).is_empty(),
            "two are no crowd"
        );
    }
}

//! The cycles that a job keeps the summaries of, newest first.

use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

use crate::app::error::AppError;
use crate::model::id::CycleId;
use crate::model::shown::shown;
use crate::snapshot::store::Snapshot;

/// A page of cycles.
#[derive(Debug, Serialize, ToSchema)]
pub struct Cycles {
    /// Their summaries, newest first.
    #[schema(value_type = Vec<Object>)]
    pub cycles: Vec<Json>,
    /// The job.
    pub job: String,
}

/// Lists at most `limit` cycles, newest first; with `before`, those that are older than that one.
pub fn cycles(
    snapshot: &Snapshot,
    job: &str,
    limit: usize,
    before: Option<&str>,
) -> Result<Cycles, AppError> {
    let (numbers, all) = newest_first(snapshot)?;
    let from = match before {
        Some(name) => position(&all, name)? + 1,
        None => 0,
    };
    let shown = numbers.into_iter().skip(from).take(limit);
    let whole = shown.filter_map(|number| snapshot.cycle_numbered(number).transpose());
    Ok(Cycles {
        cycles: whole.collect::<Result<_, _>>()?,
        job: job.to_owned(),
    })
}

/// Returns the summary of a cycle: by its id, the beginning of one, `last`, or `last~1` for the one before.
pub fn cycle(snapshot: &Snapshot, name: &str) -> Result<Json, AppError> {
    let (numbers, all) = newest_first(snapshot)?;
    let number = numbers[position(&all, name)?];
    snapshot.cycle_numbered(number)?.ok_or_else(|| none_kept(name))
}

/// Returns the id of a cycle; a whole id is one, whatever is kept of it.
pub fn id_of(snapshot: &Snapshot, name: &str) -> Result<CycleId, AppError> {
    match name.parse() {
        Ok(id) => Ok(CycleId(id)),
        Err(_) => id_among(&newest_first(snapshot)?.1, name),
    }
}

/// Returns the id of the cycle that a name leads to, among these summaries, newest first.
pub fn id_among(all: &[Json], name: &str) -> Result<CycleId, AppError> {
    let id = all[position(all, name)?]["cycle"].as_str();
    let id = id.and_then(|id| id.parse().ok());
    id.map(CycleId).ok_or_else(|| none_kept(name))
}

/// The numbers of all that are kept, and what each is found by.
fn newest_first(snapshot: &Snapshot) -> Result<(Vec<u64>, Vec<Json>), AppError> {
    let all = snapshot.cycles_numbered(ALL)?;
    Ok(all.into_iter().rev().unzip())
}

/// More than are kept.
const ALL: u64 = 1 << 32;

fn position(all: &[Json], name: &str) -> Result<usize, AppError> {
    let back = match name.strip_prefix("last") {
        Some("") => Some(0),
        Some(back) => back.strip_prefix('~').and_then(|back| back.parse().ok()),
        None => None,
    };
    if let Some(back) = back.filter(|back| *back < all.len()) {
        return Ok(back);
    }
    let begins = |summary: &Json| {
        let id = summary["cycle"].as_str().unwrap_or_default();
        !name.is_empty() && id.starts_with(&name.to_lowercase())
    };
    let found: Vec<usize> = (0..all.len()).filter(|at| begins(&all[*at])).collect();
    match found.as_slice() {
        [at] => Ok(*at),
        // A cycle that gave way to named people, and went on: its end.
        [at, others @ ..]
            if others
                .iter()
                .all(|other| all[*other]["cycle"] == all[*at]["cycle"]) =>
        {
            Ok(*at)
        }
        [] => Err(none_kept(name)),
        many => Err(AppError::usage(
            format!("the ids of {} cycles begin with `{}`", many.len(), shown(name)),
            "give more of the id",
        )),
    }
}

/// No cycle has this name.
#[must_use]
pub fn none_kept(name: &str) -> AppError {
    AppError::absent(
        format!("no cycle `{}` is kept", shown(name)),
        "name one by its id, as `melonsync status` and `melonsync history` show it",
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_cycle_is_named_by_its_id_the_beginning_of_it_or_how_far_back_it_is() {
        let all = ["0192-c", "0192-b", "0191-a"].map(|id| json!({"cycle": id}));
        for (name, expected) in [
            ("last", Some(0)),
            ("last~2", Some(2)),
            ("last~3", None),
            ("last~x", None),
            ("0191", Some(2)),
            ("0192-B", Some(1)),
            ("0192", None),
            ("", None),
        ] {
            assert_eq!(position(&all, name).ok(), expected, "{name}");
        }
    }
}

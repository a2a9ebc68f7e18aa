//! The one look-up of objects: by object id, a prefix of one that is unique, or what people call them.
//!
//! The names are compared in `snapshot/named.rs`, which a cycle asks too; here a name that leads nowhere becomes the error that
//! surfaces show.

use std::collections::BTreeSet;

use super::error::AppError;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::shown::shown;
pub use crate::snapshot::named::Named;
use crate::snapshot::read::Reads;
use crate::snapshot::store::Snapshot;

/// Users and groups.
const BOTH: [ObjectKind; 2] = [ObjectKind::User, ObjectKind::Group];

/// Finds the one object that each of these names leads to.
pub fn all(snapshot: &Snapshot, names: &[String]) -> Result<Vec<Named>, AppError> {
    let found = snapshot.one_named(&BOTH, names)?;
    found.map_err(|error| AppError::from(&error))
}

/// Finds the one object that a name leads to.
pub fn one(snapshot: &Snapshot, name: &str) -> Result<Named, AppError> {
    Ok(all(snapshot, &[name.to_owned()])?.remove(0))
}

/// Finds the objects that are to be named: at least one.
pub fn some(snapshot: &Snapshot, names: &[String]) -> Result<Vec<Named>, AppError> {
    if names.is_empty() {
        return Err(AppError::usage(
            "no object is named",
            "name users or groups by object id, UPN, mail or display name",
        ));
    }
    all(snapshot, names)
}

/// Finds every object that a name leads to; none is no error. An object id leads to itself, whatever the snapshot holds.
pub fn any(snapshot: &Snapshot, name: &str) -> Result<BTreeSet<SourceId>, AppError> {
    let called = snapshot.named(&BOTH, &[name.to_owned()])?;
    let mut ids: BTreeSet<SourceId> = called.iter().flatten().map(|one| one.id).collect();
    ids.extend(name.parse::<SourceId>().ok());
    Ok(ids)
}

/// Returns an object by its id, as well as it is known.
pub fn known(snapshot: &Snapshot, kind: ObjectKind, id: SourceId) -> Result<Named, AppError> {
    let record = snapshot.record(kind, &id)?;
    let name = record
        .as_ref()
        .map_or_else(|| id.to_string(), |record| record.object.name());
    let target = record.and_then(|record| record.link).map(|link| link.target);
    Ok(Named {
        kind,
        id,
        name,
        target,
    })
}

/// Finds every object that is, or ever was, known by this: by what the history still holds of it, too.
pub fn ever(snapshot: &Snapshot, job: &str, name: &str) -> Result<BTreeSet<SourceId>, AppError> {
    let found = snapshot.who_is(name)?;
    if found.is_empty() {
        return Err(AppError::absent(
            format!(
                "nobody is, or ever was, known as `{}` in job `{job}`",
                shown(name)
            ),
            "give an object id, or a name, UPN or mail as it was at some time; what was erased or is older than \
             `history_retention` cannot be found by name",
        ));
    }
    Ok(found)
}

/// Finds the one object that is, or ever was, known by this.
pub fn one_ever(snapshot: &Snapshot, job: &str, name: &str) -> Result<SourceId, AppError> {
    let found = snapshot.who_is(name)?;
    match (found.first(), found.len()) {
        (Some(id), 1) => return Ok(*id),
        (None, _) => {
            return Err(AppError::absent(
                format!(
                    "nobody is, or ever was, known as `{}` in job `{job}`",
                    shown(name)
                ),
                "give its object id",
            ));
        }
        (Some(_), _) => {}
    }
    let ids: Vec<String> = found.iter().map(ToString::to_string).collect();
    let known = snapshot.named(&BOTH, &ids)?;
    // One that is gone has its id alone.
    let each = ids.iter().zip(known);
    let each = each.map(|(id, known)| known.first().map_or_else(|| id.clone(), ToString::to_string));
    let each: Vec<String> = each.collect();
    Err(AppError::usage(
        format!(
            "{} objects are, or were, known as `{}`: {}",
            found.len(),
            shown(name),
            each.join(", ")
        ),
        "give the object id of the one that you mean",
    ))
}

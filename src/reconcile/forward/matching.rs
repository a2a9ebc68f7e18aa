//! Pairing: which resource at the target is this object's, and what it takes to say that there is none.
//!
//! Link first (the caller's business); then externalId = objectId; then the matching attributes in order.
//! A resource has one owner: ambiguity and rivalry are findings, and nothing is written (docs/design/matching.md).

use crate::mapping::path::TargetPath;
use crate::mapping::resource::read_path;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::value::Value;
use crate::reconcile::explain::omission::Omission;
use crate::reconcile::forward::view::Absence;
use crate::reconcile::forward::view::Candidate;
use crate::reconcile::policy::Adopt;

/// The SCIM attribute that says whose a resource is (RFC 7643 section 3.1).
pub const EXTERNAL_ID: &str = "externalId";

/// The SCIM attribute that is unique among users.
const USER_NAME: &str = "userName";

/// One way of looking an object up at the target: a path and the value it must have.
#[derive(Debug, Clone)]
pub struct Key {
    /// Target path.
    pub path: TargetPath,
    /// The value to look for.
    pub value: Value,
}

/// What matching found.
#[derive(Debug)]
pub enum Pairing<'a> {
    /// This resource is the object's.
    Found {
        /// The resource.
        candidate: &'a Candidate,
        /// The attribute that matched.
        by: String,
    },
    /// None matched.
    None(&'a Absence),
    /// Nothing may be written; the finding says why.
    Refused(Omission),
}

/// Pairs one object. `keys` are in order: externalId = objectId first, then the matching attributes.
/// `ours` are the values of externalId that may stand on a resource of this very object.
#[must_use]
pub fn pair<'a>(
    keys: &[Key],
    ours: &[Value],
    found: &'a [Candidate],
    absence: &'a Absence,
    adopt: Adopt,
    me: SourceId,
) -> Pairing<'a> {
    for (rank, key) in keys.iter().enumerate() {
        let by = key.path.as_str().to_owned();
        let hits: Vec<&Candidate> = found
            .iter()
            .filter(|candidate| {
                read_path(&candidate.body, &key.path).is_some_and(|held| fold(&held) == fold(&key.value))
            })
            .collect();
        match hits.as_slice() {
            [] => {}
            [one] => {
                return match second(&keys[rank + 1..], found, one, ours) {
                    Some(other) => Pairing::Refused(Omission::Ambiguous {
                        by: format!("{by} or {USER_NAME}"),
                        targets: vec![one.id.clone(), other.id.clone()],
                    }),
                    None => accept(one, by, rank == 0, ours, adopt, me),
                };
            }
            many => {
                return Pairing::Refused(Omission::Ambiguous {
                    by,
                    targets: many.iter().map(|candidate| candidate.id.clone()).collect(),
                });
            }
        }
    }
    Pairing::None(absence)
}

/// Another resource with the userName that this object is to have: two resources for one object, of which neither can
/// be told to be the right one. One that is somebody else's is no claim.
fn second<'a>(
    keys: &[Key],
    found: &'a [Candidate],
    first: &Candidate,
    ours: &[Value],
) -> Option<&'a Candidate> {
    let key = keys.iter().find(|key| key.path.is_core(USER_NAME))?;
    found.iter().find(|other| {
        let named = read_path(&other.body, &key.path).is_some_and(|held| fold(&held) == fold(&key.value));
        named && other.id != first.id && other.owner.is_none() && !is_foreign(other, ours)
    })
}

/// Another resource that bears a value of these keys and is nobody's yet, with the key: beside it an object takes nothing over
/// from a leaver, because it would have two.
#[must_use]
pub fn beside<'a>(
    taken: &TargetId,
    keys: &'a [Key],
    found: &'a [Candidate],
) -> Option<(&'a Candidate, &'a Key)> {
    let bears = |other: &Candidate, key: &Key| {
        read_path(&other.body, &key.path).is_some_and(|held| fold(&held) == fold(&key.value))
    };
    let free = found
        .iter()
        .filter(|other| other.id != *taken && other.owner.is_none());
    free.filter_map(|other| Some((other, keys.iter().find(|key| bears(other, key))?)))
        .next()
}

/// True for a resource whose externalId names somebody else.
fn is_foreign(candidate: &Candidate, ours: &[Value]) -> bool {
    external_id(candidate).is_some_and(|held| !ours.iter().any(|own| fold(own) == fold(&held)))
}

/// A value as it is looked up by: whatever the service does, our side compares without case (docs/design/matching.md).
#[must_use]
pub fn fold(value: &Value) -> String {
    match value {
        Value::String(text) => text.to_lowercase(),
        other => other.to_string().to_lowercase(),
    }
}

fn distinct(values: &[Value]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for value in values.iter().map(plain) {
        if !found.contains(&value) {
            found.push(value);
        }
    }
    found
}

/// A value without the quotes of a text.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The externalId of a resource, `None` where it is empty.
fn external_id(candidate: &Candidate) -> Option<Value> {
    let path: TargetPath = EXTERNAL_ID.parse().expect("externalId is a target path");
    read_path(&candidate.body, &path)
}

/// `by_object_id`: matched by externalId = objectId, which nobody else can claim.
fn accept<'a>(
    candidate: &'a Candidate,
    by: String,
    by_object_id: bool,
    ours: &[Value],
    adopt: Adopt,
    me: SourceId,
) -> Pairing<'a> {
    let target = candidate.id.clone();
    if let Some(owner) = candidate.owner.filter(|owner| *owner != me) {
        return Pairing::Refused(Omission::OwnedByAnother { by, target, owner });
    }
    if let Some(owner) = candidate.rival.filter(|rival| *rival != me && !by_object_id) {
        return Pairing::Refused(Omission::OwnedByAnother { by, target, owner });
    }
    if adopt == Adopt::Never {
        return Pairing::Refused(Omission::AdoptNever { by, target });
    }
    if is_foreign(candidate, ours) && !by_object_id && adopt == Adopt::Unclaimed {
        return Pairing::Refused(Omission::ForeignExternalId {
            by,
            target,
            held: external_id(candidate).map_or_else(String::new, |held| plain(&held)),
            ours: distinct(ours),
        });
    }
    Pairing::Found { candidate, by }
}

#[cfg(test)]
mod tests;

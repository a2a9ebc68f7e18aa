//! Resources that an object without a link may adopt, as they were read, and who owns the members that they hold.

use crate::engine::context::Context;
use crate::engine::readings::stored::StoredReading;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::value::Attributes;
use crate::ports::StoreError;
use crate::reconcile::forward::unique_values::unique_name;
use crate::reconcile::forward::view::Candidate;
use crate::reconcile::forward::view::ObjectView;
use crate::reconcile::forward::view::TargetReading;
use crate::reconcile::guard::Class;
use crate::reconcile::members_of;
use crate::snapshot::kept_back::KeptBackReads;
use crate::snapshot::read::Reads;
use crate::snapshot::store::Snapshot;
use std::collections::BTreeMap;

/// The resources that the object matches, and what it proves that there are no others.
pub(super) fn candidates(
    snapshot: &Snapshot,
    context: &Context,
    view: &ObjectView,
    keys_of: &dyn Fn(&ObjectView) -> Vec<(String, String)>,
) -> Result<TargetReading, StoreError> {
    let Some(absence) = &context.absence else {
        return Ok(TargetReading::NotAsked);
    };
    let kind = view.object.kind;
    let mut found: BTreeMap<TargetId, Candidate> = BTreeMap::new();
    let keys = if context.filled.readings {
        keys_of(view)
    } else {
        Vec::new()
    };
    for (path, value) in keys {
        for target in snapshot.readings_by(kind, &path, &value)? {
            let is_anothers = context.rehires.is_taken(&target)
                || (context.freed.contains(&target) && path.eq_ignore_ascii_case(unique_name(kind)));
            if is_anothers || found.contains_key(&target) {
                continue;
            }
            let candidate = matched(snapshot, kind, &target, view.object.id)?;
            found.extend(candidate.map(|candidate| (target, candidate)));
        }
    }
    if !found.is_empty()
        && let Some(review) = snapshot.withheld(&(kind, view.object.id, Class::Adoption))?
        && let Some(candidate) = review.alike.and_then(|alike| found.get_mut(&alike.target))
    {
        candidate.reviewed = true;
    }
    if kind == ObjectKind::User
        && let Some((leaver, target)) = context.rehires.of(&view.object.id)
        && let Some(reading) = snapshot.reading::<StoredReading>(kind, target)?
    {
        let link = snapshot.record(kind, leaver)?.and_then(|record| record.link);
        found.insert(
            target.clone(),
            Candidate {
                sent: link.map(|link| link.sent).unwrap_or_default(),
                id: target.clone(),
                body: reading.body(),
                owner: Some(*leaver),
                rival: None,
                reviewed: false,
                rehires: Some(*leaver),
            },
        );
    }
    let found = found.into_values().collect();
    Ok(TargetReading::Candidates {
        found,
        absence: absence.clone(),
    })
}

/// A resource that an object matches, as it was read.
fn matched(
    snapshot: &Snapshot,
    kind: ObjectKind,
    target: &TargetId,
    me: SourceId,
) -> Result<Option<Candidate>, StoreError> {
    let Some(reading) = snapshot.reading::<StoredReading>(kind, target)? else {
        return Ok(None);
    };
    Ok(Some(Candidate {
        id: target.clone(),
        body: reading.body(),
        owner: snapshot.owner(kind, target)?,
        rival: rival(snapshot, kind, target, me)?,
        reviewed: false,
        rehires: None,
        sent: Attributes::new(),
    }))
}

/// Another object without a link that matches the same resource by a matching attribute.
fn rival(
    snapshot: &Snapshot,
    kind: ObjectKind,
    target: &TargetId,
    me: SourceId,
) -> Result<Option<SourceId>, StoreError> {
    let reading = snapshot.reading::<StoredReading>(kind, target)?;
    Ok(reading.and_then(|reading| reading.claims.into_iter().find(|claimant| *claimant != me)))
}

/// Who owns the members that a candidate, or the linked group, holds at the target.
pub(super) fn owners(
    snapshot: &Snapshot,
    target: &TargetReading,
) -> Result<BTreeMap<TargetId, SourceId>, StoreError> {
    let bodies: Vec<&serde_json::Value> = match target {
        TargetReading::NotAsked => Vec::new(),
        TargetReading::Held(body) => vec![body],
        TargetReading::Candidates { found, .. } => found.iter().map(|candidate| &candidate.body).collect(),
    };
    let mut owners = BTreeMap::new();
    for body in bodies {
        for id in members_of(body).there {
            if let Some(owner) = snapshot.owner(ObjectKind::User, &id)? {
                owners.insert(id, owner);
            }
        }
    }
    Ok(owners)
}

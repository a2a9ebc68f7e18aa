//! Writes that undo each other ([`crate::reconcile::forward::coupled`]): what was undone is sent once more, and where that undoes the first,
//! the one that is earlier in the mapping is kept and the others are left, noted as not kept.

use serde_json::Value as Json;

use crate::engine::drift::keep;
use crate::engine::job::Job;
use crate::engine::readings::stored::StoredReading;
use crate::engine::run::blocking;
use crate::engine::work::Work;
use crate::mapping::Mapping;
use crate::mapping::Row;
use crate::mapping::read_path;
use crate::mapping::same;
use crate::model::id::ObjectKind;
use crate::model::id::TargetId;
use crate::model::link::Kept;
use crate::model::link::Link;
use crate::model::name::Name;
use crate::model::value::Value;
use crate::ports::Patch;
use crate::ports::Resource;
use crate::ports::TargetError;
use crate::ports::all_refused;
use crate::reconcile::forward::coupled::Sent;
use crate::reconcile::forward::coupled::undone_by;
use crate::reconcile::forward::coupled::winner;
use crate::reconcile::operation::Change;
use crate::snapshot::read::Reads;

/// The resource as it is once writes that undo each other are settled. What is left undone is noted in the work.
///
/// # Errors
/// Where it is not known what the target made of what was sent once more: then the write counts as one without an answer, and
/// the next cycle reads it back.
pub(in crate::engine) async fn settle(
    job: &Job,
    target: &TargetId,
    work: &mut Work,
    found: Resource,
) -> Result<Resource, TargetError> {
    if work.sent.is_empty() {
        return Ok(found);
    }
    follow(job, work, &found.body);
    let all = all_sent(job, work);
    // What a target empties, or makes anew, with `active` is its own doing: then only what is plain counts.
    let before = if work.heals() && !work.sets_active() {
        reading(job, work, target).await
    } else {
        None
    };
    let lost = undone_by(&all, before.as_ref(), &found.body);
    if lost.is_empty() {
        return Ok(found);
    }
    let undone: Vec<&Sent> = lost.iter().map(|at| &all[*at]).collect();
    let Some(mut held) = again(job, target, work, &undone, &found).await? else {
        return Ok(found);
    };
    let winner = winner(&all, &lost, &found.body, &held.body).filter(|at| !all[*at].is_held(&held.body));
    let mut waits = None;
    if let Some(winner) = winner {
        match again(job, target, work, &[&all[winner]], &held).await? {
            Some(after) => held = after,
            None => waits = Some(winner),
        }
    }
    for (at, sent) in all.iter().enumerate() {
        let sent_now = sent.written || lost.contains(&at);
        if sent_now && waits != Some(at) && !sent.is_held(&held.body) {
            let instead = read_path(&held.body, &sent.path).unwrap_or_default();
            note(job, work, sent.name(), &sent.value, instead);
        }
    }
    Ok(held)
}

/// After a write of these paths whose answer is not known, as the resource was read back: what that undid counts as sent as it
/// is held. So it differs from what is wanted, is sent again, and that answer settles which of them is kept.
pub(in crate::engine) fn take_undone(
    mapping: &Mapping,
    kind: ObjectKind,
    link: &mut Link,
    paths: &[String],
    body: &Json,
) {
    let rows = mapping.rows(kind).iter().filter(|row| row.reference.is_none());
    let sent = |row: &Row| {
        let name = row.target.name();
        let value = link.sent.get(name.as_str())?.clone();
        let kept = match link.kept.get(name) {
            Some(Kept::Other(held)) => held.clone(),
            Some(Kept::AsSent | Kept::Unknown) | None => value.clone(),
        };
        Some(Sent {
            path: row.target.clone(),
            written: paths.iter().any(|path| path == name.as_str()),
            value,
            kept,
        })
    };
    let all: Vec<Sent> = rows.filter_map(sent).collect();
    for sent in undone_by(&all, None, body).into_iter().map(|at| &all[at]) {
        if let Some(held) = read_path(body, &sent.path) {
            link.sent.insert(sent.name(), held);
            link.kept.remove(sent.name());
        }
    }
}

/// Notes that the target holds this in the place of what was sent.
fn note(job: &Job, work: &mut Work, name: &Name, sent: &Value, held: Value) {
    let change = Change {
        attribute: name.clone(),
        before: held.clone(),
        after: sent.clone(),
    };
    let found = keep::attribute(&job.mapping, work.plan.kind, change, false);
    work.left_out.not_kept.push(found);
    work.left_out.held_instead.push((name.clone(), held));
}

/// What the target does not keep beside another attribute moves with that one: it counts as it is now.
fn follow(job: &Job, work: &mut Work, body: &Json) {
    let kind = work.plan.kind;
    let Some(link) = work.record.as_ref().and_then(|record| record.link.as_ref()) else {
        return;
    };
    let mut moved = Vec::new();
    for (name, kept) in &link.kept {
        let (Kept::Other(before), None) = (kept, work.sent.get(name.as_str())) else {
            continue;
        };
        let Some(path) = job.mapping.target_path(kind, name) else {
            continue;
        };
        let Some(held) = read_path(body, &path).filter(|held| !held.is_unassigned()) else {
            continue;
        };
        let took = |written: &Value| !written.is_unassigned() && same(&path, &held, written);
        if !same(&path, &held, before) && work.sent.values().any(took) {
            let sent = link.sent.get(name.as_str()).cloned().unwrap_or_default();
            moved.push((name.clone(), sent, held));
        }
    }
    for (name, sent, held) in moved {
        note(job, work, &name, &sent, held);
    }
}

/// What the resource was sent, in the order of the mapping; references, and what the target is known not to keep, are left out.
fn all_sent(job: &Job, work: &Work) -> Vec<Sent> {
    let kind = work.plan.kind;
    let link = work.record.as_ref().and_then(|record| record.link.as_ref());
    let rows = job
        .mapping
        .rows(kind)
        .iter()
        .filter(|row| row.reference.is_none());
    let sent = |row: &Row| {
        let name = row.target.name();
        let written = work.sent.get(name.as_str());
        let value = written.or_else(|| link?.sent.get(name.as_str()))?.clone();
        let kept = match link.and_then(|link| link.kept.get(name)) {
            Some(Kept::Other(_)) if written.is_none() => return None,
            Some(Kept::Other(held)) => held.clone(),
            Some(Kept::AsSent | Kept::Unknown) | None => link
                .and_then(|link| link.sent.get(name.as_str()))
                .cloned()
                .unwrap_or_default(),
        };
        Some(Sent {
            path: row.target.clone(),
            value,
            kept,
            written: written.is_some(),
        })
    };
    rows.filter_map(sent).collect()
}

async fn reading(job: &Job, work: &Work, target: &TargetId) -> Option<Json> {
    let (kind, target) = (work.plan.kind, target.clone());
    let read = blocking(&job.snapshot, move |snapshot| {
        snapshot.reading::<StoredReading>(kind, &target)
    });
    // Without it only what is plain from the answer is noticed.
    read.await.ok().flatten().map(|reading| reading.body())
}

/// Sends these once more. Returns the resource as it then is, where that is known; `None` where they were refused, and wait.
async fn again(
    job: &Job,
    target: &TargetId,
    work: &mut Work,
    lost: &[&Sent],
    found: &Resource,
) -> Result<Option<Resource>, TargetError> {
    let kind = work.plan.kind;
    let change = |sent: &&Sent| Change {
        attribute: sent.name().clone(),
        before: read_path(&found.body, &sent.path).unwrap_or(Value::Null),
        after: sent.value.clone(),
    };
    let patch = Patch {
        changes: lost.iter().map(change).collect(),
        held: work.sent.clone(),
        ..Patch::default()
    };
    let answered = job.target.patch(kind, target, &patch).await;
    let known = match answered {
        Ok(known) => known,
        Err(TargetError::Partly { rest, .. }) => rest.map(|rest| *rest),
        Err(
            error @ (TargetError::Refused { .. }
            | TargetError::Conflict { .. }
            | TargetError::NotFound { .. }),
        ) => {
            wait_for(work, &patch, &error);
            return Ok(None);
        }
        Err(
            error @ (TargetError::Unavailable { .. }
            | TargetError::Malformed { .. }
            | TargetError::Unauthorized { .. }),
        ) => return Err(unsettled(&error)),
    };
    match job.target.read(kind, target).await {
        Ok(read) => Ok(Some(read.or(known).unwrap_or_else(|| found.clone()))),
        Err(error) => known.map(Some).ok_or_else(|| unsettled(&error)),
    }
}

/// Nothing is known yet of which the target keeps: what was written now waits alone, and what was written before counts as it is
/// held, so that the next cycle sends it.
fn wait_for(work: &mut Work, patch: &Patch, error: &TargetError) {
    let refused = all_refused(patch, error);
    let (now, before): (Vec<_>, Vec<_>) = patch
        .changes
        .iter()
        .zip(refused)
        .partition(|(change, _)| work.sent.contains_key(change.attribute.as_str()));
    work.left_out
        .attributes
        .extend(now.into_iter().map(|(_, refused)| refused));
    for (change, _) in before {
        work.plan.record.push(Change {
            after: change.before.clone(),
            ..change.clone()
        });
        work.left = true;
    }
}

/// The write itself was carried out; what the target makes of it is not known.
fn unsettled(error: &TargetError) -> TargetError {
    TargetError::Unavailable {
        what: error.what().reworded(format!(
            "it was written, and what the target kept of attributes that are one there is not known yet: {error}"
        )),
        status: error.status(),
        hint: error.hint().to_owned(),
        maybe_done: true,
        cause: None,
    }
}

//! After a write: what the reading of this cycle still says, and whether the target kept what was healed.

use crate::engine::drift::keep;
use crate::engine::error::CycleError;
use crate::engine::readings::Readings;
use crate::engine::readings::stored::StoredReading;
use crate::engine::run::Run;
use crate::engine::summary;
use crate::engine::summary::FAILURES_SHOWN;
use crate::engine::work::Work;
use crate::mapping::Mapping;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::link::Kept;
use crate::model::link::Link;
use crate::model::name::Name;
use crate::model::refusal::Refusal;
use crate::model::value::Value;
use crate::ports::StoreError;
use crate::reconcile::answer::is_form_of;
use crate::reconcile::members_of;
use crate::reconcile::operation::Change;
use crate::reconcile::operation::MEMBERS;
use crate::reconcile::operation::Verb;
use crate::reconcile::shown_members::ShownMembers;
use crate::reconcile::shown_members::set_members;
use crate::snapshot::drift::Attribute;
use crate::snapshot::drift::Members;
use crate::snapshot::drift::Row;
use crate::snapshot::read::Reads;
use crate::snapshot::refused::refusals;
use crate::snapshot::store::Snapshot;
use crate::snapshot::tx::Tx;

/// Examples that are shown of what the target does not keep.
const EXAMPLES: usize = 3;

/// What one object's heal came to at the target, which was read back.
#[derive(Debug, Default)]
pub(in crate::engine) struct NotKept {
    /// Of a heal.
    attributes: Vec<Attribute>,
    /// Of any other write: these wait, and are tried again.
    waiting: Vec<Attribute>,
    members: Vec<(SourceId, bool)>,
}

impl NotKept {
    /// Of a heal that was read back, and the link as it was recorded. Values that the mapping hides stay hidden.
    pub(in crate::engine) fn of(mapping: &Mapping, work: &Work, link: &Link) -> Self {
        let held = |path: &Name| match link.kept.get(path) {
            Some(Kept::Other(held)) => Some(held.clone()),
            _ => None,
        };
        let of = |(path, wanted): (&Name, &Value)| {
            let found = Change {
                attribute: path.clone(),
                before: held(path).filter(|held| !is_form_of(held, wanted))?,
                after: wanted.clone(),
            };
            Some(keep::attribute(mapping, work.plan.kind, found, false))
        };
        Self {
            attributes: work.sent.iter().filter_map(of).collect(),
            ..Self::default()
        }
    }

    /// What was written, answered 2xx, and is not there.
    pub(in crate::engine) fn waiting(waiting: Vec<Attribute>) -> Self {
        Self {
            waiting,
            ..Self::default()
        }
    }

    /// True when there is nothing of it.
    pub(in crate::engine) const fn is_none(&self) -> bool {
        self.attributes.is_empty() && self.waiting.is_empty() && self.members.is_empty()
    }

    /// Adds what a heal came to.
    pub(in crate::engine) fn add_healed(&mut self, healed: Self) {
        self.attributes.extend(healed.attributes);
    }

    /// And of the members that were healed, as the resource was read back.
    pub(in crate::engine) fn add_members(&mut self, work: &Work, body: &serde_json::Value) {
        let there = members_of(body);
        let lacking = work.added.iter().filter(|(_, target)| there.lacks(target));
        let extra = work.removed.iter().filter(|(_, target)| there.holds(target));
        self.members.extend(lacking.map(|(id, _)| (*id, false)));
        self.members.extend(extra.map(|(id, _)| (*id, true)));
    }

    /// Each of them in words, without a value.
    pub(in crate::engine) fn words(&self, kind: ObjectKind, id: SourceId) -> Vec<String> {
        let attributes = self.attributes.iter().map(|one| one.attribute.as_str());
        let members = (!self.members.is_empty()).then_some(MEMBERS);
        attributes
            .chain(members)
            .map(|what| format!("{what} of {kind} {id}"))
            .collect()
    }
}

/// Takes what was written out of the object's row of drift, and notes what the target did not keep.
pub(in crate::engine) fn settle(
    tx: &mut Tx<'_>,
    target: &TargetId,
    now: Timestamp,
    work: &Work,
    not_kept: NotKept,
) -> Result<(), StoreError> {
    let (kind, id) = (work.plan.kind, work.plan.source);
    let before = tx.drift(kind, &id)?;
    let mut row = match before {
        Some(row) if !work.creates() => row,
        None if not_kept.is_none() => return Ok(()),
        _ => Row::new(target.clone(), now),
    };
    let written = |name: &Name| {
        work.sent.contains_key(name.as_str())
            || work.plan.record.iter().any(|change| change.attribute == *name)
    };
    row.attributes.retain(|found| !written(&found.attribute));
    if !row.not_kept.is_empty() {
        let stands = still_not_kept(tx, kind, &id)?;
        let again = |name: &Name| not_kept.waiting.iter().any(|found| found.attribute == *name);
        row.not_kept.retain(|found| {
            !written(&found.attribute) && !again(&found.attribute) && stands(&found.attribute)
        });
    }
    row.not_kept.extend(not_kept.attributes);
    row.not_kept.extend(not_kept.waiting);
    take_out(&mut row.lacking, &work.added, heals(work, Verb::member(true)));
    take_out(&mut row.extra, &work.removed, heals(work, Verb::member(false)));
    row.not_kept_members.extend(not_kept.members);
    row.pending &= row.is_drift();
    tx.put_drift(kind, &id, &row)
}

/// Whether what was noted as not kept still is: it waits for its next try, or what the target holds counts as kept.
fn still_not_kept(
    tx: &Tx<'_>,
    kind: ObjectKind,
    id: &SourceId,
) -> Result<impl Fn(&Name) -> bool + use<>, StoreError> {
    let waiting = refusals(tx, kind, id)?;
    let link = tx.record(kind, id)?.and_then(|record| record.link);
    Ok(move |name: &Name| {
        let waits = waiting.iter().any(|row| row.attribute == name.as_str());
        let kept = link.as_ref().and_then(|link| link.kept.get(name));
        waits || matches!(kept, Some(Kept::Other(_)))
    })
}

fn heals(work: &Work, verb: Verb) -> bool {
    let mut run = work.run.iter();
    run.any(|operation| {
        let all = operation.members.iter().all(|member| member.because.heals());
        operation.verb == verb && all
    })
}

/// Members that are as they should be by now; `all` where nothing else was sent, so that those without a name went too.
fn take_out(members: &mut Members, sent: &[(SourceId, TargetId)], all: bool) {
    if all {
        *members = Members::default();
        return;
    }
    let before = members.named.len();
    members
        .named
        .retain(|id| !sent.iter().any(|(other, _)| other == id));
    members.count -= (before - members.named.len()) as u64;
}

/// The reading of this cycle after a write: replaced by what the target answered whole, else without what was
/// written, so that no later pass compares with what was there before.
pub(in crate::engine) fn renew_reading(
    tx: &mut Tx<'_>,
    kind: ObjectKind,
    target: &TargetId,
    work: &Work,
    whole: Option<&serde_json::Value>,
) -> Result<(), StoreError> {
    let Some(mut reading) = tx.reading::<StoredReading>(kind, target)? else {
        return Ok(());
    };
    let before = reading.body();
    match whole {
        Some(body) => {
            let mut body = body.clone();
            // Services may leave members out of the answer to a PATCH: what was known of them, and what was done, stays.
            if kind == ObjectKind::Group && !members_of(&body).whole {
                set_members(&mut body, &members_after(&before, work));
            }
            reading.replace(&body);
        }
        None => {
            if !(work.added.is_empty() && work.removed.is_empty()) {
                let mut body = before.clone();
                set_members(&mut body, &members_after(&before, work));
                reading.set_body(&body);
            }
            reading.overwrite(work.sent.keys());
        }
    }
    tx.put_reading(kind, target, &reading, &[]);
    Ok(())
}

/// The members of a group once these were added and removed.
fn members_after(before: &serde_json::Value, work: &Work) -> ShownMembers {
    let mut shown = members_of(before);
    shown
        .there
        .extend(work.added.iter().map(|(_, target)| target.clone()));
    for (_, target) in &work.removed {
        shown.there.remove(target);
    }
    shown
}

/// What the target does not keep, with names, as far as a summary lists it.
///
/// # Errors
/// As [`Reads`].
pub fn not_kept(snapshot: &Snapshot) -> Result<Vec<summary::NotKept>, StoreError> {
    let mut all = Vec::new();
    snapshot.each_not_kept(|kind, id, row| {
        if all.len() >= FAILURES_SHOWN {
            return Ok(());
        }
        let name = snapshot.record(kind, &id)?.map(|record| record.object.name());
        let name = name.unwrap_or_default();
        let one = |attribute: String, sent, holds| summary::NotKept {
            object: id.to_string(),
            name: name.clone(),
            attribute,
            sent,
            holds,
        };
        all.extend(row.not_kept.iter().map(|found| {
            one(
                found.attribute.to_string(),
                found.wanted.to_json(),
                found.held.to_json(),
            )
        }));
        all.extend(row.not_kept_members.iter().map(|(member, held)| {
            let word = |is_in: bool| if is_in { "in" } else { "out" };
            one(Refusal::path_of(member), word(!held).into(), word(*held).into())
        }));
        Ok(())
    })?;
    all.truncate(FAILURES_SHOWN);
    Ok(all)
}

impl Readings {
    /// Remembers what the target did not keep, to be told at the end.
    pub(in crate::engine) fn note_not_kept(&mut self, words: Vec<String>) {
        self.drift.not_kept.0 += words.len() as u64;
        let room = EXAMPLES.saturating_sub(self.drift.not_kept.1.len());
        self.drift.not_kept.1.extend(words.into_iter().take(room));
    }

    /// Says what the target did not keep.
    pub(in crate::engine) fn tell_not_kept(&self, run: &Run<'_>) {
        let (count, examples) = &self.drift.not_kept;
        if *count > 0 {
            run.order.watcher.finding(&format!(
                "the target does not keep {count} values as they were healed, for example {}: what it holds instead counts as \
                 kept, and is not healed again until it moves; take the row out of the mapping, or change what it makes",
                examples.join(", ")
            ));
        }
    }
}

/// Lists what the target does not keep, also where nothing was done.
pub(in crate::engine) async fn list_not_kept(run: &mut Run<'_>) -> Result<(), CycleError> {
    run.summary.not_kept = run.store(not_kept).await?;
    Ok(())
}

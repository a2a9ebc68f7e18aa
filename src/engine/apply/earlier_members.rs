//! Members of an adopted group who were in it before anybody was linked to their resource.
//!
//! Who is in a group when it is adopted is noted then, for users who are linked by then. A resource that is adopted later may
//! have been in the group all along: what we add changes nothing there, and it is not ours to take away once the group is
//! deleted. So the group is read before such a member is added.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use tracing::warn;

use crate::engine::error::CycleError;
use crate::engine::error::chain;
use crate::engine::run::Run;
use crate::engine::work::Work;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::link::Link;
use crate::model::link::LinkOrigin;
use crate::model::verb::Act;
use crate::ports::StoreError;
use crate::reconcile::guard::review::is_external_id;
use crate::reconcile::members_of;
use crate::snapshot::read::Reads;
use crate::snapshot::store::Snapshot;

/// Reads the adopted groups that are to get members whose resources were adopted after them, and notes who is in there. Where a
/// group cannot be read, these members wait for the next cycle.
pub(in crate::engine) async fn find_earlier_members(
    run: &Run<'_>,
    kind: ObjectKind,
    works: &mut [Work],
) -> Result<(), CycleError> {
    for work in works.iter_mut().filter(|_| kind == ObjectKind::Group) {
        let Some((group, since)) = adopted(work) else {
            continue;
        };
        let joining = joining(work);
        if joining.is_empty() {
            continue;
        }
        let later = run
            .store(move |snapshot| adopted_after(snapshot, &joining, since))
            .await?;
        if later.is_empty() {
            continue;
        }
        match run.job.target.read(kind, &group).await {
            Ok(found) => {
                let shown = found.map(|found| members_of(&found.body)).unwrap_or_default();
                let there = later.iter().filter(|(_, target)| shown.holds(target));
                work.earlier = there.map(|(member, _)| *member).collect();
            }
            Err(error) => {
                warn!(object = %work.plan.source, "Whether members were in group {group} before cannot be read, and they wait for the next cycle: {}", chain(&error));
                leave(work, &later.into_keys().collect());
            }
        }
    }
    Ok(())
}

/// Returns the resource of a group that was adopted by something else than our own id, and since when it is linked.
fn adopted(work: &Work) -> Option<(TargetId, Timestamp)> {
    let link = work.record.as_ref()?.link.as_ref()?;
    let by_another = matches!(&link.origin, LinkOrigin::Adopted(by) if !is_external_id(by));
    by_another.then(|| (link.target.clone(), link.since))
}

fn joining(work: &Work) -> Vec<SourceId> {
    let adds = work
        .run
        .iter()
        .filter(|operation| operation.verb.act() == Act::AddMembers);
    adds.flat_map(|operation| &operation.members)
        .map(|member| member.source)
        .collect()
}

/// Returns those of these users whose resources were adopted after this moment.
fn adopted_after(
    snapshot: &Snapshot,
    users: &[SourceId],
    since: Timestamp,
) -> Result<BTreeMap<SourceId, TargetId>, StoreError> {
    let is_later = |link: &Link| matches!(link.origin, LinkOrigin::Adopted(_)) && link.since > since;
    let mut later = BTreeMap::new();
    for id in users {
        let record = snapshot.record(ObjectKind::User, id)?;
        if let Some(link) = record.and_then(|record| record.link).filter(is_later) {
            later.insert(*id, link.target);
        }
    }
    Ok(later)
}

/// Leaves these members out of what is sent in this cycle.
fn leave(work: &mut Work, members: &BTreeSet<SourceId>) {
    for operation in &mut work.run {
        if operation.verb.act() == Act::AddMembers {
            operation
                .members
                .retain(|member| !members.contains(&member.source));
        }
    }
    work.run
        .retain(|operation| operation.verb.act() != Act::AddMembers || !operation.members.is_empty());
    work.left = true;
}

//! What is planned with an object that is explained: as much as its own plan depends on, so that it is the plan of a whole
//! cycle.

use std::collections::BTreeSet;

use crate::engine::error::CycleError;
use crate::engine::explain::ask::look;
use crate::engine::intake::Intake;
use crate::engine::leaving::manager_sent;
use crate::engine::phases::Phases;
use crate::engine::run::Run;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::object::Life;
use crate::model::object::MemberKind;
use crate::model::object::Membership;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::snapshot::assignments::each_member;
use crate::snapshot::assignments::nested_groups;
use crate::snapshot::pages::Pages;
use crate::snapshot::read::Reads;
use crate::snapshot::record::DirtyCause;
use crate::snapshot::store::Snapshot;

/// A manager above a manager, and so on: no directory is deeper, and a circle ends here.
const MOST_MANAGERS: usize = 50;

/// Only this object is planned, and what it refers to that this cycle makes first.
pub(super) async fn focus_on(
    run: &Run<'_>,
    intake: &mut Intake,
    kind: ObjectKind,
    id: SourceId,
) -> Result<(), CycleError> {
    let flattens = run.job.assigning.nesting.members;
    let mut focus = run
        .store(move |snapshot| match kind {
            ObjectKind::User => managers_to_come(snapshot, id),
            ObjectKind::Group => members_to_come(snapshot, id, flattens),
        })
        .await?;
    focus.insert((kind, id));
    intake.focus = Some(focus);
    Ok(())
}

/// Users it refers to at the target are asked for as a cycle asks for them: who is not taken away yet is still referred to.
pub(super) async fn ask_for_those_referred_to(
    run: &Run<'_>,
    intake: &Intake,
    kind: ObjectKind,
    id: SourceId,
) -> Result<(), CycleError> {
    let manager = run.manager_path();
    let referred = run
        .store(move |snapshot| match kind {
            ObjectKind::User => managers_of(snapshot, &id, manager.as_deref()),
            ObjectKind::Group => members_sent(snapshot, &id),
        })
        .await?;
    match intake.ask_for_referred(run, &referred).await {
        Ok(true) => intake.settle_scope(run).await,
        // What was read before is shown, as for the object itself.
        Ok(false) | Err(CycleError::Source(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The object is planned even where no cycle would look at it: then there is nothing to do, and that is said. Only now,
/// after what is due was found: that it is looked at here makes nothing due.
pub(super) async fn mark_chosen(run: &Run<'_>, kind: ObjectKind, id: SourceId) -> Result<(), CycleError> {
    run.store(move |snapshot| {
        let mut tx = snapshot.tx()?;
        tx.mark_dirty(kind, &id, DirtyCause::LOOK)?;
        tx.commit(Durability::Lazy)
    })
    .await
}

/// Whoever gives up a name that one of them waits for is planned too, and who that one waits for.
pub(super) async fn follow_values(run: &Run<'_>, phases: &mut Phases) -> Result<(), CycleError> {
    let mut left: Vec<_> = phases.intake.focus.iter().flatten().copied().collect();
    while let Some((kind, id)) = left.pop() {
        let Some(view) = look(run, phases, kind, id).await? else {
            continue;
        };
        let plan = phases.readings.planner(run, true).plan(&view);
        if let (Some(holder), Some(focus)) = (phases.names.wanted.holder(&plan), &mut phases.intake.focus)
            && focus.insert((kind, holder))
        {
            left.push((kind, holder));
        }
    }
    Ok(())
}

/// The managers above a user that this cycle makes first.
fn managers_to_come(
    snapshot: &Snapshot,
    user: SourceId,
) -> Result<BTreeSet<(ObjectKind, SourceId)>, StoreError> {
    let mut managers = BTreeSet::new();
    let mut next = snapshot.brief(ObjectKind::User, &user)?;
    while let Some(manager) = next.and_then(|brief| brief.head.manager) {
        let comes = is_to_come(snapshot, &manager)?;
        if !comes || managers.len() == MOST_MANAGERS || !managers.insert((ObjectKind::User, manager)) {
            break;
        }
        next = snapshot.brief(ObjectKind::User, &manager)?;
    }
    Ok(managers)
}

/// The manager of a user, and the one that was sent.
fn managers_of(
    snapshot: &Snapshot,
    user: &SourceId,
    path: Option<&str>,
) -> Result<BTreeSet<SourceId>, StoreError> {
    let kind = ObjectKind::User;
    let Some(record) = snapshot.record(kind, user)? else {
        return Ok(BTreeSet::new());
    };
    let sent = match &record.link {
        Some(link) => manager_sent(snapshot, path, &link.sent)?,
        None => None,
    };
    let owner = sent.map(|(owner, _)| owner);
    Ok(record.object.manager.into_iter().chain(owner).collect())
}

/// The members that were put into a group.
fn members_sent(snapshot: &Snapshot, group: &SourceId) -> Result<BTreeSet<SourceId>, StoreError> {
    let mut members = BTreeSet::new();
    let mut pages = Pages::growing(|(member, _): &(SourceId, Membership)| *member);
    while let Some(page) = pages.next_page(|after, limit| snapshot.edges(group, after, limit))? {
        let sent = page.into_iter().filter(|(_, edge)| edge.sent.is_some());
        members.extend(sent.map(|(id, _)| id));
    }
    Ok(members)
}

/// The members of a group that this cycle makes first.
fn members_to_come(
    snapshot: &Snapshot,
    group: SourceId,
    flattens: bool,
) -> Result<BTreeSet<(ObjectKind, SourceId)>, StoreError> {
    let groups = if flattens {
        nested_groups(snapshot, group)?
    } else {
        vec![group]
    };
    let mut members = BTreeSet::new();
    for group in groups {
        each_member(snapshot, &group, &mut |member, kind| {
            if kind == MemberKind::User && is_to_come(snapshot, &member)? {
                members.insert((ObjectKind::User, member));
            }
            Ok(())
        })?;
    }
    Ok(members)
}

/// True for a dirty user without a resource, as far as is known: without a link, or with one to what was found gone.
fn is_to_come(snapshot: &Snapshot, id: &SourceId) -> Result<bool, StoreError> {
    let kind = ObjectKind::User;
    let Some(brief) = snapshot
        .brief(kind, id)?
        .filter(|brief| brief.head.life == Life::Alive)
    else {
        return Ok(false);
    };
    if snapshot.dirty_cause(kind, id)?.is_none() {
        return Ok(false);
    }
    Ok(brief.target.is_none() || snapshot.drift(kind, id)?.is_some_and(|row| row.missing))
}

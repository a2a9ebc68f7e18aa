//! Puts together what the planner sees: records, references, and what was read at the target.

mod candidates;

use std::collections::BTreeMap;
use std::collections::HashSet;

use self::candidates::candidates;
use self::candidates::owners;
use super::context::Context;
use super::forecast::Forecast;
use super::readings::stored::StoredReading;
use super::standing::Fact;
use crate::mapping::names::APP_ROLES;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::link::Link;
use crate::model::object::Life;
use crate::model::object::MemberKind;
use crate::model::object::Membership;
use crate::model::object::SourceObject;
use crate::ports::StoreError;
use crate::reconcile::forward::view::MemberView;
use crate::reconcile::forward::view::Moved;
use crate::reconcile::forward::view::ObjectView;
use crate::reconcile::forward::view::Reference;
use crate::reconcile::forward::view::Since;
use crate::reconcile::forward::view::TargetReading;
use crate::reconcile::look::Look;
use crate::reconcile::scope::Standing;
use crate::reconcile::scope::assignment::role_values;
use crate::snapshot::assignments::each_member;
use crate::snapshot::assignments::nested_groups;
use crate::snapshot::look::LookReads;
use crate::snapshot::pages::Pages;
use crate::snapshot::read::Reads;
use crate::snapshot::record::Brief;
use crate::snapshot::record::DirtyCause;
use crate::snapshot::record::Mark;
use crate::snapshot::record::Record;
use crate::snapshot::refused::refusals;
use crate::snapshot::scope::ScopeEntry;
use crate::snapshot::scope::ScopeReads;
use crate::snapshot::store::Snapshot;

impl Context {
    /// True for a user without a link whose manager is still to be created in this cycle: told from the
    /// beginning of the records alone, because in the first sweeps that is most of them.
    ///
    /// # Errors
    /// As the store.
    pub(super) fn waits_for_manager(
        &self,
        snapshot: &Snapshot,
        id: &SourceId,
        brief: &Brief,
    ) -> Result<bool, StoreError> {
        let Some(manager) = brief.head.manager else {
            return Ok(false);
        };
        if brief.target.is_some()
            || brief.head.life != Life::Alive
            || self.standing.is((ObjectKind::User, *id), Fact::CreateOpen)
        {
            return Ok(false);
        }
        Ok(reference(snapshot, self, &manager)? == Reference::Pending)
    }
}

/// The view of one object; `None` when the snapshot does not know it (it was forgotten meanwhile).
///
/// # Errors
/// As the store.
pub fn view(
    snapshot: &Snapshot,
    context: &Context,
    kind: ObjectKind,
    id: SourceId,
    keys_of: &dyn Fn(&ObjectView) -> Vec<(String, String)>,
) -> Result<Option<ObjectView>, StoreError> {
    let Some(record) = snapshot.record(kind, &id)? else {
        return Ok(None);
    };
    let forecast = context.forecast(snapshot, kind, &id)?;
    view_of(snapshot, context, record, &forecast, keys_of).map(Some)
}

/// The view of an object that is read already, with the forecast for it.
///
/// # Errors
/// As the store.
pub fn view_of(
    snapshot: &Snapshot,
    context: &Context,
    record: Record,
    forecast: &Forecast,
    keys_of: &dyn Fn(&ObjectView) -> Vec<(String, String)>,
) -> Result<ObjectView, StoreError> {
    let (kind, id, manager_read) = (record.object.kind, record.object.id, record.object.manager);
    let linked = record.link.is_some() && !forecast.lost;
    let scope = context.scope.standing(snapshot, &record, linked)?;
    let link = if forecast.lost { None } else { record.link };
    let (manager, stays) = manager_of(snapshot, context, (id, manager_read), link.as_ref())?;
    let mut object = record.object;
    object.manager = stays.or(manager_read);
    add_roles(snapshot, context, &mut object)?;
    let settled = object.life == Life::Alive && !matches!(scope, Standing::Out { .. });
    let doubt = if settled {
        None
    } else {
        snapshot.look(kind, &id)?.filter(Look::doubts)
    };
    let mut view = ObjectView {
        object,
        manager_read,
        link,
        doubt,
        scope,
        intent_open: context.standing.is((kind, id), Fact::CreateOpen),
        lost: forecast.lost,
        references_kept: u64::from(stays.is_some()),
        manager,
        target: TargetReading::NotAsked,
        since: Since::default(),
        members: Vec::new(),
        member_owners: BTreeMap::new(),
        refused: if context.filled.refused {
            refusals(snapshot, kind, &id)?
        } else {
            Vec::new()
        },
    };
    // Of a group that leaves the guard counts whether anybody leaves it.
    let leaves = view.link.is_some() && !settled;
    if kind == ObjectKind::Group && (context.references || leaves) {
        let stay;
        (view.members, stay) = members(snapshot, context, &id, view.link.is_some())?;
        view.references_kept += stay;
        if context.flattens {
            flatten(snapshot, context, id, &mut view.members)?;
        }
    }
    if view.link.is_some() && context.references {
        view.since.moved = moved(snapshot.dirty_mark(kind, &id)?.unwrap_or_default());
    }
    observe(snapshot, context, &mut view, keys_of)?;
    if kind == ObjectKind::Group && context.references {
        view.member_owners = owners(snapshot, &view.target)?;
    }
    Ok(view)
}

/// Adds the app roles of a user, where they are sent.
fn add_roles(snapshot: &Snapshot, context: &Context, object: &mut SourceObject) -> Result<(), StoreError> {
    if context.sends_roles
        && let Some(entitlement) = context.entitlements.of(snapshot, object.kind, &object.id)?
    {
        let roles = role_values(&entitlement.roles, &context.entitlements.roles);
        object.attributes.insert(APP_ROLES.to_owned(), roles);
    }
    Ok(())
}

/// Adds what was read at the target.
fn observe(
    snapshot: &Snapshot,
    context: &Context,
    view: &mut ObjectView,
    keys_of: &dyn Fn(&ObjectView) -> Vec<(String, String)>,
) -> Result<(), StoreError> {
    let (kind, id) = (view.object.kind, view.object.id);
    match &view.link {
        None => view.target = candidates(snapshot, context, view, keys_of)?,
        Some(link) if context.observed => {
            if let Some(reading) = snapshot.reading::<StoredReading>(kind, &link.target)? {
                view.target = TargetReading::Held(reading.body());
                view.since.written = reading.written();
                if kind == ObjectKind::Group {
                    let row = snapshot.drift(kind, &id)?;
                    view.since.not_kept = row.map(|row| row.not_kept_members).unwrap_or_default();
                    let members = view.members.iter().map(|member| member.id);
                    view.since.missing = members.filter(|id| context.missing.contains(id)).collect();
                }
            }
        }
        Some(_) => {}
    }
    Ok(())
}

/// The facts beside a dirty mark, as reasons name them.
fn moved(mark: Mark) -> Moved {
    let is = |fact| mark.cause.has(fact);
    Moved {
        roles: is(DirtyCause::ROLES),
        restored: is(DirtyCause::RESTORED),
        returned: is(DirtyCause::RETURNED),
        released: is(DirtyCause::RELEASED),
        mapping: is(DirtyCause::MAPPING),
        rules: is(DirtyCause::RULES),
        policy: is(DirtyCause::POLICY),
        properties: mark.moved,
    }
}

/// The manager as it can be referred to; and who it is, where that is somebody who leaves and is not taken away yet.
fn manager_of(
    snapshot: &Snapshot,
    context: &Context,
    (id, manager): (SourceId, Option<SourceId>),
    link: Option<&Link>,
) -> Result<(Reference, Option<SourceId>), StoreError> {
    let state = match manager {
        // The manager's resource becomes this object's own: nobody is their own manager, and no other resource is left.
        Some(manager) if link.is_none() && context.rehires.is_from(&id, &manager) => Reference::Absent,
        Some(manager) if context.references => reference(snapshot, context, &manager)?,
        Some(_) => Reference::Absent,
        None => Reference::None,
    };
    let stays = match (&context.leaving, link) {
        (Some(leaving), Some(link)) if context.references => {
            leaving.manager_who_stays(snapshot, manager, &state, &link.sent)?
        }
        _ => None,
    };
    Ok(match stays {
        Some((stays, target)) => (Reference::Linked(target), Some(stays)),
        None => (state, None),
    })
}

/// Whether a user can be referred to.
fn reference(snapshot: &Snapshot, context: &Context, id: &SourceId) -> Result<Reference, StoreError> {
    let kind = ObjectKind::User;
    let Some(brief) = snapshot.brief(kind, id)? else {
        return Ok(Reference::Absent);
    };
    if matches!(brief.head.life, Life::Gone(_)) {
        return Ok(Reference::Gone);
    }
    // A link that is not lost needs no forecast: most references are to somebody linked.
    let forecast = if brief.target.is_some() && !context.losses {
        Forecast::default()
    } else {
        context.forecast(snapshot, kind, id)?
    };
    if let Some(target) = forecast.linked {
        return Ok(Reference::Expected(target));
    }
    match brief.target {
        Some(_)
            if context.scope.divides(kind)
                && snapshot.scope_entry_in(context.scope.looks, kind, id)? == Some(ScopeEntry::Out) =>
        {
            return Ok(Reference::Out);
        }
        Some(target) if !forecast.lost => return Ok(Reference::Linked(target)),
        _ => {}
    }
    let waits = !forecast.done
        && brief.head.life == Life::Alive
        && !context.standing.is_given_up((kind, *id))
        && !context.standing.is((kind, *id), Fact::CreateOpen)
        && snapshot.dirty_cause(kind, id)?.is_some();
    Ok(if waits {
        Reference::Pending
    } else {
        Reference::Absent
    })
}

/// Returns the members of a group, and how many of them stay although their users leave. What was sent into a resource that
/// is gone counts for nothing, and keeps nobody in the next one.
fn members(
    snapshot: &Snapshot,
    context: &Context,
    group: &SourceId,
    linked: bool,
) -> Result<(Vec<MemberView>, u64), StoreError> {
    let (mut views, mut stay) = (Vec::new(), 0);
    let mut pages = Pages::fixed(|(member, _): &(SourceId, Membership)| *member);
    while let Some(page) = pages.next_page(|after, limit| snapshot.edges(group, after, limit))? {
        for (id, edge) in page {
            let state = match edge.kind {
                MemberKind::User => reference(snapshot, context, &id)?,
                MemberKind::Group | MemberKind::Other => Reference::Absent,
            };
            let sent = edge.sent.filter(|_| linked);
            let stays = match (&context.leaving, &sent) {
                (Some(leaving), Some(sent)) => leaving.member_who_stays(snapshot, &id, &state, sent)?,
                _ => None,
            };
            stay += u64::from(stays.is_some());
            views.push(MemberView {
                id,
                kind: edge.kind,
                present: edge.present || stays.is_some(),
                sent,
                found: edge.found,
                state: stays.unwrap_or(state),
            });
        }
    }
    Ok((views, stay))
}

/// Adds the users of the groups in a group, at any depth; the groups themselves are then not left out, but accounted for.
fn flatten(
    snapshot: &Snapshot,
    context: &Context,
    group: SourceId,
    members: &mut Vec<MemberView>,
) -> Result<(), StoreError> {
    let nested = nested_groups(snapshot, group)?;
    let is_nested: HashSet<SourceId> = nested.iter().copied().collect();
    members.retain(|member| member.kind != MemberKind::Group || !is_nested.contains(&member.id));
    let mut held: BTreeMap<SourceId, MemberView> =
        members.drain(..).map(|member| (member.id, member)).collect();
    for inner in &nested[1..] {
        each_member(snapshot, inner, &mut |id, kind| {
            match (held.get_mut(&id), kind) {
                (Some(member), _) => member.present = true,
                (None, MemberKind::User) => {
                    let state = reference(snapshot, context, &id)?;
                    let member = MemberView {
                        id,
                        kind,
                        present: true,
                        sent: None,
                        found: false,
                        state,
                    };
                    held.insert(id, member);
                }
                (None, MemberKind::Group | MemberKind::Other) => {}
            }
            Ok(())
        })?;
    }
    members.extend(held.into_values());
    Ok(())
}

//! Why an attribute is written: the fact that made what is wanted differ from what was sent. Pure; what moved since the
//! object was last settled is in its view.

use crate::mapping::Row;
use crate::mapping::names::APP_ROLES;
use crate::mapping::names::Access;
use crate::model::link::BY_HAND;
use crate::model::link::Link;
use crate::model::link::LinkOrigin;
use crate::model::name::Name;
use crate::model::value::Value;
use crate::model::verb::Act;
use crate::reconcile::forward::changes::Cause;
use crate::reconcile::forward::changes::Differences;
use crate::reconcile::forward::plan::Planner;
use crate::reconcile::forward::view::ObjectView;
use crate::reconcile::forward::view::Reference;
use crate::reconcile::operation::Change;
use crate::reconcile::operation::Reason;
use crate::reconcile::operation::Verb;

/// The property that `[IsSoftDeleted]` reads, beside life and scope.
const ENABLED: &str = "accountEnabled";

impl Planner<'_> {
    /// Why an update is sent, attribute by attribute.
    pub(in crate::reconcile) fn why(
        &self,
        view: &ObjectView,
        link: &Link,
        differences: &Differences,
    ) -> Reason {
        let one = |change: &Change| {
            let cause = differences.cause(&change.attribute);
            (change.attribute.clone(), self.why_one(view, link, change, cause))
        };
        Reason::of_changes(differences.write.iter().map(one).collect())
    }

    fn why_one(&self, view: &ObjectView, link: &Link, change: &Change, cause: Cause) -> Reason {
        let disables = self.is_active(&change.attribute) && change.after.as_bool() == Some(false);
        match cause {
            Cause::Moved => self.moved(view, link, &change.attribute),
            Cause::Conflict => Reason::Conflict {
                because: Box::new(self.moved(view, link, &change.attribute)),
            },
            Cause::Drift if disables => Reason::ReenabledAtTarget,
            Cause::Drift | Cause::Emptied if self.forced => Reason::TargetDiffers,
            Cause::Drift => Reason::Drifted,
            Cause::Emptied => Reason::EmptiedByTarget,
        }
    }

    /// What made an attribute another than was sent: of the facts that are known, the one that is nearest to its value.
    fn moved(&self, view: &ObjectView, link: &Link, path: &Name) -> Reason {
        let rows = self.mapping.rows(view.object.kind);
        let row = rows.iter().find(|row| row.target.name() == path);
        let manager = row.is_some_and(|row| row.reference.is_some());
        let read = row.map(|row| properties_moved(view, row)).unwrap_or_default();
        if !read.is_empty() {
            return Reason::SourceChanged { properties: read };
        }
        let sent = link.sent.get_named(path);
        if manager && let Some(reason) = manager_moved(&view.manager, sent) {
            return reason;
        }
        let by_hand = matches!(&link.origin, LinkOrigin::Adopted(by) if by == BY_HAND);
        if sent.is_none() && by_hand {
            return Reason::LinkedByHand;
        }
        if let Some(reason) = came_back(view) {
            return reason;
        }
        match sent {
            _ if row.is_some_and(|row| row.source.uses_now()) => Reason::TimePassed,
            None => Reason::NeverSent,
            Some(_) => Reason::NotAsSent,
        }
    }

    /// What a PATCH is called: by what it does to `active`, seen from what the target holds rather than from
    /// what was sent, so that a heal of `active` is counted by the guard like any other disable.
    pub(in crate::reconcile) fn verb_of(
        &self,
        view: &ObjectView,
        changes: &[Change],
        because: Reason,
    ) -> (Verb, Reason) {
        let active = changes.iter().find(|change| self.is_active(&change.attribute));
        let heals = active.is_some_and(|change| because.of(&change.attribute).heals());
        // Who was never known to be disabled is not enabled.
        let switched = match active.map(|change| (change.before.as_bool(), change.after.as_bool())) {
            Some((was, Some(false))) if was != Some(false) => Some(false),
            Some((Some(false), Some(true))) => Some(true),
            _ => None,
        };
        let verb = Verb::update_to(view.object.kind, switched);
        let Some(active) = active.filter(|_| verb.switches()) else {
            return (verb, because);
        };
        // What is done to the account comes first: it names the operation, and the guard counts by it.
        let mut parts = because.parts(changes);
        let at = parts
            .iter()
            .position(|(attribute, _)| *attribute == active.attribute);
        let (attribute, reason) = parts.remove(at.expect("invariant: every change has its part"));
        let own = match verb.act() {
            _ if heals => reason,
            Act::Disable if view.object.account_enabled() => Reason::MappedActive,
            Act::Disable => Reason::AccountDisabled,
            Act::Enable => enabled_because(view),
            Act::Create
            | Act::Update
            | Act::Delete
            | Act::AddMembers
            | Act::RemoveMembers
            | Act::Link
            | Act::Unlink
            | Act::Join
            | Act::Leave => reason,
        };
        parts.insert(0, (attribute, own));
        (verb, Reason::of_changes(parts))
    }
}

/// Why somebody is enabled again whom we disabled.
fn enabled_because(view: &ObjectView) -> Reason {
    if view.since.moved.properties.contains(ENABLED) {
        return Reason::AccountEnabled;
    }
    came_back(view).unwrap_or(Reason::AccountEnabled)
}

/// What moved of the object as a whole.
fn came_back(view: &ObjectView) -> Option<Reason> {
    let moved = &view.since.moved;
    let (mapping, scope, policy) = (moved.mapping, moved.rules, moved.policy);
    if moved.released {
        Some(Reason::HoldReleased)
    } else if moved.restored {
        Some(Reason::Restored)
    } else if moved.returned {
        Some(Reason::Returned)
    } else if mapping || scope || policy {
        Some(Reason::ConfigChanged {
            mapping,
            scope,
            policy,
        })
    } else {
        None
    }
}

/// Those of the properties that a row is made of that moved.
fn properties_moved(view: &ObjectView, row: &Row) -> std::collections::BTreeSet<Name> {
    let moved = &view.since.moved;
    let one = |access: &Access, property: &str| match access {
        Access::AppRoles => moved.roles.then(|| Name::from(APP_ROLES)),
        Access::SoftDeleted => moved.properties.get(ENABLED).cloned(),
        Access::ObjectId => None,
        Access::Whole | Access::First | Access::Key(_) | Access::GuestName | Access::Reference(_) => {
            moved.properties.get(property).cloned()
        }
    };
    let uses = row.source.uses().iter();
    uses.filter_map(|attribute| one(&attribute.access, &attribute.property))
        .collect()
}

/// What moved of the manager itself.
fn manager_moved(manager: &Reference, sent: Option<&Value>) -> Option<Reason> {
    match (manager, sent) {
        (Reference::Linked(target) | Reference::Expected(Some(target)), Some(sent)) => {
            (sent.as_str() != Some(target.as_str())).then_some(Reason::ManagerRelinked)
        }
        (Reference::Expected(None), Some(_)) => Some(Reason::ManagerRelinked),
        (Reference::Linked(_) | Reference::Expected(_), None) => Some(Reason::ManagerLinked),
        (Reference::Gone, _) => Some(Reason::ManagerDeleted),
        (Reference::Out, _) => Some(Reason::ManagerOutOfScope),
        (Reference::Absent | Reference::Pending, _) => Some(Reason::ManagerUnlinked),
        (Reference::None, _) => None,
    }
}

impl Differences {
    /// Why an attribute stands among those to be written.
    fn cause(&self, attribute: &Name) -> Cause {
        let cause = self.causes.iter().find(|(name, _)| name == attribute);
        cause.map_or(Cause::Moved, |(_, cause)| *cause)
    }
}

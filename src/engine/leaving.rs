//! Users who leave and are not taken away yet: withheld by the guard, held by a person, in escrow, not among those that an
//! admin named, or waiting for a second look at the source. What refers to them at the target stays as it is until they go, so
//! that a mistake that is held back does no harm beside it (docs/design/cycle.md, "The guard").

use std::collections::BTreeSet;
use std::collections::HashSet;

use super::intake::scoping::is_disabled;
use super::judge::kept_back::KeptBack;
use super::work::Removal;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::object::Life;
use crate::model::object::Removed;
use crate::model::value::Attributes;
use crate::ports::StoreError;
use crate::reconcile::forward::view::Reference;
use crate::reconcile::look::Look;
use crate::reconcile::policy::OnRemoval;
use crate::snapshot::look::LookReads;
use crate::snapshot::read::Reads;
use crate::snapshot::record::Record;
use crate::snapshot::store::Snapshot;

/// Whose removal this cycle carries out, by the guard's word.
#[derive(Clone)]
pub(super) struct Leaving {
    pub(super) on_soft_delete: OnRemoval,
    pub(super) on_hard_delete: OnRemoval,
    pub(super) on_out_of_scope: OnRemoval,
    /// The guard withholds removals of users, but for those that a person let through.
    pub(super) closed: bool,
    pub(super) kept_back: KeptBack,
    /// Where only some objects are planned: these.
    pub(super) focus: Option<BTreeSet<(ObjectKind, SourceId)>>,
    /// Users who are not planned in this cycle: in escrow, failed, or come in the middle of it.
    pub(super) left_out: HashSet<SourceId>,
    /// Under which path a manager is sent.
    pub(super) manager: Option<String>,
}

impl Leaving {
    /// A manager who leaves and is not taken away yet stays the manager of those who have them as one, with their resource. Entra may
    /// say that a report has none any more, or leave that to be concluded from the manager's own removal.
    pub(super) fn manager_who_stays(
        &self,
        snapshot: &Snapshot,
        manager: Option<SourceId>,
        state: &Reference,
        sent: &Attributes,
    ) -> Result<Option<(SourceId, TargetId)>, StoreError> {
        let kind = ObjectKind::User;
        if !matches!(state, Reference::Gone | Reference::Out | Reference::None) {
            return Ok(None);
        }
        let Some((owner, sent)) = manager_sent(snapshot, self.manager.as_deref(), sent)? else {
            return Ok(None);
        };
        let went = match manager {
            Some(manager) => manager == owner,
            None => {
                let brief = snapshot.brief(kind, &owner)?;
                brief.is_some_and(|brief| matches!(brief.head.life, Life::Gone(_)))
            }
        };
        let stays = went && self.stays(snapshot, &owner)?.is_some_and(|target| target == sent);
        Ok(stays.then_some((owner, sent)))
    }

    /// A member whose user waits for a second look stays in its groups. Where the removal is withheld or held, the removal of the
    /// member is planned and kept back with it ([`super::judge::admit`]); here there is none yet.
    pub(super) fn member_who_stays(
        &self,
        snapshot: &Snapshot,
        member: &SourceId,
        state: &Reference,
        sent: &TargetId,
    ) -> Result<Option<Reference>, StoreError> {
        let leaves = matches!(state, Reference::Gone | Reference::Out);
        let stays = leaves && self.waits_for_look(snapshot, member)?;
        Ok(stays.then(|| Reference::Linked(sent.clone())))
    }

    /// The resource of a user who is gone or out of scope, and whose own removal is neither done nor carried out now.
    fn stays(&self, snapshot: &Snapshot, id: &SourceId) -> Result<Option<TargetId>, StoreError> {
        let kind = ObjectKind::User;
        let Some(record) = snapshot.record(kind, id)? else {
            return Ok(None);
        };
        let done = match self.policy_on(&record) {
            OnRemoval::Keep => true,
            OnRemoval::Disable => is_disabled(&record),
            OnRemoval::Delete => false,
        };
        let removal = snapshot.removal::<Removal>(kind, id)?;
        let through = |removal: Removal| !self.closed || self.kept_back.lets_through(kind, *id, removal.verb);
        let goes = removal.is_some_and(through) && self.plans(kind, *id);
        let link = record.link.filter(|_| !(done || goes));
        Ok(link.map(|link| link.target))
    }

    /// True for an object that this cycle plans, so that what the guard lets through is carried out in it.
    fn plans(&self, kind: ObjectKind, id: SourceId) -> bool {
        let chosen = self.focus.as_ref();
        !self.left_out.contains(&id) && chosen.is_none_or(|focus| focus.contains(&(kind, id)))
    }

    /// True for a user who would be deleted, but for a look at the source that said otherwise.
    fn waits_for_look(&self, snapshot: &Snapshot, id: &SourceId) -> Result<bool, StoreError> {
        let kind = ObjectKind::User;
        if !snapshot.look(kind, id)?.is_some_and(|look| Look::doubts(&look)) {
            return Ok(false);
        }
        let record = snapshot.record(kind, id)?;
        Ok(record.is_some_and(|record| self.policy_on(&record) == OnRemoval::Delete))
    }

    const fn policy_on(&self, record: &Record) -> OnRemoval {
        match record.object.life {
            Life::Gone(Removed::SoftDeleted) => self.on_soft_delete,
            Life::Gone(Removed::HardDeleted) => self.on_hard_delete,
            Life::Alive | Life::Missing | Life::Unknown => self.on_out_of_scope,
        }
    }
}

/// The manager that was sent under this path, and the resource; nothing where the resource has no owner.
pub(super) fn manager_sent(
    snapshot: &Snapshot,
    path: Option<&str>,
    sent: &Attributes,
) -> Result<Option<(SourceId, TargetId)>, StoreError> {
    let value = path.and_then(|path| sent.get(path)?.as_str());
    let Some(resource) = value.and_then(TargetId::new) else {
        return Ok(None);
    };
    let owner = snapshot.owner(ObjectKind::User, &resource)?;
    Ok(owner.map(|owner| (owner, resource)))
}

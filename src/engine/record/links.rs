//! What one result leaves in the snapshot: the link, what was sent and what was kept of it, and what is left of its drift.

use std::collections::BTreeMap;

use crate::engine::apply::answered::Answered;
use crate::engine::apply::answered::Comparing;
use crate::engine::forecast::forecast_of;
use crate::engine::linking::forget_members;
use crate::engine::linking::forget_sent;
use crate::engine::linking::unlink;
use crate::engine::readings::rehires::hand_over;
use crate::engine::record::after_write;
use crate::engine::record::after_write::NotKept;
use crate::engine::record::part::Done;
use crate::engine::work::Work;
use crate::engine::work::rehired_from;
use crate::mapping::Mapping;
use crate::mapping::read_path;
use crate::mapping::same;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::link::Kept;
use crate::model::link::Link;
use crate::model::link::LinkOrigin;
use crate::model::name::Name;
use crate::model::value::Attributes;
use crate::model::value::Value;
use crate::model::verb::Act;
use crate::ports::StoreError;
use crate::reconcile::operation::Reason;
use crate::snapshot::counts::Facts;
use crate::snapshot::read::Reads;
use crate::snapshot::tx::Tx;

/// What results are recorded by.
pub(super) struct Terms<'a> {
    pub(super) mapping: &'a Mapping,
    pub(super) kind: ObjectKind,
    /// When the cycle began.
    pub(super) now: Timestamp,
    /// False while no object of this cycle has a forecast.
    pub(super) forecasts: bool,
    /// True where readings are compared with, and have to be renewed.
    pub(super) observes: bool,
}

impl Done {
    /// A work of which there is nothing to record yet.
    pub(super) fn nothing(work: Work) -> Self {
        Self {
            work,
            target: None,
            resource: None,
            whole: false,
            refusals: None,
            not_kept: NotKept::default(),
        }
    }

    /// True where something was written and is not there.
    pub(super) const fn is_not_kept(&self) -> bool {
        !self.not_kept.is_none()
    }

    /// What is left of the drift of an object once this was done; what the target did not keep, in words.
    pub(super) fn settle_drift(
        &mut self,
        tx: &mut Tx<'_>,
        terms: &Terms<'_>,
    ) -> Result<Vec<String>, StoreError> {
        let (kind, id) = (terms.kind, self.work.plan.source);
        let whole = self.resource.as_ref().filter(|_| self.whole);
        let whole = whole.map(Answered::tree);
        let whole = whole.as_deref();
        if let (true, Some(target)) = (terms.observes && self.work.sends(), &self.target) {
            after_write::renew_reading(tx, kind, target, &self.work, whole)?;
        }
        let mut not_kept = std::mem::take(&mut self.not_kept);
        if let (true, Some(body)) = (self.work.heals(), whole) {
            not_kept.add_members(&self.work, body);
        }
        let words = not_kept.words(kind, id);
        if let Some(target) = &self.target {
            after_write::settle(tx, target, terms.now, &self.work, not_kept)?;
        }
        Ok(words)
    }

    /// Writes one result: link, sent, kept, memberships, its own mark. The id, where its referrers are now to
    /// be looked at: it was linked, relinked or deleted.
    pub(super) fn record(
        &mut self,
        tx: &mut Tx<'_>,
        terms: &Terms<'_>,
    ) -> Result<Option<SourceId>, StoreError> {
        let (kind, id) = (terms.kind, self.work.plan.source);
        let deleted = self
            .work
            .run
            .iter()
            .any(|operation| operation.verb.deletes() || operation.verb.act() == Act::Unlink);
        if deleted || self.work.plan.forget {
            if deleted && let Some(record) = tx.record(kind, &id)?.filter(|record| !record.is_gone()) {
                // Alive, or not known to be gone: it may come back, and then with what changed alone.
                unlink(tx, record)?;
                tx.clear_dirty(kind, &id)?;
                return Ok(Some(id));
            }
            forget_members(tx, kind, &id)?;
            tx.clear_dirty(kind, &id)?;
            tx.delete_record(kind, &id)?;
            return Ok(deleted.then_some(id));
        }
        let fresh = match self.target.clone() {
            Some(target) => self.record_link(tx, terms, &target)?,
            None => false,
        };
        self.record_members(tx, &id)?;
        if let Some(refusals) = &self.refusals {
            tx.put_refusals(kind, &id, refusals);
        }
        if self.work.completes() {
            tx.clear_dirty(kind, &id)?;
        }
        // Only users are referred to: nested groups are not sent.
        Ok((fresh && kind == ObjectKind::User).then_some(id))
    }

    /// The link; true when it is another one than before.
    fn record_link(
        &mut self,
        tx: &mut Tx<'_>,
        terms: &Terms<'_>,
        target: &TargetId,
    ) -> Result<bool, StoreError> {
        let (kind, id) = (terms.kind, self.work.plan.source);
        let Some(mut record) = self.work.record.take() else {
            return Ok(false);
        };
        let before = Facts::of(&record);
        let linked_before = record.link.as_ref().map(|link| link.target.clone());
        let fresh = self.work.creates() || linked_before.as_ref() != Some(target);
        if !fresh && self.work.plan.record.is_empty() && self.work.sent.is_empty() {
            return Ok(false);
        }
        // The same resource under another id: what was sent is still in it.
        let moved = !self.work.creates() && self.work.target == linked_before && linked_before.is_some();
        let link = match record.link.take() {
            Some(link) if !fresh => link,
            Some(link) if moved => Link {
                target: target.clone(),
                ..link
            },
            _ => Link {
                target: target.clone(),
                origin: self.origin(),
                since: terms.now,
                sent: Attributes::new(),
                kept: BTreeMap::new(),
            },
        };
        record.link = Some(self.as_answered(terms.mapping, link));
        if let Some(leaver) = rehired_from(&self.work.run) {
            hand_over(tx, &leaver, &id)?;
        }
        tx.write_record(Some(before), &record)?;
        if fresh && !moved && kind == ObjectKind::Group && linked_before.is_some() {
            forget_sent(tx, &id)?;
        }
        if fresh && terms.forecasts {
            let mut forecast = forecast_of(tx, kind, &id)?;
            if forecast.lost {
                forecast.lost = false;
                tx.put_forecast(kind, &id, &forecast);
            }
        }
        Ok(fresh)
    }

    /// The link with what was sent now, and what of it the target kept.
    fn as_answered(&mut self, mapping: &Mapping, link: Link) -> Link {
        let mut link = link;
        for change in &self.work.plan.record {
            link.sent.insert(change.attribute.clone(), change.after.clone());
            link.kept.remove(&change.attribute);
        }
        let answered = self.resource.as_ref().map(Comparing::with);
        for (path, value) in &self.work.sent {
            self.keep(answered.as_ref(), mapping, &mut link, (path, value));
        }
        for (path, held) in std::mem::take(&mut self.work.left_out.held_instead) {
            link.kept.insert(path, Kept::Other(held));
        }
        for (path, stays) in std::mem::take(&mut self.work.left_out.of_a_leaver) {
            link.sent.insert(path, stays);
        }
        self.notice_cleared(mapping, &mut link);
        if self.work.heals() && self.whole {
            self.not_kept.add_healed(NotKept::of(mapping, &self.work, &link));
        }
        link
    }

    fn origin(&self) -> LinkOrigin {
        let matched = self
            .work
            .run
            .iter()
            .find_map(|operation| match &operation.because {
                Reason::Matched { by } | Reason::Rehired { by, .. } => Some(by.clone()),
                Reason::Alike(alike) => Some(alike.by.clone()),
                _ => None,
            });
        matched.map_or(LinkOrigin::Created, LinkOrigin::Adopted)
    }

    /// What was sent, and what the answer says that the target kept of it.
    fn keep(
        &self,
        answered: Option<&Comparing<'_>>,
        mapping: &Mapping,
        link: &mut Link,
        (path, value): (&Name, &Value),
    ) {
        let found_equal = self.work.run.iter().any(|operation| {
            operation.verb.links() && operation.changes.iter().any(|change| change.attribute == *path)
        });
        let kept = match (answered, mapping.target_path(self.work.plan.kind, path)) {
            _ if found_equal => Kept::AsSent,
            (Some(answered), Some(target)) if answered.plainly_holds(&target, value) => Kept::AsSent,
            (Some(answered), Some(target)) => match answered.read(&target) {
                Some(held) if same(&target, &held, value) => Kept::AsSent,
                Some(held) => Kept::Other(held),
                None if value.is_unassigned() => Kept::AsSent,
                // A heal was read back whole: what is not there was not kept.
                None if self.whole && self.work.heals() => Kept::Other(Value::Null),
                None => Kept::Unknown,
            },
            _ => Kept::Unknown,
        };
        if value.is_unassigned() {
            link.sent.remove(path);
        } else {
            link.sent.insert(path, value.clone());
        }
        match kept {
            Kept::AsSent => link.kept.remove::<str>(path),
            other => link.kept.insert(path.clone(), other),
        };
    }

    /// After a change of `active`, what the target emptied by itself counts as not sent: it returns when the
    /// user does (docs/design/comparison.md).
    fn notice_cleared(&self, mapping: &Mapping, link: &mut Link) {
        let touched = self.work.sets_active() && !self.work.creates();
        let (Some(resource), true, true) = (&self.resource, self.whole, touched) else {
            return;
        };
        let body = resource.tree();
        for (path, value) in &link.sent {
            let Some(target) = mapping.target_path(self.work.plan.kind, path) else {
                continue;
            };
            if !value.is_unassigned() && read_path(&body, &target).is_none() {
                link.kept.insert(path.clone(), Kept::Other(Value::Null));
            }
        }
    }
}

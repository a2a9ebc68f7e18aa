//! The scope of a job, ready to be asked about one object after the other. The decision is [`crate::reconcile::scope`].

use std::sync::Arc;

use crate::engine::intake::entitlements::Entitlements;
use crate::mapping::MemberOf;
use crate::mapping::TargetPath;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::object::Life;
use crate::ports::StoreError;
use crate::reconcile::scope::Decision;
use crate::reconcile::scope::Memberships;
use crate::reconcile::scope::ScopeRules;
use crate::reconcile::scope::Standing;
use crate::snapshot::read::Reads;
use crate::snapshot::record::Record;
use crate::snapshot::scope::ScopeEntry;
use crate::snapshot::scope::ScopeReads;

/// The scope of a job, ready to be asked about one object after the other.
#[derive(Clone)]
pub(in crate::engine) struct Scoping {
    rules: Arc<ScopeRules>,
    pub(in crate::engine) asked: Arc<[MemberOf]>,
    /// Who is assigned, where only the assigned are in scope.
    assigned: Option<Entitlements>,
    /// True in a cycle that may not write: what it sees of scopes is its own, and no cycle counts it.
    pub(in crate::engine) looks: bool,
}

impl Scoping {
    /// Of these rules; with who is assigned, where that counts.
    pub(in crate::engine) fn new(
        rules: &Arc<ScopeRules>,
        assigned: Option<Entitlements>,
        looks: bool,
    ) -> Self {
        Self {
            rules: Arc::clone(rules),
            asked: rules.member_of().into_iter().collect(),
            assigned,
            looks,
        }
    }

    /// False where every object of a kind is in scope: then nothing of it need be looked up.
    pub(in crate::engine) fn divides(&self, kind: ObjectKind) -> bool {
        self.assigned.is_some() || !self.rules.takes_every(kind)
    }

    pub(in crate::engine) fn decide(
        &self,
        reads: &impl Reads,
        record: &Record,
    ) -> Result<Decision, StoreError> {
        let mut memberships = Memberships::default();
        for of in &*self.asked {
            if let Some(is) = reads.scope_member(of, &record.object.id)? {
                memberships.0.insert(*of, is);
            }
        }
        let decision = self.rules.decide(&record.object, &memberships);
        let Some(assigned) = &self.assigned else {
            return Ok(decision);
        };
        let (kind, id) = (record.object.kind, &record.object.id);
        let is = assigned.is_assigned(reads, kind, id)?;
        let is = is.ok_or_else(|| "the assignment list of the enterprise application".to_owned());
        Ok(decision.and_assigned(kind, is))
    }

    /// Where an object stands. `linked`: its resource is there as far as is known.
    ///
    /// # Errors
    /// As the store.
    pub(in crate::engine) fn standing(
        &self,
        reads: &impl Reads,
        record: &Record,
        linked: bool,
    ) -> Result<Standing, StoreError> {
        let (kind, id) = (record.object.kind, record.object.id);
        if !self.divides(kind) || record.object.life != Life::Alive {
            return Ok(Standing::In);
        }
        let decision = self.decide(reads, record)?;
        let confirmed = linked
            && matches!(decision, Decision::OutOfScope { .. })
            && reads.scope_entry_in(self.looks, kind, &id)? == Some(ScopeEntry::Out);
        Ok(decision.standing(linked, confirmed))
    }

    /// True for a linked object that is out, and for good.
    ///
    /// # Errors
    /// As the store.
    pub(in crate::engine) fn is_out(
        &self,
        reads: &impl Reads,
        kind: ObjectKind,
        id: &SourceId,
    ) -> Result<bool, StoreError> {
        let Some(record) = reads.record(kind, id)? else {
            return Ok(false);
        };
        Ok(matches!(
            self.standing(reads, &record, true)?,
            Standing::Out { .. }
        ))
    }

    /// True for an object without a link that may be matched.
    ///
    /// # Errors
    /// As the store.
    pub(in crate::engine) fn takes(&self, reads: &impl Reads, record: &Record) -> Result<bool, StoreError> {
        Ok(self.standing(reads, record, false)? == Standing::In)
    }
}

/// True for a user whom we disabled at the target.
pub(in crate::engine) fn is_disabled(record: &Record) -> bool {
    let sent = record.link.iter().flat_map(|link| &link.sent);
    let mut active = sent.filter(|(path, _)| path.eq_ignore_ascii_case(TargetPath::active().as_str()));
    active.any(|(_, value)| value.as_bool() == Some(false))
}

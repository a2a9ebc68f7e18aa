//! What is recorded in one transaction: works with their results, and results that cannot be recorded because the resource
//! belongs to another object.

use std::collections::BTreeSet;

use crate::engine::apply::answered::Answered;
use crate::engine::open;
use crate::engine::record::after_write::NotKept;
use crate::engine::work::Answer;
use crate::engine::work::Work;
use crate::engine::work::rehired_from;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::refusal::Refusal;
use crate::ports::StoreError;
use crate::reconcile::operation::Operation;
use crate::snapshot::escrow::Escrowed;
use crate::snapshot::history::NewEntry;
use crate::snapshot::kept_back::WithheldKey;
use crate::snapshot::read::Reads;
use crate::snapshot::state::OpenWrite;

/// A work that is to be recorded.
pub(in crate::engine) struct Done {
    pub(in crate::engine) work: Work,
    /// The resource, unless there is none.
    pub(in crate::engine) target: Option<TargetId>,
    pub(in crate::engine) resource: Option<Answered>,
    /// True when `resource` is the whole resource as it is after the request.
    pub(in crate::engine) whole: bool,
    /// What is kept of its refused attributes from now on; `None` where that does not change.
    pub(in crate::engine) refusals: Option<Vec<Refusal>>,
    /// What of a heal the target does not hold.
    pub(in crate::engine) not_kept: NotKept,
}

/// What is recorded in one transaction: the results of a batch, or of the part of it that is answered already.
#[derive(Default)]
pub(in crate::engine) struct Part {
    pub(in crate::engine) done: Vec<Done>,
    /// Creates that were sent, whatever came of them.
    pub(in crate::engine) judged: BTreeSet<SourceId>,
    /// Those of them whose outcome is open: their intents stay.
    pub(in crate::engine) open: BTreeSet<SourceId>,
    /// Whose other writes are told for certain: they are open no longer.
    pub(in crate::engine) certain: BTreeSet<SourceId>,
    /// Whose request was answered, whatever the answer says.
    pub(in crate::engine) answered: BTreeSet<SourceId>,
    /// Whose request did not go out, or was refused.
    pub(in crate::engine) undone: BTreeSet<SourceId>,
    /// Writes that are open once this is recorded: adoptions that are to follow creates which met a resource, and what of a create
    /// is in doubt.
    pub(in crate::engine) opens: Vec<OpenWrite>,
    pub(in crate::engine) history: Vec<NewEntry>,
    /// Changes of identity: counted before what was sent moves into the history.
    pub(in crate::engine) identities: u64,
    /// Withheld operations that were let through, and are used up.
    pub(in crate::engine) used: Vec<WithheldKey>,
    /// Who goes into escrow.
    pub(in crate::engine) aside: Vec<(SourceId, Escrowed)>,
    /// Who goes into escrow in part: the rest was carried out.
    pub(in crate::engine) in_part: Vec<(SourceId, Escrowed)>,
    /// Who leaves escrow.
    pub(in crate::engine) settled: Vec<SourceId>,
    /// Who was set aside by an earlier batch of this cycle, before the whole kind of operation stopped.
    pub(in crate::engine) excused: Vec<(ObjectKind, SourceId)>,
}

/// A result that cannot be recorded, because its resource has an owner.
#[derive(Debug)]
pub(in crate::engine) struct Claim {
    pub(in crate::engine) id: SourceId,
    pub(in crate::engine) target: TargetId,
    pub(in crate::engine) owner: SourceId,
    pub(in crate::engine) creates: bool,
    pub(in crate::engine) run: Vec<Operation>,
}

impl Claim {
    pub(in crate::engine) fn words(&self) -> String {
        let (id, target, owner) = (self.id, &self.target, self.owner);
        if self.creates {
            format!(
                "the create of {id} was answered with the resource `{target}`, which {owner} is linked to"
            )
        } else {
            format!("the resource `{target}` cannot be linked with {id}: {owner} is linked to it")
        }
    }
}

impl Done {
    /// Whom its resource belongs to, where that is somebody else.
    pub(in crate::engine) fn claim(
        &mut self,
        reads: &impl Reads,
        kind: ObjectKind,
    ) -> Result<Option<Claim>, StoreError> {
        let (Some(target), Some(record)) = (&self.target, &self.work.record) else {
            return Ok(None);
        };
        let linked = record.link.as_ref().is_some_and(|link| link.target == *target);
        if linked || rehired_from(&self.work.run).is_some() {
            return Ok(None);
        }
        let id = self.work.plan.source;
        let owner = reads.owner(kind, target)?.filter(|owner| *owner != id);
        Ok(owner.map(|owner| Claim {
            id,
            target: target.clone(),
            owner,
            creates: self.work.creates(),
            run: std::mem::take(&mut self.work.run),
        }))
    }
}

impl Part {
    /// Notes what a result says of the object's intent, and of its other writes that may be open.
    pub(in crate::engine) fn note(&mut self, work: &Work, answer: &Answer) {
        let id = work.plan.source;
        let facts = [
            (work.creates(), &mut self.judged),
            (open::is_certain(work, answer), &mut self.certain),
            (open::did_nothing(work, answer), &mut self.undone),
            (open::is_answered(answer), &mut self.answered),
        ];
        for (_, those) in facts.into_iter().filter(|(is, _)| *is) {
            those.insert(id);
        }
    }

    /// Takes a result back that was taken for a good one: nothing of it is written but that it failed.
    pub(in crate::engine) fn take_back(&mut self, claim: &Claim) {
        let words = claim.words();
        for entry in self
            .history
            .iter_mut()
            .filter(|entry| entry.object == Some(claim.id))
        {
            "failed".clone_into(&mut entry.result);
            entry.values.detail = Some(words.clone());
        }
        self.settled.retain(|id| *id != claim.id);
        if claim.creates {
            self.open.insert(claim.id);
        }
    }
}

//! Creates that were answered with a resource that was there before: some services look for one of that name, and give it the
//! values that were sent. That is an adoption, by its rules: nothing is linked by the answer, the object is planned again.

use std::collections::BTreeSet;

use crate::engine::apply::answered::Answered;
use crate::engine::audit;
use crate::engine::audit::Ending;
use crate::engine::error::CycleError;
use crate::engine::readings::stored::keep_answer;
use crate::engine::record::Learned;
use crate::engine::record::Recorder;
use crate::engine::record::part::Part;
use crate::engine::work::Work;
use crate::model::id::ObjectKind;
use crate::model::id::TargetId;
use crate::ports::Durability;
use crate::ports::Resource;
use crate::ports::TargetError;
use crate::reconcile::guard::Class;
use crate::reconcile::guard::review::Alike;
use crate::reconcile::operation::Verb;
use crate::reconcile::policy::Adopt;
use crate::reconcile::policy::AdoptGroup;
use crate::snapshot::history::NewEntry;
use crate::snapshot::kept_back::Withheld;
use crate::snapshot::read::Reads;
use crate::snapshot::state::OpenWrite;

impl Recorder<'_, '_> {
    /// Takes the resource for one that the object matches. A group waits for its review: nobody can say by what the target
    /// found it. One that is linked to another object is not taken at all.
    pub(in crate::engine) async fn meet(
        &mut self,
        work: &Work,
        (target, resource): (TargetId, Answered),
        part: &mut Part,
        learned: &mut Learned,
    ) -> Result<(), CycleError> {
        let (kind, id) = (work.plan.kind, work.plan.source);
        let of = target.clone();
        let owner = self.run.store(move |snapshot| snapshot.owner(kind, &of)).await?;
        if let Some(owner) = owner.filter(|owner| *owner != id) {
            let what = format!(
                "the create was answered with resource {target}, which is linked with {kind} {owner}"
            );
            self.failed_work(work, refused(what), part, learned);
            return Ok(());
        }
        if !self.run.standing.may_try_again((kind, id)) {
            let what = format!("the create was answered with resource {target}, which was there before");
            self.failed_work(work, refused(what), part, learned);
            return Ok(());
        }
        self.run.standing.tries_again((kind, id));
        self.run.order.watcher.finding(&format!(
            "the target answered the create of {kind} {} with resource {target}, which was there before: that is an adoption, \
             and no new resource",
            work.plan.name
        ));
        self.note_met(work, &target, &mut part.history);
        part.opens.extend(self.taken_by(work, &target));
        let body = resource.tree().into_owned();
        let reviews = kind == ObjectKind::Group && self.run.job.policy.groups.adopt == AdoptGroup::Review;
        let review = reviews.then(|| self.review_of(Alike::of(&self.run.job.mapping, kind, &target, &body)));
        let paths = self.run.key_paths(kind);
        self.run
            .store(move |snapshot| {
                let mut tx = snapshot.tx()?;
                keep_answer(&mut tx, kind, &Resource { id: target, body }, &paths);
                if let Some(review) = &review {
                    tx.put_withheld(&(kind, id, Class::Adoption), review);
                }
                tx.commit(Durability::Lazy)
            })
            .await?;
        (learned.again, learned.moved) = (true, true);
        Ok(())
    }

    /// Returns the adoption that follows as an open write, where it needs nobody's leave: the resource bears the user's id
    /// and values, and would be nobody's if the user left before the adoption is carried out.
    fn taken_by(&self, work: &Work, target: &TargetId) -> Option<OpenWrite> {
        let follows = work.plan.kind == ObjectKind::User && self.run.job.policy.adopt != Adopt::Never;
        let sent = work.sent.iter().filter(|(_, value)| !value.is_unassigned());
        follows.then(|| OpenWrite {
            kind: work.plan.kind,
            id: work.plan.source,
            paths: sent.map(|(path, _)| path.as_str().to_owned()).collect(),
            members: false,
            adopts: Some(target.clone()),
            put_in: BTreeSet::new(),
            at: self.run.now,
            earlier: false,
            answered: true,
        })
    }

    /// The create gave the resource its values, whatever becomes of the adoption: the history tells.
    fn note_met(&self, work: &Work, target: &TargetId, history: &mut Vec<NewEntry>) {
        let detail =
            format!("answered with resource {target}, which was there before: an adoption, and no create");
        let ending = Ending {
            target: Some(target),
            at: self.answered_at(work),
            result: "failed",
            detail: Some(&detail),
        };
        for operation in &work.run {
            audit::tell(self.run.job, self.run.order, operation, ending);
            history.extend(self.entries(operation, operation.changes.clone(), ending));
        }
    }

    fn review_of(&self, alike: Alike) -> Withheld {
        Withheld {
            verb: Verb::link(ObjectKind::Group),
            reason: alike.label().to_owned(),
            because: alike.to_string(),
            why: alike.words(),
            count: 1,
            members: Vec::new(),
            since: self.run.now,
            cycle: self.run.order.id,
            released_by: None,
            alike: Some(alike),
        }
    }
}

fn refused(what: String) -> TargetError {
    TargetError::Refused {
        what: what.into(),
        status: 200,
        hint: "give one of the two another name in Entra: the target takes them for one".to_owned(),
    }
}

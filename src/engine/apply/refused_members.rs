//! Members that the target refuses while it takes others: who they are, and a create that was taken without them.

use std::collections::BTreeMap;

use crate::engine::job::Job;
use crate::engine::run::blocking;
use crate::engine::work::Answer;
use crate::engine::work::Work;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::refusal::Refusal;
use crate::model::verb::Act;
use crate::ports::Patch;
use crate::ports::RefusedMember;
use crate::ports::TargetError;
use crate::reconcile::operation::Member;
use crate::reconcile::operation::Operation;
use crate::snapshot::read::Reads;

/// So many refused members of one group are told one by one in the summary and the log; the others in one line.
pub(in crate::engine) const TOLD: usize = 20;

impl Work {
    /// True where each member of a patch was refused before and waits alone already.
    pub(in crate::engine) fn knows_members(&self, patch: &Patch) -> bool {
        let known = |target| {
            let source = self.member_of(target);
            source.is_some_and(|(source, _)| {
                let path = Refusal::path_of(&source);
                self.plan.refused.iter().any(|row| row.attribute == path)
            })
        };
        patch.add_members.iter().chain(&patch.remove_members).all(known)
    }

    /// Who a resource is that is put in (true) or taken out.
    pub(in crate::engine) fn member_of(&self, target: &TargetId) -> Option<(SourceId, bool)> {
        let of = |pairs: &[(SourceId, _)]| {
            let mut pairs = pairs.iter();
            pairs.find(|(_, id)| id == target).map(|(source, _)| *source)
        };
        let comes = of(&self.added).map(|source| (source, true));
        comes.or_else(|| of(&self.removed).map(|source| (source, false)))
    }

    /// Looks up the names of refused members, for whoever is told of them.
    pub(in crate::engine) async fn name_refused_members(&mut self, job: &Job) {
        let targets = self.left_out.members.iter().map(|one| &one.member);
        let members: Vec<SourceId> = targets
            .filter_map(|target| self.member_of(target).map(|(source, _)| source))
            .collect();
        if members.is_empty() {
            return;
        }
        let named = blocking(&job.snapshot, move |snapshot| {
            let mut names = BTreeMap::new();
            for member in members {
                if let Some(record) = snapshot.record(ObjectKind::User, &member)? {
                    names.insert(member, record.object.name());
                }
            }
            Ok(names)
        });
        // Without a name the id stands for it: the store's own trouble is met when the result is recorded.
        self.left_out.names = named.await.unwrap_or_default();
    }

    /// Members whom the target refused to put in with what also says that it does not know them: each with its resource.
    pub(in crate::engine) fn doubted_members(&self) -> Vec<(SourceId, TargetId)> {
        let unknown = |one: &&RefusedMember| matches!(one.error.status(), 400 | 404 | 422);
        let joins = |one: &RefusedMember| {
            let (source, comes) = self.member_of(&one.member)?;
            comes.then(|| (source, one.member.clone()))
        };
        let refused = self.left_out.members.iter();
        refused.filter(unknown).filter_map(joins).take(TOLD).collect()
    }

    /// True for an operation whose members were all refused.
    pub(in crate::engine) fn refused_members_whole(&self, operation: &Operation) -> Option<&TargetError> {
        let first = self.left_out.members.first()?;
        let of = match operation.verb.act() {
            Act::AddMembers => &self.added,
            Act::RemoveMembers => &self.removed,
            Act::Create
            | Act::Update
            | Act::Disable
            | Act::Enable
            | Act::Delete
            | Act::Link
            | Act::Unlink
            | Act::Join
            | Act::Leave => return None,
        };
        let refused = |member: &Member| {
            let target = of.iter().find(|(source, _)| *source == member.source);
            target.is_some_and(|(_, target)| self.left_out.members.iter().any(|one| one.member == *target))
        };
        let whole = !operation.members.is_empty() && operation.members.iter().all(refused);
        whole.then_some(&first.error)
    }
}

/// What a create came to whose members followed in a request of their own, and were taken in part.
pub(in crate::engine) async fn create_in_part(job: &Job, work: &mut Work, answer: Answer) -> Answer {
    match answer {
        Answer::Half {
            target,
            resource,
            error: TargetError::Partly { members, .. },
        } => {
            work.left_out.members.extend(members);
            work.name_refused_members(job).await;
            Answer::Done {
                target,
                resource: Some(resource),
                whole: false,
            }
        }
        answer => answer,
    }
}

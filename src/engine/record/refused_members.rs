//! Members that the target refused while it took others: what is recorded of them, and a create without members.
//!
//! Guarantee: as of refused attributes ([`crate::engine::record::refused`]).

use std::collections::BTreeMap;

use crate::engine::audit;
use crate::engine::audit::Ending;
use crate::engine::cycle::Cycle;
use crate::engine::error::CycleError;
use crate::engine::error::chain;
use crate::engine::escrow::gap;
use crate::engine::job::Job;
use crate::engine::readings::Readings;
use crate::engine::record::part::Part;
use crate::engine::run::Run;
use crate::engine::run::blocking;
use crate::engine::work::Answer;
use crate::engine::work::Work;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::link::Link;
use crate::model::refusal::Refusal;
use crate::model::verb::Act;
use crate::ports::Patch;
use crate::ports::RefusedMember;
use crate::ports::TargetError;
use crate::reconcile::operation::Member;
use crate::reconcile::operation::Operation;
use crate::reconcile::operation::Verb;
use crate::snapshot::read::Reads;

/// So many refused members of one group are told one by one in the summary and the log; the others in one line.
const TOLD: usize = 20;

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
    fn member_of(&self, target: &TargetId) -> Option<(SourceId, bool)> {
        let of = |pairs: &[(SourceId, _)]| {
            let mut pairs = pairs.iter();
            pairs.find(|(_, id)| id == target).map(|(source, _)| *source)
        };
        let comes = of(&self.added).map(|source| (source, true));
        comes.or_else(|| of(&self.removed).map(|source| (source, false)))
    }

    /// Looks up the names of refused members, for whoever is told of them.
    pub(in crate::engine) async fn name_refused_members(&mut self, job: &Job) {
        let targets = self.refused_members.iter().map(|one| &one.member);
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
        self.member_names = named.await.unwrap_or_default();
    }

    /// Members whom the target refused to put in with what also says that it does not know them: each with its resource.
    pub(in crate::engine) fn doubted_members(&self) -> Vec<(SourceId, TargetId)> {
        let unknown = |one: &&RefusedMember| matches!(one.error.status(), 400 | 404 | 422);
        let joins = |one: &RefusedMember| {
            let (source, comes) = self.member_of(&one.member)?;
            comes.then(|| (source, one.member.clone()))
        };
        let refused = self.refused_members.iter();
        refused.filter(unknown).filter_map(joins).take(TOLD).collect()
    }

    /// True for an operation whose members were all refused.
    pub(in crate::engine) fn refused_members_whole(&self, operation: &Operation) -> Option<&TargetError> {
        let first = self.refused_members.first()?;
        let of = match operation.verb.act() {
            Act::AddMembers => &self.added,
            Act::RemoveMembers => &self.removed,
            Act::Create
            | Act::Update
            | Act::Disable
            | Act::Enable
            | Act::Delete
            | Act::Link
            | Act::Unlink => return None,
        };
        let refused = |member: &Member| {
            let target = of.iter().find(|(source, _)| *source == member.source);
            target.is_some_and(|(_, target)| self.refused_members.iter().any(|one| one.member == *target))
        };
        let whole = !operation.members.is_empty() && operation.members.iter().all(refused);
        whole.then_some(&first.error)
    }
}

impl Readings {
    /// Reads the resources of refused members, each once in a cycle. One that is gone is gone for every other that wants it
    /// there, too. The request that was refused is our own: the source wants this user there, so that this is no drift, and
    /// the link goes whatever `drift.missing` and `create` say, as after a request about the user itself that is answered
    /// 404 ([`Self::note_missing`]). Without `create` the user waits for a resource to adopt. A target that does not answer
    /// leaves the question to the member's next try.
    pub(in crate::engine) async fn look_after_members(
        &mut self,
        run: &Run<'_>,
        doubted: Vec<(SourceId, TargetId)>,
    ) -> Result<(), CycleError> {
        let (kind, now) = (ObjectKind::User, run.now);
        for (id, target) in doubted {
            if !self.drift.doubted.insert(target.clone()) {
                continue;
            }
            let record = run.store(move |snapshot| snapshot.record(kind, &id)).await?;
            let link = record.and_then(|record| record.link);
            if !link.is_some_and(|link| may_be_gone(&link, &target, now)) {
                continue;
            }
            run.check_stop()?;
            match run.job.target.read(kind, &target).await {
                Ok(Some(_)) => {}
                Ok(None) => self.lose(run, kind, id).await?,
                Err(_) => break,
            }
        }
        Ok(())
    }
}

impl Cycle<'_> {
    /// Takes refused members out of a work, so that the others are recorded, and says so. What is kept of them.
    pub(in crate::engine) fn take_refused_members(
        &mut self,
        work: &mut Work,
        part: &mut Part,
    ) -> Vec<Refusal> {
        let refused = std::mem::take(&mut work.refused_members);
        let count = refused.len();
        let mut rows = Vec::with_capacity(count);
        for (at, one) in refused.into_iter().enumerate() {
            let told = at < TOLD || at + 1 == count;
            let others = (count > TOLD && at + 1 == count).then(|| count - TOLD - 1);
            rows.extend(self.set_member_apart(work, one, part, told.then_some(others.unwrap_or(0))));
        }
        work.run
            .retain(|operation| !(operation.members.is_empty() && operation.verb.moves_members()));
        rows
    }

    /// One refused member. `told`: it is told of, with how many others who are not.
    fn set_member_apart(
        &mut self,
        work: &mut Work,
        refused: RefusedMember,
        part: &mut Part,
        told: Option<usize>,
    ) -> Option<Refusal> {
        let RefusedMember {
            member: target,
            error,
        } = refused;
        let (source, comes) = work.member_of(&target)?;
        let (pairs, verb) = if comes {
            (&mut work.added, Verb::AddMember)
        } else {
            (&mut work.removed, Verb::RemoveMember)
        };
        pairs.retain(|(member, _)| *member != source);
        let operation = work.run.iter_mut().find(|operation| operation.verb == verb)?;
        let at = operation
            .members
            .iter()
            .position(|member| member.source == source)?;
        let member = operation.members.remove(at);
        let operation = Operation {
            members: vec![member],
            ..operation.clone()
        };
        let said = chain(&error);
        let name = work.member_names.get(&source);
        let who = name.map_or_else(|| source.to_string(), |name| format!("{name} ({source})"));
        let what = if comes { "put" } else { "take" };
        let into = if comes { "into" } else { "out of" };
        let words = format!("the target refused to {what} member {who} {into} this group: {said}");
        let (id, verb) = (operation.source, operation.verb.name());
        let hint = hint(comes, error.status(), error.hint());
        if let Some(others) = told {
            let more = match others {
                0 => String::new(),
                others => format!(" (and {others} members more, which `melonsync escrow list` names)"),
            };
            self.run
                .summary
                .fail(id, verb, format!("{words}{more}"), hint.clone());
            tracing::warn!(object = %id, op = verb, member = %source, "The target refused member {source} of {id}, and it waits alone: {said}");
        }
        let ending = Ending {
            target: work.target.as_ref(),
            result: "failed",
            detail: Some(&said),
        };
        audit::tell(self.run.job, self.run.order, &operation, ending);
        part.history.extend(self.entries(&operation, Vec::new(), ending));
        let path = Refusal::path_of(&source);
        let before = work.plan.refused.iter().find(|row| row.attribute == path);
        let failures = before.map_or(0, |row| row.failures).saturating_add(1);
        Some(Refusal {
            attribute: path,
            wanted: Refusal::digest(&Refusal::membership(&target, comes)),
            operation: verb.to_owned(),
            error: words,
            hint,
            failures,
            since: before.map_or(self.run.now, |row| row.since),
            next_try: Some(self.run.now.plus(gap(self.run.job.escrow_first_retry, failures))),
        })
    }
}

/// True where not finding the resource of a refused member says that it is gone. Of one that was linked in this cycle it may
/// say only that a part of the target does not know it yet.
fn may_be_gone(link: &Link, doubted: &TargetId, now: Timestamp) -> bool {
    link.target == *doubted && link.since != now
}

/// What to do about a refused member.
fn hint(comes: bool, status: u16, said: &str) -> String {
    match (comes, status) {
        (true, 404) => {
            "see whether this user is still at the target: `melonsync resync --user` of it looks, and makes it anew where it is gone"
                .to_owned()
        }
        // Answered as if it had been done: more likely the form than this user.
        (true, 200) if !said.is_empty() => {
            format!("{said}; where it is this user alone, look at what the target takes for a member")
        }
        (true, _) => "look at this user at the target, and at what it takes for a member; the others of the group are in it".to_owned(),
        (false, _) if said.is_empty() => "take this member out at the target by hand".to_owned(),
        (false, _) => format!("take this member out at the target by hand, or: {said}"),
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
            work.refused_members.extend(members);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::link::LinkOrigin;
    use crate::model::value::Attributes;

    #[test]
    fn only_the_resource_of_an_earlier_link_may_be_gone() {
        let id = |text| TargetId::new(text).unwrap();
        let (now, earlier) = (Timestamp(2000), Timestamp(1000));
        for (target, since, expected) in [
            ("a", earlier, true),
            ("b", earlier, false),
            ("a", now, false),
            // The clock went back: still not of this cycle.
            ("a", Timestamp(3000), true),
        ] {
            let link = Link {
                target: id(target),
                origin: LinkOrigin::Created,
                since,
                sent: Attributes::new(),
                kept: BTreeMap::new(),
            };
            assert_eq!(may_be_gone(&link, &id("a"), now), expected, "{target} {since:?}");
        }
    }
}

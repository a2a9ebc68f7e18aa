//! Members that the target refused while it took others: what is recorded of them.
//!
//! Guarantee: as of refused attributes ([`crate::engine::record::refused`]).

use crate::engine::apply::refused_members::TOLD;
use crate::engine::audit;
use crate::engine::audit::Ending;
use crate::engine::error::chain;
use crate::engine::escrow::gap;
use crate::engine::record::Recorder;
use crate::engine::record::part::Part;
use crate::engine::work::Work;
use crate::model::id::SourceId;
use crate::model::refusal::Refusal;
use crate::ports::RefusedMember;
use crate::reconcile::operation::Operation;
use crate::reconcile::operation::Verb;

impl Recorder<'_, '_> {
    /// Takes refused members out of a work, so that the others are recorded, and says so. What is kept of them.
    pub(in crate::engine) fn take_refused_members(
        &mut self,
        work: &mut Work,
        part: &mut Part,
    ) -> Vec<Refusal> {
        let refused = std::mem::take(&mut work.left_out.members);
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
        let operation = take_out(work, source, comes)?;
        let said = chain(&error);
        let name = work.left_out.names.get(&source);
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
            at: self.answered_at(work),
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

/// Takes a member out of what was sent. Returns its own part of the operation.
fn take_out(work: &mut Work, source: SourceId, comes: bool) -> Option<Operation> {
    let pairs = if comes { &mut work.added } else { &mut work.removed };
    pairs.retain(|(member, _)| *member != source);
    let operation = work
        .run
        .iter_mut()
        .find(|operation| operation.verb == Verb::member(comes))?;
    let mut members = operation.members.iter();
    let at = members.position(|member| member.source == source)?;
    let member = operation.members.remove(at);
    Some(Operation {
        members: vec![member],
        ..operation.clone()
    })
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
        (false, _) => format!("take this member out at the target by hand, or: {said}"),
    }
}

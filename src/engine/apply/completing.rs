//! After a create: what the answer shows is compared with what was sent, and what the resource lacks follows in a change.
//!
//! Servers answer 201 and leave members, or whole attributes, out. An answer that lacks something is no proof: it may be
//! short, so the resource is read once. What an answer never shows is not asked for.

use crate::engine::apply::answered::Answered;
use crate::engine::apply::answered::Comparing;
use crate::engine::apply::coupled;
use crate::engine::job::Job;
use crate::engine::work::Answer;
use crate::engine::work::Work;
use crate::mapping::same;
use crate::model::id::ObjectKind;
use crate::model::id::TargetId;
use crate::model::name::Name;
use crate::model::value::Value;
use crate::ports::MembersBefore;
use crate::ports::Patch;
use crate::ports::RefusedMember;
use crate::ports::RefusedPart;
use crate::ports::Resource;
use crate::ports::TargetError;
use crate::ports::all_refused;
use crate::reconcile::answer;
use crate::reconcile::members_of;
use crate::reconcile::operation::Change;

/// What a created resource lacks.
#[derive(Debug, Default)]
struct Lacks {
    attributes: Vec<Change>,
    members: Vec<TargetId>,
    /// It was seen that these members are not in it.
    for_certain: bool,
    /// By a reading, not by the answer to the create.
    read: bool,
    /// An attribute holds the value that was sent for another one.
    mixed: bool,
}

impl Lacks {
    /// By what a body shows.
    fn of(job: &Job, work: &Work, answered: &Answered) -> Self {
        let kind = work.plan.kind;
        let comparing = Comparing::with(answered);
        let mut mixed = false;
        let lacking = |(path, sent): (&Name, &Value)| {
            let target = job.mapping.target_path(kind, path)?;
            if comparing.plainly_holds(&target, sent) {
                return None;
            }
            let held = comparing.read(&target);
            let took =
                |held: &Value| !same(&target, held, sent) && work.sent.values().any(|other| other == held);
            mixed |= held
                .as_ref()
                .is_some_and(|held| held.as_str().is_some() && took(held));
            let lacks = answer::lacks(held.as_ref(), sent)
                && !work
                    .left_out
                    .attributes
                    .iter()
                    .any(|part| part.attribute == *path)
                && job.target.shows(kind, &target);
            lacks.then(|| Change {
                attribute: path.clone(),
                before: Value::Null,
                after: sent.clone(),
            })
        };
        let attributes = work.sent.iter().filter_map(lacking).collect();
        let rode = riding(work);
        if rode.is_empty() {
            return Self {
                attributes,
                mixed,
                ..Self::default()
            };
        }
        let shown = members_of(&answered.tree());
        Self {
            attributes,
            members: answer::lacking_members(&shown, &rode),
            for_certain: shown.whole,
            mixed,
            ..Self::default()
        }
    }

    fn is_none(&self) -> bool {
        self.attributes.is_empty() && self.members.is_empty() && !self.mixed
    }

    fn patch(&self, work: &Work) -> Patch {
        let mut held = work.sent.clone();
        held.retain(|path, _| !self.attributes.iter().any(|change| change.attribute == *path));
        Patch {
            changes: self.attributes.clone(),
            held,
            add_members: self.members.clone(),
            remove_members: Vec::new(),
            // All of them were accepted once: where a group shows fewer, they may be in it.
            members_before: MembersBefore {
                sent: work.added.len() as u64,
                ours: true,
            },
        }
    }
}

/// The members that were in the create.
fn riding(work: &Work) -> Vec<TargetId> {
    let members = work.added.iter().take(work.rode);
    members.map(|(_, target)| target.clone()).collect()
}

/// Compares the answer to a create with what was sent, and sends what it lacks. What cannot be sent then waits alone.
pub(in crate::engine) async fn complete(job: &Job, work: &mut Work, answer: Answer) -> Answer {
    match answer {
        Answer::Done {
            target,
            resource: Some(resource),
            whole,
        } => match completed(job, work, &target, resource).await {
            Ok(resource) => Answer::Done {
                target,
                resource: Some(resource),
                whole,
            },
            Err(error) => Answer::Failed(error),
        },
        Answer::Half {
            target,
            resource,
            error,
        } => match completed(job, work, &target, resource).await {
            Ok(resource) => Answer::Half {
                target,
                resource,
                error,
            },
            Err(error) => Answer::Failed(error),
        },
        answer => answer,
    }
}

/// The resource as it is known once what it lacked was sent. An error as of [`coupled::settle`], or of a change that may have
/// been carried out: the intent stays open, and the resource is found by it, with all that it holds by then.
async fn completed(
    job: &Job,
    work: &mut Work,
    target: &TargetId,
    answered: Answered,
) -> Result<Answered, TargetError> {
    let kind = work.plan.kind;
    let rode = kind == ObjectKind::Group && !riding(work).is_empty();
    let lacks = Lacks::of(job, work, &answered);
    if lacks.is_none() {
        if rode {
            job.target.note_members_in_create(target, true);
        }
        return Ok(answered);
    }
    let (answered, lacks) = match job.target.read(kind, target).await {
        Ok(Some(found)) => {
            let answered = Answered::Tree(found.body);
            let read = true;
            let lacks = Lacks::of(job, work, &answered);
            (answered, Lacks { read, ..lacks })
        }
        // Not readable yet: what is sent twice is there once.
        _ => {
            let for_certain = false;
            (answered, Lacks { for_certain, ..lacks })
        }
    };
    if lacks.members.is_empty() && rode && lacks.for_certain {
        job.target.note_members_in_create(target, true);
    }
    if lacks.is_none() {
        return Ok(answered);
    }
    let mut known = None;
    if !(lacks.attributes.is_empty() && lacks.members.is_empty()) {
        known = send(job, work, target, &lacks).await?;
        work.name_refused_members(job).await;
    }
    let known = match known {
        Some(known) => Some(known),
        None => job.target.read(kind, target).await.ok().flatten(),
    };
    // Without a reading it is what the create was answered with.
    let known = match known {
        Some(known) => known.body,
        None if lacks.mixed => answered.tree().into_owned(),
        None => return Ok(answered),
    };
    if !lacks.mixed {
        return Ok(Answered::Tree(known));
    }
    let known = Resource {
        id: target.clone(),
        body: known,
    };
    let settled = coupled::settle(job, target, work, known).await?;
    Ok(Answered::Tree(settled.body))
}

/// Sends what a resource lacks. Returns the resource as it is answered; an error where nobody knows whether it was done.
async fn send(
    job: &Job,
    work: &mut Work,
    target: &TargetId,
    lacks: &Lacks,
) -> Result<Option<Resource>, TargetError> {
    let patch = lacks.patch(work);
    let known = match job.target.patch(work.plan.kind, target, &patch).await {
        Ok(answered) => {
            if !lacks.members.is_empty() && lacks.for_certain {
                job.target.note_members_in_create(target, false);
            }
            answered
        }
        Err(TargetError::Partly {
            refused,
            members,
            rest,
            ..
        }) => {
            let read = refused_for_certain(job, work, target, lacks, (refused, members)).await;
            rest.map(|rest| *rest).or(read)
        }
        Err(error) if error.maybe_done() => return Err(error),
        Err(error) => {
            let values = all_refused(&patch, &error);
            let members = RefusedMember::all(&patch.add_members, &error);
            refused_for_certain(job, work, target, lacks, (values, members)).await
        }
    };
    Ok(known)
}

/// Notes which values and members the target does not take. Returns the resource where it was read for that.
///
/// They were in a create that the target took: what refuses them once more is no proof that they are not there. One waits only
/// where it was seen to lack: by a reading, of members a reading of all, or by what the client saw after a 2xx. Any other one
/// counts as sent, so that it is taken away when the source does; where nothing could be read, it is in doubt until that works.
async fn refused_for_certain(
    job: &Job,
    work: &mut Work,
    target: &TargetId,
    lacks: &Lacks,
    (values, members): (Vec<RefusedPart>, Vec<RefusedMember>),
) -> Option<Resource> {
    let doubted = !(lacks.read || values.is_empty()) || !(lacks.for_certain || members.is_empty());
    let read = match doubted {
        true => job.target.read(work.plan.kind, target).await.ok().flatten(),
        false => None,
    };
    let now = read.as_ref().map(|read| Answered::Tree(read.body.clone()));
    let now = now
        .map(|answered| Lacks::of(job, work, &answered))
        .unwrap_or_default();
    let lacking = |path: &Name| now.attributes.iter().any(|change| change.attribute == *path);
    let is_lacking = |part: &RefusedPart| lacks.read || part.holds.is_some() || lacking(&part.attribute);
    let (values, other_values): (Vec<_>, Vec<_>) = values.into_iter().partition(is_lacking);
    let is_out = |member: &TargetId| now.for_certain && now.members.contains(member);
    let is_outside =
        |one: &RefusedMember| lacks.for_certain || one.error.status() == 200 || is_out(&one.member);
    let (members, other_members): (Vec<_>, Vec<_>) = members.into_iter().partition(is_outside);
    let left_out = &mut work.left_out;
    left_out.attributes.extend(values);
    left_out.members.extend(members);
    if read.is_none() {
        left_out.in_doubt.attributes.extend(other_values);
        left_out.in_doubt.members.extend(other_members);
    }
    read
}

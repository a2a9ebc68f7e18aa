//! The request of a create.

use crate::engine::apply::answered::Answered;
use crate::engine::job::Job;
use crate::engine::work::Answer;
use crate::model::id::ObjectKind;
use crate::model::id::TargetId;
use crate::model::value::Attributes;
use crate::ports::Created;
use crate::ports::MembersBefore;
use crate::ports::NewResource;
use crate::ports::Patch;

/// A create with what rides in it, and then, in a request of their own, the members that do not fit into it.
pub(in crate::engine) async fn create(
    job: &Job,
    kind: ObjectKind,
    body: NewResource,
    (rode, rest): (usize, &[TargetId]),
) -> Answer {
    let Created { id, text, there } = match job.target.create(kind, body).await {
        Ok(created) => created,
        Err(error) => return Answer::Failed(error),
    };
    let resource = Answered::Text(text);
    if there {
        return Answer::Met { target: id, resource };
    }
    if rest.is_empty() {
        return Answer::Done {
            target: id,
            resource: Some(resource),
            whole: true,
        };
    }
    let patch = Patch {
        changes: Vec::new(),
        held: Attributes::new(),
        add_members: rest.to_vec(),
        remove_members: Vec::new(),
        members_before: MembersBefore {
            sent: rode as u64,
            ours: true,
        },
    };
    match job.target.patch(kind, &id, &patch).await {
        Ok(_) => Answer::Done {
            target: id,
            resource: Some(resource),
            whole: true,
        },
        Err(error) => Answer::Half {
            target: id,
            resource,
            error,
        },
    }
}

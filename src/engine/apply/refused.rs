//! Attributes that the target refuses while it takes the rest: which answers are taken apart, and a create without one of them.

use crate::engine::apply::create::create;
use crate::engine::job::Job;
use crate::engine::work::Answer;
use crate::engine::work::Work;
use crate::mapping::ResourceForm;
use crate::mapping::write_resource;
use crate::model::id::ObjectKind;
use crate::model::id::TargetId;
use crate::model::name::Name;
use crate::model::refusal::names;
use crate::model::value::Value;
use crate::ports::NewResource;
use crate::ports::Patch;
use crate::ports::RefusedMember;
use crate::ports::RefusedPart;
use crate::ports::Resource;
use crate::ports::TargetError;
use crate::ports::all_refused;
use crate::reconcile::operation::Change;
use crate::reconcile::operation::Operation;
use crate::reconcile::target_schema::Knowledge;
use crate::reconcile::target_schema::is_essential;
use crate::reconcile::target_schema::knowledge;

impl Work {
    /// True for an answer after which the rest of the patch counts as done, and what was refused waits alone: something was
    /// taken, or nothing was sent but what waits alone already.
    pub(in crate::engine) fn takes_apart(&self, patch: &Patch, error: &TargetError) -> bool {
        let known = |change: &Change| {
            let mut rows = self.plan.refused.iter();
            rows.any(|row| row.attribute == change.attribute.as_str())
        };
        let known = patch.changes.iter().all(known) && self.knows_members(patch);
        match error {
            TargetError::Partly { .. } => true,
            TargetError::Refused { .. } | TargetError::Unavailable { status: 500, .. } => known,
            TargetError::Conflict { .. }
            | TargetError::NotFound { .. }
            | TargetError::Unauthorized { .. }
            | TargetError::Unavailable { .. }
            | TargetError::Malformed { .. } => false,
        }
    }

    /// Notes what was refused; the resource as it was answered for the rest.
    pub(in crate::engine) fn set_refused(&mut self, patch: &Patch, error: TargetError) -> Option<Resource> {
        match error {
            TargetError::Partly {
                refused,
                members,
                rest,
                ..
            } => {
                let mut refused = refused;
                // A heal that is not kept is not tried again until the value moves: it counts as what the target holds.
                refused.retain(|part| part.holds.is_none() || !self.heals());
                (self.left_out.attributes, self.left_out.members) = (refused, members);
                rest.map(|rest| *rest)
            }
            error => {
                self.left_out.attributes = all_refused(patch, &error);
                for members in [&patch.remove_members, &patch.add_members] {
                    self.left_out.members.extend(RefusedMember::all(members, &error));
                }
                None
            }
        }
    }

    /// The refusal of an operation of which nothing was taken.
    pub(in crate::engine) fn refused_whole(&self, operation: &Operation) -> Option<&TargetError> {
        if let Some(error) = self.refused_members_whole(operation) {
            return Some(error);
        }
        let refused = |change: &Change| {
            self.left_out
                .attributes
                .iter()
                .any(|part| part.attribute == change.attribute)
        };
        let first = self.left_out.attributes.first()?;
        let whole = !operation.changes.is_empty() && operation.changes.iter().all(refused);
        whole.then_some(&first.error)
    }
}

/// How often a create is tried with less.
const TRIES: usize = 4;

/// A create that was refused for attributes that the refusal names, and that the resource can be without: once more without
/// them, as long as the target does not hold it. They come by themselves later.
pub(in crate::engine) async fn create_without(job: &Job, work: &mut Work, error: TargetError) -> Answer {
    let (mut error, mut left) = (error, Vec::<RefusedPart>::new());
    let members: Vec<TargetId> = work.added.iter().map(|(_, target)| target.clone()).collect();
    let mut riding = members.len().min(work.rode);
    for _ in 0..TRIES {
        let named = named_and_optional(job, work, &error, &left).await;
        if named.is_empty() && (riding == 0 || !may_be_of_members(&error)) {
            return Answer::Failed(error);
        }
        match absent(job, work).await {
            Some(true) => {}
            Some(false) => {
                return Answer::Failed(TargetError::Conflict {
                    what: error.what().reworded(format!(
                        "the create was refused, and the resource is there: {error}"
                    )),
                });
            }
            // Nobody says that it is not there: no second create.
            None => return Answer::Failed(error),
        }
        if named.is_empty() {
            // Perhaps it is one of its members: they follow in a request of their own, of which the target takes what it takes.
            (riding, work.rode) = (0, 0);
        }
        left.extend(named.into_iter().map(|attribute| RefusedPart {
            attribute,
            error: TargetError::Refused {
                what: error.what().clone(),
                status: 400,
                hint: error.hint().to_owned(),
            },
            holds: None,
        }));
        let body = body_without(job, work, &left, &members[..riding]);
        match create(job, work.plan.kind, body, (riding, &members[riding..])).await {
            Answer::Failed(next) => error = next,
            answer => {
                work.left_out.attributes = left;
                return answer;
            }
        }
    }
    Answer::Failed(error)
}

/// A refused create may be refused for one of the members in it.
const fn may_be_of_members(error: &TargetError) -> bool {
    matches!(
        error,
        TargetError::Refused {
            status: 400..=499 | 501,
            ..
        } | TargetError::NotFound { .. }
    )
}

/// The attributes of a refused create that its refusal names, and that the resource can be without.
async fn named_and_optional(job: &Job, work: &Work, error: &TargetError, left: &[RefusedPart]) -> Vec<Name> {
    let TargetError::Refused {
        status: 400..=499 | 501,
        ..
    } = error
    else {
        return Vec::new();
    };
    let said = error.to_string();
    let Ok(capabilities) = job.target.capabilities().await else {
        return Vec::new();
    };
    let kind = work.plan.kind;
    let optional = |name: &Name| {
        let row = job
            .mapping
            .rows(kind)
            .iter()
            .find(|row| row.target.name() == name);
        row.is_some_and(|row| {
            let required = match knowledge(&capabilities.schemas, kind, &row.target) {
                Knowledge::Known(said) => said.required,
                Knowledge::Unknown | Knowledge::Unsaid => false,
            };
            !required && !is_essential(kind, row) && !row.target.is_core("externalId")
        })
    };
    let sent = work.sent.iter().filter(|(_, value)| !value.is_unassigned());
    sent.map(|(name, _)| name)
        .filter(|name| names(&said, name) && !left.iter().any(|part| part.attribute == **name))
        .filter(|name| optional(name))
        .cloned()
        .collect()
}

/// Whether the target does not hold the resource that was to be made; `None` where it does not say.
async fn absent(job: &Job, work: &Work) -> Option<bool> {
    let attribute = match work.plan.kind {
        ObjectKind::User => "userName",
        ObjectKind::Group => "displayName",
    };
    let name = work.sent.get(attribute).and_then(Value::as_str)?;
    let found = job.target.find(work.plan.kind, attribute, name).await.ok()?;
    Some(found.is_empty())
}

fn body_without(job: &Job, work: &Work, left: &[RefusedPart], members: &[TargetId]) -> NewResource {
    let kind = work.plan.kind;
    let form = ResourceForm::default();
    let sent = work.sent.iter();
    let values: Vec<_> = sent
        .filter(|(name, _)| !left.iter().any(|part| part.attribute == **name))
        .filter_map(|(name, value)| Some((job.mapping.target_path(kind, name)?, value)))
        .collect();
    NewResource::new(
        write_resource(kind, form, &values, members),
        form.extension_urns_in_schemas,
    )
}

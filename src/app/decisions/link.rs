//! The remembered pair, by hand. Nothing is written to the target; [`link`] reads the resource first.

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use super::about;
use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::app::lookup;
use crate::app::lookup::Named;
use crate::engine::linking;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::object::Life;
use crate::model::shown::shown;
use crate::ports::Resource;
use crate::reconcile::forward::matching::EXTERNAL_ID;
use crate::snapshot::read::Reads;

/// Which pair is to be made.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Pairing {
    /// The user or group: id, UPN, mail or display name.
    pub object: String,
    /// The `id` of its resource at the target.
    pub resource: String,
    /// Although the resource's externalId names another object.
    pub force: bool,
    /// Why.
    pub comment: Option<String>,
}

/// A pair that was made or forgotten.
#[derive(Debug, Serialize, ToSchema)]
pub struct Linked {
    /// `link` or `unlink`.
    #[schema(value_type = String)]
    pub action: &'static str,
    /// The job.
    pub job: String,
    /// The object's id.
    pub object: String,
    /// Its resource by now.
    #[schema(value_type = Option<String>)]
    pub target: Option<TargetId>,
    /// The object.
    #[serde(skip)]
    pub named: Named,
    /// What was decided, in words.
    #[serde(skip)]
    pub what: String,
}

/// Links an object with a resource.
pub async fn link(desk: &Desk, wanted: &Pairing) -> Result<Linked, AppError> {
    let target = TargetId::new(&wanted.resource).ok_or_else(|| {
        AppError::usage(
            "the resource's id is empty",
            "give the `id` that the target gave it",
        )
    })?;
    let object = lookup::one(&desk.snapshot, &wanted.object)?;
    has_no_owner(desk, &object, &target)?;
    let resource = read(desk, object.kind, &target).await?;
    if let Some(other) = other_owner(desk, &object, &resource)?.filter(|_| !wanted.force) {
        return Err(AppError::conflict(
            format!(
                "resource {target} is another's: its externalId names {} {}  ({})",
                other.kind,
                shown(&other.name),
                other.id
            ),
            "name the resource of this object; with --force it is linked all the same, and its externalId is written anew",
        ));
    }
    let what = format!("linked with resource {target}");
    relink(
        desk,
        object,
        Some(target),
        ("link", what),
        wanted.comment.as_ref(),
    )
}

/// Refuses a resource that is linked with another object.
fn has_no_owner(desk: &Desk, object: &Named, target: &TargetId) -> Result<(), AppError> {
    let owner = desk.snapshot.owner(object.kind, target)?;
    let Some(owner) = owner.filter(|owner| *owner != object.id) else {
        return Ok(());
    };
    Err(AppError::conflict(
        format!(
            "resource {target} is linked with {} {owner}: a resource has one owner",
            object.kind
        ),
        format!("if that is wrong, `melonsync unlink {owner}` first"),
    ))
}

/// The resource as the target has it now. One that is not there, or is of another kind, is not linked.
async fn read(desk: &Desk, kind: ObjectKind, target: &TargetId) -> Result<Resource, AppError> {
    let found = desk.target()?.read(kind, target).await;
    let found = found.map_err(|error| {
        let text = ErrorText::of(&error).advise(error.hint());
        AppError::new(ErrorKind::Failed, text)
    })?;
    found.ok_or_else(|| {
        AppError::absent(
            format!("the target has no {kind} with the id {}", shown(target.as_str())),
            "give the `id` that the target gave it, as its admin panel or its answers show it",
        )
    })
}

/// Another object whose id stands on the resource as externalId, and which is in the directory: a leaver's resource may be
/// handed over.
fn other_owner(desk: &Desk, object: &Named, resource: &Resource) -> Result<Option<Named>, AppError> {
    let members = resource.body.as_object().into_iter().flatten();
    let mut held = members.filter(|(name, _)| name.eq_ignore_ascii_case(EXTERNAL_ID));
    let named = held.find_map(|(_, value)| value.as_str()?.trim().parse::<SourceId>().ok());
    let Some(id) = named.filter(|id| *id != object.id) else {
        return Ok(None);
    };
    for kind in [ObjectKind::User, ObjectKind::Group] {
        let record = desk.snapshot.record(kind, &id)?;
        if record.is_some_and(|record| record.object.life == Life::Alive) {
            return lookup::known(&desk.snapshot, kind, id).map(Some);
        }
    }
    Ok(None)
}

/// Forgets an object's resource. Both stay as they are.
pub fn unlink(desk: &Desk, object: &str, comment: Option<&String>) -> Result<Linked, AppError> {
    let object = lookup::one(&desk.snapshot, object)?;
    let Some(target) = object.target.clone() else {
        return Err(AppError::conflict(
            format!("{} {} has no link", object.kind, shown(&object.name)),
            "nothing to do",
        ));
    };
    let what = format!("no longer linked with resource {target}");
    relink(desk, object, None, ("unlink", what), comment)
}

fn relink(
    desk: &Desk,
    object: Named,
    target: Option<TargetId>,
    (verb, what): (&'static str, String),
    comment: Option<&String>,
) -> Result<Linked, AppError> {
    let of_history = Named {
        target: target.clone().or_else(|| object.target.clone()),
        ..object.clone()
    };
    desk.decide(|tx| {
        linking::relink(tx, object.kind, &object.id, target.clone(), desk.now)?;
        Ok((vec![about(&of_history, verb, &what, comment)], ()))
    })?;
    Ok(Linked {
        action: verb,
        job: desk.job.clone(),
        object: object.id.to_string(),
        target,
        named: object,
        what,
    })
}

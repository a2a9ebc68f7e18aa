//! Objects put on hold, and taken off: changes to them are planned and shown, and not sent.

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use super::about;
use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::app::lookup;
use crate::app::lookup::Named;
use crate::mapping::Mapping;
use crate::mapping::TargetPath;
use crate::mapping::diagnostic::nearest;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::shown::shown as printable;
use crate::reconcile::back::enrolled::MEMBER_OF;
use crate::reconcile::operation::MEMBERS;
use crate::snapshot::kept_back::Hold;
use crate::snapshot::kept_back::HoldCause;
use crate::snapshot::kept_back::KeptBackReads;
use crate::snapshot::record::DirtyCause;

/// What is to be put on hold.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Holding {
    /// Users and groups: id, UPN, mail or display name.
    pub objects: Vec<String>,
    /// The target path that is held; everything where absent.
    pub attribute: Option<String>,
    /// It ends by itself then.
    #[serde(with = "crate::app::views::moment")]
    #[schema(value_type = Option<String>)]
    pub until: Option<Timestamp>,
    /// Why.
    pub comment: Option<String>,
}

/// What is to be taken off hold.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = HoldsReleased)]
pub struct Released {
    /// Users and groups: id, UPN, mail or display name.
    pub objects: Vec<String>,
    /// Why.
    pub comment: Option<String>,
}

/// Objects that were put on hold, or taken off.
#[derive(Debug, Serialize, ToSchema)]
pub struct Held {
    /// `hold` or `release`.
    #[schema(value_type = String)]
    pub action: &'static str,
    /// The job.
    pub job: String,
    /// The objects.
    #[serde(serialize_with = "crate::app::views::ids")]
    #[schema(value_type = Vec<String>)]
    pub objects: Vec<Named>,
    /// What was decided, in words.
    #[serde(skip)]
    pub what: String,
}

/// Puts objects on hold.
pub fn hold(desk: &Desk, wanted: &Holding) -> Result<Held, AppError> {
    let objects = lookup::some(&desk.snapshot, &wanted.objects)?;
    if let Some(until) = wanted.until.filter(|until| *until <= desk.now) {
        return Err(AppError::usage(
            format!("--until {until} has passed"),
            "name a moment to come, or leave --until out: the hold then ends when it is released",
        ));
    }
    if let Some(path) = &wanted.attribute {
        let mapping = desk.mapping()?;
        for object in &objects {
            is_sent(&mapping, object, path, desk.enrolled_group.is_some())?;
        }
    }
    let what = match (&wanted.attribute, wanted.until) {
        (None, None) => "put on hold".to_owned(),
        (None, Some(until)) => format!("put on hold until {until}"),
        (Some(path), None) => format!("{path} put on hold"),
        (Some(path), Some(until)) => format!("{path} put on hold until {until}"),
    };
    let hold = Hold {
        attribute: wanted.attribute.clone(),
        until: wanted.until,
        since: desk.now,
        actor: desk.actor.to_string(),
        comment: wanted.comment.clone(),
        cause: HoldCause::Hand,
    };
    desk.decide(|tx| {
        let mut decisions = Vec::new();
        for object in &objects {
            tx.put_hold(object.kind, &object.id, &hold);
            decisions.push(about(object, "hold", &what, wanted.comment.as_ref()));
        }
        Ok((decisions, ()))
    })?;
    Ok(held(desk, "hold", objects, what))
}

/// Takes objects off hold, those that an undo holds too.
pub fn release(desk: &Desk, names: &[String], comment: Option<&String>) -> Result<Held, AppError> {
    let objects = lookup::some(&desk.snapshot, names)?;
    let what = "taken off hold";
    desk.decide(|tx| {
        let (holds, undone) = (tx.holds()?, desk.snapshot.all_undone()?);
        let mut decisions = Vec::new();
        for object in &objects {
            let key = (object.kind, object.id);
            let of_object = || holds.iter().filter(|(kind, id, _)| (*kind, *id) == key);
            let is_undone = undone.contains(&key);
            if !is_undone && of_object().next().is_none() {
                return Err(AppError::conflict(
                    format!("{} {} is not on hold", object.kind, printable(&object.name)),
                    "`melonsync hold list` shows what is",
                ));
            }
            for (kind, id, hold) in of_object() {
                tx.delete_hold(*kind, id, hold.attribute.as_deref());
            }
            tx.put_undone(object.kind, &object.id, None);
            // What the source still asks for is looked at again.
            let cause = if is_undone {
                DirtyCause::MANUAL.and(DirtyCause::RELEASED)
            } else {
                DirtyCause::MANUAL
            };
            tx.mark_dirty(object.kind, &object.id, cause)?;
            decisions.push(about(object, "hold_release", what, comment));
        }
        Ok((decisions, ()))
    })?;
    Ok(held(desk, "release", objects, what.to_owned()))
}

fn held(desk: &Desk, action: &'static str, objects: Vec<Named>, what: String) -> Held {
    Held {
        action,
        job: desk.job.clone(),
        objects,
        what,
    }
}

/// Refuses an attribute that the mapping does not send for such an object: a hold of it would hold nothing, and say that it did.
fn is_sent(mapping: &Mapping, object: &Named, path: &str, enrols: bool) -> Result<(), AppError> {
    let rows = mapping.rows(object.kind);
    let own = match object.kind {
        // Sent of each user, with or without a row.
        ObjectKind::User => TargetPath::active().as_str(),
        ObjectKind::Group => MEMBERS,
    };
    // The membership in the enrolled group.
    let back = (enrols && object.kind == ObjectKind::User).then_some(MEMBER_OF);
    let known: Vec<&str> = rows
        .iter()
        .map(|row| row.target.as_str())
        .chain([own])
        .chain(back)
        .collect();
    if known.iter().any(|known| known.eq_ignore_ascii_case(path)) {
        return Ok(());
    }
    // The attribute alone, where the mapping has parts of it; else a slip.
    let parts = rows
        .iter()
        .filter(|row| row.target.attribute().eq_ignore_ascii_case(path));
    let mut meant: Vec<&str> = parts.map(|row| row.target.as_str()).collect();
    meant.extend(nearest(path, known.iter().copied()).filter(|_| meant.is_empty()));
    let advice = if meant.is_empty() {
        format!("name one of: {}", known.join(", "))
    } else {
        format!(
            "did you mean `{}`? `melonsync mapping show` lists all of them",
            meant.join("`, `")
        )
    };
    let what = format!(
        "the mapping `{}` sends no `{}` for {}s: nothing would be held",
        mapping.name,
        printable(path),
        object.kind
    );
    Err(AppError::usage(what, advice))
}

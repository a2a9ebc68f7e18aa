//! What is on hold, as it is shown.

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::app::lookup;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::snapshot::kept_back::Hold;
use crate::snapshot::kept_back::KeptBackReads;

/// What is on hold in a job.
#[derive(Debug, Serialize, ToSchema)]
pub struct Holds {
    /// Each hold; those of undos last.
    pub holds: Vec<HoldView>,
    /// The job.
    pub job: String,
}

/// One hold.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum HoldView {
    /// By hand, or by a rejection.
    Decided(DecidedHold),
    /// By an undo, until the source says something else.
    Undone(UndoneHold),
}

/// A hold that somebody decided.
#[derive(Debug, Serialize, ToSchema)]
pub struct DecidedHold {
    /// Who.
    pub actor: String,
    /// The target path that is held; everything where absent.
    pub attribute: Option<String>,
    /// `hold`, `reject`, or `undo` of a membership in the enrolled group.
    #[schema(value_type = String)]
    pub cause: &'static str,
    /// What they said.
    pub comment: Option<String>,
    /// User or group.
    #[schema(value_type = String)]
    pub kind: ObjectKind,
    /// The object's name.
    pub name: String,
    /// The object.
    #[serde(serialize_with = "super::text")]
    #[schema(value_type = String)]
    pub object: SourceId,
    /// Since when.
    #[serde(serialize_with = "super::text")]
    #[schema(value_type = String)]
    pub since: Timestamp,
    /// When it ends by itself.
    #[serde(serialize_with = "super::text_or_null")]
    #[schema(value_type = Option<String>)]
    pub until: Option<Timestamp>,
    /// All of it in words.
    #[serde(skip)]
    pub words: String,
}

/// What an undo holds.
#[derive(Debug, Serialize, ToSchema)]
pub struct UndoneHold {
    /// `undo`.
    #[schema(value_type = String)]
    pub cause: &'static str,
    /// User or group.
    #[schema(value_type = String)]
    pub kind: ObjectKind,
    /// The object's name.
    pub name: String,
    /// The object.
    #[serde(serialize_with = "super::text")]
    #[schema(value_type = String)]
    pub object: SourceId,
}

/// Lists what is on hold now.
pub fn holds(desk: &Desk) -> Result<Holds, AppError> {
    let mut holds = Vec::new();
    let all = desk.snapshot.holds()?;
    for (kind, id, hold) in all.into_iter().filter(|(_, _, hold)| hold.holds_at(desk.now)) {
        let name = lookup::known(&desk.snapshot, kind, id)?.name;
        holds.push(HoldView::Decided(decided(kind, id, name, hold)));
    }
    for (kind, id) in desk.snapshot.all_undone()? {
        holds.push(HoldView::Undone(UndoneHold {
            cause: "undo",
            kind,
            name: lookup::known(&desk.snapshot, kind, id)?.name,
            object: id,
        }));
    }
    Ok(Holds {
        holds,
        job: desk.job.clone(),
    })
}

fn decided(kind: ObjectKind, object: SourceId, name: String, hold: Hold) -> DecidedHold {
    DecidedHold {
        words: hold.words(),
        cause: hold.cause.word(),
        actor: hold.actor,
        attribute: hold.attribute,
        comment: hold.comment,
        kind,
        name,
        object,
        since: hold.since,
        until: hold.until,
    }
}

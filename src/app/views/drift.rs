//! Where the target is not as it was left, as it is shown.

use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

use crate::app::error::AppError;
use crate::engine::drift::another_writer;
use crate::engine::drift::another_writer::AnotherWriter;
use crate::engine::summary::Summary;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::ports::StoreError;
use crate::snapshot::drift::Attribute;
use crate::snapshot::drift::Counts;
use crate::snapshot::drift::Members;
use crate::snapshot::drift::Row;
use crate::snapshot::state::{LISTED_AT, StateReads};
use crate::snapshot::store::Snapshot;

/// As many objects as are listed, and as many resources of nobody; of more the number is said.
const LISTED: usize = 1000;

/// As many members as are named in words.
const NAMED: usize = 5;

/// What the store knows of drift.
#[derive(Debug, Serialize, ToSchema)]
pub struct DriftView {
    /// Another writer at the target, where there seems to be one.
    #[serde(serialize_with = "super::sorted")]
    #[schema(value_type = Option<Object>)]
    pub another_writer: Option<AnotherWriter>,
    /// The five classes with their numbers.
    pub drift: DriftCounts,
    /// The job.
    pub job: String,
    /// When the target was last listed whole.
    pub listed: Option<String>,
    /// How many more objects and resources there are than are listed.
    pub more: u64,
    /// Of them users and groups.
    #[serde(skip)]
    pub more_objects: u64,
    /// What was sent and answered well, and is not what the target holds.
    pub not_kept: Vec<NotKept>,
    /// What drifted.
    pub objects: Vec<DriftedObject>,
    /// The cycle that looked, where one did.
    #[serde(serialize_with = "super::sorted")]
    pub summary: Option<Summary>,
    /// Resources that no source object is linked to.
    pub unmanaged: Vec<Unmanaged>,
}

/// The five classes of drift with their numbers.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct DriftCounts {
    /// Groups whose members differ.
    pub membership: u64,
    /// Linked, and the resource is gone.
    pub missing: u64,
    /// Values differ.
    pub modified: u64,
    /// Linked, and the source object is gone.
    pub orphaned: u64,
    /// Resources that no source object is linked to.
    pub unmanaged: u64,
}

/// One object that drifted.
#[derive(Debug, Serialize, ToSchema)]
pub struct DriftedObject {
    /// The values that differ.
    pub attributes: Vec<DriftedAttribute>,
    /// Of which classes its drift is.
    #[schema(value_type = Vec<String>)]
    pub classes: Vec<&'static str>,
    /// Members in excess.
    pub extra: DriftedMembers,
    /// User or group.
    #[schema(value_type = String)]
    pub kind: ObjectKind,
    /// Members that it lacks.
    pub lacking: DriftedMembers,
    /// Its name.
    pub name: String,
    /// The object.
    #[serde(serialize_with = "super::text")]
    #[schema(value_type = String)]
    pub object: SourceId,
    /// True where a cycle is to put it right.
    pub pending: bool,
    /// When its resource was read.
    #[serde(serialize_with = "super::text")]
    #[schema(value_type = String)]
    pub read: Timestamp,
    /// When it was first found so; it is so since then, or since a little before.
    #[serde(serialize_with = "super::text_or_null")]
    #[schema(value_type = Option<String>)]
    pub since: Option<Timestamp>,
    /// Its resource.
    #[schema(value_type = String)]
    pub target: TargetId,
}

/// A value that differs.
#[derive(Debug, Serialize, ToSchema)]
pub struct DriftedAttribute {
    /// Target path.
    pub attribute: String,
    /// True where the source changed too.
    pub conflict: bool,
    /// What the target holds.
    #[schema(value_type = serde_json::Value)]
    pub held: Json,
    /// What is wanted.
    #[schema(value_type = serde_json::Value)]
    pub wanted: Json,
}

/// Members that differ.
#[derive(Debug, Serialize, ToSchema)]
pub struct DriftedMembers {
    /// All of them.
    pub count: u64,
    /// The names of the first few; their ids where these are not known.
    #[serde(skip)]
    pub names: Vec<String>,
    /// The first of them.
    pub objects: Vec<String>,
}

/// One object of which the target did not keep something.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NotKeptObject)]
pub struct NotKept {
    /// What was sent, and what is held instead.
    pub attributes: Vec<DriftedAttribute>,
    /// User or group.
    #[schema(value_type = String)]
    pub kind: ObjectKind,
    /// Members, and whether the target holds them.
    pub members: Vec<HeldMember>,
    /// Its name.
    pub name: String,
    /// The object.
    #[serde(serialize_with = "super::text")]
    #[schema(value_type = String)]
    pub object: SourceId,
    /// Its resource.
    #[schema(value_type = String)]
    pub target: TargetId,
}

/// A member that the target did not take, or did not let go.
#[derive(Debug, Serialize, ToSchema)]
pub struct HeldMember {
    /// True where the target holds it.
    pub held: bool,
    /// The member.
    #[serde(serialize_with = "super::text")]
    #[schema(value_type = String)]
    pub object: SourceId,
}

/// A resource that no source object is linked to.
#[derive(Debug, Serialize, ToSchema)]
pub struct Unmanaged {
    /// User or group.
    #[schema(value_type = String)]
    pub kind: ObjectKind,
    /// What the target calls it.
    pub name: Option<String>,
    /// Its id.
    #[schema(value_type = String)]
    pub target: TargetId,
}

/// Lists what the last readings of the target found.
pub fn drift(snapshot: &Snapshot, job: &str) -> Result<DriftView, AppError> {
    of(snapshot, job, LISTED)
}

/// Lists all of it, however much that is.
pub fn whole(snapshot: &Snapshot, job: &str) -> Result<DriftView, AppError> {
    of(snapshot, job, usize::MAX)
}

fn of(snapshot: &Snapshot, job: &str, most: usize) -> Result<DriftView, AppError> {
    let mut view = DriftView {
        another_writer: another_writer::another_writer(snapshot)?,
        drift: snapshot.drift_counts()?.into(),
        job: job.to_owned(),
        listed: snapshot.state(&LISTED_AT)?,
        more: 0,
        more_objects: 0,
        not_kept: Vec::new(),
        objects: Vec::new(),
        summary: None,
        unmanaged: Vec::new(),
    };
    let mut listed = 0;
    snapshot.each_drift(|kind, id, row| {
        if listed == most {
            view.more_objects += 1;
            return Ok(());
        }
        listed += 1;
        let name = snapshot.name_of(kind, &id)?.unwrap_or_else(|| id.to_string());
        view.not_kept.extend(not_kept((kind, id, &name), &row));
        if row.is_drift() {
            view.objects.push(drifted(snapshot, (kind, id, name), &row)?);
        }
        Ok(())
    })?;
    view.more = view.more_objects;
    snapshot.each_stranger(|kind, target, stranger| {
        if view.unmanaged.len() == most {
            view.more += 1;
        } else {
            let name = stranger.name;
            view.unmanaged.push(Unmanaged { kind, name, target });
        }
        Ok(())
    })?;
    Ok(view)
}

fn drifted(
    snapshot: &Snapshot,
    (kind, object, name): (ObjectKind, SourceId, String),
    row: &Row,
) -> Result<DriftedObject, StoreError> {
    Ok(DriftedObject {
        attributes: row.attributes.iter().map(attribute).collect(),
        classes: classes(row),
        extra: members(snapshot, &row.extra)?,
        kind,
        lacking: members(snapshot, &row.lacking)?,
        name,
        object,
        pending: row.pending,
        read: row.seen,
        since: snapshot.drift_since(kind, &object)?,
        target: row.target.clone(),
    })
}

fn classes(row: &Row) -> Vec<&'static str> {
    let all = [
        ("missing", row.missing),
        ("orphaned", row.orphaned),
        ("modified", !row.attributes.is_empty()),
        ("membership", row.has_members()),
    ];
    all.into_iter()
        .filter(|(_, is)| *is)
        .map(|(class, _)| class)
        .collect()
}

fn not_kept((kind, object, name): (ObjectKind, SourceId, &str), row: &Row) -> Option<NotKept> {
    let member = |(object, held): (&SourceId, &bool)| HeldMember {
        held: *held,
        object: *object,
    };
    row.has_not_kept().then(|| NotKept {
        attributes: row.not_kept.iter().map(attribute).collect(),
        kind,
        members: row.not_kept_members.iter().map(member).collect(),
        name: name.to_owned(),
        object,
        target: row.target.clone(),
    })
}

fn attribute(found: &Attribute) -> DriftedAttribute {
    DriftedAttribute {
        attribute: found.attribute.to_string(),
        conflict: found.conflict,
        held: found.held.to_json(),
        wanted: found.wanted.to_json(),
    }
}

fn members(snapshot: &Snapshot, members: &Members) -> Result<DriftedMembers, StoreError> {
    let name_of = |id: &SourceId| {
        let name = snapshot.name_of(ObjectKind::User, id)?;
        Ok(name.unwrap_or_else(|| id.to_string()))
    };
    Ok(DriftedMembers {
        count: members.count,
        names: members
            .named
            .iter()
            .take(NAMED)
            .map(name_of)
            .collect::<Result<_, StoreError>>()?,
        objects: members.named.iter().map(ToString::to_string).collect(),
    })
}

impl From<Counts> for DriftCounts {
    fn from(counts: Counts) -> Self {
        Self {
            membership: counts.membership,
            missing: counts.missing,
            modified: counts.modified,
            orphaned: counts.orphaned,
            unmanaged: counts.unmanaged,
        }
    }
}

impl DriftCounts {
    /// How many linked objects differ from what was left.
    #[must_use]
    pub const fn ours(&self) -> u64 {
        self.missing + self.orphaned + self.modified + self.membership
    }

    /// True where nothing drifted.
    #[must_use]
    pub const fn is_none(&self) -> bool {
        self.ours() + self.unmanaged == 0
    }

    /// In words: `1 missing, 2 modified`; empty for none.
    #[must_use]
    pub fn words(&self) -> String {
        let all = [
            (self.missing, "missing"),
            (self.orphaned, "orphaned"),
            (self.modified, "modified"),
            (self.membership, "membership"),
            (self.unmanaged, "unmanaged"),
        ];
        let words = all
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, class)| format!("{count} {class}"));
        words.collect::<Vec<_>>().join(", ")
    }
}

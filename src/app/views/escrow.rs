//! Entries set aside after failures, as they are shown.

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::app::lookup;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::refusal::Refusal;
use crate::model::shown::shown as printable;
use crate::ports::StoreError;
use crate::reconcile::explain::omission::IN_ESCROW;
use crate::snapshot::escrow;
use crate::snapshot::escrow::Entry;
use crate::snapshot::escrow::Escrowed;
use crate::snapshot::read::Reads;
use crate::snapshot::refused;
use crate::snapshot::store::Snapshot;

/// Entries in escrow, and what was done with them.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EscrowList)]
pub struct Escrow {
    /// `list`, `retry` or `drop`.
    #[schema(value_type = String)]
    pub action: &'static str,
    /// A line for each part of an object that waits alone; one, where it is the whole object.
    pub entries: Vec<EscrowEntry>,
    /// The job.
    pub job: String,
    /// How many objects they are.
    #[serde(skip)]
    pub objects: usize,
}

/// One line.
#[derive(Debug, Serialize, ToSchema)]
pub struct EscrowEntry {
    /// The attribute that waits, where the rest of the object was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attribute: Option<String>,
    /// True where the next cycle tries it.
    pub due: bool,
    /// What the target said.
    pub error: String,
    /// How often it failed in a row.
    pub failures: u32,
    /// What to do.
    pub hint: String,
    /// User or group.
    #[schema(value_type = String)]
    pub kind: ObjectKind,
    /// The member that waits, where the rest of the group was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub member: Option<MemberName>,
    /// The object's name, where it is known.
    pub name: Option<String>,
    /// When it is tried again; null: when it changes.
    #[serde(serialize_with = "super::text_or_null")]
    #[schema(value_type = Option<String>)]
    pub next_try: Option<Timestamp>,
    /// The object.
    #[serde(serialize_with = "super::text")]
    #[schema(value_type = String)]
    pub object: SourceId,
    /// The operation that failed.
    pub operation: String,
    /// `in_escrow`, `attribute_refused` or `member_refused`.
    #[schema(value_type = String)]
    pub reason: &'static str,
    /// When it failed first.
    #[serde(serialize_with = "super::text")]
    #[schema(value_type = String)]
    pub since: Timestamp,
}

/// A member by its id and name.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = EscrowMember)]
pub struct MemberName {
    /// Its name, or its id where that is all that is known.
    pub name: String,
    /// The member.
    #[serde(serialize_with = "super::text")]
    #[schema(value_type = String)]
    pub object: SourceId,
}

/// An entry with a name of its object, and each part of it that waits alone.
pub(in crate::app) struct Waiting {
    pub(in crate::app) entry: Entry,
    name: Option<String>,
    parts: Vec<(Refusal, Option<MemberName>)>,
}

/// Lists the entries that an object names; all where none is named.
pub fn escrow(desk: &Desk, object: Option<&str>) -> Result<Escrow, AppError> {
    Ok(view(desk, "list", choose(&desk.snapshot, object)?))
}

pub(in crate::app) fn view(desk: &Desk, action: &'static str, chosen: Vec<Waiting>) -> Escrow {
    Escrow {
        action,
        objects: chosen.len(),
        entries: chosen.into_iter().flat_map(Waiting::lines).collect(),
        job: desk.job.clone(),
    }
}

/// Returns the entries that the object names; all where none is named.
pub(in crate::app) fn choose(snapshot: &Snapshot, object: Option<&str>) -> Result<Vec<Waiting>, AppError> {
    let all = all(snapshot)?;
    let Some(wanted) = object else { return Ok(all) };
    // One that is not in the snapshot any more may still have its entry.
    let ids = lookup::any(snapshot, wanted)?;
    let found: Vec<Waiting> = all
        .into_iter()
        .filter(|one| {
            let mut members = one.parts.iter().filter_map(|(_, member)| member.as_ref());
            ids.contains(&one.entry.id) || members.any(|member| ids.contains(&member.object))
        })
        .collect();
    match found.len() {
        0 => Err(AppError::absent(
            format!("`{}` is not in escrow", printable(wanted)),
            "`melonsync escrow list` shows who is; name one by object id, UPN, mail or display name",
        )),
        1 => Ok(found),
        many => {
            let each = found.iter().map(|one| {
                let name = one.name.as_deref().unwrap_or_default();
                format!("{} {} ({})", one.entry.kind, printable(name), one.entry.id)
            });
            let each: Vec<String> = each.collect();
            Err(AppError::usage(
                format!(
                    "`{}` is the name of {many} entries in escrow: {}",
                    printable(wanted),
                    each.join(", ")
                ),
                "name one by its object id, as `melonsync escrow list` shows it",
            ))
        }
    }
}

fn all(snapshot: &Snapshot) -> Result<Vec<Waiting>, StoreError> {
    let mut all = Vec::new();
    for entry in escrow::entries(snapshot)? {
        let record = snapshot.record(entry.kind, &entry.id)?;
        let name = record.and_then(|record| {
            let names = ["userPrincipalName", "displayName", "mail"].iter();
            let mut names = names.filter_map(|name| record.object.attribute(name)?.as_str());
            names.next().map(str::to_owned)
        });
        let parts = parts(snapshot, &entry)?;
        all.push(Waiting { entry, name, parts });
    }
    Ok(all)
}

fn parts(snapshot: &Snapshot, entry: &Entry) -> Result<Vec<(Refusal, Option<MemberName>)>, StoreError> {
    let mut parts = Vec::new();
    for refusal in refused::refusals(snapshot, entry.kind, &entry.id)? {
        let member = match refusal.member() {
            Some(object) => {
                let name = snapshot.name_of(ObjectKind::User, &object)?;
                let name = name.unwrap_or_else(|| object.to_string());
                Some(MemberName { name, object })
            }
            None => None,
        };
        parts.push((refusal, member));
    }
    Ok(parts)
}

impl Waiting {
    fn lines(self) -> Vec<EscrowEntry> {
        let (entry, name) = (&self.entry, &self.name);
        if self.parts.is_empty() {
            return vec![line(entry, name, entry.escrowed.clone())];
        }
        let of_part = |(row, member): (Refusal, Option<MemberName>)| {
            let attribute = member.is_none().then_some(row.attribute);
            let escrowed = Escrowed {
                operation: row.operation,
                error: row.error,
                hint: row.hint,
                failures: row.failures,
                since: row.since,
                next_try: row.next_try,
            };
            let reason = match member {
                Some(_) => "member_refused",
                None => "attribute_refused",
            };
            EscrowEntry {
                attribute,
                member,
                reason,
                ..line(entry, name, escrowed)
            }
        };
        self.parts.into_iter().map(of_part).collect()
    }
}

fn line(entry: &Entry, name: &Option<String>, escrowed: Escrowed) -> EscrowEntry {
    EscrowEntry {
        attribute: None,
        due: !entry.waits,
        error: escrowed.error,
        failures: escrowed.failures,
        hint: escrowed.hint,
        kind: entry.kind,
        member: None,
        name: name.clone(),
        next_try: escrowed.next_try,
        object: entry.id,
        operation: escrowed.operation,
        reason: IN_ESCROW,
        since: escrowed.since,
    }
}

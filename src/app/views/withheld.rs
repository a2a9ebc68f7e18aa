//! Operations that the guard holds back, as they are shown.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Serialize;
use sha2::Digest as _;
use sha2::Sha256;
use utoipa::ToSchema;

use super::common;
use super::common::Common;
use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::app::lookup;
use crate::app::lookup::Named;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::reconcile::guard::review::Alike;
use crate::snapshot::kept_back::KeptBackReads;
use crate::snapshot::kept_back::Withheld;
use crate::snapshot::kept_back::WithheldKey;
use crate::snapshot::store::Snapshot;

/// What is withheld in a job.
#[derive(Debug, Serialize, ToSchema)]
pub struct WithheldList {
    /// How many, by the reason that asks for them.
    pub by_reason: BTreeMap<String, u64>,
    /// How many wait for a person.
    pub count: u64,
    /// The digest of those that wait: another one as soon as the set is.
    pub digest: String,
    /// What most of those have in common.
    pub in_common: Vec<Common>,
    /// The job.
    pub job: String,
    /// Each of them.
    pub withheld: Vec<WithheldView>,
}

/// One withheld operation, or several removals of members of one group.
#[derive(Debug, Serialize, ToSchema)]
pub struct WithheldView {
    /// The resource that it would take over, for an adoption that waits for its review.
    pub adopts: Option<Adopts>,
    /// Why it is asked for, in words.
    pub because: String,
    /// For how many operations it counts.
    pub count: u64,
    /// Its id: another one as soon as anything of it is that a decision is about.
    pub id: String,
    /// User or group.
    #[schema(value_type = String)]
    pub kind: ObjectKind,
    /// The members that the group would lose, with their names.
    pub member_names: Vec<MemberName>,
    /// The members that the group would lose.
    pub members: Vec<String>,
    /// The object's name.
    pub name: String,
    /// The object.
    #[serde(serialize_with = "super::text")]
    #[schema(value_type = String)]
    pub object: SourceId,
    /// What is to be done.
    #[schema(value_type = String)]
    pub operation: &'static str,
    /// The code of why it is asked for.
    pub reason: String,
    /// Who let it through, once somebody did.
    pub released_by: Option<String>,
    /// Since when it waits.
    #[serde(serialize_with = "super::text")]
    #[schema(value_type = String)]
    pub since: Timestamp,
    /// The object's resource.
    #[schema(value_type = Option<String>)]
    pub target: Option<TargetId>,
    /// Why it is held back, in the guard's words.
    pub why: String,
}

/// A member with its name, where it is known.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WithheldMember)]
pub struct MemberName {
    /// Its name.
    pub name: Option<String>,
    /// The member.
    #[serde(serialize_with = "super::text")]
    #[schema(value_type = String)]
    pub object: SourceId,
}

/// A resource that an adoption would take over.
#[derive(Debug, Serialize, ToSchema)]
pub struct Adopts {
    /// By which value it was found.
    pub by: String,
    /// Who is in it, the first of them.
    pub holds: Vec<Holder>,
    /// How many are in it.
    pub members: u64,
    /// Its id.
    #[schema(value_type = String)]
    pub resource: TargetId,
    /// How many of its members are linked to no user.
    pub strangers: u64,
    /// True where all its members were looked at.
    pub whole: bool,
}

/// A member of a resource that an adoption would take over.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdoptedMember)]
pub struct Holder {
    /// The id of the member's resource.
    #[schema(value_type = String)]
    pub id: TargetId,
    /// What the target calls it.
    pub name: Option<String>,
    /// The user that it is linked with.
    #[serde(serialize_with = "super::text_or_null")]
    #[schema(value_type = Option<String>)]
    pub object: Option<SourceId>,
    /// The name of that user.
    pub object_name: Option<String>,
}

/// A stored entry with its object.
pub(in crate::app) struct Entry {
    pub(in crate::app) key: WithheldKey,
    pub(in crate::app) withheld: Withheld,
    pub(in crate::app) object: Named,
}

impl Entry {
    /// Its id: the digest of what a person decides about. What only tells how it came to wait is no part of it: since when, the
    /// cycle, and the guard's totals, which move with every cycle.
    pub(in crate::app) fn id(&self) -> String {
        let Withheld {
            verb,
            reason,
            because,
            count,
            members,
            alike,
            ..
        } = &self.withheld;
        let about = (
            self.key.0.word(),
            self.key.1.to_string(),
            self.object.target.as_ref().map(ToString::to_string),
        );
        let members: Vec<String> = members.iter().map(ToString::to_string).collect();
        let parts = serde_json::json!([about, verb.name(), reason, because, count, members, alike]);
        short(Sha256::digest(parts.to_string()).as_slice())
    }
}

/// The digest of a set of entries, in whatever order.
pub(in crate::app) fn digest(ids: impl Iterator<Item = String>) -> String {
    let ids: BTreeSet<String> = ids.collect();
    let lines: String = ids.into_iter().map(|id| id + "\n").collect();
    short(Sha256::digest(lines).as_slice())
}

/// The first half of a digest, in hexadecimal: 128 bits.
pub(crate) fn short(digest: &[u8]) -> String {
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Lists what is withheld: of these objects, all where none is named, and of one reason where one is named.
pub fn withheld(desk: &Desk, names: &[String], reason: Option<&str>) -> Result<WithheldList, AppError> {
    let objects = lookup::all(&desk.snapshot, names)?;
    let entries = entries(&desk.snapshot, &objects, reason)?;
    let mut by_reason: BTreeMap<String, u64> = BTreeMap::new();
    for entry in &entries {
        *by_reason.entry(entry.withheld.reason.clone()).or_default() += entry.withheld.count;
    }
    let pending = entries
        .iter()
        .filter(|entry| entry.withheld.released_by.is_none());
    let objects: Vec<_> = pending
        .clone()
        .map(|entry| {
            let withheld = &entry.withheld;
            (
                (entry.key.0, entry.key.1),
                withheld.because.clone(),
                withheld.since,
            )
        })
        .collect();
    let digest = digest(pending.clone().map(Entry::id));
    Ok(WithheldList {
        by_reason,
        digest,
        count: pending.map(|entry| entry.withheld.count).sum(),
        in_common: common::of(&desk.snapshot, &objects)?,
        job: desk.job.clone(),
        withheld: entries
            .into_iter()
            .map(|entry| view(&desk.snapshot, entry))
            .collect(),
    })
}

/// Returns the entries of these objects, of all where there are none; of one reason where one is named.
pub(in crate::app) fn entries(
    snapshot: &Snapshot,
    objects: &[Named],
    reason: Option<&str>,
) -> Result<Vec<Entry>, AppError> {
    let named: BTreeSet<_> = objects.iter().map(|object| (object.kind, object.id)).collect();
    let mut kept = Vec::new();
    snapshot.each_withheld(|key, withheld| {
        let wanted = named.is_empty() || named.contains(&(key.0, key.1));
        if wanted && reason.is_none_or(|reason| is_reason(&withheld, reason)) {
            kept.push((key, withheld));
        }
        Ok(())
    })?;
    let with_object = |(key, withheld): (WithheldKey, Withheld)| {
        let object = lookup::known(snapshot, key.0, key.1)?;
        Ok(Entry {
            key,
            withheld,
            object,
        })
    };
    kept.into_iter().map(with_object).collect()
}

/// `account_disabled`, or as it is shown to people: `account disabled`.
fn is_reason(withheld: &Withheld, reason: &str) -> bool {
    let plain = |text: &str| text.to_lowercase().replace([' ', '-'], "_");
    plain(&withheld.reason) == plain(reason)
}

fn view(snapshot: &Snapshot, entry: Entry) -> WithheldView {
    let id = entry.id();
    let Entry { withheld, object, .. } = entry;
    // One that cannot be read is only a name that is not shown.
    let name_of = |id: &SourceId| snapshot.name_of(ObjectKind::User, id).ok().flatten();
    let member = |id: &SourceId| MemberName {
        name: name_of(id),
        object: *id,
    };
    WithheldView {
        id,
        adopts: withheld.alike.map(|alike| adopts(alike, name_of)),
        because: withheld.because,
        count: withheld.count,
        kind: object.kind,
        member_names: withheld.members.iter().map(member).collect(),
        members: withheld.members.iter().map(ToString::to_string).collect(),
        name: object.name,
        object: object.id,
        operation: withheld.verb.name(),
        reason: withheld.reason,
        released_by: withheld.released_by,
        since: withheld.since,
        target: object.target,
        why: withheld.why,
    }
}

fn adopts(alike: Alike, name_of: impl Fn(&SourceId) -> Option<String>) -> Adopts {
    let holds = alike.members.into_iter().map(|holder| Holder {
        object_name: holder.source.as_ref().and_then(&name_of),
        id: holder.target,
        name: holder.name,
        object: holder.source,
    });
    Adopts {
        holds: holds.collect(),
        by: alike.by,
        members: alike.count,
        resource: alike.target,
        strangers: alike.strangers,
        whole: alike.whole,
    }
}

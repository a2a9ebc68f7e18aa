//! Matches that a person has to look at: by a value that whoever makes an object can choose.
//!
//! In most tenants every employee may make a group, and give it any name. A resource that has nothing but that name in common
//! with it is not its own: it is adopted once a person let it through, or linked it by hand.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::mapping::Mapping;
use crate::mapping::TargetPath;
use crate::mapping::names::Access;
use crate::mapping::names::SourceAttribute;
use crate::mapping::read_path;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::reconcile::forward::matching::EXTERNAL_ID;
use crate::reconcile::forward::matching::fold;
use crate::reconcile::forward::plan::Planner;
use crate::reconcile::forward::view::Candidate;
use crate::reconcile::forward::view::ObjectView;
use crate::reconcile::policy::Adopt;
use crate::reconcile::policy::AdoptGroup;
use crate::reconcile::shown_members;

/// As many members of a resource as are kept for its review; the others are counted.
const MEMBERS_KEPT: usize = 50;

/// A resource that would be adopted by such a match: what a person decides by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alike {
    /// User or group.
    pub kind: ObjectKind,
    /// The resource.
    pub target: TargetId,
    /// The attribute that matched.
    pub by: String,
    /// The members that it has, the first of them.
    pub members: Vec<Holder>,
    /// How many members it shows.
    pub count: u64,
    /// How many of them are linked to no user.
    pub strangers: u64,
    /// False where it may have more members than it shows.
    pub whole: bool,
}

/// A member of such a resource.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Its id at the target.
    pub target: TargetId,
    /// The name that the target shows.
    pub name: Option<String>,
    /// The user who is linked to it.
    pub source: Option<SourceId>,
}

impl Alike {
    /// What a resource shows of itself; the attribute is the first that its owner can choose.
    #[must_use]
    pub fn of(mapping: &Mapping, kind: ObjectKind, target: &TargetId, body: &serde_json::Value) -> Self {
        let rows = mapping.matching(kind).into_iter();
        let mut chosen = rows
            .map(|row| row.target.as_str())
            .filter(|by| is_chosen(mapping, kind, by));
        let shown = shown_members::members_of(body);
        let holder = |(target, name): (&TargetId, Option<String>)| Holder {
            target: target.clone(),
            name,
            source: None,
        };
        let members: Vec<Holder> = shown_members::named(body, &shown.there).map(holder).collect();
        let count = members.len() as u64;
        Self {
            kind,
            target: target.clone(),
            by: chosen.next().unwrap_or(EXTERNAL_ID).to_owned(),
            members,
            count,
            strangers: count,
            whole: shown.whole,
        }
    }

    /// Says who is linked to its members, and keeps the first of them: those whom nobody is linked to are what a person has
    /// to look at.
    fn owned(&mut self, owners: &BTreeMap<TargetId, SourceId>) {
        for member in &mut self.members {
            member.source = owners.get(&member.target).copied();
        }
        self.strangers = self
            .members
            .iter()
            .filter(|member| member.source.is_none())
            .count() as u64;
        self.members.sort_by_key(|member| member.source.is_some());
        self.members.truncate(MEMBERS_KEPT);
    }

    /// The word that such matches are grouped by (`withheld.by_reason`).
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self.kind {
            ObjectKind::User => "adopt_user",
            ObjectKind::Group => "adopt_group",
        }
    }

    /// The members by the names that the target shows, else their ids.
    #[must_use]
    pub fn names(&self) -> String {
        let mut names: Vec<String> = self.members.iter().map(Holder::words).collect();
        let more = self.count.saturating_sub(names.len() as u64);
        if more > 0 {
            names.push(format!("{more} more"));
        }
        names.join(", ")
    }

    /// Why it waits, and what to do: for the person who decides.
    #[must_use]
    pub fn words(&self) -> String {
        let Self { kind, target, by, .. } = self;
        let members = match (kind, self.members.is_empty()) {
            (ObjectKind::User, _) | (ObjectKind::Group, true) => String::new(),
            (ObjectKind::Group, false) => format!(" ({})", self.names()),
        };
        format!(
            "whoever makes a {kind} in Entra can choose its {by}, and resource {target} has the same{members}; if it is meant, \
             `melonsync withheld release OBJECT` adopts it, or `melonsync link OBJECT {target}` links it; if not, \
             `melonsync withheld reject OBJECT`, or give one of the two another name"
        )
    }
}

impl Holder {
    fn words(&self) -> String {
        match &self.name {
            Some(name) => format!("{name} ({})", self.target),
            None => self.target.to_string(),
        }
    }
}

/// Without the names of members: it stays in the history, from which nobody could take them out.
impl fmt::Display for Alike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            kind, by, strangers, ..
        } = self;
        write!(
            f,
            "an existing {kind} has the same {by}, which its owner can choose"
        )?;
        if *kind == ObjectKind::User {
            return Ok(());
        }
        match self.count {
            0 if self.whole => f.write_str("; it has no members")?,
            1 => write!(f, "; it has 1 member")?,
            count => write!(f, "; it has {count} members")?,
        }
        if *strangers > 0 {
            write!(f, ", {strangers} of them linked to no user")?;
        }
        if !self.whole {
            f.write_str(", and perhaps more that it does not show")?;
        }
        Ok(())
    }
}

impl Planner<'_> {
    /// What there is to review of a match; `None` for one that says for certain whose the resource is.
    pub(in crate::reconcile) fn alike(
        &self,
        view: &ObjectView,
        candidate: &Candidate,
        by: &str,
    ) -> Option<Alike> {
        let kind = view.object.kind;
        let asks = match kind {
            ObjectKind::User => self.policy.adopt == Adopt::Unclaimed,
            ObjectKind::Group => self.policy.groups.adopt == AdoptGroup::Review,
        };
        let certain = names(candidate, view.object.id) || !is_chosen(self.mapping, kind, by);
        if !asks || (certain && !candidate.reviewed) {
            return None;
        }
        let mut alike = Alike::of(self.mapping, kind, &candidate.id, &candidate.body);
        if !certain {
            by.clone_into(&mut alike.by);
        }
        alike.owned(&view.member_owners);
        Some(alike)
    }
}

/// True for a resource whose externalId is this object's id.
fn names(candidate: &Candidate, id: SourceId) -> bool {
    let held = read_path(&candidate.body, TargetPath::external_id());
    held.is_some_and(|held| fold(&held) == id.to_string())
}

/// True for a matching attribute whose value its owner can choose: any but userName and externalId, and those too where they
/// are made of such a property.
#[must_use]
pub fn is_chosen(mapping: &Mapping, kind: ObjectKind, by: &str) -> bool {
    let Some(row) = mapping
        .matching(kind)
        .into_iter()
        .find(|row| row.target.as_str() == by)
    else {
        // The first key, externalId = objectId, needs no row.
        return !is_external_id(by);
    };
    let names_one =
        row.target.is_core(EXTERNAL_ID) || (kind == ObjectKind::User && row.target.is_core("userName"));
    let uses = || row.source.uses().iter();
    !names_one
        || match kind {
            ObjectKind::User => uses().any(|used| CHOSEN_OF_USERS.contains(&&*used.property)),
            ObjectKind::Group => !uses().all(is_given),
        }
}

/// True for the path of externalId, however it is written.
#[must_use]
pub fn is_external_id(by: &str) -> bool {
    by.parse::<TargetPath>()
        .is_ok_and(|path| path.is_core(EXTERNAL_ID))
}

/// Properties of a user that others than the directory's administrators choose: whoever invites a guest gives the names, and
/// people change their own numbers.
const CHOSEN_OF_USERS: [&str; 7] = [
    "displayName",
    "mailNickname",
    "givenName",
    "surname",
    "mobilePhone",
    "businessPhones",
    "otherMails",
];

fn is_given(used: &SourceAttribute) -> bool {
    used.access == Access::ObjectId || GIVEN_TO_GROUPS.contains(&&*used.property)
}

/// Properties of a group that its owner cannot choose, beside its id.
const GIVEN_TO_GROUPS: [&str; 4] = [
    "securityIdentifier",
    "onPremisesSecurityIdentifier",
    "onPremisesSamAccountName",
    "onPremisesNetBiosName",
];

#[cfg(test)]
mod tests;

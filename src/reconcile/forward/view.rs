//! What the planner sees of one object: everything it may judge by, read beforehand.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::mapping::names::APP_ROLES;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::link::Link;
use crate::model::name::Name;
use crate::model::object::MemberKind;
use crate::model::object::SourceObject;
use crate::model::refusal::Refusal;
use crate::model::value::Attributes;
use crate::reconcile::look::Look;
use crate::reconcile::scope::Standing;

/// One object with all that its plan depends on.
#[derive(Debug, Clone)]
pub struct ObjectView {
    /// As last read at the source, with what is filled in for the plan: roles, and a manager who stays for now.
    pub object: SourceObject,
    /// The manager as the source says it, whoever stays.
    pub manager_read: Option<SourceId>,
    /// The remembered pair, if there is one.
    pub link: Option<Link>,
    /// A look by its id that waits for a second one, where that keeps its resource from being deleted.
    pub doubt: Option<Look>,
    /// Where it stands as the scope goes.
    pub scope: Standing,
    /// An earlier create whose outcome is open: nothing else happens to the object before it is resolved.
    pub intent_open: bool,
    /// It was linked, and its resource is proven gone at the target: planned as if it had no link.
    pub lost: bool,
    /// References below that are shown as linked because the users' own removal is kept back.
    pub references_kept: u64,
    /// The manager, as far as it can be referred to (users only).
    pub manager: Reference,
    /// What was read at the target for this object.
    pub target: TargetReading,
    /// What is known beyond that reading.
    pub since: Since,
    /// The memberships at the source, with what was sent (groups only), in order of member id.
    pub members: Vec<MemberView>,
    /// Owners of the members of candidate resources: known links of other source users.
    pub member_owners: BTreeMap<TargetId, SourceId>,
    /// Attributes that the target refused while it took the rest.
    pub refused: Vec<Refusal>,
}

impl ObjectView {
    /// Returns the object as the source said it, and its pair: what was filled in for the plan is not recorded, or it would
    /// outlive its reason.
    #[must_use]
    pub fn into_read(self) -> (SourceObject, Option<Link>) {
        let mut object = self.object;
        object.attributes.remove(APP_ROLES);
        object.manager = self.manager_read;
        (object, self.link)
    }
}

/// One membership of the group that is planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberView {
    /// The member.
    pub id: SourceId,
    /// Its type.
    pub kind: MemberKind,
    /// True while the source says that it is a member.
    pub present: bool,
    /// As sent to the target's group.
    pub sent: Option<TargetId>,
    /// True when the target's group held it before we took it over.
    pub found: bool,
    /// Whether it can be referred to.
    pub state: Reference,
}

/// Whether an object can be referred to at the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    /// There is none (no manager).
    None,
    /// Linked and not gone.
    Linked(TargetId),
    /// Will be linked by this cycle's own operations; the target id where it is known already.
    Expected(Option<TargetId>),
    /// Not linked yet, but its turn comes in this cycle: wait for it.
    Pending,
    /// Not linked, and nothing in this cycle will change that: referred to when it appears.
    Absent,
    /// Deleted at the source (soft or hard): no longer referred to.
    Gone,
    /// Alive, and out of scope: no longer referred to.
    Out,
}

/// What is known beyond the reading of a linked resource.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Since {
    /// Attributes that were written after it: it says nothing of them any more.
    pub written: Vec<Name>,
    /// Members that the target did not keep as they were healed: whether it then held them.
    pub not_kept: BTreeMap<SourceId, bool>,
    /// Members whose own resource is gone, which is only reported: they cannot be put back.
    pub missing: BTreeSet<SourceId>,
    /// What moved since the object was last settled.
    pub moved: Moved,
}

/// What moved since an object with a link was last settled: the facts that its reasons name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Moved {
    /// Properties at the source, by Graph's names; `manager` among them.
    pub properties: BTreeSet<Name>,
    /// What it is assigned to, or with which roles.
    pub roles: bool,
    /// It was deleted, and restored.
    pub restored: bool,
    /// It was out of scope, and came back.
    pub returned: bool,
    /// What an undo held was let go of.
    pub released: bool,
    /// The mapping changed.
    pub mapping: bool,
    /// The rules of the scope changed.
    pub rules: bool,
    /// The policy changed.
    pub policy: bool,
}

/// What was read at the target.
#[derive(Debug, Clone, Default)]
pub enum TargetReading {
    /// Nothing: compare with what was sent.
    #[default]
    NotAsked,
    /// The linked resource, as it is now.
    Held(serde_json::Value),
    /// Resources that could be this object's, by each way of matching, and what an empty answer proves.
    Candidates {
        /// All that matched anything.
        found: Vec<Candidate>,
        /// What it proves that nothing else matched.
        absence: Absence,
    },
}

/// A resource that matches in some way.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The resource.
    pub id: TargetId,
    /// The whole body.
    pub body: serde_json::Value,
    /// The source object it is linked to, if any.
    pub owner: Option<SourceId>,
    /// Another unlinked source object that matches it as well, if any.
    pub rival: Option<SourceId>,
    /// True for one whose adoption waits for its review: whatever it says by now.
    pub reviewed: bool,
    /// The deleted or disabled object whose resource it is, where this object takes it over (`rehire_by`).
    pub rehires: Option<SourceId>,
    /// What was sent of that object.
    pub sent: Attributes,
}

/// What it proves that a match was looked for and not found (docs/design/matching.md).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Absence {
    /// A complete listing, or a filter form that this target was seen to answer rightly. The text says which.
    Proven(String),
    /// Nothing. The text says what is in the way.
    Unproven(String),
}

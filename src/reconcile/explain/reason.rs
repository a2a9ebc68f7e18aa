//! The table of reasons: why an operation is planned. Each names the fact that caused it, has a code that programs may rely
//! on, and its words here and nowhere else. Why something is *not* done is the other half: [`crate::reconcile::explain::omission`].

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::id::SourceId;
use crate::model::name::Name;
use crate::model::object::Removed;
use crate::reconcile::guard::review::Alike;
use crate::reconcile::operation::Change;
use crate::reconcile::operation::Member;

/// Why an operation is planned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// In scope, and absent at the target.
    New {
        /// How absence was established.
        absence: String,
    },
    /// Linked, but its resource is gone at the target.
    MissingAtTarget,
    /// An existing resource is this object's.
    Matched {
        /// The target attribute that matched.
        by: String,
    },
    /// An existing resource has the same value, which its owner can choose: for a person to review.
    Alike(Alike),
    /// The resource of a deleted or disabled object with the same value.
    Rehired {
        /// The source property.
        by: String,
        /// The object that had it.
        from: SourceId,
    },
    /// The resource was adopted and differs in these attributes.
    AdoptedDiffers,
    /// The resource was linked by hand, and was never written to.
    LinkedByHand,
    /// Properties moved at the source since they were last sent.
    SourceChanged {
        /// Which of those that the attribute is made of.
        properties: BTreeSet<Name>,
    },
    /// The configuration changed since, and with it what the same properties come to.
    ConfigChanged {
        /// True where the mapping changed.
        mapping: bool,
        /// True where the rules of the scope changed.
        scope: bool,
        /// True where the policy changed.
        policy: bool,
    },
    /// The mapping's expression reads the time.
    TimePassed,
    /// The user was deleted in Entra, and restored.
    Restored,
    /// The object was out of scope, and is in scope again.
    Returned,
    /// What an undo held was let go of, and the source still asks for it.
    HoldReleased,
    /// Nothing was sent for this attribute so far.
    NeverSent,
    /// What is wanted is not what was last sent; which of the facts above made it so is not known any more.
    NotAsSent,
    /// The target emptied it when the user was disabled.
    EmptiedByTarget,
    /// The manager is at the target now.
    ManagerLinked,
    /// The manager has another resource than the one that was referred to.
    ManagerRelinked,
    /// The manager is deleted in Entra.
    ManagerDeleted,
    /// The manager is out of scope.
    ManagerOutOfScope,
    /// The manager has no resource at the target any more.
    ManagerUnlinked,
    /// A forced resync found the target different.
    TargetDiffers,
    /// `accountEnabled` is false.
    AccountDisabled,
    /// `accountEnabled` is true, and the user in scope, whom we disabled before.
    AccountEnabled,
    /// The mapping's own expression for `active` says so.
    MappedActive,
    /// Soft-deleted in Entra.
    SoftDeleted,
    /// Permanently deleted in Entra.
    HardDeleted,
    /// It is gone, or not ours any more, and its group at the target was adopted: that stays.
    LetGo {
        /// What became of it.
        why: String,
    },
    /// Members of the source group that the target's group lacks.
    MemberJoined,
    /// No longer a member of the source group.
    MemberLeft,
    /// The member itself is deleted.
    MemberDeleted,
    /// The member itself is out of scope.
    MemberOutOfScope,
    /// The member has another resource than the one that was put in.
    MemberRelinked,
    /// The member has no resource any more.
    MemberUnlinked,
    /// A temporary name, because users want each other's.
    MakesWay,
    /// Alive at the source, and not ours to provision.
    OutOfScope {
        /// The rule that leaves it out.
        why: String,
    },
    /// The target was changed there, and is put right.
    Drifted,
    /// Enabled at the target, though it is to be disabled.
    ReenabledAtTarget,
    /// What is wanted moved, and so did the target: the source wins.
    Conflict {
        /// Why what is wanted moved.
        because: Box<Reason>,
    },
    /// Edited at the target, which the value belongs to.
    EditedAtTarget,
    /// Emptied at the target, which the value belongs to.
    ClearedAtTarget,
    /// Edited on both sides; the value belongs to the target.
    BothMoved,
    /// Two writers at the source undo each other.
    TwoWriters,
    /// The inverse of what a cycle did.
    Undone {
        /// The cycle.
        cycle: String,
    },
    /// Attributes, or members, for reasons of their own. Never made by hand: [`Reason::of_changes`], [`Reason::of_members`].
    Several(Vec<Part>),
    /// The user holds an active security key, and is no member of the enrolled group.
    HoldsKey,
    /// No active security key on two complete readings.
    KeyGone,
    /// The security key is blocked.
    KeyBlocked,
    /// The user is never to be a member.
    NeverMember,
    /// A member of the enrolled group without a key, whom melonsync did not add.
    ForeignMember,
    /// Somebody took a member with an active key out by hand.
    RemovedByHand,
}

/// One of several reasons, with what it is the reason of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Part {
    /// The target attribute, or nothing where it is of members.
    pub attribute: Option<Name>,
    /// How many members; one for an attribute.
    pub count: u64,
    /// Why.
    pub reason: Reason,
}

/// Every code, for those who count or translate them.
pub const CODES: [&str; 51] = [
    "new",
    "missing_at_target",
    "matched",
    "adopt_group",
    "adopt_user",
    "rehired",
    "adopted_differs",
    "linked_by_hand",
    "source_changed",
    "config_changed",
    "time_passed",
    "restored",
    "returned",
    "hold_released",
    "never_sent",
    "not_as_sent",
    "emptied_by_target",
    "manager_linked",
    "manager_relinked",
    "manager_deleted",
    "manager_out_of_scope",
    "manager_unlinked",
    "target_differs",
    "account_disabled",
    "account_enabled",
    "mapped_active",
    "soft_deleted",
    "hard_deleted",
    "let_go",
    "member_joined",
    "member_left",
    "member_deleted",
    "member_out_of_scope",
    "member_relinked",
    "member_unlinked",
    "makes_way",
    "out_of_scope",
    "drifted",
    "reenabled_at_target",
    "conflict",
    "edited_at_target",
    "clear_entra",
    "both_moved",
    "two_writers",
    "undone",
    "holds_key",
    "key_gone",
    "key_blocked",
    "never_member",
    "foreign_member",
    "removed_by_hand",
];

impl Reason {
    /// Of somebody or something that is gone at the source.
    #[must_use]
    pub const fn of_removal(removed: Removed) -> Self {
        match removed {
            Removed::SoftDeleted => Self::SoftDeleted,
            Removed::HardDeleted => Self::HardDeleted,
        }
    }

    /// Of changes that have reasons of their own, in order of weight.
    #[must_use]
    pub fn of_changes(parts: Vec<(Name, Self)>) -> Self {
        let part = |(attribute, reason)| Part {
            attribute: Some(attribute),
            count: 1,
            reason,
        };
        Self::of_parts(parts.into_iter().map(part).collect())
    }

    /// Of members that have reasons of their own: those of the source first, and the most frequent of them.
    #[must_use]
    pub fn of_members(members: &[Member]) -> Self {
        let mut counts: BTreeMap<&'static str, Part> = BTreeMap::new();
        for member in members {
            let part = counts.entry(member.because.label()).or_insert_with(|| Part {
                attribute: None,
                count: 0,
                reason: member.because.clone(),
            });
            part.count += 1;
        }
        let mut parts: Vec<Part> = counts.into_values().collect();
        parts.sort_by_key(|part| (part.reason.heals(), std::cmp::Reverse(part.count)));
        Self::of_parts(parts)
    }

    fn of_parts(mut parts: Vec<Part>) -> Self {
        let same = parts.windows(2).all(|two| two[0].reason == two[1].reason);
        match parts.pop() {
            Some(part) if same => part.reason,
            Some(part) => {
                parts.push(part);
                Self::Several(parts)
            }
            None => Self::NotAsSent,
        }
    }

    /// The reason of each of these changes.
    #[must_use]
    pub fn parts(&self, changes: &[Change]) -> Vec<(Name, Self)> {
        changes
            .iter()
            .map(|change| (change.attribute.clone(), self.of(&change.attribute).clone()))
            .collect()
    }

    /// The reason of one attribute.
    #[must_use]
    pub fn of(&self, attribute: &Name) -> &Self {
        let Self::Several(parts) = self else { return self };
        let own = parts
            .iter()
            .find(|part| part.attribute.as_ref() == Some(attribute));
        own.or_else(|| parts.first()).map_or(self, |part| &part.reason)
    }

    /// What is left of it when only these changes are left.
    #[must_use]
    pub fn narrowed(&self, changes: &[Change]) -> Self {
        match self {
            Self::Several(parts) if parts.iter().any(|part| part.attribute.is_some()) => {
                Self::of_changes(self.parts(changes))
            }
            other => other.clone(),
        }
    }

    /// Each reason once, with the attributes that it is the reason of.
    #[must_use]
    pub fn each(&self) -> Vec<(Self, Vec<Name>)> {
        let Self::Several(parts) = self else {
            return vec![(self.clone(), Vec::new())];
        };
        let mut each: Vec<(Self, Vec<Name>)> = Vec::new();
        for part in parts {
            let attributes = part.attribute.iter().cloned();
            match each.iter_mut().find(|(reason, _)| reason.joins(&part.reason)) {
                Some((reason, names)) => {
                    reason.join(&part.reason);
                    names.extend(attributes);
                }
                None => each.push((part.reason.clone(), attributes.collect())),
            }
        }
        each
    }

    fn joins(&self, other: &Self) -> bool {
        self == other
            || matches!(
                (self, other),
                (Self::SourceChanged { .. }, Self::SourceChanged { .. })
            )
    }

    fn join(&mut self, other: &Self) {
        if let (Self::SourceChanged { properties }, Self::SourceChanged { properties: more }) = (self, other)
        {
            properties.extend(more.iter().cloned());
        }
    }

    /// True for an operation that puts drift right: read back once it is carried out.
    #[must_use]
    pub fn heals(&self) -> bool {
        match self {
            Self::Drifted | Self::ReenabledAtTarget => true,
            Self::Several(parts) => parts.iter().any(|part| part.reason.heals()),
            _ => false,
        }
    }

    /// The code by which it is known in JSON and metrics, and grouped by. Of several, that of the first.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::New { .. } => "new",
            Self::MissingAtTarget => "missing_at_target",
            Self::Matched { .. } => "matched",
            Self::Alike(alike) => alike.label(),
            Self::Rehired { .. } => "rehired",
            Self::AdoptedDiffers => "adopted_differs",
            Self::LinkedByHand => "linked_by_hand",
            Self::SourceChanged { .. } => "source_changed",
            Self::ConfigChanged { .. } => "config_changed",
            Self::TimePassed => "time_passed",
            Self::Restored => "restored",
            Self::Returned => "returned",
            Self::HoldReleased => "hold_released",
            Self::NeverSent => "never_sent",
            Self::NotAsSent => "not_as_sent",
            Self::EmptiedByTarget => "emptied_by_target",
            Self::ManagerLinked => "manager_linked",
            Self::ManagerRelinked => "manager_relinked",
            Self::ManagerDeleted => "manager_deleted",
            Self::ManagerOutOfScope => "manager_out_of_scope",
            Self::ManagerUnlinked => "manager_unlinked",
            Self::TargetDiffers => "target_differs",
            Self::AccountDisabled => "account_disabled",
            Self::AccountEnabled => "account_enabled",
            Self::MappedActive => "mapped_active",
            Self::SoftDeleted => "soft_deleted",
            Self::HardDeleted => "hard_deleted",
            Self::LetGo { .. } => "let_go",
            Self::MemberJoined => "member_joined",
            Self::MemberLeft => "member_left",
            Self::MemberDeleted => "member_deleted",
            Self::MemberOutOfScope => "member_out_of_scope",
            Self::MemberRelinked => "member_relinked",
            Self::MemberUnlinked => "member_unlinked",
            Self::MakesWay => "makes_way",
            Self::OutOfScope { .. } => "out_of_scope",
            Self::Drifted => "drifted",
            Self::ReenabledAtTarget => "reenabled_at_target",
            Self::Conflict { .. } => "conflict",
            Self::EditedAtTarget => "edited_at_target",
            Self::ClearedAtTarget => "clear_entra",
            Self::BothMoved => "both_moved",
            Self::TwoWriters => "two_writers",
            Self::Undone { .. } => "undone",
            Self::HoldsKey => "holds_key",
            Self::KeyGone => "key_gone",
            Self::KeyBlocked => "key_blocked",
            Self::NeverMember => "never_member",
            Self::ForeignMember => "foreign_member",
            Self::RemovedByHand => "removed_by_hand",
            Self::Several(parts) => parts.first().map_or("not_as_sent", |part| part.reason.label()),
        }
    }
}

mod words;

pub use words::code_of;

#[cfg(test)]
mod tests;

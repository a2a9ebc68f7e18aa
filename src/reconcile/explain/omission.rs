//! Omissions: why something is not done, and whether that settles the object. What is said of them stands in `words`.

mod words;

use serde::Serialize;

use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::reconcile::operation::Verb;

/// The code of an entry in escrow.
pub const IN_ESCROW: &str = "in_escrow";

/// The codes of what the guard, a person, or a row of failures keeps back.
pub const WITHHELD: &str = "withheld";
/// By a person, or an undo.
pub const HELD: &str = "held";
/// By a kind of operation that is stopped.
pub const KIND_STOPPED: &str = "kind_stopped";
/// The code of a loss of scope that waits for a second look.
pub const SCOPE_LOSS_UNCONFIRMED: &str = "scope_loss_unconfirmed";

/// Why something is *not* done. Every object that was looked at ends in operations or in one of these.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Omission {
    /// Nothing to do.
    Unchanged,
    /// Disabled in Entra and not at the target: not created.
    DisabledAtSource,
    /// Not in the last full read, or asked for without a clear answer: kept until it is proven gone.
    NotProvenGone {
        /// What is known.
        why: String,
    },
    /// Gone in Entra and never at the target.
    GoneUnlinked,
    /// Disabled at the target already.
    AlreadyDisabled,
    /// The policy says keep.
    KeptByPolicy {
        /// The setting.
        setting: &'static str,
    },
    /// A setting switches this operation off.
    SwitchedOff {
        /// The setting.
        setting: &'static str,
    },
    /// Named in `protect`.
    Protected,
    /// Absence at the target cannot be proven, so it is not created.
    AbsenceUnproven {
        /// What is in the way.
        why: String,
    },
    /// More than one resource matches.
    Ambiguous {
        /// The attribute.
        by: String,
        /// The resources.
        targets: Vec<TargetId>,
    },
    /// The resource that matches is linked to, or also claimed by, another object.
    OwnedByAnother {
        /// The attribute.
        by: String,
        /// The resource.
        target: TargetId,
        /// The other object.
        owner: SourceId,
    },
    /// The resource that matches carries an externalId that is none of this object's.
    ForeignExternalId {
        /// The attribute.
        by: String,
        /// The resource.
        target: TargetId,
        /// What it carries.
        held: String,
        /// What would be this object's: its id, and further values that are known (`mailNickname`).
        ours: Vec<String>,
    },
    /// A resource matches, but `adopt = "never"`.
    AdoptNever {
        /// The attribute.
        by: String,
        /// The resource.
        target: TargetId,
    },
    /// A matching attribute has no value.
    NoMatchingValue {
        /// The attribute.
        attribute: String,
    },
    /// The mapping needs a property that was never read.
    PropertyUnread {
        /// The property.
        property: String,
    },
    /// A mapping expression failed for this object.
    ExpressionFailed {
        /// The target attribute.
        attribute: String,
        /// The evaluator's message.
        message: String,
    },
    /// An earlier create's outcome is not known yet.
    IntentOpen,
    /// Its manager is created first.
    WaitsForManager,
    /// A deleted group, emptied, whose `delete_after` has not passed yet.
    WaitsForDelay,
    /// It needs a value that another user's resource has, and was to give up.
    WaitsForValue {
        /// The target attribute.
        attribute: &'static str,
        /// The other user.
        holder: SourceId,
    },
    /// Held back by the guard.
    Withheld {
        /// The verb held back.
        verb: Verb,
        /// The guard's words.
        why: String,
    },
    /// On hold, by a person, a reject or an undo.
    Held {
        /// The verb held back.
        verb: Verb,
        /// Whose hold it is, since when, and what they said.
        why: String,
    },
    /// On hold since an undo: the source still asks for it, and it is not sent.
    HeldByUndo {
        /// How many operations.
        count: u64,
    },
    /// Wanted now, and not in the saved plan that is carried out, or with other values there.
    NotInPlan {
        /// The verb.
        verb: Verb,
        /// How many operations that are.
        count: u64,
    },
    /// It is to be removed, but the guard has not counted it in this cycle: the next one does.
    NotCounted {
        /// The verb.
        verb: Verb,
    },
    /// Too many operations of this kind failed: it is stopped but for a probe a cycle.
    KindStopped {
        /// The verb.
        verb: Verb,
        /// How many failed, and when it goes on.
        why: String,
    },
    /// The target refused it, and its next try has not come.
    InEscrow {
        /// The operation that failed, by its name.
        operation: String,
        /// What the target said.
        error: String,
        /// What to do about it.
        hint: String,
        /// When it is tried again; `None`: when something changes.
        until: Option<String>,
    },
    /// The target refused this attribute while it took the rest, and its next try has not come.
    AttributeRefused {
        /// The target attribute.
        attribute: String,
        /// When it is tried again; `None`: when something changes.
        until: Option<String>,
    },
    /// The target refused this member while it took others, and its next try has not come.
    MemberRefused {
        /// The member.
        member: SourceId,
        /// Who that is, and what the target said.
        why: String,
        /// When it is tried again; `None`: when something changes.
        until: Option<String>,
    },
    /// Alive at the source, and not ours to provision.
    OutOfScope {
        /// The rule that leaves it out.
        why: String,
        /// What that means at the target.
        then: &'static str,
    },
    /// References to users who leave stay at the target until these users go.
    ReferencesStay {
        /// How many.
        count: u64,
    },
    /// Out of scope for the first time, through a membership: in scope until the next complete cycle agrees.
    ScopeLossUnconfirmed {
        /// The rule that leaves it out.
        why: String,
    },
    /// Whether it is in scope depends on what was never read.
    ScopeUnknown {
        /// What is missing.
        missing: String,
    },
}

impl Omission {
    /// True when nothing is left to do for the object, so its dirty mark goes.
    #[must_use]
    pub const fn settles(&self) -> bool {
        matches!(
            self,
            Self::Unchanged
                | Self::DisabledAtSource
                | Self::GoneUnlinked
                | Self::AlreadyDisabled
                | Self::KeptByPolicy { .. }
                | Self::SwitchedOff { .. }
                | Self::Protected
                | Self::HeldByUndo { .. }
                | Self::AttributeRefused { .. }
                | Self::MemberRefused { .. }
                | Self::OutOfScope { .. }
        )
    }

    /// True when somebody should look at it: the object cannot go on by itself.
    #[must_use]
    pub const fn is_finding(&self) -> bool {
        matches!(
            self,
            Self::AbsenceUnproven { .. }
                | Self::Ambiguous { .. }
                | Self::OwnedByAnother { .. }
                | Self::ForeignExternalId { .. }
                | Self::AdoptNever { .. }
                | Self::NoMatchingValue { .. }
                | Self::PropertyUnread { .. }
                | Self::ExpressionFailed { .. }
                | Self::ScopeUnknown { .. }
                | Self::WaitsForValue { .. }
        )
    }

    /// The operation that is kept back, where there is one.
    #[must_use]
    pub const fn verb(&self) -> Option<Verb> {
        match self {
            Self::Withheld { verb, .. }
            | Self::Held { verb, .. }
            | Self::NotInPlan { verb, .. }
            | Self::NotCounted { verb }
            | Self::KindStopped { verb, .. } => Some(*verb),
            _ => None,
        }
    }

    /// The word it is grouped by.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::DisabledAtSource => "disabled_at_source",
            Self::NotProvenGone { .. } => "not_proven_gone",
            Self::GoneUnlinked => "gone_unlinked",
            Self::AlreadyDisabled => "already_disabled",
            Self::KeptByPolicy { .. } => "kept_by_policy",
            Self::SwitchedOff { .. } => "switched_off",
            Self::Protected => "protected",
            Self::AbsenceUnproven { .. } => "absence_unproven",
            Self::Ambiguous { .. } => "ambiguous",
            Self::OwnedByAnother { .. } => "owned_by_another",
            Self::ForeignExternalId { .. } => "foreign_external_id",
            Self::AdoptNever { .. } => "adopt_never",
            Self::NoMatchingValue { .. } => "no_matching_value",
            Self::PropertyUnread { .. } => "property_unread",
            Self::ExpressionFailed { .. } => "expression_failed",
            Self::IntentOpen => "intent_open",
            Self::WaitsForManager => "waits_for_manager",
            Self::WaitsForDelay => "waits_for_delay",
            Self::WaitsForValue { .. } => "waits_for_value",
            Self::Withheld { .. } => WITHHELD,
            Self::Held { .. } | Self::HeldByUndo { .. } => HELD,
            Self::NotInPlan { .. } => "not_in_plan",
            Self::NotCounted { .. } => "not_counted",
            Self::OutOfScope { .. } => "out_of_scope",
            Self::ReferencesStay { .. } => "references_stay",
            Self::ScopeLossUnconfirmed { .. } => SCOPE_LOSS_UNCONFIRMED,
            Self::ScopeUnknown { .. } => "scope_unknown",
            Self::InEscrow { .. } => IN_ESCROW,
            Self::AttributeRefused { .. } => "attribute_refused",
            Self::MemberRefused { .. } => "member_refused",
            Self::KindStopped { .. } => KIND_STOPPED,
        }
    }
}

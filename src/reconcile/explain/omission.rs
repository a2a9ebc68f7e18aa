//! Omissions: why something is not done, whether that settles the object, and what to do about it.

use std::borrow::Cow;
use std::fmt;

use serde::Serialize;

use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::reconcile::forward::unique_values::unique_name;
use crate::reconcile::operation::Verb;

/// The code of an entry in escrow.
pub const IN_ESCROW: &str = "in_escrow";

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

    /// What to do about a finding, or about an entry in escrow.
    #[must_use]
    pub fn hint(&self) -> Cow<'_, str> {
        let fixed = match self {
            Self::InEscrow { hint, .. } => hint.as_str(),
            Self::OwnedByAnother { target, owner, .. } => return hint_to_hand_over(target, owner).into(),
            Self::ForeignExternalId { target, held, .. } => return hint_to_take_over(target, held).into(),
            Self::AbsenceUnproven { .. } => {
                "make the target's listing or filter answer completely, or create the group there by hand, and let its adoption through"
            }
            Self::Ambiguous { .. } => "remove or rename all but one of them at the target",
            Self::AdoptNever { .. } => {
                "set adopt = \"unclaimed\" to take the resource over, or rename it at the target"
            }
            Self::NoMatchingValue { .. } => "give the object a value for this attribute in Entra",
            Self::PropertyUnread { .. } => {
                "run `melonsync resync --restart`: the source is read with the new property"
            }
            Self::ScopeUnknown { .. } => {
                "run `melonsync resync --restart`: the source is read with what the scoping filter needs"
            }
            Self::WaitsForValue { .. } => {
                "see what keeps the change of the other one back: withheld, on hold, or failed"
            }
            Self::ExpressionFailed { .. } => "correct the mapping's expression, or the value in Entra",
            _ => "",
        };
        fixed.into()
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
            Self::Withheld { .. } => "withheld",
            Self::Held { .. } => "held",
            Self::HeldByUndo { .. } => "held",
            Self::NotInPlan { .. } => "not_in_plan",
            Self::NotCounted { .. } => "not_counted",
            Self::OutOfScope { .. } => "out_of_scope",
            Self::ReferencesStay { .. } => "references_stay",
            Self::ScopeLossUnconfirmed { .. } => "scope_loss_unconfirmed",
            Self::ScopeUnknown { .. } => "scope_unknown",
            Self::InEscrow { .. } => IN_ESCROW,
            Self::AttributeRefused { .. } => "attribute_refused",
            Self::MemberRefused { .. } => "member_refused",
            Self::KindStopped { .. } => "kind_stopped",
        }
    }
}

impl fmt::Display for Omission {
    #[expect(clippy::too_many_lines, reason = "a sentence for each omission")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unchanged => f.write_str("nothing to do"),
            Self::DisabledAtSource => f.write_str("disabled in Entra and not at the target: not created"),
            Self::NotProvenGone { why } => write!(f, "kept, because nothing proves that it is gone: {why}"),
            Self::GoneUnlinked => f.write_str("gone in Entra, and never at the target"),
            Self::AlreadyDisabled => f.write_str("disabled at the target already"),
            Self::KeptByPolicy { setting } => write!(f, "kept at the target, as {setting} = \"keep\" says"),
            Self::SwitchedOff { setting } => write!(f, "switched off by {setting} = false"),
            Self::Protected => f.write_str("named in `protect`: never touched"),
            Self::AbsenceUnproven { why } => {
                write!(
                    f,
                    "not created, because nothing proves that it is absent at the target: {why}"
                )
            }
            Self::Ambiguous { by, targets } => {
                write!(
                    f,
                    "{} resources at the target have the same {by}: {targets:?}",
                    targets.len()
                )
            }
            Self::OwnedByAnother { by, target, owner } => {
                write!(
                    f,
                    "resource {target} has the same {by}, but belongs to object {owner}"
                )
            }
            Self::ForeignExternalId {
                by,
                target,
                held,
                ours,
            } => {
                let whose = match held.parse::<SourceId>() {
                    Ok(other) => format!("is the id of another object, {other}"),
                    Err(_) => format!("is `{held}`, which is not this object's {}", own_values(ours)),
                };
                write!(
                    f,
                    "resource {target} has the same {by}, but its externalId {whose}"
                )
            }
            Self::AdoptNever { by, target } => {
                write!(
                    f,
                    "resource {target} has the same {by}, but adopting is switched off (`adopt` or `groups.adopt` = \"never\")"
                )
            }
            Self::NoMatchingValue { attribute } => {
                write!(f, "no value for the matching attribute {attribute}")
            }
            Self::PropertyUnread { property } => write!(f, "the property {property} was never read"),
            Self::ExpressionFailed { attribute, message } => {
                write!(f, "the expression for {attribute} failed: {message}")
            }
            Self::IntentOpen => f.write_str("an earlier create was sent and its outcome is not known yet"),
            Self::WaitsForManager => f.write_str("waits until its manager is at the target"),
            Self::WaitsForDelay => {
                f.write_str("deleted in Entra: emptied, and deleted when groups.delete_after has passed")
            }
            Self::WaitsForValue { attribute, holder } => {
                let kind = if *attribute == unique_name(ObjectKind::Group) {
                    ObjectKind::Group
                } else {
                    ObjectKind::User
                };
                write!(
                    f,
                    "its {attribute} is still that of {kind} {holder}, which was to give it up in this cycle"
                )
            }
            Self::Withheld { verb, why } => write!(f, "{verb} withheld by the guard: {why}"),
            Self::Held { verb, why } => write!(f, "{verb} held: {why}"),
            Self::KindStopped { verb, why } => write!(f, "{verb} is stopped: {why}"),
            Self::OutOfScope { why, then } => write!(f, "out of scope, {then}: {why}"),
            Self::ReferencesStay { count: 1 } => f.write_str(
                "1 reference stays: to a user whose own removal is withheld, on hold, or waits for a second look",
            ),
            Self::ReferencesStay { count } => write!(
                f,
                "{count} references stay: to users whose own removal is withheld, on hold, or waits for a second look"
            ),
            Self::ScopeLossUnconfirmed { why } => write!(
                f,
                "treated as in scope until the next complete cycle agrees that it is not: {why}"
            ),
            Self::ScopeUnknown { missing } => {
                write!(
                    f,
                    "nothing is done, because its scope depends on what is not known: {missing}"
                )
            }
            Self::HeldByUndo { count } => write!(
                f,
                "held, {count} of its operations: an undo took them back, and the source still asks for them"
            ),
            Self::NotInPlan { verb, count } => write!(
                f,
                "{verb}{} is new since the plan was saved, or has other values: left",
                if *count > 1 {
                    format!(" × {count}")
                } else {
                    String::new()
                }
            ),
            Self::AttributeRefused { attribute, until } => {
                let when = next_try(until.as_deref());
                write!(f, "the target refused `{attribute}`, which waits alone, {when}")
            }
            Self::MemberRefused { why, until, .. } => {
                write!(f, "{why}; it waits alone, {}", next_try(until.as_deref()))
            }
            Self::InEscrow {
                operation,
                error,
                until,
                ..
            } => match until {
                Some(until) => write!(
                    f,
                    "in escrow since {operation} failed; tried again at {until}, or when it changes: {error}"
                ),
                None => write!(
                    f,
                    "in escrow since {operation} failed, and dropped; tried again when it changes: {error}"
                ),
            },
            Self::NotCounted { verb } => {
                write!(f, "{verb} waits for the next cycle, in which the guard counts it")
            }
        }
    }
}

fn hint_to_hand_over(target: &TargetId, owner: &SourceId) -> String {
    format!(
        "give one of the two another name; or, where both are one person (an address used again while its former owner is in \
         the recycle bin, or disabled), hand the resource over: `melonsync unlink {owner}`, then `melonsync link OBJECT {target} --force`; \
         rehire_by = \"employeeId\" under provisioning does that by itself, by that number, for everybody who leaves from then on"
    )
}

fn hint_to_take_over(target: &TargetId, held: &str) -> String {
    // What names another object is linked on purpose only.
    let force = if held.parse::<SourceId>().is_ok() {
        " --force"
    } else {
        ""
    };
    format!(
        "if it is the same person, `melonsync link OBJECT {target}{force}` takes the resource over, and so does clearing its externalId \
         at the target; adopt = \"any\" takes over every such resource"
    )
}

fn own_values(ours: &[String]) -> String {
    match ours {
        [_, others @ ..] if !others.is_empty() => {
            format!(
                "id, nor one of its other values there (`{}`)",
                others.join("`, `")
            )
        }
        _ => "id; Azure's own provisioning writes the mailNickname there, which this mapping does not read"
            .to_owned(),
    }
}

fn next_try(until: Option<&str>) -> String {
    until.map_or_else(
        || "and dropped: tried again when it changes".to_owned(),
        |at| format!("and tried again at {at}, or when it changes"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_holds_a_name_is_of_the_kind_that_has_it() {
        for kind in [ObjectKind::User, ObjectKind::Group] {
            let waits = Omission::WaitsForValue {
                attribute: unique_name(kind),
                holder: SourceId::from_bytes([1; 16]),
            };
            assert!(
                waits.to_string().contains(&format!("that of {kind} 0101")),
                "{waits}"
            );
        }
    }
}

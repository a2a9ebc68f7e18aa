//! The sentence of each omission, and what to do about it.

use std::borrow::Cow;
use std::fmt;

use super::Omission;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::reconcile::forward::unique_values::unique_name;

impl Omission {
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

//! The words of each reason, and a reason known again by its words.

use std::fmt;

use super::Part;
use super::Reason;
use crate::model::name::Name;

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New { absence } => write!(f, "in scope, and not at the target: {absence}"),
            Self::Matched { by } => write!(f, "an existing resource has the same {by}"),
            Self::Alike(alike) => alike.fmt(f),
            Self::LetGo { why } => write!(f, "{why}; {LET_GO}"),
            Self::Rehired { by, from } => write!(
                f,
                "it takes over the link of {from}, deleted or disabled, which has the same {by}"
            ),
            Self::SourceChanged { properties } => write!(f, "{} changed in Entra", listed(properties)),
            Self::ConfigChanged {
                mapping,
                scope,
                policy,
            } => write!(f, "{} changed", changed_parts(*mapping, *scope, *policy)),
            Self::OutOfScope { why } => write!(f, "out of scope: {why}"),
            Self::Conflict { because } => {
                write!(
                    f,
                    "{because}, and it was changed at the target too: the source wins"
                )
            }
            Self::Undone { cycle } => write!(f, "it undoes what cycle {cycle} did"),
            Self::Several(parts) => several(parts, &self.each(), f),
            other => f.write_str(other.plain_words()),
        }
    }
}

impl Reason {
    /// The words of those that need no fields.
    const fn plain_words(&self) -> &'static str {
        match self {
            Self::MissingAtTarget => "it was linked, but its resource is gone at the target",
            Self::AdoptedDiffers => "the adopted resource differs from the source",
            Self::LinkedByHand => "it was linked by hand, and the resource differs from the source",
            Self::TimePassed => "the mapping's expression reads the time",
            Self::Restored => "it was deleted in Entra, and is restored",
            Self::Returned => "it was out of scope, and is in scope again",
            Self::HoldReleased => "an undo took it back, and its hold was released",
            Self::NeverSent => "it was never sent to this resource",
            Self::NotAsSent => "the mapping comes to another value than was last sent",
            Self::EmptiedByTarget => "the target emptied it when the user was disabled",
            Self::ManagerLinked => "the manager is at the target now",
            Self::ManagerRelinked => "the manager's resource is made anew, or linked anew",
            Self::ManagerDeleted => "the manager is deleted in Entra",
            Self::ManagerOutOfScope => "the manager is out of scope",
            Self::ManagerUnlinked => "the manager has no resource at the target any more",
            Self::TargetDiffers => "the target differs, and a resync was asked for",
            Self::AccountDisabled => "the account is disabled in Entra (accountEnabled is false)",
            Self::AccountEnabled => "the account is enabled in Entra, and in scope",
            Self::MappedActive => "the mapping's expression for `active` says so",
            Self::SoftDeleted => "deleted in Entra, restorable for 30 days",
            Self::HardDeleted => "permanently deleted in Entra",
            Self::MemberJoined => "members of the group in Entra",
            Self::MemberLeft => "not a member of the group in Entra any more",
            Self::MemberDeleted => "the members themselves are deleted in Entra",
            Self::MemberOutOfScope => "the members themselves are out of scope",
            Self::MemberRelinked => {
                "still a member in Entra: the member's resource is made anew, or linked anew, and the new one replaces the old"
            }
            Self::MemberUnlinked => {
                "still a member in Entra, but the member has no resource at the target any more"
            }
            Self::MakesWay => {
                "a temporary name: users, or groups, take each other's, and one of them has to make way first"
            }
            Self::Drifted => "it was changed at the target, and is put right",
            Self::ReenabledAtTarget => {
                "it was enabled at the target, and is to be disabled: that is put right whatever the drift policy"
            }
            Self::EditedAtTarget => "it was edited at the target, and its value belongs to the target",
            Self::ClearedAtTarget => "it was emptied at the target, and its value belongs to the target",
            Self::BothMoved => "it was edited on both sides, and its value belongs to the target",
            Self::TwoWriters => "two writers in Entra undo each other",
            _ => self.words_of_enrolled(),
        }
    }

    /// The words of those about the enrolled group.
    const fn words_of_enrolled(&self) -> &'static str {
        match self {
            Self::HoldsKey => "an active security key, and not a member of the enrolled group",
            Self::KeyGone => "no active security key on two complete readings",
            Self::KeyBlocked => "the security key is blocked on two complete readings",
            Self::NeverMember => "the user is in `enrolled_never`",
            Self::ForeignMember => "a member without an active security key, whom melonsync did not add",
            Self::RemovedByHand => "an active security key, and somebody took the member out by hand",
            _ => "",
        }
    }
}

/// The code of a reason by its words, as the history keeps them; `None` for words that are none (of a decision, of an
/// older version).
#[must_use]
pub fn code_of(words: &str) -> Option<&'static str> {
    let plain = |words: &str| {
        let found = PLAIN.iter().find(|reason| reason.plain_words() == words);
        found.map(Reason::label)
    };
    let shaped = |words: &str| {
        let found = SHAPES
            .iter()
            .find(|(begins, ends, _)| words.starts_with(begins) && words.ends_with(ends));
        found.map(|(_, _, code)| *code)
    };
    // Of several, the first: after its attributes, or its number.
    let first = words.split_once("; ").map_or(words, |(first, _)| first);
    let inner = first.split_once(": ").map(|(_, inner)| inner);
    plain(words)
        .or_else(|| shaped(words).filter(|_| inner.and_then(plain).is_none()))
        .or_else(|| inner.and_then(|inner| plain(inner).or_else(|| shaped(inner))))
}

/// Those whose words are fixed.
const PLAIN: [Reason; 40] = [
    Reason::MissingAtTarget,
    Reason::AdoptedDiffers,
    Reason::LinkedByHand,
    Reason::TimePassed,
    Reason::Restored,
    Reason::Returned,
    Reason::HoldReleased,
    Reason::NeverSent,
    Reason::NotAsSent,
    Reason::EmptiedByTarget,
    Reason::ManagerLinked,
    Reason::ManagerRelinked,
    Reason::ManagerDeleted,
    Reason::ManagerOutOfScope,
    Reason::ManagerUnlinked,
    Reason::TargetDiffers,
    Reason::AccountDisabled,
    Reason::AccountEnabled,
    Reason::MappedActive,
    Reason::SoftDeleted,
    Reason::HardDeleted,
    Reason::MemberJoined,
    Reason::MemberLeft,
    Reason::MemberDeleted,
    Reason::MemberOutOfScope,
    Reason::MemberRelinked,
    Reason::MemberUnlinked,
    Reason::MakesWay,
    Reason::Drifted,
    Reason::ReenabledAtTarget,
    Reason::EditedAtTarget,
    Reason::ClearedAtTarget,
    Reason::BothMoved,
    Reason::TwoWriters,
    Reason::HoldsKey,
    Reason::KeyGone,
    Reason::KeyBlocked,
    Reason::NeverMember,
    Reason::ForeignMember,
    Reason::RemovedByHand,
];

/// What becomes of an adopted group.
const LET_GO: &str = "the group was adopted, so it stays at the target, without the members that we put in";

/// How the words of the others begin and end, and their codes.
const SHAPES: [(&str, &str, &str); 11] = [
    ("", LET_GO, "let_go"),
    ("an existing group has the same ", "", "adopt_group"),
    ("an existing user has the same ", "", "adopt_user"),
    ("", ": the source wins", "conflict"),
    ("in scope, and not at the target: ", "", "new"),
    ("an existing resource has the same ", "", "matched"),
    ("it takes over the link of ", "", "rehired"),
    ("out of scope: ", "", "out_of_scope"),
    ("it undoes what cycle ", " did", "undone"),
    ("the ", " changed", "config_changed"),
    ("", " changed in Entra", "source_changed"),
];

fn several(parts: &[Part], each: &[(Reason, Vec<Name>)], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let members = parts.iter().all(|part| part.attribute.is_none());
    if members {
        for (at, part) in parts.iter().enumerate() {
            let comma = if at > 0 { "; " } else { "" };
            write!(f, "{comma}{} of them: {}", part.count, part.reason)?;
        }
        return Ok(());
    }
    for (at, (reason, attributes)) in each.iter().enumerate() {
        let comma = if at > 0 { "; " } else { "" };
        match each {
            [_] => write!(f, "{reason}")?,
            _ => write!(f, "{comma}{}: {reason}", listed(attributes))?,
        }
    }
    Ok(())
}

fn listed<'n>(names: impl IntoIterator<Item = &'n Name>) -> String {
    let names: Vec<&str> = names.into_iter().map(Name::as_str).collect();
    names.join(", ")
}

fn changed_parts(mapping: bool, scope: bool, policy: bool) -> String {
    let parts = [
        (mapping, "the mapping"),
        (scope, "the scope"),
        (policy, "the policy"),
    ];
    let parts: Vec<&str> = parts
        .iter()
        .filter(|(is, _)| *is)
        .map(|(_, word)| *word)
        .collect();
    parts.join(" or ")
}

//! The ways in which an object stands, in words that are filtered by.

use serde::Serialize;
use utoipa::ToSchema;

use crate::reconcile::back::standing::Standing;

/// How an object stands; it may stand in several ways at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
#[schema(as = ObjectState)]
pub enum State {
    /// It has a resource.
    Linked,
    /// It has none.
    Unlinked,
    /// It was set aside after a failure.
    Escrow,
    /// The guard holds an operation on it back.
    Withheld,
    /// It, or a part of it, is on hold.
    Held,
    /// The source says that it is disabled.
    Disabled,
    /// It is not ours to provision.
    OutOfScope,
    /// It is gone at the source, and kept until that is done at the target.
    Gone,
    /// It is a resource at the target that nobody is linked to.
    Unmanaged,
    /// It is a member of the enrolled group, with an active key.
    Enrolled,
    /// It holds an active key, and is to be added to the enrolled group.
    EnrolPending,
    /// It has no active key any more, and is about to leave the enrolled group.
    EnrolLeaving,
    /// It is no member of the enrolled group, and no active key makes it one.
    NotEnrolled,
    /// It holds an active key, and no passkey of it in Entra was seen.
    KeyWithoutPasskey,
    /// It has a passkey in Entra, and no active key.
    PasskeyWithoutKey,
    /// Somebody took it out of the enrolled group by hand.
    RemovedByHand,
    /// It is a member of the enrolled group without a key, whom melonsync did not add.
    ForeignMember,
    /// Entra refused the change of its membership in the enrolled group.
    EnrolRefused,
    /// It has to do with the enrolled group, and nothing is known of its key or membership.
    EnrolUnknown,
}

impl State {
    /// Every way to stand.
    pub const ALL: [Self; 19] = [
        Self::Linked,
        Self::Unlinked,
        Self::Escrow,
        Self::Withheld,
        Self::Held,
        Self::Disabled,
        Self::OutOfScope,
        Self::Gone,
        Self::Unmanaged,
        Self::Enrolled,
        Self::EnrolPending,
        Self::EnrolLeaving,
        Self::NotEnrolled,
        Self::KeyWithoutPasskey,
        Self::PasskeyWithoutKey,
        Self::RemovedByHand,
        Self::ForeignMember,
        Self::EnrolRefused,
        Self::EnrolUnknown,
    ];

    /// The state of a user who stands so with the enrolled group.
    #[must_use]
    pub const fn of_enrolment(standing: Standing) -> Self {
        match standing {
            Standing::Outside => Self::NotEnrolled,
            Standing::Member => Self::Enrolled,
            Standing::Pending => Self::EnrolPending,
            Standing::KeyWithoutPasskey => Self::KeyWithoutPasskey,
            Standing::PasskeyWithoutKey => Self::PasskeyWithoutKey,
            Standing::RemovedByHand => Self::RemovedByHand,
            Standing::Foreign => Self::ForeignMember,
            Standing::Leaving => Self::EnrolLeaving,
            Standing::Refused => Self::EnrolRefused,
            Standing::Unknown => Self::EnrolUnknown,
        }
    }

    /// True for how a user stands with the enrolled group.
    #[must_use]
    pub fn is_of_enrolment(self) -> bool {
        Standing::ALL
            .into_iter()
            .any(|standing| Self::of_enrolment(standing) == self)
    }

    /// The state of this word.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.word() == word)
    }

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Linked => "linked",
            Self::Unlinked => "unlinked",
            Self::Escrow => "escrow",
            Self::Withheld => "withheld",
            Self::Held => "held",
            Self::Disabled => "disabled",
            Self::OutOfScope => "out-of-scope",
            Self::Gone => "gone",
            Self::Unmanaged => "unmanaged",
            Self::Enrolled => "enrolled",
            Self::EnrolPending => "enrol-pending",
            Self::EnrolLeaving => "enrol-leaving",
            Self::NotEnrolled => "not-enrolled",
            Self::KeyWithoutPasskey => "key-without-passkey",
            Self::PasskeyWithoutKey => "passkey-without-key",
            Self::RemovedByHand => "removed-by-hand",
            Self::ForeignMember => "foreign-member",
            Self::EnrolRefused => "enrol-refused",
            Self::EnrolUnknown => "enrol-unknown",
        }
    }
}

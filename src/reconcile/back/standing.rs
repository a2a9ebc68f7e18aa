//! How a user stands with the enrolled group, in one word: for lists, counts and metrics.

use serde::{Deserialize, Serialize};

use super::enrolled::Decided;
use super::enrolled::EnrolledFinding;
use super::enrolled::Move;
use super::enrolled::Still;

/// How a user stands with the enrolled group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Standing {
    /// No member, and nothing makes one of the user.
    Outside,
    /// A member with an active key.
    Member,
    /// An active key, and not a member yet: the add is due, withheld, or not seen yet.
    Pending,
    /// An active key, and no passkey in Entra was seen.
    KeyWithoutPasskey,
    /// A passkey in Entra, and no active key.
    PasskeyWithoutKey,
    /// Somebody took the member out by hand.
    RemovedByHand,
    /// A member without an active key whom melonsync did not add.
    Foreign,
    /// A member without an active key who leaves: the wait runs, or the removal is due, withheld, or not seen yet.
    Leaving,
    /// Graph refused the change of this membership.
    Refused,
    /// Nothing is known of the key, the owner or the membership.
    Unknown,
}

impl Standing {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Outside,
        Self::Member,
        Self::Pending,
        Self::KeyWithoutPasskey,
        Self::PasskeyWithoutKey,
        Self::RemovedByHand,
        Self::Foreign,
        Self::Leaving,
        Self::Refused,
        Self::Unknown,
    ];

    /// Returns its code in JSON and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Outside => "outside",
            Self::Member => "member",
            Self::Pending => "pending",
            Self::KeyWithoutPasskey => "key_without_passkey",
            Self::PasskeyWithoutKey => "passkey_without_key",
            Self::RemovedByHand => "removed_by_hand",
            Self::Foreign => "foreign_member",
            Self::Leaving => "leaving",
            Self::Refused => "refused_by_entra",
            Self::Unknown => "unknown",
        }
    }

    /// True where key and passkey do not go together: a difference between both sides that no operation mends.
    #[must_use]
    pub const fn is_drift(self) -> bool {
        matches!(self, Self::KeyWithoutPasskey | Self::PasskeyWithoutKey)
    }

    /// Returns it in words, for `explain`.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Outside => "not in the enrolled group: no active security key",
            Self::Member => "in the enrolled group: an active security key",
            Self::Pending => "not in the enrolled group yet, and is to be added: an active security key",
            Self::KeyWithoutPasskey => {
                "not in the enrolled group: an active security key, and no passkey in Entra was seen"
            }
            Self::PasskeyWithoutKey => {
                "not in the enrolled group: a passkey in Entra, and no active security key"
            }
            Self::RemovedByHand => {
                "not in the enrolled group: somebody took the member out by hand, although the key is active"
            }
            Self::Foreign => {
                "in the enrolled group without an active security key, and not added by melonsync: it stays until released"
            }
            Self::Leaving => "in the enrolled group without an active security key, and about to leave it",
            Self::Refused => "Entra refused the change of this membership",
            Self::Unknown => "nothing is known of the key, its owner or the membership: it stays as it is",
        }
    }

    /// Returns how a user stands by what was decided. `passkey`: one in Entra was seen.
    #[must_use]
    pub fn of(decided: &Decided, member: Option<bool>, passkey: bool) -> Self {
        match (decided.step, decided.finding) {
            (_, Some(EnrolledFinding::RemovedByHand)) => Self::RemovedByHand,
            (_, Some(EnrolledFinding::ForeignMember)) => Self::Foreign,
            (_, Some(EnrolledFinding::KeyWithoutPasskey)) => Self::KeyWithoutPasskey,
            (Move::Add, _) => Self::Pending,
            (Move::Remove, _) => Self::Leaving,
            (Move::Nothing(Still::LeavesLater), _) => Self::Leaving,
            (Move::Look | Move::Nothing(Still::NotArrived), _) => {
                match decided.enrolment.open.map(|open| open.add) {
                    Some(false) => Self::Leaving,
                    Some(true) | None => Self::Pending,
                }
            }
            (Move::Nothing(Still::NoEvidence | Still::MemberNotSeenOnce), _) => Self::Unknown,
            (Move::Nothing(Still::AsItShouldBe | Still::Never), _) => match member {
                Some(true) => Self::Member,
                _ if passkey => Self::PasskeyWithoutKey,
                _ => Self::Outside,
            },
            (
                Move::Nothing(Still::KeyWithoutPasskey | Still::RemovedByHand | Still::ForeignMember),
                None | Some(EnrolledFinding::NotKeptByEntra),
            ) => Self::Unknown,
        }
    }
}

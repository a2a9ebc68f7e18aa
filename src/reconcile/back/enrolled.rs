//! The decision for one user and the enrolled group: which row of the table in docs/design/write-back.md, "Enrolled group", applies.
//!
//! Adding a member can lock somebody out, and removing one loosens how they sign in: a member joins on positive evidence only, and
//! only a member whom melonsync added leaves, after two complete readings without an active key. Keys name their owner by an address
//! alone: that nobody holds one under a name of theirs is only known once the names were read after the first of the two.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;

use super::cell::ReadingId;
use super::echo::LOOK_AFTER;
use super::keys::KeyEvidence;
use crate::model::clock::Timestamp;

/// The attribute under which the membership stands in plans, holds and the history.
pub const MEMBER_OF: &str = "memberOf";
/// How long a member whom somebody took out by hand is not put back.
pub const BY_HAND_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// The looks after which a change of membership that is not seen counts as not kept.
const LOOKS: u8 = 2;

/// Whether a passkey in Entra was seen. That none was seen keeps somebody from joining, and never makes anybody leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passkey {
    /// Seen.
    Yes,
    /// Looked for, and not seen.
    NotSeen,
    /// Not looked for, or the answer says nothing.
    Unknown,
}

/// How the owner of the keys stands at the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnerStanding {
    /// Linked and enabled.
    Enabled,
    /// Disabled at the source.
    Disabled,
    /// Not linked, or the link is not complete: nothing is derived.
    Unlinked,
}

/// The first complete reading without an active key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Without {
    /// The reading.
    pub reading: ReadingId,
    /// When.
    pub at: Timestamp,
}

/// A change of membership that was sent, and not seen yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenMembership {
    /// True for an add.
    pub add: bool,
    /// When it was sent.
    pub sent_at: Timestamp,
    /// The number of looks that did not see it.
    pub looks: u8,
    /// The last of them.
    pub looked_at: Option<Timestamp>,
}

/// What is remembered of one user and the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Enrolment {
    /// True where melonsync added the member.
    pub ours: bool,
    /// The first complete reading without an active key, and every one since.
    pub without: Option<Without>,
    /// True once the user was seen as a member.
    pub member_seen: bool,
    /// Since when a member who was seen is not seen any more.
    pub gone_since: Option<Timestamp>,
    /// Since when the user counts as taken out by hand.
    pub by_hand: Option<Timestamp>,
    /// The change that was not seen yet.
    pub open: Option<OpenMembership>,
}

/// What is known of one user in one reading.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    /// The keys; [`KeyEvidence::Unknown`] where the listing is no evidence.
    pub key: KeyEvidence,
    /// A passkey in Entra; `None` where none is required.
    pub passkey: Option<Passkey>,
    /// How the owner stands.
    pub owner: OwnerStanding,
    /// True for an account that is never to be a member.
    pub never: bool,
    /// True for a member of the group; `None` where the membership was not read.
    pub member: Option<bool>,
    /// True where the membership was asked for just now, for this user.
    pub looked: bool,
    /// The reading of the keys.
    pub reading: ReadingId,
    /// When the last reading of everybody's names that was complete began; `None` before the first.
    pub names_read: Option<Timestamp>,
    /// The time.
    pub now: Timestamp,
}

/// Why nothing is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Still {
    /// Nothing is known of the keys, the owner or the membership.
    NoEvidence,
    /// A member with an active key, or no member without one.
    AsItShouldBe,
    /// A passkey is required, and none was seen.
    KeyWithoutPasskey,
    /// A change was sent, and is not seen yet.
    NotArrived,
    /// The member is not seen any more: a second look is awaited.
    MemberNotSeenOnce,
    /// Somebody took the member out by hand.
    RemovedByHand,
    /// A member without a key, whom melonsync did not add: only reported.
    ForeignMember,
    /// A member without a key: a second reading is awaited.
    LeavesLater,
    /// Never to be a member.
    Never,
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// Nothing is sent.
    Nothing(Still),
    /// The membership of this user is asked for, and it is decided again.
    Look,
    /// The user is added.
    Add,
    /// The user is removed; counted by a guard of its own.
    Remove,
}

/// What a person should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EnrolledFinding {
    /// An active key, and no passkey in Entra.
    KeyWithoutPasskey,
    /// Somebody took out a member who has an active key.
    RemovedByHand,
    /// A member without a key, whom melonsync did not add.
    ForeignMember,
    /// Entra accepted a change of membership and does not show it.
    NotKeptByEntra,
}

impl EnrolledFinding {
    /// Returns its code in reports.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::KeyWithoutPasskey => "key_without_passkey",
            Self::RemovedByHand => "removed_by_hand",
            Self::ForeignMember => "foreign_member",
            Self::NotKeptByEntra => "not_kept_by_entra",
        }
    }
}

/// What was decided for a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decided {
    /// What is remembered afterwards. A change is not open in it yet: see [`Enrolment::opened`].
    pub enrolment: Enrolment,
    /// What is to be done.
    pub step: Move,
    /// What a person should know.
    pub finding: Option<EnrolledFinding>,
}

impl Enrolment {
    /// Returns what is remembered once a change is about to be sent; stored before it is.
    #[must_use]
    pub fn opened(self, add: bool, now: Timestamp) -> Self {
        Self {
            // Ours from the moment at which it may have been added; after a removal, until it is seen to be done.
            ours: true,
            by_hand: None,
            gone_since: None,
            open: Some(OpenMembership {
                add,
                sent_at: now,
                looks: 0,
                looked_at: None,
            }),
            ..self
        }
    }

    /// Returns what is remembered after Graph answered that there was nothing to do: whoever was a member already was not added by
    /// us.
    #[must_use]
    pub fn found_done(self, add: bool) -> Self {
        Self {
            ours: false,
            member_seen: add,
            open: None,
            ..self
        }
    }

    /// Returns what is remembered once a person let the user join again, or a foreign member leave.
    #[must_use]
    pub const fn released(self) -> Self {
        Self {
            by_hand: None,
            ours: self.ours || self.member_seen,
            ..self
        }
    }
}

/// Decides one user.
#[must_use]
pub fn decide(before: &Enrolment, seen: &Seen, leave_after: Duration) -> Decided {
    let mut enrolment = *before;
    let heard = membership(&mut enrolment, seen);
    // What the listing says is noted whatever becomes of the membership: a key seen meanwhile must not be forgotten.
    let absent = note_keys(&mut enrolment, seen);
    let (step, finding) = match (heard, seen.member, absent) {
        (Some((step, finding)), _, _) => (step, finding),
        (None, None, _) | (None, _, Keys::Unknown) => (Move::Nothing(Still::NoEvidence), None),
        (None, Some(true), Keys::Active) | (None, Some(false), Keys::Without { .. }) => {
            let still = if seen.never {
                Still::Never
            } else {
                Still::AsItShouldBe
            };
            (Move::Nothing(still), None)
        }
        (None, Some(false), Keys::Active) => join(&enrolment, seen),
        (None, Some(true), Keys::Without { .. }) if !enrolment.ours => (
            Move::Nothing(Still::ForeignMember),
            Some(EnrolledFinding::ForeignMember),
        ),
        (None, Some(true), Keys::Without { by_name: true }) => {
            (leave(&enrolment, seen, leave_after, seen.names_read), None)
        }
        (None, Some(true), Keys::Without { by_name: false }) => {
            (leave(&enrolment, seen, Duration::ZERO, Some(seen.now)), None)
        }
    };
    Decided {
        enrolment,
        step,
        finding,
    }
}

/// What the keys come to.
#[derive(Clone, Copy)]
enum Keys {
    Active,
    /// None that counts. `by_name`: no listed key has a name of theirs, which proves less than a key that is blocked.
    Without {
        by_name: bool,
    },
    Unknown,
}

/// Notes since when there is no active key. No evidence sets nothing, and takes nothing back.
fn note_keys(enrolment: &mut Enrolment, seen: &Seen) -> Keys {
    let at_once = Keys::Without { by_name: false };
    let keys = match (seen.owner, seen.key) {
        (OwnerStanding::Unlinked, _) | (_, KeyEvidence::Unknown) => Keys::Unknown,
        (OwnerStanding::Disabled, _) | (_, KeyEvidence::Blocked) => at_once,
        (OwnerStanding::Enabled, KeyEvidence::Active) if seen.never => at_once,
        (OwnerStanding::Enabled, KeyEvidence::Active) => Keys::Active,
        (OwnerStanding::Enabled, KeyEvidence::Pending | KeyEvidence::None) => Keys::Without { by_name: true },
    };
    match keys {
        Keys::Active => enrolment.without = None,
        Keys::Without { .. } => {
            enrolment.without.get_or_insert(Without {
                reading: seen.reading,
                at: seen.now,
            });
        }
        Keys::Unknown => {}
    }
    keys
}

/// Notes what the membership was read to be. Returns the step where it decides alone.
fn membership(enrolment: &mut Enrolment, seen: &Seen) -> Option<(Move, Option<EnrolledFinding>)> {
    let member = seen.member?;
    if let Some(mut open) = enrolment.open {
        if open.add == member {
            enrolment.open = None;
            enrolment.ours = member;
            enrolment.member_seen = member;
            return None;
        }
        return Some(not_arrived(enrolment, &mut open, seen));
    }
    if member {
        enrolment.member_seen = true;
        enrolment.gone_since = None;
        enrolment.by_hand = None;
        return None;
    }
    if !enrolment.member_seen {
        return None;
    }
    // From now, where the clock was put back behind it.
    let since = enrolment.gone_since.filter(|since| *since <= seen.now);
    let since = *enrolment.gone_since.insert(since.unwrap_or(seen.now));
    if seen.now.since(since) < LOOK_AFTER {
        return Some((Move::Nothing(Still::MemberNotSeenOnce), None));
    }
    *enrolment = Enrolment {
        ours: false,
        member_seen: false,
        gone_since: None,
        by_hand: Some(seen.now),
        ..*enrolment
    };
    None
}

fn not_arrived(
    enrolment: &mut Enrolment,
    open: &mut OpenMembership,
    seen: &Seen,
) -> (Move, Option<EnrolledFinding>) {
    let last = open.looked_at.unwrap_or(open.sent_at);
    let due = seen.now < last || seen.now.since(last) >= LOOK_AFTER;
    if !due {
        return (Move::Nothing(Still::NotArrived), None);
    }
    if !seen.looked {
        return (Move::Look, None);
    }
    open.looks += 1;
    open.looked_at = Some(seen.now);
    if open.looks < LOOKS {
        enrolment.open = Some(*open);
        return (Move::Nothing(Still::NotArrived), None);
    }
    // Accepted and not kept: somebody else undid it at once, or a rule of the group did. It is not sent again for a day.
    *enrolment = Enrolment {
        open: None,
        ours: !open.add,
        by_hand: open.add.then_some(seen.now),
        without: None,
        ..*enrolment
    };
    (
        Move::Nothing(Still::NotArrived),
        Some(EnrolledFinding::NotKeptByEntra),
    )
}

/// Somebody with an active key who is no member.
fn join(enrolment: &Enrolment, seen: &Seen) -> (Move, Option<EnrolledFinding>) {
    let by_hand = enrolment
        .by_hand
        .is_some_and(|since| seen.now.since(since) < BY_HAND_FOR);
    if by_hand {
        return (
            Move::Nothing(Still::RemovedByHand),
            Some(EnrolledFinding::RemovedByHand),
        );
    }
    match seen.passkey {
        None | Some(Passkey::Yes) => (Move::Add, None),
        Some(Passkey::NotSeen) => (
            Move::Nothing(Still::KeyWithoutPasskey),
            Some(EnrolledFinding::KeyWithoutPasskey),
        ),
        Some(Passkey::Unknown) => (Move::Nothing(Still::NoEvidence), None),
    }
}

/// A member of ours without an active key, by two readings at least so far apart, and by names that were read since the first.
fn leave(enrolment: &Enrolment, seen: &Seen, apart: Duration, names_read: Option<Timestamp>) -> Move {
    let proven = enrolment.without.is_some_and(|first| {
        first.reading != seen.reading
            && seen.now >= first.at
            && seen.now.since(first.at) >= apart
            && names_read.is_some_and(|read| read >= first.at)
    });
    if proven {
        Move::Remove
    } else {
        Move::Nothing(Still::LeavesLater)
    }
}

#[cfg(test)]
mod tests;

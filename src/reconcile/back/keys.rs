//! Security keys at IDmelon as evidence: when a listing of them proves anything, and whose key is whose.
//!
//! A key names its owner by an e-mail address. The address is looked for among the present and former names of linked users, so
//! that a change of name drops nobody; one that fits nobody, or several, is a finding, and says nothing about those whom it fits.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::model::id::SourceId;

/// One security key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecurityKey {
    /// Its `_id`.
    pub id: String,
    /// The address of its owner; `None` where the service names none. Whoever it is shared with does not count.
    pub owner: Option<String>,
    /// Its state.
    pub state: KeyState,
}

/// The state of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyState {
    /// Can be signed in with.
    Active,
    /// Not enrolled yet.
    Pending,
    /// Blocked, whatever else it is.
    Blocked,
    /// A state that no code knows: no evidence for its owner, either way.
    Other,
}

/// What the keys of one user come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyEvidence {
    /// At least one active key.
    Active,
    /// A blocked key, and no active one.
    Blocked,
    /// A pending key, and no other.
    Pending,
    /// No key in a complete listing.
    None,
    /// Nothing is known.
    Unknown,
}

/// How a listing of keys was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listing {
    /// The number of different keys.
    pub distinct: u64,
    /// The number that the service announced, where it did.
    pub announced: Option<u64>,
    /// True where a second pass brought the same keys: rows move while a listing is paged.
    pub steady: bool,
}

/// Why a listing of keys is no evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoEvidence {
    /// It has fewer keys than the service announced.
    Short,
    /// The passes brought different keys.
    Moving,
    /// It has fewer than half the keys of the last complete listing.
    Shrunk,
}

/// Judges a listing of keys: it is evidence, or the reason why it is none. `before`: the number of keys in the last listing that was
/// evidence, or that a person accepted.
///
/// # Errors
/// The reason why nothing may be derived from it.
pub fn judge(listing: Listing, before: Option<u64>) -> Result<(), NoEvidence> {
    if listing
        .announced
        .is_some_and(|announced| listing.distinct < announced)
    {
        Err(NoEvidence::Short)
    } else if !listing.steady {
        Err(NoEvidence::Moving)
    } else if before.is_some_and(|before| listing.distinct.saturating_mul(2) < before) {
        Err(NoEvidence::Shrunk)
    } else {
        Ok(())
    }
}

/// The present and former names of linked users: userName and mail.
#[derive(Debug, Clone, Default)]
pub struct Owners {
    by_name: BTreeMap<String, BTreeSet<SourceId>>,
}

/// Whose a key is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// One linked user's.
    Known(SourceId),
    /// Nobody's whom we know.
    Stranger,
    /// It may be any of these.
    Several(BTreeSet<SourceId>),
}

impl Owners {
    /// Adds a name that a linked user has or had.
    pub fn add(&mut self, name: &str, user: SourceId) {
        let name = folded(name);
        if !name.is_empty() {
            self.by_name.entry(name).or_default().insert(user);
        }
    }

    /// Returns whose key has this owner.
    #[must_use]
    pub fn owner(&self, address: &str) -> Owner {
        match self.by_name.get(&folded(address)) {
            Some(users) if users.len() == 1 => {
                users.first().map_or(Owner::Stranger, |user| Owner::Known(*user))
            }
            Some(users) => Owner::Several(users.clone()),
            None => Owner::Stranger,
        }
    }
}

/// Returns an address as addresses are compared.
#[must_use]
pub fn folded(name: &str) -> String {
    name.trim().to_lowercase()
}

/// What a complete listing says about users.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Evidence {
    by_user: BTreeMap<SourceId, KeyEvidence>,
    /// Users who share the address of a key: nothing is known of any of them.
    doubtful: BTreeSet<SourceId>,
    /// The keys whose owner is nobody, or several: for the finding.
    pub unowned: Vec<String>,
}

impl Evidence {
    /// Derives the evidence from the keys of a complete listing.
    #[must_use]
    pub fn of(keys: &[SecurityKey], owners: &Owners) -> Self {
        let mut evidence = Self::default();
        for key in keys {
            match key.owner.as_deref().map(|address| owners.owner(address)) {
                Some(Owner::Known(user)) => evidence.count(user, key.state),
                Some(Owner::Several(users)) => {
                    evidence.unowned.push(key.id.clone());
                    evidence.doubtful.extend(users);
                }
                Some(Owner::Stranger) | None => evidence.unowned.push(key.id.clone()),
            }
        }
        evidence
    }

    fn count(&mut self, user: SourceId, state: KeyState) {
        let more = match state {
            KeyState::Active => KeyEvidence::Active,
            KeyState::Blocked => KeyEvidence::Blocked,
            KeyState::Pending => KeyEvidence::Pending,
            KeyState::Other => KeyEvidence::Unknown,
        };
        let known = self.by_user.entry(user).or_insert(KeyEvidence::None);
        *known = match (*known, more) {
            (KeyEvidence::Active, _) | (_, KeyEvidence::Active) => KeyEvidence::Active,
            // A key in an unknown state leaves open what the others come to.
            (KeyEvidence::Unknown, _) | (_, KeyEvidence::Unknown) => KeyEvidence::Unknown,
            (one, other) => one.min(other),
        };
    }

    /// Returns the evidence for one linked user.
    #[must_use]
    pub fn of_user(&self, user: SourceId) -> KeyEvidence {
        if self.doubtful.contains(&user) {
            KeyEvidence::Unknown
        } else {
            self.by_user.get(&user).copied().unwrap_or(KeyEvidence::None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> SourceId {
        SourceId::from_bytes([number; 16])
    }

    fn key(owner: &str, state: KeyState) -> SecurityKey {
        SecurityKey {
            id: format!("{owner}-{state:?}"),
            owner: (!owner.is_empty()).then(|| owner.to_owned()),
            state,
        }
    }

    #[test]
    fn a_listing_is_evidence_only_where_it_is_whole_steady_and_not_suddenly_small() {
        for (name, distinct, announced, steady, before, expected) in [
            ("whole", 10, Some(10), true, Some(10), Ok(())),
            ("without a number", 10, None, true, None, Ok(())),
            ("more than announced", 11, Some(10), true, None, Ok(())),
            ("short", 9, Some(10), true, Some(10), Err(NoEvidence::Short)),
            ("moving", 10, Some(10), false, Some(10), Err(NoEvidence::Moving)),
            ("half is not less than half", 5, Some(5), true, Some(10), Ok(())),
            (
                "less than half",
                4,
                Some(4),
                true,
                Some(10),
                Err(NoEvidence::Shrunk),
            ),
            (
                "empty after a first key",
                0,
                None,
                true,
                Some(1),
                Err(NoEvidence::Shrunk),
            ),
            ("empty from the start", 0, None, true, Some(0), Ok(())),
        ] {
            let listing = Listing {
                distinct,
                announced,
                steady,
            };
            assert_eq!(judge(listing, before), expected, "{name}");
        }
    }

    #[test]
    fn a_key_is_one_persons_by_any_name_that_only_they_have_or_had() {
        let mut owners = Owners::default();
        for (name, user) in [
            ("ada@corp.example", 1),
            ("ada.king@corp.example", 1),
            ("info@corp.example", 2),
            ("info@corp.example", 3),
            ("bo@corp.example", 2),
            (" ", 4),
        ] {
            owners.add(name, id(user));
        }
        use KeyState::{Active, Blocked, Other, Pending};
        for (name, keys, user, expected) in [
            ("no key", vec![], 1, KeyEvidence::None),
            (
                "active",
                vec![key("ada@corp.example", Active)],
                1,
                KeyEvidence::Active,
            ),
            (
                "by a former name, in another case",
                vec![key("Ada.King@corp.example ", Active)],
                1,
                KeyEvidence::Active,
            ),
            (
                "blocked",
                vec![key("ada@corp.example", Blocked)],
                1,
                KeyEvidence::Blocked,
            ),
            (
                "a blocked and an active one",
                vec![key("ada@corp.example", Blocked), key("ada@corp.example", Active)],
                1,
                KeyEvidence::Active,
            ),
            (
                "pending and blocked",
                vec![key("ada@corp.example", Pending), key("ada@corp.example", Blocked)],
                1,
                KeyEvidence::Blocked,
            ),
            (
                "a new state",
                vec![key("ada@corp.example", Other)],
                1,
                KeyEvidence::Unknown,
            ),
            (
                "of two people, one of whom has an own key",
                vec![key("bo@corp.example", Active), key("info@corp.example", Active)],
                2,
                KeyEvidence::Unknown,
            ),
            (
                "the other of the two",
                vec![key("info@corp.example", Active)],
                3,
                KeyEvidence::Unknown,
            ),
            (
                "somebody else's",
                vec![key("bo@corp.example", Active)],
                1,
                KeyEvidence::None,
            ),
            ("no owner", vec![key("", Active)], 4, KeyEvidence::None),
        ] {
            assert_eq!(Evidence::of(&keys, &owners).of_user(id(user)), expected, "{name}");
            let reversed: Vec<SecurityKey> = keys.into_iter().rev().collect();
            let evidence = Evidence::of(&reversed, &owners);
            assert_eq!(
                evidence.of_user(id(user)),
                expected,
                "{name}, the other way round"
            );
        }
        let strangers = [key("nobody@corp.example", Active), key("", Active)];
        assert_eq!(Evidence::of(&strangers, &owners).unowned.len(), 2);
    }
}

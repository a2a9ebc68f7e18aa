//! What is remembered of the enrolled group: each user who has to do with it, and what the last evidence came to.
//!
//! A change of a membership is stored as open before it is sent, so that a crash in between leaves a question and never a second
//! request. An entry goes once there is nothing to remember of its user.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::ports::StoreError;
use crate::ports::Table;
use crate::reconcile::back::enrolled::Enrolment;
use crate::reconcile::back::standing::Standing;

use super::keys;
use super::read::Reads;
use super::record::{self, Record};
use super::state::{StateKey, StateReads};
use super::store::Snapshot;
use super::tx::Tx;

/// What is remembered of one user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    /// What the decision goes by.
    pub enrolment: Enrolment,
    /// How the user stood in the last cycle that looked.
    pub standing: Standing,
    /// When that last changed.
    pub since: Timestamp,
    /// True where Graph answered the open change that it was carried out.
    pub answered: bool,
    /// The last refusal, and when it was: it is not asked again at once.
    pub refused: Option<Refused>,
    /// Whether the report of registered methods has a passkey of this user, as last read.
    pub passkey: Option<bool>,
    /// The addresses under which keys of this user were seen, in lower case: a change of name loses none of them.
    pub addresses: BTreeSet<String>,
}

/// A change of membership that Graph refused for this user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// When.
    pub at: Timestamp,
}

impl Enrolled {
    /// Begins to remember a user.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self {
            enrolment: Enrolment::default(),
            standing: Standing::Outside,
            since: now,
            answered: false,
            refused: None,
            passkey: None,
            addresses: BTreeSet::new(),
        }
    }

    /// Notes how the user stands now.
    pub fn stands(&mut self, standing: Standing, now: Timestamp) {
        if self.standing != standing {
            (self.standing, self.since) = (standing, now);
        }
    }

    /// True where nothing is to be remembered: the next look comes to the same without it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let Enrolment {
            ours,
            without,
            by_hand,
            open,
            ..
        } = self.enrolment;
        let idle = !ours && without.is_none() && by_hand.is_none() && open.is_none();
        idle && self.refused.is_none() && self.addresses.is_empty() && self.standing == Standing::Outside
    }
}

/// What is remembered of the group as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// The group: of another one nothing is remembered.
    pub group: Option<SourceId>,
    /// The number of the last reading of the keys.
    pub reading: u64,
    /// How many keys the last listing that was evidence had.
    pub keys: Option<u64>,
    /// The keys whose owner nobody is, or several: looked for among former names once.
    pub unowned: BTreeSet<String>,
    /// When the report of registered methods was last read.
    pub reported_at: Option<Timestamp>,
    /// When a listing was last evidence.
    pub proven_at: Option<Timestamp>,
    /// True once a change of its members was carried out.
    pub succeeded: bool,
    /// True while the right to change its members is missing.
    pub lacks_right: bool,
    /// How many users stand how.
    pub counts: BTreeMap<String, u64>,
    /// What a person should know: code, text, advice.
    pub findings: Vec<(String, String, String)>,
    /// The codes of those that stop it.
    #[serde(default)]
    pub stops: BTreeSet<String>,
}

/// What is remembered of the group as a whole.
pub(super) const GROUP: StateKey<Group> =
    StateKey::json("enrolled_group", "what is known of the enrolled group");

fn key(user: &SourceId) -> Vec<u8> {
    [&[ENROLMENT], user.as_bytes().as_slice()].concat()
}

/// The first byte of the key of an enrolment.
const ENROLMENT: u8 = 1;

fn parse(key: &[u8]) -> Option<SourceId> {
    match key.split_first()? {
        (&ENROLMENT, id) => keys::parse_id(id),
        _ => None,
    }
}

/// Builds the line of an entry for `state export`.
pub(super) fn line(key: &[u8], value: &[u8]) -> Result<serde_json::Value, record::Undecodable> {
    let user = parse(key).ok_or_else(|| record::Undecodable("a key that does not decode".to_owned()))?;
    let enrolled: Enrolled = record::decode(value)?;
    Ok(json!({"type": "enrolled", "id": user.to_string(), "enrolled": enrolled}))
}

/// Reads of enrolments.
pub trait EnrolmentReads: Reads {
    /// Returns what is remembered of a user.
    fn enrolled(&self, user: &SourceId) -> Result<Option<Enrolled>, StoreError> {
        self.decoded(Table::Enrolments, &key(user))
    }

    /// Shows what is remembered of each user.
    ///
    /// # Errors
    /// As [`Reads`], and what `show` returns.
    fn each_enrolled(
        &self,
        mut show: impl FnMut(SourceId, Enrolled) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>
    where
        Self: Sized,
    {
        self.each_raw(Table::Enrolments, &[ENROLMENT], |key, value| {
            let user = parse(key).ok_or_else(|| self.bad_key(Table::Enrolments))?;
            show(user, self.decode(Table::Enrolments, value)?)
        })
    }

    /// Returns what is remembered of the group as a whole.
    fn enrolled_group(&self) -> Result<Option<Group>, StoreError> {
        self.state(&GROUP)
    }
}

impl<R: Reads> EnrolmentReads for R {}

impl Snapshot {
    /// Shows the record of each user.
    ///
    /// # Errors
    /// As [`Reads`].
    pub fn each_user(&self, show: impl FnMut(&Record)) -> Result<(), StoreError> {
        self.each_record(ObjectKind::User, show)
    }
}

impl Tx<'_> {
    /// Stores what is remembered of a user, or nothing where there is nothing to remember.
    pub fn put_enrolled(&mut self, user: &SourceId, enrolled: &Enrolled) {
        if enrolled.is_empty() {
            self.delete_enrolled(user);
        } else {
            self.put(Table::Enrolments, key(user), record::encode(enrolled));
        }
    }

    /// Forgets a user.
    pub fn delete_enrolled(&mut self, user: &SourceId) {
        self.delete(Table::Enrolments, key(user));
    }

    /// Stores what is remembered of the group as a whole.
    pub fn put_enrolled_group(&mut self, group: &Group) {
        self.put_state(&GROUP, group);
    }
}

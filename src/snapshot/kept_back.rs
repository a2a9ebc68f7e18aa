//! What is kept back from the target: operations withheld by the guard, objects on hold, and a paused job.
//!
//! A withheld operation has an entry here from the cycle that withheld it until it is sent, rejected, or a cycle finds
//! that the source no longer asks for it. Entries record what was asked for; what is sent is planned anew each time.

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::model::clock::Timestamp;
use crate::model::id::CycleId;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::ports::StoreError;
use crate::ports::Table;
use crate::reconcile::guard::Class;
use crate::reconcile::guard::review::Alike;
use crate::reconcile::operation::Verb;

use super::keys;
use super::read::Reads;
use super::record;
use super::state::{StateKey, StateReads};
use super::tx::Tx;

/// An operation that the guard withholds, or that a person released and that is not sent yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Withheld {
    /// The verb of the operation.
    pub verb: Verb,
    /// The label of the reason for it ([`crate::reconcile::operation::Reason::label`]).
    pub reason: String,
    /// The reason as text.
    pub because: String,
    /// The guard's reason for withholding it.
    pub why: String,
    /// The number of operations that it counts for: one, or one a membership.
    pub count: u64,
    /// The members that the group would lose.
    pub members: Vec<SourceId>,
    /// When it was first withheld.
    pub since: Timestamp,
    /// The last cycle that planned it.
    pub cycle: CycleId,
    /// The person who released it, once one did.
    pub released_by: Option<String>,
    /// The resource that it would adopt, for an adoption that waits for its review.
    #[serde(default)]
    pub alike: Option<Alike>,
}

/// The layout from before adoptions were reviewed.
#[derive(Deserialize)]
struct WithoutAlike {
    verb: Verb,
    reason: String,
    because: String,
    why: String,
    count: u64,
    members: Vec<SourceId>,
    since: Timestamp,
    cycle: CycleId,
    released_by: Option<String>,
}

impl From<WithoutAlike> for Withheld {
    fn from(old: WithoutAlike) -> Self {
        Self {
            verb: old.verb,
            reason: old.reason,
            because: old.because,
            why: old.why,
            count: old.count,
            members: old.members,
            since: old.since,
            cycle: old.cycle,
            released_by: old.released_by,
            alike: None,
        }
    }
}

impl Withheld {
    /// Returns true for the same operation on the same resource: only what a person looked at is released.
    #[must_use]
    pub fn is_about(&self, verb: Verb, alike: Option<&Alike>) -> bool {
        let resource = |alike: &Alike| alike.target.clone();
        self.verb == verb && self.alike.as_ref().map(resource) == alike.map(resource)
    }

    fn decode(bytes: &[u8]) -> Result<Self, record::Undecodable> {
        record::decode(bytes).or_else(|error| {
            let old: Result<WithoutAlike, _> = record::decode(bytes);
            old.map(Self::from).map_err(|_| error)
        })
    }
}

/// The key of a withheld operation.
pub type WithheldKey = (ObjectKind, SourceId, Class);

/// The reason why an object is on hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum HoldCause {
    /// A person put it on hold.
    Hand,
    /// A withheld operation on it was rejected.
    Reject,
    /// A change of its membership in the enrolled group was taken back.
    Undo,
}

impl HoldCause {
    /// Returns the name of the cause.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hand => "hold",
            Self::Reject => "reject",
            Self::Undo => "undo",
        }
    }
}

/// One hold: of a whole object, or of one of its attributes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hold {
    /// The target path, as the mapping writes it; `None` for the whole object.
    pub attribute: Option<String>,
    /// When the hold ends by itself.
    pub until: Option<Timestamp>,
    /// When the hold began.
    pub since: Timestamp,
    /// The actor.
    pub actor: String,
    /// The actor's comment.
    pub comment: Option<String>,
    /// The reason.
    pub cause: HoldCause,
}

impl Hold {
    /// Returns true while the hold has not ended by itself.
    #[must_use]
    pub fn holds_at(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// Describes the hold, for reports about what it holds back.
    #[must_use]
    pub fn words(&self) -> String {
        let until = self
            .until
            .map_or_else(String::new, |until| format!(", until {until}"));
        let comment = self
            .comment
            .as_ref()
            .map_or_else(String::new, |comment| format!(": {comment}"));
        format!(
            "{} by {} since {}{until}{comment}",
            self.cause.word(),
            self.actor,
            self.since
        )
    }
}

/// The pause of a job: reading and planning go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    /// True if only removals wait.
    pub removals_only: bool,
    /// When the pause ends by itself.
    pub until: Option<Timestamp>,
    /// When the pause began.
    pub since: Timestamp,
    /// The actor.
    pub actor: String,
    /// The actor's comment.
    pub comment: Option<String>,
}

/// The job's pause.
pub(super) const PAUSE: StateKey<Pause> = StateKey::json("pause", "the pause");

/// The first byte of the key of a withheld operation.
const WITHHELD: u8 = 1;
/// The first byte of the key of a hold.
const HOLD: u8 = 2;

const fn class_byte(class: Class) -> u8 {
    match class {
        Class::Removal => 1,
        Class::Members => 2,
        Class::Identity => 3,
        Class::Create => 4,
        Class::Adoption => 5,
        Class::Join => 6,
        Class::Leave => 7,
        Class::WriteBack => 8,
    }
}

fn withheld_key((kind, id, class): &WithheldKey) -> Vec<u8> {
    let mut key = vec![WITHHELD];
    key.extend(keys::object(*kind, id));
    key.push(class_byte(*class));
    key
}

fn parse_withheld(key: &[u8]) -> Option<WithheldKey> {
    let (&WITHHELD, rest) = key.split_first()? else {
        return None;
    };
    let (&class, object) = rest.split_last()?;
    let (kind, id) = keys::parse_object(object)?;
    let class = Class::ALL.into_iter().find(|known| class_byte(*known) == class)?;
    Some((kind, id, class))
}

fn hold_key(kind: ObjectKind, id: &SourceId, attribute: Option<&str>) -> Vec<u8> {
    let mut key = vec![HOLD];
    key.extend(keys::object(kind, id));
    key.extend(attribute.unwrap_or_default().to_lowercase().into_bytes());
    key
}

fn parse_hold(key: &[u8]) -> Option<(ObjectKind, SourceId)> {
    let (&HOLD, rest) = key.split_first()? else {
        return None;
    };
    keys::parse_object(rest.get(..17)?)
}

/// Builds the line of an entry for `state export`.
pub(super) fn line(key: &[u8], value: &[u8]) -> Result<serde_json::Value, record::Undecodable> {
    if let Some((kind, id, class)) = parse_withheld(key) {
        let entry = Withheld::decode(value)?;
        let (id, withheld) = (id.to_string(), entry);
        return Ok(json!({"type": "withheld", "kind": kind, "id": id, "class": class, "withheld": withheld}));
    }
    let Some((kind, id)) = parse_hold(key) else {
        return Err(record::Undecodable("a key that does not decode".to_owned()));
    };
    let hold: Hold = record::decode(value)?;
    Ok(json!({"type": "hold", "kind": kind, "id": id.to_string(), "hold": hold}))
}

/// Reads of withheld operations, holds and the pause.
pub trait KeptBackReads: Reads {
    /// Returns one withheld operation.
    fn withheld(&self, key: &WithheldKey) -> Result<Option<Withheld>, StoreError> {
        let bytes = self.raw(Table::KeptBack, &withheld_key(key))?;
        bytes.map(|bytes| decoded(self, &bytes)).transpose()
    }

    /// Shows every withheld operation, a page at a time.
    ///
    /// # Errors
    /// As [`Reads`], and what `show` returns.
    fn each_withheld(
        &self,
        mut show: impl FnMut(WithheldKey, Withheld) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>
    where
        Self: Sized,
    {
        self.each_raw(Table::KeptBack, &[WITHHELD], |key, value| {
            let parsed = parse_withheld(key).ok_or_else(|| self.bad_key(Table::KeptBack))?;
            show(parsed, decoded(self, value)?)
        })
    }

    /// Returns every hold, including ended ones. There are as many as people and `reject` made: they fit in memory.
    fn holds(&self) -> Result<Vec<(ObjectKind, SourceId, Hold)>, StoreError> {
        self.raw_scan(Table::KeptBack, &[HOLD], None, usize::MAX)?
            .iter()
            .map(|(key, value)| {
                let (kind, id) = parse_hold(key).ok_or_else(|| self.bad_key(Table::KeptBack))?;
                Ok((kind, id, self.decode(Table::KeptBack, value)?))
            })
            .collect()
    }

    /// Returns the job's pause, even if it has ended by itself.
    fn pause(&self) -> Result<Option<Pause>, StoreError> {
        self.state(&PAUSE)
    }

    /// Returns the job's pause if it is in force at this moment.
    fn pause_at(&self, now: Timestamp) -> Result<Option<Pause>, StoreError> {
        let holds = |pause: &Pause| pause.until.is_none_or(|until| now < until);
        Ok(self.pause()?.filter(holds))
    }
}

fn decoded<R: Reads + ?Sized>(reads: &R, bytes: &[u8]) -> Result<Withheld, StoreError> {
    Withheld::decode(bytes)
        .map_err(|error| reads.damaged(format_args!("{error}, in table {:?}", Table::KeptBack)))
}

impl<R: Reads> KeptBackReads for R {}

impl Tx<'_> {
    /// Stores a withheld operation.
    pub fn put_withheld(&mut self, key: &WithheldKey, entry: &Withheld) {
        self.put(Table::KeptBack, withheld_key(key), record::encode(entry));
    }

    /// Deletes a withheld operation that was sent or rejected, or is no longer asked for.
    pub fn delete_withheld(&mut self, key: &WithheldKey) {
        self.delete(Table::KeptBack, withheld_key(key));
    }

    /// Puts an object, or one attribute of it, on hold.
    pub fn put_hold(&mut self, kind: ObjectKind, id: &SourceId, hold: &Hold) {
        let key = hold_key(kind, id, hold.attribute.as_deref());
        self.put(Table::KeptBack, key, record::encode(hold));
    }

    /// Ends a hold.
    pub fn delete_hold(&mut self, kind: ObjectKind, id: &SourceId, attribute: Option<&str>) {
        self.delete(Table::KeptBack, hold_key(kind, id, attribute));
    }

    /// Pauses the job, or ends its pause.
    pub fn put_pause(&mut self, pause: Option<&Pause>) {
        match pause {
            Some(pause) => self.put_state(&PAUSE, pause),
            None => self.delete_state(&PAUSE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_from_before_adoptions_were_reviewed_reads_back() {
        let (since, cycle) = (Timestamp(7), CycleId(uuid::Uuid::nil()));
        let members: Vec<SourceId> = vec![SourceId::from_bytes([9; 16])];
        let old = (
            Verb::DeleteUser,
            "hard_deleted",
            "deleted for good",
            "too many",
            1_u64,
            members.clone(),
            since,
            cycle,
            Some("Ada"),
        );
        let read = Withheld::decode(&record::encode(&old)).unwrap();
        let expected = Withheld {
            verb: Verb::DeleteUser,
            reason: "hard_deleted".to_owned(),
            because: "deleted for good".to_owned(),
            why: "too many".to_owned(),
            count: 1,
            members,
            since,
            cycle,
            released_by: Some("Ada".to_owned()),
            alike: None,
        };
        assert_eq!(read, expected);
        assert_eq!(Withheld::decode(&record::encode(&expected)).unwrap(), expected);
        assert!(Withheld::decode(&[record::VERSION, 1, 2, 3]).is_err());
    }
}

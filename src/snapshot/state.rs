//! Values that a snapshot stores under names, from one cycle to the next: each name with the type of its value.
//!
//! A value begins with the byte of its version. Snapshots of format 4 and before hold values without one; those are
//! read as they stand, and written anew when they change. A value that does not decode is damage, never the same as
//! none: a guard window that counts as empty would let removals through, and a list of open writes that counts as empty
//! would leave unwanted writes at the target.

mod values;

use std::collections::BTreeSet;

use serde::{Serialize, de::DeserializeOwned};

use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::ports::StoreError;
use crate::reconcile::guard::named::NamedAt;
use crate::reconcile::refresh::Sweep;

use super::{
    read::Reads,
    record::{self, Undecodable},
    tx::Tx,
};

pub use values::{AnotherWriter, AnsweredCreate, ConfigTaken, Notice, OpenWrite, SentAt, TargetSize};

/// The version that is written.
const VERSION: u8 = record::VERSION;

/// One name, and how its value is encoded and decoded.
#[derive(Debug)]
pub struct StateKey<T: 'static> {
    name: &'static str,
    /// The description of the value, for an error.
    what: &'static str,
    write: fn(&T) -> Vec<u8>,
    read: fn(&[u8]) -> Result<T, Undecodable>,
}

impl<T> Clone for StateKey<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for StateKey<T> {}

impl<T: Serialize + DeserializeOwned> StateKey<T> {
    /// Describes a value that older snapshots hold as JSON alone.
    pub(super) const fn json(name: &'static str, what: &'static str) -> Self {
        Self {
            name,
            what,
            write: |value| {
                let mut bytes = vec![VERSION];
                serde_json::to_writer(&mut bytes, value)
                    .expect("invariant: a value of the state has only texts as its keys");
                bytes
            },
            read: |bytes| {
                serde_json::from_slice(versioned(bytes)?).map_err(|error| Undecodable(error.to_string()))
            },
        }
    }

    /// Describes a value that was always written as a record.
    pub(super) const fn record(name: &'static str, what: &'static str) -> Self {
        Self {
            name,
            what,
            write: |value| record::encode(value),
            read: |bytes| record::decode(bytes),
        }
    }
}

impl StateKey<String> {
    const fn text(name: &'static str, what: &'static str) -> Self {
        Self {
            name,
            what,
            write: |text| [&[VERSION], text.as_bytes()].concat(),
            read: |bytes| {
                let text = std::str::from_utf8(versioned(bytes)?);
                text.map(str::to_owned)
                    .map_err(|error| Undecodable(error.to_string()))
            },
        }
    }
}

impl StateKey<()> {
    /// Describes a mark that is there or not.
    const fn mark(name: &'static str, what: &'static str) -> Self {
        Self {
            name,
            what,
            write: |()| vec![VERSION],
            read: |bytes| match bytes {
                [VERSION] | b"1" => Ok(()),
                _ => Err(Undecodable("a mark with a value".to_owned())),
            },
        }
    }
}

/// Returns the value behind its version. Texts and JSON of older snapshots have none; they never begin with a control
/// character.
fn versioned(bytes: &[u8]) -> Result<&[u8], Undecodable> {
    match bytes {
        [VERSION, value @ ..] => Ok(value),
        [first, ..] if *first < b' ' => Err(Undecodable(format!("it has version {first}"))),
        _ => Ok(bytes),
    }
}

// --------------------------------------------------------------------------------------------- the names

/// The counts of what was sent within the guard window.
pub const SENT_REMOVALS: StateKey<Vec<SentAt>> =
    StateKey::json("sent_removals", "what was sent within the guard window");
/// Users whom admins named, and who went through a closed guard within the hour.
pub const NAMED: StateKey<Vec<NamedAt>> =
    StateKey::json("named_beyond_guard", "who was let through the guard by name");
/// PATCHes and DELETEs without a recorded outcome.
pub const OPEN_WRITES: StateKey<Vec<OpenWrite>> =
    StateKey::json("open_writes", "the writes without a recorded outcome");
/// Creates that were answered although their intents stay open.
pub const ANSWERED_CREATES: StateKey<Vec<AnsweredCreate>> =
    StateKey::json("answered_creates", "the creates that were answered");
/// Values of another writer that the last readings found.
pub const ANOTHER_WRITER: StateKey<AnotherWriter> =
    StateKey::json("another_writer", "what was found of another writer");
/// The warnings that still apply.
pub const STANDING: StateKey<BTreeSet<String>> =
    StateKey::json("standing_warnings", "the warnings that stand");
/// What the client learned about the target's dialect.
pub const LEARNED: StateKey<String> = StateKey::text("dialect", "what was learned of the target");
/// What the target announces about itself.
pub const ANNOUNCED: StateKey<String> = StateKey::text("announced", "what the target announced");
/// Why the snapshot may be older than the target: restored, imported, found on another host.
pub const RESTORED: StateKey<String> = StateKey::text("restored", "the mark of a restore");
/// The snapshot's own id, from its first saved plan on; a new one after a restore.
pub const STATE_ID: StateKey<String> = StateKey::text("state_id", "the snapshot's own name");
/// The fingerprint of mapping, scope and policy for which every object is marked.
pub const FINGERPRINT: StateKey<String> =
    StateKey::text("fingerprint", "the fingerprint of the configuration");
/// The fingerprint of the last cycle that was not only planned.
pub const CARRIED_OUT: StateKey<String> = StateKey::text(
    "fingerprint_carried_out",
    "the fingerprint of the configuration that was last carried out",
);
/// The last day on which rows with `Now` were evaluated for all objects.
pub const EVALUATED: StateKey<String> =
    StateKey::text("mapping_now_day", "the day of the last evaluation of `Now`");
/// When the target was last listed whole.
pub const LISTED_AT: StateKey<String> =
    StateKey::text("target_listed_at", "when the target was last listed whole");
/// All keys with texts.
pub(super) const TEXTS: [StateKey<String>; 8] = [
    LEARNED,
    ANNOUNCED,
    RESTORED,
    STATE_ID,
    FINGERPRINT,
    CARRIED_OUT,
    EVALUATED,
    LISTED_AT,
];
/// Set once a cycle that writes completed: until then every cycle is an initial one.
pub const INITIAL_DONE: StateKey<()> = StateKey::mark("initial_done", "the mark of the first whole cycle");
/// Set once an object was forgotten that is still in the directory: the snapshot no longer holds every object, so
/// changed rules need a full read.
pub const INCOMPLETE: StateKey<()> =
    StateKey::mark("forgotten_alive", "the mark of a forgotten user who lives");
/// The states that people were told of.
pub const NOTICES: StateKey<Vec<Notice>> = StateKey::json("notices", "the states that people were told of");
/// The rules in force, by which a change of them is found.
pub const TAKEN: StateKey<ConfigTaken> = StateKey::json("config_taken", "the config in force");
/// When the target was last asked something.
pub const ASKED_AT: StateKey<Timestamp> = StateKey::json("target_asked_at", "when the target was last asked");
/// How far the sweep of single readings has come.
pub const SWEEP: StateKey<Sweep> = StateKey::record("refresh_sweep", "how far the readings have come");
/// The number of users and groups that were assigned when last none was about to leave.
pub const BASELINE: StateKey<u64> = StateKey {
    name: "assignments_baseline",
    what: "how long the assignment list was",
    write: |count| record::encode(count),
    // Of format 4: the bare number, in eight bytes of which the first is zero.
    read: |bytes| match <[u8; 8]>::try_from(bytes) {
        Ok(bare) if bare[0] == 0 => Ok(u64::from_be_bytes(bare)),
        _ => record::decode(bytes),
    },
};
/// The key for `Guid` and `RandomString` in mappings.
pub const SEED: StateKey<[u8; 32]> = StateKey {
    name: "mapping_seed",
    what: "the key of values that are drawn",
    write: |seed| [&[VERSION], seed.as_slice()].concat(),
    // Of format 4: the bare key.
    read: |bytes| {
        let bare = match bytes {
            [VERSION, key @ ..] if key.len() == 32 => key,
            _ => bytes,
        };
        bare.try_into()
            .map_err(|_| Undecodable(format!("it has {} bytes", bytes.len())))
    },
};

/// Returns the key of the size of a type when it was last listed.
#[must_use]
pub const fn target_size(kind: ObjectKind) -> StateKey<TargetSize> {
    let name = match kind {
        ObjectKind::User => "target_size_of_users",
        ObjectKind::Group => "target_size_of_groups",
    };
    StateKey::record(name, "how large the target was")
}

/// The version that a preset's bare name stands for; the preset's name is appended.
pub const PRESET_PIN: StateKey<String> = StateKey::text("preset_pin/", "the version of a preset");

// -------------------------------------------------------------------------------------------- the access

impl<T> StateKey<T> {
    /// Encodes a value with its version.
    pub(super) fn bytes(&self, value: &T) -> Vec<u8> {
        (self.write)(value)
    }

    /// Decodes a value.
    pub(super) fn decode(&self, reads: &(impl Reads + ?Sized), bytes: &[u8]) -> Result<T, StoreError> {
        (self.read)(bytes).map_err(|error| {
            reads.damaged(format_args!(
                "{} (the value `{}`) does not decode: {error}",
                self.what, self.name
            ))
        })
    }

    /// Returns the name in the table.
    pub(super) const fn name(&self) -> &'static str {
        self.name
    }
}

/// Reads of values under names.
pub trait StateReads: Reads {
    /// Returns a value, or `None` where none was ever stored.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where it does not decode.
    fn state<T>(&self, key: &StateKey<T>) -> Result<Option<T>, StoreError> {
        let bytes = self.meta(key.name)?;
        bytes.map(|bytes| key.decode(self, &bytes)).transpose()
    }

    /// Returns one of several values that share the beginning of their names.
    fn state_under<T>(&self, key: &StateKey<T>, rest: &str) -> Result<Option<T>, StoreError> {
        let bytes = self.meta(&format!("{}{rest}", key.name))?;
        bytes.map(|bytes| key.decode(self, &bytes)).transpose()
    }

    /// Returns true where a value is stored.
    fn has_state<T>(&self, key: &StateKey<T>) -> Result<bool, StoreError> {
        Ok(self.state(key)?.is_some())
    }
}

impl<R: Reads + ?Sized> StateReads for R {}

impl Tx<'_> {
    /// Stores a value.
    pub fn put_state<T>(&mut self, key: &StateKey<T>, value: &T) {
        self.put_meta(key.name, key.bytes(value));
    }

    /// Stores one of several values that share the beginning of their names.
    pub fn put_state_under<T>(&mut self, key: &StateKey<T>, rest: &str, value: &T) {
        self.put_meta(&format!("{}{rest}", key.name), key.bytes(value));
    }

    /// Deletes a value.
    pub fn delete_state<T>(&mut self, key: &StateKey<T>) {
        self.delete_meta(key.name);
    }
}

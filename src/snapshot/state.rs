//! What a snapshot keeps under names, from one cycle to the next: each name with the type of its value.
//!
//! A value begins with the byte of its version. Snapshots of format 4 and before hold values without one; those are read
//! as they stand, and written anew when they change. What does not decode is damage, never the same as nothing: a guard
//! window that counts as empty would let removals through, and a list of open writes that counts as empty would leave
//! at the target what nobody wants there.

mod values;

use std::collections::BTreeSet;

use serde::{Serialize, de::DeserializeOwned};

use crate::model::id::ObjectKind;
use crate::ports::StoreError;
use crate::reconcile::refresh::Sweep;

use super::{
    read::Reads,
    record::{self, Undecodable},
    tx::Tx,
};

pub use values::{AnotherWriter, AnsweredCreate, OpenWrite, SentAt, TargetSize};

/// The version that is written.
const VERSION: u8 = record::VERSION;

/// One name, and how its value is written and read.
#[derive(Debug)]
pub struct StateKey<T: 'static> {
    name: &'static str,
    /// What it is, for an error.
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
    /// A value that older snapshots hold as JSON alone.
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

    /// A value that was always written as records are.
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
    /// A mark that is there or not.
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

/// The value behind its version. Texts and JSON of older snapshots have none; they never begin with a control character.
fn versioned(bytes: &[u8]) -> Result<&[u8], Undecodable> {
    match bytes {
        [VERSION, value @ ..] => Ok(value),
        [first, ..] if *first < b' ' => Err(Undecodable(format!("it has version {first}"))),
        _ => Ok(bytes),
    }
}

// --------------------------------------------------------------------------------------------- the names

/// What was sent within the guard window.
pub const SENT_REMOVALS: StateKey<Vec<SentAt>> =
    StateKey::json("sent_removals", "what was sent within the guard window");
/// PATCHes and DELETEs without a recorded outcome.
pub const OPEN_WRITES: StateKey<Vec<OpenWrite>> =
    StateKey::json("open_writes", "the writes without a recorded outcome");
/// Creates that were answered although their intents stay open.
pub const ANSWERED_CREATES: StateKey<Vec<AnsweredCreate>> =
    StateKey::json("answered_creates", "the creates that were answered");
/// What the last readings found of another writer.
pub const ANOTHER_WRITER: StateKey<AnotherWriter> =
    StateKey::json("another_writer", "what was found of another writer");
/// Warnings that stand.
pub const STANDING: StateKey<BTreeSet<String>> =
    StateKey::json("standing_warnings", "the warnings that stand");
/// What the target taught of its forms.
pub const LEARNED: StateKey<String> = StateKey::text("dialect", "what was learned of the target");
/// What the target announced of itself.
pub const ANNOUNCED: StateKey<String> = StateKey::text("announced", "what the target announced");
/// Why the snapshot may be older than the target: restored, imported, found on another host.
pub const RESTORED: StateKey<String> = StateKey::text("restored", "the mark of a restore");
/// The snapshot's own name, once a plan of it was saved; another one after a restore.
pub const STATE_ID: StateKey<String> = StateKey::text("state_id", "the snapshot's own name");
/// The fingerprint of mapping, scope and policy by which everything is marked.
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
/// All texts with one name each.
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
/// Set once a cycle that writes came through: until then every cycle is an initial one.
pub const INITIAL_DONE: StateKey<()> = StateKey::mark("initial_done", "the mark of the first whole cycle");
/// Set once somebody was forgotten who is still in the directory: the snapshot no longer holds everybody, so changed
/// rules need a full read.
pub const INCOMPLETE: StateKey<()> =
    StateKey::mark("forgotten_alive", "the mark of a forgotten user who lives");
/// How far the sweep of single readings has come.
pub const SWEEP: StateKey<Sweep> = StateKey::record("refresh_sweep", "how far the readings have come");
/// How many users and groups were assigned when last nobody was on the way out.
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

/// How large a type was when it was last listed.
#[must_use]
pub const fn target_size(kind: ObjectKind) -> StateKey<TargetSize> {
    let name = match kind {
        ObjectKind::User => "target_size_of_users",
        ObjectKind::Group => "target_size_of_groups",
    };
    StateKey::record(name, "how large the target was")
}

/// The version that a preset's bare name stands for; behind the name comes the preset's.
pub const PRESET_PIN: StateKey<String> = StateKey::text("preset_pin/", "the version of a preset");

// -------------------------------------------------------------------------------------------- the access

impl<T> StateKey<T> {
    /// A value as it is written.
    pub(super) fn bytes(&self, value: &T) -> Vec<u8> {
        (self.write)(value)
    }

    /// Reads one of these from its bytes.
    pub(super) fn decode(&self, reads: &(impl Reads + ?Sized), bytes: &[u8]) -> Result<T, StoreError> {
        (self.read)(bytes).map_err(|error| {
            reads.damaged(format_args!(
                "{} (the value `{}`) does not decode: {error}",
                self.what, self.name
            ))
        })
    }

    /// The name in the table.
    pub(super) const fn name(&self) -> &'static str {
        self.name
    }
}

/// Reads of what is kept under names.
pub trait StateReads: Reads {
    /// A value; `None` where none was ever kept.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where it does not decode.
    fn state<T>(&self, key: &StateKey<T>) -> Result<Option<T>, StoreError> {
        let bytes = self.meta(key.name)?;
        bytes.map(|bytes| key.decode(self, &bytes)).transpose()
    }

    /// One of several values that share the beginning of their names.
    ///
    /// # Errors
    /// As [`Self::state`].
    fn state_under<T>(&self, key: &StateKey<T>, rest: &str) -> Result<Option<T>, StoreError> {
        let bytes = self.meta(&format!("{}{rest}", key.name))?;
        bytes.map(|bytes| key.decode(self, &bytes)).transpose()
    }

    /// True where a value is kept.
    ///
    /// # Errors
    /// As [`Self::state`].
    fn has_state<T>(&self, key: &StateKey<T>) -> Result<bool, StoreError> {
        Ok(self.state(key)?.is_some())
    }
}

impl<R: Reads + ?Sized> StateReads for R {}

impl Tx<'_> {
    /// Keeps a value.
    pub fn put_state<T>(&mut self, key: &StateKey<T>, value: &T) {
        self.put_meta(key.name, key.bytes(value));
    }

    /// Keeps one of several values that share the beginning of their names.
    pub fn put_state_under<T>(&mut self, key: &StateKey<T>, rest: &str, value: &T) {
        self.put_meta(&format!("{}{rest}", key.name), key.bytes(value));
    }

    /// Forgets a value.
    pub fn delete_state<T>(&mut self, key: &StateKey<T>) {
        self.delete_meta(key.name);
    }
}

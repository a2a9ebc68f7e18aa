//! What the twelve lines go by: what was seen, what was observed, and what a person vouches for.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::model::azure_job::AzureJob;
use crate::model::clock::Timestamp;
use crate::snapshot::observed::Observation;

/// The kinds of events that have to be seen.
pub const KINDS: [&str; 5] = [
    "joiner",
    "attribute change",
    "leaver",
    "member added",
    "member removed",
];

/// What a person vouches for, because no program can see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Vouched {
    /// A notification arrived, and somebody read it.
    Notify,
    /// The target's token of ours is another than Azure's, so that Azure's works on.
    SecondToken,
    /// Each difference that is listed is wanted so.
    Differences,
    /// The mapping differs from Azure's on purpose.
    Mapping,
}

impl Vouched {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Notify, Self::SecondToken, Self::Differences, Self::Mapping];

    /// Returns its word at the surfaces.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Notify => "notify",
            Self::SecondToken => "second-token",
            Self::Differences => "differences",
            Self::Mapping => "mapping",
        }
    }

    /// Returns the one of this word.
    ///
    /// # Errors
    /// The words that there are.
    pub fn of(word: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|one| one.word() == word);
        found.ok_or_else(|| format!("one of {}", Self::ALL.map(Self::word).join(", ")))
    }
}

/// What the lines go by.
#[derive(Debug)]
pub struct Evidence {
    /// Now.
    pub now: Timestamp,
    /// Azure's jobs, or why they cannot be seen.
    pub jobs: Result<Vec<AzureJob>, String>,
    /// What Azure's schema of today comes to here, or why it cannot be seen.
    pub schema: Result<Schema, String>,
    /// The summary of the last full cycle.
    pub full: Option<Json>,
    /// How far the observation has come.
    pub observation: Option<Observation>,
    /// What the comparison comes to.
    pub tally: Tally,
    /// Operations withheld, entries in escrow.
    pub waiting: (u64, u64),
    /// Days that the credentials of source and target are good for, where known.
    pub days: [Option<i64>; 2],
    /// When the state was last backed up.
    pub backup: Option<Timestamp>,
    /// Receivers of notifications, and names that are protected.
    pub cared_for: (usize, usize),
    /// Values at the target that neither side sent.
    pub foreign_values: u64,
    /// What a person vouches for.
    pub vouched: BTreeSet<Vouched>,
}

/// What Azure's schema comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// Its mapping is the one in force.
    pub same: bool,
    /// Parts that cannot be carried over, by name.
    pub left_out: Vec<String>,
}

/// The comparison, counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Both did the same.
    pub same: u64,
    /// Only we would.
    pub only_we: u64,
    /// Only Azure did.
    pub only_they: u64,
    /// Both, and not the same.
    pub differently: u64,
    /// Of these, where we clear what Entra leaves.
    pub explained: u64,
    /// Wanted for a while by us alone.
    pub gone: u64,
    /// Too fresh.
    pub pending: u64,
    /// Changes of externalId that are still wanted: where Azure used the mailNickname.
    pub external_ids: u64,
    /// The kinds of events that were the same on both sides.
    pub kinds: BTreeSet<&'static str>,
}

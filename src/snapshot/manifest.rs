//! What an export of the history says of itself.

use serde::{Deserialize, Serialize};

use super::record::Hash;
use crate::model::clock::Timestamp;

/// What kind of folder it is; another word is another layout.
pub(super) const LAYOUT: &str = "melonsync history 2";

/// The layout of before, which is read as well: the same, with digests of values whose names are written out.
pub(super) const LAYOUT_BEFORE: &str = "melonsync history 1";

/// What an export says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub(super) layout: String,
    /// The job.
    pub job: String,
    /// The first moment asked for.
    pub since: Timestamp,
    /// The last moment asked for.
    pub until: Timestamp,
    /// Lines in `entries.jsonl`.
    pub entries: u64,
    /// The number of the first entry in the chain.
    pub first: u64,
    /// The number after the last one.
    pub next: u64,
    /// The hash of the record before the first: zeros where there was none.
    pub anchor: String,
    /// The hash of the last record: the chain's head.
    pub head: String,
}

/// A hash in hexadecimal.
pub(super) fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

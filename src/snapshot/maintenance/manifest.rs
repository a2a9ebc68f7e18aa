//! The manifest of a history export.

use serde::{Deserialize, Serialize};

use crate::model::clock::Timestamp;
use crate::snapshot::record::Hash;

/// The kind of folder; another name is another layout.
pub(super) const LAYOUT: &str = "melonsync history 2";

/// The layout before, which is read as well: the same, with digests of values whose names are written as texts.
pub(super) const LAYOUT_BEFORE: &str = "melonsync history 1";

/// The manifest of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    pub(super) layout: String,
    /// The job.
    pub job: String,
    /// The first moment of the export.
    pub since: Timestamp,
    /// The last moment of the export.
    pub until: Timestamp,
    /// Lines in `entries.jsonl`.
    pub entries: u64,
    /// The number of the first entry in the chain.
    pub first: u64,
    /// The number after the last one.
    pub next: u64,
    /// The hash of the record before the first; zeros if there was none.
    pub anchor: String,
    /// The hash of the last record: the chain's head.
    pub head: String,
}

/// Writes a hash in hexadecimal.
pub(super) fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

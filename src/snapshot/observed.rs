//! What a job that only observes wanted, and what Azure's own job did, object by object: see [`crate::reconcile::observe`]. No value
//! of the directory is in it.

use super::keys;
use super::read::Reads;
use super::record;
use super::state::StateKey;
use super::tx::Tx;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::ports::StoreError;
use crate::ports::Table;
use crate::reconcile::observe::Watched;

use serde::Deserialize;
use serde::Serialize;

/// How far the observation has come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// Since when.
    pub since: Timestamp,
    /// The beginning of the last cycle that looked at everything.
    pub cycle: Timestamp,
    /// Azure's log was read until then.
    pub log_until: Option<Timestamp>,
    /// When it was last tried.
    pub log_tried: Option<Timestamp>,
    /// Why it could not be read, the last time.
    pub log_problem: Option<String>,
    /// Times of which the log was gone before it was read.
    pub holes: Vec<(Timestamp, Timestamp)>,
    /// Sixteen bytes that make digests of this installation its own.
    pub salt: [u8; 16],
}

/// How far the observation has come.
pub const OBSERVATION: StateKey<Observation> =
    StateKey::json("observation", "how far the observation has come");

/// Returns what is known of an object.
///
/// # Errors
/// As the store.
pub fn watched(reads: &impl Reads, kind: ObjectKind, id: &SourceId) -> Result<Watched, StoreError> {
    let row = reads.decoded(Table::Observed, &keys::object(kind, id))?;
    Ok(row.unwrap_or_default())
}

/// Shows what is known of each object.
///
/// # Errors
/// As the store, and what `show` returns.
pub fn each_watched(
    reads: &impl Reads,
    mut show: impl FnMut(ObjectKind, SourceId, Watched) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    reads.each_raw(Table::Observed, &[], |key, value| {
        let (kind, id) = keys::parse_object(key).ok_or_else(|| reads.bad_key(Table::Observed))?;
        show(kind, id, reads.decode(Table::Observed, value)?)
    })
}

impl Tx<'_> {
    /// Stores what is known of an object.
    pub fn put_watched(&mut self, kind: ObjectKind, id: &SourceId, watched: &Watched) {
        let key = keys::object(kind, id);
        if *watched == Watched::default() {
            return self.delete(Table::Observed, key);
        }
        self.put(Table::Observed, key, record::encode(watched));
    }
}

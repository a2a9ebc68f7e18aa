//! Which tables have rows: what is looked up for each object is not looked up in an empty table. Nobody keeps this beside the
//! store; it costs one row of each table, once for a batch.

use super::keys;
use super::read::Reads;
use super::refused;
use super::store::Snapshot;

use crate::model::id::ObjectKind;
use crate::ports::StoreError;
use crate::ports::Table;

/// Which of the tables that are looked up for each object have rows.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filled {
    /// An object has a forecast.
    pub forecasts: bool,
    /// A removal was found by the first pass.
    pub removals: bool,
    /// The target gave a reading of this kind.
    pub readings: bool,
    /// An undo holds something.
    pub holds: bool,
    /// An attribute or member was refused.
    pub refused: bool,
}

impl Filled {
    /// Looks into each table; `kind` is that of the readings.
    ///
    /// # Errors
    /// As [`Reads`].
    pub fn of(snapshot: &Snapshot, kind: ObjectKind) -> Result<Self, StoreError> {
        Ok(Self {
            forecasts: has_forecasts(snapshot)?,
            removals: !snapshot.raw_scan(Table::Removals, &[], None, 1)?.is_empty(),
            readings: has_readings(snapshot, kind)?,
            holds: snapshot.holds_undone()?,
            refused: refused::any(snapshot)?,
        })
    }
}

/// True once an object has a forecast.
///
/// # Errors
/// As [`Reads`].
pub fn has_forecasts(reads: &impl Reads) -> Result<bool, StoreError> {
    Ok(!reads.raw_scan(Table::Forecast, &[], None, 1)?.is_empty())
}

/// True once the target gave a reading of this kind.
///
/// # Errors
/// As [`Reads`].
pub fn has_readings(reads: &impl Reads, kind: ObjectKind) -> Result<bool, StoreError> {
    let found = reads.raw_scan(Table::Readings, &[keys::kind_byte(kind)], None, 1)?;
    Ok(!found.is_empty())
}

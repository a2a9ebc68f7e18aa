//! What failed in a cycle, and what that keeps from being tried: entries in escrow, kinds of operations that stopped, and a
//! target that is in trouble (docs/design/failures.md).

use super::escrow::Escrow;
use super::quarantine::Stops;
use super::trouble::Troubles;

/// What failed, of one object, of one kind of operation, and of the target as a whole.
#[derive(Debug, Default)]
pub(super) struct Failures {
    /// Objects that are set aside after failures of earlier cycles, or of this one.
    pub(super) escrow: Escrow,
    pub(super) stops: Stops,
    pub(super) troubles: Troubles,
}

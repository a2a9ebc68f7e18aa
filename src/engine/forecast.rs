//! What a cycle that only plans expects of its own operations, and what any cycle learned of its links.
//!
//! `plan` and `sync` run the same passes over the same planner. Where `sync` finds its own results in the
//! snapshot, `plan` finds them here: in a table of the store that every cycle empties before it begins.

use serde::{Deserialize, Serialize};

use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::ports::StoreError;
use crate::snapshot::read::Reads;

/// The forecast for one object.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forecast {
    /// All its operations are in the plan: later passes leave it.
    pub done: bool,
    /// Its disable is in the plan; the rest is still to come.
    pub disabled: bool,
    /// Its manager was yet to come when it was planned: it follows in an update, once the manager is there.
    pub late: bool,
    /// Its membership removals are in the plan.
    pub members_out: bool,
    /// It will have a link, to this resource where that exists already.
    pub linked: Option<Option<TargetId>>,
    /// It was linked, and its resource is proven gone at the target.
    pub lost: bool,
    /// Its resource could also be this other object's, by a matching attribute: nobody gets it.
    pub rivals: bool,
}

/// The forecast for an object, or that nothing is known.
pub(super) fn forecast_of(
    reads: &impl Reads,
    kind: ObjectKind,
    id: &SourceId,
) -> Result<Forecast, StoreError> {
    Ok(reads.forecast::<Forecast>(kind, id)?.unwrap_or_default())
}

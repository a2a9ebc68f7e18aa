//! What the views of a batch have in common: what the cycle found so far.

use std::collections::HashMap;
use std::collections::HashSet;
use std::sync::Arc;

use super::forecast::Forecast;
use super::forecast::forecast_of;
use super::intake::entitlements::Entitlements;
use super::intake::scoping::Scoping;
use super::leaving::Leaving;
use super::standing::Standing;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::ports::StoreError;
use crate::reconcile::forward::view::Absence;
use crate::snapshot::filled::Filled;
use crate::snapshot::read::Reads;
use crate::snapshot::store::Snapshot;

/// What the views of a batch have in common.
#[derive(Clone)]
pub struct Context {
    /// What a missing match proves; `None` while the target was not read for this type.
    pub absence: Option<Absence>,
    /// Who is ours.
    pub(super) scope: Scoping,
    /// How the objects stand.
    pub(super) standing: Standing,
    /// False for a look at removals only: references are not resolved.
    pub references: bool,
    /// Which tables have rows: in the others nothing is looked up.
    pub(super) filled: Filled,
    /// False while no link of this cycle was found to be lost.
    pub losses: bool,
    /// Who is assigned.
    pub entitlements: Entitlements,
    /// True where the mapping sends app roles.
    pub sends_roles: bool,
    /// True where groups hold the users of the groups in them.
    pub flattens: bool,
    /// True where what the source no longer asks for is released from its hold.
    pub releases: bool,
    /// True for what the snapshot alone knows of the linked resource is not enough: its reading is shown.
    pub observed: bool,
    /// Users whose resource is gone, which is only reported.
    pub missing: Arc<HashSet<SourceId>>,
    /// Resources that gave their userName up in this cycle, or are deleted: their readings are older.
    pub freed: HashSet<TargetId>,
    /// Who takes over whose resource.
    pub rehires: Rehires,
    /// Whose removal is carried out, once that is known.
    pub(super) leaving: Option<Leaving>,
}

impl Context {
    /// The forecasts for objects in order, those that there are.
    pub(super) fn forecasts_of(
        &self,
        snapshot: &Snapshot,
        kind: ObjectKind,
        ids: &[SourceId],
    ) -> Result<HashMap<SourceId, Forecast>, StoreError> {
        if self.filled.forecasts {
            snapshot.forecasts_of(kind, ids)
        } else {
            Ok(HashMap::new())
        }
    }

    /// The forecast for an object.
    pub(super) fn forecast(
        &self,
        snapshot: &Snapshot,
        kind: ObjectKind,
        id: &SourceId,
    ) -> Result<Forecast, StoreError> {
        if self.filled.forecasts {
            forecast_of(snapshot, kind, id)
        } else {
            Ok(Forecast::default())
        }
    }
}

/// Newcomers with the leaver whose resource each takes over. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Rehires(pub(super) Arc<HashMap<SourceId, (SourceId, TargetId)>>);

impl Rehires {
    /// The leaver and the resource that a newcomer takes over.
    pub(super) fn of(&self, newcomer: &SourceId) -> Option<&(SourceId, TargetId)> {
        self.0.get(newcomer)
    }

    /// True where this newcomer takes over what this leaver has.
    pub(super) fn is_from(&self, newcomer: &SourceId, leaver: &SourceId) -> bool {
        self.of(newcomer).is_some_and(|(from, _)| from == leaver)
    }

    /// True for a resource that a newcomer takes over: nobody else matches it.
    pub(super) fn is_taken(&self, target: &TargetId) -> bool {
        self.0.values().any(|(_, taken)| taken == target)
    }

    /// True for a leaver whose resource goes to a newcomer: nothing else happens to it before.
    pub(super) fn is_leaver(&self, id: SourceId) -> bool {
        self.0.values().any(|(leaver, _)| *leaver == id)
    }
}

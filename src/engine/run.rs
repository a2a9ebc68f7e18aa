//! Runs calls of the store for all steps of a cycle.

use super::error::CycleError;
use crate::ports::StoreError;
use crate::snapshot::store::Snapshot;

/// Runs a store call on a thread that may block (docs/design/stores.md, rule 3: the API blocks).
pub(super) async fn blocking<T, F>(snapshot: &Snapshot, work: F) -> Result<T, CycleError>
where
    T: Send + 'static,
    F: FnOnce(&Snapshot) -> Result<T, StoreError> + Send + 'static,
{
    if !snapshot.store().blocks() {
        return work(snapshot).map_err(CycleError::Store);
    }
    let snapshot = snapshot.clone();
    match tokio::task::spawn_blocking(move || work(&snapshot)).await {
        Ok(result) => result.map_err(CycleError::Store),
        Err(broken) => Err(CycleError::Broken(broken)),
    }
}

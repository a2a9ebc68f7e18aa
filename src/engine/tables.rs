//! Goes over the tables of the store, a page at a time.

use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::ports::StoreError;
use crate::snapshot::read::PAGE;
use crate::snapshot::read::Reads;
use crate::snapshot::record::DirtyCause;
use crate::snapshot::store::Snapshot;

/// Goes over the marks of a kind.
pub(super) fn each_dirty(
    snapshot: &Snapshot,
    kind: ObjectKind,
    mut go: impl FnMut(SourceId, DirtyCause) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let page = snapshot.dirty(kind, after.as_ref(), PAGE)?;
        for (id, cause) in &page {
            go(*id, *cause)?;
        }
        match page.last() {
            Some((last, _)) if page.len() == PAGE => after = Some(*last),
            _ => return Ok(()),
        }
    }
}

/// Goes over the dirty objects of a kind that are known, as long as `go` says so: with the causes, and the record,
/// undecoded.
pub(super) fn each_dirty_object(
    snapshot: &Snapshot,
    kind: ObjectKind,
    mut go: impl FnMut(SourceId, DirtyCause, &[u8]) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let page = snapshot.dirty(kind, after.as_ref(), PAGE)?;
        let ids: Vec<SourceId> = page.iter().map(|(id, _)| *id).collect();
        let objects = snapshot.raw_objects(kind, &ids)?;
        for ((id, cause), bytes) in page.iter().zip(objects) {
            if let Some(bytes) = bytes
                && !go(*id, *cause, &bytes)?
            {
                return Ok(());
            }
        }
        match page.last() {
            Some((last, _)) if page.len() == PAGE => after = Some(*last),
            _ => return Ok(()),
        }
    }
}

/// Goes over the records of a kind.
pub(super) fn each_record(
    snapshot: &Snapshot,
    kind: ObjectKind,
    mut go: impl FnMut(&crate::snapshot::record::Record) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut after = None;
    loop {
        let page = snapshot.scan_records(kind, after.as_ref(), PAGE)?;
        for record in &page {
            go(record)?;
        }
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(last.object.id),
            _ => return Ok(()),
        }
    }
}

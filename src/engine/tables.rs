//! Goes over the tables of the store, a page at a time.

use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::ports::StoreError;
use crate::snapshot::pages::Pages;
use crate::snapshot::read::Reads;
use crate::snapshot::record::DirtyCause;
use crate::snapshot::record::Record;
use crate::snapshot::store::Snapshot;

/// Goes over the marks of a kind.
pub(super) fn each_dirty(
    snapshot: &Snapshot,
    kind: ObjectKind,
    mut go: impl FnMut(SourceId, DirtyCause) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut pages = Pages::fixed(|(id, _): &(SourceId, DirtyCause)| *id);
    while let Some(page) = pages.next_page(|after, limit| snapshot.dirty(kind, after, limit))? {
        for (id, cause) in page {
            go(id, cause)?;
        }
    }
    Ok(())
}

/// Goes over the dirty objects of a kind that are known, as long as `go` says so: with the causes, and the record,
/// undecoded.
pub(super) fn each_dirty_object(
    snapshot: &Snapshot,
    kind: ObjectKind,
    mut go: impl FnMut(SourceId, DirtyCause, &[u8]) -> Result<bool, StoreError>,
) -> Result<(), StoreError> {
    let mut pages = Pages::fixed(|(id, _): &(SourceId, DirtyCause)| *id);
    while let Some(page) = pages.next_page(|after, limit| snapshot.dirty(kind, after, limit))? {
        let ids: Vec<SourceId> = page.iter().map(|(id, _)| *id).collect();
        let objects = snapshot.raw_objects(kind, &ids)?;
        for ((id, cause), bytes) in page.iter().zip(objects) {
            if let Some(bytes) = bytes
                && !go(*id, *cause, &bytes)?
            {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// Goes over the records of a kind.
pub(super) fn each_record(
    snapshot: &Snapshot,
    kind: ObjectKind,
    mut go: impl FnMut(&Record) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut pages = Pages::fixed(|record: &Record| record.object.id);
    while let Some(page) = pages.next_page(|after, limit| snapshot.scan_records(kind, after, limit))? {
        for record in &page {
            go(record)?;
        }
    }
    Ok(())
}

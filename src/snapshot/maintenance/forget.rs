//! `state forget`: erases the personal values of an object that is no longer ours.
//!
//! The history's chain stays as it is: it holds ids, and digests that reveal nothing without their salt. Each forgotten
//! id is noted beside the store, so that restoring an older backup erases its values again. After a crash in the
//! middle, forgetting is repeated: the note comes first, and forgetting twice equals forgetting once.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::files::open_ours;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::object::Life;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::ports::Table;
use crate::reconcile::guard::Class;
use crate::reconcile::observe::Watched;

use crate::snapshot::io::io_error;
use crate::snapshot::kept_back::KeptBackReads;
use crate::snapshot::pages::raw_pages;
use crate::snapshot::read::PAGE;
use crate::snapshot::read::Reads;
use crate::snapshot::state::INCOMPLETE;
use crate::snapshot::store::Snapshot;

/// The file of notes in a job's folder.
pub(in crate::snapshot) const FORGOTTEN: &str = "forgotten";

/// The reason why an object cannot be forgotten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StillOurs {
    /// The object has a resource at the target.
    Linked,
    /// The object is still to be planned or carried out.
    Waits,
}

/// The numbers of erased values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Forgotten {
    /// History entries whose values were erased.
    pub entries: u64,
    /// Erased records of source objects.
    pub records: u64,
    /// Cycle summaries that quoted a failure of the object.
    pub summaries: u64,
}

/// One note of a forgotten object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    object: SourceId,
    /// When it was forgotten; later history entries belong to a new life of the object.
    time: Timestamp,
}

/// Returns whether an object may be forgotten: it has no resource, and nothing is left to do for it. An object that
/// lives in the directory and is neither was left out by scope, or is disabled and was never created.
pub fn may_forget(snapshot: &Snapshot, id: &SourceId) -> Result<Result<(), StillOurs>, StoreError> {
    for kind in [ObjectKind::User, ObjectKind::Group] {
        let Some(record) = snapshot.record(kind, id)? else {
            continue;
        };
        if record.link.is_some() {
            return Ok(Err(StillOurs::Linked));
        }
        if record.object.life == Life::Alive && snapshot.dirty_cause(kind, id)?.is_some() {
            return Ok(Err(StillOurs::Waits));
        }
    }
    Ok(Ok(()))
}

/// Notes in the job's folder that an object is forgotten, then erases its values.
///
/// # Errors
/// [`StoreError::Io`], as [`Reads`].
pub fn forget(
    snapshot: &Snapshot,
    folder: &Path,
    id: SourceId,
    now: Timestamp,
) -> Result<Forgotten, StoreError> {
    let note = Note {
        object: id,
        time: now,
    };
    add(folder, note).map_err(|error| io_error(folder, "note the forgotten object", error))?;
    let erased = erase(snapshot, note)?;
    snapshot.sync()?;
    Ok(erased)
}

/// Erases every forgotten object again, after a restore.
pub(super) fn repeat(snapshot: &Snapshot, folder: &Path) -> Result<(), StoreError> {
    let notes =
        notes(folder).map_err(|error| io_error(folder, "read the notes of forgotten objects", error))?;
    for note in notes {
        erase(snapshot, note)?;
    }
    snapshot.sync()
}

fn add(folder: &Path, note: Note) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = open_ours(&folder.join(FORGOTTEN), options.append(true).create(true))?;
    file.write_all(format!("{}\n", serde_json::to_string(&note)?).as_bytes())?;
    file.sync_all()
}

fn notes(folder: &Path) -> io::Result<Vec<Note>> {
    match fs::read_to_string(folder.join(FORGOTTEN)) {
        Ok(text) => text
            .lines()
            .map(|line| serde_json::from_str(line).map_err(io::Error::from))
            .collect(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn erase(snapshot: &Snapshot, note: Note) -> Result<Forgotten, StoreError> {
    Ok(Forgotten {
        entries: erase_history(snapshot, note)?,
        records: erase_records(snapshot, &note.object)?,
        summaries: erase_summaries(snapshot, note)?,
    })
}

fn erase_history(snapshot: &Snapshot, note: Note) -> Result<u64, StoreError> {
    let mut found = Vec::new();
    let mut erased = 0;
    snapshot.each_history(None, |key, batch, values| {
        let mut left = values.clone();
        let before = erased;
        for (entry, value) in batch.entries.iter().zip(&mut left.0) {
            if entry.object == Some(note.object) && entry.time <= note.time && value.take().is_some() {
                erased += 1;
            }
        }
        if erased > before {
            found.push((key.to_vec(), left));
        }
        Ok(())
    })?;
    for page in found.chunks(PAGE) {
        let mut tx = snapshot.tx()?;
        for (key, left) in page {
            tx.put(Table::HistoryValues, key.clone(), left.encode());
        }
        tx.commit(Durability::Lazy)?;
    }
    Ok(erased)
}

/// Erases the object's record. In a restored snapshot that still links it, the link stays and only the values go: the
/// full read that follows decides.
fn erase_records(snapshot: &Snapshot, id: &SourceId) -> Result<u64, StoreError> {
    let mut erased = 0;
    let mut tx = snapshot.tx()?;
    tx.forget_in_quarantine(id)?;
    tx.delete_cells(id);
    tx.delete_enrolled(id);
    for kind in [ObjectKind::User, ObjectKind::Group] {
        // Texts about the object: a target's refusal, a person's comment.
        tx.delete_escrow(kind, id);
        tx.put_refusals(kind, id, &[]);
        tx.delete_drift(kind, id);
        tx.put_undone(kind, id, None);
        tx.put_watched(kind, id, &Watched::default());
        for class in Class::ALL {
            tx.delete_withheld(&(kind, *id, class));
        }
        for (_, _, hold) in snapshot
            .holds()?
            .iter()
            .filter(|(of, held, _)| (*of, held) == (kind, id))
        {
            tx.delete_hold(kind, id, hold.attribute.as_deref());
        }
        let Some(mut record) = tx.record(kind, id)? else {
            continue;
        };
        erased += 1;
        if record.object.life == Life::Alive {
            tx.put_state(&INCOMPLETE, &());
        }
        match &mut record.link {
            Some(link) => {
                link.sent = Default::default();
                link.kept.clear();
                record.object.attributes = Default::default();
                tx.put_record(&record)?;
            }
            None => tx.delete_record(kind, id)?,
        }
    }
    tx.commit(Durability::Lazy)?;
    Ok(erased)
}

/// Erases the quotes of summaries: the target's message on an entry that failed may contain personal values.
fn erase_summaries(snapshot: &Snapshot, note: Note) -> Result<u64, StoreError> {
    let object = note.object.to_string();
    let mut erased = 0;
    let mut pages = raw_pages();
    while let Some(page) = pages
        .next_page(|after, limit| snapshot.raw_scan(Table::Cycles, &[], after.map(Vec::as_slice), limit))?
    {
        let mut tx = snapshot.tx()?;
        for (key, bytes) in page {
            let Ok(mut summary) = serde_json::from_slice::<serde_json::Value>(&bytes) else {
                continue;
            };
            let mut touched = false;
            for failure in summary["failed"].as_array_mut().into_iter().flatten() {
                if failure["object"] == object.as_str() && failure["error"] != "(erased)" {
                    failure["error"] = "(erased)".into();
                    touched = true;
                }
            }
            if touched {
                erased += 1;
                tx.put(Table::Cycles, key, summary.to_string().into_bytes());
            }
        }
        tx.commit(Durability::Lazy)?;
    }
    Ok(erased)
}

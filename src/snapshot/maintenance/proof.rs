//! `history export`: entries as JSON Lines, with the chain that proves them; `history verify` checks such a folder
//! without a store (`proof_check.rs`).
//!
//! ```text
//! entries.jsonl   one line an entry of the time asked for, with its values and the salt of their digest
//! chain.jsonl     one line a record of the chain, from the first that holds such an entry to the chain's head:
//!                 its bytes and their hash. No personal value is in it
//! manifest.json   what was asked for, where the chain began and ended; written last
//! ```
//! The hash of each record is in the next one, so a reader who has the head (it is logged with each cycle) can prove
//! that nothing was altered, left out or put in. An erased entry has no values; its line records that.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::Value as Json;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::files::NewFile;
use crate::model::clock::Timestamp;
use crate::ports::StoreError;
use crate::ports::Table;

use crate::snapshot::history::Batch;
use crate::snapshot::history::BatchValues;
use crate::snapshot::io::io_error;
use crate::snapshot::lock::create_private;
use crate::snapshot::maintenance::manifest::LAYOUT;
use crate::snapshot::maintenance::manifest::hex;
use crate::snapshot::query::document;
use crate::snapshot::read::Reads;
use crate::snapshot::store::Snapshot;

/// Writes an export into a folder that is empty or does not exist yet.
///
/// # Errors
/// [`StoreError::Io`], also where the folder is not empty; whatever the store reports.
pub fn export(
    snapshot: &Snapshot,
    job: &str,
    since: Timestamp,
    until: Timestamp,
    folder: &Path,
) -> Result<Manifest, StoreError> {
    let refused = |error| io_error(folder, "write the export of the history", error);
    create_private(folder)?;
    if fs::read_dir(folder).map_err(refused)?.next().is_some() {
        return Err(refused(io::Error::new(
            io::ErrorKind::AlreadyExists,
            "the folder is not empty",
        )));
    }
    let begin = |name: &str| NewFile::begin(&folder.join(name)).map_err(refused);
    let (mut entries, mut chain) = (begin("entries.jsonl")?, begin("chain.jsonl")?);
    let head = snapshot.history_head()?;
    let mut manifest = Manifest {
        layout: LAYOUT.to_owned(),
        job: job.to_owned(),
        since,
        until,
        entries: 0,
        first: head.next,
        next: head.next,
        anchor: head.to_string(),
        head: head.to_string(),
    };
    let mut begun = false;
    snapshot.each_history_record(snapshot.first_after(since)?, |key, bytes| {
        let batch: Batch = snapshot.decode(Table::History, bytes)?;
        if !begun {
            begun = true;
            manifest.anchor = hex(&batch.previous);
            manifest.first = batch.entries.first().map_or(manifest.next, |entry| entry.seq);
        }
        let values = BatchValues::beside(snapshot, key)?;
        manifest.entries += write_entries(&mut entries, &batch, values, since, until).map_err(refused)?;
        let line = json!({"first": batch.entries.first().map(|entry| entry.seq),
            "hash": hex(&Sha256::digest(bytes).into()), "record": STANDARD.encode(bytes)});
        writeln!(chain, "{line}").map_err(refused)
    })?;
    entries.put().map_err(refused)?;
    chain.put().map_err(refused)?;
    let mut file = begin("manifest.json")?;
    serde_json::to_writer_pretty(&mut file, &shown(&manifest)).map_err(|error| refused(error.into()))?;
    file.put().map_err(refused)?;
    Ok(manifest)
}

fn write_entries(
    out: &mut impl Write,
    batch: &Batch,
    values: BatchValues,
    since: Timestamp,
    until: Timestamp,
) -> io::Result<u64> {
    let mut values = values.0.into_iter();
    let mut written = 0;
    for entry in &batch.entries {
        let held = values.next().flatten();
        if entry.time < since || entry.time > until {
            continue;
        }
        written += 1;
        let mut line = document(entry, held.as_ref().map(|(_, values)| values));
        line["digest"] = hex(&entry.digest).into();
        if let Some((salt, _)) = &held {
            line["salt"] = STANDARD.encode(salt).into();
        }
        writeln!(out, "{line}")?;
    }
    Ok(written)
}

/// Builds the manifest's JSON: moments as people read them, and as numbers.
fn shown(manifest: &Manifest) -> Json {
    let mut json = json!(manifest);
    json["time"] = json!({"since": manifest.since.to_string(), "until": manifest.until.to_string()});
    json
}

/// Makes the folder of an export, private to its owner.
///
/// # Errors
/// Whatever the disk reports.
pub fn folder(path: &Path) -> io::Result<()> {
    create_private(path).map_err(io::Error::other)
}

pub use super::manifest::Manifest;
pub use super::proof_check::Checked;
pub use super::proof_check::verify;

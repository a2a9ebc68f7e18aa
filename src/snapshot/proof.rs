//! `history export`: entries as JSON Lines, with the chain that proves them; `history verify` checks such a folder
//! without a store.
//!
//! ```text
//! entries.jsonl   one line an entry of the time asked for, with its values and the salt of their digest
//! chain.jsonl     one line a record of the chain, from the first that holds such an entry to the chain's head:
//!                 its bytes and their hash. No personal value is in it
//! manifest.json   what was asked for, where the chain began and ended; written last
//! ```
//! The hash of each record is in the next one, so whoever knows the head (it is logged with each cycle) knows
//! that nothing was altered, left out or put in. An erased entry has no values; its line says so.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Lines, Write},
    path::Path,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::files::NewFile;
use crate::model::clock::Timestamp;
use crate::model::value::Value;
use crate::ports::StoreError;
use crate::ports::Table;
use crate::reconcile::operation::Change;

use super::{
    folder::io_error,
    history::{Batch, BatchValues, Entry, Hash, RECORDS, Values},
    lock::create_private,
    query::document,
    read::Reads,
    record,
    store::Snapshot,
};

/// What kind of folder it is; another word is another layout.
const LAYOUT: &str = "melonsync history 2";

/// The layout of before, which is read as well: the same, with digests of values whose names are written out.
const LAYOUT_BEFORE: &str = "melonsync history 1";

/// What an export says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    layout: String,
    /// The job.
    pub job: String,
    /// The first moment asked for.
    pub since: Timestamp,
    /// The last moment asked for.
    pub until: Timestamp,
    /// Lines in `entries.jsonl`.
    pub entries: u64,
    /// The number of the first entry in the chain.
    pub first: u64,
    /// The number after the last one.
    pub next: u64,
    /// The hash of the record before the first: zeros where there was none.
    pub anchor: String,
    /// The hash of the last record: the chain's head.
    pub head: String,
}

/// Writes an export into a folder that is empty or not there yet.
///
/// # Errors
/// [`StoreError::Io`], also where the folder holds something; whatever the store says.
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
    let mut after = snapshot.first_after(since)?;
    let mut begun = false;
    loop {
        let page = snapshot.raw_scan(Table::History, &[], after.as_deref(), RECORDS)?;
        for (key, bytes) in &page {
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
            writeln!(chain, "{line}").map_err(refused)?;
        }
        match page.into_iter().next_back() {
            Some((key, _)) => after = Some(key),
            None => break,
        }
    }
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

/// The manifest as it stands in its file: moments as people read them, and the numbers that they are.
fn shown(manifest: &Manifest) -> Json {
    let mut json = json!(manifest);
    json["time"] = json!({"since": manifest.since.to_string(), "until": manifest.until.to_string()});
    json
}

/// What checking an export came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// What the export says of itself.
    pub manifest: Manifest,
    /// Entries of which the values were there, and are what was recorded.
    pub proven: u64,
    /// Entries whose values were erased.
    pub erased: u64,
    /// What is wrong, in words.
    pub findings: Vec<String>,
}

/// As many findings as help anybody.
const FINDINGS: usize = 100;

/// Checks an export, alone.
///
/// # Errors
/// [`StoreError::Io`], and [`StoreError::Damaged`] for a folder that is no export; what does not agree is a finding.
pub fn verify(folder: &Path) -> Result<Checked, StoreError> {
    let open = |name: &str| {
        let path = folder.join(name);
        File::open(&path).map_err(|error| io_error(&path, "read the export of the history", error))
    };
    let manifest: Manifest =
        serde_json::from_reader(BufReader::new(open("manifest.json")?)).map_err(|error| {
            StoreError::Damaged {
                path: folder.display().to_string(),
                what: format!("its manifest.json is none ({error})"),
            }
        })?;
    if ![LAYOUT, LAYOUT_BEFORE].contains(&manifest.layout.as_str()) {
        return Err(StoreError::Damaged {
            path: folder.display().to_string(),
            what: format!("it is `{}`, and this melonsync reads `{LAYOUT}`", manifest.layout),
        });
    }
    let mut check = Check {
        lines: BufReader::new(open("entries.jsonl")?).lines(),
        next: manifest.first,
        hash: manifest.anchor.clone(),
        lines_seen: 0,
        checked: Checked {
            manifest,
            proven: 0,
            erased: 0,
            findings: Vec::new(),
        },
    };
    for line in BufReader::new(open("chain.jsonl")?).lines() {
        let line = line.map_err(|error| io_error(folder, "read the export of the history", error))?;
        check.record(&line);
    }
    check.end();
    Ok(check.checked)
}

struct Check {
    lines: Lines<BufReader<File>>,
    next: u64,
    hash: String,
    lines_seen: u64,
    checked: Checked,
}

#[derive(Deserialize)]
struct ChainLine {
    hash: String,
    record: String,
}

impl Check {
    fn finding(&mut self, text: String) {
        if self.checked.findings.len() < FINDINGS {
            self.checked.findings.push(text);
        }
    }

    fn record(&mut self, line: &str) {
        let read = serde_json::from_str::<ChainLine>(line).ok();
        let bytes = read.as_ref().and_then(|line| STANDARD.decode(&line.record).ok());
        let batch = bytes
            .as_deref()
            .and_then(|bytes| record::decode::<Batch>(bytes).ok());
        let (Some(read), Some(bytes), Some(batch)) = (read, bytes, batch) else {
            return self.finding(format!("the record of entry {} does not decode", self.next));
        };
        let hash: Hash = Sha256::digest(&bytes).into();
        if hex(&hash) != read.hash {
            self.finding(format!(
                "the record of entry {} is not what its hash says",
                self.next
            ));
        }
        if hex(&batch.previous) != self.hash {
            self.finding(format!("the chain is broken before entry {}", self.next));
        }
        self.hash = hex(&hash);
        for entry in &batch.entries {
            if entry.seq != self.next {
                self.finding(format!("entry {} stands where {} should", entry.seq, self.next));
            }
            self.next = entry.seq + 1;
            let asked = &self.checked.manifest;
            if entry.time >= asked.since && entry.time <= asked.until {
                self.entry(entry);
            }
        }
    }

    /// The next line of `entries.jsonl` is to be this entry.
    fn entry(&mut self, entry: &Entry) {
        let line = match self.lines.next() {
            Some(Ok(line)) => line,
            _ => return self.finding(format!("entry {} is missing in entries.jsonl", entry.seq)),
        };
        self.lines_seen += 1;
        let Ok(line) = serde_json::from_str::<Json>(&line) else {
            return self.finding(format!("the line of entry {} is not JSON", entry.seq));
        };
        let (values, mut expected) = match values_of(&line) {
            Some((salt, values)) => {
                if values.are_those_of(&entry.digest, &salt) {
                    self.checked.proven += 1;
                } else {
                    self.finding(format!("the values of entry {} were altered", entry.seq));
                }
                (true, document(entry, Some(&values)))
            }
            None => {
                self.checked.erased += 1;
                (false, document(entry, None))
            }
        };
        expected["digest"] = hex(&entry.digest).into();
        if values {
            expected["salt"] = line["salt"].clone();
        }
        if line != expected {
            self.finding(format!("entry {} is not what the chain says", entry.seq));
        }
    }

    fn end(&mut self) {
        if let Some(Ok(_)) = self.lines.next() {
            self.finding("entries.jsonl has lines that are not in the chain".to_owned());
        }
        if self.hash != self.checked.manifest.head || self.next != self.checked.manifest.next {
            self.finding(format!(
                "the chain ends at entry {}, and not at the head that the manifest names",
                self.next
            ));
        }
        if self.lines_seen != self.checked.manifest.entries {
            self.finding(format!(
                "the manifest counts {} entries, and there are {}",
                self.checked.manifest.entries, self.lines_seen
            ));
        }
    }
}

/// Salt and values of a line, as they were when their digest was made; `None` for an erased entry.
fn values_of(line: &Json) -> Option<([u8; 16], Values)> {
    let salt = STANDARD.decode(line["salt"].as_str()?).ok()?.try_into().ok()?;
    let changes = line["changes"].as_array()?.iter().map(|change| {
        Some(Change {
            attribute: change["attribute"].as_str()?.into(),
            before: Value::from_json(&change["before"]),
            after: Value::from_json(&change["after"]),
        })
    });
    let values = Values {
        changes: changes.collect::<Option<_>>()?,
        detail: line["detail"].as_str().map(str::to_owned),
    };
    Some((salt, values))
}

pub(super) fn hex(hash: &Hash) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

//! `history verify`: whether an export is unaltered, and where it is not.
//!
//! A line that is missing, double or out of place is found by the numbers that lines and records carry, so that one
//! missing line is one finding, and not one for each line after it.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::io::BufRead;
use std::io::BufReader;
use std::io::Lines;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value as Json;
use sha2::Digest;
use sha2::Sha256;

use crate::model::value::Value;
use crate::ports::StoreError;
use crate::reconcile::operation::Change;
use crate::snapshot::history::Batch;
use crate::snapshot::history::Entry;
use crate::snapshot::history::Hash;
use crate::snapshot::history::Values;
use crate::snapshot::io::io_error;
use crate::snapshot::maintenance::manifest::LAYOUT;
use crate::snapshot::maintenance::manifest::LAYOUT_BEFORE;
use crate::snapshot::maintenance::manifest::Manifest;
use crate::snapshot::maintenance::manifest::hex;
use crate::snapshot::query::document;
use crate::snapshot::record;

/// The outcome of checking an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The manifest of the export.
    pub manifest: Manifest,
    /// The number of entries whose values were present and are what was recorded.
    pub proven: u64,
    /// The number of entries whose values were erased.
    pub erased: u64,
    /// The faults found, as texts.
    pub findings: Vec<String>,
}

/// The most findings that are of use to a reader.
const FINDINGS: usize = 100;

/// Checks an export, without a store.
///
/// # Errors
/// [`StoreError::Io`], and [`StoreError::Damaged`] for a folder that is not an export; a mismatch is a finding.
pub fn verify(folder: &Path) -> Result<Checked, StoreError> {
    let open = |name: &str| {
        let path = folder.join(name);
        File::open(&path).map_err(|error| io_error(&path, "read the export of the history", error))
    };
    let manifest: Manifest =
        serde_json::from_reader(BufReader::new(open("manifest.json")?)).map_err(|error| {
            StoreError::Damaged {
                path: folder.display().to_string(),
                what: format!("its manifest.json does not decode ({error})"),
            }
        })?;
    if ![LAYOUT, LAYOUT_BEFORE].contains(&manifest.layout.as_str()) {
        return Err(StoreError::Damaged {
            path: folder.display().to_string(),
            what: format!("it is `{}`, and this melonsync reads `{LAYOUT}`", manifest.layout),
        });
    }
    let mut check = Check {
        lines: EntryLines {
            lines: BufReader::new(open("entries.jsonl")?).lines(),
            ahead: VecDeque::new(),
        },
        next: manifest.first,
        hash: Some(manifest.anchor.clone()),
        begun: false,
        lines_seen: 0,
        missing: 0,
        lost: false,
        checked: Checked {
            manifest,
            proven: 0,
            erased: 0,
            findings: Vec::new(),
        },
    };
    for line in BufReader::new(open("chain.jsonl")?).lines() {
        match line {
            Ok(line) => check.record(&line),
            // Bytes that are not text: altered.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => check.record(""),
            Err(error) => return Err(io_error(folder, "read the export of the history", error)),
        }
    }
    check.end();
    Ok(check.checked)
}

/// The lines of `entries.jsonl`, with a look ahead; `None` for a line that is not JSON.
struct EntryLines {
    lines: Lines<BufReader<File>>,
    ahead: VecDeque<Option<Json>>,
}

impl EntryLines {
    fn look(&mut self, at: usize) -> Option<&Option<Json>> {
        while self.ahead.len() <= at {
            let line = match self.lines.next()? {
                Ok(text) => serde_json::from_str(&text).ok(),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => None,
                Err(_) => return None,
            };
            self.ahead.push_back(line);
        }
        self.ahead.get(at)
    }

    /// Returns the number that a line ahead carries.
    fn number(&mut self, at: usize) -> Option<u64> {
        self.look(at)?.as_ref()?["seq"].as_u64()
    }

    fn take(&mut self) -> Option<Option<Json>> {
        self.look(0)?;
        self.ahead.pop_front()
    }

    /// Decides where the next line stands relative to the entry of this number, in an export whose numbers end before
    /// `end`.
    fn stands(&mut self, wanted: u64, end: u64) -> Stands {
        if self.look(0).is_none() {
            return Stands::Missing;
        }
        let (this, after) = (self.number(0), self.number(1));
        // The next line goes on after the wanted entry, so this one is in its place, whatever its number: one altered
        // number must not make a gap of everything that follows.
        let goes_on = after
            .is_some_and(|after| after > wanted && this.is_none_or(|this| this < wanted || this >= after));
        match this {
            Some(this) if this == wanted => Stands::Here,
            _ if goes_on => Stands::Here,
            Some(this) if this < wanted => Stands::OutOfPlace(this),
            Some(this) if this < end => Stands::Missing,
            Some(_) | None => Stands::Here,
        }
    }
}

enum Stands {
    /// The line is the entry's, unchanged or altered.
    Here,
    /// The line is a later entry's: this entry's line is missing.
    Missing,
    /// The line is an earlier entry's, with this number.
    OutOfPlace(u64),
}

struct Check {
    lines: EntryLines,
    /// The number of the next entry in the chain.
    next: u64,
    /// The hash of the record before; `None` where that could not be read, so that the link to it cannot be checked.
    hash: Option<String>,
    begun: bool,
    lines_seen: u64,
    /// The number of missing entry lines.
    missing: u64,
    /// True if a record is missing or unreadable: how many lines it stood for is not known.
    lost: bool,
    checked: Checked,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChainLine {
    first: Option<u64>,
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
        let first = batch
            .as_ref()
            .and_then(|batch| batch.entries.first())
            .map(|entry| entry.seq);
        let (Some(read), Some(bytes), Some(batch), Some(first)) = (read, bytes, batch, first) else {
            self.finding(format!("the record of entry {} does not decode", self.next));
            self.hash = None;
            self.lost = true;
            return;
        };
        if !self.follows(first, &hex(&batch.previous)) {
            return;
        }
        let hash: Hash = Sha256::digest(&bytes).into();
        if hex(&hash) != read.hash || read.first.is_some_and(|named| named != first) {
            self.finding(format!("the record of entry {first} does not match its line"));
        }
        // The hash that its line states: where only the bytes were altered, the next record still builds on it.
        self.hash = Some(read.hash);
        for entry in &batch.entries {
            if entry.seq != self.next {
                self.finding(format!("entry {} stands where {} should", entry.seq, self.next));
            }
            self.next = self.next.max(entry.seq).saturating_add(1);
            let asked = &self.checked.manifest;
            if entry.time >= asked.since && entry.time <= asked.until {
                self.entry(entry);
            }
        }
    }

    /// Returns whether a record that begins with this entry continues the chain, and reports one finding where it is
    /// not in its place.
    fn follows(&mut self, first: u64, previous: &str) -> bool {
        let linked = self.hash.as_deref().is_none_or(|hash| hash == previous);
        let begun = std::mem::replace(&mut self.begun, true);
        if !begun && first < self.next {
            self.finding(format!(
                "the chain begins at entry {first}, but the manifest states {}",
                self.next
            ));
            self.next = first;
            return true;
        }
        if first < self.next {
            self.finding(format!(
                "the record of entry {first} stands out of place in chain.jsonl"
            ));
            return false;
        }
        if first > self.next {
            if self.hash.is_some() {
                let (next, last) = (self.next, first - 1);
                self.finding(format!(
                    "the record of entries {next} to {last} is missing in chain.jsonl"
                ));
            }
            self.lost = true;
            self.skip_to(first);
        } else if !linked {
            self.finding(format!("the chain is broken before entry {first}"));
        }
        true
    }

    /// Skips the lines of entries whose record is missing: that was reported.
    fn skip_to(&mut self, first: u64) {
        while self
            .lines
            .number(0)
            .is_some_and(|number| (self.next..first).contains(&number))
        {
            self.lines.take();
            self.lines_seen += 1;
        }
        self.next = first;
    }

    /// Checks that the next line of `entries.jsonl` is this entry.
    fn entry(&mut self, entry: &Entry) {
        let line = loop {
            match self.lines.stands(entry.seq, self.checked.manifest.next) {
                Stands::Here => break self.lines.take().flatten(),
                Stands::Missing => {
                    self.missing += 1;
                    return self.finding(format!("entry {} is missing in entries.jsonl", entry.seq));
                }
                Stands::OutOfPlace(number) => {
                    self.lines.take();
                    self.finding(format!(
                        "a line of entry {number} stands out of place in entries.jsonl"
                    ));
                }
            }
        };
        self.lines_seen += 1;
        let Some(line) = line else {
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
            self.finding(format!("entry {} does not match the chain", entry.seq));
        }
    }

    fn end(&mut self) {
        let manifest = &self.checked.manifest;
        let (head, end, entries) = (manifest.head.clone(), manifest.next, manifest.entries);
        let at_head = self.hash.as_ref().is_none_or(|hash| *hash == head);
        if !at_head || (self.next != end && self.hash.is_some()) {
            self.finding(format!(
                "the chain ends at entry {}, and not at the head that the manifest names",
                self.next
            ));
        }
        if self.next < end {
            self.lost = true;
            self.skip_to(end);
        }
        if self.lines.take().is_some() {
            self.finding("entries.jsonl has lines that are not in the chain".to_owned());
        }
        if !self.lost && self.lines_seen + self.missing != entries {
            self.finding(format!(
                "the manifest counts {entries} entries, and there are {}",
                self.lines_seen
            ));
        }
    }
}

/// Returns the salt and the values of a line as they were when their digest was computed, or `None` for an erased
/// entry.
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

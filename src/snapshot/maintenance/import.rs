//! `state import`: builds a snapshot from the JSON Lines that `state export` wrote.
//!
//! Guarantee: the history's chain ends with the same hashes, or nothing is imported. What follows from other lines
//! (owners, references, counters) is built anew. Like a restored snapshot, it begins with a full read, with everything
//! looked at again and with removals withheld.

use std::{
    fs::File,
    io::{BufRead, BufReader},
    path::Path,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::model::assignment::RoleId;
use crate::model::clock::Timestamp;
use crate::model::cursor::Stream;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::link::Link;
use crate::model::name::Name;
use crate::model::object::Life;
use crate::model::object::Removed;
use crate::model::value::Attributes;
use crate::model::value::Value;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::ports::Table;

use crate::snapshot::again::begin_again;
use crate::snapshot::folder::StateFolder;
use crate::snapshot::history::Batch;
use crate::snapshot::history::BatchValues;
use crate::snapshot::history::Entry;
use crate::snapshot::history::Hash;
use crate::snapshot::history::Values;
use crate::snapshot::history::index::Marks;
use crate::snapshot::io::io_error;
use crate::snapshot::io::remove_folder;
use crate::snapshot::keys;
use crate::snapshot::kv::sled::DEFAULT_CACHE_BYTES;
use crate::snapshot::maintenance::forget;
use crate::snapshot::maintenance::manifest::hex;
use crate::snapshot::maintenance::migrate::FORMAT;
use crate::snapshot::maintenance::migrate::OLDEST_EXPORT;
use crate::snapshot::maintenance::transfer::install;
use crate::snapshot::record;
use crate::snapshot::record::Binding;
use crate::snapshot::record::DirtyCause;
use crate::snapshot::record::Record;
use crate::snapshot::store::Snapshot;
use crate::snapshot::tx::Tx;

/// The most lines that one transaction takes.
const LINES: usize = 1000;

/// Builds a job's snapshot from an export and returns the number of lines. Where the job already has a snapshot, the
/// import is refused, or with `force` that snapshot is set aside as `sled.replaced` or `redb.replaced`.
///
/// # Errors
/// [`StoreError::Damaged`] with the line that is wrong, and then nothing was changed; [`StoreError::Io`].
pub fn import(file: &Path, state: &StateFolder, job: &str, force: bool) -> Result<u64, StoreError> {
    let fill = |fresh: &Path, folder: &Path| {
        remove_folder(fresh).map_err(|error| io_error(folder, "import the snapshot", error))?;
        let store = state.engine().open(fresh, DEFAULT_CACHE_BYTES)?;
        let snapshot = Snapshot::open(store, fresh)?;
        let lines = read(file, &snapshot)?;
        for kind in [ObjectKind::User, ObjectKind::Group] {
            snapshot.mark_all_dirty(kind, DirtyCause::MANUAL)?;
        }
        begin_again(&snapshot, "imported")?;
        forget::repeat(&snapshot, folder)?;
        Ok(lines)
    };
    install(state, job, force, fill)
}

/// Reads an export into an empty snapshot.
pub fn read(file: &Path, snapshot: &Snapshot) -> Result<u64, StoreError> {
    let refused = |error| io_error(file, "read the export", error);
    let mut lines = BufReader::new(File::open(file).map_err(refused)?).lines();
    let mut reading = Reading::default();
    let mut number = 0;
    loop {
        let mut tx = snapshot.tx()?;
        let before = number;
        for line in lines.by_ref().take(LINES) {
            number += 1;
            let line = line.map_err(refused)?;
            let done = match serde_json::from_str::<Json>(&line) {
                Ok(line) => reading.line(&mut tx, &line),
                Err(error) => Err(Wrong::line(format!("is not JSON ({error})"))),
            };
            done.map_err(|wrong| wrong.at(file, number))?;
        }
        tx.commit(Durability::Lazy)?;
        if number == before {
            break;
        }
    }
    let mut tx = snapshot.tx()?;
    reading.end(&mut tx).map_err(|wrong| wrong.at(file, number))?;
    tx.commit(Durability::Synced)?;
    Ok(number)
}

/// The reason why a line is refused.
enum Wrong {
    Line(String),
    Store(StoreError),
}

impl Wrong {
    fn line(what: impl Into<String>) -> Self {
        Self::Line(what.into())
    }

    fn at(self, file: &Path, number: u64) -> StoreError {
        match self {
            Self::Store(error) => error,
            Self::Line(what) => StoreError::Damaged {
                path: file.display().to_string(),
                what: format!("line {number} {what}"),
            },
        }
    }
}

impl From<StoreError> for Wrong {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

type Done<T = ()> = Result<T, Wrong>;

#[derive(Default)]
struct Reading {
    /// The first line's facts about the history: the number of entries so far, and the head.
    head: Option<(u64, String)>,
    /// The record whose entries are being read, and its number of entries.
    open: Option<(Batch, BatchValues, usize)>,
    hash: Hash,
    begun: bool,
}

impl Reading {
    fn line(&mut self, tx: &mut Tx<'_>, line: &Json) -> Done {
        let kind = line["type"].as_str().unwrap_or_default();
        if self.head.is_none() && kind != "snapshot" {
            return Err(Wrong::line(
                "should be the first line of an export, of type `snapshot`",
            ));
        }
        match kind {
            "snapshot" => self.head(tx, line),
            "stream" => {
                tx.put_stream(of(line, "kind")?, &of::<Stream>(line, "stream")?);
                Ok(())
            }
            "meta" => meta(tx, line),
            "object" => object(tx, line),
            "membership" => {
                let (group, member) = (id(line, "group")?, id(line, "member")?);
                Ok(tx.put_edge(&group, &member, &of(line, "edge")?)?)
            }
            "assignment" => assignment(tx, line),
            "dirty" => dirty(tx, line),
            "hold" => {
                tx.put_hold(of(line, "kind")?, &id(line, "id")?, &of(line, "hold")?);
                Ok(())
            }
            "withheld" => {
                let key = (of(line, "kind")?, id(line, "id")?, of(line, "class")?);
                tx.put_withheld(&key, &of(line, "withheld")?);
                Ok(())
            }
            "cells" => {
                tx.put_cells(&id(line, "id")?, &of(line, "cells")?);
                Ok(())
            }
            "enrolled" => {
                tx.put_enrolled(&id(line, "id")?, &of(line, "enrolled")?);
                Ok(())
            }
            // Everything is looked at again after an import, and an object that is refused again is set aside again.
            "escrow" | "refused" => Ok(()),
            "intents" => intents(tx, line),
            "history-record" => self.record(line),
            "history" => self.entry(tx, line),
            "cycle" => {
                tx.put_cycle(&line["summary"]);
                Ok(())
            }
            "damaged" => Err(Wrong::line(
                "reports a record that was damaged when it was exported",
            )),
            other => Err(Wrong::line(format!("has a type that is not known: `{other}`"))),
        }
    }

    fn head(&mut self, tx: &mut Tx<'_>, line: &Json) -> Done {
        let format: u32 = of(line, "format")?;
        if !(OLDEST_EXPORT..=FORMAT).contains(&format) {
            return Err(Wrong::line(format!(
                "has format {format}; this melonsync imports {OLDEST_EXPORT} to {FORMAT}"
            )));
        }
        if let Some(binding) = of::<Option<Binding>>(line, "binding")? {
            tx.put(
                Table::Meta,
                keys::meta::BINDING.to_vec(),
                record::encode(&binding),
            );
        }
        let history = &line["history"];
        self.head = Some((of(history, "entries")?, text(history, "head")?.to_owned()));
        Ok(())
    }

    /// Begins a record of the history, whose entries follow.
    fn record(&mut self, line: &Json) -> Done {
        let previous = hash(line, "previous")?;
        if self.begun && previous != self.hash {
            return Err(Wrong::line("breaks the history's chain"));
        }
        let count: usize = of(line, "entries")?;
        let batch = Batch {
            previous,
            entries: Vec::new(),
        };
        self.open = Some((batch, BatchValues::default(), count));
        Ok(())
    }

    fn entry(&mut self, tx: &mut Tx<'_>, line: &Json) -> Done {
        let Some((batch, values, count)) = &mut self.open else {
            return Err(Wrong::line("is an entry without a record"));
        };
        let mut plain = line.clone();
        let digest: Vec<u8> = base64(line, "digest")?;
        plain["digest"] = serde_json::json!(digest);
        let entry: Entry = serde_json::from_value(plain).map_err(|error| Wrong::line(error.to_string()))?;
        batch.entries.push(entry);
        let held = match line.get("values") {
            Some(_) => {
                let salt = base64(line, "salt")?;
                let salt = salt.try_into().map_err(|_| Wrong::line("has an invalid salt"))?;
                Some((salt, of::<Values>(line, "values")?))
            }
            None => None,
        };
        values.0.push(held);
        if batch.entries.len() < *count {
            return Ok(());
        }
        let (batch, values, _) = self.open.take().expect("it was just looked at");
        self.close(tx, &batch, &values);
        Ok(())
    }

    /// Writes a record of the history unchanged.
    fn close(&mut self, tx: &mut Tx<'_>, batch: &Batch, values: &BatchValues) {
        let first = batch.entries.first().map_or(0, |entry| entry.seq);
        let bytes = record::encode(batch);
        self.hash = Sha256::digest(&bytes).into();
        self.begun = true;
        tx.put(Table::History, keys::number(first), bytes);
        tx.put(Table::HistoryValues, keys::number(first), values.encode());
        tx.mark_history(first, &Marks::of(batch, values));
        tx.heads.next_history = first + batch.entries.len() as u64;
        tx.heads.history_hash = self.hash;
    }

    fn end(&self, tx: &mut Tx<'_>) -> Done {
        let Some((entries, head)) = &self.head else {
            return Err(Wrong::line("is missing: the file is empty"));
        };
        if self.open.is_some() || *entries != tx.heads.next_history || *head != hex(&self.hash) {
            return Err(Wrong::line(
                "is the last one, and the history does not end where its first line says: the export is not whole, or \
                 was altered",
            ));
        }
        Ok(())
    }
}

fn meta(tx: &mut Tx<'_>, line: &Json) -> Done {
    let bytes = match line["text"].as_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => base64(line, "base64")?,
    };
    tx.put_meta(text(line, "name")?, bytes);
    Ok(())
}

fn object(tx: &mut Tx<'_>, line: &Json) -> Done {
    let (kind, id) = (of(line, "kind")?, id(line, "id")?);
    let mut record = Record::new(kind, id, of(line, "generation")?);
    let object = &mut record.object;
    object.life = match text(line, "life")? {
        "alive" => Life::Alive,
        "missing" => Life::Missing,
        "unknown" => Life::Unknown,
        "soft-deleted" => Life::Gone(Removed::SoftDeleted),
        "hard-deleted" => Life::Gone(Removed::HardDeleted),
        other => return Err(Wrong::line(format!("has a life that is not known: `{other}`"))),
    };
    object.attributes = attributes(line, "attributes")?;
    object.manager = match &line["manager"] {
        Json::Null => None,
        _ => Some(self::id(line, "manager")?),
    };
    object.manager_generation = of(line, "manager_generation")?;
    object.gone_since = match &line["gone_since"] {
        Json::Null => None,
        _ => Some(time(line, "gone_since")?),
    };
    let link = &line["link"];
    if !link.is_null() {
        record.link = Some(Link {
            target: TargetId::new(text(link, "target")?)
                .ok_or_else(|| Wrong::line("has a link to nothing"))?,
            origin: of(link, "origin")?,
            since: time(link, "since")?,
            sent: attributes(link, "sent")?,
            kept: of(link, "kept")?,
        });
    }
    Ok(tx.put_record(&record)?)
}

fn assignment(tx: &mut Tx<'_>, line: &Json) -> Done {
    let roles: Vec<Uuid> = of(line, "roles")?;
    let roles: Vec<RoleId> = roles.into_iter().map(RoleId).collect();
    tx.put(
        Table::Assignments,
        keys::object(of(line, "kind")?, &id(line, "id")?),
        record::encode(&roles),
    );
    Ok(())
}

fn dirty(tx: &mut Tx<'_>, line: &Json) -> Done {
    let causes: Vec<String> = of(line, "causes")?;
    let mut mark = DirtyCause::default();
    for cause in &causes {
        let found = DirtyCause::NAMES.iter().find(|(name, _)| name == cause);
        let (_, bit) =
            found.ok_or_else(|| Wrong::line(format!("has a cause that is not known: `{cause}`")))?;
        mark = mark.and(*bit);
    }
    // Exports of older programs have no such list.
    let moved = line.get("moved").and_then(Json::as_array).into_iter().flatten();
    let moved = moved.filter_map(Json::as_str).map(Name::from).collect();
    Ok(tx.mark_moved(of(line, "kind")?, &id(line, "id")?, mark, moved)?)
}

fn intents(tx: &mut Tx<'_>, line: &Json) -> Done {
    let mut open = Vec::new();
    for intent in line["open"].as_array().into_iter().flatten() {
        open.push((of(intent, "kind")?, id(intent, "id")?, of(intent, "intent")?));
    }
    let _ = tx.put_intents(open);
    Ok(())
}

fn of<T: DeserializeOwned>(line: &Json, name: &str) -> Done<T> {
    serde_json::from_value(line[name].clone())
        .map_err(|error| Wrong::line(format!("has no valid `{name}` ({error})")))
}

fn text<'l>(line: &'l Json, name: &str) -> Done<&'l str> {
    line[name]
        .as_str()
        .ok_or_else(|| Wrong::line(format!("has no text `{name}`")))
}

fn id(line: &Json, name: &str) -> Done<SourceId> {
    text(line, name)?
        .parse()
        .map_err(|_| Wrong::line(format!("has no object id in `{name}`")))
}

fn time(line: &Json, name: &str) -> Done<Timestamp> {
    let time = chrono::DateTime::parse_from_rfc3339(text(line, name)?);
    time.map(|time| Timestamp(time.timestamp_millis()))
        .map_err(|_| Wrong::line(format!("has no moment in `{name}`")))
}

fn base64(line: &Json, name: &str) -> Done<Vec<u8>> {
    STANDARD
        .decode(text(line, name)?)
        .map_err(|_| Wrong::line(format!("has no base64 in `{name}`")))
}

fn hash(line: &Json, name: &str) -> Done<Hash> {
    let text = text(line, name)?;
    let bytes: Option<Vec<u8>> = (text.len() == 64 && text.is_ascii())
        .then(|| {
            (0..64)
                .step_by(2)
                .map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok())
                .collect()
        })
        .flatten();
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| Wrong::line(format!("has no hash in `{name}`")))
}

fn attributes(line: &Json, name: &str) -> Done<Attributes> {
    let map = line[name]
        .as_object()
        .ok_or_else(|| Wrong::line(format!("has no `{name}`")))?;
    Ok(map
        .iter()
        .map(|(name, value)| (name.as_str(), Value::from_json(value)))
        .collect())
}

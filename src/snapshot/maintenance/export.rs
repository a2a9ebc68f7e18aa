//! `melonsync state export`: everything of lasting worth in a snapshot, as JSON Lines that a person can read.
//!
//! One line a record, `type` first. A record that does not decode becomes a line of type `damaged`, and the rest goes
//! on. Left out are what only serves the current cycle (readings, forecast, removals) and what follows from other lines
//! (owners, references).

use std::io::Write;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use crate::model::assignment::RoleId;
use crate::model::id::ObjectKind;
use crate::model::link::Link;
use crate::model::object::Life;
use crate::model::object::Membership;
use crate::model::object::Removed;
use crate::model::refusal::Refusal;
use crate::model::shown::shown_json;
use crate::model::value::Attributes;
use crate::ports::StoreError;
use crate::ports::Table;

use crate::snapshot::cells;
use crate::snapshot::enrolments;
use crate::snapshot::escrow::Escrowed;
use crate::snapshot::history::Batch;
use crate::snapshot::history::BatchValues;
use crate::snapshot::history::Entry;
use crate::snapshot::history::Values;
use crate::snapshot::io::io_error;
use crate::snapshot::kept_back;
use crate::snapshot::keys;
use crate::snapshot::maintenance::manifest::hex;
use crate::snapshot::maintenance::migrate::FORMAT;
use crate::snapshot::maintenance::verify::each;
use crate::snapshot::read::ObjectIntent;
use crate::snapshot::read::Reads;
use crate::snapshot::record;
use crate::snapshot::record::DirtyCause;
use crate::snapshot::record::Mark;
use crate::snapshot::record::Record;
use crate::snapshot::store::Snapshot;

/// The numbers of lines written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exported {
    /// All lines.
    pub lines: u64,
    /// Lines that report a damaged record.
    pub damaged: u64,
}

/// Writes the lines, tables in a fixed order and keys in theirs, so that two exports can be compared by `diff`.
///
/// # Errors
/// When the engine below cannot read on, or `out` refuses.
pub fn export(snapshot: &Snapshot, out: &mut impl Write) -> Result<Exported, StoreError> {
    let mut lines = Lines {
        out,
        done: Exported::default(),
        path: snapshot.path(),
    };
    lines.write(&head(snapshot)?)?;
    for kind in [ObjectKind::User, ObjectKind::Group] {
        let stream = snapshot
            .stream(kind)
            .map(|stream| json!({"type": "stream", "kind": kind, "stream": stream}));
        lines
            .write(&stream.unwrap_or_else(|error| json!({"type": "damaged", "error": error.to_string()})))?;
    }
    for table in [
        Table::Meta,
        Table::Objects,
        Table::Edges,
        Table::Assignments,
        Table::Dirty,
        Table::KeptBack,
        Table::Escrow,
        Table::Refused,
        Table::Cells,
        Table::Enrolments,
        Table::Intents,
        Table::History,
        Table::Cycles,
    ] {
        each(snapshot, table, |key, value| {
            export_record(snapshot, &mut lines, table, key, value)
        })?;
    }
    lines.out.flush().map_err(|error| lines.refused(error))?;
    Ok(lines.done)
}

fn head(snapshot: &Snapshot) -> Result<Json, StoreError> {
    let head = snapshot.history_head()?;
    Ok(json!({
        "type": "snapshot",
        "format": FORMAT,
        "binding": snapshot.binding()?,
        "counts": snapshot.counts()?,
        "history": {"entries": head.next, "head": head.to_string()},
    }))
}

fn export_record<W: Write>(
    snapshot: &Snapshot,
    lines: &mut Lines<'_, W>,
    table: Table,
    key: &[u8],
    value: &[u8],
) -> Result<(), StoreError> {
    if table == Table::History {
        return export_history(snapshot, lines, key, value);
    }
    let line = match table {
        Table::Meta if !key.starts_with(keys::meta::FREE) => return Ok(()),
        Table::Meta => Ok(meta(&key[keys::meta::FREE.len()..], value)),
        Table::Objects => match keys::parse_object(key) {
            Some((kind, id)) => Record::decode(kind, id, value).map(|record| object(&record)),
            None => Err(record::Undecodable("a key that does not decode".to_owned())),
        },
        Table::Edges => record::decode::<Membership>(value).map(|edge| membership(key, &edge)),
        Table::Assignments => record::decode::<Vec<RoleId>>(value).map(|roles| assignment(key, &roles)),
        Table::Dirty => Ok(dirty(key, value)),
        Table::KeptBack => kept_back::line(key, value),
        Table::Enrolments => enrolments::line(key, value),
        Table::Escrow => record::decode::<Escrowed>(value).map(|entry| escrow(key, &entry)),
        Table::Refused => record::decode::<Vec<Refusal>>(value).map(|rows| refused(key, &rows)),
        Table::Cells => cells::line(key, value),
        Table::Intents => record::decode::<Vec<ObjectIntent>>(value).map(|open| intents(key, &open)),
        _ => serde_json::from_slice(value)
            .map(|summary: Json| json!({"type": "cycle", "summary": summary}))
            .map_err(|error| record::Undecodable(error.to_string())),
    };
    match line {
        Ok(line) => lines.write(&line),
        Err(error) => lines.damaged(table, key, &error),
    }
}

fn export_history<W: Write>(
    snapshot: &Snapshot,
    lines: &mut Lines<'_, W>,
    key: &[u8],
    value: &[u8],
) -> Result<(), StoreError> {
    let batch: Batch = match record::decode(value) {
        Ok(batch) => batch,
        Err(error) => return lines.damaged(Table::History, key, &error),
    };
    let values = BatchValues::beside(snapshot, key).unwrap_or_default();
    lines.write(
        &json!({"type": "history-record", "entries": batch.entries.len(), "previous": hex(&batch.previous)}),
    )?;
    let mut values = values.0.into_iter();
    for entry in &batch.entries {
        lines.write(&history(entry, values.next().flatten()))?;
    }
    Ok(())
}

fn meta(name: &[u8], value: &[u8]) -> Json {
    let name = String::from_utf8_lossy(name);
    match std::str::from_utf8(value) {
        Ok(text) => json!({"type": "meta", "name": name, "text": text}),
        Err(_) => json!({"type": "meta", "name": name, "base64": STANDARD.encode(value)}),
    }
}

fn object(record: &Record) -> Json {
    let object = &record.object;
    json!({
        "type": "object", "kind": object.kind, "id": object.id.to_string(), "life": life(object.life),
        "generation": object.generation, "gone_since": object.gone_since.map(|time| time.to_string()), "attributes": attributes(&object.attributes),
        "manager": object.manager.map(|manager| manager.to_string()),
        "manager_generation": object.manager_generation, "link": record.link.as_ref().map(link),
    })
}

const fn life(life: Life) -> &'static str {
    match life {
        Life::Alive => "alive",
        Life::Missing => "missing",
        Life::Unknown => "unknown",
        Life::Gone(Removed::SoftDeleted) => "soft-deleted",
        Life::Gone(Removed::HardDeleted) => "hard-deleted",
    }
}

fn link(link: &Link) -> Json {
    json!({
        "target": link.target.as_str(), "origin": link.origin, "since": link.since.to_string(),
        "sent": attributes(&link.sent), "kept": link.kept,
    })
}

fn attributes(attributes: &Attributes) -> Json {
    Json::Object(
        attributes
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_json()))
            .collect(),
    )
}

fn membership(key: &[u8], edge: &Membership) -> Json {
    let ids = keys::parse_edge(key);
    json!({
        "type": "membership", "group": ids.map(|(group, _)| group.to_string()),
        "member": ids.map(|(_, member)| member.to_string()), "edge": edge,
    })
}

fn assignment(key: &[u8], roles: &[RoleId]) -> Json {
    let object = keys::parse_object(key);
    json!({
        "type": "assignment", "kind": object.map(|(kind, _)| kind), "id": object.map(|(_, id)| id.to_string()),
        "roles": roles.iter().map(|role| role.0.to_string()).collect::<Vec<_>>(),
    })
}

fn escrow(key: &[u8], entry: &Escrowed) -> Json {
    let object = keys::parse_object(key);
    json!({
        "type": "escrow", "kind": object.map(|(kind, _)| kind), "id": object.map(|(_, id)| id.to_string()),
        "operation": entry.operation, "error": entry.error, "failures": entry.failures,
        "since": entry.since.to_string(), "next_try": entry.next_try.map(|at| at.to_string()),
    })
}

fn refused(key: &[u8], rows: &[Refusal]) -> Json {
    let object = keys::parse_object(key);
    let one = |row: &Refusal| {
        json!({
            "attribute": row.attribute, "operation": row.operation, "error": row.error, "failures": row.failures,
            "since": row.since.to_string(), "next_try": row.next_try.map(|at| at.to_string()),
        })
    };
    json!({
        "type": "refused", "kind": object.map(|(kind, _)| kind), "id": object.map(|(_, id)| id.to_string()),
        "attributes": rows.iter().map(one).collect::<Vec<_>>(),
    })
}

fn dirty(key: &[u8], value: &[u8]) -> Json {
    let cause = DirtyCause::decode(value);
    let moved = Mark::decode(value).unwrap_or_default().moved;
    let causes: Vec<&str> = DirtyCause::NAMES
        .iter()
        .filter(|(_, bit)| cause.has(*bit))
        .map(|(name, _)| *name)
        .collect();
    let object = keys::parse_object(key);
    json!({
        "type": "dirty", "kind": object.map(|(kind, _)| kind), "id": object.map(|(_, id)| id.to_string()),
        "causes": causes, "moved": moved,
    })
}

fn intents(key: &[u8], open: &[ObjectIntent]) -> Json {
    let open: Vec<Json> = open
        .iter()
        .map(|(kind, id, intent)| json!({"kind": kind, "id": id.to_string(), "intent": intent}))
        .collect();
    json!({"type": "intents", "batch": keys::parse_number(key), "open": open})
}

fn history(entry: &Entry, values: Option<([u8; 16], Values)>) -> Json {
    let mut line = Map::from_iter([("type".to_owned(), "history".into())]);
    let mut entry = json!(entry);
    if let Some(digest) = entry.get_mut("digest") {
        let bytes: Vec<u8> = serde_json::from_value(digest.take()).unwrap_or_default();
        *digest = STANDARD.encode(bytes).into();
    }
    line.extend(entry.as_object_mut().map(std::mem::take).unwrap_or_default());
    if let Some((salt, values)) = values {
        line.insert("salt".to_owned(), STANDARD.encode(salt).into());
        line.insert("values".to_owned(), json!(values));
    }
    Json::Object(line)
}

struct Lines<'o, W> {
    out: &'o mut W,
    done: Exported,
    path: &'o str,
}

impl<W: Write> Lines<'_, W> {
    fn write<T: Serialize>(&mut self, line: &T) -> Result<(), StoreError> {
        let line = serde_json::to_string(line).expect("plain data becomes JSON");
        self.done.lines += 1;
        let written = writeln!(self.out, "{}", shown_json(&line));
        written.map_err(|error| self.refused(error))
    }

    fn damaged(&mut self, table: Table, key: &[u8], error: &record::Undecodable) -> Result<(), StoreError> {
        self.done.damaged += 1;
        let key = STANDARD.encode(key);
        self.write(&json!({"type": "damaged", "table": format!("{table:?}"), "key": key, "error": error.0}))
    }

    fn refused(&self, error: std::io::Error) -> StoreError {
        io_error(
            std::path::Path::new(self.path),
            "write the export of the snapshot",
            error,
        )
    }
}

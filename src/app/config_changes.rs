//! Changes of a job's rules by its settings: noted in the history when they are put in force, with what differs and who owns the
//! file.
//!
//! Guarantee: the note and what it compares with are one transaction. After a crash before it the next start notes it. Rules that
//! are only tried, by a plan or a preview, are not noted.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::SystemTime;

use serde_json::Value as Json;

use super::actor::Actor;
use super::error::AppError;
use crate::engine::job::Job;
use crate::mapping::Mapping;
use crate::model::value::Value;
use crate::ports::Durability;
use crate::reconcile::operation::Change;
use crate::settings;
use crate::settings::preview::Parts;
use crate::snapshot::history::NewEntry;
use crate::snapshot::history::Values;
use crate::snapshot::state::ConfigTaken;
use crate::snapshot::state::StateReads;
use crate::snapshot::state::TAKEN;

/// What the history calls it.
pub const CONFIG: &str = "config";

/// Notes the rules of a job that is about to run by them, where they are others than those before. The first are noted as those to
/// compare with, and are no change.
pub fn note(config: &Path, job: &Job) -> Result<(), AppError> {
    let before = job.snapshot.state(&TAKEN)?;
    if before
        .as_ref()
        .is_some_and(|before| before.fingerprint == job.fingerprint)
    {
        return Ok(());
    }
    // Nobody changed the first.
    let owner = before.as_ref().and_then(|_| owner(config, &job.mapping.name));
    let now = ConfigTaken {
        by: owner.map_or_else(String::new, |owner| owner.to_string()),
        fingerprint: job.fingerprint.clone(),
        keys: keys(config, job)?,
        since: job.clock.now(),
    };
    let mut tx = job.snapshot.tx()?;
    if let Some(before) = &before {
        tx.append_history(vec![entry(before, &now)]);
    }
    tx.put_state(&TAKEN, &now);
    tx.commit(Durability::Synced)?;
    Ok(())
}

fn entry(before: &ConfigTaken, now: &ConfigTaken) -> NewEntry {
    let names = before.keys.keys().chain(now.keys.keys());
    let mut names: Vec<&String> = names.collect();
    names.sort();
    names.dedup();
    let text = |keys: &BTreeMap<String, String>, name: &str| {
        keys.get(name)
            .map_or(Value::Null, |text| Value::text(text.as_str()))
    };
    let changes = names.into_iter().map(|name| Change {
        attribute: name.as_str().into(),
        before: text(&before.keys, name),
        after: text(&now.keys, name),
    });
    let changes: Vec<Change> = changes.filter(|change| change.before != change.after).collect();
    let what: Vec<&str> = changes.iter().map(|change| &*change.attribute).collect();
    NewEntry {
        time: now.since,
        cycle: None,
        actor: now.by.clone(),
        operation: CONFIG.to_owned(),
        kind: None,
        object: None,
        target: None,
        reason: format!("changed in the settings: {}", what.join(", ")),
        result: "done".to_owned(),
        config: now.fingerprint.clone(),
        values: Values {
            changes: changes.clone(),
            detail: None,
        },
        salt: rand::random(),
    }
}

/// The keys that the rules are written with. A mapping is its name, with the beginning of its fingerprint.
fn keys(config: &Path, job: &Job) -> Result<BTreeMap<String, String>, AppError> {
    let parts = Parts::read(config, settings::process_environment(), &job.name)?;
    let all = [parts.filters, parts.scope, parts.policy];
    let mut keys = BTreeMap::new();
    for (name, value) in all.into_iter().flatten().flatten() {
        let text = match value {
            Json::String(text) => text,
            other => other.to_string(),
        };
        keys.insert(name, text);
    }
    let print = job.mapping.fingerprint();
    let print: String = print.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    keys.insert("mapping".to_owned(), format!("{} ({print})", job.mapping.name));
    Ok(keys)
}

/// The owner of the file that was written last: the settings, or those of the mapping. Nobody notes who writes a file, so that
/// whoever owns it answers for it.
fn owner(config: &Path, mapping: &str) -> Option<Actor> {
    let mut files = vec![config.to_owned()];
    if Mapping::preset(mapping).is_none() {
        files.push(settings::mapping_place(config, mapping));
    }
    let held = files.iter().filter_map(|path| fs::metadata(path).ok());
    let last = held.max_by_key(|held| held.modified().unwrap_or(SystemTime::UNIX_EPOCH))?;
    Some(Actor::peer(last.uid(), &[]))
}

//! A resource as it was read, kept in the store for the length of a cycle.

use serde::Deserialize;
use serde::Serialize;

use crate::mapping::path::TargetPath;
use crate::mapping::resource::read_path;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::name::Name;
use crate::ports::Durability;
use crate::ports::Resource;
use crate::ports::StoreError;
use crate::reconcile::forward::matching::fold;
use crate::snapshot::read::Reads;
use crate::snapshot::store::Snapshot;
use crate::snapshot::tx::Tx;

/// A resource as the store keeps it for the length of a cycle.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct StoredReading {
    /// The body as JSON text: postcard cannot hold JSON values.
    body: String,
    /// Objects without a link that match it.
    pub claims: Vec<SourceId>,
    /// Attributes that this cycle wrote after the reading, whose values it no longer tells.
    written: Vec<String>,
}

impl StoredReading {
    fn new(resource: &Resource) -> Self {
        Self {
            body: resource.body.to_string(),
            claims: Vec::new(),
            written: Vec::new(),
        }
    }

    /// The attributes that were written after it.
    pub(in crate::engine) fn written(&self) -> Vec<Name> {
        self.written
            .iter()
            .map(|name| Name::from(name.as_str()))
            .collect()
    }

    /// The resource was read again: this is all of it.
    pub(in crate::engine) fn replace(&mut self, body: &serde_json::Value) {
        self.set_body(body);
        self.written.clear();
    }

    /// The body as it must be by now.
    pub(in crate::engine) fn set_body(&mut self, body: &serde_json::Value) {
        self.body = body.to_string();
    }

    /// These attributes were written, and not read again.
    pub(in crate::engine) fn overwrite<'n>(&mut self, names: impl Iterator<Item = &'n Name>) {
        for name in names {
            if !self.written.iter().any(|known| name.as_str() == known) {
                self.written.push(name.as_str().to_owned());
            }
        }
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// Stores resources as readings, findable by these paths; how many were not there before.
pub(in crate::engine) fn keep_readings(
    snapshot: &Snapshot,
    kind: ObjectKind,
    resources: &[Resource],
    paths: &[TargetPath],
) -> Result<u64, StoreError> {
    let mut fresh = 0;
    let mut tx = snapshot.tx()?;
    for resource in resources {
        if tx.reading::<StoredReading>(kind, &resource.id)?.is_some() {
            continue;
        }
        fresh += 1;
        keep_answer(&mut tx, kind, resource, paths);
    }
    if !tx.is_empty() {
        tx.commit(Durability::Lazy)?;
    }
    Ok(fresh)
}

/// Stores what a create was answered with in the place of what was read of it before.
pub(in crate::engine) fn keep_answer(
    tx: &mut Tx<'_>,
    kind: ObjectKind,
    resource: &Resource,
    paths: &[TargetPath],
) {
    let values: Vec<(&str, String)> = paths
        .iter()
        .filter_map(|path| Some((path.as_str(), fold(&read_path(&resource.body, path)?))))
        .collect();
    let index: Vec<(&str, &str)> = values
        .iter()
        .map(|(path, value)| (*path, value.as_str()))
        .collect();
    tx.put_reading(kind, &resource.id, &StoredReading::new(resource), &index);
}

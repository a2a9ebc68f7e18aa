//! The holds of an undo: one entry an object, under a name of its own, until the source changes it or a person releases
//! it.

use serde::{Deserialize, Serialize};

use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::ports::StoreError;
use crate::ports::Table;
use crate::reconcile::undo::undo_hold::UndoHold;

use super::{keys, read::Reads, record, store::Snapshot, tx::Tx};

/// The prefix of the names of these entries.
const PREFIX: &str = "undone/";

/// A hold, with a hash of the object at the source when it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undone {
    /// The attributes and members held.
    pub hold: UndoHold,
    /// A hash of life and attributes at the source: another one ends the hold on the resource itself.
    pub source: [u8; 16],
}

impl Undone {
    /// Merges a new hold over an existing one. Where the source changed since that one, the existing hold no longer
    /// decides whether the resource is absent or present.
    #[must_use]
    pub fn over(before: Option<Self>, hold: UndoHold, source: [u8; 16]) -> Self {
        let Some(mut before) = before else {
            return Self { hold, source };
        };
        if before.source != source {
            (before.hold.absent, before.hold.present) = (false, false);
        }
        Self {
            hold: before.hold.followed_by(hold),
            source,
        }
    }
}

fn name(kind: ObjectKind, id: &SourceId) -> String {
    format!("{PREFIX}{kind}/{id}")
}

impl Snapshot {
    /// Returns true while an undo holds anything.
    pub fn holds_undone(&self) -> Result<bool, StoreError> {
        let found = self.raw_scan(Table::Meta, &keys::meta::free(PREFIX), None, 1)?;
        Ok(!found.is_empty())
    }

    /// Returns the objects that an undo holds; as many as undone cycles touched.
    pub fn all_undone(&self) -> Result<Vec<(ObjectKind, SourceId)>, StoreError> {
        let prefix = keys::meta::free(PREFIX);
        let found = self.raw_scan(Table::Meta, &prefix, None, usize::MAX)?;
        let parse = |key: &[u8]| {
            let (kind, id) = std::str::from_utf8(&key[prefix.len()..]).ok()?.split_once('/')?;
            let kinds = [ObjectKind::User, ObjectKind::Group];
            let kind = kinds.into_iter().find(|known| known.word() == kind)?;
            Some((kind, id.parse().ok()?))
        };
        found
            .iter()
            .map(|(key, _)| parse(key).ok_or_else(|| self.bad_key(Table::Meta)))
            .collect()
    }

    /// Returns what an undo holds of an object.
    pub fn undone(&self, kind: ObjectKind, id: &SourceId) -> Result<Option<Undone>, StoreError> {
        self.decoded(Table::Meta, &keys::meta::free(&name(kind, id)))
    }
}

impl Tx<'_> {
    /// Stores what an undo holds of an object; `None` releases it.
    pub fn put_undone(&mut self, kind: ObjectKind, id: &SourceId, undone: Option<&Undone>) {
        match undone {
            Some(undone) => self.put_meta(&name(kind, id), record::encode(undone)),
            None => self.delete_meta(&name(kind, id)),
        }
    }
}

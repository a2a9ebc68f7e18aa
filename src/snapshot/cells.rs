//! What is remembered of the way back: the cells of each linked user, and what all of them have in common.
//!
//! The cells of a user lie in one value, with the resource that they are about: those of another resource are none of its cells.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Deserialize;
use serde::Serialize;

use super::keys;
use super::read::Reads;
use super::record;
use super::state::StateKey;
use super::tx::Tx;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::ports::StoreError;
use crate::ports::Table;
use crate::reconcile::back::cell::Cell;
use crate::reconcile::back::finding::Finding;

/// The cells of one user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UserCells {
    /// The resource that they are about.
    pub target: TargetId,
    /// Each with its Graph property.
    pub cells: BTreeMap<String, KeptCell>,
}

/// One cell, with what is shown of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptCell {
    /// The cell.
    pub cell: Cell,
    /// Since when the value belongs to the target: its first contact.
    pub since: Timestamp,
    /// What was last found of it and still stands, and when.
    pub finding: Option<(Finding, Timestamp)>,
    /// Why both sides differed when the base of the cell was taken, and when that was found; `None` where they did not. It is what
    /// stands again once a later finding is over and both are as they were.
    #[serde(default)]
    pub of_base: Option<(Finding, Timestamp)>,
}

impl KeptCell {
    /// Returns it without what both sides held, and what was found of that: what comes next is first contact.
    #[must_use]
    pub fn forgotten(self) -> Self {
        Self {
            cell: self.cell.forgotten(),
            finding: None,
            of_base: None,
            ..self
        }
    }
}

/// What the cells of a job have in common.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WayBackState {
    /// The number of the last complete reading of the target.
    pub reading: u64,
    /// The properties of which some user's value was ever read at the target.
    pub readable: BTreeSet<String>,
    /// The days on which something was written, and how often; the latest last.
    pub writes: Vec<(i64, u64)>,
    /// True once Graph took a write.
    pub succeeded: bool,
    /// Users whose write was refused with 403 before any was taken.
    pub forbidden: BTreeSet<SourceId>,
}

/// What the cells have in common.
pub const WAY_BACK: StateKey<WayBackState> = StateKey::json("way_back", "what the way back goes by");

/// Reads of cells.
pub trait CellReads: Reads {
    /// Returns the cells of a user.
    fn cells(&self, user: &SourceId) -> Result<Option<UserCells>, StoreError> {
        self.decoded(Table::Cells, &keys::object(ObjectKind::User, user))
    }

    /// Shows the cells of every user who has some.
    ///
    /// # Errors
    /// As [`Reads`], and what `show` returns.
    fn each_cells(
        &self,
        mut show: impl FnMut(SourceId, UserCells) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>
    where
        Self: Sized,
    {
        self.each_raw(Table::Cells, &[], |key, value| {
            let (_, id) = keys::parse_object(key).ok_or_else(|| self.bad_key(Table::Cells))?;
            show(id, self.decode(Table::Cells, value)?)
        })
    }
}

impl<R: Reads + ?Sized> CellReads for R {}

impl Tx<'_> {
    /// Replaces the cells of a user; none are deleted.
    pub fn put_cells(&mut self, user: &SourceId, cells: &UserCells) {
        let key = keys::object(ObjectKind::User, user);
        if cells.cells.is_empty() {
            return self.delete(Table::Cells, key);
        }
        self.put(Table::Cells, key, record::encode(cells));
    }

    /// Deletes the cells of a user.
    pub fn delete_cells(&mut self, user: &SourceId) {
        self.delete(Table::Cells, keys::object(ObjectKind::User, user));
    }
}

/// Returns true where an entry decodes.
pub(super) fn is_sound(key: &[u8], value: &[u8]) -> bool {
    keys::parse_object(key).is_some() && record::decode::<UserCells>(value).is_ok()
}

/// Builds the line of an entry for `state export`.
pub(super) fn line(key: &[u8], value: &[u8]) -> Result<serde_json::Value, record::Undecodable> {
    let (_, id) = keys::parse_object(key)
        .ok_or_else(|| record::Undecodable("a key that does not decode".to_owned()))?;
    let cells: UserCells = record::decode(value)?;
    Ok(serde_json::json!({"type": "cells", "id": id.to_string(), "cells": cells}))
}

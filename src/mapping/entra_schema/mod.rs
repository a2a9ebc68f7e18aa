//! Entra's synchronization schema (JSON) to a mapping file with its scoping filters, and back.
//!
//! ```text
//! schema resource, or a whole synchronizationJob ─ document ─ import ─▶ mapping file, settings, what was left out
//!                                       mapping + filters ─ export ─▶ the same document with these rows
//! ```
//! Promises: no row is dropped silently: a part that cannot be converted is named with its reason, and is in the file
//! as a comment. A filter of which one clause cannot be converted is not written at all, because the rest of it would
//! be another scope. Exporting what was imported yields the same document.

mod document;
mod export;
mod import;
mod parts;
mod write;

#[cfg(test)]
mod tests;

use crate::model::id::ObjectKind;

pub use export::{Exported, export};
pub use import::import;
pub use write::toml_text;

/// The result of an import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The mapping file's text.
    pub mapping: String,
    /// The numbers of its rows for users, and for groups.
    pub rows: (usize, usize),
    /// The lines for the job's settings.
    pub settings: Vec<Setting>,
    /// What was not converted.
    pub left_out: Vec<LeftOut>,
    /// What was converted, but means something else here.
    pub remarks: Vec<LeftOut>,
}

impl Imported {
    /// Returns the lines for the settings, under the tables of a job.
    #[must_use]
    pub fn settings_text(&self) -> String {
        write::settings_text(&self.settings)
    }
}

/// One line for the settings of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// The table under the job: `source`, `provisioning`, `provisioning.groups`.
    pub section: &'static str,
    /// The key.
    pub key: &'static str,
    /// The value as TOML.
    pub value: String,
    /// Its origin.
    pub why: String,
}

/// A part that is not, or not exactly, converted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// The kind of object; `None` for the schema as a whole.
    pub kind: Option<ObjectKind>,
    /// The row's target, or a description of the part.
    pub what: String,
    /// The reason.
    pub why: String,
}

/// The error for a document that is not a synchronization schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no synchronization schema: {0}")]
pub struct NotASchema(pub String);

//! Entra's synchronization schema (JSON) to a mapping file with its scoping filters, and back.
//!
//! ```text
//! schema resource, or a whole synchronizationJob ─ document ─ import ─▶ mapping file, settings, what was left out
//!                                       mapping + filters ─ export ─▶ the same document with these rows
//! ```
//! Promises: no row is dropped in silence: what cannot be carried over is named with its reason, and stands in the
//! file as a comment. A filter of which one clause cannot be carried over is not written at all, because the rest of
//! it would be another scope. Exporting what was imported gives the document again.

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

/// What an import made of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The mapping file's text.
    pub mapping: String,
    /// How many rows it has for users, and for groups.
    pub rows: (usize, usize),
    /// What goes into the job's settings.
    pub settings: Vec<Setting>,
    /// What was not carried over.
    pub left_out: Vec<LeftOut>,
    /// What was carried over, and means something else here.
    pub remarks: Vec<LeftOut>,
}

impl Imported {
    /// The lines for the settings, under the tables of a job.
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
    /// Where it comes from.
    pub why: String,
}

/// Something that is not, or not quite, carried over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftOut {
    /// Of which kind of object; `None` for the schema as a whole.
    pub kind: Option<ObjectKind>,
    /// The row's target, or what else it is.
    pub what: String,
    /// Why.
    pub why: String,
}

/// A document that is no synchronization schema.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no synchronization schema: {0}")]
pub struct NotASchema(pub String);

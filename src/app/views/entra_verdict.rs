//! Whether it is safe to switch from Azure's own job to ours, as it is shown.

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;

/// What a line comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = VerdictAnswer)]
pub enum Answer {
    /// There is evidence for it.
    Yes,
    /// There is evidence against it.
    No,
    /// It cannot be told.
    Unknown,
}

/// One line of the verdict.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct VerdictLine {
    /// What it comes to.
    pub answer: Answer,
    /// The command that shows it.
    pub command: String,
    /// Its number, from 1 to 12.
    pub number: u32,
    /// What was found.
    pub text: String,
    /// What was looked at.
    pub what: String,
}

/// One difference between the two sides.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ObservedDifference)]
pub struct Difference {
    /// The later of the two sides.
    #[serde(serialize_with = "super::text")]
    #[schema(value_type = String)]
    pub at: Timestamp,
    /// `only_we`, `only_they`, `differently` or `neither`.
    #[schema(value_type = String)]
    pub class: &'static str,
    /// What differs, by name.
    pub differing: Vec<String>,
    /// True where we clear what Entra leaves.
    pub explained: bool,
    /// User or group.
    #[schema(value_type = String)]
    pub kind: ObjectKind,
    /// What people know it by, where that is known.
    pub name: Option<String>,
    /// The object.
    #[serde(serialize_with = "super::text")]
    #[schema(value_type = String)]
    pub object: SourceId,
}

/// The comparison, counted.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct ObservedCounts {
    /// Both, and not the same.
    pub differently: u64,
    /// Wanted for a while by us alone.
    pub neither: u64,
    /// Only Azure did.
    pub only_they: u64,
    /// Only we would.
    pub only_we: u64,
    /// Too fresh to be compared.
    pub pending: u64,
    /// Both did the same.
    pub same: u64,
}

/// The verdict.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct EntraVerdict {
    /// The comparison, counted.
    pub counts: ObservedCounts,
    /// The differences, newest first; at most a hundred.
    pub differences: Vec<Difference>,
    /// The job of ours.
    pub job: String,
    /// The twelve lines.
    pub lines: Vec<VerdictLine>,
    /// Since when is observed.
    #[serde(serialize_with = "super::text_or_null")]
    #[schema(value_type = Option<String>)]
    pub observed_since: Option<Timestamp>,
    /// True where every line is `yes`.
    pub safe: bool,
}

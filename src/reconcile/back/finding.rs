//! What a person should know of a cell, and what of it lasts (docs/design/write-back.md, "Cells").

use serde::Deserialize;
use serde::Serialize;

/// What a person should know of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The sides differed when they were first read; nobody's change.
    FirstContactDiffers,
    /// Somebody edited at Entra what belongs to the target.
    SourceEditedTargetOwned,
    /// An edit at Entra and a clear at the target: the edit stays.
    EditBeatsClear,
    /// Entra accepted a value and does not hold it.
    NotKeptByEntra,
    /// Both moved to different values.
    Conflict,
    /// Two writers undo each other.
    TwoWriters,
}

impl Finding {
    /// Returns its code in reports.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::FirstContactDiffers => "first_contact_differs",
            Self::SourceEditedTargetOwned => "source_edited_target_owned",
            Self::EditBeatsClear => "edit_beats_clear",
            Self::NotKeptByEntra => "not_kept_by_entra",
            Self::Conflict => "conflict",
            Self::TwoWriters => "two_writers",
        }
    }

    /// Returns true for one that says why the two values differ that a base holds.
    #[must_use]
    pub const fn is_of_base(self) -> bool {
        match self {
            Self::FirstContactDiffers
            | Self::SourceEditedTargetOwned
            | Self::EditBeatsClear
            | Self::NotKeptByEntra => true,
            Self::Conflict | Self::TwoWriters => false,
        }
    }
}

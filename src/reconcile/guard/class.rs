//! What the guard withholds together.

use serde::{Deserialize, Serialize};

/// The kinds of operations that are withheld together, each by its own threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Class {
    /// Disables and deletes of users, deletes of groups.
    Removal,
    /// Memberships that one group loses.
    Members,
    /// Changes of userName, externalId and roles.
    Identity,
    /// Creates.
    Create,
    /// Adoptions by a value that its owner can choose: each waits for a person.
    Adoption,
    /// Joins of the enrolled group.
    Join,
    /// Leaves of the enrolled group.
    Leave,
    /// Values that go back to the source.
    WriteBack,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Removal,
        Self::Members,
        Self::Identity,
        Self::Create,
        Self::Adoption,
        Self::Join,
        Self::Leave,
        Self::WriteBack,
    ];
}

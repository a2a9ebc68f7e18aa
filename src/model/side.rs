//! The two sides of a job.

use serde::{Deserialize, Serialize};

/// One of the two services that a job stands between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// Microsoft Entra ID.
    Source,
    /// The SCIM service.
    Target,
}

impl Side {
    /// Returns its name.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Target => "target",
        }
    }
}

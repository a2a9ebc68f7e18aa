//! How this target wants its PATCHes: the RFC form, unless the configuration says otherwise.
//!
//! Evidence for each switch: what products in the field refuse, or take and silently do not do.

use serde::{Deserialize, Serialize};

/// How `op` is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OpCase {
    /// `add`, `replace`, `remove` (RFC 7644 section 3.5.2).
    #[default]
    Lower,
    /// `Add`, `Replace`, `Remove`, as Entra's older form.
    Capital,
}

/// How a boolean is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Booleans {
    /// `true`.
    #[default]
    Json,
    /// `"True"`, as Entra's older form.
    String,
}

/// How members are taken out of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberRemoval {
    /// `members[value eq "x"]`, one operation a member (RFC 7644 section 3.5.2.2).
    #[default]
    Path,
    /// `members` with an array of values, as Entra's older form. A server that follows the RFC may remove everybody.
    ValueArray,
    /// A PUT of the group without them, from a fresh read.
    Put,
}

/// How a manager is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ManagerForm {
    /// `{"value": "x"}` (RFC 7643 section 4.3).
    #[default]
    Object,
    /// `"x"`, and `""` for none.
    String,
}

/// How a resource is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Update {
    /// PATCH, unless the service says that it has none.
    #[default]
    Patch,
    /// PUT from a fresh read, with everything else kept.
    Put,
}

/// The forms that one target is spoken to in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialect {
    /// Case of `op`.
    pub op_case: OpCase,
    /// Form of booleans.
    pub booleans: Booleans,
    /// Form of member removal.
    pub member_removal: MemberRemoval,
    /// Form of a manager.
    pub manager: ManagerForm,
    /// The URN of each extension in use is listed in `schemas` (RFC 7643 section 3); Entra leaves its own out.
    pub extension_urn_in_schemas: bool,
    /// PATCH or PUT.
    pub update: Update,
    /// Most membership changes in one PATCH. Services limit the size of a body; 1000 ids are some 50 kB.
    pub members_per_patch: usize,
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            op_case: OpCase::default(),
            booleans: Booleans::default(),
            member_removal: MemberRemoval::default(),
            manager: ManagerForm::default(),
            extension_urn_in_schemas: true,
            update: Update::default(),
            members_per_patch: 1000,
        }
    }
}

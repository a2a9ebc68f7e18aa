//! The forms in which a target may want its requests: names that settings, target and store share.
//!
//! Evidence for each: what products in the field refuse, or accept and silently do not do.

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

/// How members are removed from a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MemberRemoval {
    /// `members[value eq "x"]`, one operation a member (RFC 7644 section 3.5.2.2).
    #[default]
    Path,
    /// `members` with an array of values, as Entra's older form. A server that follows the RFC may remove all members.
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

/// How a multi-valued element that is not there yet is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NewElement {
    /// `add` of the whole element to its attribute: servers refuse a path into an absent element with `noTarget`.
    #[default]
    Whole,
    /// `add` at a path that selects it, as Entra does.
    Path,
}

/// How a resource is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Update {
    /// PATCH, unless the service announces that it has none.
    #[default]
    Patch,
    /// PUT from a fresh read, with everything else kept.
    Put,
}

/// The media type of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MediaType {
    /// `application/scim+json` (RFC 7644 section 3.1).
    #[default]
    Scim,
    /// `application/json`: frameworks answer 415 to a type that they have no reader for.
    Json,
}

impl MediaType {
    /// Returns the value of `Content-Type`.
    #[must_use]
    pub const fn header(self) -> &'static str {
        match self {
            Self::Scim => "application/scim+json",
            Self::Json => "application/json",
        }
    }
}

/// How a listing is paged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Paging {
    /// By cursor where the service announces it (RFC 9865), else by index.
    #[default]
    AsAnnounced,
    /// `startIndex`, whatever the service announces.
    Index,
}

/// How many resources a page of a listing is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PageSize {
    /// As many as the service announces, at most 500.
    #[default]
    AsAnnounced,
    /// At most 100.
    Small,
    /// Without `count`.
    None,
}

/// The forms that the settings name. The others are learned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct PinnedDialect {
    /// Case of `op`.
    pub op_case: Option<OpCase>,
    /// The form of booleans.
    pub booleans: Option<Booleans>,
    /// The form of member removal.
    pub member_removal: Option<MemberRemoval>,
    /// The form of a manager.
    pub manager: Option<ManagerForm>,
    /// Whether extension URNs are listed in `schemas`.
    pub extension_urn_in_schemas: Option<bool>,
    /// PATCH or PUT.
    pub update: Option<Update>,
    /// The media type of bodies.
    pub media_type: Option<MediaType>,
    /// Whether groups show their members when they are read.
    pub members_shown: Option<bool>,
    /// Whether a group is created with its members.
    pub members_in_create: Option<bool>,
}

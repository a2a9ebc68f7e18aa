//! `dialect` under `[jobs.NAME.target]`: the forms of requests that are set, so that they need not be learned.

use super::section::Field;
use super::section::Section;
use super::tree::Raw;
use super::value::Word;
use super::value::word;
use crate::model::dialect::Booleans;
use crate::model::dialect::ManagerForm;
use crate::model::dialect::MediaType;
use crate::model::dialect::MemberRemoval;
use crate::model::dialect::OpCase;
use crate::model::dialect::PinnedDialect;
use crate::model::dialect::Update;

impl Word for OpCase {
    const WORDS: &'static [(&'static str, Self)] = &[("lower", Self::Lower), ("capital", Self::Capital)];
}

impl Word for Booleans {
    const WORDS: &'static [(&'static str, Self)] = &[("json", Self::Json), ("string", Self::String)];
}

impl Word for MemberRemoval {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("path", Self::Path),
        ("value_array", Self::ValueArray),
        ("put", Self::Put),
    ];
}

impl Word for ManagerForm {
    const WORDS: &'static [(&'static str, Self)] = &[("object", Self::Object), ("string", Self::String)];
}

impl Word for Update {
    const WORDS: &'static [(&'static str, Self)] = &[("patch", Self::Patch), ("put", Self::Put)];
}

impl Word for MediaType {
    const WORDS: &'static [(&'static str, Self)] = &[("scim", Self::Scim), ("json", Self::Json)];
}

/// Reads the table; each key is one form, and a form that is not set is learned.
pub(super) fn read(mut section: Section<'_>) -> PinnedDialect {
    let flag = |field: Field<'_>| match field.node().raw {
        Raw::Bool(flag) => Some(flag),
        _ => field.wrong_type("true or false", "true"),
    };
    let pinned = PinnedDialect {
        op_case: section.get("op_case").and_then(|field| word(&field)),
        booleans: section.get("booleans").and_then(|field| word(&field)),
        member_removal: section.get("member_removal").and_then(|field| word(&field)),
        manager: section.get("manager").and_then(|field| word(&field)),
        extension_urn_in_schemas: section.get("extension_urn_in_schemas").and_then(flag),
        members_in_create: section.get("members_in_create").and_then(flag),
        members_shown: section.get("members_shown").and_then(flag),
        media_type: section.get("media_type").and_then(|field| word(&field)),
        update: section.get("update").and_then(|field| word(&field)),
    };
    section.finish();
    pinned
}

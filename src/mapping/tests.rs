//! Tests of the mapping: tables, laws, presets, shown errors.

mod documented;
mod expressions;
mod files;
mod filters;
mod laws;
mod objects;
mod patterns;
mod resources;
mod rules;
mod traces;

use crate::model::id::ObjectKind;
use crate::model::object::{Life, SourceObject};
use crate::model::value::Value;

/// Builds a user or group with these properties, as read from Graph.
fn object(kind: ObjectKind, properties: &[(&str, Value)]) -> SourceObject {
    SourceObject {
        kind,
        id: "6f1c8d1e-0000-4000-8000-000000000001".parse().unwrap(),
        attributes: properties
            .iter()
            .map(|(k, v)| ((*k).to_owned(), v.clone()))
            .collect(),
        manager: None,
        life: Life::Alive,
        gone_since: None,
        generation: 1,
        manager_generation: 1,
    }
}

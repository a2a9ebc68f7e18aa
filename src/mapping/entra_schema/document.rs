//! The places of the parts of a synchronization schema (Graph resource types synchronizationSchema,
//! synchronizationRule, objectMapping). Members that we do not know are left as they are.

use serde_json::Value as Json;

use super::{LeftOut, NotASchema};
use crate::model::id::ObjectKind;

/// The names of the source directory.
const ENTRA: [&str; 3] = ["Azure Active Directory", "Microsoft Entra ID", "Azure AD"];

/// One object mapping: its place, and its kind of object.
#[derive(Debug, Clone)]
pub(super) struct Place {
    /// The JSON pointer from the document's root.
    pub(super) pointer: String,
    pub(super) kind: ObjectKind,
}

/// Returns the pointer to the schema in a document: the document itself, or its `schema` (a synchronizationJob).
pub(super) fn schema(document: &Json) -> Result<String, NotASchema> {
    let rules = "synchronizationRules";
    if document.get(rules).is_some_and(Json::is_array) {
        return Ok(String::new());
    }
    if document
        .get("schema")
        .is_some_and(|schema| schema.get(rules).is_some_and(Json::is_array))
    {
        return Ok("/schema".to_owned());
    }
    if let Some(jobs) = document.get("value").and_then(Json::as_array) {
        let with: Vec<usize> = (0..jobs.len())
            .filter(|at| jobs[*at]["schema"][rules].is_array())
            .collect();
        return match with.as_slice() {
            [one] => Ok(format!("/value/{one}/schema")),
            [] => Err(NotASchema(
                "the jobs in it have no `schema`; ask for …/synchronization/jobs/{id}/schema".to_owned(),
            )),
            several => Err(NotASchema(format!(
                "it has {} jobs with a schema; keep one of them",
                several.len()
            ))),
        };
    }
    Err(NotASchema(
        "it has no `synchronizationRules`; export …/synchronization/jobs/{id}/schema, or the whole job"
            .to_owned(),
    ))
}

/// Returns the object mappings for users and groups, one each: the first that is switched on, by the rules' priority.
/// The others are added to `left_out`.
pub(super) fn mappings(document: &Json, left_out: &mut Vec<LeftOut>) -> Result<Vec<Place>, NotASchema> {
    let root = schema(document)?;
    let rules = document.pointer(&format!("{root}/synchronizationRules"));
    let rules = rules.map(list).unwrap_or_default();
    let mut order: Vec<usize> = (0..rules.len()).collect();
    order.sort_by_key(|at| rules[*at]["priority"].as_i64().unwrap_or(i64::MAX));
    let mut found: Vec<(Place, bool)> = Vec::new();
    let mut leave = |what: &str, why: &str| {
        left_out.push(LeftOut {
            kind: None,
            what: what.to_owned(),
            why: why.to_owned(),
        });
    };
    for rule in order {
        let into = text(&rules[rule], "targetDirectoryName");
        for (at, object) in list(&rules[rule]["objectMappings"]).iter().enumerate() {
            let (name, source) = (text(object, "name"), text(object, "sourceObjectName"));
            let kind = match source.to_ascii_lowercase().as_str() {
                "user" => ObjectKind::User,
                "group" => ObjectKind::Group,
                _ => {
                    leave(name, &format!("objects of type `{source}` are not provisioned"));
                    continue;
                }
            };
            if ENTRA.contains(&into) {
                leave(name, "it flows into Entra; melonsync reads Entra");
                continue;
            }
            let place = Place {
                pointer: format!("{root}/synchronizationRules/{rule}/objectMappings/{at}"),
                kind,
            };
            let enabled = object["enabled"].as_bool() != Some(false);
            match found.iter_mut().find(|(other, _)| other.kind == kind) {
                None => found.push((place, enabled)),
                Some((other, on)) if enabled && !*on => {
                    leave(
                        text(document.pointer(&other.pointer).unwrap_or(&Json::Null), "name"),
                        "it is switched off, and another object mapping of its kind is on",
                    );
                    (*other, *on) = (place, true);
                }
                Some(_) => leave(name, "a second object mapping of its kind: a job has one"),
            }
        }
    }
    if found.is_empty() {
        return Err(NotASchema(
            "it has no object mapping for users or groups".to_owned(),
        ));
    }
    let mut places: Vec<Place> = found.into_iter().map(|(place, _)| place).collect();
    places.sort_by_key(|place| place.kind);
    Ok(places)
}

/// Returns the entries of a list; none for anything else.
fn list(value: &Json) -> &[Json] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Returns a member that is a text; empty for anything else.
pub(super) fn text<'j>(object: &'j Json, member: &str) -> &'j str {
    object.get(member).and_then(Json::as_str).unwrap_or_default()
}

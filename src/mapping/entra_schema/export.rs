//! Exports a mapping and its filters as a synchronization schema: laid over the document that it came from, so that
//! what melonsync does not know (ids, directories, metadata) stays.

use serde_json::{Value as Json, json};

use super::{
    LeftOut,
    document::{mappings, text},
};
use crate::mapping::{
    Apply, Authority, Filter, Mapping, Row,
    ast::{Expr, Node},
    filter::{Operator, parse::Clause},
    functions,
    parse::parse,
};
use crate::model::id::ObjectKind;

/// The result of an export.
#[derive(Debug, Clone, PartialEq)]
pub struct Exported {
    /// The document with these rows and filters.
    pub document: Json,
    /// What Entra cannot express.
    pub left_out: Vec<LeftOut>,
}

/// Puts rows and filters into a document: a schema, or a synchronizationJob with its schema. A document that is neither
/// is returned unchanged.
#[must_use]
pub fn export(base: &Json, mapping: &Mapping, users: Option<&Filter>, groups: Option<&Filter>) -> Exported {
    let mut exported = Exported {
        document: base.clone(),
        left_out: Vec::new(),
    };
    let places = mappings(base, &mut Vec::new()).unwrap_or_default();
    for place in places {
        let Some(object) = exported.document.pointer_mut(&place.pointer) else {
            continue;
        };
        let before = object["attributeMappings"]
            .as_array()
            .cloned()
            .unwrap_or_default();
        let rows = mapping.rows(place.kind);
        object["attributeMappings"] = rows.iter().map(|row| row_json(row, &before)).collect();
        let filter = match place.kind {
            ObjectKind::User => users,
            ObjectKind::Group => groups,
        };
        if let Some(filter) = filter {
            put_scope(object, filter, place.kind, &mut exported.left_out);
        } else if object["scope"]["groups"].is_array() {
            object["scope"] = Json::Null;
        }
        for row in rows {
            unsaid(row, place.kind, &mut exported.left_out);
        }
    }
    exported
}

/// Notes the parts of a row that Entra cannot express.
fn unsaid(row: &Row, kind: ObjectKind, left_out: &mut Vec<LeftOut>) {
    let mut leave = |why: &str| {
        left_out.push(LeftOut {
            kind: Some(kind),
            what: row.target.to_string(),
            why: why.to_owned(),
        });
    };
    if row.authority == Authority::Target {
        leave("Entra has no authority = \"target\"; the row is applied on creation only");
    }
    if row.drift.is_some() {
        leave("Entra looks for no drift");
    }
}

/// Builds a row's attribute mapping: members that the row does not define are those of the row before it.
fn row_json(row: &Row, before: &[Json]) -> Json {
    let target = row.target.as_str();
    let mut json = before
        .iter()
        .find(|other| text(other, "targetAttributeName") == target)
        .cloned()
        .unwrap_or_else(|| {
            json!({
                "defaultValue": null, "exportMissingReferences": false, "flowBehavior": "FlowWhenChanged",
                "targetAttributeName": target,
            })
        });
    json["matchingPriority"] = row.matching.unwrap_or(0).into();
    let once = row.apply == Apply::CreateOnly || row.authority == Authority::Target;
    json["flowType"] = if once { "ObjectAddOnly" } else { "Always" }.into();
    match &row.default {
        Some(default) => json["defaultValue"] = default.to_json(),
        None if json["defaultValue"] == "" => {}
        None => json["defaultValue"] = Json::Null,
    }
    // Left as it was where it means the same: Entra writes trees that the text does not show.
    if text(&json["source"], "expression") != row.source.text() {
        json["source"] = match parse(row.source.text()) {
            Ok(tree) => source_json(&tree, row.source.text()),
            Err(_) => Json::Null,
        };
    }
    json
}

/// Converts an expression to Entra's tree of functions, attributes and constants.
fn source_json(expr: &Expr, written: &str) -> Json {
    let leaf = |kind: &str, name: String| json!({"expression": written, "name": name, "parameters": [], "type": kind});
    match &expr.node {
        Node::Attribute(name) => leaf("Attribute", name.clone()),
        Node::Text(text) => leaf("Constant", text.clone()),
        Node::Number(number) => leaf("Constant", number.to_string()),
        Node::Word(word) => leaf("Constant", word.clone()),
        Node::Compare { .. } => leaf("Function", String::new()),
        Node::Call { name, arguments, .. } => {
            let parameters: Vec<Json> = arguments
                .iter()
                .enumerate()
                .filter_map(|(index, argument)| {
                    let argument = argument.as_ref()?;
                    let value = source_json(argument, &argument.to_string());
                    Some(json!({"key": key(name, index), "value": value}))
                })
                .collect();
            json!({"expression": written, "name": name, "parameters": parameters, "type": "Function"})
        }
    }
}

/// Returns the key of a parameter. Those of Switch after the default all have one.
fn key(function: &str, index: usize) -> String {
    if function == "Switch" {
        return ["source", "defaultValue"]
            .get(index)
            .copied()
            .unwrap_or("switchValue")
            .to_owned();
    }
    let parameters = functions::find(function)
        .map(|function| function.parameters)
        .unwrap_or_default();
    let parameter = parameters.get(index).or_else(|| parameters.last());
    parameter.map_or_else(|| format!("p{index}"), |parameter| parameter.name.to_owned())
}

fn put_scope(object: &mut Json, filter: &Filter, kind: ObjectKind, left_out: &mut Vec<LeftOut>) {
    let before = object["scope"]["groups"].as_array().cloned().unwrap_or_default();
    let mut groups = Vec::new();
    for (number, clauses) in filter.groups().iter().enumerate() {
        let mut written = Vec::new();
        for clause in clauses {
            if clause.name.eq_ignore_ascii_case("memberOf") || clause.operator == Operator::TransitiveMemberOf
            {
                left_out.push(LeftOut {
                    kind: Some(kind),
                    what: clause.to_string(),
                    why: "Entra's filters cannot ask about memberships; assign the group instead".to_owned(),
                });
            } else {
                written.push(clause_json(clause));
            }
        }
        let name = before
            .get(number)
            .map(|group| text(group, "name"))
            .filter(|name| !name.is_empty());
        let name = name.map_or_else(|| format!("Group {}", number + 1), str::to_owned);
        groups.push(json!({"name": name, "clauses": written}));
    }
    if !object["scope"].is_object() {
        object["scope"] = json!({"categoryFilterGroups": [], "inputFilterGroups": []});
    }
    object["scope"]["groups"] = groups.into();
}

fn clause_json(clause: &Clause) -> Json {
    // `id` is Graph's name; the engine's is objectId.
    let name = if clause.name == "id" {
        "objectId"
    } else {
        &clause.name
    };
    let values: Vec<&String> = clause.value.iter().collect();
    json!({"operatorName": clause.operator.name(), "sourceOperandName": name, "targetOperand": {"values": values}})
}

//! The parts of a schema's rows and filters: sources, clauses, and the meaning of a row.

use serde_json::Value as Json;

use super::document::text;
use crate::mapping::{
    diagnostic::Span,
    filter::{Operator, parse::Clause},
};

/// Returns the meaning of a row, whichever of its members are written out.
pub(super) fn meaning(row: &Json) -> (u64, &str, String, String) {
    let flow = match text(row, "flowType") {
        "" => "Always",
        flow => flow,
    };
    let default = match &row["defaultValue"] {
        Json::Null => String::new(),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    };
    (
        row["matchingPriority"].as_u64().unwrap_or(0),
        flow,
        default,
        source_text(&row["source"]),
    )
}

/// Returns a source as an expression: as written, or assembled where only its parts exist.
pub(super) fn source_text(source: &Json) -> String {
    let written = text(source, "expression");
    match text(source, "type") {
        // A constant may be written without quotes.
        "Constant" if !written.starts_with('"') => {
            let value = if written.is_empty() {
                text(source, "name")
            } else {
                written
            };
            format!("\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))
        }
        "Attribute" if written.is_empty() => format!("[{}]", text(source, "name")),
        "Function" if written.is_empty() => {
            let parts = source["parameters"]
                .as_array()
                .map(Vec::as_slice)
                .unwrap_or_default();
            let parts: Vec<String> = parts.iter().map(|part| source_text(&part["value"])).collect();
            format!("{}({})", text(source, "name"), parts.join(", "))
        }
        _ => written.to_owned(),
    }
}

/// Returns the clauses of a group.
pub(super) fn clauses(group: &Json) -> Result<Vec<Clause>, String> {
    let clauses = group["clauses"].as_array().map(Vec::as_slice).unwrap_or_default();
    if clauses.is_empty() {
        return Err(format!("the group \"{}\" has no clauses", text(group, "name")));
    }
    clauses.iter().map(clause).collect()
}

fn clause(json: &Json) -> Result<Clause, String> {
    let name = text(json, "sourceOperandName").trim_matches(['[', ']']).trim();
    let written = text(json, "operatorName");
    let operator = Operator::find(written).ok_or_else(|| format!("no operator `{written}` (on {name})"))?;
    let values: Vec<&Json> = json["targetOperand"]["values"]
        .as_array()
        .into_iter()
        .flatten()
        .collect();
    let value = match (operator.takes_value(), values.as_slice()) {
        (false, _) => None,
        (true, [one]) => Some(one.as_str().map_or_else(|| one.to_string(), str::to_owned)),
        (true, several) => {
            return Err(format!(
                "{operator} on {name} has {} values, and takes one",
                several.len()
            ));
        }
    };
    let nowhere = Span::default();
    Ok(Clause {
        name: name.to_owned(),
        operator,
        value,
        name_span: nowhere,
        operator_span: nowhere,
        value_span: nowhere,
    })
}

//! Mappings as people read them.

use std::fmt::Write as _;

use serde_json::Value as Json;

use super::Words;
use crate::app::mapping::Tried;
use crate::app::mapping::show::MappingView;
use crate::app::mapping::show::RowView;

/// The mapping of a job, its scope, and what is read for both.
fn mapping(view: &MappingView) -> String {
    let mut out = format!("Job {}, mapping {}\n", view.job, view.mapping);
    for (kind, rows) in [("users", &view.user), ("groups", &view.group)] {
        let _ = writeln!(out, "\n{} rows for {kind}", rows.len());
        let width = rows
            .iter()
            .map(|row| row.target.chars().count())
            .max()
            .unwrap_or(0);
        for row in rows {
            let _ = writeln!(out, "  {:width$}  <- {}{}", row.target, row.parsed, remarks(row));
        }
    }
    out += "\nScope\n";
    for (key, filter) in [
        ("user_filter", &view.scope.user_filter),
        ("group_filter", &view.scope.group_filter),
    ] {
        let _ = writeln!(out, "  {key:12}  {}", filter.as_deref().unwrap_or("(all)"));
    }
    let _ = writeln!(out, "  {:12}  {}", "guests", view.scope.guests);
    out += "\nRead from Microsoft Graph\n";
    for (kind, properties) in [("users", &view.select.user), ("groups", &view.select.group)] {
        let _ = writeln!(out, "  {kind:12}  {}", properties.join(", "));
    }
    out
}

fn remarks(row: &RowView) -> String {
    let more = [
        row.matching.map(|precedence| format!("matching {precedence}")),
        (row.apply == "create-only").then(|| "on creation only".to_owned()),
        row.default.as_ref().map(|default| format!("default {default}")),
        (row.authority == "target").then(|| "the target is the authority".to_owned()),
        row.drift.map(|policy| format!("drift: {policy}")),
    ];
    let more: Vec<String> = more.into_iter().flatten().collect();
    if more.is_empty() {
        String::new()
    } else {
        format!("   ({})", more.join(", "))
    }
}

impl Words for MappingView {
    fn words(&self) -> String {
        mapping(self)
    }
}

impl Words for Tried {
    fn words(&self) -> String {
        match &self.value {
            Json::Null => "(null: nothing flows)".to_owned(),
            Json::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

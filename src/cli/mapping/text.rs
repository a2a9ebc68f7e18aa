//! Mappings as people read them.

use std::fmt::Write as _;

use crate::app::mapping::import::Imported;
use crate::app::mapping::show::MappingView;
use crate::app::mapping::show::RowView;
use crate::model::id::ObjectKind;

/// The mapping of a job, its scope, and what is read for both.
pub(super) fn mapping(view: &MappingView) -> String {
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

/// What was carried over of a schema, and what was not.
pub(super) fn imported(imported: &Imported) -> String {
    let rows = &imported.rows;
    let mut out = format!("{} rows for users, {} for groups.\n", rows.user, rows.group);
    if !imported.settings_text.is_empty() {
        let _ = write!(
            out,
            "\nFor the job in config/melonsync.toml:\n{}",
            imported.settings_text
        );
    }
    for (title, remarks) in [
        ("Not carried over", &imported.not_carried_over),
        ("Carried over, with a remark", &imported.remarks),
    ] {
        if remarks.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\n{title}:");
        for remark in remarks {
            let kind = remark.object.map_or("schema", ObjectKind::word);
            let why = remark.why.replace('\n', "\n    ");
            let _ = writeln!(out, "  {kind} {}: {why}", remark.what);
        }
    }
    if imported.not_carried_over.is_empty() {
        out += "\nEverything was carried over.\n";
    }
    out
}

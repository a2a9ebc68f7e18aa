//! What was carried over of a schema, as people read it.

use std::fmt::Write as _;

use crate::app::mapping::import::Imported;
use crate::model::id::ObjectKind;

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

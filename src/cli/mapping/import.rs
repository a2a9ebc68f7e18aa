//! `mapping import-entra`: Entra's own schema as a mapping file, settings, and a list of what was left out.

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use serde_json::Value as Json;
use serde_json::json;

use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::cli::exit::Exit;
use crate::cli::report::Report;
use crate::files::NewFile;
use crate::mapping::entra_schema;
use crate::mapping::entra_schema::Imported;
use crate::mapping::entra_schema::LeftOut;
use crate::model::id::ObjectKind;

/// Translates a schema.
pub(super) fn import(file: &Path, out: Option<&Path>, report: &mut Report) -> Result<Exit, AppError> {
    let text = super::read(file, "the schema")?;
    let place = || file.display().to_string();
    let advice = "export it from GET /servicePrincipals/{id}/synchronization/jobs/{job}/schema (permission \
                  Synchronization.Read.All), or download it in the Entra admin center";
    let refused = |what: String| {
        let shown = ErrorText {
            what,
            ..ErrorText::default()
        };
        AppError::new(ErrorKind::Usage, shown.at(place()).advise(advice))
    };
    // Files from Windows begin with a byte order mark.
    let document: Json = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| refused(format!("the schema is not JSON: {error}")))?;
    let imported = entra_schema::import(&document).map_err(|error| refused(error.to_string()))?;
    if let Some(out) = out {
        write_new(out, &imported.mapping)?;
    }
    if report.is_json() {
        report.json(&import_json(&imported, out));
        return Ok(Exit::Done);
    }
    let summary = import_text(&imported);
    match out {
        Some(out) => {
            report.text(&format!("Wrote {}: {summary}", out.display()));
        }
        // The file itself is the result; what is to be said about it goes beside it.
        None => {
            report.text(&imported.mapping);
            report.note(&summary);
        }
    }
    Ok(Exit::Done)
}

fn import_json(imported: &Imported, out: Option<&Path>) -> Json {
    let list = |left: &[LeftOut]| -> Vec<Json> {
        let entry = |left: &LeftOut| json!({"object": left.kind.map(ObjectKind::word), "what": left.what, "why": left.why});
        left.iter().map(entry).collect()
    };
    let settings: Vec<Json> = imported
        .settings
        .iter()
        .map(|line| json!({"section": line.section, "key": line.key, "value": line.value, "why": line.why}))
        .collect();
    json!({
        "file": out.map(|out| out.display().to_string()),
        "mapping": imported.mapping,
        "rows": {"user": imported.rows.0, "group": imported.rows.1},
        "settings": settings,
        "not_carried_over": list(&imported.left_out),
        "remarks": list(&imported.remarks),
    })
}

fn import_text(imported: &Imported) -> String {
    let mut out = format!(
        "{} rows for users, {} for groups.\n",
        imported.rows.0, imported.rows.1
    );
    let settings = imported.settings_text();
    if !settings.is_empty() {
        let _ = write!(out, "\nFor the job in config/melonsync.toml:\n{settings}");
    }
    for (title, left) in [
        ("Not carried over", &imported.left_out),
        ("Carried over, with a remark", &imported.remarks),
    ] {
        if left.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\n{title}:");
        for left in left {
            let kind = left.kind.map_or("schema", ObjectKind::word);
            let _ = writeln!(
                out,
                "  {kind} {}: {}",
                left.what,
                left.why.replace('\n', "\n    ")
            );
        }
    }
    if imported.left_out.is_empty() {
        out += "\nEverything was carried over.\n";
    }
    out
}

/// Writes a file that is not there yet: a mapping that somebody edited is not lost to a second import.
fn write_new(out: &Path, text: &str) -> Result<(), AppError> {
    let written = NewFile::begin(out).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.put()
    });
    written.map_err(|error| {
        let shown = ErrorText {
            what: format!("cannot write the mapping to {}", out.display()),
            causes: vec![error.to_string()],
            ..ErrorText::default()
        };
        AppError::new(
            ErrorKind::Usage,
            shown.advise("name a file that is not there yet, in a folder that is"),
        )
    })
}

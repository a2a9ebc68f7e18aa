//! Entra's own schema as a mapping file, settings, and a list of what was left out.

use std::io::Write;
use std::path::Path;

use serde::Serialize;
use serde_json::Value as Json;

use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::files::NewFile;
use crate::mapping::entra_schema;
use crate::mapping::entra_schema::LeftOut;
use crate::model::id::ObjectKind;

/// A schema that was carried over.
#[derive(Debug, Serialize)]
pub struct Imported {
    /// The file that the mapping was written to.
    pub file: Option<String>,
    /// The mapping file's text.
    pub mapping: String,
    /// What was not carried over.
    pub not_carried_over: Vec<Remark>,
    /// What was carried over with a remark.
    pub remarks: Vec<Remark>,
    /// How many rows.
    pub rows: Rows,
    /// What belongs into the job's settings.
    pub settings: Vec<Setting>,
    /// The same as lines of the settings file.
    #[serde(skip)]
    pub settings_text: String,
}

/// How many rows for each kind.
#[derive(Debug, Serialize)]
pub struct Rows {
    /// For groups.
    pub group: usize,
    /// For users.
    pub user: usize,
}

/// Something that was left out, or needs a look.
#[derive(Debug, Serialize)]
pub struct Remark {
    /// User or group; of the schema as a whole where absent.
    pub object: Option<ObjectKind>,
    /// What.
    pub what: String,
    /// Why.
    pub why: String,
}

/// A key for the job's settings.
#[derive(Debug, Serialize)]
pub struct Setting {
    /// Its name.
    pub key: String,
    /// The section.
    pub section: String,
    /// Its value.
    pub value: String,
    /// Why.
    pub why: String,
}

/// Translates a schema. `place`: where it was read from, for messages.
pub fn import(text: &str, place: &str) -> Result<Imported, AppError> {
    let advice = "export it from GET /servicePrincipals/{id}/synchronization/jobs/{job}/schema (permission \
                  Synchronization.Read.All), or download it in the Entra admin center";
    let refused = |what: String| {
        let shown = ErrorText {
            what,
            ..ErrorText::default()
        };
        AppError::new(ErrorKind::Usage, shown.at(place).advise(advice))
    };
    // Files from Windows begin with a byte order mark.
    let document: Json = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| refused(format!("the schema is not JSON: {error}")))?;
    let imported = entra_schema::import(&document).map_err(|error| refused(error.to_string()))?;
    let settings_text = imported.settings_text();
    let settings = imported.settings.into_iter().map(|line| Setting {
        key: line.key.to_string(),
        section: line.section.to_string(),
        value: line.value,
        why: line.why,
    });
    Ok(Imported {
        file: None,
        mapping: imported.mapping,
        not_carried_over: imported.left_out.into_iter().map(remark).collect(),
        remarks: imported.remarks.into_iter().map(remark).collect(),
        rows: Rows {
            group: imported.rows.1,
            user: imported.rows.0,
        },
        settings: settings.collect(),
        settings_text,
    })
}

fn remark(left: LeftOut) -> Remark {
    Remark {
        object: left.kind,
        what: left.what,
        why: left.why,
    }
}

impl Imported {
    /// Writes the mapping to a file that is not there yet: one that somebody edited is not lost to a second import.
    pub fn write(&mut self, out: &Path) -> Result<(), AppError> {
        let written = NewFile::begin(out).and_then(|mut file| {
            file.write_all(self.mapping.as_bytes())?;
            file.put()
        });
        written.map_err(|error| {
            let mut failure = AppError::usage(
                format!("cannot write the mapping to {}", out.display()),
                "name a file that is not there yet, in a folder that is",
            );
            failure.errors[0].causes = vec![error.to_string()];
            failure
        })?;
        self.file = Some(out.display().to_string());
        Ok(())
    }
}

//! Followers of a cycle at the command line: progress on a terminal, and the plan as it is made.

use std::collections::BTreeMap;
use std::io::BufWriter;
use std::io::Seek;
use std::io::Write;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use indicatif::ProgressBar;
use indicatif::ProgressStyle;
use serde_json::json;

use super::args::PlanFormat;
use super::plan_sheet;
use crate::engine::job::Watcher;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::shown::shown;
use crate::model::shown::shown_json;
use crate::model::shown::shown_lines;
use crate::reconcile::explain;
use crate::reconcile::omission::Omission;
use crate::reconcile::operation::Operation;
use crate::snapshot::read::Reads;
use crate::snapshot::store::Snapshot;

/// Progress for people, on stderr, where that is a terminal; and what concerns every object.
#[derive(Debug)]
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    findings: Mutex<Vec<String>>,
}

impl Progress {
    pub(super) fn new(shown: bool) -> Self {
        let bar = shown.then(|| {
            let bar = ProgressBar::new_spinner();
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        Self {
            bar,
            findings: Mutex::default(),
        }
    }

    /// Takes the bar off the screen.
    pub(super) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }

    /// What concerns every object.
    pub(super) fn findings(&self) -> Vec<String> {
        self.findings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Watcher for Progress {
    fn finding(&self, text: &str) {
        self.findings
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(text.to_owned());
    }

    fn progress(&self, phase: &'static str, done: u64, of: Option<u64>) {
        let Some(bar) = &self.bar else { return };
        match of {
            Some(of) if of > 0 => {
                bar.set_length(of);
                bar.set_position(done);
                if let Ok(style) =
                    ProgressStyle::with_template("{spinner} {msg} {bar:30} {pos}/{len} ({eta})")
                {
                    bar.set_style(style);
                }
                bar.set_message(phase);
            }
            _ => {
                bar.set_style(ProgressStyle::default_spinner());
                bar.set_message(if done > 0 {
                    format!("{phase}: {done}")
                } else {
                    phase.to_owned()
                });
            }
        }
    }
}

/// As many omissions of one reason as a plan lists; of more only their count is given.
const OMISSIONS_LISTED: u64 = 1000;

/// Collects a plan in temporary files, one a form, so that a plan of any size needs no memory.
pub(super) struct PlanFile {
    /// Where the names of members and managers are looked up.
    snapshot: Snapshot,
    progress: Progress,
    inner: Mutex<Inner>,
}

struct Inner {
    sheets: Vec<Sheet>,
    by_reason: BTreeMap<&'static str, (u64, String)>,
    failed: Option<std::io::Error>,
}

/// The plan in one form.
struct Sheet {
    form: PlanFormat,
    operations: Spool,
    omitted: Spool,
}

impl Sheet {
    fn new(form: PlanFormat) -> std::io::Result<Self> {
        Ok(Self {
            form,
            operations: Spool::new(form)?,
            omitted: Spool::new(form)?,
        })
    }

    /// An entry of what is left alone: about an object, or about all of them.
    fn omit(
        &mut self,
        object: Option<(ObjectKind, SourceId, &str)>,
        because: &str,
        hint: &str,
        reason: Option<&str>,
    ) -> std::io::Result<()> {
        let text = match self.form {
            PlanFormat::Json => {
                let id = object.map(|(_, id, _)| id.to_string());
                let kind = object.map(|(kind, _, _)| kind.word());
                let name = object.map(|(_, _, name)| name);
                let hint = Some(hint).filter(|hint| !hint.is_empty());
                json!({
                    "object": id, "kind": kind, "name": name, "because": because, "reason": reason, "do": hint,
                })
                .to_string()
            }
            PlanFormat::Csv => return Ok(()),
            PlanFormat::Html => plan_sheet::html_omission(object, because, hint),
            PlanFormat::Text => {
                let hint = if hint.is_empty() {
                    String::new()
                } else {
                    format!("\n      do: {}", shown(hint))
                };
                let because = shown(because);
                match object {
                    Some((kind, id, name)) => format!("  {kind} {}  ({id}): {because}{hint}\n", shown(name)),
                    None => format!("  {because}{hint}\n"),
                }
            }
        };
        self.omitted.add(&text, self.separator())
    }

    const fn separator(&self) -> &'static str {
        match self.form {
            PlanFormat::Json => ",\n",
            _ => "",
        }
    }
}

struct Spool {
    file: BufWriter<std::fs::File>,
    json: bool,
    entries: u64,
}

impl Spool {
    fn new(form: PlanFormat) -> std::io::Result<Self> {
        Ok(Self {
            json: form == PlanFormat::Json,
            file: BufWriter::with_capacity(64 << 10, tempfile::tempfile()?),
            entries: 0,
        })
    }

    fn add(&mut self, text: &str, separator: &str) -> std::io::Result<()> {
        if self.entries > 0 {
            self.file.write_all(separator.as_bytes())?;
        }
        self.entries += 1;
        let text = if self.json {
            shown_json(text)
        } else {
            shown_lines(text)
        };
        self.file.write_all(text.as_bytes())
    }

    fn rewound(self) -> std::io::Result<std::fs::File> {
        let mut file = self
            .file
            .into_inner()
            .map_err(std::io::IntoInnerError::into_error)?;
        file.rewind()?;
        Ok(file)
    }
}

/// A finished plan: its two parts, ready to be copied out.
pub(super) struct Parts {
    pub(super) operations: std::fs::File,
    pub(super) omitted: std::fs::File,
}

impl PlanFile {
    /// # Errors
    /// When no temporary file can be made.
    pub(super) fn new(forms: &[PlanFormat], progress: bool, snapshot: Snapshot) -> std::io::Result<Self> {
        let inner = Inner {
            sheets: forms
                .iter()
                .map(|form| Sheet::new(*form))
                .collect::<Result<_, _>>()?,
            by_reason: BTreeMap::new(),
            failed: None,
        };
        Ok(Self {
            snapshot,
            progress: Progress::new(progress),
            inner: Mutex::new(inner),
        })
    }

    /// The parts of the plan, in each form.
    ///
    /// # Errors
    /// When a temporary file could not be written.
    pub(super) fn finish(self) -> std::io::Result<Vec<Parts>> {
        self.progress.clear();
        let findings = self.progress.findings();
        let mut inner = self.inner.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = inner.failed.take() {
            return Err(error);
        }
        let by_reason = std::mem::take(&mut inner.by_reason);
        let many = |(_, (count, _)): &(&&str, &(u64, String))| *count > OMISSIONS_LISTED;
        for (reason, (count, because)) in by_reason.iter().filter(many) {
            let more = count - OMISSIONS_LISTED;
            for sheet in &mut inner.sheets {
                if sheet.form == PlanFormat::Json {
                    let text = json!({"object": null, "because": because, "reason": reason, "count": more})
                        .to_string();
                    sheet.omitted.add(&text, sheet.separator())?;
                } else {
                    sheet.omit(None, &format!("… and {more} more: {because}"), "", None)?;
                }
            }
        }
        for sheet in &mut inner.sheets {
            for finding in &findings {
                sheet.omit(None, finding, "", None)?;
            }
        }
        let parts = inner.sheets.into_iter().map(|sheet| {
            Ok(Parts {
                operations: sheet.operations.rewound()?,
                omitted: sheet.omitted.rewound()?,
            })
        });
        parts.collect()
    }

    /// The name of a user, as the snapshot has it; a plan without names is still a plan.
    fn name_of(&self, id: SourceId) -> Option<String> {
        let record = self.snapshot.record(ObjectKind::User, &id).ok()??;
        Some(record.object.name())
    }

    fn with(&self, work: impl FnOnce(&mut Inner) -> std::io::Result<()>) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = work(&mut inner) {
            inner.failed.get_or_insert(error);
        }
    }
}

impl Watcher for PlanFile {
    fn operation(&self, operation: &Operation) {
        let name_of = |id| self.name_of(id);
        self.with(|inner| {
            for sheet in &mut inner.sheets {
                let text = match sheet.form {
                    PlanFormat::Text => explain::text(operation, name_of),
                    PlanFormat::Json => explain::entry_named(operation, name_of).to_string(),
                    PlanFormat::Csv => plan_sheet::csv(operation),
                    PlanFormat::Html => plan_sheet::html(operation, name_of),
                };
                sheet.operations.add(&text, sheet.separator())?;
            }
            Ok(())
        });
    }

    fn omission(&self, kind: ObjectKind, object: SourceId, name: &str, omission: &Omission) {
        self.with(|inner| {
            let because = omission.to_string();
            let (count, _) = inner
                .by_reason
                .entry(omission.label())
                .or_insert_with(|| (0, because.clone()));
            *count += 1;
            if *count > OMISSIONS_LISTED {
                return Ok(());
            }
            for sheet in &mut inner.sheets {
                // A person wants to know what is in the way, not that ten thousand are as they should be.
                if sheet.form == PlanFormat::Json || !matches!(omission, Omission::Unchanged) {
                    let (hint, reason) = (omission.hint(), Some(omission.label()));
                    sheet.omit(Some((kind, object, name)), &because, &hint, reason)?;
                }
            }
            Ok(())
        });
    }

    fn finding(&self, text: &str) {
        self.progress.finding(text);
    }

    fn progress(&self, phase: &'static str, done: u64, of: Option<u64>) {
        self.progress.progress(phase, done, of);
    }
}

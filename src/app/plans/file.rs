//! A plan as it is made: collected in temporary files, one a form, and read as one document.

use io::BufWriter;
use io::Read;
use io::Seek;
use io::Write;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use serde::Deserialize;
use serde::Serialize;
use serde_json::json;

use super::part::Part;
use super::prose;
use super::samples::OMISSIONS_LISTED;
use super::samples::Samples;
use super::saved::Origin;
use super::shape::Shape;
use super::sheet;
use crate::app::error::AppError;
use crate::engine::job::Watcher;
use crate::engine::summary::Summary;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::shown::shown_json;
use crate::model::shown::shown_lines;
use crate::reconcile::explain;
use crate::reconcile::explain::omission::Omission;
use crate::reconcile::operation::Operation;
use crate::reconcile::operation::Verb;
use crate::snapshot::store::Snapshot;

/// The form of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Form {
    /// For people, in a terminal.
    Text,
    /// For programs, and to be carried out.
    Json,
    /// For spreadsheets: one line a change.
    Csv,
    /// For people, in a browser: one page, without anything beside it.
    Html,
}

impl Form {
    /// Every form.
    pub const ALL: [Self; 4] = [Self::Text, Self::Json, Self::Csv, Self::Html];

    /// The word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Html => "html",
        }
    }

    /// The form of this word.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|form| form.word() == word)
    }
}

/// Collects a plan in temporary files, one a form, so that a plan of any size needs no memory.
pub(super) struct PlanFile {
    /// Where the names of members and managers are looked up.
    snapshot: Snapshot,
    /// Who else follows.
    follower: Arc<dyn Watcher>,
    inner: Mutex<Inner>,
}

struct Inner {
    sheets: Vec<Making>,
    samples: Samples,
    findings: Vec<String>,
    failed: Option<io::Error>,
}

/// The plan in one form, as it grows.
struct Making {
    form: Form,
    operations: Spool,
    omitted: Spool,
}

impl Making {
    fn new(form: Form) -> io::Result<Self> {
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
        code: (Option<&str>, Option<Verb>),
    ) -> io::Result<()> {
        let text = match self.form {
            Form::Json | Form::Text => {
                let id = object.map(|(_, id, _)| id.to_string());
                let kind = object.map(|(kind, _, _)| kind.word());
                let name = object.map(|(_, _, name)| name);
                let hint = Some(hint).filter(|hint| !hint.is_empty());
                let (reason, verb) = code;
                json!({
                    "object": id, "kind": kind, "name": name, "because": because, "reason": reason, "do": hint,
                    "operation": verb.map(Verb::name),
                })
                .to_string()
            }
            Form::Csv => return Ok(()),
            Form::Html => sheet::html_omission(object, because, hint),
        };
        self.omitted.add(&text, self.separator())
    }

    const fn separator(&self) -> &'static str {
        match self.form {
            // The text is made of the same entries once they are all there.
            Form::Json | Form::Text => ",\n",
            Form::Csv | Form::Html => "",
        }
    }
}

struct Spool {
    file: BufWriter<File>,
    json: bool,
    entries: u64,
}

impl Spool {
    fn new(form: Form) -> io::Result<Self> {
        Ok(Self {
            json: matches!(form, Form::Json | Form::Text),
            file: BufWriter::with_capacity(64 << 10, tempfile::tempfile()?),
            entries: 0,
        })
    }

    fn add(&mut self, text: &str, separator: &str) -> io::Result<()> {
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

    fn rewound(self) -> io::Result<File> {
        let mut file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.rewind()?;
        Ok(file)
    }
}

/// A finished plan in one form.
#[derive(Debug, Clone)]
pub struct Sheet {
    /// The form.
    pub form: Form,
    /// What is to be done, and why.
    pub operations: Part,
    /// What is left alone, and why.
    pub omitted: Part,
}

impl Sheet {
    /// The plan as it is shown: a whole document, or for people, with these first and last words.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn shown(
        self,
        summary: &Summary,
        shape: &Shape,
        (first, last): (&str, &str),
    ) -> io::Result<Box<dyn Read + Send>> {
        match self.form {
            Form::Text => {}
            Form::Json if !shape.only.is_empty() => {
                let operations = prose::only(self.operations, shape)?;
                let omitted = prose::only(self.omitted, shape)?;
                let sheet = Self {
                    operations,
                    omitted,
                    ..self
                };
                return sheet.document(summary);
            }
            Form::Json | Form::Csv | Form::Html => return self.document(summary),
        }
        let text = |text: &str| {
            let end = if text.ends_with('\n') { "" } else { "\n" };
            io::Cursor::new(format!("{}{end}", shown_lines(text)).into_bytes())
        };
        match prose::sections(self.operations, self.omitted, summary, shape)? {
            None => Ok(Box::new(text(last))),
            Some(sections) => Ok(Box::new(
                text(first)
                    .chain(sections)
                    .chain(io::Cursor::new(b"\n"))
                    .chain(text(last)),
            )),
        }
    }

    /// The plan as a whole document, streamed.
    ///
    /// # Errors
    /// Where the summary cannot be written.
    pub fn document(self, summary: &Summary) -> io::Result<Box<dyn Read + Send>> {
        self.whole(summary, None)
    }

    /// The same, with what it was made from.
    pub(super) fn whole(
        self,
        summary: &Summary,
        origin: Option<&Origin>,
    ) -> io::Result<Box<dyn Read + Send>> {
        let text = |text: String| io::Cursor::new(text.into_bytes());
        Ok(match self.form {
            Form::Csv => Box::new(text(sheet::CSV_HEAD.to_owned()).chain(self.operations)),
            Form::Html => Box::new(
                text(sheet::html_head(summary))
                    .chain(self.operations)
                    .chain(text(sheet::HTML_OMITTED.to_owned()))
                    .chain(self.omitted)
                    .chain(text(sheet::HTML_END.to_owned())),
            ),
            Form::Json | Form::Text => {
                // The summary with two members more; three where it says what it was made from.
                let head = serde_json::to_string(summary)?;
                let head = shown_json(&head);
                let mut head = head.strip_suffix('}').unwrap_or(&head).to_owned();
                if let Some(origin) = origin {
                    head += &format!(",\"saved\":{}", serde_json::to_string(origin)?);
                }
                Box::new(
                    text(head + ",\"plan\":[\n")
                        .chain(self.operations)
                        .chain(text("\n],\"omitted\":[\n".to_owned()))
                        .chain(self.omitted)
                        .chain(text("\n]}\n".to_owned())),
                )
            }
        })
    }
}

/// The error of a plan that cannot be kept.
#[must_use]
pub fn temporary(error: &io::Error) -> AppError {
    let mut failure = AppError::failed(
        "cannot keep the plan in a temporary file",
        "check the space in the temporary folder (TMPDIR)",
    );
    failure.errors[0].causes = vec![error.to_string()];
    failure
}

impl PlanFile {
    /// Begins a plan in each of these forms. The error is of a temporary file that cannot be made.
    pub(super) fn new(forms: &[Form], follower: Arc<dyn Watcher>, snapshot: Snapshot) -> io::Result<Self> {
        let inner = Inner {
            sheets: forms
                .iter()
                .map(|form| Making::new(*form))
                .collect::<Result<_, _>>()?,
            samples: Samples::default(),
            findings: Vec::new(),
            failed: None,
        };
        Ok(Self {
            snapshot,
            follower,
            inner: Mutex::new(inner),
        })
    }

    /// What concerns every object, so far.
    pub(super) fn findings(&self) -> Vec<String> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.findings.clone()
    }

    /// Returns the plan in each form, and the first of each kind in it. The error is of a temporary file that could not be written.
    pub(super) fn finish(self) -> io::Result<(Vec<Sheet>, Samples)> {
        let mut inner = self.inner.into_inner().unwrap_or_else(PoisonError::into_inner);
        if let Some(error) = inner.failed.take() {
            return Err(error);
        }
        let samples = std::mem::take(&mut inner.samples);
        let findings = std::mem::take(&mut inner.findings);
        for (reason, omissions) in samples.omitted.iter().filter(|(_, of)| of.unlisted() > 0) {
            let (more, because) = (omissions.unlisted(), &omissions.because);
            for sheet in &mut inner.sheets {
                if matches!(sheet.form, Form::Json | Form::Text) {
                    let text = json!({"object": null, "because": because, "reason": reason, "count": more})
                        .to_string();
                    sheet.omitted.add(&text, sheet.separator())?;
                } else {
                    sheet.omit(None, &format!("… and {more} more: {because}"), "", (None, None))?;
                }
            }
        }
        for sheet in &mut inner.sheets {
            for finding in &findings {
                sheet.omit(None, finding, "", (None, None))?;
            }
        }
        let parts = inner.sheets.into_iter().map(|sheet| {
            Ok(Sheet {
                form: sheet.form,
                operations: Part::of(sheet.operations.rewound()?),
                omitted: Part::of(sheet.omitted.rewound()?),
            })
        });
        Ok((parts.collect::<io::Result<_>>()?, samples))
    }

    /// The name of a user, as the snapshot has it; a plan without names is still a plan.
    fn name_of(&self, id: SourceId) -> Option<String> {
        self.snapshot.name_of(ObjectKind::User, &id).ok().flatten()
    }

    fn with(&self, work: impl FnOnce(&mut Inner) -> io::Result<()>) {
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
            let entry = explain::entry_named(operation, name_of);
            inner.samples.operation(operation.verb.name(), &entry);
            for sheet in &mut inner.sheets {
                let text = match sheet.form {
                    Form::Json | Form::Text => entry.to_string(),
                    Form::Csv => sheet::csv(operation),
                    Form::Html => sheet::html(operation, name_of),
                };
                sheet.operations.add(&text, sheet.separator())?;
            }
            Ok(())
        });
    }

    fn omission(&self, kind: ObjectKind, object: SourceId, name: &str, omission: &Omission) {
        self.with(|inner| {
            let because = omission.to_string();
            let who = (object.to_string(), name);
            let count = inner.samples.omission(omission.label(), who, &because);
            if count > OMISSIONS_LISTED {
                return Ok(());
            }
            for sheet in &mut inner.sheets {
                // A person wants to know what is in the way, not that ten thousand are as they should be.
                if sheet.form != Form::Html || !matches!(omission, Omission::Unchanged) {
                    let code = (Some(omission.label()), omission.verb());
                    sheet.omit(Some((kind, object, name)), &because, &omission.hint(), code)?;
                }
            }
            Ok(())
        });
    }

    fn finding(&self, text: &str) {
        self.with(|inner| {
            inner.findings.push(text.to_owned());
            Ok(())
        });
        self.follower.finding(text);
    }

    fn progress(&self, phase: &'static str, done: u64, of: Option<u64>) {
        self.follower.progress(phase, done, of);
    }
}

//! `plan`: what a cycle would do, and why, writing nothing to the target; shown, or saved for `sync --plan`.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use clap::ValueEnum;

use super::args::Globals;
use super::exit::Exit;
use super::process;
use super::report::Report;
use super::watch::Progress;
use crate::app::cycles::Extent;
use crate::app::cycles::Summary;
use crate::app::error::AppError;
use crate::app::install::Installation;
use crate::app::plans;
use crate::app::plans::Form;
use crate::app::plans::Saving;
use crate::app::plans::Sheet;
use crate::app::text::summary as text;
use crate::model::clock::Clock;
use crate::model::clock::SystemClock;

/// `plan`.
#[derive(Debug, Clone, Args)]
pub struct Plan {
    /// The job; may be left out where there is one.
    pub job: Option<String>,
    /// Read the target back and plan everything.
    #[arg(long)]
    pub full: bool,
    /// Save the plan in this file, for `sync --plan`; with `--format csv` or `html`, for reading.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The form of the plan: text, json, csv or html; as `-o` says where absent.
    #[arg(long, value_enum, hide_possible_values = true)]
    pub format: Option<PlanFormat>,
    /// Exit with 10 where something would change.
    #[arg(long)]
    pub detailed_exitcode: bool,
}

/// The form of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For people, in a terminal.
    Text,
    /// For programs, and for `sync --plan`.
    Json,
    /// For spreadsheets: one line a change.
    Csv,
    /// For people, in a browser: one page, without anything beside it.
    Html,
}

impl From<PlanFormat> for Form {
    fn from(format: PlanFormat) -> Self {
        match format {
            PlanFormat::Text => Self::Text,
            PlanFormat::Json => Self::Json,
            PlanFormat::Csv => Self::Csv,
            PlanFormat::Html => Self::Html,
        }
    }
}

impl Plan {
    /// The form that is shown, and the one that is saved. A plan that is saved for reading (csv, html) is not shown as well.
    fn forms(&self, json: bool) -> (Option<Form>, Option<Form>) {
        let standard = if json { Form::Json } else { Form::Text };
        let shown = self.format.map_or(standard, Form::from);
        match (&self.out, shown) {
            (None, shown) => (Some(shown), None),
            (Some(_), Form::Csv | Form::Html) => (None, Some(shown)),
            (Some(_), shown) => (Some(shown), Some(Form::Json)),
        }
    }
}

/// Plans a cycle and shows it.
pub fn run(globals: &Globals, args: &Plan, report: &mut Report) -> Result<Exit, AppError> {
    let (shown, saved) = args.forms(report.is_json());
    let forms: Vec<Form> = shown.into_iter().chain(saved).collect();
    let installation = Installation::open_where(&globals.config, |settings| {
        crate::app::install::choose(settings, args.job.as_deref())?;
        args.out.as_ref().map_or(Ok(()), |out| plans::is_free(out))
    })?;
    let name = installation.choose(args.job.as_deref())?;
    let job = installation.job(name, installation.snapshot(name)?)?;
    let extent = if args.full { Extent::Full } else { Extent::Changes };
    let watcher = Arc::new(Progress::new(report.progress()));
    let planned = process::runtime()?.block_on(async {
        let asking = process::asking(Arc::clone(&watcher) as _);
        plans::plan(&job, extent, &forms, asking).await
    });
    watcher.clear();
    let planned = planned?;
    let mut sheets = planned.sheets;
    if let Some(out) = &args.out
        && let Some(sheet) = sheets.pop()
    {
        let saving = Saving {
            out,
            job: &job,
            full: args.full,
            folder: &installation.folder,
            now: SystemClock.now(),
        };
        plans::save(sheet, &planned.summary, &saving)?;
    }
    match sheets.pop() {
        Some(sheet) => {
            show(sheet, &planned.summary, report, &text::plan(&planned.summary))?;
        }
        None => report.show(&planned.summary, || text::plan(&planned.summary)),
    }
    let changes = args.detailed_exitcode && planned.summary.has_changes();
    Ok(if changes { Exit::Changes } else { Exit::Done })
}

/// Shows a plan; as text, with these last words.
pub(super) fn show(sheet: Sheet, summary: &Summary, report: &mut Report, last: &str) -> Result<(), AppError> {
    let shown = match sheet.form {
        Form::Text => write_text(sheet, report, last),
        Form::Json | Form::Csv | Form::Html => sheet
            .document(summary)
            .and_then(|mut document| report.copy(&mut document)),
    };
    shown.map_err(|error| plans::temporary(&error))
}

fn write_text(sheet: Sheet, report: &mut Report, last: &str) -> io::Result<()> {
    let (mut operations, mut omitted) = (sheet.operations, sheet.omitted);
    if operations.metadata()?.len() > 0 {
        report.copy(&mut operations)?;
        report.text("");
    }
    if omitted.metadata()?.len() > 0 {
        report.text("Left alone:");
        report.copy(&mut omitted)?;
        report.text("");
    }
    report.text(last);
    Ok(())
}

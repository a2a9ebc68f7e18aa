//! `plan`: what a cycle would do, and why, writing nothing to the target; shown, or saved for `sync --plan`.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use clap::ValueEnum;

use super::args::Globals;
use super::beside;
use super::beside::Daemon;
use super::beside::Ended;
use super::beside::Question;
use super::exit::Exit;
use super::orders;
use super::patience::Patience;
use super::process;
use super::report::Report;
use super::watch::Progress;
use crate::app::cycles::Extent;
use crate::app::cycles::Summary;
use crate::app::error::AppError;
use crate::app::install;
use crate::app::install::Installation;
use crate::app::plans;
use crate::app::plans::Form;
use crate::app::plans::Only;
use crate::app::plans::Origin;
use crate::app::plans::Shape;
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
    /// Show every attribute, member and reason, with whole ids.
    #[arg(long)]
    pub details: bool,
    /// Show only removals, creates, updates or memberships, or what concerns user=NAME or group=NAME; may be repeated.
    #[arg(long, value_name = "WHAT")]
    pub only: Vec<Only>,
    /// Show at most so many entries a section.
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
    /// Show each object that is left alone, and why, also those for which nothing is to do.
    #[arg(long)]
    pub omitted: bool,
    /// Exit with 10 where something would change, with 4 where something is withheld.
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

impl Plan {
    fn shape(&self) -> Shape {
        Shape {
            details: self.details,
            only: self.only.clone(),
            limit: self.limit,
            omitted: self.omitted,
        }
    }

    /// The exit code of a plan that was made.
    fn exit(&self, summary: &Summary) -> Exit {
        match (
            self.detailed_exitcode,
            summary.withheld.count > 0,
            summary.has_changes(),
        ) {
            (true, true, _) => Exit::Withheld,
            (true, false, true) => Exit::Changes,
            _ => Exit::Done,
        }
    }
}

/// Plans a cycle and shows it.
pub fn run(globals: &Globals, args: &Plan, report: &mut Report) -> Result<Exit, AppError> {
    let (shown, saved) = args.forms(report.is_json());
    let forms: Vec<Form> = shown.into_iter().chain(saved).collect();
    let made = beside::ask(
        globals,
        || here(globals, args, &forms, report),
        |daemon| there(globals, (args, &forms), daemon, report),
    )?;
    let Made { summary, mut sheets } = match made {
        Ok(made) => made,
        Err(ended) => return orders::ended(ended, report),
    };
    match sheets.pop() {
        Some(sheet) => {
            let around = (&*text::plan_head(&summary), &*text::plan(&summary));
            show(sheet, &summary, report, (&args.shape(), around))?;
        }
        None => report.show(&summary, || text::plan(&summary)),
    }
    Ok(args.exit(&summary))
}

/// A plan that was made, and saved where it was to be.
struct Made {
    summary: Summary,
    /// What is to be shown.
    sheets: Vec<Sheet>,
}

fn here(globals: &Globals, args: &Plan, forms: &[Form], report: &Report) -> Result<MadeOrEnded, AppError> {
    let installation = Installation::open_where(&globals.config, |settings| {
        install::choose(settings, args.job.as_deref())?;
        args.out.as_ref().map_or(Ok(()), |out| plans::is_free(out))
    })?;
    let name = installation.choose(args.job.as_deref())?;
    let job = installation.job(name, installation.snapshot(name)?)?;
    let extent = if args.full { Extent::Full } else { Extent::Changes };
    let watcher = Arc::new(Progress::new(report.progress()));
    let planned = process::runtime()?.block_on(async {
        let asking = process::asking(Arc::clone(&watcher) as _);
        plans::plan(&job, extent, forms, asking).await
    });
    watcher.clear();
    let planned = planned?;
    let mut sheets = planned.sheets;
    if let Some(out) = &args.out
        && let Some(sheet) = sheets.pop()
    {
        let origin = (sheet.form == Form::Json).then(|| Origin::of(&job, args.full));
        plans::save(sheet, &planned.summary, out, origin.transpose()?.as_ref())?;
        plans::note(&installation.folder, name, out, SystemClock.now())?;
    }
    Ok(Ok(Made {
        summary: planned.summary,
        sheets,
    }))
}

/// A plan; or how its order ended, where it came to none.
type MadeOrEnded = Result<Made, Ended>;

fn there(
    globals: &Globals,
    (args, forms): (&Plan, &[Form]),
    daemon: &Daemon,
    report: &Report,
) -> Result<MadeOrEnded, AppError> {
    let job = beside::job(globals, args.job.as_deref())?;
    let out = args.out.as_deref();
    out.map_or(Ok(()), plans::is_free)?;
    let settings = beside::settings_of(globals, &job)?;
    let full = if args.full { "true" } else { "false" };
    let mut query = vec![("full", full)];
    query.extend(forms.iter().map(|form| ("format", form.word())));
    let place = out.map(beside::place);
    query.extend(place.as_deref().map(|place| ("out", place)));
    let path = format!("/jobs/{}", beside::part(&job));
    let question = Question::get(format!("{path}/plan"))
        .asking(&query)
        .asking(&[("settings", &settings)]);
    let mut ended = daemon.order(question, Patience::default(), report);
    if beside::is_of_other_settings(&ended) {
        let own = beside::own_rules(globals, &job, report)?;
        let question = Question::post(format!("{path}/preview"), &own).asking(&query);
        ended = daemon.order(question, Patience::default(), report);
    }
    let summary = match ended? {
        Ended::Done {
            summary: Some(summary),
            problem: None,
            cancelled: false,
            ..
        } => *summary,
        other => return Ok(Err(other)),
    };
    let mut sheets = daemon.sheets(&summary.cycle, forms)?;
    if let Some(out) = out
        && let Some(sheet) = sheets.pop()
    {
        let path = format!("/cycles/{}/plan", summary.cycle);
        let origin = (sheet.form == Form::Json)
            .then(|| daemon.asked::<Origin>(Question::get(path).asking(&[("part", "saved")])));
        plans::save(sheet, &summary, out, origin.transpose()?.as_ref())?;
    }
    Ok(Ok(Made { summary, sheets }))
}

/// Shows a plan; as text in this shape, with these first and last words.
pub(super) fn show(
    sheet: Sheet,
    summary: &Summary,
    report: &mut Report,
    (shape, around): (&Shape, (&str, &str)),
) -> Result<(), AppError> {
    let form = sheet.form;
    let shown = sheet.shown(summary, shape, around).and_then(|mut plan| {
        if form == Form::Text {
            report.read(&mut plan)
        } else {
            report.copy(&mut plan)
        }
    });
    shown.map_err(|error| plans::temporary(&error))
}

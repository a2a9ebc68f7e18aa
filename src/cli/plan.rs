//! `plan`: what a cycle would do, and why, writing nothing to the target; shown, or saved for `sync --plan`.

use std::fs::File;
use std::io;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use super::args;
use super::args::Globals;
use super::args::PlanFormat;
use super::exit::Exit;
use super::plan_sheet;
use super::process;
use super::report::Report;
use super::saved;
use super::saved::Origin;
use super::show;
use super::state;
use super::watch::Parts;
use super::watch::PlanFile;
use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::app::install;
use crate::engine::cycle;
use crate::engine::job::Extent;
use crate::engine::summary::Summary;
use crate::files::NewFile;
use crate::files::own_uid;
use crate::model::shown::shown_json;

/// Plans a cycle and shows it.
pub fn run(globals: &Globals, args: &args::Plan, report: &mut Report) -> Result<Exit, AppError> {
    let forms = forms(args, report.is_json());
    let settings = install::settings(&globals.config, false)?;
    let (name, job) = install::choose(&settings, args.job.as_deref())?;
    if let Some(out) = args.out.as_ref().filter(|out| is_taken(out)) {
        return Err(AppError::usage(
            format!("{} is there already, and is no plan", out.display()),
            "name a file with --out that does not exist; only an earlier plan is replaced",
        ));
    }
    let folder = install::hold(&settings)?;
    let snapshot = install::open_for(&folder, name, job)?;
    let file = PlanFile::new(&forms, report.progress(), snapshot.clone());
    let file = Arc::new(file.map_err(|error| spool_failure(&error))?);
    let job = install::job(&globals.config, name, &settings.state, job, snapshot)?;
    let extent = if args.full { Extent::Full } else { Extent::Changes };
    let done = process::runtime()?.block_on(async {
        let stop = process::stop_on_signal();
        let order = process::order(extent, false, Arc::clone(&file) as _, stop);
        cycle::run(&job, &order).await
    });
    let file = Arc::into_inner(file).expect("the order that shared it is gone");
    if let Some(error) = &done.error {
        return Err(AppError::from(error));
    }
    let parts = file.finish().map_err(|error| spool_failure(&error))?;
    let mut sheets = forms.into_iter().zip(parts);
    if let Some(out) = &args.out
        && let Some((form, parts)) = sheets.next_back()
    {
        let origin = match form {
            PlanFormat::Json => Some(Origin::of(&job, args.full)?),
            _ => None,
        };
        save(out, form, &done.summary, parts, origin.as_ref()).map_err(|error| save_failure(out, &error))?;
        state::noted(&folder, name, "plan", out)?;
    }
    match sheets.next() {
        Some((form, parts)) => {
            show(form, &done.summary, parts, report, show::plan(&done.summary))
                .map_err(|error| spool_failure(&error))?;
        }
        None if report.is_json() => report.json(&done.summary),
        None => report.text(&show::plan(&done.summary)),
    }
    let changes = args.detailed_exitcode && done.summary.has_changes();
    Ok(if changes { Exit::Changes } else { Exit::Done })
}

/// The forms that are made: the one that is shown, and the one that is saved, which is the last. A plan that is saved
/// for reading (csv, html) is not shown as well.
fn forms(args: &args::Plan, json: bool) -> Vec<PlanFormat> {
    let standard = if json { PlanFormat::Json } else { PlanFormat::Text };
    let shown = args.format.unwrap_or(standard);
    match (&args.out, shown) {
        (None, shown) => vec![shown],
        (Some(_), PlanFormat::Csv | PlanFormat::Html) => vec![shown],
        (Some(_), shown) => vec![shown, PlanFormat::Json],
    }
}

pub(super) fn spool_failure(error: &io::Error) -> AppError {
    let shown = ErrorText {
        what: "cannot keep the plan in a temporary file".to_owned(),
        causes: vec![error.to_string()],
        ..ErrorText::default()
    };
    AppError::new(
        ErrorKind::Failed,
        shown.advise("check the space in the temporary folder (TMPDIR)"),
    )
}

fn save_failure(out: &Path, error: &io::Error) -> AppError {
    let shown = ErrorText {
        what: format!("cannot save the plan in {}", out.display()),
        causes: vec![error.to_string()],
        ..ErrorText::default()
    };
    AppError::new(
        ErrorKind::Failed,
        shown.advise("check that the folder is there, its free space and its permissions; nothing was written to the target"),
    )
}

/// True where the file is a plan that was saved before: the one thing whose place a plan takes.
fn is_plan(file: &Path) -> bool {
    let is_ours = file
        .symlink_metadata()
        .is_ok_and(|held| held.is_file() && held.uid() == own_uid());
    let mut head = Vec::new();
    let read = |file: File| file.take(HEAD_LENGTH).read_to_end(&mut head);
    if !is_ours || File::open(file).and_then(read).is_err() {
        return false;
    }
    let head = String::from_utf8_lossy(&head);
    let is_page = head.starts_with(plan_sheet::HTML_BEGIN) && head.contains(plan_sheet::HTML_TITLE);
    head.starts_with(plan_sheet::CSV_HEAD) || is_page || saved::read(file, |_| {}).is_ok()
}

/// What a file in the way is looked at for.
const HEAD_LENGTH: u64 = 64 << 10;

fn is_taken(out: &Path) -> bool {
    out.symlink_metadata().is_ok() && !is_plan(out)
}

/// Writes the plan beside the file, then in its place: a plan is there whole or not at all. It names people, so it is
/// for its owner alone.
fn save(
    out: &Path,
    form: PlanFormat,
    summary: &Summary,
    parts: Parts,
    origin: Option<&Origin>,
) -> io::Result<()> {
    let mut file = NewFile::begin(out)?;
    io::copy(&mut document(form, summary, parts, origin)?, &mut file)?;
    if is_plan(out) { file.replace() } else { file.put() }
}

/// Shows a plan; as text, with these last words.
pub(super) fn show(
    form: PlanFormat,
    summary: &Summary,
    parts: Parts,
    report: &mut Report,
    last: String,
) -> io::Result<()> {
    match form {
        PlanFormat::Text => write_text(parts, report, &last),
        _ => report.copy(&mut document(form, summary, parts, None)?),
    }
}

/// A plan as a whole document, streamed.
fn document(
    form: PlanFormat,
    summary: &Summary,
    parts: Parts,
    origin: Option<&Origin>,
) -> io::Result<Box<dyn Read>> {
    let text = |text: String| io::Cursor::new(text.into_bytes());
    Ok(match form {
        PlanFormat::Csv => Box::new(text(plan_sheet::CSV_HEAD.to_owned()).chain(parts.operations)),
        PlanFormat::Html => Box::new(
            text(plan_sheet::html_head(summary))
                .chain(parts.operations)
                .chain(text(plan_sheet::HTML_OMITTED.to_owned()))
                .chain(parts.omitted)
                .chain(text(plan_sheet::HTML_END.to_owned())),
        ),
        PlanFormat::Json | PlanFormat::Text => {
            // The summary with two members more; three where it says what it was made from.
            let head = serde_json::to_string(summary)?;
            let head = shown_json(&head);
            let mut head = head.strip_suffix('}').unwrap_or(&head).to_owned();
            if let Some(origin) = origin {
                head += &format!(",\"saved\":{}", serde_json::to_string(origin)?);
            }
            Box::new(
                text(head + ",\"plan\":[\n")
                    .chain(parts.operations)
                    .chain(text("\n],\"omitted\":[\n".to_owned()))
                    .chain(parts.omitted)
                    .chain(text("\n]}\n".to_owned())),
            )
        }
    })
}

fn write_text(parts: Parts, report: &mut Report, last: &str) -> io::Result<()> {
    let (mut operations, mut omitted) = (parts.operations, parts.omitted);
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

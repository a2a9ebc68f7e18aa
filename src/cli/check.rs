//! `check`: "Test connection". One line for each thing looked at: ok, warn or fail, and what to do.

use super::args::Globals;
use super::args::OneJob;
use super::exit::Exit;
use super::process;
use super::report::Report;
use crate::app::check;
use crate::app::check::Level;
use crate::app::check::Line;
use crate::app::check::Subject;
use crate::app::error::AppError;
use crate::app::install;

/// Checks one job. Sends the target only GET.
pub fn run(globals: &Globals, args: &OneJob, report: &mut Report) -> Result<Exit, AppError> {
    let settings = install::settings(&globals.config, false)?;
    let (name, job) = install::choose(&settings, args.job.as_deref())?;
    let subject = Subject {
        config: &globals.config,
        settings: &settings,
        name,
        job,
        held: None,
    };
    let checked = process::runtime()?.block_on(check::check(&subject));
    report.show(&checked, || {
        checked.checks.iter().map(text).collect::<Vec<_>>().join("\n")
    });
    Ok(if checked.ok { Exit::Done } else { Exit::Failed })
}

fn text(line: &Line) -> String {
    let level = match line.level {
        Level::Ok => "ok  ",
        Level::Warn => "warn",
        Level::Fail => "FAIL",
    };
    let advice = if line.advice.is_empty() {
        String::new()
    } else {
        format!("\n                   do: {}", under(&line.advice))
    };
    format!("{level}  {:<12} {}{advice}", line.what, under(&line.text))
}

/// Further lines stand under the first: no text of another's begins one of ours.
fn under(text: &str) -> String {
    text.replace('\n', "\n                   ")
}

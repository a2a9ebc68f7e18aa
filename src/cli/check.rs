//! `check`: "Test connection". One line for each thing looked at: ok, warn or fail, and what to do.

use super::args::Globals;
use super::args::OneJob;
use super::beside;
use super::beside::Question;
use super::exit::Exit;
use super::process;
use super::report::Report;
use crate::app::check;
use crate::app::check::Checked;
use crate::app::check::Subject;
use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::install;
use crate::app::words::Words;

/// Checks one job. Sends the target only GET.
pub fn run(globals: &Globals, args: &OneJob, report: &mut Report) -> Result<Exit, AppError> {
    let job = args.job.as_deref();
    let checked = beside::ask(
        globals,
        || {
            nobody_else_checks(globals)?;
            here(globals, job)
        },
        |daemon| {
            let name = beside::job(globals, job)?;
            let settings = beside::settings_of(globals, &name)?;
            let path = format!("/jobs/{}/check", beside::part(&name));
            let checked = daemon.asked(Question::get(path).asking(&[("settings", &settings)]));
            if !beside::is_of_other_settings(&checked) {
                return checked;
            }
            report.note(&format!(
                "{} is not what the daemon runs job `{name}` with: it is checked from here, with the secrets that this command finds.",
                globals.config.display()
            ));
            here(globals, job)
        },
    );
    let checked = match checked {
        // A daemon that does not answer is a line of its own.
        Err(held) if held.kind == ErrorKind::Held => here(globals, job)?,
        checked => checked?,
    };
    report.show(&checked, || checked.words());
    Ok(if checked.ok { Exit::Done } else { Exit::Failed })
}

/// An error where a daemon holds the state folder: it has the secrets and the snapshot, so it is the one to check.
fn nobody_else_checks(globals: &Globals) -> Result<(), AppError> {
    // Settings that are no good are for the check itself to show, with the secrets that are missing.
    let Ok(settings) = install::settings(&globals.config, true) else {
        return Ok(());
    };
    match install::hold(&settings) {
        Err(held) if held.kind == ErrorKind::Held => Err(held),
        Ok(_) | Err(_) => Ok(()),
    }
}

fn here(globals: &Globals, job: Option<&str>) -> Result<Checked, AppError> {
    let settings = install::settings(&globals.config, false)?;
    let (name, job) = install::choose(&settings, job)?;
    let subject = Subject {
        config: &globals.config,
        settings: &settings,
        name,
        job,
        held: None,
    };
    Ok(process::runtime()?.block_on(check::check(&subject)))
}

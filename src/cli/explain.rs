//! `explain`: one object, step by step, and why. Sends both sides only questions, and leaves the snapshot as it is.

use clap::Args;

use super::args::Globals;
use super::beside;
use super::beside::Daemon;
use super::beside::Question;
use super::exit::Exit;
use super::process;
use super::report::Report;
use crate::app::actor::Actor;
use crate::app::error::AppError;
use crate::app::install::Installation;
use crate::app::views::explain;

/// `explain`.
#[derive(Debug, Clone, Args)]
#[command(override_usage = "melonsync explain [OPTIONS] [JOB] <OBJECT>")]
pub struct Explain {
    /// The job, which may be left out where there is one; and the user or group: object id, UPN, mail or display name.
    #[arg(value_name = "OBJECT", num_args = 1..=2, required = true)]
    pub names: Vec<String>,
}

impl Explain {
    /// The job, where two names are given, and the object.
    #[must_use]
    pub fn job_and_object(&self) -> (Option<&str>, &str) {
        match self.names.as_slice() {
            [job, object] => (Some(job), object),
            names => (None, names.first().map_or("", String::as_str)),
        }
    }
}

/// Explains one object.
pub fn run(globals: &Globals, args: &Explain, report: &mut Report) -> Result<Exit, AppError> {
    let (job, object) = args.job_and_object();
    let here = || {
        let installation = Installation::open(&globals.config)?;
        let name = installation.choose(job)?;
        let job = installation.job(name, installation.snapshot(name)?)?;
        process::runtime()?.block_on(async {
            let stop = process::stop_on_signal();
            explain::explain(&job, object, Actor::local_user(), stop).await
        })
    };
    let there = |daemon: &Daemon, report: &Report| {
        let job = beside::job(globals, job)?;
        let settings = beside::settings_of(globals, &job)?;
        let path = format!(
            "/jobs/{}/objects/{}/explain",
            beside::part(&job),
            beside::part(object)
        );
        let (asked, json) = (Question::get(&path), report.is_json());
        let told = daemon.told(asked.asking(&[("settings", &settings)]), json);
        if beside::is_of_other_settings(&told) {
            let own = beside::own_rules(globals, &job, report)?;
            return daemon.told(Question::post(path, &own), json);
        }
        told
    };
    beside::answer_by(globals, report, here, there)
}

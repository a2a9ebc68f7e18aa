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
    /// Say first whether this group holds the user, on both sides, and by which way.
    #[arg(long, value_name = "GROUP")]
    pub r#in: Option<String>,
    /// Show how each attribute comes about, also of those that are as sent, and every group.
    #[arg(long)]
    pub details: bool,
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
    let asked = explain::Asked {
        object: object.to_owned(),
        in_group: args.r#in.clone(),
        details: args.details,
    };
    let here = || {
        let installation = Installation::open(&globals.config)?;
        let name = installation.choose(job)?;
        let job = installation.job(name, installation.snapshot(name)?)?;
        process::runtime()?.block_on(async {
            let stop = process::stop_on_signal();
            explain::explain(&job, &asked, Actor::local_user(), stop).await
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
        let mut query = Vec::new();
        query.extend(args.r#in.as_deref().map(|group| ("in", group)));
        if args.details {
            query.push(("details", "true"));
        }
        let json = report.is_json();
        let question = Question::get(&path)
            .asking(&query)
            .asking(&[("settings", &settings)]);
        let told = daemon.told(question, json);
        if beside::is_of_other_settings(&told) {
            let own = beside::own_rules(globals, &job, report)?;
            return daemon.told(Question::post(path, &own).asking(&query), json);
        }
        told
    };
    beside::answer_by(globals, report, here, there)
}

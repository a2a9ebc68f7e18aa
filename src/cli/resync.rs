//! `resync`: certain objects, or all, now; and what became of each who was named.

use std::sync::Arc;

use clap::Args;

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
use super::sync;
use super::watch::Progress;
use crate::app::cycles::Extent;
use crate::app::error::AppError;
use crate::app::install;
use crate::app::install::Installation;
use crate::app::people;
use crate::app::people::PersonReport;
use crate::app::service::request::ResyncRequest;

/// `resync`: exactly one of who, all and from the beginning.
#[derive(Debug, Clone, Args)]
#[command(override_usage = "melonsync resync [OPTIONS] [JOB] <OBJECT>...\n       \
                      melonsync resync [OPTIONS] [JOB] --user <UPN|ID>... [--group <NAME|ID>...]\n       \
                      melonsync resync [OPTIONS] [JOB] --group <NAME|ID>...\n       \
                      melonsync resync [OPTIONS] [JOB] --all\n       \
                      melonsync resync [OPTIONS] [JOB] --restart")]
pub struct Resync {
    /// The job, which may be left out where there is one and stands first; and the users and groups: object id, the beginning of
    /// one, UPN, mail or display name.
    #[arg(value_name = "OBJECT")]
    pub names: Vec<String>,
    /// What is looked at again.
    #[command(flatten)]
    pub what: ResyncWhat,
    /// Show what would be done, and send nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Beside a daemon.
    #[command(flatten)]
    pub patience: Patience,
}

/// What `resync` looks at again.
#[derive(Debug, Clone, Args)]
#[group(multiple = true)]
pub struct ResyncWhat {
    /// Users, by principal name or object id.
    #[arg(long, value_name = "UPN|ID", num_args = 1.., conflicts_with_all = ["all", "restart"])]
    pub user: Vec<String>,
    /// Groups, by display name or object id.
    #[arg(long, value_name = "NAME|ID", num_args = 1.., conflicts_with_all = ["all", "restart"])]
    pub group: Vec<String>,
    /// Every object.
    #[arg(long, conflicts_with = "restart")]
    pub all: bool,
    /// Drop the cursor and read the source from the beginning; links are kept.
    #[arg(long)]
    pub restart: bool,
}

impl Resync {
    fn asked(&self, objects: Vec<String>) -> ResyncRequest {
        ResyncRequest {
            users: self.what.user.clone(),
            groups: self.what.group.clone(),
            objects,
            all: self.what.all,
            restart: self.what.restart,
            dry_run: self.dry_run,
            settings: None,
        }
    }
}

/// Looks at certain objects again, or at all.
pub fn run(globals: &Globals, args: &Resync, report: &mut Report) -> Result<Exit, AppError> {
    let (job, objects) = beside::job_and_names(globals, &args.names)?;
    // Nothing that names nothing, or two things, is begun.
    args.asked(objects.clone()).extent()?;
    let here = |report: &Report| {
        let installation = Installation::open(&globals.config)?;
        args.patience.without_a_daemon()?;
        here(&installation, (&job, args.asked(objects.clone())), report)
    };
    let there = |daemon: &Daemon, report: &Report| {
        let asked = ResyncRequest {
            settings: Some(beside::settings_of(globals, &job)?),
            ..args.asked(objects.clone())
        };
        let path = format!("/jobs/{}/resync", beside::part(&job));
        daemon.order(Question::post(path, &asked), args.patience, report)
    };
    let done = beside::ask(globals, || here(report), |daemon| there(daemon, report));
    let named = [&objects, &args.what.user, &args.what.group];
    done.map(|done| of_those(done, &named.map(Vec::as_slice).concat()))
        .and_then(|done| orders::ended(done, report))
        .map_err(|failure| job_named_last(globals, args, failure))
}

fn here(
    installation: &Installation,
    (job, asked): (&str, ResyncRequest),
    report: &Report,
) -> Result<Ended, AppError> {
    let job = sync::acting_job(installation, Some(job), false, report)?;
    let apply = !asked.dry_run;
    let extent: Extent = asked.sorted(&job.snapshot)?.extent()?;
    let watcher = Arc::new(Progress::new(report.progress()));
    let (done, people) = process::runtime()?.block_on(async {
        let asking = process::asking(Arc::clone(&watcher) as _);
        people::look_at(&job, (extent, apply), asking, &[]).await
    });
    let mut ended = orders::carried_out(done, &watcher, report);
    if let Ended::Done { people: reports, .. } = &mut ended {
        *reports = people?.reports;
    }
    Ok(ended)
}

/// Of an order that another one was joined with, those who were named here.
fn of_those(mut done: Ended, names: &[String]) -> Ended {
    if let Ended::Done { people, .. } = &mut done {
        let is_named = |person: &PersonReport| names.contains(&person.asked);
        people.retain(is_named);
    }
    done
}

/// `resync --user NAME JOB` reads as two users: the usage that follows says where the job belongs.
fn job_named_last(globals: &Globals, args: &Resync, mut failure: AppError) -> AppError {
    let mut names = args.what.user.iter().chain(&args.what.group);
    let jobs = install::settings(&globals.config, true).map(|settings| settings.jobs);
    let is_job = |name: &String| jobs.as_ref().is_ok_and(|jobs| jobs.contains_key(name));
    let swallowed = |name: &&String| !args.names.first().is_some_and(is_job) && is_job(name);
    if let (true, Some(job), Some(error)) = (
        failure.is_refusal(),
        names.find(swallowed),
        failure.errors.first_mut(),
    ) {
        error.advice = Some(format!(
            "`{job}` is a job, and stands first: melonsync resync {job} --user …"
        ));
    }
    failure
}

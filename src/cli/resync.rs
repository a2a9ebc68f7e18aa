//! `resync`: certain objects, or all, now.

use clap::Args;

use super::args::Globals;
use super::beside;
use super::beside::Daemon;
use super::beside::Question;
use super::exit::Exit;
use super::orders;
use super::patience::Patience;
use super::report::Report;
use super::sync;
use crate::app::cycles::Allowing;
use crate::app::cycles::Extent;
use crate::app::error::AppError;
use crate::app::install;
use crate::app::install::Installation;
use crate::app::service::request::ResyncRequest;

/// `resync`: exactly one of who, all and from the beginning.
#[derive(Debug, Clone, Args)]
#[command(
    override_usage = "melonsync resync [OPTIONS] [JOB] --user <UPN|ID>... [--group <NAME|ID>...]\n       \
                      melonsync resync [OPTIONS] [JOB] --group <NAME|ID>...\n       \
                      melonsync resync [OPTIONS] [JOB] --all\n       \
                      melonsync resync [OPTIONS] [JOB] --restart"
)]
pub struct Resync {
    /// The job; may be left out where there is one. It stands before --user and --group, which take all that follows.
    pub job: Option<String>,
    /// What is looked at again.
    #[command(flatten)]
    pub what: ResyncWhat,
    /// Beside a daemon.
    #[command(flatten)]
    pub patience: Patience,
}

/// What `resync` looks at again.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = true)]
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

impl ResyncWhat {
    fn extent(&self) -> Extent {
        if self.restart {
            Extent::Restart
        } else if self.all {
            Extent::All
        } else {
            Extent::Objects {
                users: self.user.clone(),
                groups: self.group.clone(),
            }
        }
    }
}

/// Looks at certain objects again, or at all.
pub fn run(globals: &Globals, args: &Resync, report: &mut Report) -> Result<Exit, AppError> {
    let what = &args.what;
    let here = |report: &Report| {
        let installation = Installation::open(&globals.config)?;
        args.patience.without_a_daemon()?;
        let job = sync::acting_job(&installation, args.job.as_deref(), false, report)?;
        sync::once(&job, what.extent(), Allowing::default(), report)
    };
    let there = |daemon: &Daemon, report: &Report| {
        let job = beside::job(globals, args.job.as_deref())?;
        let asked = ResyncRequest {
            users: what.user.clone(),
            groups: what.group.clone(),
            all: what.all,
            restart: what.restart,
            settings: Some(beside::settings_of(globals, &job)?),
        };
        let path = format!("/jobs/{}/resync", beside::part(&job));
        daemon.order(Question::post(path, &asked), args.patience, report)
    };
    let done = beside::ask(globals, || here(report), |daemon| there(daemon, report));
    done.and_then(|done| orders::ended(done, report))
        .map_err(|failure| job_named_last(globals, args, failure))
}

/// `resync --user NAME JOB` reads as two users: the usage that follows says where the job belongs.
fn job_named_last(globals: &Globals, args: &Resync, mut failure: AppError) -> AppError {
    let mut names = args.what.user.iter().chain(&args.what.group);
    let jobs = install::settings(&globals.config, true).map(|settings| settings.jobs);
    let swallowed =
        |name: &&String| args.job.is_none() && jobs.as_ref().is_ok_and(|jobs| jobs.contains_key(*name));
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

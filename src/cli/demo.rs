//! `demo`: a sample Entra tenant and a sample IDmelon workspace on loopback, and a job between them.

use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;

use super::exit::Exit;
use super::process;
use super::report::Report;
use super::sync;
use super::tour;
use super::watch::Progress;
use crate::app::actor::Actor;
use crate::app::cycles;
use crate::app::cycles::Allowing;
use crate::app::cycles::Asking;
use crate::app::cycles::Extent;
use crate::app::cycles::Job;
use crate::app::demo;
use crate::app::demo::Servers;
use crate::app::demo::way_back;
use crate::app::demo::week;
use crate::app::error::AppError;
use crate::app::service::OpenDoors;

/// `demo`.
#[derive(Debug, Clone, Args)]
pub struct Demo {
    /// One full cycle, print the summary, what comes back and a week beside Azure's own provisioning, exit.
    #[arg(long)]
    pub once: bool,
    /// Users in the sample tenant.
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub users: usize,
    /// Groups in the sample tenant.
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub groups: usize,
    /// The address of the dashboard; 127.0.0.1:8465, or a free port where that is taken.
    #[arg(long, value_name = "ADDR", conflicts_with = "once")]
    pub listen: Option<SocketAddr>,
    /// Keep the state here; a temporary folder where absent.
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
}

/// Runs the demo.
pub fn run(args: &Demo, open_doors: OpenDoors, report: &mut Report) -> Result<Exit, AppError> {
    // Removed when the demo ends; not made where the state is to be kept elsewhere.
    let temporary;
    let state: &Path = match &args.state {
        Some(folder) => folder,
        None => {
            temporary = tempfile::tempdir().map_err(|error| demo::folder_failure(&error))?;
            temporary.path()
        }
    };
    process::runtime()?.block_on(async {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let servers = Servers::start(args.users, args.groups, any, any).await?;
        report.note(&format!(
            "A sample Entra tenant with {} users and {} groups at {}, a sample IDmelon workspace at {}.",
            args.users, args.groups, servers.graph.url, servers.scim.url
        ));
        if !args.once {
            return tour::run(&servers, (state, args.listen), open_doors, report).await;
        }
        let (job, _secrets) = demo::job(&servers, state)?;
        once(&servers, &job, state, report).await
    })
}

/// One full cycle, then what comes back, and then a week beside Azure's own provisioning.
async fn once(servers: &Servers, job: &Job, state: &Path, report: &mut Report) -> Result<Exit, AppError> {
    let watcher = Arc::new(Progress::new(report.progress()));
    let asking = Asking {
        id: None,
        actor: Actor::local_user(),
        stop: process::stop_on_signal(),
        watcher: Arc::clone(&watcher) as _,
    };
    let done = cycles::sync(job, Extent::Full, Allowing::default(), asking.clone()).await;
    let findings = watcher.findings();
    if done.error.is_some() {
        watcher.clear();
        return sync::shown(&done, &findings, report);
    }
    let told = match way_back::told(servers, job, &asking).await {
        Ok(back) => week::told(state, &asking).await.map(|week| back + &week),
        Err(error) => Err(error),
    };
    watcher.clear();
    let exit = sync::shown(&done, &findings, report)?;
    let told = told?;
    if report.is_json() {
        report.note(&told);
    } else {
        report.text(&told);
    }
    Ok(exit)
}

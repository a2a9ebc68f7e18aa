//! `demo`: a sample Entra tenant and a sample IDmelon workspace on loopback, and a job between them.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::args;
use super::args::Globals;
use super::exit::Exit;
use super::process;
use super::report::Report;
use super::sync;
use super::watch::Progress;
use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::app::install;
use crate::engine::cycle;
use crate::engine::job::Extent;
use crate::engine::job::Job;
use crate::sandbox::SampleOptions;
use crate::sandbox::sample_config;
use crate::sandbox::server::Server;
use crate::sandbox::tenant::Tenant;
use crate::sandbox::workspace;
use crate::sandbox::workspace::Workspace;
use crate::settings::Settings;

/// The two sample servers.
pub(super) struct Servers {
    pub(super) tenant: Tenant,
    pub(super) workspace: Workspace,
    pub(super) graph: Server,
    pub(super) scim: Server,
}

impl Servers {
    /// Starts both; a sample tenant of this size, an empty workspace.
    pub(super) async fn start(
        users: usize,
        groups: usize,
        graph: SocketAddr,
        scim: SocketAddr,
    ) -> Result<Self, AppError> {
        let tenant = Tenant::sample_with(SampleOptions {
            users,
            groups,
            assigned: true,
            ..SampleOptions::default()
        });
        let workspace = Workspace::new();
        let refused = |error: std::io::Error| {
            let shown = ErrorText {
                what: "cannot start a sample server".to_owned(),
                causes: vec![error.to_string()],
                ..ErrorText::default()
            };
            AppError::new(
                ErrorKind::Failed,
                shown.advise("choose another address, or leave it out for a free port"),
            )
        };
        let graph = tenant.serve(graph).await.map_err(refused)?;
        let scim = workspace.serve(scim).await.map_err(refused)?;
        Ok(Self {
            tenant,
            workspace,
            graph,
            scim,
        })
    }

    /// A ready config for them.
    pub(super) fn config(&self) -> String {
        let scim = format!("{}{}", self.scim.url, workspace::BASE_PATH);
        sample_config(&self.graph.url, &self.graph.url, &scim, &self.tenant)
    }
}

/// How often the demo changes its tenant and syncs.
const PAUSE: Duration = Duration::from_secs(5);

/// Runs the demo.
pub fn run(_globals: &Globals, args: &args::Demo, report: &mut Report) -> Result<Exit, AppError> {
    // Removed when the demo ends; not made where the state is to be kept elsewhere.
    let temporary;
    let state: &Path = match &args.state {
        Some(folder) => folder,
        None => {
            temporary = tempfile::tempdir().map_err(|error| folder_failure(&error))?;
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
        let job = demo_job(&servers, state)?;
        let stop = process::stop_on_signal();
        let first = one_cycle(&job, stop.clone(), report).await?;
        if args.once {
            return Ok(first);
        }
        report.note("The tenant goes on changing; Ctrl-C ends the demo.");
        for step in 0.. {
            tokio::select! {
                () = tokio::time::sleep(PAUSE) => {}
                () = stop.cancelled() => break,
            }
            servers.tenant.mutate(0.01, step);
            match one_cycle(&job, stop.clone(), report).await {
                Err(_) if stop.is_cancelled() => break,
                done => done?,
            };
        }
        Ok(Exit::Done)
    })
}

fn folder_failure(error: &std::io::Error) -> AppError {
    let shown = ErrorText {
        what: "cannot make a temporary folder".to_owned(),
        causes: vec![error.to_string()],
        ..ErrorText::default()
    };
    AppError::new(
        ErrorKind::Failed,
        shown.advise("check the space in the temporary folder (TMPDIR), or name one with --state"),
    )
}

/// The job between the two sample servers, from the very config that `sandbox` prints.
fn demo_job(servers: &Servers, state: &Path) -> Result<Job, AppError> {
    let secrets = [
        ("ENTRA_CLIENT_SECRET".to_owned(), servers.tenant.client_secret()),
        ("IDMELON_SCIM_TOKEN".to_owned(), servers.workspace.token()),
    ];
    let held = crate::snapshot::folder::StateFolder::hold(state)?;
    // Inside the state's folder: where that is kept elsewhere, there need be no temporary one.
    let folder = tempfile::tempdir_in(state).map_err(|error| folder_failure(&error))?;
    let mut text = servers.config();
    for (name, secret) in secrets {
        let path = folder.path().join(&name);
        std::fs::write(&path, secret).map_err(|error| folder_failure(&error))?;
        let file = format!("{{ file = {:?} }}", path.display().to_string());
        text = text.replace(&format!("{{ env = \"{name}\" }}"), &file);
    }
    let settings = Settings::parse(
        "the demo's own settings",
        &text,
        &std::collections::BTreeMap::new(),
        false,
    )?;
    let (name, job) = install::choose(&settings, None)?;
    let snapshot = install::open(&held, name)?;
    let job = install::job(
        Path::new("config/melonsync.toml"),
        name,
        &settings.state,
        job,
        snapshot,
    );
    // The lock lives as long as the program.
    std::mem::forget(held);
    job
}

async fn one_cycle(job: &Job, stop: CancellationToken, report: &mut Report) -> Result<Exit, AppError> {
    let watcher = Arc::new(Progress::new(report.progress()));
    let order = process::order(Extent::Changes, true, Arc::clone(&watcher) as _, stop);
    let done = cycle::run(job, &order).await;
    watcher.clear();
    sync::shown(&done, watcher.findings(), report)
}

//! `run`: the daemon. Every enabled job on its schedule, until it is told to end.
//!
//! SIGTERM and SIGINT finish the requests in flight, record them, and end; a second one ends at once. SIGHUP
//! reads the settings again: good ones take effect after the cycles under way, bad ones are named and the old
//! ones stay. A credential file that changes does the same.

use std::collections::BTreeMap;
use std::time::Duration;
use std::time::SystemTime;

use tokio::signal::unix::SignalKind;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::error;
use tracing::info;
use uuid::Uuid;

use super::args;
use super::args::Globals;
use super::exit::Exit;
use super::process;
use super::report::Report;
use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::app::install;
use crate::engine::job::Job;
use crate::engine::schedule;
use crate::engine::schedule::Schedules;
use crate::model::id::CycleId;
use crate::settings::Settings;
use crate::settings::secret::SecretSource;
use crate::snapshot::folder::StateFolder;
use crate::snapshot::store::Snapshot;

/// Runs until it is stopped.
pub fn run(globals: &Globals, args: &args::Run, report: &mut Report) -> Result<Exit, AppError> {
    let settings = install::settings(&globals.config, false)?;
    let folder = install::hold(&settings)?;
    for (name, _) in settings.jobs.iter().filter(|(_, job)| job.enabled) {
        install::at_home(&folder, name, args.take_back)?;
    }
    process::runtime()?.block_on(async {
        let mut daemon = Daemon {
            globals,
            folder,
            snapshots: BTreeMap::new(),
            settings,
        };
        let jobs = daemon.jobs(&daemon.settings.clone())?;
        let stop = process::stop_on_signal();
        let mut hangup = tokio::signal::unix::signal(SignalKind::hangup()).map_err(|cause| {
            let shown = ErrorText {
                what: "cannot listen for SIGHUP".to_owned(),
                causes: vec![cause.to_string()],
                ..ErrorText::default()
            };
            AppError::new(ErrorKind::Failed, shown.advise("check the limits of the process"))
        })?;
        let mut jobs = jobs;
        while !stop.is_cancelled() {
            let reload = CancellationToken::new();
            let mut running = start(jobs, &stop, &reload);
            let mut next = None;
            let mut credentials = credentials_of(&daemon.settings);
            while next.is_none() && !stop.is_cancelled() {
                tokio::select! {
                    _ = hangup.recv() => next = daemon.reload(report),
                    () = tokio::time::sleep(CREDENTIALS_EVERY) => {
                        let now = credentials_of(&daemon.settings);
                        if now != std::mem::replace(&mut credentials, now.clone()) {
                            info!("A credential file changed: the settings are read again");
                            next = daemon.reload(report);
                        }
                    }
                    () = stop.cancelled() => {}
                }
            }
            reload.cancel();
            while running.join_next().await.is_some() {}
            jobs = next.unwrap_or_default();
        }
        info!("Stopped: nothing is in flight, everything done is recorded");
        Ok(Exit::Done)
    })
}

/// How often the credential files are looked at: a look is a few `stat` calls, and who renews a credential waits for this.
const CREDENTIALS_EVERY: Duration = Duration::from_secs(10);

/// When each credential file was last written, and how long it is. One that is not there is that.
fn credentials_of(settings: &Settings) -> Vec<Option<(SystemTime, u64)>> {
    let places = settings
        .jobs
        .values()
        .filter(|job| job.enabled)
        .flat_map(|job| [&job.source.credential.client_secret, &job.target.token]);
    let files = places.filter_map(|place| match place {
        SecretSource::File(path) => Some(path),
        SecretSource::Env(_) => None,
    });
    files
        .map(|path| {
            let held = std::fs::metadata(path).ok()?;
            Some((held.modified().ok()?, held.len()))
        })
        .collect()
}

fn start(jobs: Vec<(Job, Schedules)>, stop: &CancellationToken, reload: &CancellationToken) -> JoinSet<()> {
    let mut running = JoinSet::new();
    info!(jobs = jobs.len(), "Running {} jobs", jobs.len());
    for (job, schedules) in jobs {
        running.spawn(schedule::run(
            job,
            schedules,
            || CycleId(Uuid::now_v7()),
            stop.clone(),
            reload.clone(),
        ));
    }
    running
}

struct Daemon<'g> {
    globals: &'g Globals,
    folder: StateFolder,
    /// Opened once: a store that was just closed does not always open again at once.
    snapshots: BTreeMap<String, Snapshot>,
    settings: Settings,
}

impl Daemon<'_> {
    fn jobs(&mut self, settings: &Settings) -> Result<Vec<(Job, Schedules)>, AppError> {
        let mut jobs = Vec::new();
        let audit = install::audit(settings, false)?;
        for (name, job) in settings.jobs.iter().filter(|(_, job)| job.enabled) {
            let snapshot = match self.snapshots.get(name) {
                Some(snapshot) => snapshot.clone(),
                None => install::open_for(&self.folder, name, job)?,
            };
            self.snapshots.insert(name.clone(), snapshot.clone());
            let schedules = Schedules {
                incremental: job.schedule.clone(),
                full: job.full_schedule.clone(),
            };
            let mut job = install::job(&self.globals.config, name, &settings.state, job, snapshot)?;
            job.audit.clone_from(&audit);
            jobs.push((job, schedules));
        }
        Ok(jobs)
    }

    /// The jobs of the new settings; `None` where they are no good, and the old ones stay.
    fn reload(&mut self, report: &Report) -> Option<Vec<(Job, Schedules)>> {
        let read = install::settings(&self.globals.config, false).and_then(|settings| {
            if settings.state.path != self.settings.state.path {
                let text = "the state folder cannot change while the daemon runs";
                return Err(AppError::usage(
                    text,
                    "restart the daemon to use another state folder",
                ));
            }
            let jobs = self.jobs(&settings)?;
            Ok((settings, jobs))
        });
        match read {
            Ok((settings, jobs)) => {
                info!("The settings were read again; they take effect after the cycles under way");
                self.settings = settings;
                Some(jobs)
            }
            Err(failure) => {
                error!("The new settings are refused; the daemon goes on with the old ones");
                report.complain(&failure);
                None
            }
        }
    }
}

//! From the settings to jobs that can run. One that cannot is a state of its own, and no other job's end.

use std::sync::Arc;
use std::time::SystemTime;

use sha2::Digest;
use sha2::Sha256;
use tracing::error;

use crate::app::config_changes;
use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::app::install;
use crate::app::site::Site;
use crate::engine::job::Job;
use crate::engine::schedule::Schedules;
use crate::settings;
use crate::settings::Settings;
use crate::telemetry::audit::AuditStream;

/// A job that can run.
pub struct Ready {
    /// The job.
    pub job: Job,
    /// When it runs by itself.
    pub schedules: Schedules,
}

/// What became of a job of the settings.
#[derive(Clone)]
pub enum Loaded {
    /// It can run.
    Ready(Arc<Ready>),
    /// It is not enabled: it is put together when somebody asks for it.
    Off,
    /// It cannot run, and why.
    Broken(AppError),
}

impl Loaded {
    /// Logs why it cannot run.
    pub(super) fn report(&self, name: &str) {
        let Self::Broken(error) = self else { return };
        for ErrorText { what, advice, .. } in &error.errors {
            let advice = advice.as_deref().unwrap_or_default();
            error!(
                job = name,
                "Job {name} cannot run, the others do: {what}; {advice}"
            );
        }
    }
}

/// The settings, and what is wrong with the secrets that they name: that is for each job to find. Anything else that is
/// wrong is an error.
pub(super) fn read(config: &std::path::Path) -> Result<(Settings, Option<AppError>), AppError> {
    match install::settings(config, false) {
        Ok(settings) => Ok((settings, None)),
        Err(refused) => match install::settings(config, true) {
            Ok(settings) => Ok((settings, Some(refused))),
            Err(_) => Err(refused),
        },
    }
}

/// Puts a job together. It may be taken back from another host by that.
pub(super) fn assemble(
    site: &Site,
    settings: &Settings,
    (name, job): (&str, &settings::job::Job),
    audit: Option<&Arc<AuditStream>>,
    take_back: bool,
) -> Result<Ready, AppError> {
    install::at_home(site.folder(), name, take_back)?;
    let snapshot = site.snapshot(name, job)?;
    let mut ready = install::job(site.config(), name, &settings.state, job, snapshot)?;
    config_changes::note(site.config(), &ready)?;
    ready.audit = audit.cloned();
    let schedules = if job.enabled {
        Schedules {
            incremental: job.schedule.clone(),
            full: job.full_schedule.clone(),
            back: job.writeback.as_ref().and_then(|back| back.schedule.clone()),
            seed: seed(name, job),
        }
    } else {
        Schedules::default()
    };
    Ok(Ready {
        job: ready,
        schedules,
    })
}

/// A number that this job has wherever its daemon runs, and another one has not.
fn seed(name: &str, job: &settings::job::Job) -> u16 {
    let of = format!("{name} {} {}", job.source.tenant_id, job.target.url);
    let digest = Sha256::digest(of);
    u16::from_be_bytes([digest[0], digest[1]])
}

/// What ends the daemon at its start: no enabled job can run.
pub(super) fn nothing_runs<'l>(
    loaded: impl IntoIterator<Item = &'l Loaded>,
    secrets: Option<AppError>,
) -> Option<AppError> {
    let mut problem: Option<AppError> = None;
    for one in loaded {
        match one {
            Loaded::Ready(_) => return None,
            Loaded::Off => {}
            Loaded::Broken(error) => {
                let all = problem.get_or_insert_with(|| AppError {
                    kind: error.kind,
                    errors: Vec::new(),
                });
                all.errors.extend(error.errors.clone());
            }
        }
    }
    // With all its problems at once, as every other verb has them.
    problem.map(|problem| match secrets {
        Some(secrets) if problem.kind == ErrorKind::Usage => secrets,
        _ => problem,
    })
}

/// When each file of a credential was last written, and how long it is: those of the jobs, of the API and of the receivers of
/// notifications. One that is not there is that.
#[must_use]
pub fn credentials_of(settings: &Settings) -> Vec<Option<(SystemTime, u64)>> {
    let places = settings
        .jobs
        .values()
        .filter(|job| job.enabled)
        .flat_map(settings::job::Job::credential_files);
    let of_the_api = settings.admin.files();
    let of_receivers = settings.notify.iter().flat_map(settings::notify::Receiver::files);
    places
        .chain(of_receivers)
        .chain(of_the_api.iter().map(std::path::PathBuf::as_path))
        .map(|path| {
            let held = std::fs::metadata(path).ok()?;
            Some((held.modified().ok()?, held.len()))
        })
        .collect()
}

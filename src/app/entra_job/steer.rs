//! Pausing and resuming Azure's job: with the token of an administrator, who signs in or brings one along. Never with the
//! credential of a job of ours, which only reads.

use std::time::Duration;

use super::application;
use super::failed;
use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::app::install;
use crate::app::views::entra_job::EntraJob;
use crate::app::views::entra_job::EntraJobs;
use crate::app::views::entra_job::writing;
use crate::app::views::entra_job::writing_of_all;
use crate::entra::azure_job::steer::Steering;
use crate::entra::sign_in::NotSignedIn;
use crate::entra::sign_in::SignIn;
use crate::model::azure_job::AzureJob;
use crate::model::azure_job::JobState;
use crate::model::azure_job::Writing;
use crate::model::id::SourceId;
use crate::model::secret::Secret;
use crate::settings::job::Job;

pub use crate::entra::sign_in::PUBLIC_CLIENT;
pub use crate::entra::sign_in::Usher;

/// An administrator at Azure's job.
pub struct Admin {
    name: String,
    application: SourceId,
    steering: Steering,
}

/// Signs an administrator in and returns the access token, which is kept nowhere.
pub async fn sign_in(job: &Job, public_client: &str, usher: &dyn Usher) -> Result<Secret, AppError> {
    let options = install::options_without_credential(job);
    let sign_in =
        SignIn::new(&options, public_client).map_err(|error| install::unusable_source(job, &error))?;
    sign_in.run(usher).await.map_err(|refused: NotSignedIn| {
        let hint = refused.hint.clone();
        AppError::new(ErrorKind::Failed, ErrorText::of(&refused).advise(hint))
    })
}

impl Admin {
    /// Prepares the way to the jobs of the application with this token.
    pub fn new(name: &str, job: &Job, token: Secret) -> Result<Self, AppError> {
        let options = install::options_without_credential(job);
        let steering =
            Steering::new(&options, token).map_err(|error| install::unusable_source(job, &error))?;
        Ok(Self {
            name: name.to_owned(),
            application: application(name, job)?,
            steering,
        })
    }

    async fn jobs(&self) -> Result<Vec<AzureJob>, AppError> {
        self.steering
            .jobs(self.application)
            .await
            .map_err(|error| failed(&error))
    }

    fn shown(&self, jobs: &[AzureJob]) -> EntraJobs {
        EntraJobs {
            application: self.application,
            advice: None,
            job: self.name.clone(),
            jobs: jobs.iter().map(EntraJob::from).collect(),
            problem: None,
            writes: writing(writing_of_all(jobs)),
        }
    }

    /// Pauses every job that is not paused. Those that are get no request.
    pub async fn pause(&self) -> Result<EntraJobs, AppError> {
        for job in self.jobs().await? {
            if !matches!(job.state, JobState::Paused | JobState::NotConfigured) {
                let paused = self.steering.pause(self.application, &job.id).await;
                paused.map_err(|error| failed(&error))?;
            }
        }
        Ok(self.shown(&self.jobs().await?))
    }

    /// Starts every job that is paused or in quarantine. One that runs gets no request.
    pub async fn resume(&self) -> Result<EntraJobs, AppError> {
        for job in self.jobs().await? {
            if matches!(
                job.state,
                JobState::Paused | JobState::Quarantine | JobState::NotRun
            ) {
                let started = self.steering.start(self.application, &job.id).await;
                started.map_err(|error| failed(&error))?;
            }
        }
        Ok(self.shown(&self.jobs().await?))
    }

    /// Waits until no execution is under way, as two looks in a row show it. `told` hears of each look that shows another.
    pub async fn until_ended(
        &self,
        every: Duration,
        mut told: impl FnMut(&EntraJobs),
    ) -> Result<EntraJobs, AppError> {
        let (mut quiet, mut before) = (0, None);
        loop {
            let jobs = self.jobs().await?;
            let (shown, now) = (self.shown(&jobs), writing_of_all(&jobs));
            quiet = if now == Writing::No { quiet + 1 } else { 0 };
            if quiet >= LOOKS {
                return Ok(shown);
            }
            if now == Writing::Yes {
                return Err(AppError::conflict(
                    format!(
                        "Azure's job of `{}` runs again: somebody started it while its end was waited for",
                        self.name
                    ),
                    "run `melonsync entra-job pause --wait` again, once you know who did",
                ));
            }
            if before != Some(now) {
                told(&shown);
            }
            before = Some(now);
            tokio::time::sleep(every).await;
        }
    }
}

/// As many looks in a row have to show that nothing runs: the status of a job is not always that of this moment.
const LOOKS: u32 = 2;

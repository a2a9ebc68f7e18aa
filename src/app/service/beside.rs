//! What is asked of a job beside its orders: how it would be by other rules; and that it goes on at another host.

use std::path::Path;

use tracing::info;

use super::Loaded;
use super::Service;
use super::order::Ask;
use super::order::Work;
use crate::app::actor::Actor;
use crate::app::error::AppError;
use crate::app::install;
use crate::app::preview::Preview;
use crate::app::preview::PreviewRequest;
use crate::app::state;
use crate::app::state::HandedOver;

impl Service {
    /// The rules of a job as they would be. Refused where something else is sent, or something that the settings would refuse.
    pub fn preview(&self, job: &str, asked: PreviewRequest) -> Result<Preview, AppError> {
        let ready = self.ready(job)?;
        let settings = self.site().settings();
        let (_, of_job) = install::choose(&settings, Some(job))?;
        let preview = asked.over(of_job, &ready.job)?;
        // What only the whole of it shows to be wrong is an answer too, and no failed order.
        preview.job(&ready.job, ready.job.snapshot.clone())?;
        Ok(preview)
    }

    /// Has what was let through sent at once. Where that cannot be ordered, the next cycle sends it.
    pub fn send_released(&self, job: &str, actor: &Actor) {
        if let Err(refused) = self.order(job, Ask::by(Work::released(), actor)) {
            let why = refused.errors.first().map_or("", |error| error.what.as_str());
            info!(job, "What was released waits for the next cycle: {why}");
        }
    }

    /// Hands a job over to another host with a backup that was made before, while no cycle runs. It does not run here any more.
    pub fn hand_over(
        &self,
        job: &str,
        actor: Actor,
        (backup, history): (&Path, &str),
    ) -> Result<HandedOver, AppError> {
        let done = state::hand_over_with(&self.desk(job, actor)?, backup, history)?;
        if let Err(moved) = install::at_home(self.site().folder(), job, false) {
            self.worker(job)?.load(Loaded::Broken(moved));
        }
        Ok(done)
    }
}

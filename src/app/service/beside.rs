//! What is asked of a job beside its orders: how it would be by other rules; and that it goes on at another host.

use std::path::Path;

use tracing::info;

use super::Loaded;
use super::Service;
use super::answer::Ticket;
use super::order::Ask;
use super::order::Work;
use crate::app::actor::Actor;
use crate::app::decisions::withheld;
use crate::app::decisions::withheld::Chosen;
use crate::app::decisions::withheld::Decided;
use crate::app::error::AppError;
use crate::app::install;
use crate::app::preview::Preview;
use crate::app::preview::PreviewRequest;
use crate::app::preview::Trial;
use crate::app::state;
use crate::app::state::HandedOver;
use crate::app::views::explain;
use crate::app::views::explain::Asked;
use crate::app::views::explain::Explained;

/// What was let through.
#[derive(Debug)]
pub struct Released {
    /// What was decided.
    pub decided: Decided,
    /// The order that sends it; `None` where the next cycle does.
    pub order: Option<Ticket>,
}

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

    /// The rules of a job in force, as texts to be changed for a preview.
    pub fn trial(&self, job: &str) -> Result<Trial, AppError> {
        let settings = self.site().settings();
        let (name, of_job) = install::choose(&settings, Some(job))?;
        let config = self.site().config();
        let own = PreviewRequest::own(config, name)?;
        let mapping = install::mapping_file(config, &of_job.provisioning.mapping)?;
        Ok(Trial::of(&own, mapping))
    }

    /// Explains an object of a job, by its own rules or by others.
    pub async fn explained(
        &self,
        job: &str,
        asked: &Asked,
        rules: Option<&Preview>,
        actor: Actor,
    ) -> Result<Explained, AppError> {
        let ready = self.ready(job)?;
        let stop = self.stop().child_token();
        let Some(rules) = rules else {
            return explain::explain(&ready.job, asked, actor, stop).await;
        };
        let tried = rules.job(&ready.job, ready.job.snapshot.clone())?;
        explain::explain(&tried, asked, actor, stop).await
    }

    /// Lets withheld operations through, once, and has them sent at once. Where that cannot be ordered, the next cycle sends them.
    pub fn release(&self, job: &str, actor: &Actor, chosen: &Chosen) -> Result<Released, AppError> {
        let decided = withheld::release(&self.desk(job, actor.clone())?, chosen)?;
        let ordered = self.order(job, Ask::by(Work::released(), actor));
        if let Err(refused) = &ordered {
            let why = refused.errors.first().map_or("", |error| error.what.as_str());
            info!(job, "What was released waits for the next cycle: {why}");
        }
        Ok(Released {
            decided,
            order: ordered.ok().map(|(ticket, _)| ticket),
        })
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

//! Previews: the rules of a job with those of whoever asks in their place.

use super::Service;
use crate::app::error::AppError;
use crate::app::install;
use crate::app::preview::Preview;
use crate::app::preview::PreviewRequest;

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
}

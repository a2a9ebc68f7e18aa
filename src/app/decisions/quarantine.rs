//! A job, or a kind of operation, that stopped goes on with the next cycle.

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::desk::Decision;
use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::snapshot::quarantine::Quarantine;
use crate::snapshot::quarantine::QuarantineReads;

/// What was let go on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = QuarantineReleased)]
pub struct Released {
    /// `release`.
    #[schema(value_type = String)]
    pub action: &'static str,
    /// The job.
    pub job: String,
    /// The kinds of operations that had stopped.
    #[schema(value_type = Vec<String>)]
    pub kinds: Vec<&'static str>,
    /// True where the job as a whole had stopped.
    pub was_quarantined: bool,
    /// What had stopped, in words; `None` where nothing had.
    #[serde(skip)]
    pub what: Option<String>,
}

/// Lets it go on, without a probe first.
pub fn release(desk: &Desk, comment: Option<String>) -> Result<Released, AppError> {
    desk.decide(|tx| {
        let held = tx.quarantine()?;
        let what = (!held.is_empty()).then(|| words(&held));
        let decision = what.as_ref().map(|what| Decision {
            verb: "quarantine_release",
            object: None,
            reason: format!("released: {what}"),
            comment,
        });
        if decision.is_some() {
            tx.put_quarantine(&Quarantine::default());
        }
        let released = Released {
            action: "release",
            job: desk.job.clone(),
            kinds: held.kinds.keys().map(|verb| verb.name()).collect(),
            was_quarantined: held.job.is_some(),
            what,
        };
        Ok((decision.into_iter().collect(), released))
    })
}

fn words(held: &Quarantine) -> String {
    let job = held
        .job
        .as_ref()
        .map(|stop| format!("the job, stopped by its {}", stop.side.word()));
    let kinds = held.kinds.keys().map(|verb| verb.name().to_owned());
    job.into_iter().chain(kinds).collect::<Vec<_>>().join(", ")
}

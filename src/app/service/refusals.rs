//! Why an order is not carried out, or not to its end.

use tracing::error;

use super::queue::MOST_WAITING;
use super::track::Track;
use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;

pub(super) fn broke(broken: &tokio::task::JoinError) -> AppError {
    let shown = ErrorText {
        what: "the cycle broke off by a fault of this program".to_owned(),
        causes: vec![broken.to_string()],
        ..ErrorText::default()
    };
    AppError::new(
        ErrorKind::Failed,
        shown.advise("the next cycle goes on from what is recorded; report this with the log"),
    )
}

pub(super) fn cancelled(actor: &str) -> AppError {
    let shown = ErrorText {
        what: format!("cancelled by {actor} before it began"),
        ..ErrorText::default()
    };
    AppError::new(ErrorKind::NotBegun, shown.advise("nothing was done; ask again"))
}

pub(super) fn other_settings(job: &str) -> AppError {
    let shown = ErrorText {
        what: format!("the daemon runs job `{job}` with other settings than these"),
        ..ErrorText::default()
    };
    let advice = "reload the daemon (SIGHUP, systemctl reload melonsync) if these are right; else use its own config and environment";
    AppError::new(ErrorKind::OtherSettings, shown.advise(advice))
}

pub(super) fn stopping() -> AppError {
    let shown = ErrorText {
        what: "the daemon is stopping, and takes no orders".to_owned(),
        ..ErrorText::default()
    };
    AppError::new(
        ErrorKind::NotBegun,
        shown.advise("nothing was done; ask again once it runs"),
    )
}

pub(super) fn full() -> AppError {
    let shown = ErrorText {
        what: format!("{MOST_WAITING} orders wait for this job already"),
        ..ErrorText::default()
    };
    AppError::new(
        ErrorKind::Busy,
        shown.advise("ask again when some of them are done; `melonsync status` lists them"),
    )
}

/// Logs why an order was not carried out to its end.
pub(super) fn log(job: &str, track: &Track, failure: &AppError) {
    for text in &failure.errors {
        let causes: String = text.causes.iter().map(|cause| format!(": {cause}")).collect();
        let advice = text.advice.as_deref().unwrap_or_default();
        error!(job, cycle.id = %track.cycle, "{job}: {}{causes}; {advice}", text.what);
    }
}

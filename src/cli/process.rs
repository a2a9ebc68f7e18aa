//! What a verb needs of its process: a runtime, the name of who runs it, an ear for signals.

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::app::actor::Actor;
use crate::app::cycles::Asking;
use crate::app::cycles::Watcher;
use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;

/// What somebody at the command line asks, until a signal.
pub(super) fn asking(watcher: Arc<dyn Watcher>) -> Asking {
    Asking {
        id: None,
        actor: Actor::local_user(),
        stop: stop_on_signal(),
        watcher,
    }
}

/// A runtime for the verbs that talk to the network.
pub(super) fn runtime() -> Result<tokio::runtime::Runtime, AppError> {
    crate::engine::runtime::new().map_err(|error| {
        let shown = ErrorText {
            what: "cannot start the runtime".to_owned(),
            causes: vec![error.to_string()],
            ..ErrorText::default()
        };
        AppError::new(
            ErrorKind::Failed,
            shown.advise("check the limits on threads and open files"),
        )
    })
}

/// Stops on Ctrl-C and SIGTERM: the first asks the cycle to end, the second ends the program.
pub(super) fn stop_on_signal() -> CancellationToken {
    let stop = CancellationToken::new();
    let asked = stop.clone();
    tokio::spawn(async move {
        signal().await;
        asked.cancel();
        signal().await;
        std::process::exit(130);
    });
    stop
}

async fn signal() {
    use tokio::signal::unix::SignalKind;
    let Ok(mut term) = tokio::signal::unix::signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = term.recv() => {}
    }
}

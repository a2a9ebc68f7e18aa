//! `run`: the daemon. Every enabled job on its schedule, until it is told to end.
//!
//! SIGTERM and SIGINT finish the requests in flight, record them, and end; a second one ends at once. SIGHUP
//! reads the settings again: good ones take effect after the cycles under way, bad ones are named and the old
//! ones stay. A credential file that changes does the same.

use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::signal::unix::SignalKind;
use tracing::error;
use tracing::info;

use super::args;
use super::args::Globals;
use super::exit::Exit;
use super::process;
use super::report::Report;
use super::supervisor;
use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::app::service;
use crate::app::service::OpenDoors;
use crate::app::service::Service;

/// Runs until it is stopped.
pub fn run(
    globals: &Globals,
    args: &args::Run,
    open_doors: OpenDoors,
    report: &Report,
) -> Result<Exit, AppError> {
    process::runtime()?.block_on(async {
        let mut hangup = hangup()?;
        let stop = process::stop_on_signal();
        let service = Arc::new(Service::prepare(&globals.config, args.take_back, stop.clone())?);
        let doors = open_doors(Arc::clone(&service), stop.clone())?;
        service.start();
        supervisor::ready(&service);
        let alive = tokio::spawn(supervisor::live(Arc::clone(&service), stop.clone()));
        let mut credentials = service::credentials_of(&service.site().settings());
        while !stop.is_cancelled() {
            tokio::select! {
                _ = hangup.recv() => reload(&service, report),
                () = tokio::time::sleep(CREDENTIALS_EVERY) => {
                    let now = service::credentials_of(&service.site().settings());
                    if now != std::mem::replace(&mut credentials, now.clone()) {
                        info!("A credential file changed: the settings are read again");
                        reload(&service, report);
                    }
                }
                () = stop.cancelled() => {}
            }
        }
        supervisor::stopping(service.longest_request());
        service.ended().await;
        // The doors stay open for what the last cycles have to answer; who does not read it is not waited for.
        let _ = tokio::time::timeout(LAST_ANSWERS, doors).await;
        alive.abort();
        info!("Stopped: nothing is in flight, everything done is recorded");
        Ok(Exit::Done)
    })
}

/// So long the last answers may take.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// How often the credential files are looked at: a look is a few `stat` calls, and who renews a credential waits for this.
const CREDENTIALS_EVERY: Duration = Duration::from_secs(10);

fn hangup() -> Result<Signal, AppError> {
    tokio::signal::unix::signal(SignalKind::hangup()).map_err(|cause| {
        let shown = ErrorText {
            what: "cannot listen for SIGHUP".to_owned(),
            causes: vec![cause.to_string()],
            ..ErrorText::default()
        };
        AppError::new(
            ErrorKind::Failed,
            shown.advise("check the limits on threads and open files"),
        )
    })
}

fn reload(service: &Service, report: &Report) {
    supervisor::reloading();
    match service.reload() {
        Ok(()) => {
            info!("The settings were read again; they take effect after the cycles under way");
            supervisor::ready(service);
        }
        Err(failure) => {
            error!("The new settings are refused; the daemon goes on with the old ones");
            report.complain(&failure);
            supervisor::refused(&failure.errors[0].what);
        }
    }
}

//! What systemd is told (`Type=notify`): ready, reloading, stopping, one line of status, and that the daemon is alive.
//!
//! Where no service manager asks for it (`NOTIFY_SOCKET`), nothing is sent. The watchdog's sign of life comes after a question
//! to the store: a daemon whose store hangs is restarted.

use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::app::service::Service;

/// Reports that the store, the socket and the doors are open.
pub(super) fn ready(service: &Service) {
    send(&[NotifyState::Ready, NotifyState::Status(&line(service))]);
}

/// Reports that the settings are read again: since systemd 253 a reload without the time of it fails.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => send(&[NotifyState::Reloading, now]),
        Err(error) => warn!("Cannot read the monotonic clock: {error}"),
    }
}

/// Reports that the settings were refused, and the old ones go on.
pub(super) fn refused(why: &str) {
    let why = why.lines().next().unwrap_or_default();
    send(&[
        NotifyState::Ready,
        NotifyState::Status(&format!("config refused: {why}")),
    ]);
}

/// Reports that the daemon ends, once it does, and asks for the time that the requests in flight may take.
pub(super) fn stopping(longest: Duration) {
    let micros = u32::try_from(longest.as_micros()).unwrap_or(u32::MAX);
    send(&[
        NotifyState::Stopping,
        NotifyState::Status("finishing the requests in flight"),
        NotifyState::ExtendTimeoutUsec(micros),
    ]);
}

/// Gives a sign of life at half of the time that the service manager waits for one, as long as the store answers.
pub(super) async fn live(service: Arc<Service>, stop: CancellationToken) {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return;
    };
    while !stop.is_cancelled() {
        let asked = Arc::clone(&service);
        let answered = tokio::task::spawn_blocking(move || asked.status(None).is_ok()).await;
        if answered.unwrap_or(false) {
            send(&[NotifyState::Watchdog, NotifyState::Status(&line(&service))]);
        }
        tokio::select! {
            () = tokio::time::sleep(limit / 2) => {}
            () = stop.cancelled() => {}
        }
    }
}

/// The jobs, by what they do.
fn line(service: &Service) -> String {
    let jobs = service.jobs();
    let of = |state: &str| jobs.iter().filter(|job| job.state == state).count();
    let counts = ["running", "idle", "broken", "off"].map(|state| (state, of(state)));
    let told = counts.iter().filter(|(_, count)| *count > 0);
    let told: Vec<String> = told.map(|(state, count)| format!("{count} {state}")).collect();
    format!("jobs: {}", told.join(", "))
}

fn send(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        warn!("Cannot tell the service manager: {error}");
    }
}

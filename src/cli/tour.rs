//! The tour of `demo`: the daemon between the two sample servers, its dashboard open at an address, and a tenant in which things
//! happen.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::exit::Exit;
use super::process;
use super::report::Report;
use crate::app::demo;
use crate::app::demo::Servers;
use crate::app::demo::tour::words;
use crate::app::error::AppError;
use crate::app::service::OpenDoors;
use crate::app::service::Service;

/// How often something happens in the tenant.
const PAUSE: Duration = Duration::from_secs(5);

/// So long the last answers may take.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// Runs the daemon until it is stopped.
pub(super) async fn run(
    servers: &Servers,
    (state, listen): (&Path, Option<SocketAddr>),
    open_doors: OpenDoors,
    report: &Report,
) -> Result<Exit, AppError> {
    let folder = tempfile::tempdir().map_err(|error| demo::folder_failure(&error))?;
    let tour = demo::tour(servers, folder.path(), state, address(listen)?)?;
    let stop = process::stop_on_signal();
    let service = Arc::new(Service::prepare(&tour.config, false, stop.clone())?);
    let doors = open_doors(Arc::clone(&service), stop.clone())?;
    service.show_tour();
    service.start();
    report.note(&format!(
        "\nThe dashboard, by a link that is good once: {}\n\n{}\nThe same stands on its page \"What to try\". Ctrl-C ends the demo.",
        link(&service, &tour.token),
        words()
    ));
    for step in 0.. {
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = stop.cancelled() => break,
        }
        demo::happen(servers, step);
    }
    service.ended().await;
    let _ = tokio::time::timeout(LAST_ANSWERS, doors).await;
    Ok(Exit::Done)
}

/// The address that was asked for; else the usual one of the dashboard, or a free port where that is taken.
fn address(wanted: Option<SocketAddr>) -> Result<SocketAddr, AppError> {
    use std::net::TcpListener;
    let usual = SocketAddr::from(([127, 0, 0, 1], 8465));
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = match wanted {
        Some(wanted) => TcpListener::bind(wanted),
        None => TcpListener::bind(usual).or_else(|_| TcpListener::bind(any)),
    };
    let address = listener.and_then(|listener| listener.local_addr());
    address.map_err(|error| match wanted {
        Some(wanted) => AppError::usage(
            format!("the dashboard cannot listen on {wanted}: {error}"),
            "give --listen another address, or leave it out",
        ),
        None => demo::folder_failure(&error),
    })
}

/// What is behind the `#` is sent to no server and stands in no log: the page posts it to the login.
fn link(service: &Service, token: &str) -> String {
    let access = service.access();
    let address = access.listen.map(|listen| listen.to_string()).unwrap_or_default();
    let code = access
        .proof(token.as_bytes())
        .map(|proof| service.sessions().invite(proof));
    format!("http://{address}/#{}", code.unwrap_or_default())
}

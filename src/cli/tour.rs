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
use crate::app::error::AppError;
use crate::app::service::OpenDoors;
use crate::app::service::Service;

/// How often something happens in the tenant.
const PAUSE: Duration = Duration::from_secs(5);

/// So long the last answers may take.
const LAST_ANSWERS: Duration = Duration::from_secs(5);

/// What to try, with the link in front of it.
const WHAT_TO_TRY: &str = "\
In the first minute people join, move and leave, somebody edits three users at the target by hand, the target refuses one record,
and then a script disables a tenth of everybody at once. Try:
  1. Overview: what needs somebody, in one word and one sentence.
  2. Withheld: the mass disable was held back. Choose some, release one, reject another.
  3. Drift: the three who were edited by hand, with what healing would write.
  4. Escrow: the record that the target refuses, and what to do.
  5. People and groups: search somebody; the first sentence says why they are at the target, or why not.
  6. The way back, every ten seconds: two people enrol a key and join the group \"Key holders\" in Entra; a mobile number edited in the
     workspace arrives in Entra once; a key is given back while the listing of keys is short, and nobody leaves before it is whole
     (about a minute and a half later). Timeline has each of them, and People says it of one.
  7. Timeline: what happened, newest first; `Sync now` and watch the cycle.
The tenant goes on changing; Ctrl-C ends the demo.";

/// Runs the daemon until it is stopped.
pub(super) async fn run(
    servers: &Servers,
    state: &Path,
    open_doors: OpenDoors,
    report: &Report,
) -> Result<Exit, AppError> {
    let folder = tempfile::tempdir().map_err(|error| demo::folder_failure(&error))?;
    let tour = demo::tour(servers, folder.path(), state, address()?)?;
    let stop = process::stop_on_signal();
    let service = Arc::new(Service::prepare(&tour.config, false, stop.clone())?);
    let doors = open_doors(Arc::clone(&service), stop.clone())?;
    service.start();
    report.note(&format!(
        "\nThe dashboard, by a link that is good once: {}\n\n{WHAT_TO_TRY}",
        link(&service, &tour.token)
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

/// The usual address of the dashboard, or a free port where that is taken.
fn address() -> Result<SocketAddr, AppError> {
    let usual = SocketAddr::from(([127, 0, 0, 1], 8465));
    let any = SocketAddr::from(([127, 0, 0, 1], 0));
    let listener = std::net::TcpListener::bind(usual).or_else(|_| std::net::TcpListener::bind(any));
    let address = listener.and_then(|listener| listener.local_addr());
    address.map_err(|error| demo::folder_failure(&error))
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

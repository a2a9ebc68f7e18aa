//! The yardstick of `benches/cycle.py`: sends the requests of an initial cycle with a bare hyper client, and does nothing
//! else: the pages of the source one after the other, then the recorded SCIM requests.
//!
//! usage: `bare_client ADDR TOKEN FILE [SOURCE_ADDR SOURCE_TOKEN FIRST_PAGE...]`. Each line of FILE is
//! `wave TAB path TAB source id TAB body`; without a body it is a GET. The waves are sent one after the other, each over
//! 16 connections, or as many as the environment's `IN_FLIGHT` says; `@@source id@@` in a body stands for the id that the target gave to an earlier request. Of a page of
//! the source only its nextLink is read. It prints the wall time of the requests in milliseconds, and how many pages there were.
#![allow(clippy::disallowed_methods)] // it measures, and replays nothing that depends on time
#![allow(clippy::print_stdout)] // its result is its output

mod requests;

use std::sync::Arc;
use std::sync::RwLock;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Instant;

use http_body_util::BodyExt;
use http_body_util::Full;
use hyper::Request;
use hyper::body::Bytes;
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;

use requests::Failure;
use requests::Ids;
use requests::Line;

/// As many as `benches/cycle.py` lets melonsync keep in flight.
const CONNECTIONS: usize = 16;

type SharedIds = Arc<RwLock<Ids>>;

#[derive(Deserialize)]
struct Created {
    id: String,
}

#[derive(Deserialize)]
struct Page {
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [addr, token, file, source @ ..] = arguments.as_slice() else {
        return Err("usage: bare_client ADDR TOKEN FILE [SOURCE_ADDR SOURCE_TOKEN FIRST_PAGE...]".into());
    };
    let waves = requests::read(file)?;
    let ids = SharedIds::default();
    let in_flight = match std::env::var("IN_FLIGHT") {
        Ok(asked) => asked.parse()?,
        Err(_) => CONNECTIONS,
    };
    let mut connections = Vec::with_capacity(in_flight);
    let began = Instant::now();
    let pages = match source {
        [addr, token, first_pages @ ..] => read_pages(addr, token, first_pages).await?,
        _ => 0,
    };
    for _ in 0..in_flight {
        connections.push(connect(addr).await?);
    }
    for wave in waves {
        connections = send_wave(wave, connections, addr, token, &ids).await?;
    }
    println!("{} {pages}", began.elapsed().as_millis());
    Ok(())
}

/// Reads these streams to their ends; how many pages they have.
async fn read_pages(addr: &str, token: &str, first_pages: &[String]) -> Result<usize, Failure> {
    let mut connection = connect(addr).await?;
    let mut pages = 0;
    for first in first_pages {
        let mut next = Some(first.clone());
        while let Some(path) = next {
            let request = Request::get(&path)
                .header("host", addr)
                .header("authorization", format!("Bearer {token}"))
                .header("accept", "application/json")
                .body(Full::default())?;
            let (status, body) = exchange(&mut connection, request).await?;
            if status != 200 {
                return Err(format!("GET {path} answered {status}").into());
            }
            pages += 1;
            let page: Page = serde_json::from_slice(&body)?;
            next = page.next.map(|link| path_of(&link)).transpose()?;
        }
    }
    Ok(pages)
}

/// Path and query of a link.
fn path_of(link: &str) -> Result<String, Failure> {
    let uri: hyper::Uri = link.parse()?;
    Ok(uri.path_and_query().ok_or("a link without a path")?.to_string())
}

async fn exchange(
    connection: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<(u16, Bytes), Failure> {
    connection.ready().await?;
    let answer = connection.send_request(request).await?;
    let status = answer.status().as_u16();
    Ok((status, answer.into_body().collect().await?.to_bytes()))
}

async fn connect(addr: &str) -> Result<SendRequest<Full<Bytes>>, Failure> {
    let stream = TcpStream::connect(addr).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

async fn send_wave(
    wave: Vec<Line>,
    connections: Vec<SendRequest<Full<Bytes>>>,
    addr: &str,
    token: &str,
    ids: &SharedIds,
) -> Result<Vec<SendRequest<Full<Bytes>>>, Failure> {
    let wave = Arc::new(wave);
    let next = Arc::new(AtomicUsize::new(0));
    let mut workers = Vec::with_capacity(connections.len());
    for mut connection in connections {
        let (wave, next, ids) = (wave.clone(), next.clone(), ids.clone());
        let (addr, bearer) = (addr.to_owned(), format!("Bearer {token}"));
        workers.push(tokio::spawn(async move {
            while let Some(line) = wave.get(next.fetch_add(1, Ordering::Relaxed)) {
                send(&mut connection, line, &addr, &bearer, &ids).await?;
            }
            Ok::<_, Failure>(connection)
        }));
    }
    let mut back = Vec::with_capacity(workers.len());
    for worker in workers {
        back.push(worker.await??);
    }
    Ok(back)
}

async fn send(
    connection: &mut SendRequest<Full<Bytes>>,
    line: &Line,
    addr: &str,
    bearer: &str,
    ids: &SharedIds,
) -> Result<(), Failure> {
    let creates = line.creates();
    let request = if creates {
        Request::post(&line.path)
    } else {
        Request::get(&line.path)
    };
    let body = line.body(&*ids.read().map_err(|_| "another request failed")?)?;
    let request = request
        .header("host", addr)
        .header("authorization", bearer)
        .header("content-type", "application/scim+json")
        .header("accept", "application/scim+json")
        .body(Full::new(Bytes::from(body)))?;
    let (status, body) = exchange(connection, request).await?;
    if status != if creates { 201 } else { 200 } {
        return Err(format!(
            "{} answered {status}: {}",
            line.path,
            String::from_utf8_lossy(&body)
        )
        .into());
    }
    if !creates {
        return Ok(());
    }
    let created: Created = serde_json::from_slice(&body)?;
    let mut ids = ids.write().map_err(|_| "another request failed")?;
    ids.insert(line.source.clone(), created.id);
    Ok(())
}

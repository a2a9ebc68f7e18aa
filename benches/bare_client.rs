//! The yardstick of `benches/cycle.py`: sends recorded SCIM requests with a bare hyper client, and does nothing else.
//!
//! usage: `bare_client ADDR TOKEN FILE`. Each line of FILE is `wave TAB path TAB source id TAB body`. The waves are sent
//! one after the other, each over 16 connections; `@@source id@@` in a body stands for the id that the target gave to
//! an earlier request. It prints the wall time of the requests in milliseconds.
#![allow(clippy::disallowed_methods)] // it measures, and replays nothing that depends on time
#![allow(clippy::print_stdout)] // its result is its output

use std::collections::HashMap;
use std::error::Error;
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

/// As many as melonsync keeps in flight by default.
const CONNECTIONS: usize = 16;

type Failure = Box<dyn Error + Send + Sync>;
type Ids = Arc<RwLock<HashMap<String, String>>>;

struct Line {
    wave: usize,
    path: String,
    source: String,
    body: String,
}

#[derive(Deserialize)]
struct Created {
    id: String,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let (Some(addr), Some(token), Some(file)) = (arguments.next(), arguments.next(), arguments.next()) else {
        return Err("usage: bare_client ADDR TOKEN FILE".into());
    };
    let mut waves: Vec<Vec<Line>> = Vec::new();
    for line in std::fs::read_to_string(file)?.lines().filter_map(parse) {
        while waves.len() <= line.wave {
            waves.push(Vec::new());
        }
        waves[line.wave].push(line);
    }
    let ids = Ids::default();
    let mut connections = Vec::with_capacity(CONNECTIONS);
    let began = Instant::now();
    for _ in 0..CONNECTIONS {
        connections.push(connect(&addr).await?);
    }
    for wave in waves {
        connections = send_wave(wave, connections, &addr, &token, &ids).await?;
    }
    println!("{}", began.elapsed().as_millis());
    Ok(())
}

fn parse(line: &str) -> Option<Line> {
    let mut parts = line.splitn(4, '\t');
    Some(Line {
        wave: parts.next()?.parse().ok()?,
        path: parts.next()?.to_owned(),
        source: parts.next()?.to_owned(),
        body: parts.next()?.to_owned(),
    })
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
    ids: &Ids,
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
    ids: &Ids,
) -> Result<(), Failure> {
    let body = fill_in(&line.body, ids)?;
    let request = Request::post(&line.path)
        .header("host", addr)
        .header("authorization", bearer)
        .header("content-type", "application/scim+json")
        .header("accept", "application/scim+json")
        .body(Full::new(Bytes::from(body)))?;
    connection.ready().await?;
    let answer = connection.send_request(request).await?;
    let status = answer.status();
    let body = answer.into_body().collect().await?.to_bytes();
    if status != 201 {
        return Err(format!(
            "POST {} answered {status}: {}",
            line.path,
            String::from_utf8_lossy(&body)
        )
        .into());
    }
    let created: Created = serde_json::from_slice(&body)?;
    let mut ids = ids.write().map_err(|_| "another request failed")?;
    ids.insert(line.source.clone(), created.id);
    Ok(())
}

fn fill_in(body: &str, ids: &Ids) -> Result<String, Failure> {
    let mut filled = String::with_capacity(body.len());
    let ids = ids.read().map_err(|_| "another request failed")?;
    for (turn, part) in body.split("@@").enumerate() {
        if turn % 2 == 0 {
            filled.push_str(part);
        } else {
            filled.push_str(
                ids.get(part)
                    .ok_or("a body refers to an object of a later wave")?,
            );
        }
    }
    Ok(filled)
}

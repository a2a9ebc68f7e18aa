//! A floor for `benches/cycle.py`: the requests of an initial cycle through the libraries that melonsync is to be made of,
//! and no decision. reqwest sends them, `serde_json` reads the answers, sled holds each object as it was read, and again as it
//! was sent. There is no mapping, no plan, no intent, no history and no retry in it.
//!
//! usage: `named_libraries STORE ADDR TOKEN FILE SOURCE_ADDR SOURCE_TOKEN FIRST_PAGE...`; FILE is that of `bare_client`.
//! `STORE` is a folder for sled. It prints the wall time in milliseconds, and how many pages there were.
#![allow(clippy::disallowed_methods)] // it measures, and replays nothing that depends on time
#![allow(clippy::print_stdout)] // its result is its output

mod requests;

use std::time::Instant;

use futures::StreamExt;
use futures::stream;
use reqwest::Client;
use reqwest::RequestBuilder;
use serde_json::Value;

use requests::Failure;
use requests::Ids;
use requests::Line;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// As many requests as melonsync keeps in flight by default.
const IN_FLIGHT: usize = 16;

/// As many results as melonsync records in one transaction.
const RECORDED_TOGETHER: usize = 250;

/// Keys and values to be written.
type Entries = Vec<(Vec<u8>, Vec<u8>)>;

/// The objects, each under its id.
struct Store(sled::Db);

impl Store {
    fn open(folder: &str) -> Result<Self, Failure> {
        let config = sled::Config::new().path(folder).cache_capacity(24 << 20);
        Ok(Self(config.open()?))
    }

    fn write(&self, objects: Entries) -> Result<(), Failure> {
        let mut batch = sled::Batch::default();
        for (key, value) in objects {
            batch.insert(key, value);
        }
        self.0.apply_batch(batch)?;
        self.0.flush()?;
        Ok(())
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [
        folder,
        addr,
        token,
        file,
        source_addr,
        source_token,
        first_pages @ ..,
    ] = arguments.as_slice()
    else {
        return Err(
            "usage: named_libraries STORE ADDR TOKEN FILE SOURCE_ADDR SOURCE_TOKEN FIRST_PAGE...".into(),
        );
    };
    let waves = requests::read(file)?;
    // No roots: all is plain HTTP here, and reading them takes its time.
    let builder = Client::builder().tls_built_in_native_certs(false);
    let client = builder.tls_built_in_webpki_certs(false).build()?;
    let began = Instant::now();
    let store = Store::open(folder)?;
    let mut pages = 0;
    for first in first_pages {
        let mut next = Some(format!("http://{source_addr}{first}"));
        while let Some(url) = next {
            let page = exchange(client.get(url).bearer_auth(source_token)).await?;
            next = page["@odata.nextLink"].as_str().map(str::to_owned);
            store.write(objects(&page)?)?;
            pages += 1;
        }
    }
    let mut ids = Ids::new();
    for wave in &waves {
        let requests = wave
            .iter()
            .map(|line| Ok((line, request(&client, line, addr, token, &ids)?)));
        let requests = requests.collect::<Result<Vec<_>, Failure>>()?;
        let mut answers = stream::iter(requests)
            .map(|(line, request)| async move { (line, exchange(request).await) })
            .buffer_unordered(IN_FLIGHT)
            .chunks(RECORDED_TOGETHER);
        while let Some(answers) = answers.next().await {
            store.write(created(answers, &mut ids)?)?;
        }
    }
    println!("{} {pages}", began.elapsed().as_millis());
    Ok(())
}

async fn exchange(request: RequestBuilder) -> Result<Value, Failure> {
    let answer = request.send().await?.error_for_status()?;
    Ok(serde_json::from_slice(&answer.bytes().await?)?)
}

/// The objects of a page, as they are written.
fn objects(page: &Value) -> Result<Entries, Failure> {
    let objects = page["value"].as_array().into_iter().flatten();
    objects
        .map(|object| {
            let id = object["id"].as_str().unwrap_or_default();
            Ok((key_of(id), serde_json::to_vec(object)?))
        })
        .collect()
}

/// Sixteen bytes, as melonsync has them.
fn key_of(id: &str) -> Vec<u8> {
    uuid::Uuid::try_parse(id).map_or_else(|_| id.into(), |id| id.as_bytes().to_vec())
}

fn request(
    client: &Client,
    line: &Line,
    addr: &str,
    token: &str,
    ids: &Ids,
) -> Result<RequestBuilder, Failure> {
    let url = format!("http://{addr}{}", line.path);
    if !line.creates() {
        return Ok(client.get(url).bearer_auth(token));
    }
    let post = client.post(url).bearer_auth(token);
    Ok(post
        .header("content-type", "application/scim+json")
        .body(line.body(ids)?))
}

/// What these answers created, as it is written: the resource's id and what was sent.
fn created(answers: Vec<(&Line, Result<Value, Failure>)>, ids: &mut Ids) -> Result<Entries, Failure> {
    let mut written = Vec::with_capacity(answers.len());
    for (line, answer) in answers {
        let answer = answer?;
        if line.creates() {
            let id = answer["id"].as_str().ok_or("a resource without an id")?;
            written.push((key_of(&line.source), [id, &line.body(ids)?].concat().into_bytes()));
            ids.insert(line.source.clone(), id.to_owned());
        }
    }
    Ok(written)
}

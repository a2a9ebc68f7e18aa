//! Asks for objects by id, in `$batch` (docs/design/graph.md, "Batching"): the proof that an object is gone
//! (docs/design/evidence.md). A 404 for the object and a 404 among the deleted items, each in Graph's own form, is the
//! only proof of a permanent deletion; after any other answer the life is unknown, and the answer is reported.

use std::{collections::BTreeMap, mem, time::Duration};

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::{Value as Json, json};
use tokio::sync::Mutex;
use url::form_urlencoded::byte_serialize;

use super::{
    batch::{Answered, Answers, BATCH, Inner},
    client::{Ask, GraphClient},
    convert::{self, JsonValue},
    fault,
};
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::object::Existence;
use crate::ports::SourceError;
use crate::transport::Attempt;
use crate::transport::off_thread;
use crate::transport::retry;

/// The most batches under way at a time: their inner requests count against the same quota
/// (docs/design/graph.md, "Batching").
const AT_ONCE: usize = 4;

/// The two questions, in this order.
#[derive(Clone, Copy)]
enum Question {
    Lives,
    Deleted,
}

/// The meaning of one inner answer.
enum Reply {
    Found(Json),
    NotFound,
    Again { after: Option<Duration>, shown: String },
    Other(String),
}

/// Returns one entry for each distinct id.
pub(super) async fn look_up(
    client: &GraphClient,
    kind: ObjectKind,
    ids: &[SourceId],
    select: &[String],
) -> Result<Vec<(SourceId, Existence)>, SourceError> {
    let mut distinct = ids.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    let batches: Vec<Vec<SourceId>> = distinct.chunks(BATCH).map(<[_]>::to_vec).collect();
    let answers = stream::iter(batches)
        .map(|batch| about(client, kind, batch, select))
        .buffer_unordered(AT_ONCE);
    answers.try_concat().await
}

/// Asks for up to twenty objects: whether they live, and if not, whether they are among the deleted items.
async fn about(
    client: &GraphClient,
    kind: ObjectKind,
    ids: Vec<SourceId>,
    select: &[String],
) -> Result<Vec<(SourceId, Existence)>, SourceError> {
    let (mut known, mut not_found) = (Vec::with_capacity(ids.len()), Vec::new());
    for (id, reply) in ask(client, kind, ids, Question::Lives, select).await? {
        match reply {
            Reply::Found(body) => known.push((id, alive(body, select))),
            Reply::NotFound => not_found.push(id),
            Reply::Again { shown, .. } | Reply::Other(shown) => known.push((id, Existence::Unknown(shown))),
        }
    }
    for (id, reply) in ask(client, kind, not_found, Question::Deleted, select).await? {
        let existence = match reply {
            Reply::Found(_) => Existence::SoftDeleted,
            Reply::NotFound => Existence::HardDeleted,
            Reply::Again { shown, .. } | Reply::Other(shown) => Existence::Unknown(format!(
                "not found, but the look-up among the deleted items failed: {shown}"
            )),
        };
        known.push((id, existence));
    }
    Ok(known)
}

/// Asks one question about these objects; those throttled inside the batch are asked again, alone, within the budget.
async fn ask(
    client: &GraphClient,
    kind: ObjectKind,
    ids: Vec<SourceId>,
    question: Question,
    select: &[String],
) -> Result<Vec<(SourceId, Reply)>, SourceError> {
    let (open, done) = (Mutex::new(ids), Mutex::new(Vec::new()));
    let round = |_| async {
        let mut open = open.lock().await;
        if open.is_empty() {
            return Attempt::Done(());
        }
        let replies = match one_batch(client, kind, &open, question, select).await {
            Ok(replies) => replies,
            Err(error) => return Attempt::Fail(Some(error)),
        };
        let (again, settled): (Vec<_>, Vec<_>) = replies
            .into_iter()
            .partition(|(_, reply)| matches!(reply, Reply::Again { .. }));
        let mut done = done.lock().await;
        done.retain(|(_, reply)| !matches!(reply, Reply::Again { .. }));
        done.extend(settled);
        open.clear();
        let mut longest = None;
        for (id, reply) in again {
            if let Reply::Again { after, .. } = &reply {
                longest = longest.max(*after);
                client.traffic().throttled();
            }
            open.push(id);
            done.push((id, reply));
        }
        if open.is_empty() {
            Attempt::Done(())
        } else {
            Attempt::Again {
                after: longest,
                error: None,
            }
        }
    };
    match retry(client.retry_policy(), client.traffic(), round).await {
        // Out of time is not a failure of the batch: those still throttled are unknown, one by one.
        Ok(()) | Err(None) => Ok(mem::take(&mut *done.lock().await)),
        Err(Some(error)) => Err(error),
    }
}

/// Sends one batch and gives each id its reply, also those that the answer left out or named twice.
async fn one_batch(
    client: &GraphClient,
    kind: ObjectKind,
    ids: &[SourceId],
    question: Question,
    select: &[String],
) -> Result<Vec<(SourceId, Reply)>, SourceError> {
    let requests: Vec<Json> = (1..)
        .zip(ids)
        .map(|(number, id)| {
            json!({"id": number.to_string(), "method": "GET", "url": url(kind, *id, question, select)})
        })
        .collect();
    let answer = client
        .ask(&Ask::Batch {
            kind,
            body: &json!({ "requests": requests }),
        })
        .await?;
    let body = answer.body.clone();
    let answers = off_thread(body.len(), move || Answers::read(&body)).await;
    let mut answers = answers.ok_or_else(|| SourceError::Malformed {
        what: "POST /$batch -> an answer without usable `responses`; nothing of it was used".into(),
        hint: "check `graph_url` and `proxy`; the next cycle asks again".to_owned(),
    })?;
    let reply = |(number, id): (usize, &SourceId)| {
        let reply = match answers.take(number) {
            Answered::Once(inner) => read(client, *id, inner),
            Answered::Twice => Reply::Other("answered twice in one batch".to_owned()),
            Answered::Never => Reply::Other("no answer in the batch".to_owned()),
        };
        (*id, reply)
    };
    Ok((1..).zip(ids).map(reply).collect())
}

/// Builds the inner URL. References cannot be selected here (they would need `$expand`); the delta stream brings them.
fn url(kind: ObjectKind, id: SourceId, question: Question, select: &[String]) -> String {
    match (question, kind) {
        (Question::Deleted, _) => format!("/directory/deletedItems/{id}?$select=id"),
        (Question::Lives, kind) => {
            let names = select
                .iter()
                .filter(|name| !convert::is_reference(name) && *name != "id");
            let names = names.map(|name| byte_serialize(name.as_bytes()).collect::<String>());
            let select: Vec<String> = std::iter::once("id".to_owned()).chain(names).collect();
            format!("/{kind}s/{id}?$select={}", select.join(","))
        }
    }
}

fn read(client: &GraphClient, id: SourceId, inner: Inner) -> Reply {
    let codes = fault::codes_of(&inner.body);
    let not_found = || {
        codes
            .first()
            .is_some_and(|code| code.to_ascii_lowercase().ends_with("notfound"))
    };
    match inner.status {
        200 if names(&inner.body, id) => Reply::Found(inner.body),
        200 => Reply::Other("200 without the object that was asked for".to_owned()),
        404 if not_found() && speaks_of_others(&inner.body, id) => {
            Reply::Other("404 about another object than was asked for".to_owned())
        }
        404 if not_found() => Reply::NotFound,
        status => {
            let shown = format!("{status} {}", fault::shortened(&codes.join("/")))
                .trim()
                .to_owned();
            match status {
                429 | 500 | 502 | 503 | 504 => Reply::Again {
                    after: inner.retry_after(client.clock().now()),
                    shown,
                },
                _ => Reply::Other(shown),
            }
        }
    }
}

/// Returns whether a body is about this object: a proof about another one proves nothing.
fn names(body: &Json, id: SourceId) -> bool {
    body.get("id")
        .and_then(Json::as_str)
        .and_then(|text| text.parse().ok())
        == Some(id)
}

/// Returns whether a refusal names objects, but not this one: Graph writes the id that it did not find into its
/// message. That another object is gone proves nothing.
fn speaks_of_others(body: &Json, id: SourceId) -> bool {
    let message = body
        .pointer("/error/message")
        .and_then(Json::as_str)
        .unwrap_or_default();
    let words = message.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    let mut named = words.filter_map(|word| word.parse::<SourceId>().ok()).peekable();
    named.peek().is_some() && named.all(|named| named != id)
}

fn alive(body: Json, select: &[String]) -> Existence {
    match serde_json::from_value::<BTreeMap<String, JsonValue>>(body) {
        Ok(read) => Existence::Alive(convert::selected(read, select)),
        Err(_) => Existence::Unknown("200 with an unreadable object".to_owned()),
    }
}

//! `$batch`: up to twenty requests in one, each with an answer of its own (docs/design/graph.md, "Batching").

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::Value as Json;

use crate::model::clock::Timestamp;
use crate::transport::retry_after;

/// Graph's limit of requests in one batch.
pub(super) const BATCH: usize = 20;

#[derive(Deserialize)]
struct Batch {
    responses: Vec<Inner>,
}

/// One answer of a batch; the body stays JSON, because most are small errors.
#[derive(Debug, Deserialize)]
pub(super) struct Inner {
    id: String,
    pub(super) status: u16,
    #[serde(default)]
    pub(super) headers: Option<BTreeMap<String, Json>>,
    #[serde(default)]
    pub(super) body: Json,
}

/// The answer to one request of a batch.
pub(super) enum Answered {
    Once(Inner),
    /// Answered twice: neither is believed.
    Twice,
    Never,
}

/// The answers of a batch, by the number of their request.
pub(super) struct Answers(HashMap<String, Vec<Inner>>);

impl Answers {
    /// Reads the body of an answer to `$batch`; `None` where it is none.
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        let batch: Batch = serde_json::from_slice(body).ok()?;
        let mut by_number: HashMap<String, Vec<Inner>> = HashMap::new();
        for inner in batch.responses {
            by_number.entry(inner.id.clone()).or_default().push(inner);
        }
        Some(Self(by_number))
    }

    /// Takes the answer to the request of this number.
    pub(super) fn take(&mut self, number: usize) -> Answered {
        let mut answers = self.0.remove(&number.to_string()).unwrap_or_default();
        match (answers.pop(), answers.is_empty()) {
            (Some(inner), true) => Answered::Once(inner),
            (Some(_), false) => Answered::Twice,
            (None, _) => Answered::Never,
        }
    }
}

impl Inner {
    /// Returns the wait that this answer asks for.
    pub(super) fn retry_after(&self, now: Timestamp) -> Option<Duration> {
        let headers = self.headers.as_ref()?;
        let (_, value) = headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("retry-after"))?;
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        retry_after::parse(&text, now)
    }
}

//! `notify test`: a sample to every receiver, now, with what became of it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use super::receivers;
use crate::app::error::AppError;
use crate::app::words::Words;
use crate::engine::error::chain;
use crate::model::clock::Clock;
use crate::model::clock::SystemClock;
use crate::model::condition::Condition;
use crate::notify::message::Message;
use crate::notify::message::Turn;
use crate::settings::Settings;

/// A request for samples: it takes nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SampleRequest {}

/// What became of the samples.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tested {
    /// Each receiver, in the order of the settings.
    pub receivers: Vec<Tried>,
}

/// What became of one sample.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tried {
    /// Why it failed.
    pub error: Option<String>,
    /// What to do.
    pub hint: Option<String>,
    /// True where the receiver took it.
    pub ok: bool,
    /// The receiver, without its address.
    pub receiver: String,
}

impl Tested {
    /// True where every receiver took its sample.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.receivers.iter().all(|tried| tried.ok)
    }
}

impl Words for Tested {
    fn words(&self) -> String {
        let mut words = String::new();
        for tried in &self.receivers {
            let end = match (&tried.error, &tried.hint) {
                (Some(error), Some(hint)) => format!("{error}; {hint}"),
                (Some(error), None) => error.clone(),
                _ => "took it: now look whether it arrived (a webhook may fail later)".to_owned(),
            };
            let kind = if tried.ok { "ok  " } else { "fail" };
            let _ = writeln!(words, "{kind}  {}: {end}", tried.receiver);
        }
        words.trim_end().to_owned()
    }
}

/// Sends a sample to every receiver, one after the other.
///
/// # Errors
/// A usage error where there is no receiver, or one cannot be used.
pub async fn test(settings: &Settings) -> Result<Tested, AppError> {
    let ready = receivers::ready(settings)?;
    if ready.is_empty() {
        return Err(AppError::usage(
            "no receiver of notifications is configured",
            "add a [[notify]] block with `url` or `command`; docs/operations/notifications.md shows them",
        ));
    }
    let job = settings.jobs.keys().next().cloned().unwrap_or_default();
    let message = Message {
        condition: Condition::Withheld,
        job,
        turn: Turn::Begin,
        since: SystemClock.now(),
        counts: BTreeMap::from([("sample".to_owned(), 1)]),
        link: None,
        sample: true,
    };
    let mut receivers = Vec::new();
    for one in ready {
        let failed = one.way.deliver(&message, &SystemClock).await.err();
        receivers.push(Tried {
            error: failed.as_ref().map(|failed| chain(failed)),
            hint: failed.as_ref().map(|failed| failed.hint().to_owned()),
            ok: failed.is_none(),
            receiver: one.label,
        });
    }
    Ok(Tested { receivers })
}

//! Writes off and on. Reading and planning go on.

use std::time::Duration;

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::desk::Decision;
use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::app::views::pause::PauseView;
use crate::model::clock::Timestamp;
use crate::snapshot::kept_back::KeptBackReads;
use crate::snapshot::kept_back::Pause;
use crate::snapshot::state::{RESTORED, StateReads};

/// How a job is to be paused.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Pausing {
    /// Only removals wait.
    pub removals_only: bool,
    /// It ends by itself after this; in seconds.
    #[serde(with = "seconds")]
    #[schema(value_type = Option<u64>, format = "uint64")]
    pub lasts: Option<Duration>,
    /// Why.
    pub comment: Option<String>,
}

/// A job that was paused.
#[derive(Debug, Serialize, ToSchema)]
pub struct Paused {
    /// `pause`.
    #[schema(value_type = String)]
    pub action: &'static str,
    /// The job.
    pub job: String,
    /// True where only removals wait.
    pub removals_only: bool,
    /// The pause that was there before.
    pub replaces: Option<PauseView>,
    /// When it ends by itself.
    #[serde(serialize_with = "crate::app::views::text_or_null")]
    #[schema(value_type = Option<String>)]
    pub until: Option<Timestamp>,
    /// What was decided, in words.
    #[serde(skip)]
    pub what: String,
}

/// A job that was resumed.
#[derive(Debug, Serialize, ToSchema)]
pub struct Resumed {
    /// `resume`.
    #[schema(value_type = String)]
    pub action: &'static str,
    /// The job.
    pub job: String,
    /// True where it was paused.
    pub was_paused: bool,
    /// True where its removals waited since a restore; absent where nothing was to be resumed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was_restored: Option<bool>,
    /// What was decided, in words.
    #[serde(skip)]
    pub what: &'static str,
}

/// Switches writes off.
pub fn pause(desk: &Desk, wanted: &Pausing) -> Result<Paused, AppError> {
    let pause = Pause {
        removals_only: wanted.removals_only,
        until: wanted.lasts.map(|lasts| desk.now.plus(lasts)),
        since: desk.now,
        actor: desk.actor.to_string(),
        comment: wanted.comment.clone(),
    };
    let what = if wanted.removals_only {
        "removals are paused"
    } else {
        "paused"
    };
    let until = pause
        .until
        .map_or_else(String::new, |until| format!(" until {until}"));
    desk.decide(|tx| {
        let replaces = tx.pause_at(desk.now)?.map(PauseView::from);
        let before = replaces
            .as_ref()
            .map_or_else(String::new, |before| format!(", in place of {}", before.words()));
        let what = format!("{what}{until}{before}");
        tx.put_pause(Some(&pause));
        let paused = Paused {
            action: "pause",
            job: desk.job.clone(),
            removals_only: pause.removals_only,
            replaces,
            until: pause.until,
            what: what.clone(),
        };
        Ok((vec![of_job("pause", what, wanted.comment.clone())], paused))
    })
}

/// Switches writes on. After a restore, removals go again too.
pub fn resume(desk: &Desk, comment: Option<String>) -> Result<Resumed, AppError> {
    desk.decide(|tx| {
        let was_paused = tx.pause_at(desk.now)?.is_some();
        let was_restored = tx.has_state(&RESTORED)?;
        let (what, is_any) = match (was_paused, was_restored) {
            (false, false) => ("not paused", false),
            (true, false) => ("resumed", true),
            (_, true) => ("resumed; removals after the restore go again", true),
        };
        let resumed = Resumed {
            action: "resume",
            job: desk.job.clone(),
            was_paused,
            was_restored: is_any.then_some(was_restored),
            what,
        };
        if !is_any {
            return Ok((Vec::new(), resumed));
        }
        tx.put_pause(None);
        tx.delete_state(&RESTORED);
        Ok((vec![of_job("resume", what.to_owned(), comment)], resumed))
    })
}

fn of_job(verb: &'static str, reason: String, comment: Option<String>) -> Decision {
    Decision {
        verb,
        object: None,
        reason,
        comment,
    }
}

/// A span of time in whole seconds.
mod seconds {
    use std::time::Duration;

    use serde::Deserialize;
    use serde::Deserializer;
    use serde::Serialize;
    use serde::Serializer;

    pub(super) fn serialize<S: Serializer>(
        span: &Option<Duration>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        span.map(|span| span.as_secs()).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(from)?.map(Duration::from_secs))
    }
}

//! A job's pause, as it is shown.

use serde::Serialize;
use utoipa::ToSchema;

use crate::model::clock::Timestamp;
use crate::model::shown::shown;
use crate::snapshot::kept_back::Pause;

/// A pause that holds, or held.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PauseView {
    /// Who paused the job.
    pub actor: String,
    /// What they said.
    pub comment: Option<String>,
    /// True where only removals wait.
    pub removals_only: bool,
    /// Since when.
    #[serde(serialize_with = "super::text")]
    #[schema(value_type = String)]
    pub since: Timestamp,
    /// When it ends by itself.
    #[serde(serialize_with = "super::text_or_null")]
    #[schema(value_type = Option<String>)]
    pub until: Option<Timestamp>,
}

impl From<Pause> for PauseView {
    fn from(pause: Pause) -> Self {
        Self {
            actor: pause.actor,
            comment: pause.comment,
            removals_only: pause.removals_only,
            since: pause.since,
            until: pause.until,
        }
    }
}

impl PauseView {
    /// In words: `the pause of removals until 2026-11-30T12:00:00Z, by ada (uid 1000)`.
    #[must_use]
    pub fn words(&self) -> String {
        let what = if self.removals_only {
            "the pause of removals"
        } else {
            "the pause"
        };
        let until = self
            .until
            .map_or_else(|| " without an end".to_owned(), |until| format!(" until {until}"));
        let comment = self
            .comment
            .as_ref()
            .map_or_else(String::new, |comment| format!(": {}", shown(comment)));
        format!("{what}{until}, by {}{comment}", shown(&self.actor))
    }
}

//! The document of `explain` as its page reads it, and the verdict: the one sentence that says why.

use serde::Deserialize;
use serde_json::Value as Json;

use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::app::views::explain::Explained;
use crate::reconcile::explain::omission::HELD;

/// One object, explained.
#[derive(Debug, Deserialize)]
pub(super) struct Why {
    pub(super) job: String,
    pub(super) kind: String,
    pub(super) object: String,
    pub(super) name: String,
    pub(super) notes: Vec<String>,
    pub(super) verdict: Verdict,
    pub(super) groups: Vec<InGroup>,
    pub(super) enrolled: Option<InEnrolled>,
    pub(super) source: Source,
    pub(super) scope: Scope,
    pub(super) matching: Matching,
    pub(super) attributes: Vec<Attribute>,
    pub(super) plan: Vec<Planned>,
    pub(super) omitted: Vec<Omitted>,
    pub(super) history: Vec<Past>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Verdict {
    pub(super) standing: String,
    pub(super) now: String,
    pub(super) next: String,
    pub(super) kept_back: String,
}

impl Verdict {
    /// True where something is kept back.
    pub(super) fn keeps_back(&self) -> bool {
        self.kept_back.starts_with("Kept back")
    }
}

/// A group of a user, on both sides.
#[derive(Debug, Deserialize)]
pub(super) struct InGroup {
    pub(super) group: String,
    pub(super) name: String,
    pub(super) source: String,
    pub(super) target: String,
    pub(super) because: String,
}

/// How a user stands with the enrolled group.
#[derive(Debug, Deserialize)]
pub(super) struct InEnrolled {
    pub(super) group: String,
    pub(super) because: String,
    pub(super) details: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Source {
    pub(super) life: String,
    pub(super) enabled: Option<bool>,
    pub(super) complete_since: Option<String>,
    pub(super) asked: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Scope {
    pub(super) standing: String,
    pub(super) because: String,
    pub(super) clauses: Vec<Clauses>,
    pub(super) memberships: Vec<Membership>,
    pub(super) assigned: Option<bool>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Clauses {
    pub(super) clauses: String,
    pub(super) result: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Membership {
    pub(super) group: String,
    pub(super) name: Option<String>,
    pub(super) transitive: bool,
    pub(super) member: Option<bool>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Matching {
    pub(super) state: String,
    pub(super) because: String,
    pub(super) target: Option<String>,
    pub(super) keys: Vec<Key>,
    pub(super) candidates: Vec<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Key {
    pub(super) attribute: String,
    pub(super) value: Json,
}

#[derive(Debug, Deserialize)]
pub(super) struct Attribute {
    pub(super) attribute: String,
    pub(super) expression: String,
    pub(super) matching: Option<u8>,
    pub(super) inputs: Vec<Input>,
    pub(super) desired: Shown,
    pub(super) remark: Option<String>,
    pub(super) sent: Option<Json>,
    pub(super) kept: Option<Shown>,
    pub(super) actual: Option<Json>,
    pub(super) state: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Input {
    pub(super) expression: String,
    #[serde(flatten)]
    pub(super) shown: Shown,
}

/// A value, or in words why there is none.
#[derive(Debug, Deserialize)]
pub(super) struct Shown {
    #[serde(default)]
    pub(super) value: Json,
    pub(super) none: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Planned {
    pub(super) operation: String,
    pub(super) because: String,
    pub(super) changes: Vec<Change>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Change {
    pub(super) attribute: String,
    pub(super) before: Json,
    pub(super) after: Json,
}

#[derive(Debug, Deserialize)]
pub(super) struct Omitted {
    pub(super) reason: String,
    pub(super) because: String,
    #[serde(rename = "do")]
    pub(super) advice: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Past {
    pub(super) time: String,
    pub(super) actor: String,
    pub(super) operation: String,
    pub(super) result: String,
    pub(super) because: String,
    pub(super) detail: Option<String>,
}

impl Why {
    /// Reads the document.
    pub(super) fn of(explained: &Explained) -> Result<Self, AppError> {
        let read = serde_json::to_value(explained).and_then(serde_json::from_value);
        read.map_err(|cause| {
            let shown = ErrorText {
                what: "the explanation is not of the form that its page knows".to_owned(),
                causes: vec![cause.to_string()],
                ..ErrorText::default()
            };
            AppError::new(
                ErrorKind::Failed,
                shown.advise("report this with the daemon's log"),
            )
        })
    }

    /// How much the verdict matters: a class of its looks.
    pub(super) fn tone(&self) -> &'static str {
        match self.verdict.standing.as_str() {
            "in_step" => "good",
            "differs" | "leaving" => "warn",
            _ if self.verdict.keeps_back() => "warn",
            _ => "calm",
        }
    }

    /// True where the scope is a part of the reason.
    pub(super) fn is_out(&self) -> bool {
        matches!(self.scope.standing.as_str(), "out" | "leaving")
    }

    /// The life at the source, in words.
    pub(super) fn life(&self) -> &'static str {
        match (self.source.life.as_str(), self.source.enabled) {
            ("alive", Some(false)) => "In Entra, and disabled there",
            ("alive", _) => "In Entra",
            ("missing", _) => "Not in the last full read of Entra, which proves nothing by itself",
            ("soft_deleted", _) => "Deleted in Entra, restorable for 30 days",
            ("hard_deleted", _) => "Permanently deleted in Entra",
            _ => "Entra was asked, and the answer proved nothing",
        }
    }

    /// True for an object that a person put on hold.
    pub(super) fn is_held(&self) -> bool {
        self.omitted.iter().any(|omitted| omitted.reason == HELD)
    }

    /// The scope in words.
    pub(super) fn standing(&self) -> &'static str {
        match self.scope.standing.as_str() {
            "in" => "In scope",
            "leaving" => "Leaving the scope",
            "out" => "Out of scope",
            _ => "Not known",
        }
    }

    /// The match in words.
    pub(super) fn matched(&self) -> &'static str {
        match self.matching.state.as_str() {
            "linked" => "Linked",
            "found" => "Not linked; one resource matches",
            "ambiguous" => "Not linked; several resources match",
            "none" => "Not at the target",
            _ => "Nothing was looked for",
        }
    }
}

impl Attribute {
    /// How it stands, in words; empty where all is as it should be.
    pub(super) fn remarked(&self, plan: &[Planned]) -> &'static str {
        match self.state.as_str() {
            "write" if plan.is_empty() => "differs, and is left alone",
            "write" => "to be written",
            "drift" => "changed at the target",
            "record" => "right already",
            "no_opinion" => "left to the target",
            _ => "",
        }
    }
}

//! A cycle compared with a saved plan, as it runs.

use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use serde::Deserialize;
use serde::Serialize;
use serde_json::Value as Json;
use serde_json::json;

use super::saved;
use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::engine::job::Watcher;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::shown::shown as printable;
use crate::reconcile::explain;
use crate::reconcile::explain::omission::Omission;
use crate::reconcile::operation::Operation;
use crate::reconcile::saved::SavedPlan;
use crate::reconcile::saved::digests;

/// Follows a cycle, and remembers what it did, or would do, and what it left because no plan has it.
pub(super) struct Comparing {
    plan: Arc<SavedPlan>,
    /// Who else follows.
    follower: Arc<dyn Watcher>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    done: SavedPlan,
    left: Vec<Json>,
    findings: Vec<String>,
}

/// As many as a list shows.
const LISTED: usize = 1000;

impl Comparing {
    pub(super) fn new(plan: &Arc<SavedPlan>, follower: Arc<dyn Watcher>) -> Self {
        Self {
            plan: Arc::clone(plan),
            follower,
            seen: Mutex::default(),
        }
    }

    /// What concerns every object.
    pub(super) fn findings(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.findings.clone()
    }

    /// How what came up compares with the plan.
    pub(super) fn compared(&self) -> Compared {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        Compared {
            left: seen.left.clone(),
            missing: self.plan.without(&seen.done),
        }
    }
}

/// How a cycle compares with a saved plan.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Compared {
    /// What was left, or would be, because it is new, or has other values than in the plan.
    pub left: Vec<Json>,
    /// What of the plan did not come up: done by somebody else, or not wanted any more.
    #[serde(with = "saved::as_text")]
    pub missing: SavedPlan,
}

impl Compared {
    /// True where the cycle is the plan to the letter.
    pub(super) fn is_exact(&self) -> bool {
        self.left.is_empty() && self.missing.is_empty()
    }

    /// The operations of the file that did not come up.
    pub(super) fn missed(&self, file: &Path) -> Result<Vec<Json>, AppError> {
        let mut missed = Vec::new();
        saved::read(file, |entry| {
            if missed.len() < LISTED && self.missing.touches(entry) {
                missed.push(json!({
                    "operation": entry["operation"], "object": entry["object"], "kind": entry["kind"],
                    "name": entry["name"],
                }));
            }
        })?;
        Ok(missed)
    }
}

impl Watcher for Comparing {
    fn operation(&self, operation: &Operation) {
        let entry = explain::entry(operation);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.done.extend(digests(&entry));
        if !self.plan.has(&entry) && seen.left.len() < LISTED {
            seen.left
                .push(json!({"operation": entry["operation"], "object": entry["object"],
                "kind": entry["kind"], "name": entry["name"], "reason": "not_in_plan",
                "because": "new, or with other values than in the saved plan"}));
        }
    }

    fn omission(&self, kind: ObjectKind, object: SourceId, name: &str, omission: &Omission) {
        if let Omission::NotInPlan { verb, .. } = omission {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            if seen.left.len() < LISTED {
                let left = json!({
                    "operation": verb.name(), "object": object.to_string(), "kind": kind.word(), "name": name,
                    "reason": omission.label(), "because": omission.to_string(),
                });
                seen.left.push(left);
            }
        }
    }

    fn finding(&self, text: &str) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.findings.push(text.to_owned());
        drop(seen);
        self.follower.finding(text);
    }

    fn progress(&self, phase: &'static str, done: u64, of: Option<u64>) {
        self.follower.progress(phase, done, of);
    }
}

/// An operation in one line.
#[must_use]
pub fn line(entry: &Json) -> String {
    let text = |name: &str| printable(entry[name].as_str().unwrap_or_default());
    format!("{} {}", text("operation").replace('_', " "), text("object"))
}

/// As many as fit a screen.
const SHOWN: usize = 20;

/// The error of what is not the saved plan to the letter.
pub(super) fn not_exact(file: &Path, left: &[Json], missed: &[Json]) -> AppError {
    let listed = |entries: &[Json], what: &str| -> Vec<String> {
        let lines = entries.iter().take(SHOWN);
        lines.map(|entry| format!("{what}: {}", line(entry))).collect()
    };
    let place = [
        listed(left, "new or changed"),
        listed(missed, "not wanted any more"),
    ]
    .concat();
    let shown = ErrorText {
        what: format!(
            "what is wanted now is not what {} says; nothing was sent",
            file.display()
        ),
        place: Some(place.join("\n")),
        ..ErrorText::default()
    };
    AppError::new(
        ErrorKind::Differs,
        shown.advise("plan again and review that, or leave out --exact to carry out what is still the same"),
    )
}

//! One cycle or order: where it stands, or what it did.

use askama::Template;
use axum::response::Response;
use serde_json::Value as Json;

use super::filters;
use super::frame::Frame;
use super::planned::Planned;
use super::undo::Undo;
use super::visit::Visit;
use crate::admin::desk::OfId;
use crate::admin::extract::Path;
use crate::app::service::CycleState;
use crate::app::service::order::Work;
use crate::app::service::track::Track;
use crate::model::id::CycleId;

#[derive(Template)]
#[template(path = "cycle.html")]
struct Cycle {
    frame: Frame,
    state: CycleState,
    /// What it planned, where it was asked for that alone.
    planned: Option<Planned>,
    /// The rules that it was planned by, where they are not those in force, as lines of the settings.
    tried: Option<String>,
    undo: Undo,
}

/// `GET /jobs/{job}/cycles/{id}`.
pub(super) async fn page(visit: Visit, Path(OfId { id }): Path<OfId>) -> Response {
    let ask = move |visit: &Visit, frame: Frame| {
        let tracked = id.parse().ok().and_then(|id| visit.service.track(CycleId(id)));
        let state = match &tracked {
            Some(track) => CycleState::of(track),
            None => visit.service.kept(&id)?,
        };
        let planned = tracked.as_deref().and_then(Planned::of);
        let json = match &planned {
            Some(planned) if planned.is_kept => {
                format!("/api/v1/cycles/{}/plan", filters::as_part(&state.cycle))
            }
            _ => format!("/api/v1/cycles/{}", filters::as_part(&state.cycle)),
        };
        Ok(Cycle {
            frame: frame.titled("Cycle", "timeline", json),
            tried: tracked.as_deref().and_then(tried),
            undo: Undo::of(&state, tracked.as_deref()),
            state,
            planned,
        })
    };
    visit.show(ask).await
}

fn tried(track: &Track) -> Option<String> {
    match &track.ask.work {
        Work::Preview { rules, .. } => Some(rules.asked().lines(&track.job)),
        Work::Cycle { .. } | Work::Undo { .. } | Work::Plan { .. } | Work::Saved { .. } => None,
    }
}

/// `POST /jobs/{job}/cycles/{id}/cancel`.
pub(super) async fn cancel(visit: Visit, Path(OfId { id }): Path<OfId>) -> Response {
    let back = format!(
        "/jobs/{}/cycles/{}",
        filters::as_part(visit.job()),
        filters::as_part(&id)
    );
    let decide = move |visit: &Visit| {
        let cycle = id.parse().ok().map(CycleId);
        let ended =
            cycle.is_some_and(|cycle| visit.service.cancel(cycle, false, visit.caller.actor.as_str()));
        let said = if ended {
            "It ends after the requests in flight."
        } else {
            "It was over already: nothing was to be ended."
        };
        Ok(said.to_owned())
    };
    visit.decide(back, decide).await
}

impl Cycle {
    fn text(&self, key: &str) -> Option<&str> {
        self.state.summary.as_ref()?[key].as_str()
    }

    /// The numbers under a key that are not none, in words.
    fn counts(&self, key: &str) -> Vec<(String, u64)> {
        let counts = self
            .state
            .summary
            .as_ref()
            .and_then(|summary| summary[key].as_object());
        counts
            .into_iter()
            .flatten()
            .filter_map(|(name, count)| {
                Some((name.replace('_', " "), count.as_u64().filter(|count| *count > 0)?))
            })
            .collect()
    }

    fn has_numbers(&self) -> bool {
        let keys = ["source", "target", "skipped"];
        keys.iter().any(|key| !self.counts(key).is_empty())
    }

    /// The entries of a list.
    fn list(&self, key: &str) -> Vec<Line> {
        let list = self
            .state
            .summary
            .as_ref()
            .and_then(|summary| summary[key].as_array());
        let text = |one: &Json, keys: &[&str]| {
            let found = keys.iter().find_map(|key| one[*key].as_str());
            found.map(str::to_owned).unwrap_or_default()
        };
        let line = |one: &Json| Line {
            object: one["object"].as_str().map(str::to_owned),
            name: text(one, &["name", "object", "code"]),
            what: text(one, &["operation", "attribute"]),
            why: text(one, &["error", "because", "text", "holds"]),
            advice: text(one, &["hint", "do"]),
        };
        list.into_iter().flatten().map(line).collect()
    }

    fn seconds(&self) -> Option<String> {
        let millis = self.state.summary.as_ref()?["duration_ms"].as_u64()?;
        Some(filters::in_millis(millis))
    }

    /// How many operations the guard held back.
    fn withheld(&self) -> u64 {
        let summary = self.state.summary.as_ref();
        summary
            .and_then(|summary| summary["withheld"]["count"].as_u64())
            .unwrap_or_default()
    }

    fn is_over(&self) -> bool {
        self.state.state == "ended"
    }
}

/// What is said of one object, or of all.
struct Line {
    object: Option<String>,
    name: String,
    what: String,
    why: String,
    advice: String,
}

//! The timeline of a job: its cycles, what people decided, what stopped it and let it go on, in one list, newest first.
//!
//! What a cycle did to each object is the history's, and counted in the cycle's summary here.

use serde::Serialize;
use serde_json::Value as Json;
use utoipa::ToSchema;

use super::clock;
use super::clock::Clock;
use super::figures::Figures;
use super::figures::figures;
use crate::app::error::AppError;
use crate::model::clock::Clock as _;
use crate::model::clock::SystemClock;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::verb::Verb;
use crate::snapshot::history::Entry;
use crate::snapshot::store::Snapshot;

/// As many entries of the history as are looked through for one page: most are of cycles, and a page is made at once.
const LOOKED_THROUGH: u64 = 20_000;

/// As many entries as are read together.
const READ_TOGETHER: u64 = 500;

/// A page of the timeline.
#[derive(Debug, Serialize, ToSchema)]
pub struct Timeline {
    /// How long changes took to the target.
    pub clock: Clock,
    /// The last cycles in numbers, oldest first.
    pub cycles: Vec<Figures>,
    /// What happened, newest first.
    pub events: Vec<TimelineEvent>,
    /// The job.
    pub job: String,
    /// The moment to go on from (`before`); null at the end.
    pub next: Option<String>,
}

/// One thing that happened.
#[derive(Debug, Serialize, ToSchema)]
pub struct TimelineEvent {
    /// Who; of a cycle `null` where its summary does not say.
    pub actor: Option<String>,
    /// Why, or what a person said about it.
    pub because: Option<String>,
    /// The cycle.
    pub cycle: Option<String>,
    /// `cycle`, or what was decided: `pause`, `hold`, `release`, `quarantine` and so on.
    pub kind: String,
    /// The name of the object that it is about, where it is known.
    pub name: Option<String>,
    /// The object that it is about.
    pub object: Option<String>,
    /// How it ended.
    pub outcome: Option<String>,
    /// The summary of a cycle.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub summary: Option<Json>,
    /// When.
    pub time: String,
}

/// Lists at most `limit` things that happened before a moment, newest first.
pub fn timeline(
    snapshot: &Snapshot,
    job: &str,
    limit: usize,
    before: Option<Timestamp>,
) -> Result<Timeline, AppError> {
    let (kept, cycles): (Vec<u64>, Vec<Json>) = snapshot.cycles_numbered(ALL)?.into_iter().unzip();
    let clock = clock::clock(&cycles, SystemClock.now());
    let numbers = figures(&cycles);
    let is_older = |time: &str| before.is_none_or(|before| time < before.to_string().as_str());
    let (events, end) = decided(snapshot, limit, before)?;
    let mut events: Vec<(Option<u64>, TimelineEvent)> =
        events.into_iter().map(|event| (None, event)).collect();
    for (number, summary) in kept.into_iter().zip(cycles) {
        let event = of_cycle(summary);
        let is_in_reach = end.as_ref().is_none_or(|end| event.time >= *end);
        if is_older(&event.time) && is_in_reach {
            events.push((Some(number), event));
        }
    }
    // The times of both are of one form: the order of the text is the order in time.
    events.sort_by(|(_, a), (_, b)| b.time.cmp(&a.time));
    let next = events.get(limit).and(events.get(limit.saturating_sub(1)));
    let next = next.map(|(_, last)| last.time.clone()).or(end);
    events.truncate(limit);
    let mut shown = Vec::with_capacity(events.len());
    for (number, mut event) in events {
        event.name = named(snapshot, &event)?;
        // Of those that are shown, the whole summary.
        if let Some(number) = number {
            event.summary = snapshot.cycle_numbered(number)?.or(event.summary);
        }
        shown.push(event);
    }
    Ok(Timeline {
        clock,
        cycles: numbers,
        events: shown,
        job: job.to_owned(),
        next,
    })
}

/// More than are kept.
const ALL: u64 = 1 << 32;

/// What was decided before a moment, newest first, and the moment that was reached where there may be more before it.
fn decided(
    snapshot: &Snapshot,
    limit: usize,
    before: Option<Timestamp>,
) -> Result<(Vec<TimelineEvent>, Option<String>), AppError> {
    let newest = match before {
        Some(before) => first_since(snapshot, before)?,
        None => snapshot.history_head()?.next,
    };
    let last = newest.saturating_sub(LOOKED_THROUGH);
    let (mut events, mut to, mut reached) = (Vec::new(), newest, None);
    while to > last && events.len() <= limit {
        let from = to.saturating_sub(READ_TOGETHER).max(last);
        let entries = snapshot.entries(from, usize::try_from(to - from).unwrap_or(usize::MAX))?;
        for entry in entries.iter().rev().filter(|entry| entry.seq < to) {
            reached = Some(entry.time.to_string());
            if Verb::named(&entry.operation).is_none() {
                events.push(of_entry(entry));
            }
        }
        if entries.is_empty() {
            return Ok((events, None));
        }
        to = from;
    }
    Ok((events, reached.filter(|_| to > 0)))
}

/// The number of the first entry at a moment or later: their times are in the order of their numbers.
fn first_since(snapshot: &Snapshot, moment: Timestamp) -> Result<u64, AppError> {
    let (mut low, mut high) = (0, snapshot.history_head()?.next);
    while low < high {
        let middle = low + (high - low) / 2;
        match snapshot.entries(middle, 1)?.first() {
            Some(entry) if entry.time < moment => low = entry.seq + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// The name of the object of an event: of a group or of a user, whichever has this id.
fn named(snapshot: &Snapshot, event: &TimelineEvent) -> Result<Option<String>, AppError> {
    let Some(id) = event.object.as_deref().and_then(|id| id.parse().ok()) else {
        return Ok(None);
    };
    for kind in [ObjectKind::User, ObjectKind::Group] {
        if let Some(name) = snapshot.name_of(kind, &id)? {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

fn of_entry(entry: &Entry) -> TimelineEvent {
    TimelineEvent {
        actor: Some(entry.actor.clone()),
        because: (!entry.reason.is_empty()).then(|| entry.reason.clone()),
        cycle: entry.cycle.map(|cycle| cycle.to_string()),
        kind: entry.operation.clone(),
        name: None,
        object: entry.object.map(|object| object.to_string()),
        outcome: Some(entry.result.clone()),
        summary: None,
        time: entry.time.to_string(),
    }
}

fn of_cycle(summary: Json) -> TimelineEvent {
    let text = |key: &str| summary[key].as_str().map(str::to_owned);
    TimelineEvent {
        actor: text("actor"),
        because: text("kind"),
        cycle: text("cycle"),
        kind: "cycle".to_owned(),
        name: None,
        object: None,
        outcome: text("outcome"),
        time: text("started").unwrap_or_default(),
        summary: Some(summary),
    }
}

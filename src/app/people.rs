//! What an order came to for those who were named in it: what the source answered, what was sent and answered, what was left,
//! and why.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use serde::Deserialize;
use serde::Serialize;
use serde::Serializer;
use serde::ser::Error;
use serde_json::Value as Json;
use utoipa::ToSchema;

use super::cycles::Asking;
use super::error::AppError;
use super::views;
use super::views::history;
use super::views::history::HistoryEntry;
use super::views::history::Wanted;
use crate::engine::forward;
use crate::engine::job::Extent;
use crate::engine::job::Job;
use crate::engine::job::NamedOne;
use crate::engine::job::Report;
use crate::engine::job::Watcher;
use crate::engine::summary::Summary;
use crate::model::clock::Timestamp;
use crate::model::id::CycleId;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::shown::shown;
use crate::reconcile::explain;
use crate::reconcile::explain::omission::Omission;
use crate::reconcile::operation::Operation;
use crate::snapshot::store::Snapshot;

/// What became of somebody who was named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = NamedReport)]
pub struct PersonReport {
    /// When the daemon looks at it again, because the source answered what was known before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub again: Vec<String>,
    /// The name that was given.
    pub asked: String,
    /// `user` or `group`.
    pub kind: String,
    /// What was left alone, and why.
    pub left: Vec<Left>,
    /// What people know it by.
    pub name: String,
    /// Its object id.
    pub object: String,
    /// What was planned for it, as `plan -o json` has it.
    #[schema(value_type = Vec<Object>)]
    pub planned: Vec<Json>,
    /// What was sent, and what the target answered, as `history -o json` has it.
    #[schema(value_type = Vec<Object>)]
    pub sent: Vec<Json>,
    /// `changed` where the source answered something new, else `unchanged`.
    pub source: String,
    /// What it came to, in one sentence.
    pub verdict: String,
    /// All of it, as people read it.
    pub words: String,
}

/// Something that was left alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = LeftAlone)]
pub struct Left {
    /// Why.
    pub because: String,
    /// What to do about it; empty where there is nothing.
    #[serde(rename = "do")]
    pub advice: String,
    /// The code of why.
    pub reason: String,
}

/// The summary of an order, with what became of those who were named in it.
#[derive(Debug)]
pub struct OfPeople<'p> {
    summary: &'p Summary,
    people: &'p [PersonReport],
}

impl<'p> OfPeople<'p> {
    /// The two together.
    #[must_use]
    pub const fn new(summary: &'p Summary, people: &'p [PersonReport]) -> Self {
        Self { summary, people }
    }
}

impl Serialize for OfPeople<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let people = serde_json::to_value(self.people).map_err(S::Error::custom)?;
        views::with_members(self.summary, [("people", people)], serializer)
    }
}

/// Those who were named in an order, as it goes on.
#[derive(Debug, Default)]
pub struct People(Mutex<Vec<Gathered>>);

#[derive(Debug)]
struct Gathered {
    named: NamedOne,
    operations: Vec<Operation>,
    left: Vec<Left>,
}

/// Follows a cycle for those who are named, and lets somebody else follow it too.
pub struct Following {
    /// Who else follows.
    pub other: Arc<dyn Watcher>,
    /// Those who are named.
    pub people: Arc<People>,
}

impl Watcher for Following {
    fn operation(&self, operation: &Operation) {
        self.other.operation(operation);
        self.people.with(operation.kind, operation.source, |one| {
            one.operations.push(operation.clone());
        });
    }

    fn omission(&self, kind: ObjectKind, object: SourceId, name: &str, omission: &Omission) {
        self.other.omission(kind, object, name, omission);
        if matches!(omission, Omission::Unchanged) {
            return;
        }
        self.people.with(kind, object, |one| {
            one.left.push(Left {
                because: omission.to_string(),
                advice: omission.hint().into_owned(),
                reason: omission.label().to_owned(),
            });
        });
    }

    fn finding(&self, text: &str) {
        self.other.finding(text);
    }

    fn named(&self, named: &NamedOne) {
        self.other.named(named);
        self.people.all().push(Gathered {
            named: named.clone(),
            operations: Vec::new(),
            left: Vec::new(),
        });
    }

    fn progress(&self, phase: &'static str, done: u64, of: Option<u64>) {
        self.other.progress(phase, done, of);
    }
}

/// What an order for named people came to.
#[derive(Debug)]
pub struct Looked {
    /// Those who were found.
    pub named: Vec<NamedOne>,
    /// What became of each.
    pub reports: Vec<PersonReport>,
}

/// Looks at those who are named. `again`: when they are looked at again who come back unchanged.
pub async fn look_at(
    job: &Job,
    (extent, apply): (Extent, bool),
    asking: Asking,
    again: &[Timestamp],
) -> (Report, Result<Looked, AppError>) {
    let people = Arc::new(People::default());
    let order = Asking {
        watcher: Arc::new(Following {
            other: Arc::clone(&asking.watcher),
            people: Arc::clone(&people),
        }),
        ..asking
    }
    .order(extent, apply);
    let from = job.snapshot.history_head().map(|head| head.next);
    let done = forward::run(job, &order).await;
    let reports = from
        .map_err(AppError::from)
        .and_then(|from| people.reports(&job.snapshot, (&job.name, order.id), from, again));
    let looked = reports.map(|reports| Looked {
        named: people.named(),
        reports,
    });
    (done, looked)
}

impl People {
    fn all(&self) -> MutexGuard<'_, Vec<Gathered>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with(&self, kind: ObjectKind, id: SourceId, work: impl Fn(&mut Gathered)) {
        let mut all = self.all();
        let those = all
            .iter_mut()
            .filter(|one| (one.named.kind, one.named.id) == (kind, id));
        those.for_each(work);
    }

    /// Those who were found.
    #[must_use]
    pub fn named(&self) -> Vec<NamedOne> {
        self.all().iter().map(|one| one.named.clone()).collect()
    }

    /// What became of each. `from`: the number of the first history entry that can be about it; `again`: when they are looked at
    /// again who came back unchanged.
    pub fn reports(
        &self,
        snapshot: &Snapshot,
        (job, cycle): (&str, CycleId),
        from: u64,
        again: &[Timestamp],
    ) -> Result<Vec<PersonReport>, AppError> {
        let all = self.all();
        if all.is_empty() {
            return Ok(Vec::new());
        }
        let wanted = Wanted {
            cycle: Some(cycle),
            ..Wanted::default()
        };
        let entries = history::history(snapshot, job, wanted)?
            .page(job, from, MOST_ENTRIES)?
            .entries;
        let mut by_object: BTreeMap<SourceId, Vec<HistoryEntry>> = BTreeMap::new();
        for entry in entries {
            if let Some(id) = entry.object {
                by_object.entry(id).or_default().push(entry);
            }
        }
        let none = Vec::new();
        let report = |one: &Gathered| {
            let sent = by_object.get(&one.named.id).unwrap_or(&none);
            let again = if one.named.unchanged { again } else { &[] };
            // A name that cannot be read is only a name that is not shown.
            let name_of = |id| snapshot.name_of(ObjectKind::User, &id).ok().flatten();
            one.report(sent, again, name_of)
        };
        Ok(all.iter().map(report).collect())
    }
}

/// As many entries of the history as an order of a thousand names comes to, and more.
const MOST_ENTRIES: usize = 10_000;

impl Gathered {
    fn report(
        &self,
        sent: &[HistoryEntry],
        again: &[Timestamp],
        name_of: impl Fn(SourceId) -> Option<String> + Copy,
    ) -> PersonReport {
        let verdict = self.verdict(sent);
        let again: Vec<String> = again.iter().map(ToString::to_string).collect();
        let planned = self.operations.iter();
        let json = |entry| serde_json::to_value(entry).unwrap_or_default();
        PersonReport {
            asked: self.named.asked.clone(),
            kind: self.named.kind.word().to_owned(),
            left: self.left.clone(),
            name: self.named.name.clone(),
            object: self.named.id.to_string(),
            planned: planned.map(|one| explain::entry_named(one, name_of)).collect(),
            sent: sent.iter().map(json).collect(),
            source: if self.named.unchanged {
                "unchanged"
            } else {
                "changed"
            }
            .to_owned(),
            words: self.words(&verdict, sent, &again, name_of),
            verdict,
            again,
        }
    }

    /// What it came to. What failed goes before what was left, and that before what was done.
    fn verdict(&self, sent: &[HistoryEntry]) -> String {
        let verbs = |wanted: &dyn Fn(&&HistoryEntry) -> bool| {
            let verbs = sent.iter().filter(wanted);
            let verbs: Vec<String> = verbs.map(|entry| entry.operation.replace('_', " ")).collect();
            verbs.join(", ")
        };
        let done = verbs(&|entry| entry.result == "done");
        let failed = verbs(&|entry| entry.result != "done");
        if !failed.is_empty() {
            return format!("not as it should be: {failed} did not succeed");
        }
        if let Some(left) = self.left.first() {
            let done = if done.is_empty() {
                done
            } else {
                format!("{done} done; ")
            };
            return format!("{done}left alone: {}", left.because);
        }
        if !done.is_empty() {
            return format!("at the target now: {done}");
        }
        if !self.operations.is_empty() {
            let verbs = self.operations.iter();
            let verbs: Vec<String> = verbs.map(|one| one.verb.name().replace('_', " ")).collect();
            return format!("planned only: {}", verbs.join(", "));
        }
        "in step: nothing to do".to_owned()
    }

    fn words(
        &self,
        verdict: &str,
        sent: &[HistoryEntry],
        again: &[String],
        name_of: impl Fn(SourceId) -> Option<String> + Copy,
    ) -> String {
        let named = &self.named;
        let mut text = format!("{}  ({}): {}\n", shown(&named.name), named.id, shown(verdict));
        for operation in &self.operations {
            for line in explain::text(operation, name_of).lines() {
                let _ = writeln!(text, "  {line}");
            }
        }
        for entry in sent {
            let (verb, result) = (entry.operation.replace('_', " "), shown(&entry.result));
            let detail = entry
                .said()
                .map_or_else(String::new, |detail| format!(": {}", shown(detail)));
            let _ = writeln!(text, "    answered at {}: {verb} {result}{detail}", entry.time);
        }
        for left in &self.left {
            let _ = writeln!(text, "  left alone: {}", shown(&left.because));
            if !left.advice.is_empty() {
                let _ = writeln!(text, "      do: {}", shown(&left.advice));
            }
        }
        if named.unchanged {
            let then = if again.is_empty() {
                "where you changed something, ask again in some minutes".to_owned()
            } else {
                format!("looked at again at {}", again.join(", "))
            };
            let _ = writeln!(text, "  Entra answers what it answered before; {then}");
        }
        text
    }
}

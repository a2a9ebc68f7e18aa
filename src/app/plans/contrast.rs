//! A plan by other rules beside the plan by the rules in force: what comes up, what is other, and what is not wanted any more.
//!
//! Both are made of the same source, one after the other, each over a snapshot that forgets. Of each operation sixteen bytes and
//! its id are kept, so that it costs little at any size.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use super::Form;
use super::Planned;
use super::file::PlanFile;
use super::following;
use super::planned;
use crate::app::cycles;
use crate::app::cycles::Asking;
use crate::app::error::AppError;
use crate::engine::job::Extent;
use crate::engine::job::Job;
use crate::engine::job::NamedOne;
use crate::engine::job::Watcher;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::reconcile::explain;
use crate::reconcile::explain::omission::Omission;
use crate::reconcile::guard::COMMANDS;
use crate::reconcile::operation::Operation;
use crate::reconcile::operation::Verb;
use crate::reconcile::saved::digests;
use crate::snapshot::store::Snapshot;

/// As many objects as are named of one difference.
const NAMED: usize = 20;

/// As many sentences of the guard's as are kept: it has one for each threshold.
const SENTENCES: usize = 8;

/// How a plan by other rules compares with that by the rules in force.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PlanContrast)]
pub struct Contrast {
    /// What the guard says of what it would hold back.
    pub guard: Vec<String>,
    /// By operation.
    pub operations: Vec<Contrasted>,
    /// How many operations the guard would hold back.
    pub withheld: u64,
    /// How many it holds back by the rules in force.
    pub withheld_in_force: u64,
}

/// How one operation compares.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = OperationContrast)]
pub struct Contrasted {
    /// Wanted by these rules alone.
    pub added: Difference,
    /// Wanted by both, with other values, or held back by the guard in one of the two.
    pub changed: Difference,
    /// Wanted by the rules in force alone.
    pub dropped: Difference,
    /// The operation.
    pub operation: String,
    /// Of how many objects both want it alike.
    pub same: u64,
}

/// The objects of which an operation is wanted otherwise.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = PlanDifference)]
pub struct Difference {
    /// How many.
    pub count: u64,
    /// The first of them.
    pub first: Vec<Differing>,
    /// How many of them the guard would hold back; of what is not wanted any more, how many it does.
    pub withheld: u64,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = DifferingObject)]
pub struct Differing {
    /// Its name.
    pub name: String,
    /// The object.
    pub object: String,
    /// The guard would hold it back.
    pub withheld: bool,
}

impl Contrast {
    /// True where both come to the same.
    #[must_use]
    pub fn is_same(&self) -> bool {
        let of = |one: &Contrasted| one.added.count + one.changed.count + one.dropped.count;
        self.operations.iter().all(|one| of(one) == 0)
    }
}

/// What is wanted of one object.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Wanted {
    /// Stands for the values: the sum of their digests, in whatever parts they come.
    values: u128,
    withheld: bool,
}

/// A plan, as far as it is compared.
#[derive(Debug, Default)]
struct Outline {
    wanted: BTreeMap<(Verb, SourceId), Wanted>,
    guard: BTreeSet<String>,
}

/// Follows a plan and keeps its outline.
struct Outlining {
    outline: Mutex<Outline>,
    /// Who else follows.
    follower: Arc<dyn Watcher>,
}

impl Outlining {
    fn new(follower: Arc<dyn Watcher>) -> Self {
        Self {
            outline: Mutex::default(),
            follower,
        }
    }

    fn taken(&self) -> Outline {
        std::mem::take(&mut *self.outline.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Outline {
    fn operation(&mut self, operation: &Operation) {
        let values = digests(&explain::entry(operation));
        let values = values
            .into_iter()
            .map(u128::from_be_bytes)
            .fold(0, u128::wrapping_add);
        let wanted = self.wanted.entry((operation.verb, operation.source)).or_default();
        wanted.values = wanted.values.wrapping_add(values);
    }

    fn omission(&mut self, object: SourceId, omission: &Omission) {
        if let Omission::Withheld { verb, why } = omission {
            self.wanted.entry((*verb, object)).or_default().withheld = true;
            if self.guard.len() < SENTENCES {
                let why = why.split(COMMANDS).next().unwrap_or_default();
                self.guard.insert(why.to_owned());
            }
        }
    }

    /// This beside the plan by the rules in force.
    fn beside(self, in_force: &Self, snapshot: &Snapshot) -> Result<Contrast, AppError> {
        let mut operations: BTreeMap<Verb, Contrasted> = BTreeMap::new();
        let keys: BTreeSet<&(Verb, SourceId)> = self.wanted.keys().chain(in_force.wanted.keys()).collect();
        for key @ (verb, object) in keys {
            let of_verb = operations.entry(*verb).or_insert_with(|| Contrasted {
                operation: verb.name().to_owned(),
                ..Contrasted::default()
            });
            let (difference, wanted) = match (self.wanted.get(key), in_force.wanted.get(key)) {
                (Some(now), Some(before)) if now == before => {
                    of_verb.same += 1;
                    continue;
                }
                (Some(now), Some(_)) => (&mut of_verb.changed, now),
                (Some(now), None) => (&mut of_verb.added, now),
                (None, Some(before)) => (&mut of_verb.dropped, before),
                (None, None) => continue,
            };
            difference.count += 1;
            difference.withheld += u64::from(wanted.withheld);
            if difference.first.len() < NAMED {
                let name = snapshot.name_of(verb.kind(), object)?;
                difference.first.push(Differing {
                    name: name.unwrap_or_else(|| object.to_string()),
                    object: object.to_string(),
                    withheld: wanted.withheld,
                });
            }
        }
        Ok(Contrast {
            guard: self.guard.into_iter().collect(),
            operations: operations.into_values().collect(),
            ..Contrast::default()
        })
    }
}

impl Watcher for Outlining {
    fn operation(&self, operation: &Operation) {
        let mut outline = self.outline.lock().unwrap_or_else(PoisonError::into_inner);
        outline.operation(operation);
        drop(outline);
        self.follower.operation(operation);
    }

    fn omission(&self, kind: ObjectKind, object: SourceId, name: &str, omission: &Omission) {
        let mut outline = self.outline.lock().unwrap_or_else(PoisonError::into_inner);
        outline.omission(object, omission);
        drop(outline);
        self.follower.omission(kind, object, name, omission);
    }

    fn finding(&self, text: &str) {
        self.follower.finding(text);
    }

    fn named(&self, named: &NamedOne) {
        self.follower.named(named);
    }

    fn progress(&self, phase: &'static str, done: u64, of: Option<u64>) {
        self.follower.progress(phase, done, of);
    }
}

/// Follows how far a plan is, and nothing of what it says.
struct OnlyProgress(Arc<dyn Watcher>);

impl Watcher for OnlyProgress {
    fn progress(&self, phase: &'static str, done: u64, of: Option<u64>) {
        self.0.progress(phase, done, of);
    }
}

/// The same, followed by another one: who followed before is held by that one alone.
fn followed_by(asking: Asking, watcher: Arc<dyn Watcher>) -> Asking {
    Asking { watcher, ..asking }
}

/// Plans by other rules, and beside it by those in force, over a snapshot that forgets. Writes nothing to the target.
pub async fn contrasted(
    in_force: &Job,
    tried: &Job,
    (extent, forms): (Extent, &[Form]),
    asking: Asking,
) -> Result<(Planned, Contrast), AppError> {
    let before = Arc::new(Outlining::new(Arc::new(OnlyProgress(Arc::clone(
        &asking.watcher,
    )))));
    let unnamed = Asking {
        id: None,
        watcher: Arc::clone(&before) as _,
        ..asking.clone()
    };
    let aside = Job {
        snapshot: in_force.snapshot.aside()?,
        ..in_force.clone()
    };
    let done = cycles::plan(&aside, extent.clone(), unnamed).await;
    if let Some(error) = &done.error {
        return Err(AppError::from(error));
    }
    let withheld_in_force = done.summary.withheld.count;
    let (file, asking): (Arc<PlanFile>, Asking) = following(tried, forms, asking)?;
    let after = Arc::new(Outlining::new(Arc::clone(&asking.watcher)));
    let done = cycles::plan(tried, extent, followed_by(asking, Arc::clone(&after) as _)).await;
    let outline = after.taken();
    drop(after);
    let planned = planned(file, done)?;
    let contrast = outline.beside(&before.taken(), &tried.snapshot)?;
    let contrast = Contrast {
        withheld: planned.summary.withheld.count,
        withheld_in_force,
        ..contrast
    };
    Ok((planned, contrast))
}

#[cfg(test)]
mod tests;

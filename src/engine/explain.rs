//! One object, looked at as a cycle looks at it (`melonsync explain`): the same steps over the same planner, on a snapshot
//! that keeps what is written to it in memory and forgets it.
//!
//! Guarantees: nothing is written to either side, and no link, mark, page or reading of the source reaches the store. The
//! streams are not read: what the source says of this one object is asked for by its id, and a side that does not answer
//! is a note, not a failure.
//! Assumes that a cycle on this job does not run meanwhile: whoever calls holds the store.

mod focus;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use super::cycle::Cycle;
use super::error::CycleError;
use super::error::chain;
use super::intake::entitlements::Listing;
use super::intake::evaluation::prepare_evaluation;
use super::job::Extent;
use super::job::Job;
use super::job::Order;
use super::job::Watcher;
use super::rules::keys_of;
use super::set_aside::names_of;
use super::standing::Fact;
use super::views::view;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::object::Existence;
use crate::model::object::Life;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::reconcile::explain;
use crate::reconcile::explain::object::Explanation;
use crate::reconcile::explain::object::Found;
use crate::reconcile::explain::object::InScope;
use crate::reconcile::explain::object::Matching;
use crate::reconcile::explain::object::Past;
use crate::reconcile::explain::omission::Omission;
use crate::reconcile::explain::rows::Held;
use crate::reconcile::forward::view::ObjectView;
use crate::reconcile::operation::Operation;
use crate::snapshot::history::Entry;
use crate::snapshot::look::Looking;
use crate::snapshot::named::NotOne;
use crate::snapshot::page::apply_existence;
use crate::snapshot::read::Reads;
use crate::snapshot::record::Record;
use crate::snapshot::refused;
use crate::snapshot::scope::ScopeReads;
use crate::snapshot::store::Snapshot;

/// As many past operations as fit a screen.
const OPERATIONS_SHOWN: usize = 10;

/// What can go wrong beside a cycle's own errors.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    /// As in a cycle.
    #[error(transparent)]
    Cycle(#[from] CycleError),
    /// The name does not lead to one object.
    #[error(transparent)]
    NotOne(#[from] NotOne),
}

impl ExplainError {
    /// What to do.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::Cycle(error) => error.hint(),
            Self::NotOne(error) => error.hint().to_owned(),
        }
    }
}

/// Explains one object, by its id, UPN, mail or display name. `order` says who asks, and when to stop; its extent and
/// watcher are not used.
///
/// # Errors
/// [`ExplainError`].
pub async fn explain(job: &Job, order: &Order, object: &str) -> Result<Explanation, ExplainError> {
    let aside = Job {
        snapshot: job.snapshot.aside().map_err(CycleError::Store)?,
        ..job.clone()
    };
    let gathered = Arc::new(Gathered::default());
    let order = Order {
        extent: Extent::Explain,
        apply: false,
        watcher: Arc::<Gathered>::clone(&gathered),
        ..order.clone()
    };
    let now = job.clock.now();
    let mut cycle = Cycle::new(&aside, &order, now);
    let (kind, id) = cycle.find(object).await?;
    Ok(cycle.explain(kind, id, &gathered).await?)
}

/// The operations and omissions of the cycle, and what it remarks.
#[derive(Default)]
struct Gathered(Mutex<Seen>);

#[derive(Default)]
struct Seen {
    operations: Vec<Operation>,
    omissions: Vec<(SourceId, Omission)>,
    notes: Vec<String>,
}

impl Gathered {
    fn with<T>(&self, work: impl FnOnce(&mut Seen) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Watcher for Gathered {
    fn operation(&self, operation: &Operation) {
        self.with(|seen| seen.operations.push(operation.clone()));
    }

    fn omission(&self, _: ObjectKind, object: SourceId, _: &str, omission: &Omission) {
        self.with(|seen| seen.omissions.push((object, omission.clone())));
    }

    fn finding(&self, text: &str) {
        self.with(|seen| seen.notes.push(text.to_owned()));
    }
}

impl Cycle<'_> {
    /// The one object that is meant; one that is not read yet is asked for by its id.
    async fn find(&self, name: &str) -> Result<(ObjectKind, SourceId), ExplainError> {
        let wanted = vec![name.to_owned()];
        let found = self
            .run
            .store(move |snapshot| snapshot.one_named(&[ObjectKind::User, ObjectKind::Group], &wanted))
            .await?;
        let error = match found {
            Ok(one) => return Ok((one[0].kind, one[0].id)),
            Err(error) => error,
        };
        match (&error, name.parse()) {
            (NotOne::Nothing { .. }, Ok(id)) => match self.find_new(id).await? {
                Some(kind) => Ok((kind, id)),
                None => Err(ExplainError::NotOne(error)),
            },
            (NotOne::Nothing { .. }, Err(_)) | (NotOne::Several { .. }, _) => {
                Err(ExplainError::NotOne(error))
            }
        }
    }

    /// An object that the streams have not brought yet: put beside the others, where it is forgotten again.
    async fn find_new(&self, id: SourceId) -> Result<Option<ObjectKind>, CycleError> {
        for kind in [ObjectKind::User, ObjectKind::Group] {
            let answers = self
                .run
                .job
                .source
                .look_up(kind, &[id], &self.run.job.select(kind))
                .await;
            let Ok(answers) = answers else { return Ok(None) };
            if let Some((_, Existence::Alive(attributes))) = answers.into_iter().next() {
                self.run
                    .store(move |snapshot| {
                        let mut tx = snapshot.tx()?;
                        let mut record = Record::new(kind, id, snapshot.stream(kind)?.generation);
                        record.object.attributes = attributes;
                        tx.put_record(&record)?;
                        tx.commit(Durability::Lazy)
                    })
                    .await?;
                return Ok(Some(kind));
            }
        }
        Ok(None)
    }

    /// The steps of a cycle, for this object alone.
    async fn explain(
        &mut self,
        kind: ObjectKind,
        id: SourceId,
        gathered: &Gathered,
    ) -> Result<Explanation, CycleError> {
        self.prepare().await?;
        prepare_evaluation(&mut self.run).await?;
        self.stops.pass(&self.run).await?;
        self.intake.recall_assignments(&self.run).await?;
        if self.intake.entitlements.known {
            // What a cycle comes to whose list says the same.
            self.intake.listing = Listing::Whole;
        }
        self.judge.read_kept_back(&mut self.run).await?;
        self.read_refusals(kind, id, gathered).await?;
        let asked = self.ask_source(kind, id).await?;
        self.focus_on(kind, id).await?;
        self.intake.rescope(&mut self.run).await?;
        self.ask_for_those_referred_to(kind, id).await?;
        self.escrow.read(&mut self.run).await?;
        self.name_waiting_parts(kind, id).await?;
        self.find_due().await?;
        self.mark_chosen(kind, id).await?;
        let prepared = self.readings.prepare_target(&self.run).await;
        Self::noted(prepared, "the target was not asked what it can do", gathered)?;
        self.settle_intents().await?;
        let read = self.read_target().await;
        Self::noted(read, "the target could not be read", gathered)?;
        self.find_drift().await?;
        self.guard().await?;
        self.follow_values().await?;
        let seen = self.look(kind, id).await?;
        let link = seen.as_ref().and_then(|seen| seen.link.clone());
        let actual = match link {
            Some(link) => self.read_actual(kind, &link.target, gathered).await?,
            None => None,
        };
        if !self.run.job.managed.contains(&kind) {
            gathered.finding(&format!(
                "{kind}s are not managed by this job: nothing is planned for them"
            ));
        }
        self.disables().await?;
        self.members_out().await?;
        self.users().await?;
        self.groups().await?;
        self.deletes().await?;
        self.late_values().await?;
        self.judge.tell_pause(&self.run);
        let Some(view) = seen else {
            let (what, name) = (kind.word(), id.to_string());
            return Err(NotOne::Nothing { what, name }.into());
        };
        self.put_together(&view, asked, actual.as_ref(), gathered).await
    }

    /// What the target refused waits here as it does in a cycle; and of a user, in which groups it was refused.
    async fn read_refusals(
        &mut self,
        kind: ObjectKind,
        id: SourceId,
        gathered: &Gathered,
    ) -> Result<(), CycleError> {
        let groups = self
            .run
            .store(move |snapshot| {
                let mut groups = Vec::new();
                if kind == ObjectKind::User {
                    for (group, row) in refused::refused_memberships(snapshot, &id)? {
                        let record = snapshot.record(ObjectKind::Group, &group)?;
                        let name = record.map_or_else(|| group.to_string(), |record| record.object.name());
                        groups.push((name, group, row));
                    }
                }
                Ok(groups)
            })
            .await?;
        for (name, group, row) in groups {
            let next = row.next_try.map_or_else(
                || "when it changes".to_owned(),
                |at| format!("at {at}, or when it changes"),
            );
            gathered.finding(&format!(
                "membership of group {name} ({group}): {}; tried again {next}; {}",
                row.error, row.hint
            ));
        }
        Ok(())
    }

    /// Where only parts of an object wait, each of them is named beside its entry in escrow.
    async fn name_waiting_parts(&mut self, kind: ObjectKind, id: SourceId) -> Result<(), CycleError> {
        if !self.run.standing.is((kind, id), Fact::InEscrow) {
            return Ok(());
        }
        let rows = self
            .run
            .store(move |snapshot| refused::refusals(snapshot, kind, &id))
            .await?;
        for row in rows {
            let until = row.next_try.map(|at| at.to_string());
            let omission = match row.member() {
                Some(member) => Omission::MemberRefused {
                    member,
                    why: row.error,
                    until,
                },
                None => Omission::AttributeRefused {
                    attribute: row.attribute,
                    until,
                },
            };
            self.run.omit(kind, id, "", &omission);
        }
        Ok(())
    }

    /// A target that does not answer is a note; anything else is an error.
    fn noted(done: Result<(), CycleError>, what: &str, gathered: &Gathered) -> Result<(), CycleError> {
        match done {
            Err(error @ CycleError::Target(_)) => {
                gathered.finding(&format!("{what}: {}; {}", chain(&error), error.hint()));
                Ok(())
            }
            other => other,
        }
    }

    /// Asks the source for this object, and goes on with what it answered; its words for it, and what of it
    /// is other than what was read before.
    async fn ask_source(&self, kind: ObjectKind, id: SourceId) -> Result<(String, Vec<String>), CycleError> {
        let select = self.run.job.select(kind);
        let answer = match self.run.job.source.look_up(kind, &[id], &select).await {
            Ok(answers) => answers
                .into_iter()
                .find(|(of, _)| *of == id)
                .map(|(_, answer)| answer),
            Err(error) => {
                let words = format!("no answer: {}; {}", chain(&error), error.hint());
                return Ok((words, Vec::new()));
            }
        };
        let Some(answer) = answer else {
            return Ok(("no answer".to_owned(), Vec::new()));
        };
        if let Existence::Unknown(why) = answer {
            let words = format!("no clear answer ({why}), so what was read before is shown");
            return Ok((words, Vec::new()));
        }
        let looking = Looking {
            named: true,
            ..self.run.looking()
        };
        self.run.store(move |snapshot| {
            let Some(before) = snapshot.record(kind, &id)? else {
                return Ok(("no answer".to_owned(), Vec::new()));
            };
            let moved = moved(&before, &answer);
            let mut tx = snapshot.tx()?;
            apply_existence(&mut tx, kind, &id, &answer, looking)?;
            tx.commit(Durability::Lazy)?;
            let words = match moved.as_slice() {
                [] => "as the last cycle read it".to_owned(),
                some => format!(
                    "changed since it was last read: {}; shown as it answers, and the next cycle goes by what the delta query brings",
                    some.join(", ")
                ),
            };
            Ok((words, moved))
        })
        .await
    }

    /// The object as the planner sees it, before any pass.
    async fn look(&self, kind: ObjectKind, id: SourceId) -> Result<Option<ObjectView>, CycleError> {
        let (rules, context) = (self.readings.rules(&self.run), self.context(kind, true).await?);
        self.run
            .store(move |snapshot| {
                let planner = rules.planner(true);
                view(snapshot, &context, kind, id, &|view| keys_of(&planner, view))
            })
            .await
    }

    /// The linked resource as it is now.
    async fn read_actual(
        &self,
        kind: ObjectKind,
        target: &crate::model::id::TargetId,
        gathered: &Gathered,
    ) -> Result<Option<serde_json::Value>, CycleError> {
        match self.run.job.target.read(kind, target).await {
            Ok(Some(resource)) => Ok(Some(resource.body)),
            Ok(None) => {
                gathered.finding(&format!(
                    "resource {target} is gone at the target (404): once something of the {kind} changes, or with `melonsync \
                     resync`, it is matched or created again; a full cycle reports it as `missing`, or creates it where \
                     `drift` heals that"
                ));
                Ok(None)
            }
            Err(error) => {
                let error = Err(CycleError::Target(error));
                Self::noted(error, "the target could not be read", gathered).map(|()| None)
            }
        }
    }

    async fn put_together(
        &self,
        view: &ObjectView,
        (asked, moved): (String, Vec<String>),
        actual: Option<&serde_json::Value>,
        gathered: &Gathered,
    ) -> Result<Explanation, CycleError> {
        let (kind, id) = (view.object.kind, view.object.id);
        let (operations, omissions, notes) = gathered.with(|seen| {
            let mut operations = std::mem::take(&mut seen.operations);
            operations.retain(|operation| (operation.kind, operation.source) == (kind, id));
            let omissions = std::mem::take(&mut seen.omissions);
            let mine = omissions.into_iter().filter(|(of, _)| *of == id);
            let words = mine.map(|(_, omission)| {
                (
                    omission.label().to_owned(),
                    omission.to_string(),
                    omission.hint().into_owned(),
                )
            });
            (
                operations,
                words.collect::<Vec<_>>(),
                std::mem::take(&mut seen.notes),
            )
        });
        let planner = self.readings.planner(&self.run, true);
        let keys = planner.match_keys(view).unwrap_or_default();
        let keys = keys
            .into_iter()
            .map(|key| {
                let hidden = self.run.job.mapping.is_redacted(kind, key.path.name());
                let value = if hidden {
                    explain::hidden(key.value)
                } else {
                    key.value
                };
                (key.path.as_str().to_owned(), value)
            })
            .collect();
        let held = Held {
            link: view.link.as_ref(),
            actual,
        };
        let attributes = planner.attributes(view, held, &operations);
        let (read, history) = self
            .run
            .store(move |snapshot| {
                let read = snapshot.stream(kind)?.complete_since;
                Ok((read.map(|time| time.to_string()), history_of(snapshot, kind, id)?))
            })
            .await?;
        let scope = self.in_scope(view).await?;
        let names = self.referred_names(&operations, &scope).await?;
        Ok(Explanation {
            job: self.run.job.name.clone(),
            kind,
            id,
            name: view.object.name(),
            notes,
            source: Found {
                read,
                asked,
                moved,
                ..Found::of(&view.object)
            },
            scope,
            matching: Matching::of(view, view.link.as_ref(), keys),
            attributes,
            operations,
            omissions,
            history,
            names,
        })
    }

    /// The names of the members of its operations, and of the groups that the filter asks about.
    async fn referred_names(
        &self,
        operations: &[Operation],
        scope: &InScope,
    ) -> Result<BTreeMap<SourceId, String>, CycleError> {
        let members = operations.iter().flat_map(|operation| &operation.members);
        let users = members.map(|member| (ObjectKind::User, member.source));
        let groups = scope.memberships.iter();
        let groups = groups.map(|(of, _)| (ObjectKind::Group, of.group));
        let known = names_of(&self.run, users.chain(groups).collect()).await?;
        Ok(known.into_iter().map(|((_, id), name)| (id, name)).collect())
    }

    async fn in_scope(&self, view: &ObjectView) -> Result<InScope, CycleError> {
        let (kind, id) = (view.object.kind, view.object.id);
        let rules = Arc::clone(&self.run.job.scope);
        let asked = match kind {
            ObjectKind::User => rules.member_of(),
            ObjectKind::Group => BTreeSet::new(),
        };
        let (entitlements, counts) = (self.intake.entitlements.clone(), self.run.job.assigning.scope);
        let (memberships, assigned) = self
            .run
            .store(move |snapshot| {
                let mut memberships = Vec::new();
                for of in asked {
                    memberships.push((of, snapshot.scope_member(&of, &id)?));
                }
                let known = entitlements.known;
                let assigned = if known {
                    entitlements.is_assigned(snapshot, kind, &id)?
                } else {
                    None
                };
                Ok((memberships, assigned))
            })
            .await?;
        let filter = match kind {
            ObjectKind::User => rules.user_filter.as_ref(),
            ObjectKind::Group => rules.group_filter.as_ref(),
        };
        let everybody = rules.takes_every(kind) && !counts;
        Ok(InScope::of(view, filter, memberships, assigned, everybody))
    }
}

/// What an answer of the source moves: names of properties, or that it is gone.
fn moved(before: &Record, answer: &Existence) -> Vec<String> {
    match answer {
        Existence::Alive(attributes) => {
            let moved = attributes.iter().filter(|(name, value)| {
                let held = before.object.attribute(name);
                held.map_or(!value.is_unassigned(), |held| held != *value)
            });
            let back = (before.object.life != Life::Alive).then(|| "it is there".to_owned());
            back.into_iter()
                .chain(moved.map(|(name, _)| name.to_string()))
                .collect()
        }
        Existence::SoftDeleted | Existence::HardDeleted if before.is_gone() => Vec::new(),
        Existence::SoftDeleted => vec!["deleted, restorable for 30 days".to_owned()],
        Existence::HardDeleted => vec!["permanently deleted".to_owned()],
        Existence::Unknown(_) => Vec::new(),
    }
}

/// The last operations on an object, newest first.
fn history_of(snapshot: &Snapshot, kind: ObjectKind, id: SourceId) -> Result<Vec<Past>, StoreError> {
    let mut last: VecDeque<u64> = VecDeque::new();
    snapshot.history_since(Timestamp(i64::MIN), |entry| {
        if (entry.kind, entry.object) == (Some(kind), Some(id)) {
            last.push_front(entry.seq);
            last.truncate(OPERATIONS_SHOWN);
        }
    })?;
    let mut shown = Vec::new();
    for seq in last {
        for (entry, values) in snapshot.history(seq, 1)?.into_iter().take(1) {
            let values = values.unwrap_or_default();
            shown.push(Past {
                changes: values.changes,
                detail: values.detail,
                ..past(entry)
            });
        }
    }
    Ok(shown)
}

fn past(entry: Entry) -> Past {
    Past {
        time: entry.time.to_string(),
        cycle: entry.cycle.map(|cycle| cycle.to_string()),
        actor: entry.actor,
        operation: entry.operation,
        result: entry.result,
        because: entry.reason,
        target: entry.target.map(|target| target.to_string()),
        ..Past::default()
    }
}

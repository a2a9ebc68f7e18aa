//! What is shown of an object that is explained: both sides, its scope, its match, each attribute, its operations and its past.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;

use crate::engine::error::CycleError;
use crate::engine::explain::enrolled::in_enrolled;
use crate::engine::explain::gathered::Gathered;
use crate::engine::explain::groups::groups;
use crate::engine::intake::Intake;
use crate::engine::phases::Phases;
use crate::engine::run::Run;
use crate::engine::set_aside::names_of;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::value::Value;
use crate::ports::StoreError;
use crate::reconcile::back::life;
use crate::reconcile::explain;
use crate::reconcile::explain::object::Attribute;
use crate::reconcile::explain::object::Explanation;
use crate::reconcile::explain::object::Found;
use crate::reconcile::explain::object::InScope;
use crate::reconcile::explain::object::Matching;
use crate::reconcile::explain::object::Past;
use crate::reconcile::explain::rows::Held;
use crate::reconcile::forward::plan::Planner;
use crate::reconcile::forward::view::ObjectView;
use crate::reconcile::operation::Operation;
use crate::snapshot::cells::CellReads;
use crate::snapshot::history::Entry;
use crate::snapshot::read::Reads;
use crate::snapshot::scope::ScopeReads;
use crate::snapshot::store::Snapshot;

/// As many past operations as fit a screen.
const OPERATIONS_SHOWN: usize = 10;

/// Label, words and hint of an omission.
type Words = (String, String, String);

/// What both sides answered for the object.
pub(super) struct Sides {
    /// What the source said, and which of its properties are other than what was read before.
    pub(super) source: (String, Vec<String>),
    /// The linked resource as the target holds it.
    pub(super) target: Option<serde_json::Value>,
    /// The group that is asked about.
    pub(super) in_group: Option<SourceId>,
}

/// Puts together what the steps came to.
pub(super) async fn put_together(
    run: &Run<'_>,
    phases: &Phases,
    view: &ObjectView,
    sides: Sides,
    gathered: &Gathered,
) -> Result<Explanation, CycleError> {
    let (kind, id) = (view.object.kind, view.object.id);
    let (operations, omissions, notes) = said_of(kind, id, gathered);
    let planner = phases.readings.planner(run, true);
    let keys = looked_for(run, &planner, view);
    let held = Held {
        link: view.link.as_ref(),
        actual: sides.target.as_ref(),
    };
    let mut attributes = planner.attributes(view, held, &operations);
    tell_lives(run, id, &mut attributes).await?;
    let (read, history) = run
        .store(move |snapshot| {
            let read = snapshot.stream(kind)?.complete_since;
            Ok((read.map(|time| time.to_string()), history_of(snapshot, kind, id)?))
        })
        .await?;
    let mut scope = in_scope(run, &phases.intake, view).await?;
    let enrolled = in_enrolled(run, view, sides.in_group).await?;
    let asked = sides
        .in_group
        .filter(|group| run.job.enrolled_group() != Some(*group));
    let groups = groups(run, view, &scope, asked).await?;
    scope.way = groups.way;
    let names = referred_names(run, &operations, &scope).await?;
    Ok(Explanation {
        job: run.job.name.clone(),
        kind,
        id,
        name: view.object.name(),
        notes,
        source: Found {
            read,
            asked: sides.source.0,
            moved: sides.source.1,
            ..Found::of(&view.object)
        },
        scope,
        matching: Matching::of(view, view.link.as_ref(), keys),
        attributes,
        operations,
        omissions,
        history,
        names,
        groups: groups.all,
        in_group: groups.asked,
        enrolled,
        paused: phases.judge.pause_in_words(),
    })
}

/// Adds to each attribute that is written back since when its value belongs to the target, and what became of it.
async fn tell_lives(run: &Run<'_>, id: SourceId, attributes: &mut [Attribute]) -> Result<(), CycleError> {
    let Some(back) = &run.job.back else { return Ok(()) };
    let Some(row) = run.store(move |snapshot| snapshot.cells(&id)).await? else {
        return Ok(());
    };
    for way in &back.attributes {
        let mut mine = attributes
            .iter_mut()
            .filter(|one| one.target == way.path.as_str());
        let Some((attribute, kept)) = mine.next().zip(row.cells.get(&way.property)) else {
            continue;
        };
        let life = life::words(&way.property, kept.since, &kept.cell, kept.finding);
        attribute.remark = Some(match attribute.remark.take() {
            Some(remark) => format!("{remark}; {life}"),
            None => life,
        });
    }
    Ok(())
}

/// What it is looked up by, as it may be shown.
fn looked_for(run: &Run<'_>, planner: &Planner<'_>, view: &ObjectView) -> Vec<(String, Value)> {
    let keys = planner.match_keys(view).unwrap_or_default().into_iter();
    let shown = keys.map(|key| {
        let hidden = run.job.mapping.is_redacted(view.object.kind, key.path.name());
        let value = if hidden {
            explain::hidden(key.value)
        } else {
            key.value
        };
        (key.path.as_str().to_owned(), value)
    });
    shown.collect()
}

/// What the steps reported of the object: its operations, its omissions in words, and their notes.
fn said_of(kind: ObjectKind, id: SourceId, gathered: &Gathered) -> (Vec<Operation>, Vec<Words>, Vec<String>) {
    gathered.with(|seen| {
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
    })
}

/// The names of the members of its operations, and of the groups that the filter asks about.
async fn referred_names(
    run: &Run<'_>,
    operations: &[Operation],
    scope: &InScope,
) -> Result<BTreeMap<SourceId, String>, CycleError> {
    let members = operations.iter().flat_map(|operation| &operation.members);
    let users = members.map(|member| (ObjectKind::User, member.source));
    let groups = scope.memberships.iter();
    let groups = groups.map(|(of, _)| (ObjectKind::Group, of.group));
    let known = names_of(run, users.chain(groups).collect()).await?;
    Ok(known.into_iter().map(|((_, id), name)| (id, name)).collect())
}

async fn in_scope(run: &Run<'_>, intake: &Intake, view: &ObjectView) -> Result<InScope, CycleError> {
    let (kind, id) = (view.object.kind, view.object.id);
    let rules = Arc::clone(&run.job.scope);
    let asked = match kind {
        ObjectKind::User => rules.member_of(),
        ObjectKind::Group => BTreeSet::new(),
    };
    let (entitlements, counts) = (intake.entitlements.clone(), run.job.assigning.scope);
    let (memberships, assigned) = run
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

/// The last operations on an object, newest first.
fn history_of(snapshot: &Snapshot, kind: ObjectKind, id: SourceId) -> Result<Vec<Past>, StoreError> {
    let last = snapshot.last_of(kind, &id, OPERATIONS_SHOWN)?.into_iter();
    let shown = last.map(|(entry, values)| {
        let values = values.unwrap_or_default();
        Past {
            changes: values.changes,
            detail: values.detail,
            ..past(entry)
        }
    });
    Ok(shown.collect())
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

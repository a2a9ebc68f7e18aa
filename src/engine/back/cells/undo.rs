//! Takes back what an earlier cycle wrote to Entra, where Entra still holds it. The target keeps its value: from then on the two
//! differ, which is nobody's change, and nothing is carried again until the target moves.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::admit;
use super::person::KIND;
use super::person::Reading;
use super::send;
use super::task::Due;
use super::task::Task;
use crate::engine::back::WayBack;
use crate::engine::error::CycleError;
use crate::engine::intake::scoping::Scoping;
use crate::engine::judge::Judge;
use crate::engine::run::Run;
use crate::model::clock::Timestamp;
use crate::model::id::CycleId;
use crate::model::id::SourceId;
use crate::model::object::Existence;
use crate::model::value::Attributes;
use crate::model::value::Value;
use crate::ports::StoreError;
use crate::reconcile::back::cell::Pair;
use crate::reconcile::back::cell::ReadingId;
use crate::reconcile::back::cell::Writable;
use crate::reconcile::back::cell::Write;
use crate::reconcile::back::finding::Finding;
use crate::reconcile::explain::reason::Reason;
use crate::reconcile::operation::Change;
use crate::reconcile::operation::Verb;
use crate::snapshot::cells::CellReads;
use crate::snapshot::cells::KeptCell;
use crate::snapshot::cells::UserCells;
use crate::snapshot::cells::WAY_BACK;
use crate::snapshot::query::Query;
use crate::snapshot::read::Reads;
use crate::snapshot::state::StateReads;
use crate::snapshot::store::Snapshot;

/// What was written for a user, and what is remembered of them now.
struct Deed {
    id: SourceId,
    name: String,
    row: Option<UserCells>,
    changes: Vec<Change>,
}

/// Takes back what this cycle wrote.
pub(in crate::engine) async fn take_back(
    run: &mut Run<'_>,
    judge: &mut Judge,
    cycle: CycleId,
) -> Result<(), CycleError> {
    let Some(back) = run.job.back.clone().filter(|back| !back.attributes.is_empty()) else {
        return Ok(());
    };
    let deeds = run.store(move |snapshot| deeds(snapshot, cycle)).await?;
    if deeds.is_empty() {
        return Ok(());
    }
    let tasks = invert(run, &back, deeds, cycle).await?;
    let reading = Reading {
        id: ReadingId(0),
        now: run.now,
        source_read: None,
        readable: Default::default(),
        paused: run.paused,
        kept_back: judge.kept_back.clone(),
        protect: Vec::new(),
        in_escrow: Default::default(),
        scope: Scoping::new(&run.job.scope, None, false),
    };
    let tasks = admit::guard(run, judge, (back.clear_threshold, &reading), tasks).await?;
    let state = run.store(|snapshot| snapshot.state(&WAY_BACK)).await?;
    send::send(run, &back, &mut state.unwrap_or_default(), tasks).await?;
    Ok(())
}

/// What a cycle wrote, user by user.
fn deeds(snapshot: &Snapshot, cycle: CycleId) -> Result<Vec<Deed>, StoreError> {
    let query = Query {
        cycle: Some(cycle),
        result: Some("done".to_owned()),
        ..Query::default()
    };
    let mut written: BTreeMap<SourceId, BTreeMap<String, Change>> = BTreeMap::new();
    snapshot.search_history(&query, |entry, values| {
        let (Some(id), Some(values)) = (entry.object, values) else {
            return Ok(());
        };
        if entry.operation == Verb::write_back().name() {
            let mine = written.entry(id).or_default();
            for change in &values.changes {
                // Of two writes in one cycle, what was there before the first goes back.
                let property = change.attribute.as_str().to_owned();
                let first = mine.get(&property).map(|earlier| earlier.before.clone());
                let before = first.unwrap_or_else(|| change.before.clone());
                mine.insert(
                    property,
                    Change {
                        before,
                        ..change.clone()
                    },
                );
            }
        }
        Ok(())
    })?;
    let mut deeds = Vec::new();
    for (id, changes) in written {
        let record = snapshot.record(KIND, &id)?;
        deeds.push(Deed {
            id,
            name: record.map_or_else(|| id.to_string(), |record| record.object.name()),
            row: snapshot.cells(&id)?,
            changes: changes.into_values().collect(),
        });
    }
    Ok(deeds)
}

/// Asks Entra what it holds, and puts the inverse together. What was changed since is reported and left.
async fn invert(
    run: &Run<'_>,
    back: &Arc<WayBack>,
    deeds: Vec<Deed>,
    cycle: CycleId,
) -> Result<Vec<Task>, CycleError> {
    let ids: Vec<SourceId> = deeds.iter().map(|deed| deed.id).collect();
    let select: Vec<String> = back.attributes.iter().map(|way| way.property.clone()).collect();
    let answers = run.job.source.look_up(KIND, &ids, &select).await;
    let mut held: BTreeMap<SourceId, Existence> = answers.map_err(CycleError::Source)?.into_iter().collect();
    let mut tasks = Vec::new();
    for deed in deeds {
        let found = match (held.remove(&deed.id), deed.row) {
            (Some(Existence::Alive(attributes)), Some(row)) => Some((attributes, row)),
            _ => None,
        };
        let Some((attributes, row)) = found else {
            let text = format!(
                "{KIND} {} ({}): Entra does not show it, or it has no resource any more",
                deed.name, deed.id
            );
            run.order.watcher.finding(&text);
            continue;
        };
        let mut due = Vec::new();
        for change in &deed.changes {
            match inverse(back, &row, change, &attributes, (cycle, run.now)) {
                Some(one) => due.push(one),
                None => run.order.watcher.finding(&format!(
                    "{KIND} {} ({}): {} was changed in Entra since, and stays",
                    deed.name,
                    deed.id,
                    change.attribute.as_str()
                )),
            }
        }
        if !due.is_empty() {
            tasks.push(Task::new((deed.id, deed.name), Writable::default(), row, due));
        }
    }
    Ok(tasks)
}

/// The inverse of one value, where Entra still holds what was written.
fn inverse(
    back: &WayBack,
    row: &UserCells,
    change: &Change,
    attributes: &Attributes,
    (cycle, now): (CycleId, Timestamp),
) -> Option<Due> {
    let property = change.attribute.as_str();
    let way = back.attributes.iter().find(|way| way.property == property)?;
    let kept = row.cells.get(property)?;
    let holds = attributes.get(property).cloned().unwrap_or_default();
    if !way.rules.compare.alike(&holds, &change.after) {
        return None;
    }
    let open = kept.cell.open.as_ref().map(|open| &open.target);
    let target: &Value = open.or(kept.cell.base.as_ref().map(|base| &base.target))?;
    let write = Write {
        from: holds.clone(),
        to: change.before.clone(),
        target: target.clone(),
        again: false,
    };
    let mut cell = kept.cell.clone();
    cell.open = None;
    cell.base = Some(Pair {
        source: holds,
        target: target.clone(),
    });
    let undone = Reason::Undone {
        cycle: cycle.to_string(),
    };
    // To the way back an undo is an edit in Entra.
    let finding = Some((Finding::SourceEditedTargetOwned, now));
    let decided = KeptCell {
        cell,
        finding,
        of_base: finding,
        ..kept.clone()
    };
    Some(Due::new(property, write, decided, undone))
}

//! Which writes go out now: the guard counts clears, the brake counts all of a day, and what waits for a person is entered as
//! withheld.

use std::collections::BTreeSet;

use super::findings::report;
use super::person::KIND;
use super::person::Person;
use super::person::Reading;
use super::person::withheld_key;
use super::task::Due;
use super::task::Task;
use super::task::waiting;
use crate::engine::error::CycleError;
use crate::engine::judge::Judge;
use crate::engine::judge::kept_back::Met;
use crate::engine::judge::kept_back::paused;
use crate::engine::run::Run;
use crate::model::clock::Timestamp;
use crate::model::id::SourceId;
use crate::reconcile::back::brake::USUAL_DAYS;
use crate::reconcile::back::brake::most_today;
use crate::reconcile::back::finding::Finding;
use crate::reconcile::explain::omission::Omission;
use crate::reconcile::guard::Class;
use crate::reconcile::operation::Operation;
use crate::reconcile::policy::Threshold;
use crate::snapshot::cells::WayBackState;
use crate::snapshot::kept_back::KeptBackReads;
use crate::snapshot::kept_back::Withheld;
use crate::snapshot::store::Snapshot;

/// What waits for a person.
const CONFLICT: &str =
    "both sides moved, or two writers undo each other: releasing it writes the target's value";

/// Enters what waits for a person as withheld.
pub(super) fn withhold_waiting(run: &mut Run<'_>, judge: &mut Judge, people: &[Person]) {
    for person in people {
        withhold(run, judge, &waiting(person), CONFLICT.to_owned());
    }
}

/// Keeps back clears over the threshold. Returns what is left.
pub(super) async fn guard(
    run: &mut Run<'_>,
    judge: &mut Judge,
    (threshold, reading): (Threshold, &Reading),
    tasks: Vec<Task>,
) -> Result<Vec<Task>, CycleError> {
    judge.read_window(run).await?;
    let counts = run.store(Snapshot::counts).await?;
    let asked: u64 = tasks
        .iter()
        .filter(|task| !reading.released(task.id))
        .map(|task| task.due.iter().filter(|due| due.clears()).count() as u64)
        .sum();
    let (sent, most) = (judge.sent.clears, threshold.limit(counts.linked_users));
    let over = (asked > 0 && asked + sent > most).then(|| {
        format!(
            "{asked} values would be cleared in Entra, {sent} were within the guard window, and clear_threshold = {threshold} lets {most} \
             through"
        )
    });
    let pause = judge.kept_back.pause.as_ref().map(paused);
    let mut left = Vec::new();
    for task in tasks {
        let why = match (&pause, &over) {
            (Some(pause), _) => Some(pause),
            (None, Some(over)) if !reading.released(task.id) => Some(over),
            (None, _) => None,
        };
        let Some(why) = why else {
            left.push(task);
            continue;
        };
        let (clears, rest): (Vec<Due>, Vec<Due>) = task.due.iter().cloned().partition(Due::clears);
        if !clears.is_empty() {
            let operation = task.with(clears).operation();
            withhold(run, judge, &operation, why.clone());
        }
        if !rest.is_empty() {
            left.push(task.with(rest));
        }
    }
    Ok(left)
}

fn withhold(run: &mut Run<'_>, judge: &mut Judge, operation: &Operation, why: String) {
    run.summary.withhold(operation, 1);
    let omission = Omission::Withheld {
        verb: operation.verb,
        why: why.clone(),
    };
    run.order
        .watcher
        .omission(operation.kind, operation.source, &operation.name, &omission);
    let entry = Withheld {
        verb: operation.verb,
        reason: operation.because.label().to_owned(),
        because: operation.because.to_string(),
        why,
        count: 1,
        members: Vec::new(),
        since: run.now,
        cycle: run.order.id,
        released_by: None,
        alike: None,
    };
    let key = (operation.kind, operation.source, Class::WriteBack);
    judge.met.push((key, Met::Withheld(Box::new(entry))));
}

/// Lets through as many values as today may have, and reports that others wait.
pub(super) fn brake(run: &mut Run<'_>, state: &WayBackState, tasks: Vec<Task>) -> Vec<Task> {
    let today = day_of(run.now);
    let before: Vec<u64> = days_before(state, today);
    let written = state
        .writes
        .iter()
        .find(|(day, _)| *day == today)
        .map_or(0, |(_, n)| *n);
    let most = most_today(&before);
    let mut free = most.saturating_sub(written);
    let mut waits = 0_u64;
    let mut left = Vec::new();
    for task in tasks {
        let values = task.due.len() as u64;
        if values <= free {
            free -= values;
            left.push(task);
        } else {
            waits += values;
        }
    }
    if waits > 0 {
        let text = format!(
            "{waits} values wait: {written} were written back today, and {most} a day are three times what is usual, and always 50"
        );
        report(
            run,
            Finding::TwoWriters.code(),
            text,
            "look for whatever changes so many values at the target; the rest goes tomorrow".to_owned(),
        );
        run.left.findings += 1;
    }
    left
}

/// Returns the number of writes of each day before today, those without one among them.
fn days_before(state: &WayBackState, today: i64) -> Vec<u64> {
    let Some((first, _)) = state.writes.first() else {
        return Vec::new();
    };
    let longest = i64::try_from(USUAL_DAYS).unwrap_or(i64::MAX);
    let from = (*first).max(today.saturating_sub(longest));
    let on = |day: i64| {
        state
            .writes
            .iter()
            .find(|(of, _)| *of == day)
            .map_or(0, |(_, n)| *n)
    };
    (from..today).map(on).collect()
}

/// Counts what was written today.
pub(super) fn count_writes(state: &mut WayBackState, now: Timestamp, values: u64) {
    let today = day_of(now);
    match state.writes.last_mut().filter(|(day, _)| *day == today) {
        Some((_, count)) => *count += values,
        None => state.writes.push((today, values)),
    }
    let over = state.writes.len().saturating_sub(USUAL_DAYS + 1);
    state.writes.drain(..over);
}

const fn day_of(now: Timestamp) -> i64 {
    now.0.div_euclid(24 * 60 * 60 * 1000)
}

/// Takes out of a saved plan's cycle what is not in that plan.
pub(super) fn only_planned(run: &mut Run<'_>, tasks: Vec<Task>) -> Vec<Task> {
    let Some(plan) = run.order.only.clone() else {
        return tasks;
    };
    let (planned, others): (Vec<Task>, Vec<Task>) = tasks.into_iter().partition(|task| {
        let operation = task.operation();
        let (admitted, _) = plan.admit(operation.clone(), &operation);
        admitted.is_some_and(|admitted| admitted == operation)
    });
    run.left.unplanned += others.len() as u64;
    planned
}

/// Deletes what was withheld on the way back and is not asked for any more.
pub(super) async fn forget_unasked(run: &Run<'_>, sent: BTreeSet<SourceId>) -> Result<(), CycleError> {
    let cycle = run.order.id;
    run.keep(move |snapshot| {
        let mut stale = Vec::new();
        snapshot.each_withheld(|key, entry| {
            let used = sent.contains(&key.1);
            let waits = entry.released_by.is_some() && !used;
            if key.0 == KIND && key.2 == Class::WriteBack && (used || (entry.cycle != cycle && !waits)) {
                stale.push(key.1);
            }
            Ok(())
        })?;
        let mut tx = snapshot.tx()?;
        for id in stale {
            tx.delete_withheld(&withheld_key(id));
        }
        tx.commit(crate::ports::Durability::Lazy)
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(day: i64) -> Timestamp {
        Timestamp(day * 24 * 60 * 60 * 1000 + 1)
    }

    #[test]
    fn a_day_without_a_write_is_a_day_too() {
        let mut state = WayBackState::default();
        assert!(days_before(&state, 100).is_empty());
        for (day, values) in [(100, 2), (100, 1), (103, 4)] {
            count_writes(&mut state, days(day), values);
        }
        assert_eq!(state.writes, [(100, 3), (103, 4)]);
        assert_eq!(days_before(&state, 103), [3, 0, 0]);
        assert_eq!(days_before(&state, 104), [3, 0, 0, 4]);
        assert_eq!(days_before(&state, 130).len(), USUAL_DAYS);
    }

    #[test]
    fn days_that_are_long_past_are_dropped() {
        let mut state = WayBackState::default();
        for day in 0..40 {
            count_writes(&mut state, days(day), 1);
        }
        assert_eq!(state.writes.len(), USUAL_DAYS + 1);
        assert_eq!(state.writes.last(), Some(&(39, 1)));
    }
}

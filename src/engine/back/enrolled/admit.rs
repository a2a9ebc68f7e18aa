//! Which changes of the enrolled group are sent now: not what is on hold, what waits for a person, or what the guard withholds.

use super::weigh::Due;
use crate::engine::back::EnrolledRules;
use crate::engine::job::Extent;
use crate::engine::judge::Judge;
use crate::engine::judge::kept_back::Met;
use crate::engine::judge::kept_back::class_of;
use crate::engine::run::Run;
use crate::reconcile::back::enrolled::MEMBER_OF;
use crate::reconcile::back::group::Moves;
use crate::reconcile::back::group::Over;
use crate::reconcile::back::group::approve_joins;
use crate::reconcile::back::group::approve_leaves;
use crate::reconcile::explain::omission::Omission;
use crate::reconcile::guard::Approval;
use crate::reconcile::guard::COMMANDS;
use crate::reconcile::guard::Class;
use crate::reconcile::operation::Operation;
use crate::snapshot::kept_back::Withheld;

/// Lets changes through, or keeps them back. `ours`: the members that melonsync added.
pub(super) fn admit(
    run: &mut Run<'_>,
    judge: &mut Judge,
    rules: &EnrolledRules,
    (due, ours): (Vec<Due>, u64),
) -> Vec<Operation> {
    let released_only = run.order.extent == Extent::Released;
    let mut free: Vec<Due> = due
        .into_iter()
        .filter(|due| due.released || !released_only)
        .filter(|due| !is_held(run, judge, &due.operation))
        .collect();
    let asked = |class| {
        let counts = |due: &&Due| !due.released && due.waits.is_none() && is_of(&due.operation, class);
        free.iter().filter(counts).count() as u64
    };
    let joins = Moves {
        asked: asked(Class::Join),
        sent: judge.sent.joins,
        ours,
    };
    let leaves = Moves {
        asked: asked(Class::Leave),
        sent: judge.sent.leaves,
        ours,
    };
    let words = (
        word("joins", approve_joins(joins, rules.threshold), "add"),
        word_on_leaves(run, judge, rules, leaves),
    );
    let mut admitted = Vec::new();
    for due in free.drain(..) {
        let operation = due.operation;
        let word = if is_of(&operation, Class::Join) {
            &words.0
        } else {
            &words.1
        };
        match (due.waits, word) {
            _ if due.released && !(is_of(&operation, Class::Leave) && judge.kept_back.removals_paused()) => {
                meet_released(judge, &operation);
                admitted.push(operation);
            }
            (Some(why), _) => withhold(run, judge, &operation, why.to_owned()),
            (None, Approval::Withheld(why)) => withhold(run, judge, &operation, why.clone()),
            (None, Approval::Approved) => admitted.push(operation),
        }
    }
    keep_to_plan(run, admitted)
}

fn is_of(operation: &Operation, class: Class) -> bool {
    class_of(operation) == Some(class)
}

/// The guard's word on those who leave: they fall back to the weaker way to sign in.
fn word_on_leaves(run: &Run<'_>, judge: &Judge, rules: &EnrolledRules, leaves: Moves) -> Approval {
    if let Some(standing) = judge.standing_word(run) {
        return standing;
    }
    match run.order.allow_deletions {
        Some(most) if leaves.asked <= most => Approval::Approved,
        Some(most) => Approval::Withheld(format!(
            "{} leaves of the enrolled group are due and --allow-deletions lets at most {most} through; none were sent",
            leaves.asked
        )),
        None => word("leaves", approve_leaves(leaves, rules.threshold), "remove"),
    }
}

fn word(what: &str, approved: Result<(), Over>, key: &str) -> Approval {
    match approved {
        Ok(()) => Approval::Approved,
        Err(Over { moves, limit, most }) => {
            let before = match moves.sent {
                0 => String::new(),
                1 => " and 1 was sent within the guard window".to_owned(),
                sent => format!(" and {sent} were sent within the guard window"),
            };
            Approval::Withheld(format!(
                "{} {what} of the enrolled group are due{before}, more than the {most} that enrolled_threshold.{key} ({limit}, of {}) \
                 lets through{COMMANDS}`melonsync plan --full`, then `melonsync withheld release`",
                moves.asked, moves.ours
            ))
        }
    }
}

/// True for what a person holds, which is reported.
fn is_held(run: &mut Run<'_>, judge: &Judge, operation: &Operation) -> bool {
    let (kind, user) = (operation.kind, operation.source);
    let held = &judge.kept_back;
    let hold = held
        .whole(kind, user)
        .or_else(|| held.attribute(kind, user, MEMBER_OF));
    let Some(why) = hold.map(|hold| hold.words()) else {
        return false;
    };
    run.summary.held += 1;
    let omission = Omission::Held {
        verb: operation.verb,
        why,
    };
    run.omit(kind, user, &operation.name, &omission);
    true
}

fn meet_released(judge: &mut Judge, operation: &Operation) {
    if let Some(class) = class_of(operation) {
        let key = (operation.kind, operation.source, class);
        judge.met.push((key, Met::Released));
    }
}

/// Reports that a change is held back, and keeps it for a person.
fn withhold(run: &mut Run<'_>, judge: &mut Judge, operation: &Operation, why: String) {
    let Some(class) = class_of(operation) else { return };
    let (kind, user) = (operation.kind, operation.source);
    run.summary.withhold(operation, operation.count());
    let omission = Omission::Withheld {
        verb: operation.verb,
        why: why.clone(),
    };
    run.omit(kind, user, &operation.name, &omission);
    let entry = Withheld {
        verb: operation.verb,
        reason: operation.because.label().to_owned(),
        because: operation.because.to_string(),
        why,
        count: operation.count(),
        members: Vec::new(),
        since: run.now,
        cycle: run.order.id,
        released_by: None,
        alike: None,
    };
    judge
        .met
        .push(((kind, user, class), Met::Withheld(Box::new(entry))));
}

/// Leaves what is not in the saved plan, where one is carried out.
fn keep_to_plan(run: &mut Run<'_>, admitted: Vec<Operation>) -> Vec<Operation> {
    let Some(plan) = run.order.only.clone() else {
        return admitted;
    };
    let mut planned = Vec::new();
    for operation in admitted {
        let (verb, kind, user, name) = (
            operation.verb,
            operation.kind,
            operation.source,
            operation.name.clone(),
        );
        let shown = operation.clone();
        let (kept, left) = plan.admit(operation, &shown);
        planned.extend(kept);
        if left > 0 {
            run.left.unplanned += left;
            run.omit(kind, user, &name, &Omission::NotInPlan { verb, count: left });
        }
    }
    planned
}

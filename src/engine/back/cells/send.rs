//! Sends what was admitted, and records what became of it.
//!
//! Guarantee: each write is open on disk before its request is sent, so that a crash goes on at the echo filter and sends nothing
//! twice; what was answered is recorded in one transaction with its history before more is sent.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::VecDeque;

use super::admit::count_writes;
use super::findings::report;
use super::task::Due;
use super::task::Task;
use crate::engine::audit;
use crate::engine::audit::Ending;
use crate::engine::back::WayBack;
use crate::engine::error::CycleError;
use crate::engine::error::chain;
use crate::engine::judge::window::remember_sent;
use crate::engine::run::Run;
use crate::model::clock::Timestamp;
use crate::model::id::SourceId;
use crate::ports::Durability;
use crate::ports::Sent;
use crate::ports::SourceError;
use crate::ports::UserWrite;
use crate::reconcile::back::cell::Refusal;
use crate::reconcile::back::outcome::Outcome;
use crate::reconcile::back::outcome::REFUSED_USERS;
use crate::reconcile::back::outcome::after;
use crate::reconcile::back::outcome::lacks_right;
use crate::reconcile::back::outcome::refusal;
use crate::reconcile::guard;
use crate::snapshot::cells::KeptCell;
use crate::snapshot::cells::UserCells;
use crate::snapshot::cells::WAY_BACK;
use crate::snapshot::cells::WayBackState;
use crate::snapshot::history::NewEntry;

/// As many users as are written between two transactions: five `$batch` requests.
const AT_A_TIME: usize = 100;

/// What became of all that was sent.
#[derive(Default)]
pub(super) struct Ended {
    /// The users of whom something was sent, and their cells as they are now.
    pub(super) rows: BTreeMap<SourceId, UserCells>,
    /// Users whose write was refused before any was taken: it may be about the app.
    pub(super) refused: Vec<SourceId>,
}

impl Ended {
    /// The users whose release is used up.
    pub(super) fn users(&self) -> BTreeSet<SourceId> {
        self.rows.keys().copied().collect()
    }
}

/// Sends everything, a part at a time; in a cycle that only plans, shows it. Ends early where the writer lacks a right, or is out of reach: what is left stays due.
pub(super) async fn send(
    run: &mut Run<'_>,
    back: &WayBack,
    state: &mut WayBackState,
    tasks: Vec<Task>,
) -> Result<Ended, CycleError> {
    let mut ended = Ended::default();
    let mut queue: VecDeque<Task> = tasks.into();
    while !queue.is_empty() {
        run.check_stop()?;
        // Until Graph took the first one, three refusals decide whether the app may write at all.
        let most = if state.succeeded { AT_A_TIME } else { REFUSED_USERS };
        let mut part = take(&mut queue, most);
        for task in &mut part {
            if let Some(row) = ended.rows.get(&task.id) {
                task.row.clone_from(row);
            }
        }
        if !open(run, &part).await? {
            part.extend(queue.drain(..));
            show(run, &part);
            break;
        }
        for task in &part {
            tell(run, task, "sending", None);
        }
        let requests: Vec<UserWrite> = part.iter().map(Task::request).collect();
        let sent = match back.writer.set(&requests).await {
            Ok(sent) => sent,
            Err(error) => {
                let before = part.iter().map(|task| (task.id, task.row.clone())).collect();
                put(run, before, Durability::Lazy).await?;
                out_of_reach(run, &error);
                break;
            }
        };
        let mut recorder = Recorder::new(run, state);
        for (task, sent) in part.into_iter().zip(sent) {
            recorder.take(task, &sent);
        }
        let Recorded { rows, again, refused } = recorder.record().await?;
        ended.rows.extend(rows);
        ended.refused.extend(refused);
        queue.extend(again);
        if lacks_right(state.forbidden.len(), state.succeeded) {
            lacking(run, back, state);
            break;
        }
    }
    Ok(ended)
}

/// Takes the next tasks, one of each user.
fn take(queue: &mut VecDeque<Task>, most: usize) -> Vec<Task> {
    let (mut part, mut later, mut users) = (Vec::new(), Vec::new(), BTreeSet::new());
    while part.len() < most
        && let Some(task) = queue.pop_front()
    {
        if users.insert(task.id) {
            part.push(task);
        } else {
            later.push(task);
        }
    }
    queue.extend(later);
    part
}

/// Counts and shows what a cycle that only plans would write.
fn show(run: &mut Run<'_>, tasks: &[Task]) {
    for task in tasks {
        let operation = task.operation();
        run.summary.count(&operation);
        run.order.watcher.operation(&operation);
    }
}

/// Opens every write, on disk. Returns false in a cycle that only plans: nothing is open, and nothing may be sent.
async fn open(run: &Run<'_>, part: &[Task]) -> Result<bool, CycleError> {
    let now = run.now;
    let opened = part.iter().map(|task| {
        let mut row = task.row.clone();
        for due in &task.due {
            let cell = due.decided.cell.opened(&due.write, now);
            let kept = KeptCell {
                cell,
                ..due.decided.clone()
            };
            row.cells.insert(due.property.clone(), kept);
        }
        (task.id, row)
    });
    put(run, opened.collect(), Durability::Synced).await
}

/// Keeps these cells. Returns false in a cycle that only plans.
async fn put(
    run: &Run<'_>,
    rows: Vec<(SourceId, UserCells)>,
    durability: Durability,
) -> Result<bool, CycleError> {
    run.keep(move |snapshot| {
        let mut tx = snapshot.tx()?;
        rows.iter().for_each(|(id, row)| tx.put_cells(id, row));
        tx.commit(durability)?;
        Ok(true)
    })
    .await
}

fn tell(run: &Run<'_>, task: &Task, result: &str, detail: Option<&str>) {
    let ending = Ending {
        at: run.job.clock.now(),
        target: Some(&task.target),
        result,
        detail,
    };
    audit::tell(run.job, run.order, &task.operation(), ending);
}

/// Nothing was sent: no token, a refused credential, no connection. The direction waits; the other one goes on.
fn out_of_reach(run: &mut Run<'_>, error: &SourceError) {
    let text = format!("nothing is written back: {}", chain(error));
    report(run, "writer_out_of_reach", text, error.hint().to_owned());
    run.left.findings += 1;
}

fn lacking(run: &mut Run<'_>, back: &WayBack, state: &WayBackState) {
    let mut rights: Vec<&str> = back
        .attributes
        .iter()
        .map(|way| back.writer.right_for(&way.property))
        .collect();
    rights.sort_unstable();
    rights.dedup();
    let text = format!(
        "Entra refused {} users with 403 and took nobody's value: the writer's app lacks {}, and nothing is written back until it has that",
        state.forbidden.len(),
        rights.join(" or ")
    );
    let advice = format!(
        "grant the application permission {} to the writer's app, with admin consent",
        rights.join(" and ")
    );
    report(run, "right_missing", text, advice);
    run.left.findings += 1;
}

/// What the answers of one part come to, until they are recorded.
struct Recorder<'c, 'j> {
    run: &'c mut Run<'j>,
    state: &'c mut WayBackState,
    rows: Vec<(SourceId, UserCells)>,
    /// Properties that are sent again, each by itself.
    again: Vec<Task>,
    refused: Vec<SourceId>,
    entries: Vec<NewEntry>,
    clears: u64,
}

/// What was recorded.
struct Recorded {
    rows: Vec<(SourceId, UserCells)>,
    again: Vec<Task>,
    refused: Vec<SourceId>,
}

impl<'c, 'j> Recorder<'c, 'j> {
    fn new(run: &'c mut Run<'j>, state: &'c mut WayBackState) -> Self {
        Self {
            run,
            state,
            rows: Vec::new(),
            again: Vec::new(),
            refused: Vec::new(),
            entries: Vec::new(),
            clears: 0,
        }
    }

    /// Takes one answer.
    fn take(&mut self, task: Task, sent: &Sent) {
        let outcome = self.outcome(&task, sent);
        let splits = task.due.len() > 1 && outcome == Outcome::Refused(Refusal::Value);
        let outcome = if splits { Outcome::NotSent } else { outcome };
        let mut row = task.row.clone();
        for due in &task.due {
            row.cells
                .insert(due.property.clone(), ended(&task, due, outcome, self.run.now));
        }
        if splits {
            // Which of them is refused shows when each is sent by itself.
            let singly = task.due.iter().map(|due| task.with(vec![due.clone()]));
            self.again.extend(singly);
        } else {
            self.conclude(&task, sent, outcome);
        }
        self.rows.push((task.id, row));
    }

    fn outcome(&mut self, task: &Task, sent: &Sent) -> Outcome {
        match sent {
            Sent::Done | Sent::AlreadySo => {
                self.state.succeeded = true;
                self.state.forbidden.clear();
                Outcome::Done
            }
            Sent::NotYet(_) => Outcome::NotSent,
            Sent::Unanswered(_) => Outcome::Unanswered,
            // It may be about the app and not about the user: nothing is held against the user yet.
            Sent::Refused { status: 403, .. } if !self.state.succeeded => {
                self.state.forbidden.insert(task.id);
                Outcome::NotSent
            }
            Sent::Refused { status, .. } => Outcome::Refused(refusal(*status, task.writable)),
        }
    }

    /// Counts, reports and writes the history of one answer.
    fn conclude(&mut self, task: &Task, sent: &Sent, outcome: Outcome) {
        let operation = task.operation();
        let values = task.due.len() as u64;
        let (result, detail) = match sent {
            Sent::Done | Sent::AlreadySo => ("done", None),
            Sent::NotYet(what) | Sent::Unanswered(what) | Sent::Refused { what, .. } => {
                ("failed", Some(what.to_string()))
            }
        };
        if matches!(outcome, Outcome::Done | Outcome::Unanswered) {
            count_writes(self.state, self.run.now, values);
            self.clears += task.due.iter().filter(|due| due.clears()).count() as u64;
        }
        match outcome {
            Outcome::Done => {
                self.run.summary.count(&operation);
                self.run.order.watcher.operation(&operation);
            }
            Outcome::NotSent if matches!(sent, Sent::Refused { .. }) => self.refused.push(task.id),
            Outcome::Unanswered | Outcome::NotSent => {
                let error = detail.clone().unwrap_or_default();
                let then = "the next write-back asks Entra what became of it".to_owned();
                self.run.summary.fail(task.id, operation.verb.name(), error, then);
            }
            // A finding says so: it is a property of the user, and no failure.
            Outcome::Refused(_) => {}
        }
        let ending = Ending {
            at: self.run.job.clock.now(),
            target: Some(&task.target),
            result,
            detail: detail.as_deref(),
        };
        tell(self.run, task, result, detail.as_deref());
        let changes = operation.changes.clone();
        self.entries
            .extend(audit::entries(self.run, &operation, changes, ending));
    }

    /// Records all of them in one transaction.
    async fn record(self) -> Result<Recorded, CycleError> {
        let Self {
            run,
            state,
            rows,
            again,
            refused,
            entries,
            clears,
        } = self;
        let (now, window, state) = (run.now, run.job.policy.guard_window, state.clone());
        let written = rows.clone();
        run.store(move |snapshot| {
            let mut tx = snapshot.tx()?;
            written.iter().for_each(|(id, row)| tx.put_cells(id, row));
            tx.put_state(&WAY_BACK, &state);
            let sent = guard::Sent {
                clears,
                ..guard::Sent::default()
            };
            remember_sent(&mut tx, now, window, sent)?;
            tx.append_history(entries);
            tx.commit(Durability::Lazy)
        })
        .await?;
        Ok(Recorded { rows, again, refused })
    }
}

/// Returns a cell after its write.
fn ended(task: &Task, due: &Due, outcome: Outcome, now: Timestamp) -> KeptCell {
    let decided = &due.decided.cell;
    let opened = decided.opened(&due.write, now);
    KeptCell {
        cell: after(decided, &opened, &due.write, outcome, task.writable),
        ..due.decided.clone()
    }
}

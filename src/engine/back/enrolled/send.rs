//! Changes of the enrolled group, sent: each is stored as open before its request, and as what the answer makes of it after.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::engine::audit;
use crate::engine::audit::Ending;
use crate::engine::back::findings::Findings;
use crate::engine::back::findings::MISSING_RIGHT;
use crate::engine::error::CycleError;
use crate::engine::judge::kept_back::class_of;
use crate::engine::judge::window::remember_sent;
use crate::engine::run::Run;
use crate::model::id::SourceId;
use crate::model::verb::Act;
use crate::ports::Durability;
use crate::ports::MembershipWrite;
use crate::ports::Sent as Answer;
use crate::ports::Writer;
use crate::reconcile::back::outcome::NOT_FOUND;
use crate::reconcile::back::outcome::lacks_right;
use crate::reconcile::back::standing::Standing;
use crate::reconcile::guard::Sent;
use crate::reconcile::operation::Operation;
use crate::snapshot::enrolments::Enrolled;
use crate::snapshot::enrolments::Group;
use crate::snapshot::enrolments::Refused;
use crate::snapshot::history::NewEntry;

/// As many changes are stored, sent and recorded together: ten batches of Graph.
const TOGETHER: usize = 200;
/// Graph's answer that the app may not.
const FORBIDDEN: u16 = 403;

/// What is needed to send.
pub(super) struct Sending<'a> {
    pub(super) group: SourceId,
    pub(super) writer: &'a dyn Writer,
    pub(super) findings: &'a mut Findings,
    pub(super) known: &'a mut Group,
    pub(super) kept: &'a mut BTreeMap<SourceId, Enrolled>,
}

/// What a part that was sent leaves to be stored.
#[derive(Default)]
struct Recorded {
    users: Vec<(SourceId, Enrolled)>,
    entries: Vec<NewEntry>,
    done: Vec<Operation>,
    refused: Vec<(Operation, u16, String)>,
    sent: Sent,
}

/// The history entries of an operation that ended so.
pub(super) fn entry(
    run: &Run<'_>,
    operation: &Operation,
    (result, detail): (&str, Option<&str>),
) -> Vec<NewEntry> {
    let ending = Ending {
        target: None,
        at: run.job.clock.now(),
        result,
        detail,
    };
    audit::tell(run.job, run.order, operation, ending);
    audit::entries(run, operation, operation.changes.clone(), ending)
}

impl Sending<'_> {
    /// Sends what was let through; a cycle that only plans shows it.
    pub(super) async fn send(
        mut self,
        run: &mut Run<'_>,
        admitted: Vec<Operation>,
    ) -> Result<(), CycleError> {
        let mut left = admitted.as_slice();
        while !left.is_empty() {
            run.check_stop()?;
            // Where the right was missing, one request shows whether it was granted since.
            let size = if self.known.lacks_right { 1 } else { TOGETHER };
            let (part, rest) = left.split_at(size.min(left.len()));
            left = rest;
            if !self.send_part(run, part).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Sends one part. False where nothing more is to be sent.
    async fn send_part(&mut self, run: &mut Run<'_>, part: &[Operation]) -> Result<bool, CycleError> {
        if !self.open(run, part).await? {
            show(run, part);
            return Ok(true);
        }
        let writes: Vec<MembershipWrite> = part.iter().map(|operation| self.write(operation)).collect();
        let answers = match self.writer.enrol(&writes).await {
            Ok(answers) => answers,
            Err(error) => {
                // Nothing was sent.
                self.findings
                    .failed("cannot change the members of the enrolled group", &error);
                let users = part
                    .iter()
                    .filter_map(|operation| self.decided(operation))
                    .collect();
                store(run, users, Recorded::default()).await?;
                return Ok(false);
            }
        };
        let mut recorded = Recorded::default();
        for (operation, answer) in part.iter().zip(answers) {
            self.settle(run, operation, answer, &mut recorded);
        }
        let goes_on = self.judge_refusals(run, part.len(), &mut recorded);
        show(run, &recorded.done);
        let users = std::mem::take(&mut recorded.users);
        for (user, kept) in &users {
            self.kept.insert(*user, kept.clone());
        }
        store(run, users, recorded).await?;
        Ok(goes_on)
    }

    fn write(&self, operation: &Operation) -> MembershipWrite {
        MembershipWrite {
            group: self.group,
            user: operation.source,
            add: adds(operation),
        }
    }

    /// What was decided for the user of an operation.
    fn decided(&self, operation: &Operation) -> Option<(SourceId, Enrolled)> {
        let user = operation.source;
        Some((user, self.kept.get(&user)?.clone()))
    }

    /// What is remembered while the change is open.
    fn opened(&self, run: &Run<'_>, operation: &Operation) -> Option<(SourceId, Enrolled)> {
        let (user, mut kept) = self.decided(operation)?;
        kept.enrolment = kept.enrolment.opened(adds(operation), run.now);
        kept.answered = false;
        Some((user, kept))
    }

    /// Stores the changes as open, on disk, before they are sent. Returns false in a cycle that only plans: nothing is open, and nothing
    /// may be sent.
    async fn open(&self, run: &Run<'_>, part: &[Operation]) -> Result<bool, CycleError> {
        let opened: Vec<_> = part
            .iter()
            .filter_map(|operation| self.opened(run, operation))
            .collect();
        let is_open = run
            .keep(move |snapshot| {
                let mut tx = snapshot.tx()?;
                for (user, kept) in &opened {
                    tx.put_enrolled(user, kept);
                }
                tx.commit(Durability::Synced)?;
                Ok(true)
            })
            .await?;
        for operation in part.iter().filter(|_| is_open) {
            let ending = Ending {
                target: None,
                at: run.job.clock.now(),
                result: "sending",
                detail: None,
            };
            audit::tell(run.job, run.order, operation, ending);
        }
        Ok(is_open)
    }

    /// Notes what an answer makes of a change.
    fn settle(&mut self, run: &Run<'_>, operation: &Operation, answer: Answer, recorded: &mut Recorded) {
        let add = adds(operation);
        let (Some(decided), Some(opened)) = (self.decided(operation), self.opened(run, operation)) else {
            return;
        };
        let (user, mut kept) = match answer {
            Answer::NotYet(_) | Answer::Refused { .. } => decided,
            Answer::AlreadySo if add => decided,
            // That there is no such member may be what a replica says that is behind: it is looked for, as after any removal.
            Answer::AlreadySo | Answer::Done | Answer::Unanswered(_) => opened,
        };
        if !matches!(answer, Answer::NotYet(_) | Answer::Refused { .. }) {
            kept.refused = None;
        }
        match answer {
            Answer::Done => {
                kept.answered = true;
                self.known.succeeded = true;
                self.known.lacks_right = false;
                if add {
                    recorded.sent.joins += 1;
                } else {
                    recorded.sent.leaves += 1;
                }
                recorded.entries.extend(entry(run, operation, ("done", None)));
                recorded.done.push(operation.clone());
            }
            Answer::AlreadySo if add => {
                kept.enrolment = kept.enrolment.found_done(add);
                kept.stands(Standing::Member, run.now);
            }
            Answer::AlreadySo => kept.answered = true,
            Answer::NotYet(_) => {}
            Answer::Unanswered(what) => {
                if add {
                    recorded.sent.joins += 1;
                } else {
                    recorded.sent.leaves += 1;
                }
                let detail = format!("{what}: it may have been carried out, and is looked for");
                recorded
                    .entries
                    .extend(entry(run, operation, ("failed", Some(&detail))));
            }
            Answer::Refused { status, what } => {
                recorded
                    .refused
                    .push((operation.clone(), status, what.to_string()));
                return recorded.users.push((user, kept));
            }
        }
        recorded.users.push((user, kept));
    }

    /// Tells a right that is missing from what is refused of single users. False where the direction stops.
    fn judge_refusals(&mut self, run: &Run<'_>, sent: usize, recorded: &mut Recorded) -> bool {
        let forbidden: BTreeSet<SourceId> = recorded
            .refused
            .iter()
            .filter(|(_, status, _)| *status == FORBIDDEN)
            .map(|(operation, ..)| operation.source)
            .collect();
        let all = forbidden.len() == sent && !self.known.succeeded;
        let stops = !forbidden.is_empty() && (all || lacks_right(forbidden.len(), self.known.succeeded));
        for (operation, status, what) in std::mem::take(&mut recorded.refused) {
            recorded
                .entries
                .extend(entry(run, &operation, ("failed", Some(&what))));
            if stops && status == FORBIDDEN {
                continue;
            }
            let refused = Refused { status, at: run.now };
            let of = |(user, _): &&mut (SourceId, Enrolled)| *user == operation.source;
            if let Some((user, kept)) = recorded.users.iter_mut().find(of) {
                let may_be_new = status == NOT_FOUND && kept.refused.is_none();
                kept.refused = Some(refused);
                if may_be_new {
                    continue;
                }
                kept.stands(Standing::Refused, run.now);
                self.findings.note(Standing::Refused.code(), *user);
            }
        }
        if stops {
            self.known.lacks_right = true;
            self.findings.stop(
                MISSING_RIGHT,
                format!(
                    "the writer may not change the members of group {}: Graph answered 403",
                    self.group
                ),
                "make the writer's app an owner of the group, or grant it GroupMember.ReadWrite.All: it goes on by itself then",
            );
        }
        !stops
    }
}

/// Counts and shows what was, or would be, done.
fn show(run: &mut Run<'_>, operations: &[Operation]) {
    for operation in operations {
        run.summary.count(operation);
        run.order.watcher.operation(operation);
    }
}

fn adds(operation: &Operation) -> bool {
    operation.verb.act().is(Act::Join)
}

/// Stores what was sent, with its history, and what the guard's window counts; releases that were used are gone.
async fn store(
    run: &Run<'_>,
    users: Vec<(SourceId, Enrolled)>,
    recorded: Recorded,
) -> Result<(), CycleError> {
    let (now, window) = (run.now, run.job.policy.guard_window);
    run.store(move |snapshot| {
        let mut tx = snapshot.tx()?;
        for (user, kept) in &users {
            tx.put_enrolled(user, kept);
        }
        for operation in &recorded.done {
            if let Some(class) = class_of(operation) {
                tx.delete_withheld(&(operation.kind, operation.source, class));
            }
        }
        tx.append_history(recorded.entries);
        remember_sent(&mut tx, now, window, recorded.sent)?;
        tx.commit(Durability::Synced)
    })
    .await
}

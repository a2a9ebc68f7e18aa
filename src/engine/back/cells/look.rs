//! Entra is asked about whoever something is to be written for: the stream of changes may be behind.

use std::collections::BTreeMap;

use super::person::ENABLED;
use super::person::KIND;
use super::person::Person;
use super::person::Reading;
use super::person::SYNCED;
use super::scan::Scanned;
use super::task::Due;
use super::task::Task;
use crate::engine::back::WrittenBack;
use crate::engine::error::CycleError;
use crate::engine::run::Run;
use crate::model::id::SourceId;
use crate::model::object::Existence;
use crate::ports::Durability;
use crate::reconcile::back::decide::Step;

/// As many users as are asked for at a time: five `$batch` requests.
const AT_A_TIME: usize = 100;

/// Asks Entra, and decides anew. Returns what is to be written; what came to nothing is kept.
pub(super) async fn look(
    run: &Run<'_>,
    ways: &[WrittenBack],
    reading: &Reading,
    scanned: &mut Scanned,
) -> Result<Vec<Task>, CycleError> {
    let mut tasks = Vec::new();
    let mut select: Vec<String> = ways.iter().map(|way| way.property.clone()).collect();
    select.extend([ENABLED.to_owned(), SYNCED.to_owned()]);
    let mut due = std::mem::take(&mut scanned.due);
    while !due.is_empty() {
        run.check_stop()?;
        let rest = due.split_off(due.len().min(AT_A_TIME));
        let part = std::mem::replace(&mut due, rest);
        let ids: Vec<SourceId> = part.iter().map(|(person, _)| person.id).collect();
        let answers = run.job.source.look_up(KIND, &ids, &select).await;
        let mut answers: BTreeMap<SourceId, Existence> =
            answers.map_err(CycleError::Source)?.into_iter().collect();
        for (mut person, properties) in part {
            match answers.remove(&person.id) {
                Some(Existence::Alive(attributes)) => person.look(&attributes, ways),
                // It stays due. A replica may lack a user who is new, or was just restored: that somebody left is said by the stream
                // of changes, and one look forgets no base.
                Some(Existence::SoftDeleted | Existence::HardDeleted | Existence::Unknown(_)) | None => {
                    continue;
                }
            }
            let mine = ways.iter().filter(|way| properties.contains(&way.property));
            let asked = decide(&mut person, mine, reading);
            if asked.is_empty() {
                keep(run, &person).await?;
                scanned.settle(person);
            } else {
                tasks.push(Task::of(person, asked));
            }
        }
    }
    Ok(tasks)
}

/// Decides these attributes of a user. Returns what is to be written.
fn decide<'w>(
    person: &mut Person,
    ways: impl Iterator<Item = &'w WrittenBack>,
    reading: &Reading,
) -> Vec<Due> {
    let mut due = Vec::new();
    for way in ways {
        let decision = person.decide(way, reading);
        match &decision.step {
            Step::Nothing(_) => person.keep(&way.property, &decision, reading.now),
            Step::Write(write) | Step::Clear(write) => {
                due.push(Due::of(person, way, &decision, write, reading.now));
            }
            // It was just asked for: a value that is doubted all the same waits for the next cycle.
            Step::Look => {}
        }
    }
    due
}

/// Keeps what is remembered of a user, in a cycle that counts.
async fn keep(run: &Run<'_>, person: &Person) -> Result<(), CycleError> {
    if !run.order.apply {
        return Ok(());
    }
    let (id, row) = (person.id, person.row.clone());
    run.store(move |snapshot| {
        let mut tx = snapshot.tx()?;
        tx.put_cells(&id, &row);
        tx.commit(Durability::Lazy)
    })
    .await
}

//! What is asked for one object that is explained: who it is, what the source says of it now, what the planner sees, and what the
//! target holds. A side that does not answer is a note.

use crate::engine::error::CycleError;
use crate::engine::error::chain;
use crate::engine::explain::ExplainError;
use crate::engine::explain::gathered::Gathered;
use crate::engine::job::Watcher;
use crate::engine::phases::Phases;
use crate::engine::rules::keys_of;
use crate::engine::run::Run;
use crate::engine::views::view;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::object::Existence;
use crate::model::object::Life;
use crate::ports::Durability;
use crate::reconcile::forward::view::ObjectView;
use crate::snapshot::existence::apply_existence;
use crate::snapshot::look::Looking;
use crate::snapshot::named::NotOne;
use crate::snapshot::read::Reads;
use crate::snapshot::record::Record;

/// The one object that is meant; one that is not read yet is asked for by its id.
pub(super) async fn find(run: &Run<'_>, name: &str) -> Result<(ObjectKind, SourceId), ExplainError> {
    let wanted = vec![name.to_owned()];
    let found = run
        .store(move |snapshot| snapshot.one_named(&[ObjectKind::User, ObjectKind::Group], &wanted))
        .await?;
    let error = match found {
        Ok(one) => return Ok((one[0].kind, one[0].id)),
        Err(error) => error,
    };
    match (&error, name.parse()) {
        (NotOne::Nothing { .. }, Ok(id)) => match find_new(run, id).await? {
            Some(kind) => Ok((kind, id)),
            None => Err(ExplainError::NotOne(error)),
        },
        (NotOne::Nothing { .. }, Err(_)) | (NotOne::Several { .. }, _) => Err(ExplainError::NotOne(error)),
    }
}

/// The one group that is meant.
pub(super) async fn find_group(run: &Run<'_>, name: &str) -> Result<SourceId, ExplainError> {
    let wanted = vec![name.to_owned()];
    let found = run.store(move |snapshot| snapshot.one_named(&[ObjectKind::Group], &wanted));
    Ok(found.await??[0].id)
}

/// An object that the streams have not brought yet: put beside the others, where it is forgotten again.
async fn find_new(run: &Run<'_>, id: SourceId) -> Result<Option<ObjectKind>, CycleError> {
    for kind in [ObjectKind::User, ObjectKind::Group] {
        let answers = run.job.source.look_up(kind, &[id], &run.job.select(kind)).await;
        let Ok(answers) = answers else { return Ok(None) };
        if let Some((_, Existence::Alive(attributes))) = answers.into_iter().next() {
            run.store(move |snapshot| {
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

/// A target that does not answer is a note; anything else is an error.
pub(super) fn noted(done: Result<(), CycleError>, what: &str, gathered: &Gathered) -> Result<(), CycleError> {
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
pub(super) async fn ask_source(
    run: &Run<'_>,
    kind: ObjectKind,
    id: SourceId,
) -> Result<(String, Vec<String>), CycleError> {
    let (select, asked) = (run.job.select(kind), run.job.clock.now());
    let answer = match run.job.source.look_up(kind, &[id], &select).await {
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
        ..run.looking(asked)
    };
    run.store(move |snapshot| {
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
pub(super) async fn look(
    run: &Run<'_>,
    phases: &Phases,
    kind: ObjectKind,
    id: SourceId,
) -> Result<Option<ObjectView>, CycleError> {
    let (rules, context) = (phases.readings.rules(run), phases.context(run, kind, true).await?);
    run.store(move |snapshot| {
        let planner = rules.planner(true);
        view(snapshot, &context, kind, id, &|view| keys_of(&planner, view))
    })
    .await
}

/// The linked resource as it is now.
pub(super) async fn read_actual(
    run: &Run<'_>,
    kind: ObjectKind,
    target: &TargetId,
    gathered: &Gathered,
) -> Result<Option<serde_json::Value>, CycleError> {
    match run.job.target.read(kind, target).await {
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
            noted(error, "the target could not be read", gathered).map(|()| None)
        }
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

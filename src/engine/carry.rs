//! What a pass may do to a batch, done: `apply → record → learned?`, or, where nothing is sent, foreseen.

use super::apply::prepare::prepare;
use super::apply::send::Sending;
use super::beside::nobody_else_writes;
use super::beside::writes;
use super::error::CycleError;
use super::phases::Phases;
use super::record::Learned;
use super::record::Observation;
use super::record::foresee::foresee;
use super::record::recording::Recording;
use super::run::Run;
use super::work::Carried;
use super::work::Work;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;

/// Carries out the works of a batch and records the results; a cycle that only plans keeps what they would lead to.
pub(super) async fn carry(
    run: &mut Run<'_>,
    phases: &mut Phases,
    kind: ObjectKind,
    works: Vec<Work>,
) -> Result<Carried, CycleError> {
    if run.applies() {
        return carry_out(run, phases, kind, works).await;
    }
    let foreseen = foresee(run, &mut phases.names, kind, works).await?;
    phases.readings.drift.losses |= foreseen.losses;
    Ok(foreseen.carried)
}

async fn carry_out(
    run: &mut Run<'_>,
    phases: &mut Phases,
    kind: ObjectKind,
    works: Vec<Work>,
) -> Result<Carried, CycleError> {
    if works.iter().any(writes) {
        nobody_else_writes(run).await?;
    }
    let batch = prepare(run, kind, works).await?;
    let sending = Sending::begin(run, &mut phases.failures, batch.at, &batch.works);
    let mut recording = Recording::new(kind, batch.intents, phases.readings.drift.is_any());
    let mut recorder = phases.recorder(run);
    let answers = sending
        .send_all(batch.works, |good| recorder.record_early(&mut recording, good))
        .await;
    let part = recorder.classify(&mut recording, answers).await;
    let observed = std::mem::take(&mut recording.learned.observed);
    let looked = look_again(run, phases, kind, observed).await;
    let ended = phases.recorder(run).record(recording, part).await?;
    phases.readings.note_not_kept(ended.not_kept);
    phases.recorder(run).note_claims(kind, ended.claims).await?;
    looked?;
    conclude(run, phases, ended.learned).await
}

/// Takes what a 409 or 404 says as an observation, so that the next sweep plans the object anew. Each is looked for, also where
/// looking for another one failed; the first failure is returned.
async fn look_again(
    run: &Run<'_>,
    phases: &mut Phases,
    kind: ObjectKind,
    observed: Vec<(SourceId, Observation)>,
) -> Result<(), CycleError> {
    let mut result = Ok(());
    for (id, observation) in observed {
        let lost = match observation {
            Observation::Lost | Observation::Gone => phases.readings.lose(run, kind, id).await,
            Observation::Conflict => Ok(()),
        };
        let looked = match lost {
            Ok(()) if observation != Observation::Gone => phases.look_again(run, kind, id).await,
            lost => lost,
        };
        result = result.and(looked);
    }
    result
}

/// Ends the cycle where the batch met something that every further one would meet.
async fn conclude(run: &Run<'_>, phases: &mut Phases, learned: Learned) -> Result<Carried, CycleError> {
    if let Some(error) = learned.broken {
        return Err(error);
    }
    if let Some(error) = learned.fatal {
        return Err(CycleError::Target(error));
    }
    if phases.failures.troubles.is_down()
        && let Some(error) = learned.unavailable
    {
        return Err(CycleError::Target(error));
    }
    run.check_stop()?;
    phases.readings.look_after_members(run, learned.doubted).await?;
    Ok(Carried {
        moved: learned.moved,
        again: learned.again,
    })
}

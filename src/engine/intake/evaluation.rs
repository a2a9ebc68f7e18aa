//! What mapping expressions draw on in a cycle, beside the objects: the key for `Guid` and `RandomString`, and the
//! day for `Now`.
//!
//! The key is made once for a snapshot and kept in it, so that a value that was drawn stays the same. It is on disk
//! before anything is drawn from it. Objects of a kind whose rows call `Now` are marked once a day, UTC, so that they are
//! evaluated again; a request follows only where the result differs. A crash between the marks and the note of the
//! day marks them twice, which costs an evaluation and no request.

use crate::engine::error::CycleError;
use crate::engine::run::Run;
use crate::mapping::Seed;
use crate::model::id::ObjectKind;
use crate::ports::Durability;
use crate::snapshot::record::DirtyCause;
use crate::snapshot::state::{EVALUATED, SEED, StateReads};

const DAY_MS: i64 = 86_400_000;

/// Reads the key, or makes it, and marks what moves with the time.
pub(in crate::engine) async fn prepare_evaluation(run: &mut Run<'_>) -> Result<(), CycleError> {
    let mapping = &run.job.mapping;
    let chance = mapping.uses_chance();
    let moving: Vec<ObjectKind> = run
        .job
        .managed
        .iter()
        .copied()
        .filter(|kind| mapping.uses_now(*kind))
        .collect();
    if !chance && moving.is_empty() {
        return Ok(());
    }
    let mut fresh = [0; 32];
    fresh[..16].copy_from_slice(&(run.job.entropy)());
    fresh[16..].copy_from_slice(&(run.job.entropy)());
    let today = run.now.0.div_euclid(DAY_MS).to_string();
    let seed = run
        .store(move |snapshot| {
            let mut seed = Seed::default();
            if chance {
                let held = snapshot.state(&SEED)?;
                if held.is_none() {
                    let mut tx = snapshot.tx()?;
                    tx.put_state(&SEED, &fresh);
                    tx.commit(Durability::Synced)?;
                }
                seed = Seed(held.unwrap_or(fresh));
            }
            if !moving.is_empty() && snapshot.state(&EVALUATED)?.as_ref() != Some(&today) {
                for kind in moving {
                    snapshot.mark_all_dirty(kind, DirtyCause::CONFIG)?;
                }
                let mut tx = snapshot.tx()?;
                tx.put_state(&EVALUATED, &today);
                tx.commit(Durability::Lazy)?;
            }
            Ok(seed)
        })
        .await?;
    run.context.seed = seed;
    Ok(())
}

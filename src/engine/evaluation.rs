//! What mapping expressions draw on in a cycle, beside the objects: the key for `Guid` and `RandomString`, and the
//! day for `Now`.
//!
//! The key is made once for a snapshot and kept in it, so that a value that was drawn stays the same. It is on disk
//! before anything is drawn from it. Objects of a kind whose rows call `Now` are marked once a day, UTC, so that they are
//! evaluated again; a request follows only where the result differs. A crash between the marks and the note of the
//! day marks them twice, which costs an evaluation and no request.

use super::cycle::Cycle;
use super::cycle::CycleError;
use crate::mapping::Seed;
use crate::model::id::ObjectKind;
use crate::ports::Durability;
use crate::snapshot::read::Reads;
use crate::snapshot::record::DirtyCause;

/// The snapshot's name for the key.
const SEED: &str = "mapping_seed";

/// The snapshot's name for the last day on which rows with `Now` were evaluated for all objects.
const EVALUATED: &str = "mapping_now_day";

const DAY_MS: i64 = 86_400_000;

impl Cycle<'_> {
    /// Reads the key, or makes it, and marks what moves with the time.
    pub(super) async fn prepare_evaluation(&mut self) -> Result<(), CycleError> {
        let mapping = &self.job.mapping;
        let chance = mapping.uses_chance();
        let moving: Vec<ObjectKind> = self
            .job
            .managed
            .iter()
            .copied()
            .filter(|kind| mapping.uses_now(*kind))
            .collect();
        if !chance && moving.is_empty() {
            return Ok(());
        }
        let fresh = [(self.job.entropy)(), (self.job.entropy)()].concat();
        let today = self.now.0.div_euclid(DAY_MS).to_string();
        let seed = self
            .store(move |snapshot| {
                let mut seed = Seed::default();
                if chance {
                    let held = snapshot.meta(SEED)?.filter(|held| held.len() == seed.0.len());
                    if held.is_none() {
                        let mut tx = snapshot.tx()?;
                        tx.put_meta(SEED, fresh.as_slice());
                        tx.commit(Durability::Synced)?;
                    }
                    seed.0.copy_from_slice(&held.unwrap_or(fresh));
                }
                if !moving.is_empty() && snapshot.meta(EVALUATED)?.as_deref() != Some(today.as_bytes()) {
                    for kind in moving {
                        snapshot.mark_all_dirty(kind, DirtyCause::CONFIG)?;
                    }
                    let mut tx = snapshot.tx()?;
                    tx.put_meta(EVALUATED, today.as_bytes());
                    tx.commit(Durability::Lazy)?;
                }
                Ok(seed)
            })
            .await?;
        self.context.seed = seed;
        Ok(())
    }
}

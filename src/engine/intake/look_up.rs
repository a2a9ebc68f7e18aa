//! Questions to the source about single objects: is what is missing, or about to be deleted at the target, really gone?

use std::collections::BTreeSet;

use tracing::info;

use crate::engine::error::CycleError;
use crate::engine::intake::Intake;
use crate::engine::run::Run;
use crate::engine::tables::each_dirty;
use crate::engine::tables::each_dirty_object;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::object::Existence;
use crate::model::object::Life;
use crate::model::object::Removed;
use crate::ports::Durability;
use crate::reconcile::policy::GroupRemoval;
use crate::reconcile::policy::OnRemoval;
use crate::snapshot::existence::apply_existence;
use crate::snapshot::read::Reads;
use crate::snapshot::record::DirtyCause;

/// As many objects as are asked for at a time: five `$batch` requests.
const AT_A_TIME: usize = 100;

impl Intake {
    /// Asks the source for each object that is missing, unread, or about to be deleted at the target. True when
    /// any was asked for.
    pub(in crate::engine) async fn ask_for_doubtful(&mut self, run: &Run<'_>) -> Result<bool, CycleError> {
        let mut asked = false;
        for kind in run.job.streams() {
            let doubtful = self.doubtful(run, kind).await?;
            asked |= !doubtful.is_empty();
            ask_source_for(run, kind, &doubtful).await?;
        }
        Ok(asked)
    }

    /// Of users whom an object refers to, asks for those whom a cycle would ask for. True when any was asked for.
    pub(in crate::engine) async fn ask_for_referred(
        &self,
        run: &Run<'_>,
        referred: &BTreeSet<SourceId>,
    ) -> Result<bool, CycleError> {
        let kind = ObjectKind::User;
        let mut doubtful = self.doubtful(run, kind).await?;
        doubtful.retain(|id| referred.contains(id));
        ask_source_for(run, kind, &doubtful).await?;
        Ok(!doubtful.is_empty())
    }

    /// Dirty objects on which more evidence is wanted before anything is concluded.
    async fn doubtful(&self, run: &Run<'_>, kind: ObjectKind) -> Result<Vec<SourceId>, CycleError> {
        let policy = &run.job.policy;
        let scope = self.scoping(run);
        let (soft, hard, out) = match kind {
            ObjectKind::User => (
                policy.on_soft_delete == OnRemoval::Delete,
                policy.on_hard_delete == OnRemoval::Delete,
                policy.on_out_of_scope == OnRemoval::Delete,
            ),
            ObjectKind::Group => {
                let deletes = policy.groups.on_delete == GroupRemoval::Delete;
                (
                    deletes,
                    deletes,
                    policy.groups.on_out_of_scope == GroupRemoval::Delete,
                )
            }
        };
        run.store(move |snapshot| {
            let mut doubtful = Vec::new();
            let counts = snapshot.counts()?;
            if !out && counts.objects(kind) == counts.alive(kind) {
                // All are alive: only those that were never read are asked for, and the marks say who.
                each_dirty(snapshot, kind, |id, cause| {
                    if cause.has(DirtyCause::UNREAD) {
                        doubtful.push(id);
                    }
                    Ok(())
                })?;
                return Ok(doubtful);
            }
            each_dirty_object(snapshot, kind, |id, cause, bytes| {
                let unread = cause.has(DirtyCause::UNREAD);
                let brief = snapshot.decode_brief(kind, id, bytes)?;
                let asked = match brief.head.life {
                    Life::Alive if out && brief.target.is_some() => {
                        unread || scope.is_out(snapshot, kind, &id)?
                    }
                    Life::Alive => unread,
                    Life::Missing | Life::Unknown => true,
                    Life::Gone(Removed::SoftDeleted) => (soft || unread) && brief.target.is_some(),
                    Life::Gone(Removed::HardDeleted) => hard && brief.target.is_some(),
                };
                if asked {
                    doubtful.push(id);
                }
                Ok(true)
            })?;
            Ok(doubtful)
        })
        .await
    }
}

async fn ask_source_for(run: &Run<'_>, kind: ObjectKind, ids: &[SourceId]) -> Result<(), CycleError> {
    let select: Vec<String> = run.job.select(kind);
    for chunk in ids.chunks(AT_A_TIME) {
        run.check_stop()?;
        let asked = run.job.clock.now();
        let answers = run
            .job
            .source
            .look_up(kind, chunk, &select)
            .await
            .map_err(CycleError::Source)?;
        for (id, existence) in &answers {
            if let Existence::Unknown(why) = existence {
                info!(object = %id, "Whether {kind} {id} still exists is unknown, so it is kept: {why}");
            }
        }
        let looking = run.looking(asked);
        run.store(move |snapshot| {
            let mut tx = snapshot.tx()?;
            for (id, existence) in &answers {
                apply_existence(&mut tx, kind, id, existence, looking)?;
            }
            tx.commit(Durability::Synced)
        })
        .await?;
    }
    Ok(())
}

//! Resources that are another object's: found while a batch is recorded.
//!
//! A target that answers two creates with one id, or a resource that somebody was linked to meanwhile, is the failure of one
//! object. It is not linked, its intent stays open and is resolved as that of any create whose answer got lost, and the rest of
//! the batch is recorded. Who was recorded first need not be the right one: what the resource says of itself decides.

use tracing::warn;

use crate::engine::audit;
use crate::engine::audit::Ending;
use crate::engine::error::CycleError;
use crate::engine::linking::forget_sent;
use crate::engine::record::Recorder;
use crate::engine::record::part::Claim;
use crate::engine::standing::Fact;
use crate::mapping::TargetPath;
use crate::mapping::read_path;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::reconcile::answer::is_kept_as;
use crate::snapshot::read::Reads;
use crate::snapshot::record::DirtyCause;
use crate::snapshot::store::Snapshot;

impl Recorder<'_, '_> {
    /// Counts and logs those that could not be recorded as failures.
    pub(in crate::engine) async fn note_claims(
        &mut self,
        kind: ObjectKind,
        claims: Vec<Claim>,
    ) -> Result<(), CycleError> {
        for claim in claims {
            self.doubt_owner(kind, &claim).await?;
            let (id, words) = (claim.id, claim.words());
            let mut verb = "link";
            for operation in &claim.run {
                self.run.summary.take_back(operation);
                let ending = Ending {
                    target: Some(&claim.target),
                    at: self.run.job.clock.now(),
                    result: "failed",
                    detail: Some(&words),
                };
                audit::tell(self.run.job, self.run.order, operation, ending);
                verb = operation.verb.name();
            }
            if claim.creates {
                self.run.standing.note((kind, id), Fact::CreateOpen);
            }
            self.run.standing.note((kind, id), Fact::Failed);
            warn!(object = %id, op = verb, "Cannot {verb} {id}: its resource is linked to another object");
            let hint = "the next cycle looks at the target for what became of it; if this stays, report it to the target's maker: \
                        each resource needs an id of its own";
            self.run.summary.fail(id, verb, words, hint.to_owned());
        }
        Ok(())
    }

    /// Takes the link of the owner back where the resource carries another externalId than the owner was sent with: its own
    /// answer was the wrong one.
    async fn doubt_owner(&mut self, kind: ObjectKind, claim: &Claim) -> Result<(), CycleError> {
        let Ok(Some(read)) = self.run.job.target.read(kind, &claim.target).await else {
            return Ok(());
        };
        let owner = claim.owner;
        let taken_back = self
            .run
            .store(move |snapshot| unlink_stranger(snapshot, kind, owner, &read.body))
            .await?;
        if taken_back {
            self.run.standing.note((kind, owner), Fact::Failed);
            warn!(object = %owner, "The link of {kind} {owner} is taken back: its resource carries the externalId of another object");
            let words = format!(
                "it was linked to the resource `{}`, which carries the externalId of another object: the link was taken back",
                claim.target
            );
            let hint = "nothing to do: the next cycle looks for its resource again".to_owned();
            self.run.summary.fail(owner, "link", words, hint);
        }
        Ok(())
    }
}

/// Unlinks an object whose resource carries another externalId than was sent; true where it does.
fn unlink_stranger(
    snapshot: &Snapshot,
    kind: ObjectKind,
    owner: SourceId,
    body: &serde_json::Value,
) -> Result<bool, StoreError> {
    let path = TargetPath::external_id();
    let Some(mut record) = snapshot.record(kind, &owner)? else {
        return Ok(false);
    };
    let sent = record.link.as_ref().and_then(|link| link.sent.get(path.as_str()));
    let held = read_path(body, path).filter(|held| !held.is_unassigned());
    let differs = held
        .zip(sent)
        .is_some_and(|(held, sent)| !is_kept_as(path, &held, sent));
    if !differs {
        return Ok(false);
    }
    record.link = None;
    let mut tx = snapshot.tx()?;
    if kind == ObjectKind::Group {
        forget_sent(&mut tx, &owner)?;
    }
    tx.put_record(&record)?;
    tx.mark_dirty(kind, &owner, DirtyCause::TARGET)?;
    tx.mark_referrers_dirty(&owner)?;
    tx.commit(Durability::Lazy)?;
    Ok(true)
}

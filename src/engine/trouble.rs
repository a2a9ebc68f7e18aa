//! Requests that were answered 500: when the cycle ends, its pattern tells whose trouble that is ([`crate::reconcile::trouble`]).
//! A record that breaks while others are answered well goes into escrow, and is named; where all break, all stay dirty.

use super::cycle::Cycle;
use super::error::CycleError;
use super::error::chain;
use super::notes::Broken;
use super::summary::Summary;
use super::work::Work;
use super::work::failed_operation;
use super::work::failed_verb;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::ports::Durability;
use crate::ports::TargetError;
use crate::reconcile::trouble::Pattern;
use crate::reconcile::trouble::Whose;
use crate::reconcile::trouble::hint;
use crate::snapshot::store::Snapshot;

impl Cycle<'_> {
    /// Notes an object whose request was answered well, whatever was answered to it before.
    pub(super) fn note_answered(&mut self, key: (ObjectKind, SourceId)) {
        self.stumbles.well += 1;
        self.stumbles.broken.retain(|broken| broken.key != key);
    }

    /// Notes a request that was answered 500.
    pub(super) fn note_stumble(&mut self, work: &Work, error: &TargetError) {
        if error.status() != 500 {
            return;
        }
        self.stumbles.broken.push(Broken {
            key: (work.plan.kind, work.plan.source),
            verb: failed_verb(failed_operation(work)),
            resource: work.target.clone(),
            error: chain(error),
        });
    }

    /// Sets records aside that break by themselves.
    pub(super) async fn judge_stumbles(&mut self) -> Result<(), CycleError> {
        let broken = std::mem::take(&mut self.stumbles.broken);
        if broken.is_empty() || !self.run.applies() {
            return Ok(());
        }
        let pattern = Pattern {
            broken: broken.len() as u64,
            well: self.stumbles.well,
            down: self.is_down(),
        };
        let own = match pattern.whose() {
            Whose::Entry => true,
            Whose::Target => false,
            Whose::Unclear => self.broke_before(&broken[0]).await? && self.answers_a_question().await,
        };
        if !own {
            return Ok(());
        }
        let mut aside = Vec::new();
        for one in broken {
            let advice = hint(one.resource.as_ref().map(TargetId::as_str));
            self.run.summary.advise(one.key.1, one.verb, &advice);
            let first = self.run.job.escrow_first_retry;
            let words = (one.verb, one.error, advice);
            let escrowed = self.escrow.set_aside(one.key, self.run.now, first, words);
            aside.push((one.key, escrowed));
        }
        self.run
            .store(move |snapshot| {
                let mut tx = snapshot.tx()?;
                for ((kind, id), escrowed) in &aside {
                    tx.put_escrow(*kind, id, escrowed)?;
                }
                tx.commit(Durability::Lazy)
            })
            .await
    }

    /// True where this object waited in escrow, or broke in the cycle before this one.
    async fn broke_before(&self, one: &Broken) -> Result<bool, CycleError> {
        if self.escrow.is_due(one.key) {
            return Ok(true);
        }
        let last = self.run.store(|snapshot: &Snapshot| snapshot.cycles(1)).await?;
        let last = last.into_iter().next_back();
        let last = last.and_then(|last| serde_json::from_value::<Summary>(last).ok());
        let id = one.key.1.to_string();
        let broke = |last: Summary| {
            let mut failed = last.failed.iter();
            failed.any(|failed| failed.object == id && failed.error.contains(" answered 500"))
        };
        Ok(last.is_some_and(broke))
    }

    async fn answers_a_question(&self) -> bool {
        let kind = self.run.job.managed.first().copied().unwrap_or(ObjectKind::User);
        self.run.job.target.list(kind, None).await.is_ok()
    }
}

//! Requests that were answered 500: when the cycle ends, its pattern tells whose trouble that is ([`crate::reconcile::guard::trouble`]).
//! A record that breaks while others are answered well goes into escrow, and is named; where all break, all stay dirty.

use super::error::CycleError;
use super::error::chain;
use super::escrow::Escrow;
use super::run::Run;
use super::standing::Key;
use super::summary::Summary;
use super::work::Work;
use super::work::failed_operation;
use super::work::failed_verb;
use crate::model::id::ObjectKind;
use crate::model::id::TargetId;
use crate::ports::Durability;
use crate::ports::TargetError;
use crate::reconcile::guard::trouble::Pattern;
use crate::reconcile::guard::trouble::Whose;
use crate::reconcile::guard::trouble::hint;
use crate::snapshot::store::Snapshot;

/// Answers in a row after which the target as a whole counts as out of reach. One record that a server
/// answers with 500 must not stop the others; ten in a row are not one record.
pub(super) const TROUBLE: u32 = 10;

/// What a cycle saw of a target in trouble.
#[derive(Debug, Default)]
pub(super) struct Troubles {
    /// Answers in a row that say that the target as a whole is in trouble.
    pub(super) in_a_row: u32,
    /// Objects whose requests were answered well.
    well: u64,
    broken: Vec<Broken>,
}

/// An object whose request was answered 500.
#[derive(Debug)]
struct Broken {
    key: Key,
    verb: &'static str,
    resource: Option<TargetId>,
    error: String,
}

impl Troubles {
    /// True where the last answers were all trouble.
    pub(super) const fn is_down(&self) -> bool {
        self.in_a_row >= TROUBLE
    }

    /// Notes an object whose request was answered well, whatever was answered to it before.
    pub(super) fn note_answered(&mut self, key: Key) {
        self.well += 1;
        self.broken.retain(|broken| broken.key != key);
    }

    /// Notes a request that was answered 500.
    pub(super) fn note_stumble(&mut self, work: &Work, error: &TargetError) {
        if error.status() != 500 {
            return;
        }
        self.broken.push(Broken {
            key: (work.plan.kind, work.plan.source),
            verb: failed_verb(failed_operation(work)),
            resource: work.target.clone(),
            error: chain(error),
        });
    }

    /// Sets records aside that break by themselves.
    pub(super) async fn judge(&mut self, run: &mut Run<'_>, escrow: &mut Escrow) -> Result<(), CycleError> {
        let broken = std::mem::take(&mut self.broken);
        if broken.is_empty() || !run.applies() {
            return Ok(());
        }
        let pattern = Pattern {
            broken: broken.len() as u64,
            well: self.well,
            down: self.is_down(),
        };
        let own = match pattern.whose() {
            Whose::Entry => true,
            Whose::Target => false,
            Whose::Unclear => broke_before(run, escrow, &broken[0]).await? && answers_a_question(run).await,
        };
        if !own {
            return Ok(());
        }
        let mut aside = Vec::new();
        for one in broken {
            let advice = hint(one.resource.as_ref().map(TargetId::as_str));
            run.summary.advise(one.key.1, one.verb, &advice);
            let first = run.job.escrow_first_retry;
            let words = (one.verb, one.error, advice);
            let escrowed = escrow.set_aside(one.key, run.now, first, words);
            aside.push((one.key, escrowed));
        }
        run.store(move |snapshot| {
            let mut tx = snapshot.tx()?;
            for ((kind, id), escrowed) in &aside {
                tx.put_escrow(*kind, id, escrowed)?;
            }
            tx.commit(Durability::Lazy)
        })
        .await
    }
}

/// True where this object waited in escrow, or broke in the cycle before this one.
async fn broke_before(run: &Run<'_>, escrow: &Escrow, one: &Broken) -> Result<bool, CycleError> {
    if escrow.is_due(one.key) {
        return Ok(true);
    }
    let last = run.store(|snapshot: &Snapshot| snapshot.cycles(1)).await?;
    let last = last.into_iter().next_back();
    let last = last.and_then(|last| serde_json::from_value::<Summary>(last).ok());
    let id = one.key.1.to_string();
    let broke = |last: Summary| {
        let mut failed = last.failed.iter();
        failed.any(|failed| failed.object == id && failed.error.contains(" answered 500"))
    };
    Ok(last.is_some_and(broke))
}

async fn answers_a_question(run: &Run<'_>) -> bool {
    let kind = run.job.managed.first().copied().unwrap_or(ObjectKind::User);
    run.job.target.list(kind, None).await.is_ok()
}

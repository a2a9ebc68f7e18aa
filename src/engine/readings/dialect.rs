//! What the target taught of the forms that it wants: kept in the snapshot, and said with the cycle's findings.

use std::fmt;

use async_trait::async_trait;

use crate::engine::error::CycleError;
use crate::engine::run::Run;
use crate::ports::Durability;
use crate::ports::Memory;
use crate::ports::StoreError;
use crate::snapshot::read::Reads;
use crate::snapshot::state::{ANNOUNCED, LEARNED, StateReads};
use crate::snapshot::store::Snapshot;

/// Keeps what is learned in the job's snapshot.
struct InSnapshot(Snapshot);

impl fmt::Debug for InSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the job's snapshot")
    }
}

#[async_trait]
impl Memory for InSnapshot {
    async fn keep(&self, learned: String, durability: Durability) -> Result<(), StoreError> {
        let snapshot = self.0.clone();
        let written = tokio::task::spawn_blocking(move || {
            let mut tx = snapshot.tx()?;
            tx.put_state(&LEARNED, &learned);
            tx.commit(durability)
        });
        written.await.unwrap_or_else(|broken| {
            Err(StoreError::Io {
                action: "keep what was learned of the target".to_owned(),
                path: self.0.path().to_owned(),
                cause: Box::new(broken),
            })
        })
    }
}

/// Gives the target what it taught before.
pub(in crate::engine) async fn recall_dialect(run: &Run<'_>) -> Result<(), CycleError> {
    let (kept, announced) = run
        .store(|snapshot| Ok((snapshot.state(&LEARNED)?, snapshot.state(&ANNOUNCED)?)))
        .await?;
    let target = &run.job.target;
    target.recall_announced(announced.as_deref(), &run.job.fingerprint);
    let memory = InSnapshot(run.job.snapshot.clone());
    run.job.target.recall(kept, std::sync::Arc::new(memory)).await;
    Ok(())
}

/// Keeps what the target announced, where that is other than before, or is doubted by now.
pub(in crate::engine) async fn keep_announced(run: &Run<'_>) -> Result<(), CycleError> {
    let Some(announced) = run.job.target.announced() else {
        return Ok(());
    };
    run.store(move |snapshot| {
        let mut tx = snapshot.tx()?;
        tx.put_state(&ANNOUNCED, &announced);
        tx.commit(Durability::Lazy)
    })
    .await
}

/// Passes on what there is to say about the target.
pub(in crate::engine) fn tell_findings(run: &Run<'_>) {
    for finding in run.job.target.findings() {
        let text = format!("About the target: {finding}");
        if run.warnings.is_news(&text) {
            tracing::warn!("{text}");
        }
        run.order.watcher.finding(&finding);
    }
}

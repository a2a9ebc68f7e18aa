//! Resources that nobody is linked to: found in a whole listing, reported, and never touched.

use crate::engine::error::CycleError;
use crate::engine::readings::stored::StoredReading;
use crate::engine::run::Run;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::TargetId;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::reconcile::policy::Unmanaged;
use crate::snapshot::drift::Stranger;
use crate::snapshot::pages::Pages;
use crate::snapshot::read::Reads;
use crate::snapshot::store::Snapshot;

/// Counts resources in a whole listing that nobody is linked to, and nobody is about to adopt.
pub(super) async fn find_unmanaged(run: &mut Run<'_>, kind: ObjectKind) -> Result<(), CycleError> {
    let (report, now) = (run.job.policy.unmanaged == Unmanaged::Report, run.now);
    let count = run
        .store(move |snapshot| {
            snapshot.clear_strangers(kind)?;
            if report {
                note_strangers(snapshot, kind, now)
            } else {
                Ok(0)
            }
        })
        .await?;
    run.summary.drift.unmanaged += count;
    Ok(())
}

fn note_strangers(snapshot: &Snapshot, kind: ObjectKind, now: Timestamp) -> Result<u64, StoreError> {
    let mut count = 0;
    let mut pages = Pages::growing(|(target, _): &(TargetId, StoredReading)| target.clone());
    while let Some(page) = pages.next_page(|after, limit| snapshot.scan_readings(kind, after, limit))? {
        let mut tx = snapshot.tx()?;
        for (target, reading) in &page {
            if !reading.claims.is_empty() || snapshot.owner(kind, target)?.is_some() {
                continue;
            }
            let body = reading.body();
            let name = ["userName", "displayName"]
                .iter()
                .find_map(|name| body.get(name)?.as_str());
            let name = name.map(str::to_owned);
            tx.put_stranger(kind, target, &Stranger { name, seen: now });
            count += 1;
        }
        tx.commit(Durability::Lazy)?;
    }
    Ok(count)
}

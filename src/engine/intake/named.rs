//! Whom a cycle looks at where it was not asked for everybody: who was named, or whose withheld operations were let through.

use std::collections::BTreeSet;

use crate::engine::error::CycleError;
use crate::engine::intake::Intake;
use crate::engine::job::Extent;
use crate::engine::job::NamedOne;
use crate::engine::run::Run;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::object::Existence;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::snapshot::existence::apply_existence;
use crate::snapshot::kept_back::KeptBackReads;
use crate::snapshot::look::Looking;
use crate::snapshot::named::Named;
use crate::snapshot::read::Reads;
use crate::snapshot::record::DirtyCause;
use crate::snapshot::store::Snapshot;

impl Intake {
    /// Settles whom the cycle looks at. Who was named is read afresh at the source, and marked.
    pub(in crate::engine) async fn choose(&mut self, run: &Run<'_>) -> Result<(), CycleError> {
        match &run.order.extent {
            // Nobody, until it is known what drifted.
            Extent::Drift { .. } => self.focus = Some(BTreeSet::new()),
            Extent::Released => self.focus = Some(run.store(released).await?),
            Extent::Objects { users, groups } => {
                let mut focus = BTreeSet::new();
                for (kind, names) in [(ObjectKind::User, users), (ObjectKind::Group, groups)] {
                    let ids = look_at(run, kind, names).await?;
                    focus.extend(ids.into_iter().map(|id| (kind, id)));
                }
                self.focus = Some(focus);
            }
            Extent::Changes
            | Extent::Full
            | Extent::All
            | Extent::Restart
            | Extent::Back
            | Extent::Explain => {}
        }
        Ok(())
    }
}

/// The objects that a person let something through of.
fn released(snapshot: &Snapshot) -> Result<BTreeSet<(ObjectKind, SourceId)>, StoreError> {
    let mut found = BTreeSet::new();
    snapshot.each_withheld(|(kind, id, _), withheld| {
        if withheld.released_by.is_some() {
            found.insert((kind, id));
        }
        Ok(())
    })?;
    Ok(found)
}

/// Finds who is named, reads them afresh at the source, and marks them.
async fn look_at(run: &Run<'_>, kind: ObjectKind, names: &[String]) -> Result<Vec<SourceId>, CycleError> {
    let wanted = names.to_vec();
    let found = run
        .store(move |snapshot| snapshot.one_named(&[kind], &wanted))
        .await??;
    let ids: Vec<SourceId> = found.iter().map(|one| one.id).collect();
    if ids.is_empty() {
        return Ok(ids);
    }
    let select: Vec<String> = run.job.select(kind);
    let asked = run.job.clock.now();
    let answers = run
        .job
        .source
        .look_up(kind, &ids, &select)
        .await
        .map_err(CycleError::Source)?;
    let looking = Looking {
        named: true,
        believed: true,
        ..run.looking(asked)
    };
    let unchanged = run
        .store(move |snapshot| take(snapshot, kind, &answers, looking))
        .await?;
    for (asked, Named { id, name, .. }) in names.iter().zip(&found) {
        run.order.watcher.named(&NamedOne {
            asked: asked.clone(),
            kind,
            id: *id,
            name: name.clone(),
            unchanged: unchanged.contains(id),
        });
    }
    Ok(ids)
}

/// Stores what the source answered. Returns those of whom it answered what was known, with nothing else to be done for them.
fn take(
    snapshot: &Snapshot,
    kind: ObjectKind,
    answers: &[(SourceId, Existence)],
    looking: Looking,
) -> Result<BTreeSet<SourceId>, StoreError> {
    let mut unchanged = BTreeSet::new();
    let mut tx = snapshot.tx()?;
    for (id, existence) in answers {
        let waits = tx.dirty_cause(kind, id)?.is_some();
        let moved = apply_existence(&mut tx, kind, id, existence, looking)?;
        if !waits && !moved {
            unchanged.insert(*id);
        }
        tx.mark_dirty(kind, id, DirtyCause::MANUAL)?;
    }
    tx.commit(Durability::Lazy)?;
    Ok(unchanged)
}

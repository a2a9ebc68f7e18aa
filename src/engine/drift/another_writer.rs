//! Another writer: values at the target that are what our mapping makes, that were not there before, and that we did
//! not send. They tell of Azure's own provisioning service, or of a second melonsync, writing the same target.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use tracing::warn;

use crate::engine::error::CycleError;
use crate::engine::notes::Suspect;
use crate::engine::open::open_writes;
use crate::engine::readings::Readings;
use crate::engine::run::Run;
use crate::model::id::SourceId;
use crate::model::name::Name;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::snapshot::query::Query;
use crate::snapshot::state::ANOTHER_WRITER;
pub use crate::snapshot::state::AnotherWriter;
use crate::snapshot::state::RESTORED;
use crate::snapshot::state::StateReads;
use crate::snapshot::store::Snapshot;

/// As many examples as are shown.
const EXAMPLES: usize = 3;

/// As many values as the history is asked about: of more, the number alone speaks.
pub(in crate::engine) const ASKED: usize = 1000;

impl AnotherWriter {
    /// In words, with what to do.
    #[must_use]
    pub fn words(&self) -> String {
        let restored = if self.restored {
            " (the snapshot was restored: they may be what this melonsync itself sent after the backup was made)"
        } else {
            ""
        };
        format!(
            "another writer: {} values at the target are as this mapping makes them, and were not sent by this melonsync, for \
             example {}{restored}; stop Azure's own provisioning of this application (Entra admin centre, Enterprise \
             applications, Provisioning, Stop), or the other melonsync that writes to this target",
            self.values,
            self.examples.join(", ")
        )
    }
}

impl Readings {
    /// Says what looks like another writer's, unless it is our own by the history, or may be: sent, and never
    /// recorded.
    pub(in crate::engine) async fn tell_of_another_writer(
        &mut self,
        run: &Run<'_>,
    ) -> Result<(), CycleError> {
        if !self.drift.is_any() {
            return Ok(());
        }
        let suspects = std::mem::take(&mut self.drift.suspects);
        let (whole, more) = (!self.drift.whole.is_empty(), self.drift.more_suspects);
        let (cycle, found) = (run.order.id.to_string(), run.now.to_string());
        let another = run
            .store(move |snapshot| {
                let suspects = not_ours(snapshot, suspects)?;
                let restored = snapshot.has_state(&RESTORED)?;
                let examples = suspects.iter().take(EXAMPLES);
                let another = (!suspects.is_empty()).then(|| AnotherWriter {
                    cycle,
                    found,
                    values: suspects.len() as u64 + more,
                    examples: examples
                        .map(|one| format!("{} of {} {}", one.attribute, one.kind, one.id))
                        .collect(),
                    restored,
                });
                let mut tx = snapshot.tx()?;
                match &another {
                    Some(another) => tx.put_state(&ANOTHER_WRITER, another),
                    None if whole && snapshot.has_state(&ANOTHER_WRITER)? => {
                        tx.delete_state(&ANOTHER_WRITER);
                    }
                    None => {}
                }
                if !tx.is_empty() {
                    tx.commit(Durability::Lazy)?;
                }
                Ok(another)
            })
            .await?;
        if let Some(another) = another {
            warn!(
                values = another.values,
                "Another writer: {} values at the target were not sent by this melonsync", another.values
            );
            run.order.watcher.finding(&another.words());
        }
        Ok(())
    }
}

/// Those that the history does not know as sent by us, with whatever result. Where its values were erased or hidden,
/// it cannot be told, and nobody is accused.
fn not_ours(snapshot: &Snapshot, mut suspects: Vec<Suspect>) -> Result<Vec<Suspect>, StoreError> {
    let open = open_writes(snapshot)?;
    suspects.retain(|one| {
        !open
            .iter()
            .any(|write| (write.kind, write.id) == (one.kind, one.id))
    });
    if suspects.is_empty() {
        return Ok(suspects);
    }
    let mut ours: BTreeMap<SourceId, BTreeSet<Name>> = BTreeMap::new();
    let objects: BTreeSet<SourceId> = suspects.iter().map(|one| one.id).collect();
    let query = Query {
        objects: Some(objects),
        ..Query::default()
    };
    snapshot.search_history(&query, |entry, values| {
        let Some(id) = entry.object else { return Ok(()) };
        for one in suspects.iter().filter(|one| one.id == id) {
            let is_ours = values.is_none_or(|values| {
                let mut changes = values.changes.iter();
                changes.any(|change| {
                    change.attribute == one.attribute
                        && (change.after == one.value
                            || change.after.as_str() == Some(crate::reconcile::explain::REDACTED))
                })
            });
            if is_ours {
                ours.entry(id).or_default().insert(one.attribute.clone());
            }
        }
        Ok(())
    })?;
    suspects.retain(|one| {
        ours.get(&one.id)
            .is_none_or(|names| !names.contains(&one.attribute))
    });
    Ok(suspects)
}

/// What the last readings found of another writer.
///
/// # Errors
/// As the store.
pub fn another_writer(snapshot: &Snapshot) -> Result<Option<AnotherWriter>, StoreError> {
    snapshot.state(&ANOTHER_WRITER)
}

//! Reads who is in escrow when a cycle begins, and settles and names who is left when it ends (docs/design/failures.md).

use std::collections::HashMap;

use super::error::CycleError;
use super::escrow::Due;
use super::escrow::Escrow;
use super::run::Run;
use super::standing::Fact;
use super::summary::FAILURES_SHOWN;
use super::summary::InEscrow;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::ports::Durability;
use crate::reconcile::explain::omission::IN_ESCROW;
use crate::reconcile::explain::omission::Omission;
use crate::snapshot::escrow;
use crate::snapshot::escrow::Entry;
use crate::snapshot::escrow::Escrowed;

impl Escrow {
    /// Reads who waits. Entries of objects that were settled since go when this cycle writes.
    pub(super) async fn read(&mut self, run: &mut Run<'_>) -> Result<(), CycleError> {
        let entries = run.store(escrow::entries).await?;
        let names = names_of(run, entries.iter().map(|entry| (entry.kind, entry.id)).collect());
        let names = names.await?;
        for entry in entries {
            let key = (entry.kind, entry.id);
            if entry.is_due(run.now) || self.retries {
                let Escrowed {
                    failures,
                    since,
                    operation,
                    ..
                } = entry.escrowed;
                let due = Due {
                    failures,
                    since,
                    operation,
                };
                self.due.insert(key, due);
                continue;
            }
            run.standing.note(key, Fact::InEscrow);
            let omission = Omission::InEscrow {
                operation: entry.escrowed.operation,
                error: entry.escrowed.error,
                hint: entry.escrowed.hint,
                until: entry.escrowed.next_try.map(|at| at.to_string()),
            };
            let name = names.get(&key).map_or("", String::as_str);
            run.omit(entry.kind, entry.id, name, &omission);
        }
        Ok(())
    }

    /// Takes away the entries of objects that have nothing left to do.
    pub(super) async fn settle(&mut self, run: &Run<'_>) -> Result<(), CycleError> {
        if self.due.is_empty() {
            return Ok(());
        }
        let due: Vec<_> = self.due.keys().copied().collect();
        let gone = run
            .keep(move |snapshot| {
                let (mut tx, mut gone) = (snapshot.tx()?, Vec::new());
                for (kind, id) in due {
                    if crate::snapshot::read::Reads::dirty_cause(&tx, kind, &id)?.is_none() {
                        tx.delete_escrow(kind, &id);
                        tx.put_refusals(kind, &id, &[]);
                        gone.push((kind, id));
                    }
                }
                tx.commit(Durability::Lazy)?;
                Ok(gone)
            })
            .await?;
        for key in gone {
            self.due.remove(&key);
        }
        Ok(())
    }
}

/// The names of objects, as people know them.
pub(super) async fn names_of(
    run: &Run<'_>,
    objects: Vec<(ObjectKind, SourceId)>,
) -> Result<HashMap<(ObjectKind, SourceId), String>, CycleError> {
    run.store(move |snapshot| {
        let mut names = HashMap::new();
        for (kind, id) in objects {
            if let Some(name) = snapshot.name_of(kind, &id)? {
                names.insert((kind, id), name);
            }
        }
        Ok(names)
    })
    .await
}

/// Gives names to what the summary lists, and lists who is in escrow.
pub(super) async fn name_what_is_left(run: &mut Run<'_>) -> Result<(), CycleError> {
    let entries = run.store(escrow::entries).await?;
    let entries: Vec<_> = entries.into_iter().take(FAILURES_SHOWN).collect();
    let failed = run
        .summary
        .failed
        .iter()
        .filter_map(|failure| failure.object.parse().ok());
    let both = |id| [(ObjectKind::User, id), (ObjectKind::Group, id)];
    let mut objects: Vec<_> = failed.flat_map(both).collect();
    objects.extend(entries.iter().map(|entry| (entry.kind, entry.id)));
    let names = names_of(run, objects).await?;
    for failure in &mut run.summary.failed {
        let id = failure.object.parse().ok();
        let known = id.into_iter().flat_map(both).find(|key| names.contains_key(key));
        if let Some(key) = known {
            failure.kind = Some(key.0.word().to_owned());
            failure.name.clone_from(&names[&key]);
        }
    }
    run.summary.escrowed = entries
        .into_iter()
        .map(|entry| {
            let name = names.get(&(entry.kind, entry.id)).cloned();
            in_escrow(entry, name.unwrap_or_default())
        })
        .collect();
    Ok(())
}

fn in_escrow(entry: Entry, name: String) -> InEscrow {
    let Escrowed {
        operation,
        error,
        hint,
        failures,
        since,
        next_try,
    } = entry.escrowed;
    InEscrow {
        object: entry.id.to_string(),
        kind: entry.kind.word().to_owned(),
        name,
        operation,
        reason: IN_ESCROW.to_owned(),
        error,
        hint,
        failures,
        since: since.to_string(),
        next_try: next_try.map(|at| at.to_string()),
    }
}

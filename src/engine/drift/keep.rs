//! What is kept of drift: a row for each object, a mark where it is to be put right, and what the target was found to have kept.

use crate::engine::drift::another_writer;
use crate::engine::notes::Suspect;
use crate::engine::readings::Readings;
use crate::engine::run::Run;
use crate::mapping::Mapping;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::link::Kept;
use crate::ports::StoreError;
use crate::reconcile::drift::Drift;
use crate::reconcile::explain;
use crate::reconcile::operation::Change;
use crate::snapshot::drift::Attribute;
use crate::snapshot::drift::Members;
use crate::snapshot::drift::Row;
use crate::snapshot::read::Reads;
use crate::snapshot::record::DirtyCause;
use crate::snapshot::tx::Tx;

/// One object that was compared.
pub(super) struct Compared {
    pub(super) id: SourceId,
    pub(super) target: TargetId,
    pub(super) drift: Drift,
}

impl Readings {
    /// Counts what was found of one object, and notes what looks like another writer's.
    pub(super) fn count_drift(&mut self, run: &mut Run<'_>, kind: ObjectKind, one: Compared) {
        let drift = one.drift;
        let counts = &mut run.summary.drift;
        counts.modified += u64::from(!drift.attributes.is_empty());
        counts.membership += u64::from(!(drift.lacking.is_empty() && drift.extra.is_empty()));
        counts.orphaned += u64::from(drift.orphaned);
        if drift.heals() {
            self.drift.heals.insert((kind, one.id));
        }
        for change in drift.foreign {
            if self.drift.suspects.len() < another_writer::ASKED {
                self.drift.suspects.push(Suspect {
                    kind,
                    id: one.id,
                    attribute: change.attribute,
                    value: change.after,
                });
            } else {
                self.drift.more_suspects += 1;
            }
        }
    }
}

/// How what is found is kept.
#[derive(Clone, Copy)]
pub(super) struct Keeping {
    pub(super) now: Timestamp,
    /// False in a cycle that only looks: it promises nothing for a later one.
    pub(super) applies: bool,
    /// The mark of what is to be put right.
    pub(super) mark: DirtyCause,
    /// Whether what the target kept is filled in: a plan stores nothing of a link.
    pub(super) fills: bool,
    /// False while the store has no rows at all.
    pub(super) rows: bool,
}

impl Keeping {
    /// Keeps what was found of one object.
    pub(super) fn keep(
        self,
        tx: &mut Tx<'_>,
        mapping: &Mapping,
        kind: ObjectKind,
        one: &Compared,
    ) -> Result<(), StoreError> {
        let before = if self.rows { tx.drift(kind, &one.id)? } else { None };
        if !one.drift.is_none() || before.is_some() {
            let row = self.row(mapping, kind, one, before);
            tx.put_drift(kind, &one.id, &row)?;
        }
        if one.drift.heals() {
            tx.mark_dirty(kind, &one.id, self.mark)?;
        }
        if self.fills && !one.drift.filled.is_empty() {
            fill(tx, kind, one)?;
        }
        Ok(())
    }

    fn row(self, mapping: &Mapping, kind: ObjectKind, one: &Compared, before: Option<Row>) -> Row {
        let drift = &one.drift;
        let mut row = Row::new(one.target.clone(), self.now);
        row.orphaned = drift.orphaned;
        row.attributes = drift
            .attributes
            .iter()
            .map(|found| {
                let change = Change {
                    attribute: found.attribute.clone(),
                    before: found.held.clone(),
                    after: found.wanted.clone(),
                };
                attribute(mapping, kind, change, found.conflict)
            })
            .collect();
        row.lacking = Members::of(drift.lacking.clone());
        row.extra = Members::of(drift.extra.clone());
        row.pending = drift.heals() && (self.applies || before.as_ref().is_some_and(|before| before.pending));
        row.not_kept_members = drift.not_kept.iter().copied().collect();
        // Still as the target made it: had it moved, it would be drift again.
        let moved = |name| {
            row.attributes
                .iter()
                .any(|found: &Attribute| found.attribute == name)
        };
        row.not_kept = before.map(|before| before.not_kept).unwrap_or_default();
        row.not_kept.retain(|held| !moved(held.attribute.clone()));
        row
    }
}

/// One attribute as it is kept, from what is held to what is wanted: values that the mapping hides stay hidden.
pub(in crate::engine) fn attribute(
    mapping: &Mapping,
    kind: ObjectKind,
    found: Change,
    conflict: bool,
) -> Attribute {
    let shown = explain::redacted_changes(mapping, kind, vec![found]).remove(0);
    Attribute {
        attribute: shown.attribute,
        held: shown.before,
        wanted: shown.after,
        conflict,
    }
}

/// Keeps what the target was found to have kept of what was sent.
fn fill(tx: &mut Tx<'_>, kind: ObjectKind, one: &Compared) -> Result<(), StoreError> {
    let Some(mut record) = tx.record(kind, &one.id)? else {
        return Ok(());
    };
    if let Some(link) = &mut record.link {
        for (name, value) in &one.drift.filled {
            match value {
                None => link.kept.remove::<str>(name),
                Some(value) => link.kept.insert(name.clone(), Kept::Other(value.clone())),
            };
        }
    }
    tx.put_record(&record)
}

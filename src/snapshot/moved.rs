//! What of an object's record moved, and the mark that follows from it.

use crate::model::name::Name;
use crate::model::value::Value;
use crate::ports::StoreError;
use crate::snapshot::record::DirtyCause;
use crate::snapshot::record::Record;
use crate::snapshot::tx::Tx;

/// Returns true when two records are equal except for the generations, which every full round changes.
pub(super) fn same(before: Option<&Record>, after: &Record) -> bool {
    before.is_some_and(|before| {
        before.object.attributes == after.object.attributes
            && before.object.manager == after.object.manager
            && before.object.life == after.object.life
    })
}

/// Marks an object whose values, life or members changed, with the facts that a later reason may need. An object
/// without a link gets no facts: everything that is sent of it is sent for the first time.
pub(super) fn mark_source(
    tx: &mut Tx<'_>,
    before: Option<&Record>,
    after: &Record,
) -> Result<(), StoreError> {
    let (kind, id) = (after.object.kind, after.object.id);
    let Some(before) = before.filter(|before| before.link.is_some()) else {
        return tx.mark_dirty(kind, &id, DirtyCause::SOURCE);
    };
    let restored = before.is_gone() && !after.is_gone();
    let cause = if restored {
        DirtyCause::SOURCE.and(DirtyCause::RESTORED)
    } else {
        DirtyCause::SOURCE
    };
    tx.mark_moved(kind, &id, cause, moved(before, after))
}

/// Returns the properties whose value changed. A property that was never read before does not count as changed.
fn moved(before: &Record, after: &Record) -> Vec<Name> {
    let (held, now) = (&before.object.attributes, &after.object.attributes);
    let differs = |(name, value): (&Name, &Value)| {
        let other = held.get_named(name).is_some_and(|held| held != value);
        other.then(|| name.clone())
    };
    let mut moved: Vec<Name> = now.iter().filter_map(differs).collect();
    if before.object.manager != after.object.manager {
        moved.push(Name::from("manager"));
    }
    moved
}

//! Links made and taken away by hand. Nothing is sent: the next cycle plans with the link as it then is.

use std::collections::BTreeMap;

use super::record::forget_sent;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::link::Link;
use crate::model::link::LinkOrigin;
use crate::model::value::Attributes;
use crate::ports::StoreError;
use crate::snapshot::read::Reads;
use crate::snapshot::record::DirtyCause;
use crate::snapshot::tx::Tx;

pub use crate::model::link::BY_HAND;

/// Links an object with a resource, or takes its link away (`None`). What was sent into an earlier resource is
/// forgotten. Whoever refers to the object is looked at again. Returns the link that was there.
///
/// # Errors
/// [`StoreError::Claimed`] where the resource is another object's, and as the store.
pub fn relink(
    tx: &mut Tx<'_>,
    kind: ObjectKind,
    id: &SourceId,
    target: Option<TargetId>,
    now: Timestamp,
) -> Result<Option<TargetId>, StoreError> {
    let Some(mut record) = tx.record(kind, id)? else {
        return Ok(None);
    };
    let before = record.link.take().map(|link| link.target);
    record.link = target.map(|target| Link {
        target,
        origin: LinkOrigin::Adopted(BY_HAND.to_owned()),
        since: now,
        sent: Attributes::new(),
        kept: BTreeMap::new(),
    });
    tx.put_record(&record)?;
    tx.delete_drift(kind, id);
    // What the earlier resource refused, the next one may take.
    tx.put_refusals(kind, id, &[]);
    if kind == ObjectKind::Group {
        forget_sent(tx, id)?;
    }
    tx.mark_dirty(kind, id, DirtyCause::MANUAL)?;
    tx.mark_referrers_dirty(id)?;
    tx.mark_holders(id)?;
    Ok(before)
}

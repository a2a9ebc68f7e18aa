//! Links made and taken away by hand. Nothing is sent: the next cycle plans with the link as it then is.

use std::collections::BTreeMap;

use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
pub use crate::model::link::BY_HAND;
use crate::model::link::Link;
use crate::model::link::LinkOrigin;
use crate::model::object::Membership;
use crate::model::value::Attributes;
use crate::ports::StoreError;
use crate::snapshot::pages::Pages;
use crate::snapshot::read::Reads;
use crate::snapshot::record::DirtyCause;
use crate::snapshot::record::Record;
use crate::snapshot::tx::Tx;

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

/// The link goes, and what was sent into a resource that is not there any more.
pub(super) fn unlink(tx: &mut Tx<'_>, mut record: Record) -> Result<(), StoreError> {
    let (kind, id) = (record.object.kind, record.object.id);
    if kind == ObjectKind::Group {
        forget_sent(tx, &id)?;
    }
    record.link = None;
    tx.put_record(&record)?;
    tx.put_refusals(kind, &id, &[]);
    Ok(())
}

/// The memberships of a deleted group: nothing at the target holds them any more.
pub(super) fn forget_members(tx: &mut Tx<'_>, kind: ObjectKind, id: &SourceId) -> Result<(), StoreError> {
    if kind == ObjectKind::User {
        return Ok(());
    }
    let mut pages = Pages::growing(|(member, _): &(SourceId, Membership)| *member);
    while let Some(page) = pages.next_page(|after, limit| tx.edges(id, after, limit))? {
        for (member, _) in page {
            tx.delete_edge(id, &member)?;
        }
    }
    Ok(())
}

/// A group has another resource than before: what was sent into the old one is not in the new one.
pub(super) fn forget_sent(tx: &mut Tx<'_>, group: &SourceId) -> Result<(), StoreError> {
    let mut pages = Pages::growing(|(member, _): &(SourceId, Membership)| *member);
    while let Some(page) = pages.next_page(|after, limit| tx.edges(group, after, limit))? {
        for (member, edge) in page {
            match edge {
                Membership { present: false, .. } => tx.delete_edge(group, &member)?,
                Membership { sent: Some(_), .. } => {
                    tx.put_edge(group, &member, &Membership { sent: None, ..edge })?;
                }
                _ => {}
            }
        }
    }
    Ok(())
}

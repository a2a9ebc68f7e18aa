//! The members of a group on a page of a delta query.

use crate::model::id::SourceId;
use crate::model::object::DeltaObject;
use crate::model::object::Generation;
use crate::model::object::Membership;
use crate::model::object::ReferenceChange;
use crate::ports::StoreError;
use crate::snapshot::page::Round;
use crate::snapshot::read::Reads;
use crate::snapshot::tx::Tx;

/// The outcome of applying the members of a group on a page.
#[derive(Default)]
pub(super) struct Members {
    /// True if a membership changed in more than its generation.
    pub(super) changed: bool,
    /// The number of memberships that no earlier page of a full round brought.
    pub(super) fresh: usize,
}

/// Stores the members of a group that a page brings or takes away.
pub(super) fn apply_members(
    tx: &mut Tx<'_>,
    object: &DeltaObject,
    round: &Round<'_>,
) -> Result<Members, StoreError> {
    let mut found = Members::default();
    let watch = tx.watch()?;
    let members: Vec<SourceId> = object.members.iter().map(|entry| entry.id).collect();
    let known = tx.edges_of(&object.id, &members)?;
    for entry in &object.members {
        // The same member may occur twice on a page.
        let before = match tx.written_edge(&object.id, &entry.id)? {
            Some(written) => written,
            None => known.get(&entry.id).cloned(),
        };
        let older = |edge: &Membership| edge.generation < round.generation;
        found.fresh += usize::from(!entry.removed && before.as_ref().is_none_or(older));
        // A removed entry need not state its kind.
        let kind = before.as_ref().map_or(entry.kind, |edge| edge.kind);
        let moved = if entry.removed {
            remove_member(tx, &object.id, &entry.id, before, round.generation)?
        } else {
            add_member(tx, &object.id, entry, before, round.generation)
        };
        if moved {
            tx.membership_moved(watch, &object.id, &entry.id, kind)?;
        }
        found.changed |= moved;
    }
    Ok(found)
}

fn add_member(
    tx: &mut Tx<'_>,
    group: &SourceId,
    entry: &ReferenceChange,
    before: Option<Membership>,
    generation: Generation,
) -> bool {
    let changed = before
        .as_ref()
        .is_none_or(|edge| !edge.present || edge.kind != entry.kind);
    let sent = before.as_ref().and_then(|edge| edge.sent.clone());
    let found = before.as_ref().is_some_and(|edge| edge.found);
    let after = Membership {
        kind: entry.kind,
        generation,
        present: true,
        sent,
        found,
    };
    if before.as_ref() != Some(&after) {
        tx.replace_edge(before.is_some(), group, &entry.id, &after);
    }
    changed
}

/// Marks a membership as ended at the source. The edge stays for as long as the target holds the member.
pub(in crate::snapshot) fn remove_member(
    tx: &mut Tx<'_>,
    group: &SourceId,
    member: &SourceId,
    before: Option<Membership>,
    generation: Generation,
) -> Result<bool, StoreError> {
    let Some(mut edge) = before else { return Ok(false) };
    if edge.sent.is_none() {
        tx.delete_edge(group, member)?;
        return Ok(true);
    }
    let changed = edge.present;
    if edge.present || edge.generation != generation {
        (edge.present, edge.generation) = (false, generation);
        tx.put_edge(group, member, &edge)?;
    }
    Ok(changed)
}

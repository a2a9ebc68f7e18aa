//! How rounds begin and end.
//!
//! A full round counts a new generation; at its end, what it did not bring is *missing*, its edges and managers
//! are no more. The end goes through the tables a page a commit and remembers how far it came, so a crash in the
//! middle goes on there; only its last commit says that the round is whole. The very first round has nothing to look at.

use crate::model::clock::Timestamp;
use crate::model::cursor::Cursor;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::object::Generation;
use crate::model::object::Life;
use crate::model::object::Membership;
use crate::model::object::Removed;
use crate::model::value::Value;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::ports::Table;

use super::{
    keys,
    page::{mark_source, remove_member},
    read::{PAGE, Reads},
    record::{DirtyCause, FinishPhase, Finishing, RecordHead},
    store::Snapshot,
    tx::Tx,
};

/// What the end of a full round found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FinishOutcome {
    /// Objects that the round did not bring; to be asked for one by one.
    pub missing: u64,
    /// Managers that it did not bring.
    pub managers_cleared: u64,
    /// Memberships that it did not bring.
    pub edges_removed: u64,
}

/// Begins a full round under a new generation: at first, after a reset, or because other properties are needed.
/// `select` is what the round will ask for. An unfinished end of a round before it is dropped.
///
/// # Errors
/// As [`Reads`].
pub fn begin_full(
    tx: &mut Tx<'_>,
    kind: ObjectKind,
    select: &[String],
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut stream = tx.stream(kind)?;
    stream.cursor = Cursor::Start;
    stream.generation = stream.generation.saturating_add(1);
    stream.select = select.to_vec();
    stream.select.sort();
    stream.select.dedup();
    stream.began = now;
    tx.put_finishing(kind, None);
    tx.put_stream(kind, &stream);
    Ok(())
}

/// Begins a delta round: only its start time is noted.
///
/// # Errors
/// As [`Reads`].
pub fn begin_delta(tx: &mut Tx<'_>, kind: ObjectKind, now: Timestamp) -> Result<(), StoreError> {
    let mut stream = tx.stream(kind)?;
    stream.began = now;
    tx.put_stream(kind, &stream);
    Ok(())
}

/// Goes back to where an interrupted delta round began, because its page tokens expired. False in any other
/// state of the stream: then only a full round helps.
///
/// # Errors
/// As [`Reads`].
pub fn restart_delta(tx: &mut Tx<'_>, kind: ObjectKind) -> Result<bool, StoreError> {
    let mut stream = tx.stream(kind)?;
    let Cursor::Advancing { delta_link, .. } = stream.cursor else {
        return Ok(false);
    };
    stream.cursor = Cursor::Following { delta_link };
    tx.put_stream(kind, &stream);
    Ok(true)
}

impl Snapshot {
    /// Carries out the end of a full round; nothing where none is due. Safe to repeat after a crash.
    ///
    /// # Errors
    /// As [`Reads`].
    pub fn finish_round(&self, kind: ObjectKind) -> Result<FinishOutcome, StoreError> {
        let mut outcome = FinishOutcome::default();
        if self.stream(kind)?.generation <= FIRST
            && let Some(finishing) = self.finishing(kind)?
        {
            // Nobody who is alive, and no membership that is there, is older than this round.
            let mut tx = self.tx()?;
            complete(&mut tx, kind, finishing)?;
            tx.commit(Durability::Synced)?;
            return Ok(outcome);
        }
        while let Some(finishing) = self.finishing(kind)? {
            let mut tx = self.tx()?;
            let done = match finishing.phase {
                FinishPhase::Objects => finish_objects(&mut tx, kind, finishing, &mut outcome)?,
                FinishPhase::Edges => finish_edges(&mut tx, finishing, &mut outcome)?,
            };
            tx.commit(if done {
                Durability::Synced
            } else {
                Durability::Lazy
            })?;
        }
        Ok(outcome)
    }
}

/// The generation of the first full round of all.
const FIRST: Generation = 1;

/// One page of objects; true when the whole end is done.
fn finish_objects(
    tx: &mut Tx<'_>,
    kind: ObjectKind,
    mut finishing: Finishing,
    outcome: &mut FinishOutcome,
) -> Result<bool, StoreError> {
    let stream = tx.stream(kind)?;
    let selects = |name: &str| stream.select.iter().any(|property| property == name);
    let page = tx.raw_scan(
        Table::Objects,
        &[keys::kind_byte(kind)],
        finishing.after.as_deref(),
        PAGE,
    )?;
    for (key, value) in &page {
        let (_, id) = keys::parse_object(key).ok_or_else(|| tx.bad_key(Table::Objects))?;
        let head =
            RecordHead::decode(value).map_err(|error| tx.damaged(format_args!("{kind} {id}: {error}")))?;
        let mut settled = head;
        settle(&mut settled, stream.generation, selects("manager"), outcome);
        // Whoever was in the recycle bin may be gone for good by now, and no later round will say so.
        if head.generation < stream.generation && head.life == Life::Gone(Removed::SoftDeleted) {
            tx.mark_dirty(kind, &id, DirtyCause::UNREAD)?;
        }
        if settled != head {
            let before = tx.decode_record(kind, id, value)?;
            let mut record = before.clone();
            (record.object.life, record.object.manager) = (settled.life, settled.manager);
            tx.replace_record(Some(&before), &record)?;
            mark_source(tx, Some(&before), &record)?;
        }
    }
    if let Some((key, _)) = page.into_iter().next_back() {
        finishing.after = Some(key);
    } else if kind == ObjectKind::Group && selects("members") {
        (finishing.phase, finishing.after) = (FinishPhase::Edges, None);
    } else {
        complete(tx, kind, finishing)?;
        return Ok(true);
    }
    tx.put_finishing(kind, Some(&finishing));
    Ok(false)
}

/// An object that the round did not bring is missing; a manager that it did not bring is none.
fn settle(object: &mut RecordHead, generation: Generation, managers: bool, outcome: &mut FinishOutcome) {
    let seen = object.generation >= generation;
    if !seen && matches!(object.life, Life::Alive | Life::Unknown) {
        object.life = Life::Missing;
        outcome.missing += 1;
    }
    let stale = managers && object.manager_generation < generation && object.manager.is_some();
    if seen && stale && object.life == Life::Alive {
        object.manager = None;
        outcome.managers_cleared += 1;
    }
}

/// One page of edges; true when the whole end is done.
fn finish_edges(
    tx: &mut Tx<'_>,
    mut finishing: Finishing,
    outcome: &mut FinishOutcome,
) -> Result<bool, StoreError> {
    let generation = tx.stream(ObjectKind::Group)?.generation;
    let page = tx.raw_scan(Table::Edges, &[], finishing.after.as_deref(), PAGE)?;
    let mut group: Option<(SourceId, bool)> = None;
    let watch = tx.watch()?;
    for (key, value) in &page {
        let (id, member) = keys::parse_edge(key).ok_or_else(|| tx.bad_key(Table::Edges))?;
        let read = match group {
            Some((same, read)) if same == id => read,
            _ => was_read(tx, &id, generation)?,
        };
        group = Some((id, read));
        let edge: Membership = tx.decode(Table::Edges, value)?;
        if read && edge.present && edge.generation < generation {
            let kind = edge.kind;
            remove_member(tx, &id, &member, Some(edge), generation)?;
            tx.membership_moved(watch, &id, &member, kind)?;
            tx.mark_dirty(ObjectKind::Group, &id, DirtyCause::SOURCE)?;
            outcome.edges_removed += 1;
        }
    }
    let Some((key, _)) = page.into_iter().next_back() else {
        complete(tx, ObjectKind::Group, finishing)?;
        return Ok(true);
    };
    finishing.after = Some(key);
    tx.put_finishing(ObjectKind::Group, Some(&finishing));
    Ok(false)
}

/// Only of a group that the round brought are the members known that it did not bring; of one with hidden
/// membership only where it brought a member at all: an app that may not see them sees none (docs/design/evidence.md).
fn was_read(tx: &Tx<'_>, group: &SourceId, generation: Generation) -> Result<bool, StoreError> {
    let Some(record) = tx.record(ObjectKind::Group, group)? else {
        return Ok(false);
    };
    let object = &record.object;
    let read = object.life == Life::Alive && object.generation >= generation;
    let visibility = object.attribute("visibility").and_then(Value::as_str);
    Ok(read && (visibility != Some("HiddenMembership") || brought_a_member(tx, group, generation)?))
}

fn brought_a_member(tx: &Tx<'_>, group: &SourceId, generation: Generation) -> Result<bool, StoreError> {
    let mut after = None;
    loop {
        let page = tx.edges(group, after.as_ref(), PAGE)?;
        if page
            .iter()
            .any(|(_, edge)| edge.present && edge.generation >= generation)
        {
            return Ok(true);
        }
        match page.last() {
            Some((last, _)) if page.len() == PAGE => after = Some(*last),
            _ => return Ok(false),
        }
    }
}

fn complete(tx: &mut Tx<'_>, kind: ObjectKind, finishing: Finishing) -> Result<(), StoreError> {
    let mut stream = tx.stream(kind)?;
    stream.cursor = Cursor::Following {
        delta_link: finishing.delta_link,
    };
    stream.complete_since = Some(stream.began);
    tx.put_stream(kind, &stream);
    tx.put_finishing(kind, None);
    Ok(())
}

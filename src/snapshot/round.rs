//! How rounds begin and end.
//!
//! A full round counts a new generation. At its end, objects that it did not bring are *missing*, and edges and
//! managers that it did not bring are dropped. The end goes through the tables a page a commit and stores how far it
//! came, so that it continues there after a crash; only its last commit declares the round whole. The very first round
//! has nothing to look at.

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
    moved::mark_source,
    page::members::remove_member,
    pages::{PAGE, Pages},
    read::Reads,
    record::{DirtyCause, FinishPhase, Finishing, RecordHead},
    store::Snapshot,
    tx::Tx,
};

/// The outcome of the end of a full round.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FinishOutcome {
    /// The number of objects that the round did not bring, which are to be asked for one by one.
    pub missing: u64,
    /// The number of managers that it did not bring.
    pub managers_cleared: u64,
    /// The number of memberships that it did not bring.
    pub edges_removed: u64,
}

/// Begins a full round under a new generation: at first, after a reset, or because other properties are needed.
/// `select` is what the round will ask for. An unfinished end of an earlier round is dropped.
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

/// Begins a delta round: only stores its start time.
pub fn begin_delta(tx: &mut Tx<'_>, kind: ObjectKind, now: Timestamp) -> Result<(), StoreError> {
    let mut stream = tx.stream(kind)?;
    stream.began = now;
    tx.put_stream(kind, &stream);
    Ok(())
}

/// Goes back to where an interrupted delta round began, because its page tokens expired. Returns false in any other
/// state of the stream: then only a full round helps.
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
    /// Carries out the end of a full round, if one is due. Safe to repeat after a crash.
    pub fn finish_round(&self, kind: ObjectKind) -> Result<FinishOutcome, StoreError> {
        let mut outcome = FinishOutcome::default();
        if self.stream(kind)?.generation <= FIRST
            && let Some(finishing) = self.finishing(kind)?
        {
            // No living object and no existing membership is older than this round.
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

/// Ends the round for one page of objects. Returns true when the whole end is done.
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
        // An object that was in the recycle bin may be gone for good by now, and no later round will report it.
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

/// Settles an object: one that the round did not bring is missing, and a manager that it did not bring is removed.
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

/// Ends the round for one page of edges. Returns true when the whole end is done.
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

/// Returns true for a group whose missing members are proven: the round brought the group, and, where its membership is
/// hidden, at least one member. An app that may not see hidden members sees none (docs/design/evidence.md).
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
    let mut pages = Pages::fixed(|(member, _): &(SourceId, Membership)| *member);
    while let Some(page) = pages.next_page(|after, limit| tx.edges(group, after, limit))? {
        if page
            .iter()
            .any(|(_, edge)| edge.present && edge.generation >= generation)
        {
            return Ok(true);
        }
    }
    Ok(false)
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

//! How one page of a delta query is stored: objects, managers, memberships and the next link, in one transaction.
//!
//! The rules: docs/design/cycle.md, "Reading the source"; docs/design/evidence.md; docs/design/graph.md. Storing a page
//! twice equals storing it once: what did not change is neither written nor marked dirty.

use std::collections::HashSet;

use crate::model::cursor::Cursor;
use crate::model::cursor::Stream;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::name::Name;
use crate::model::object::DeltaObject;
use crate::model::object::Existence;
use crate::model::object::Generation;
use crate::model::object::Life;
use crate::model::object::Membership;
use crate::model::object::ReferenceChange;
use crate::model::object::Removed;
use crate::model::value::Attributes;
use crate::model::value::Value;
use crate::ports::DeltaPage;
use crate::ports::NextPage;
use crate::ports::StoreError;

use crate::model::clock::Timestamp;
use crate::reconcile::look::Look;
use crate::reconcile::look::Seen;
use crate::reconcile::look::in_bin_still;
use crate::reconcile::look::judge;

use super::{
    look::{Lent, LookReads, Looking},
    read::Reads,
    record::{DirtyCause, FinishPhase, Finishing, Record},
    tx::Tx,
};

/// The outcome of storing a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageOutcome {
    /// The number of objects on the page, including removed ones.
    pub read: usize,
    /// The objects that it changed, and that are dirty now, in page order, without repetition.
    pub touched: Vec<SourceId>,
    /// The objects to be read one by one before they are planned: new in a delta round and without their name, or back
    /// from any life but alive. They are dirty with [`DirtyCause::UNREAD`], so a crash forgets none of them.
    pub unread: Vec<SourceId>,
    /// The number of objects and group members that no earlier page of this round brought; in a delta round, of those
    /// that changed.
    pub fresh: usize,
    /// The number of objects on the page that were known.
    pub known: usize,
    /// The next step.
    pub next: AfterPage,
}

/// The next step after a page.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AfterPage {
    /// Read the page that the stream's cursor names.
    #[default]
    Read,
    /// Carry out the end of the full round, all of whose pages were read: [`super::store::Snapshot::finish_round`].
    Finish,
    /// Nothing: the delta round is complete.
    Done,
}

/// The round that a page belongs to.
struct Round<'s> {
    full: bool,
    generation: Generation,
    select: &'s [String],
    /// The attributes among the selected properties, without references and the id.
    attributes: Vec<Name>,
    /// True if looks wait for a second one: a page that brings their objects ends them.
    looks: bool,
}

impl Round<'_> {
    fn selects(&self, property: &str) -> bool {
        self.select.iter().any(|name| name == property)
    }
}

/// Stores a page of the round that the stream of this kind is in (see [`super::round`]), and the next link.
///
/// # Errors
/// As [`Reads`]. Nothing has happened before the transaction is committed.
pub fn apply_page(tx: &mut Tx<'_>, kind: ObjectKind, page: DeltaPage) -> Result<PageOutcome, StoreError> {
    let mut stream = tx.stream(kind)?;
    let full = matches!(stream.cursor, Cursor::Start | Cursor::Listing { .. });
    let round = Round {
        full,
        generation: stream.generation,
        select: &stream.select,
        attributes: attributes_of(&stream.select),
        looks: tx.looks_wait()?,
    };
    let mut outcome = PageOutcome {
        read: page.objects.len(),
        ..PageOutcome::default()
    };
    for object in page.objects {
        apply_object(tx, kind, object, &round, &mut outcome)?;
    }
    let mut seen = HashSet::new();
    outcome.touched.retain(|id| seen.insert(*id));
    outcome.next = advance(tx, kind, &mut stream, page.next);
    Ok(outcome)
}

fn attributes_of(select: &[String]) -> Vec<Name> {
    let attributes = select.iter().map(String::as_str);
    attributes
        .filter(|name| !matches!(*name, "id" | "manager" | "members"))
        .map(Name::from)
        .collect()
}

fn advance(tx: &mut Tx<'_>, kind: ObjectKind, stream: &mut Stream, next: NextPage) -> AfterPage {
    let (cursor, after) = match (next, &stream.cursor) {
        (NextPage::More { next_link }, Cursor::Start | Cursor::Listing { .. }) => {
            (Cursor::Listing { next_link }, AfterPage::Read)
        }
        (
            NextPage::More { next_link },
            Cursor::Following { delta_link } | Cursor::Advancing { delta_link, .. },
        ) => (
            Cursor::Advancing {
                next_link,
                delta_link: delta_link.clone(),
            },
            AfterPage::Read,
        ),
        // The cursor stays on the last page: only the end of the round may declare the round whole.
        (NextPage::Complete { delta_link }, Cursor::Start | Cursor::Listing { .. }) => {
            let finishing = Finishing {
                delta_link,
                after: None,
                phase: FinishPhase::Objects,
            };
            tx.put_finishing(kind, Some(&finishing));
            return AfterPage::Finish;
        }
        (NextPage::Complete { delta_link }, Cursor::Following { .. } | Cursor::Advancing { .. }) => {
            stream.complete_since = Some(stream.began);
            (Cursor::Following { delta_link }, AfterPage::Done)
        }
    };
    stream.cursor = cursor;
    tx.put_stream(kind, stream);
    after
}

fn apply_object(
    tx: &mut Tx<'_>,
    kind: ObjectKind,
    mut object: DeltaObject,
    round: &Round<'_>,
    outcome: &mut PageOutcome,
) -> Result<(), StoreError> {
    let before = tx.record(kind, &object.id)?;
    if let Some(reason) = object.removed {
        // Removals of unknown ids come in initial rounds, by the hundred (docs/design/graph.md, "Delta query").
        let Some(before) = before else { return Ok(()) };
        outcome.known += 1;
        return bury(tx, &before, reason, round, outcome);
    }
    if round.looks
        && let Some(look) = tx.look(kind, &object.id)?
        && (round.full || !waits_for_values(&look))
    {
        tx.put_look(kind, &object.id, None);
    }
    let mut record = before
        .clone()
        .unwrap_or_else(|| Record::new(kind, object.id, round.generation));
    let replaced = before
        .as_ref()
        .is_none_or(|known| round.full && known.object.generation < round.generation);
    merge(
        &mut record,
        std::mem::take(&mut object.attributes),
        round,
        replaced,
    );
    if kind == ObjectKind::User && round.selects("manager") {
        apply_manager(&mut record, &object.manager, round);
    }
    let members = if kind == ObjectKind::Group {
        apply_members(tx, &object, round)?
    } else {
        Members::default()
    };
    let changed = members.changed || !same(before.as_ref(), &record);
    outcome.known += 1;
    outcome.fresh += members.fresh + usize::from(replaced || changed);
    let nameless = before.is_none() && !round.full && lacks_its_name(&record, round);
    tx.replace_record(before.as_ref(), &record)?;
    // An object that comes back from any life but alive brings only the properties that it has: no page reports those
    // that it lost before or meanwhile. The lives between alive and gone (missing, unknown) are stations on the way to
    // both.
    let back = !replaced
        && before
            .as_ref()
            .is_some_and(|known| known.object.life != Life::Alive);
    if nameless || back {
        tx.mark_dirty(kind, &object.id, DirtyCause::UNREAD)?;
        outcome.unread.push(object.id);
    }
    if changed {
        mark_source(tx, before.as_ref(), &record)?;
        outcome.touched.push(object.id);
    }
    if before.is_some_and(|known| known.is_gone()) {
        tx.mark_referrers_dirty(&object.id)?; // it is back
        tx.existence_moved(kind, &object.id)?;
    }
    Ok(())
}

/// Turns a record into a tombstone. Attributes and generation are kept: a restored object merges onto them in a delta
/// round, and is replaced whole in a full one.
fn bury(
    tx: &mut Tx<'_>,
    before: &Record,
    reason: Removed,
    round: &Round<'_>,
    outcome: &mut PageOutcome,
) -> Result<(), StoreError> {
    let (kind, id) = (before.object.kind, before.object.id);
    let doubted = round.looks && tx.look(kind, &id)?.is_some();
    if doubted {
        tx.put_look(kind, &id, None);
    }
    if before.object.life == Life::Gone(reason) {
        // Reported again after a look that contradicted it: the streams are right, and what waited for the look is due.
        return if doubted {
            touch(tx, kind, id, outcome)
        } else {
            Ok(())
        };
    }
    let mut record = before.clone();
    record.object.life = Life::Gone(reason);
    tx.replace_record(Some(before), &record)?;
    outcome.fresh += 1;
    touch(tx, kind, id, outcome)?;
    if !before.is_gone() {
        tx.mark_referrers_dirty(&id)?;
        tx.existence_moved(kind, &id)?;
    }
    Ok(())
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

fn touch(
    tx: &mut Tx<'_>,
    kind: ObjectKind,
    id: SourceId,
    outcome: &mut PageOutcome,
) -> Result<(), StoreError> {
    tx.mark_dirty(kind, &id, DirtyCause::SOURCE)?;
    outcome.touched.push(id);
    Ok(())
}

/// Merges the attributes read into a record. An absent property is unchanged; but on an object's first occurrence in a
/// full round, and on an unknown object, a selected property that is absent is null. Properties that were not selected
/// stay as they are.
fn merge(record: &mut Record, read: Attributes, round: &Round<'_>, replaced: bool) {
    let known = &mut record.object;
    let absent: Vec<Name> = if replaced {
        let absent = |name: &&Name| read.get_named(name).is_none();
        round.attributes.iter().filter(absent).cloned().collect()
    } else {
        Vec::new()
    };
    if known.attributes.is_empty() {
        known.attributes = read;
    } else {
        known.attributes.extend(read);
    }
    for name in absent {
        known.attributes.insert(name, Value::Null);
    }
    known.life = Life::Alive;
    known.generation = round.generation;
}

/// Applies manager changes: removals first, whatever their order on the page. A removal clears only the manager that is
/// stored.
fn apply_manager(record: &mut Record, entries: &[ReferenceChange], round: &Round<'_>) {
    let object = &mut record.object;
    for entry in entries.iter().filter(|entry| entry.removed) {
        if object.manager == Some(entry.id) {
            object.manager = None;
        }
    }
    if let Some(entry) = entries.iter().rfind(|entry| !entry.removed) {
        object.manager = Some(entry.id);
    }
    if !entries.is_empty() {
        object.manager_generation = round.generation;
    }
}

/// The outcome of applying the members of a group on a page.
#[derive(Default)]
struct Members {
    /// True if a membership changed in more than its generation.
    changed: bool,
    /// The number of memberships that no earlier page of a full round brought.
    fresh: usize,
}

fn apply_members(tx: &mut Tx<'_>, object: &DeltaObject, round: &Round<'_>) -> Result<Members, StoreError> {
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
pub(super) fn remove_member(
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

/// Returns true when two records are equal except for the generations, which every full round changes.
fn same(before: Option<&Record>, after: &Record) -> bool {
    before.is_some_and(|before| {
        before.object.attributes == after.object.attributes
            && before.object.manager == after.object.manager
            && before.object.life == after.object.life
    })
}

fn lacks_its_name(record: &Record, round: &Round<'_>) -> bool {
    let name = match record.object.kind {
        ObjectKind::User => "userPrincipalName",
        ObjectKind::Group => "displayName",
    };
    round.selects(name) && record.object.attribute(name).is_none_or(Value::is_unassigned)
}

/// Stores what asking for one object proved ([`crate::reconcile::look`]). Returns true when that changed the object; it
/// is dirty then.
pub fn apply_existence(
    tx: &mut Tx<'_>,
    kind: ObjectKind,
    id: &SourceId,
    existence: &Existence,
    looking: Looking,
) -> Result<bool, StoreError> {
    let Some(before) = tx.record(kind, id)? else {
        return Ok(false);
    };
    let stream = tx.stream(kind)?;
    let unread = tx
        .dirty_cause(kind, id)?
        .is_some_and(|cause| cause.has(DirtyCause::UNREAD));
    let waited = tx.look(kind, id)?;
    // A deleted group also removes its members, and of an object without a link nothing is left that a second look
    // could restore.
    let believed = looking.believed && kind == ObjectKind::User && before.link.is_some();
    let (life, judged) = judge(before.object.life, waited, existence, looking.now, believed);
    let judged = judged.or_else(|| {
        let still = in_bin_still(before.object.life, waited, existence, looking.now);
        still.filter(|_| unread || waited.is_some())
    });
    let mut look = judged;
    let mut record = before.clone();
    record.object.life = life;
    if let (Existence::Alive(attributes), Life::Alive) = (existence, life) {
        let moved = differs(&before, attributes);
        // An answer that proved nothing made the life unknown, but did not change what the streams had reported before
        // it.
        let was = waited.map_or(before.object.life, |look| look.was);
        let again = again(was, waited, moved, looking.now);
        // An object that is looked up only because its resource is to be deleted is known by what the streams reported.
        if again.is_none() || unread || looking.named || was != Life::Alive {
            read_values(&mut record, attributes, again.is_some() && !looking.named);
        }
        record.object.generation = stream.generation;
        look = look.or(again);
    }
    if record.is_gone() != record.object.gone_since.is_some() {
        record.object.gone_since = record.is_gone().then_some(looking.now);
    }
    if !looking.counts && (life, judged) != (before.object.life, waited) {
        let lent = Lent {
            life: before.object.life,
            gone_since: before.object.gone_since,
            generation: before.object.generation,
            // Values that were read stay, and so does the note that they are to be read again.
            look: waited.or(look.filter(waits_for_values)),
            unread,
        };
        tx.lend(kind, id, &lent)?;
    }
    let changed = !same(Some(&before), &record);
    tx.replace_record(Some(&before), &record)?;
    if look != waited {
        tx.put_look(kind, id, look.as_ref());
    }
    if changed {
        mark_source(tx, Some(&before), &record)?;
    }
    if before.is_gone() != record.is_gone() {
        tx.mark_referrers_dirty(id)?;
        tx.existence_moved(kind, id)?;
    }
    if look.is_none() || life == Life::Alive {
        settle_unread(tx, kind, id, existence)?;
    }
    Ok(changed)
}

/// Returns true where a look-up answers with other values than the stored ones.
fn differs(known: &Record, read: &Attributes) -> bool {
    let other = |(name, value): (&Name, &Value)| known.object.attributes.get_named(name) != Some(value);
    read.iter().any(other)
}

/// Decides whether an object is read once more, later: values of a look-up that differ from those of the streams may
/// come from a replica that is behind, and no page comes a second time to correct them.
fn again(was: Life, waited: Option<Look>, moved: bool, now: Timestamp) -> Option<Look> {
    let waits = waited.filter(waits_for_values);
    if was != Life::Alive || waits.is_some_and(|look| look.is_apart(now)) {
        return None;
    }
    let look = Look {
        was: Life::Alive,
        seen: Some(Seen::Alive),
        since: now,
    };
    waits.map(|look| look.going_on(now)).or(moved.then_some(look))
}

/// Returns true for a look that waits only because its values differed. A page of a delta round brings what changed: it
/// proves that the object lives, but not the values that the look may have taken from a replica that is behind.
fn waits_for_values(look: &Look) -> bool {
    look.was == Life::Alive && look.seen == Some(Seen::Alive)
}

/// Merges the values of a look-up into a record. With `first`, another look will follow, and until then no disabled
/// user gets access back.
fn read_values(record: &mut Record, read: &Attributes, first: bool) {
    let disabled = !record.object.account_enabled();
    record.object.attributes.extend(read.clone());
    if first && disabled {
        record
            .object
            .attributes
            .insert("accountEnabled", Value::Bool(false));
    }
}

/// Clears the mark of an object that was to be read, unless the answer proved nothing.
fn settle_unread(
    tx: &mut Tx<'_>,
    kind: ObjectKind,
    id: &SourceId,
    answer: &Existence,
) -> Result<(), StoreError> {
    let cause = tx.dirty_cause(kind, id)?.unwrap_or_default();
    if cause.has(DirtyCause::UNREAD) && !matches!(answer, Existence::Unknown(_)) {
        let read = cause.without(DirtyCause::UNREAD).and(DirtyCause::SOURCE);
        tx.remark(kind, id, read)?;
    }
    Ok(())
}

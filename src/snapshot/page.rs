//! How one page of a delta query is stored: objects, managers, memberships and the next link, in one transaction.
//!
//! The rules: docs/design/cycle.md, "Reading the source"; docs/design/evidence.md; docs/design/graph.md. Storing a page
//! twice equals storing it once: what did not change is neither written nor marked dirty.

pub(super) mod members;

use std::collections::HashSet;

use crate::model::clock::Timestamp;
use crate::model::cursor::Cursor;
use crate::model::cursor::Stream;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::name::Name;
use crate::model::object::DeltaObject;
use crate::model::object::Generation;
use crate::model::object::Life;
use crate::model::object::ReferenceChange;
use crate::model::object::Removed;
use crate::model::value::Attributes;
use crate::model::value::Value;
use crate::ports::DeltaPage;
use crate::ports::NextPage;
use crate::ports::StoreError;
use crate::reconcile::look::Look;
use crate::reconcile::look::Seen;

use self::members::{Members, apply_members};
use super::{
    look::LookReads,
    moved::{mark_source, same},
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
    /// True if looks wait for a second one: a page that brings their objects ends them, or makes them wait from then on.
    looks: bool,
    now: Timestamp,
}

impl Round<'_> {
    fn selects(&self, property: &str) -> bool {
        self.select.iter().any(|name| name == property)
    }
}

/// Stores a page of the round that the stream of this kind is in (see [`super::round`]), and the next link. `now` is when it was
/// read.
///
/// # Errors
/// As [`Reads`]. Nothing has happened before the transaction is committed.
pub fn apply_page(
    tx: &mut Tx<'_>,
    kind: ObjectKind,
    page: DeltaPage,
    now: Timestamp,
) -> Result<PageOutcome, StoreError> {
    let mut stream = tx.stream(kind)?;
    let full = matches!(stream.cursor, Cursor::Start | Cursor::Listing { .. });
    let round = Round {
        full,
        generation: stream.generation,
        select: &stream.select,
        attributes: attributes_of(&stream.select),
        looks: tx.looks_wait()?,
        now,
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
    if round.looks {
        answer_look(tx, kind, &object.id, round)?;
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
    if nameless || (!replaced && comes_back(before.as_ref())) {
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

/// Ends the wait for a second look at an object that a page brings: it lives. Of the values that a look may have taken from a
/// replica that is behind, a page brings only what changed, but for a full round: they are read once more. And what it brings may be
/// newer than what such a replica has for a while, so that the time is noted.
fn answer_look(
    tx: &mut Tx<'_>,
    kind: ObjectKind,
    id: &SourceId,
    round: &Round<'_>,
) -> Result<(), StoreError> {
    if let Some(look) = tx.look(kind, id)? {
        let reads_again = !round.full && look.seen == Some(Seen::Alive);
        let left = reads_again.then_some(Look {
            was: Life::Alive,
            ..look
        });
        tx.put_look(kind, id, left.as_ref());
        if reads_again {
            tx.put_paged(kind, id, round.now);
        }
    }
    Ok(())
}

/// True for an object that comes back from any life but alive: it brings only the properties that it has, and no page reports
/// those that it lost before or meanwhile. The lives between alive and gone (missing, unknown) are stations on the way to both.
fn comes_back(before: Option<&Record>) -> bool {
    before.is_some_and(|known| known.object.life != Life::Alive)
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

fn lacks_its_name(record: &Record, round: &Round<'_>) -> bool {
    let name = match record.object.kind {
        ObjectKind::User => "userPrincipalName",
        ObjectKind::Group => "displayName",
    };
    round.selects(name) && record.object.attribute(name).is_none_or(Value::is_unassigned)
}

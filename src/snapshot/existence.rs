//! What asking for one object proves of it, and how that is stored.

use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::name::Name;
use crate::model::object::Existence;
use crate::model::object::Life;
use crate::model::value::Attributes;
use crate::model::value::Value;
use crate::ports::StoreError;
use crate::reconcile::look::Look;
use crate::reconcile::look::Seen;
use crate::reconcile::look::in_bin_still;
use crate::reconcile::look::judge;
use crate::snapshot::look::Lent;
use crate::snapshot::look::LookReads;
use crate::snapshot::look::Looking;
use crate::snapshot::moved::mark_source;
use crate::snapshot::moved::same;
use crate::snapshot::read::Reads;
use crate::snapshot::record::DirtyCause;
use crate::snapshot::record::Record;
use crate::snapshot::tx::Tx;

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
    let cause = tx.dirty_cause(kind, id)?.unwrap_or_default();
    let unread = cause.has(DirtyCause::UNREAD);
    let waited = tx.look(kind, id)?;
    // A deleted group also removes its members, and of an object without a link nothing is left that a second look
    // could restore.
    let believed = looking.believed && kind == ObjectKind::User && before.link.is_some();
    let (life, judged) = judge(before.object.life, waited, existence, looking.now, believed);
    let still = || in_bin_still(before.object.life, waited, existence, looking.now);
    let judged = judged.or_else(|| still().filter(|_| unread || waited.is_some()));
    let mut look = judged;
    let mut record = before.clone();
    record.object.life = life;
    if let (Existence::Alive(attributes), Life::Alive) = (existence, life) {
        let evidence = Evidence {
            waited,
            paged: tx.paged(kind, id)?,
            unread,
        };
        look = look.or(take_values(&mut record, &before, attributes, &evidence, looking));
        record.object.generation = stream.generation;
    }
    look = look.map(|look| waits_from(look, looking));
    let is_gone = record.is_gone();
    if is_gone != record.object.gone_since.is_some() {
        record.object.gone_since = is_gone.then_some(looking.now);
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
    if look != waited {
        tx.put_look(kind, id, look.as_ref());
    }
    let changed = replace(tx, &before, &record)?;
    if look.is_none() || life == Life::Alive {
        settle_unread(tx, kind, id, existence)?;
    }
    Ok(changed)
}

/// What was known before a look.
struct Evidence {
    /// The look that waits.
    waited: Option<Look>,
    /// When a page brought the object since.
    paged: Option<Timestamp>,
    /// True where the object is to be read.
    unread: bool,
}

/// Takes the values of somebody who answered, where they count. The look that follows, where they are read once more.
fn take_values(
    record: &mut Record,
    before: &Record,
    read: &Attributes,
    evidence: &Evidence,
    looking: Looking,
) -> Option<Look> {
    let Evidence { waited, unread, .. } = *evidence;
    // An answer that proved nothing made the life unknown, but did not change what the streams had reported before it.
    let was = waited.map_or(before.object.life, |look| look.was);
    let again = again(was, evidence, differs(before, read), looking);
    // Until a second look is due, what is known is newer or as new: a page may have brought it since.
    let unread = unread && !(again.is_some() && waited.as_ref().is_some_and(waits_for_values));
    // An object that is looked up only because its resource is to be deleted is known by what the streams reported.
    if again.is_none() || unread || looking.named || was != Life::Alive {
        read_values(record, read, again.is_some() && !looking.named);
    }
    again
}

/// Replaces a record by what a look-up made of it, and marks whom that concerns. Returns true when the object changed.
fn replace(tx: &mut Tx<'_>, before: &Record, after: &Record) -> Result<bool, StoreError> {
    let (kind, id) = (after.object.kind, after.object.id);
    let changed = !same(Some(before), after);
    tx.replace_record(Some(before), after)?;
    if changed {
        mark_source(tx, Some(before), after)?;
    }
    if before.is_gone() != after.is_gone() {
        tx.mark_referrers_dirty(&id)?;
        tx.existence_moved(kind, &id)?;
    }
    Ok(changed)
}

/// A look that was made just now waits from its answer on.
fn waits_from(look: Look, looking: Looking) -> Look {
    let since = if look.since == looking.now {
        looking.answered
    } else {
        look.since
    };
    Look { since, ..look }
}

/// Returns true where a look-up answers with other values than the stored ones.
fn differs(known: &Record, read: &Attributes) -> bool {
    let other = |(name, value): (&Name, &Value)| known.object.attributes.get_named(name) != Some(value);
    read.iter().any(other)
}

/// Decides whether an object is read once more, later: values of a look-up that differ from those of the streams may
/// come from a replica that is behind, and no page comes a second time to correct them.
fn again(was: Life, evidence: &Evidence, moved: bool, looking: Looking) -> Option<Look> {
    let waits = evidence.waited.filter(waits_for_values);
    // A replica may not have what a page brought a moment ago; one that answers what is known has it.
    let has_pages = |look: &Look| {
        let since = evidence.paged.map_or(look.since, |paged| paged.max(look.since));
        !moved || Look { since, ..*look }.is_apart(looking.now)
    };
    if was != Life::Alive || waits.is_some_and(|look| look.is_apart(looking.now) && has_pages(&look)) {
        return None;
    }
    let look = Look {
        was: Life::Alive,
        seen: Some(Seen::Alive),
        since: looking.now,
    };
    match waits {
        // Of somebody who is named the values are taken once more, and may be older than those of before.
        Some(_) if moved && looking.named => Some(look),
        Some(waits) => Some(waits.going_on(looking.now)),
        None => moved.then_some(look),
    }
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

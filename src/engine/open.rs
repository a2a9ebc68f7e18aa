//! The log of open writes: PATCHes and DELETEs that were sent, and have no recorded outcome yet; and which creates were
//! answered.
//!
//! Guarantee: no value is kept here, only ids and paths. Each change is made in the transaction of what it is about.

use std::collections::BTreeSet;

use super::work::Answer;
use super::work::Work;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::ports::StoreError;
use crate::snapshot::read::ObjectIntent;
use crate::snapshot::read::Reads;
use crate::snapshot::state::ANSWERED_CREATES;
use crate::snapshot::state::AnsweredCreate;
use crate::snapshot::state::OPEN_WRITES;
use crate::snapshot::state::OpenWrite;
use crate::snapshot::state::StateReads;
use crate::snapshot::store::Snapshot;
use crate::snapshot::tx::Tx;

/// Those of this snapshot.
///
/// # Errors
/// As the store.
pub fn open_writes(reads: &impl Reads) -> Result<Vec<OpenWrite>, StoreError> {
    Ok(reads.state(&OPEN_WRITES)?.unwrap_or_default())
}

fn put(tx: &mut Tx<'_>, writes: &Vec<OpenWrite>) {
    if writes.is_empty() {
        tx.delete_state(&OPEN_WRITES);
    } else {
        tx.put_state(&OPEN_WRITES, writes);
    }
}

/// Adds those of a batch that is about to be sent; true where there are any.
pub(super) fn note(tx: &mut Tx<'_>, works: &[Work], now: Timestamp) -> Result<bool, StoreError> {
    let noted: Vec<OpenWrite> = works.iter().filter_map(|work| of(work, now)).collect();
    if noted.is_empty() {
        return Ok(false);
    }
    add(tx, noted)?;
    Ok(true)
}

/// Adds these writes to the log.
pub(super) fn add(tx: &mut Tx<'_>, noted: Vec<OpenWrite>) -> Result<(), StoreError> {
    if noted.is_empty() {
        return Ok(());
    }
    let fresh: BTreeSet<(ObjectKind, SourceId)> = noted.iter().map(|write| (write.kind, write.id)).collect();
    let mut all = open_writes(&*tx)?;
    // Who is sent again was read back before; what is open of it is of this cycle, and is all the same still open.
    for write in noted {
        match all
            .iter_mut()
            .find(|held| (held.kind, held.id) == (write.kind, write.id))
        {
            Some(held) => held.join(write),
            None => all.push(write),
        }
    }
    debug_assert!(all.len() >= fresh.len());
    put(tx, &all);
    Ok(())
}

fn of(work: &Work, at: Timestamp) -> Option<OpenWrite> {
    // A create has its intent; only members that do not fit into it follow in a PATCH.
    if !work.sends() || (work.creates() && !work.patches_after_create()) {
        return None;
    }
    let paths = if work.creates() {
        Vec::new()
    } else {
        work.sent_paths()
    };
    Some(OpenWrite {
        kind: work.plan.kind,
        id: work.plan.source,
        paths,
        members: work.moves_members(),
        put_in: work.adopts().map(|_| put_in(work)).unwrap_or_default(),
        adopts: work.adopts(),
        at,
        earlier: false,
        answered: false,
    })
}

/// What of a create is in doubt, as a write that is read back once the resource can be read.
pub(super) fn in_doubt(work: &Work, at: Timestamp) -> Option<OpenWrite> {
    let doubt = &work.left_out.in_doubt;
    doubt.error()?;
    let paths = doubt
        .attributes
        .iter()
        .map(|part| part.attribute.as_str().to_owned());
    Some(OpenWrite {
        kind: work.plan.kind,
        id: work.plan.source,
        paths: paths.collect(),
        members: !doubt.members.is_empty(),
        put_in: BTreeSet::new(),
        adopts: None,
        at,
        earlier: false,
        answered: true,
    })
}

fn put_in(work: &Work) -> BTreeSet<SourceId> {
    work.added.iter().map(|(member, _)| *member).collect()
}

impl OpenWrite {
    fn join(&mut self, other: Self) {
        for path in other.paths {
            if !self.paths.contains(&path) {
                self.paths.push(path);
            }
        }
        self.members |= other.members;
        self.adopts = other.adopts.or(self.adopts.take());
        self.put_in.extend(other.put_in);
        self.at = other.at;
        self.earlier = true;
        self.answered = false;
    }
}

/// True when an answer says for certain what the target holds now. What a target empties together with `active` shows only
/// in the resource.
pub(super) fn is_certain(work: &Work, answer: &Answer) -> bool {
    match answer {
        Answer::Done { resource, .. } => resource.is_some() || !work.sets_active(),
        // Of this batch's own request at most; see `did_nothing`.
        Answer::NotSent
        | Answer::TooLate
        | Answer::Cut(_)
        | Answer::Half { .. }
        | Answer::Met { .. }
        | Answer::Failed(_) => false,
    }
}

/// True when this batch's request was answered, whatever the answer says.
pub(super) const fn is_answered(answer: &Answer) -> bool {
    match answer {
        Answer::Done { .. } | Answer::Met { .. } => true,
        Answer::Half { error, .. } | Answer::Failed(error) => error.is_answered(),
        Answer::NotSent | Answer::TooLate | Answer::Cut(_) => false,
    }
}

/// True when this batch's request did not go out, or was refused: an earlier one that is open may have been carried out all the
/// same. Members may go in several requests, of which some were carried out before one failed.
pub(super) fn did_nothing(work: &Work, answer: &Answer) -> bool {
    match answer {
        Answer::NotSent | Answer::TooLate | Answer::Cut(_) => true,
        Answer::Failed(error) => !error.maybe_done() && !work.moves_members(),
        Answer::Done { .. } | Answer::Half { .. } | Answer::Met { .. } => false,
    }
}

/// A group whose members are to be read back in the next cycle, when more of them are linked.
pub(super) fn note_members(tx: &mut Tx<'_>, id: SourceId, at: Timestamp) -> Result<(), StoreError> {
    let mut all = open_writes(&*tx)?;
    all.push(OpenWrite {
        kind: ObjectKind::Group,
        id,
        paths: Vec::new(),
        members: true,
        adopts: None,
        put_in: BTreeSet::new(),
        at,
        earlier: false,
        // The group is there; it is only read back once more.
        answered: true,
    });
    put(tx, &all);
    Ok(())
}

/// Takes away those whose outcome is recorded in this transaction, and notes which of the others were answered.
pub(super) fn settle(
    tx: &mut Tx<'_>,
    kind: ObjectKind,
    certain: &BTreeSet<SourceId>,
    undone: &BTreeSet<SourceId>,
    answered: &BTreeSet<SourceId>,
) -> Result<(), StoreError> {
    let all = open_writes(&*tx)?;
    let is_settled =
        |write: &OpenWrite| certain.contains(&write.id) || (undone.contains(&write.id) && !write.earlier);
    let mut left: Vec<OpenWrite> = all
        .iter()
        .filter(|write| write.kind != kind || !is_settled(write))
        .cloned()
        .collect();
    for write in &mut left {
        // One that an earlier cycle sent may have gone unanswered.
        write.answered |= write.kind == kind && answered.contains(&write.id) && !write.earlier;
    }
    if left != all {
        put(tx, &left);
    }
    Ok(())
}

/// Notes which creates were answered, though their intents stay open.
pub(super) fn note_answered(
    tx: &mut Tx<'_>,
    kind: ObjectKind,
    ids: impl Iterator<Item = SourceId>,
    at: Timestamp,
) -> Result<(), StoreError> {
    let mut known = answered_creates(&*tx)?;
    let before = known.len();
    known.extend(ids.map(|id| AnsweredCreate { kind, id, at }));
    if known.len() > before {
        tx.put_state(&ANSWERED_CREATES, &known);
    }
    Ok(())
}

fn answered_creates(reads: &impl Reads) -> Result<Vec<AnsweredCreate>, StoreError> {
    Ok(reads.state(&ANSWERED_CREATES)?.unwrap_or_default())
}

/// When the last of these creates was sent that may still be under way.
pub(super) fn last_unanswered(
    snapshot: &Snapshot,
    intents: &[ObjectIntent],
) -> Result<Option<Timestamp>, StoreError> {
    let answered = answered_creates(snapshot)?;
    let open = intents.iter().filter(|(kind, id, intent)| {
        !answered
            .iter()
            .any(|one| (one.kind, one.id) == (*kind, *id) && one.at >= intent.sent_at)
    });
    Ok(open.map(|(.., intent)| intent.sent_at).max())
}

/// All creates are settled.
pub(super) fn forget_answered(tx: &mut Tx<'_>) {
    tx.delete_state(&ANSWERED_CREATES);
}

//! Restarts from a snapshot that may be older than the target.

use crate::model::cursor::Cursor;
use crate::model::id::ObjectKind;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::ports::TRIAL;

use super::{
    cells::CellReads,
    read::Reads,
    state::{LEARNED, RESTORED, STATE_ID, StateReads},
    store::Snapshot,
    tx::Tx,
};

/// Makes the next cycle read everything again and withhold every removal until a person has looked at it: what the
/// source and the target did meanwhile is not known. `why` states what happened, as in "restored from a backup".
pub fn begin_again(snapshot: &Snapshot, why: &str) -> Result<(), StoreError> {
    let mut tx = snapshot.tx()?;
    for kind in [ObjectKind::User, ObjectKind::Group] {
        let mut stream = tx.stream(kind)?;
        stream.cursor = Cursor::Start;
        tx.put_stream(kind, &stream);
        tx.put_finishing(kind, None);
    }
    tx.delete_state(&STATE_ID);
    if let Some(learned) = tx.state(&LEARNED)? {
        tx.put_state(&LEARNED, &without_trial(learned));
    }
    tx.put_state(&RESTORED, &why.to_owned());
    forget_bases(snapshot, &mut tx)?;
    tx.commit(Durability::Synced)
}

/// Forgets what both sides held of values that are written back: an old base would take what somebody edited since for an edit of
/// today, and write over it. What comes next is first contact; the writes stay, for the brake.
fn forget_bases(snapshot: &Snapshot, tx: &mut Tx<'_>) -> Result<(), StoreError> {
    let mut all = Vec::new();
    snapshot.each_cells(|id, row| {
        all.push((id, row));
        Ok(())
    })?;
    for (id, mut row) in all {
        for kept in row.cells.values_mut() {
            *kept = kept.clone().forgotten();
        }
        tx.put_cells(&id, &row);
    }
    Ok(())
}

/// Removes from what was learned the members that an unfinished trial would put back: they may have left since.
fn without_trial(learned: String) -> String {
    match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&learned) {
        Ok(mut learned) => {
            learned.remove(TRIAL);
            serde_json::Value::Object(learned).to_string()
        }
        // The target's client cannot read it either: it reports that and learns anew.
        Err(_) => learned,
    }
}

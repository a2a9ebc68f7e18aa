//! Beginning again with a snapshot that may be older than the target.

use crate::model::cursor::Cursor;
use crate::model::id::ObjectKind;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::ports::TRIAL;

use super::{
    read::Reads,
    state::{LEARNED, RESTORED, STATE_ID, StateReads},
    store::Snapshot,
};

/// What the source and the target did meanwhile is not known: read everything again, and let no removal go before a
/// person has looked. `why` says what happened, as in "restored from a backup".
///
/// # Errors
/// As [`Reads`].
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
    tx.commit(Durability::Synced)
}

/// What was learned, without the members that a trial of then would put back: they may have left since.
fn without_trial(learned: String) -> String {
    match serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&learned) {
        Ok(mut learned) => {
            learned.remove(TRIAL);
            serde_json::Value::Object(learned).to_string()
        }
        // Unreadable for the target's client too, which says so and learns anew.
        Err(_) => learned,
    }
}

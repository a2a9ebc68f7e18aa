//! The quarantine: a stopped job, and stopped kinds of operations. One entry of the meta table, from the cycle that met
//! the trouble until a probe works or a person releases it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::read::Reads;
use super::state::{StateKey, StateReads};
use super::tx::Tx;
use crate::model::clock::Timestamp;
use crate::model::id::SourceId;
pub use crate::model::side::Side;
use crate::ports::StoreError;
use crate::reconcile::guard::quarantine::Stopped;
use crate::reconcile::operation::Verb;

/// The key of the quarantine.
pub(super) const QUARANTINE: StateKey<Quarantine> = StateKey::json("quarantine", "the quarantine");

/// Why a job stopped. It contains no value and no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobStop {
    /// The side that refuses, which is the one that is probed.
    pub side: Side,
    /// When the job stopped.
    pub since: Timestamp,
    /// The side's answer.
    pub cause: String,
    /// What to do.
    pub hint: String,
    /// The actor of the cycle that met it.
    pub actor: String,
    /// When it was last probed without success.
    pub probed: Option<Timestamp>,
    /// True where the side refuses the credential, and not its address.
    #[serde(default)]
    pub credential: bool,
}

/// What is stopped: the job, or kinds of operations.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// The stop of the job as a whole.
    pub job: Option<JobStop>,
    /// The stopped kinds of operations.
    pub kinds: BTreeMap<Verb, Stopped>,
}

impl Quarantine {
    /// Returns true while nothing is stopped.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Reads of the quarantine.
pub trait QuarantineReads: Reads {
    /// Returns what is stopped, which is nothing where nothing was ever written.
    ///
    /// # Errors
    /// [`StoreError::Damaged`] where it does not decode: unreadable is not the same as not stopped.
    fn quarantine(&self) -> Result<Quarantine, StoreError> {
        Ok(self.state(&QUARANTINE)?.unwrap_or_default())
    }
}

impl<R: Reads> QuarantineReads for R {}

impl Tx<'_> {
    /// Stores what is stopped.
    pub fn put_quarantine(&mut self, quarantine: &Quarantine) {
        if quarantine.is_empty() {
            self.delete_state(&QUARANTINE);
        } else {
            self.put_state(&QUARANTINE, quarantine);
        }
    }

    /// Erases quotes of the target's messages about this object.
    pub fn forget_in_quarantine(&mut self, id: &SourceId) -> Result<(), StoreError> {
        let mut held = self.quarantine()?;
        let mut touched = false;
        for stopped in held.kinds.values_mut().filter(|stopped| stopped.object == *id) {
            stopped.cause = "(erased)".to_owned();
            touched = true;
        }
        if touched {
            self.put_quarantine(&held);
        }
        Ok(())
    }
}

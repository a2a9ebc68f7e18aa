//! A job that stopped, and the kinds of operations that did: one entry of the meta table, from the cycle that met the
//! trouble until a probe works or somebody releases it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::read::Reads;
use super::state::{StateKey, StateReads};
use super::tx::Tx;
use crate::model::clock::Timestamp;
use crate::model::id::SourceId;
pub use crate::model::side::Side;
use crate::ports::StoreError;
use crate::reconcile::operation::Verb;
use crate::reconcile::quarantine::Stopped;

/// What is stopped.
pub(super) const QUARANTINE: StateKey<Quarantine> = StateKey::json("quarantine", "the quarantine");

/// Why a job stopped. Names no value and no secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobStop {
    /// Who refuses; it is the one that is probed.
    pub side: Side,
    /// Since when.
    pub since: Timestamp,
    /// What it said.
    pub cause: String,
    /// What to do.
    pub hint: String,
    /// Whose cycle met it.
    pub actor: String,
    /// When it was last probed, in vain.
    pub probed: Option<Timestamp>,
}

/// What is stopped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// The job as a whole.
    pub job: Option<JobStop>,
    /// Kinds of operations.
    pub kinds: BTreeMap<Verb, Stopped>,
}

impl Quarantine {
    /// True while nothing is stopped.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Reads of what is stopped.
pub trait QuarantineReads: Reads {
    /// What is stopped; nothing, where nothing was ever written.
    ///
    /// # Errors
    /// As [`Reads`], and [`StoreError::Damaged`]: not readable is not the same as not stopped.
    fn quarantine(&self) -> Result<Quarantine, StoreError> {
        Ok(self.state(&QUARANTINE)?.unwrap_or_default())
    }
}

impl<R: Reads> QuarantineReads for R {}

impl Tx<'_> {
    /// Keeps what is stopped.
    pub fn put_quarantine(&mut self, quarantine: &Quarantine) {
        if quarantine.is_empty() {
            self.delete_state(&QUARANTINE);
        } else {
            self.put_state(&QUARANTINE, quarantine);
        }
    }

    /// Erases what the target said of this object, where it is quoted.
    ///
    /// # Errors
    /// As [`QuarantineReads::quarantine`].
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

//! Entries set aside after failures: tried again, or left until something changes.

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use super::about;
use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::app::lookup;
use crate::app::views::escrow::Escrow;
use crate::app::views::escrow::choose;
use crate::app::views::escrow::view;
use crate::model::clock::Timestamp;
use crate::ports::StoreError;
use crate::snapshot::escrow::Entry;
use crate::snapshot::record::DirtyCause;
use crate::snapshot::tx::Tx;

/// Which entries a decision is about.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
#[schema(as = EscrowDecided)]
pub struct Decided {
    /// The entries that this object names: id, UPN, mail or display name; all where absent.
    pub object: Option<String>,
    /// Why.
    pub comment: Option<String>,
}

/// What can be decided of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EscrowDecision {
    /// The next cycle tries them, whatever their gap.
    Retry,
    /// They wait until they change at the source, or the config does.
    Drop,
}

impl EscrowDecision {
    /// How the answer names it; how the history does; and its reason there.
    const fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Retry => ("retry", "escrow_retry", "let the next cycle try it"),
            Self::Drop => ("drop", "escrow_drop", "left until it changes"),
        }
    }

    fn write(self, tx: &mut Tx<'_>, one: &Entry) -> Result<(), StoreError> {
        match self {
            Self::Retry => {
                // Marked by hand: it is due, whatever its gap.
                tx.reschedule_refusals(one.kind, &one.id, Some(Timestamp(0)))?;
                tx.mark_dirty(one.kind, &one.id, DirtyCause::MANUAL)
            }
            Self::Drop => {
                // Without a next try: only a change makes it due.
                let mut escrowed = one.escrowed.clone();
                escrowed.next_try = None;
                tx.reschedule_refusals(one.kind, &one.id, None)?;
                tx.put_escrow(one.kind, &one.id, &escrowed)
            }
        }
    }
}

/// Carries out a decision on the entries that an object names; on all where none is named.
pub fn decide(
    desk: &Desk,
    decision: EscrowDecision,
    object: Option<&str>,
    comment: Option<&String>,
) -> Result<Escrow, AppError> {
    let (action, verb, reason) = decision.words();
    desk.decide(|tx| {
        let chosen = choose(&desk.snapshot, object)?;
        let mut decisions = Vec::with_capacity(chosen.len());
        for one in &chosen {
            decision.write(tx, &one.entry)?;
            let named = lookup::known(&desk.snapshot, one.entry.kind, one.entry.id)?;
            decisions.push(about(&named, verb, reason, comment));
        }
        Ok((decisions, view(desk, action, chosen)))
    })
}

//! Warnings of what lasts: each is logged when it comes, not in each cycle that meets it again. What stands is kept in the
//! snapshot, for the next cycle and process to compare with, and for `check` to show.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;

use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::snapshot::state::{STANDING, StateReads};
use crate::snapshot::store::Snapshot;

/// As many are kept; others are logged each time.
pub(super) const MOST: usize = 1000;

/// What a cycle warns of, and what the one before it did.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    pub(super) before: BTreeSet<String>,
    now: Mutex<BTreeSet<String>>,
}

impl Warnings {
    pub(super) fn now(&self) -> MutexGuard<'_, BTreeSet<String>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a warning; true where the last cycle did not have it, nor this one so far.
    pub(super) fn is_news(&self, text: &str) -> bool {
        let mut now = self.now();
        let fresh = if now.len() < MOST {
            now.insert(text.to_owned())
        } else {
            !now.contains(text)
        };
        fresh && !self.before.contains(text)
    }
}

/// The words for an object that is left as it is, because of a finding.
pub(super) fn nothing_written(kind: ObjectKind, object: SourceId, finding: &str) -> String {
    format!("Nothing is written for {kind} {object}: {finding}")
}

/// The warnings that stand.
///
/// # Errors
/// As the store.
pub fn standing(snapshot: &Snapshot) -> Result<BTreeSet<String>, StoreError> {
    Ok(snapshot.state(&STANDING)?.unwrap_or_default())
}

/// Keeps these.
pub(super) fn put(snapshot: &Snapshot, all: &BTreeSet<String>) -> Result<(), StoreError> {
    let mut tx = snapshot.tx()?;
    tx.put_state(&STANDING, all);
    tx.commit(Durability::Lazy)
}

/// Notes a warning outside of a cycle; true where it is news.
///
/// # Errors
/// As the store.
pub(super) fn note(snapshot: &Snapshot, text: &str) -> Result<bool, StoreError> {
    let mut all = standing(snapshot)?;
    let news = all.len() < MOST && all.insert(text.to_owned());
    if news {
        put(snapshot, &all)?;
    }
    Ok(news)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_news_once_and_again_after_a_cycle_without_it() {
        let mut warnings = Warnings::default();
        assert!(warnings.is_news("a"));
        assert!(!warnings.is_news("a"));
        let now = std::mem::take(&mut *warnings.now());
        warnings.before = now;
        assert!(!warnings.is_news("a"));
        assert!(warnings.is_news("b"));
        warnings.before = ["b".to_owned()].into();
        *warnings.now() = BTreeSet::new();
        assert!(warnings.is_news("a"));
    }
}

//! The progress of listings.

use std::sync::atomic::AtomicUsize;

use crate::model::id::ObjectKind;

/// The page size of the listing under way, for users and groups.
#[derive(Debug, Default)]
pub struct Progress {
    users: AtomicUsize,
    groups: AtomicUsize,
}

impl Progress {
    /// Returns the page size for one type.
    pub(super) const fn of(&self, kind: ObjectKind) -> &AtomicUsize {
        match kind {
            ObjectKind::User => &self.users,
            ObjectKind::Group => &self.groups,
        }
    }
}

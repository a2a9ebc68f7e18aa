//! How far listings came.

use std::sync::atomic::AtomicUsize;

use crate::model::id::ObjectKind;

/// With which page size the listing under way is read, for users and groups.
#[derive(Debug, Default)]
pub struct Progress {
    users: AtomicUsize,
    groups: AtomicUsize,
}

impl Progress {
    /// Of one type.
    pub(super) const fn of(&self, kind: ObjectKind) -> &AtomicUsize {
        match kind {
            ObjectKind::User => &self.users,
            ObjectKind::Group => &self.groups,
        }
    }
}

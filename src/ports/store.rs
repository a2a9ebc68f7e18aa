//! What the snapshot asks of a key-value store.

use std::fmt;

use super::Cause;
use crate::model::shown::shown;

/// The tables of a store. The number is part of the format: never reuse one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Table {
    /// Format version, tenant and target that the store is bound to, counters, dialect, fingerprints, streams.
    Meta = 1,
    /// Kind and source id to the record: source values, link, sent, kept.
    Objects = 2,
    /// Group id and member id to the membership.
    Edges = 3,
    /// Referred id and referrer id: the objects that are looked at again when the referred object comes or goes.
    Referrers = 4,
    /// Kind and source id of what is still to be planned or carried out.
    Dirty = 5,
    /// Kind and target id to the source id that owns it.
    Owners = 6,
    /// Batches of open create-intents.
    Intents = 7,
    /// History entries, a batch a record: the chain without values.
    History = 8,
    /// The values and the salt of history entries, which can be erased.
    HistoryValues = 9,
    /// What a target listing brought in the current cycle, by kind and target id.
    Readings = 10,
    /// Kind, path and folded value to the target ids in the readings.
    ReadingIndex = 11,
    /// What the current cycle expects of its own operations (the plan that is only shown).
    Forecast = 12,
    /// Summaries of past cycles.
    Cycles = 13,
    /// Removals planned in the first pass, with their reasons.
    Removals = 14,
    /// The linked objects that are out of scope, and the members of the groups that scopes name.
    Scope = 15,
    /// Kind and id of the objects assigned to the enterprise application, with the roles: the last whole list.
    Assignments = 16,
    /// What is kept back from the target: operations withheld by the guard, and holds.
    KeptBack = 17,
    /// Where the target, as last read, differs from what we left; and its resources that no source object is linked to.
    Drift = 18,
    /// Kind and id of the objects set aside after a failure, with why and until when.
    Escrow = 20,
    /// Kind and id of the objects of which the target refused some attributes and took the rest, with why and until
    /// when.
    Refused = 21,
    /// The id of each user who has to do with the enrolled group, with what is remembered of them.
    Enrolments = 22,
    /// Kind and id of the users of whom something is written back, with what is remembered of each such attribute.
    Cells = 23,
    /// Kind and id of the objects that a job which only observes would change, or that Azure's own job changed: what and when.
    Observed = 24,
    /// Beside each record of the history, marks of the objects that its entries are about.
    HistoryMarks = 25,
}

/// What a commit promises when it returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// On disk: survives a power cut.
    Synced,
    /// Survives a crash of the process; a power cut may lose it, in order, never a later one before an earlier one.
    Lazy,
}

/// Writes that happen together or not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteBatch {
    /// Key and value, `None` to delete; in order, the last one for a key wins.
    pub writes: Vec<(Table, Vec<u8>, Option<Vec<u8>>)>,
}

impl WriteBatch {
    /// Sets a key.
    pub fn put(&mut self, table: Table, key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) {
        self.writes.push((table, key.into(), Some(value.into())));
    }

    /// Removes a key, if it exists.
    pub fn delete(&mut self, table: Table, key: impl Into<Vec<u8>>) {
        self.writes.push((table, key.into(), None));
    }
}

/// The process that holds a state folder, as it recorded itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// Its process id; `unknown` if it did not record one.
    pub pid: String,
    /// The role of a process that stays: a daemon, since when, which jobs.
    pub role: Option<String>,
}

impl Holder {
    /// The beginning of the role of a daemon, which answers at its control socket.
    pub const DAEMON: &'static str = "daemon";

    /// Returns true where it can be asked.
    #[must_use]
    pub fn is_daemon(&self) -> bool {
        self.role
            .as_ref()
            .is_some_and(|role| role.starts_with(Self::DAEMON))
    }
}

/// `process 4711 (daemon, since …, jobs idmelon)`.
impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}", self.pid)?;
        match &self.role {
            Some(role) => write!(f, " ({})", shown(role)),
            None => Ok(()),
        }
    }
}

/// Why a store call failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process holds the store.
    #[error("the snapshot in `{path}` is in use by {holder}")]
    InUse {
        /// The state folder.
        path: String,
        /// The holder.
        holder: Holder,
    },
    /// The store was written by a newer melonsync.
    #[error("the snapshot in `{path}` has format {found}; this melonsync reads up to {known}")]
    TooNew {
        /// The state folder.
        path: String,
        /// The format found.
        found: u32,
        /// The newest format known here.
        known: u32,
    },
    /// The store was created by another engine than the settings name.
    #[error("the snapshot in `{path}` was created by {found}, but the settings name {wanted}")]
    OtherEngine {
        /// The job's folder.
        path: String,
        /// The engine that made it.
        found: &'static str,
        /// The engine of the settings.
        wanted: &'static str,
    },
    /// The store holds something that does not decode.
    #[error("the snapshot in `{path}` is damaged: {what}")]
    Damaged {
        /// The state folder.
        path: String,
        /// What was found, and where.
        what: String,
    },
    /// The store is bound to another tenant or target.
    #[error("the snapshot in `{path}` belongs to {bound}, not to {wanted}")]
    Bound {
        /// The state folder.
        path: String,
        /// What it is bound to.
        bound: String,
        /// What this job needs.
        wanted: String,
    },
    /// A link to a resource that another object is linked to: one resource has one owner (docs/design/matching.md).
    #[error("cannot link {claimant} with `{target}`: by the snapshot in `{path}`, {owner} is linked with it")]
    Claimed {
        /// The state folder.
        path: String,
        /// The resource.
        target: String,
        /// The source object that it is linked to.
        owner: String,
        /// The source object that was to be linked to it.
        claimant: String,
    },
    /// The disk or the folder refused.
    #[error("cannot {action} in `{path}`")]
    Io {
        /// What was tried.
        action: String,
        /// The state folder or file.
        path: String,
        /// The cause.
        #[source]
        cause: Cause,
    },
}

impl StoreError {
    /// Returns what to do about it.
    #[must_use]
    pub fn hint(&self) -> String {
        match self {
            Self::InUse { .. } => "stop that process, or wait for it to end".to_owned(),
            Self::TooNew { .. } => "run the melonsync that wrote it, or restore a backup made before the upgrade".to_owned(),
            Self::OtherEngine { found, wanted, .. } => format!(
                "write store = \"{found}\" under [state] again; or, to move to {wanted}, run `melonsync state backup --out FILE` \
                 with that, then `melonsync state restore --from FILE --force` with store = \"{wanted}\""
            ),
            Self::Damaged { path, .. } => format!(
                "set the folder aside (mv {path} {path}.damaged) and restore a backup with `melonsync state restore`; \
                 without one, start afresh: the next cycle matches everyone again by externalId and userName"
            ),
            Self::Bound { .. } => {
                "give the job another name (it then starts afresh), or point it back at its own tenant and target"
                    .to_owned()
            }
            Self::Claimed { .. } => "nothing was written; run `melonsync state verify`, and report this".to_owned(),
            Self::Io { .. } => "check free space and the permissions of the state folder".to_owned(),
        }
    }
}

/// One entry of a table.
pub type KeyValue = (Vec<u8>, Vec<u8>);

/// An ordered key-value store with atomic batches over all its tables. Calls block: do not call them from an async
/// worker, unless [`SnapshotStore::blocks`] returns false.
pub trait SnapshotStore: Send + Sync + fmt::Debug {
    /// Returns one value.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Returns up to `limit` entries in key order whose key starts with `prefix` and is greater than `after`.
    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<KeyValue>, StoreError>;

    /// Carries out the whole batch or nothing of it.
    fn commit(&self, batch: WriteBatch, durability: Durability) -> Result<(), StoreError>;

    /// Makes every earlier commit durable.
    fn sync(&self) -> Result<(), StoreError>;

    /// Returns false for a store without a disk, whose calls need no thread of their own.
    fn blocks(&self) -> bool {
        true
    }

    /// Returns the bytes on disk; 0 for a store without one.
    fn size_on_disk(&self) -> Result<u64, StoreError>;

    /// Converts what an older format stored to the layout of today. Safe to repeat after a crash; does nothing for an
    /// engine that has only one layout.
    fn renew_layout(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

//! The ports: what the engine asks of a source directory, of a target directory and of a store, and on the way back of a directory that
//! is written to and of a service that lists security keys.
//!
//! The edges implement them; the engine calls them; nothing here decides.

mod evidence;
mod exchange;
mod keys;
mod source;
mod spread;
mod store;
mod target;
mod target_error;
pub mod turn;
mod write;
mod writer;

use std::error::Error;

use serde::Deserialize;
use serde::Serialize;

pub use evidence::EnrolmentEvidence;
pub use exchange::Exchange;
pub use exchange::What;
pub use keys::KeyDirectory;
pub use keys::KeyListing;
pub use source::AzureJobs;
pub use source::DeltaPage;
pub use source::NextPage;
pub use source::PageRequest;
pub use source::SourceDirectory;
pub use source::SourceError;
pub use spread::MethodTraffic;
pub use spread::Spread;
pub use store::Durability;
pub use store::Holder;
pub use store::KeyValue;
pub use store::SnapshotStore;
pub use store::StoreError;
pub use store::Table;
pub use store::WriteBatch;
pub use target::Capabilities;
pub use target::Found;
pub use target::ListPage;
pub use target::ListPosition;
pub use target::Memory;
pub use target::Paged;
pub use target::TRIAL;
pub use target::TargetDirectory;
pub use target_error::RefusedMember;
pub use target_error::RefusedPart;
pub use target_error::TargetError;
pub use target_error::all_refused;
pub use write::Created;
pub use write::MembersBefore;
pub use write::NewResource;
pub use write::Patch;
pub use write::Resource;
pub use writer::MembershipWrite;
pub use writer::Sent;
pub use writer::UserWrite;
pub use writer::Writer;

/// The cause of an edge's error, kept for the code that prints the chain.
pub type Cause = Box<dyn Error + Send + Sync>;

/// What a failure means for the work that met it (docs/design/failures.md). The error decides; its caller asks it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// The whole side cannot be reached just now: work stays dirty, the cycle ends, the next one resumes.
    Retry,
    /// Only this entry fails: it waits, and the cycle goes on without it.
    Escrow,
    /// Every entry would fail: the job stops until a person acts (credentials, permissions, endpoint gone).
    Quarantine,
}

/// Requests of one side since the process began; a cycle reports the difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Traffic {
    /// Requests sent, retries and token requests included.
    pub requests: u64,
    /// Answers 429, and 503 with Retry-After.
    pub throttled: u64,
    /// Requests sent again.
    pub retries: u64,
}

impl Traffic {
    /// Returns what was added since `earlier`.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self {
            requests: self.requests.saturating_sub(earlier.requests),
            throttled: self.throttled.saturating_sub(earlier.throttled),
            retries: self.retries.saturating_sub(earlier.retries),
        }
    }
}

//! What the engine asks of the service that manages security keys.

use async_trait::async_trait;

use super::SourceError;
use super::Traffic;
use crate::reconcile::back::keys::Listing;
use crate::reconcile::back::keys::SecurityKey;

/// All keys that a service listed, and how they were read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyListing {
    /// The keys, each once.
    pub keys: Vec<SecurityKey>,
    /// What decides whether they are evidence.
    pub listing: Listing,
}

/// A service that lists security keys.
#[async_trait]
pub trait KeyDirectory: Send + Sync {
    /// Reads all keys, and reads them again where they changed meanwhile.
    ///
    /// # Errors
    /// Any [`SourceError`]; an answer that was not understood is one, and never an empty listing.
    async fn keys(&self) -> Result<KeyListing, SourceError>;

    /// Returns the counts of requests so far.
    fn traffic(&self) -> Traffic;
}

//! IDmelon's REST API as a [`KeyDirectory`]: who holds a security key (docs/design/write-back.md, "Keys").
//!
//! The API key can delete what it reads, and there is none that cannot; so the client has no request but GET. Rows have no order and
//! move while they are paged: a listing is read to its end by what it brings, counted by different ids, and read again until two
//! passes bring the same. A page that is not understood ends it with an error.

mod client;
mod row;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use url::Url;

use crate::model::clock::Clock;
use crate::model::secret::Secret;
use crate::ports::KeyDirectory;
use crate::ports::KeyListing;
use crate::ports::SourceError;
use crate::ports::Traffic;
use crate::reconcile::back::keys::Listing;
use crate::reconcile::back::keys::SecurityKey;
use crate::reconcile::back::keys::judge;
use crate::transport::NetworkOptions;
use crate::transport::RetryPolicy;
use crate::transport::TransportError;

use client::Client;
use row::Page;

/// The keys on a page.
const LIMIT: usize = 50;
/// The passes after which a listing counts as one that does not hold still.
const MOST_PASSES: usize = 4;
/// The most pages of one state: a service that never ends is an error.
const MOST_PAGES: usize = 20_000;
/// The states that are listed: active and pending. Blocked keys are among them, marked.
const STATES: [u16; 2] = [20, 30];

/// Where the API is, and how to reach it.
#[derive(Debug, Clone)]
pub struct IdmelonOptions {
    /// The address of the service, without a path.
    pub url: Url,
    /// The API key.
    pub key: Secret,
    /// Proxy, certificates, limits.
    pub network: NetworkOptions,
    /// The clock, for Retry-After.
    pub clock: Arc<dyn Clock>,
    /// How long one request may be retried.
    pub retry: RetryPolicy,
}

/// The security keys of an IDmelon workspace.
pub struct IdmelonKeys {
    client: Client,
}

impl IdmelonKeys {
    /// Creates a reader, and sends nothing yet.
    ///
    /// # Errors
    /// When the network options are unusable.
    pub fn new(options: IdmelonOptions) -> Result<Self, TransportError> {
        Ok(Self {
            client: Client::new(options)?,
        })
    }

    /// Reads all keys once.
    async fn pass(&self) -> Result<Pass, SourceError> {
        let mut pass = Pass {
            announced: Some(0),
            ..Pass::default()
        };
        for state in STATES {
            let announced = self.state(state, &mut pass).await?;
            pass.announced = pass.announced.zip(announced).map(|(sum, more)| sum + more);
        }
        Ok(pass)
    }

    /// Reads the keys of one state to their end: a page that brings no key that this listing did not bring before. Returns the largest
    /// number that was announced.
    async fn state(&self, state: u16, pass: &mut Pass) -> Result<Option<u64>, SourceError> {
        let mut announced = None;
        let mut skip = 0;
        for _ in 0..MOST_PAGES {
            let Page { keys, total } = self.client.page(state, LIMIT, skip).await?;
            announced = announced.max(total);
            let (rows, before) = (keys.len(), pass.keys.len());
            for key in keys {
                // A key that shows two states in one pass was changed meanwhile; the next pass shows which it has.
                pass.keys.insert(key.id.clone(), key);
            }
            if rows == 0 || pass.keys.len() == before {
                return Ok(announced);
            }
            skip += rows;
        }
        Err(self.client.endless(state))
    }
}

/// One reading of all keys.
#[derive(Default, PartialEq, Eq)]
struct Pass {
    keys: BTreeMap<String, SecurityKey>,
    announced: Option<u64>,
}

impl Pass {
    /// How the listing was read, by this pass of it.
    fn listing(&self, steady: bool) -> Listing {
        Listing {
            distinct: self.keys.len() as u64,
            announced: self.announced,
            steady,
        }
    }
}

impl fmt::Debug for IdmelonKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdmelonKeys").finish_non_exhaustive()
    }
}

#[async_trait]
impl KeyDirectory for IdmelonKeys {
    async fn keys(&self) -> Result<KeyListing, SourceError> {
        let mut pass = self.pass().await?;
        let mut listing = pass.listing(false);
        for _ in 1..MOST_PASSES {
            let now = self.pass().await?;
            listing = now.listing(now.keys == pass.keys);
            pass = now;
            if judge(listing, None).is_ok() {
                break;
            }
        }
        Ok(KeyListing {
            keys: pass.keys.into_values().collect(),
            listing,
        })
    }

    fn traffic(&self) -> Traffic {
        self.client.traffic().read()
    }
}

#[cfg(test)]
mod tests;

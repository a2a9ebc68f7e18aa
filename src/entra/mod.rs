//! Microsoft Graph as a [`SourceDirectory`]: tokens, delta pages, questions about single objects.
//!
//! Guarantees: an answer that was not read and understood whole never looks like an empty page; a link is followed
//! verbatim and only to the configured Graph host; every request only reads, so each may be sent again; a token or
//! secret is in no error and no `Debug`. It holds no state but the token: a crash loses nothing.

mod assignments;
pub mod azure_job;
mod batch;
pub mod certificate;
mod client;
pub mod clouds;
mod convert;
pub mod credential;
mod delta;
mod evidence;
mod fault;
mod look_up;
pub mod managed;
pub mod page;
pub mod permissions;
mod quota;
pub mod sign_in;
mod skew;
pub mod tenant;
mod token;
mod token_refusal;
pub mod unusable;
pub mod writer;

use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;
use url::Url;

use crate::model::assignment::AppRole;
use crate::model::assignment::AssignmentList;
use crate::model::clock::Clock;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::object::Existence;
use crate::ports::AzureJobs;
use crate::ports::DeltaPage;
use crate::ports::MethodTraffic;
use crate::ports::PageRequest;
use crate::ports::SourceDirectory;
use crate::ports::SourceError;
use crate::ports::Traffic;
use crate::transport::HttpClient;
use crate::transport::NetworkOptions;
use crate::transport::RetryPolicy;
use crate::transport::TransportError;

use client::GraphClient;
use clouds::Cloud;
use credential::Credentials;
use permissions::TokenFacts;
use token::TokenSource;

/// The tenant to read, the application to read it as, and how.
#[derive(Clone)]
pub struct GraphOptions {
    /// Directory (tenant) id.
    pub tenant_id: String,
    /// Application (client) id.
    pub client_id: String,
    /// How to prove who we are.
    pub credential: Credentials,
    /// The national cloud: its hosts, and the audience of the token.
    pub cloud: Cloud,
    /// Replaces the cloud's Graph host (tests, proxies); the only host that links may lead to.
    pub graph_url: Option<Url>,
    /// Replaces the cloud's login host.
    pub login_url: Option<Url>,
    /// Proxy, certificates, limits.
    pub network: NetworkOptions,
    /// The clock, for the token's expiry.
    pub clock: Arc<dyn Clock>,
    /// How long one request may be retried.
    pub retry: RetryPolicy,
}

/// A tenant, read through Microsoft Graph.
pub struct GraphSource {
    client: GraphClient,
}

impl GraphSource {
    /// Creates a source, and sends nothing yet.
    ///
    /// # Errors
    /// When the network options are unusable.
    pub fn new(options: GraphOptions) -> Result<Self, TransportError> {
        let hosts = [options.graph_url.as_ref(), options.login_url.as_ref()];
        let http = HttpClient::reaching(&options.network, &hosts)?;
        let tokens = Arc::new(TokenSource::new(&options, http.clone()));
        Ok(Self {
            client: GraphClient::new(&options, http, tokens),
        })
    }

    /// Returns what the token states about itself; asks for a token where none is held.
    ///
    /// # Errors
    /// When no token can be had.
    pub async fn token_facts(&self) -> Result<TokenFacts, SourceError> {
        Ok(permissions::facts(&self.client.tokens().bearer().await?))
    }

    /// Returns the seconds by which our clock is ahead of the service's (negative: behind), from the last answer's
    /// `Date`. Returns `None` before the first answer. The header counts whole seconds, so one or two mean nothing.
    #[must_use]
    pub fn clock_skew_seconds(&self) -> Option<i64> {
        self.client.tokens().skew().seconds()
    }
}

impl fmt::Debug for GraphSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphSource")
            .field("graph", &self.client.base().as_str())
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl SourceDirectory for GraphSource {
    async fn page(&self, kind: ObjectKind, request: PageRequest) -> Result<DeltaPage, SourceError> {
        delta::page(&self.client, kind, request).await
    }

    async fn look_up(
        &self,
        kind: ObjectKind,
        ids: &[SourceId],
        select: &[String],
    ) -> Result<Vec<(SourceId, Existence)>, SourceError> {
        look_up::look_up(&self.client, kind, ids, select).await
    }

    async fn assignments(&self, application: SourceId) -> Result<AssignmentList, SourceError> {
        assignments::list(&self.client, application).await
    }

    async fn app_roles(&self, application: SourceId) -> Result<Vec<AppRole>, SourceError> {
        assignments::roles(&self.client, application).await
    }

    fn azure_jobs(&self) -> Option<&dyn AzureJobs> {
        Some(self)
    }

    fn traffic(&self) -> Traffic {
        self.client.traffic().read()
    }

    fn requests(&self) -> BTreeMap<&'static str, MethodTraffic> {
        self.client.traffic().requests()
    }
}

#[cfg(test)]
mod tests;

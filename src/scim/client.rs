//! A SCIM 2.0 service as a [`crate::ports::TargetDirectory`].
//!
//! Promises: a create is sent once; nothing that an answer omits is taken for absence; the token is in the
//! `Authorization` header and nowhere else.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;
use serde_json::Value as Json;
use url::Url;

use super::capabilities::{Advertised, schemas};
use super::dialect::{Aspect, Dialect, PinnedDialect};
use super::experience::Experience;
use super::fault::{self, Asked};
use super::learning::Witness;
use super::learning::showing::Door;
use super::pace::Pace;
use super::patch::PatchBody;
use super::path::PathError;
use super::progress::Progress;
use super::replace::Put;
use super::replace::apply_to_resource;
use super::request::{Repeat, Reply, Wire};
use super::resource::{Listing, complete_schemas, resource};
use super::spelling::in_values;
use super::urls::{Addresses, collection, set_query};
use super::usage::MEMBERS_LEFT_OUT;
use crate::model::clock::Clock;
use crate::model::id::ObjectKind;
use crate::model::id::TargetId;
use crate::model::secret::Secret;
use crate::ports::Capabilities;
use crate::ports::Patch;
use crate::ports::Resource;
use crate::ports::TargetError;
use crate::reconcile::target_schema::Schemas;
use crate::transport::HttpClient;
use crate::transport::NetworkOptions;
use crate::transport::RetryPolicy;
use crate::transport::TransportError;
use crate::transport::unreached::Keys;

/// How to reach a target, and which forms of requests it wants.
#[derive(Debug, Clone)]
pub struct ScimOptions {
    /// SCIM base URL, with or without a slash at its end.
    pub url: Url,
    /// Bearer tokens, tried in order: the next where the target answers 401.
    pub tokens: Vec<Secret>,
    /// Most requests in flight.
    pub max_concurrency: usize,
    /// The least time between the starts of two requests; `None` for no limit of ours.
    pub least_gap: Option<Duration>,
    /// The longest time for one request; overrides the one in `network`.
    pub request_timeout: Duration,
    /// Proxy, certificates and limits.
    pub network: NetworkOptions,
    /// How often and how long to retry.
    pub retry: RetryPolicy,
    /// The forms of requests that the configuration names; the others are learned.
    pub dialect: PinnedDialect,
    /// The clock, for a Retry-After with a date.
    pub clock: Arc<dyn Clock>,
}

/// Why the target cannot be reached; each variant is a setting.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The URL cannot serve SCIM.
    #[error("`url` of the target must be an http or https URL, such as https://skm.idmelon.com/api/scim/v2/")]
    Url(#[source] url::ParseError),
    /// The token holds characters that no header takes.
    #[error("`token` of the target holds characters that cannot be sent: copy it again, on one line")]
    Token,
    /// The HTTP client cannot be built.
    #[error(transparent)]
    Network(#[from] TransportError),
}

impl SetupError {
    /// Returns what to do about it; `keys` are those of the target.
    #[must_use]
    pub fn advice(&self, keys: &Keys<'_>) -> String {
        match self {
            Self::Url(_) => format!("correct {}", keys.key("url")),
            Self::Token => format!("correct {}", keys.key("token")),
            Self::Network(error) => error.advice(keys),
        }
    }
}

/// A SCIM 2.0 service. One value for one target: it holds the pace and what was learned.
pub struct ScimTarget {
    pub(super) wire: Wire,
    pub(super) addresses: Addresses,
    pub(super) experience: Experience,
    pub(super) listing: Progress,
}

impl fmt::Debug for ScimTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScimTarget")
            .field("users", &self.addresses.collection(ObjectKind::User).as_str())
            .finish()
    }
}

impl ScimTarget {
    /// Creates a client for this target, and sends nothing yet.
    ///
    /// # Errors
    /// When a setting cannot be used.
    pub fn new(options: ScimOptions) -> Result<Self, SetupError> {
        let network = NetworkOptions {
            request_timeout: options.request_timeout,
            ..options.network
        };
        let http = HttpClient::reaching(&network, &[Some(&options.url)])?;
        let pace = Pace::new(options.max_concurrency, options.least_gap, options.retry.budget);
        let experience = Experience::new(options.dialect, Arc::clone(&options.clock));
        let wire =
            Wire::new(http, pace, options.tokens, options.retry, options.clock).ok_or(SetupError::Token)?;
        Ok(Self {
            wire,
            addresses: Addresses::new(&options.url).map_err(SetupError::Url)?,
            experience,
            listing: Progress::default(),
        })
    }

    /// Makes the client's errors keep the status and the kind of a refusal, but none of the target's own text: for
    /// mappings with rows that call `Redact`.
    #[must_use]
    pub fn without_words(mut self) -> Self {
        self.wire.leave_words_out();
        self
    }

    pub(super) async fn advertised(&self) -> Result<Advertised, TargetError> {
        let announced = &self.wire.announced;
        if let Some(known) = announced.advertised() {
            return Ok(known);
        }
        let _one = announced.reading.lock().await;
        let advertised = self.read_config().await?;
        announced.put_advertised(advertised);
        Ok(advertised)
    }

    /// Reads ServiceProviderConfig, unless it is known by now.
    pub(super) async fn read_config(&self) -> Result<Advertised, TargetError> {
        if let Some(known) = self.wire.announced.advertised() {
            return Ok(known);
        }
        let config = self.service("ServiceProviderConfig").await?;
        Ok(config.map_or_else(Advertised::default, |config| Advertised::from_json(&config)))
    }

    pub(super) async fn read_schemas(&self) -> Result<Schemas, TargetError> {
        match self.service("Schemas").await {
            Ok(body) => Ok(body.as_ref().map(schemas).unwrap_or_default()),
            Err(TargetError::Malformed { .. }) => Ok(Schemas::default()),
            Err(error) => Err(error),
        }
    }

    /// Returns what the target announced that it can do, where it was asked.
    pub(super) fn known_capabilities(&self) -> Option<Arc<Capabilities>> {
        self.wire.announced.capabilities()
    }

    /// Returns true where the target is known to have no PATCH.
    pub(super) fn is_without_patch(&self) -> bool {
        let announced = self.wire.announced.advertised();
        announced.is_some_and(|said| !said.patch)
            || self.experience.dialect().update == super::dialect::Update::Put
    }

    /// Returns true where the configuration requires PATCH.
    pub(super) fn keeps_to_patch(&self) -> bool {
        self.experience.ask(|learned| learned.is_pinned(Aspect::Update))
            && self.experience.dialect().update == super::dialect::Update::Patch
    }

    /// Reads a service document. Returns `None` where the service has none (404, 403, 501 and the like).
    async fn service(&self, name: &str) -> Result<Option<Json>, TargetError> {
        let asked = Asked {
            method: "GET",
            path: format!("/{name}"),
            one_resource: true,
        };
        match self
            .wire
            .send(&asked, &self.addresses.service(name), None, Repeat::Safe)
            .await
        {
            Ok(reply) => Ok(reply.body),
            Err(TargetError::NotFound { .. } | TargetError::Refused { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(super) async fn one(
        &self,
        method: &'static str,
        kind: ObjectKind,
        id: &TargetId,
        body: Option<Bytes>,
        query: &[(&str, &str)],
    ) -> Result<Reply, TargetError> {
        let asked = asked_one(method, kind, id);
        let mut url = self.address(&asked, kind, id)?;
        if !query.is_empty() {
            set_query(&mut url, query);
        }
        match body {
            None => self.wire.send(&asked, &url, None, Repeat::Safe).await,
            Some(body) => {
                let witness = || Witness::of(kind, id);
                self.send_body(&asked, &url, body, Repeat::Safe, witness).await
            }
        }
    }

    pub(super) fn address(&self, asked: &Asked, kind: ObjectKind, id: &TargetId) -> Result<Url, TargetError> {
        let no_address = || TargetError::Refused {
            what: format!(
                "{} /{}/… was not sent: the id {:?} does not name one resource",
                asked.method,
                collection(kind),
                id.as_str()
            )
            .into(),
            status: 0,
            hint: "unlink the object (`melonsync unlink`): the next cycle looks for its resource again"
                .to_owned(),
        };
        self.addresses.resource(kind, id).ok_or_else(no_address)
    }

    /// Sends a PUT from a fresh read, with everything else kept. A group whose members were not read whole is not sent:
    /// a PUT removes every member that it does not carry.
    pub(super) async fn put(
        &self,
        kind: ObjectKind,
        id: &TargetId,
        patch: &Patch,
        dialect: &Dialect,
    ) -> Result<Put, TargetError> {
        let asked = asked_one("PUT", kind, id);
        let Some(mut fresh) = self.fetch(kind, id).await? else {
            return Err(TargetError::NotFound {
                what: format!("{} {}: it does not exist", asked.method, asked.path).into(),
            });
        };
        if kind == ObjectKind::Group && !self.is_whole(&fresh, patch) {
            return Ok(Put::NotWhole);
        }
        apply_to_resource(&mut fresh.body, patch, dialect).map_err(|error| unwritable(&asked, &error))?;
        in_values(&mut fresh.body, dialect);
        if !dialect.extension_urn_in_schemas {
            complete_schemas(kind, &mut fresh.body, false);
        }
        let reply = self.one("PUT", kind, id, Some(bytes(&fresh.body)), &[]).await?;
        let answer = reply.body.and_then(resource);
        Ok(Put::Sent(
            answer.map(|answer| self.as_shown(kind, answer, Door::Answer)),
        ))
    }

    pub(super) async fn send_patch(
        &self,
        kind: ObjectKind,
        id: &TargetId,
        body: &PatchBody,
        without_members: bool,
    ) -> Result<Option<Resource>, TargetError> {
        // A group's answer may hold all its members, for every chunk anew: they are left out where no caller reads
        // them.
        let query: &[_] = if without_members {
            &[("excludedAttributes", "members")]
        } else {
            &[]
        };
        let query = if self.experience.ask(|learned| learned.plain_patches) {
            &[]
        } else {
            query
        };
        let sent = self.one("PATCH", kind, id, Some(bytes(body)), query).await;
        let reply = match sent {
            // Perhaps because of the parameter, which is not essential.
            Err(error @ TargetError::Refused { .. })
                if !query.is_empty() && !self.experience.ask(|learned| learned.is_seen(MEMBERS_LEFT_OUT)) =>
            {
                let plain = self.one("PATCH", kind, id, Some(bytes(body)), &[]).await;
                let Ok(reply) = plain else { return Err(error) };
                self.experience
                    .note(|learned| !std::mem::replace(&mut learned.plain_patches, true));
                reply
            }
            sent => {
                if sent.is_ok() && !query.is_empty() {
                    self.experience.note(|learned| learned.seen(MEMBERS_LEFT_OUT));
                }
                sent?
            }
        };
        let answer = reply.body.and_then(resource);
        Ok(answer.map(|answer| self.as_shown(kind, answer, Door::Answer)))
    }

    /// Reads a page of a listing. A `later` page, behind what was shown before, may hold no results: then it is an
    /// empty one.
    pub(super) async fn find_page(
        &self,
        kind: ObjectKind,
        asked: &Asked,
        query: &[(&str, &str)],
        later: bool,
    ) -> Result<Listing, TargetError> {
        let mut url = self.addresses.collection(kind).clone();
        set_query(&mut url, query);
        let Reply { answer, body } = self.wire.send(asked, &url, None, Repeat::Safe).await?;
        let listing = match body {
            Some(body) => Listing::from_json(body, later),
            None => later.then(Listing::default),
        };
        let mut listing = listing
            .ok_or_else(|| fault::malformed(asked, &answer, "it is not a SCIM listing with its results"))?;
        let shown = listing.resources.into_iter();
        listing.resources = shown
            .map(|resource| self.as_shown(kind, resource, Door::Listed))
            .collect();
        Ok(listing)
    }
}

pub(super) fn asked_one(method: &'static str, kind: ObjectKind, id: &TargetId) -> Asked {
    Asked {
        method,
        path: format!("/{}/{id}", collection(kind)),
        one_resource: true,
    }
}

pub(super) fn unwritable(asked: &Asked, error: &PathError) -> TargetError {
    TargetError::Refused {
        what: format!("{} {} was not sent: {error}", asked.method, asked.path).into(),
        status: 0,
        hint: "correct the target column of this mapping row".to_owned(),
    }
}

pub(super) fn bytes(body: &impl Serialize) -> Bytes {
    // Texts, numbers and maps with text keys: serde_json fails only for other keys.
    serde_json::to_vec(body)
        .expect("a JSON value is always written")
        .into()
}

#[cfg(test)]
mod tests;

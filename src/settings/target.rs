//! `[jobs.NAME.target]`: the SCIM service that is written.

use std::time::Duration;

use chrono::NaiveDate;
use url::Url;

use super::dialect;
use super::network::Network;
use super::secret::SecretSource;
use super::section::{Field, Section};
use super::tree::Raw;
use super::value::{Word, service_url};
use crate::model::dialect::PinnedDialect;

/// The kind of target; decides the preset mapping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TargetKind {
    /// An IDmelon workspace.
    Idmelon,
    /// Any SCIM 2.0 service.
    Scim,
}

impl Word for TargetKind {
    const WORDS: &'static [(&'static str, Self)] = &[("idmelon", Self::Idmelon), ("scim", Self::Scim)];
}

impl TargetKind {
    /// Returns the mapping used where the job names none.
    #[must_use]
    pub const fn default_mapping(self) -> &'static str {
        match self {
            Self::Idmelon => "idmelon",
            Self::Scim => "scim",
        }
    }
}

/// The target of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The kind of target.
    pub kind: TargetKind,
    /// The SCIM base address; `Users`, `Groups` and so on are joined to it.
    pub url: Url,
    /// The bearer tokens, at least one: tried in order, the next where the target refuses one.
    pub tokens: Vec<SecretSource>,
    /// The day that the token ends, where written: `check` warns ahead of it.
    pub expires: Option<NaiveDate>,
    /// The most requests in flight.
    pub max_concurrency: usize,
    /// The least time between the starts of two requests, from `requests_per_second`; `None` for as fast as the target
    /// allows.
    pub least_gap: Option<Duration>,
    /// The longest time of one request. An open create-intent is not judged before this has passed.
    pub request_timeout: Duration,
    /// The forms of requests that are set; the others are learned.
    pub dialect: PinnedDialect,
    /// Proxy and certificates for the target.
    pub network: Network,
}

impl Target {
    /// The default of the most requests in flight. The right number below it is found by latency and refusals.
    pub const MAX_CONCURRENCY: usize = 64;
    /// The default time for one request.
    pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

    pub(super) fn read(mut section: Section<'_>, network: &Network, secrets: bool) -> Option<Self> {
        const URL: &str = "https://skm.idmelon.com/api/scim/v2/";
        let kind = section.word("kind", TargetKind::Idmelon);
        let url = section
            .required("url", &format!("\"{URL}\""))
            .and_then(|field| service_url(&field, URL));
        let tokens = section.secrets("token", "IDMELON_SCIM_TOKEN", secrets);
        let expires = section.date("expires");
        // Above this, a service breaks before it can answer 429.
        let max_concurrency = section.whole("max_concurrency", 1, 512, Self::MAX_CONCURRENCY as u64);
        let least_gap = section
            .get("requests_per_second")
            .and_then(|field| least_gap(&field));
        let request_timeout = section.duration("request_timeout", Self::REQUEST_TIMEOUT);
        if request_timeout.is_zero()
            && let Some(field) = section.get("request_timeout")
        {
            let _: Option<()> = field.bad("must be longer than 0s", "the default is 30s");
        }
        let dialect = dialect::read(section.child("dialect"));
        let network = Network::read(section.child("network")).over(network);
        section.finish();
        Some(Self {
            kind,
            url: url?,
            tokens: tokens?,
            expires,
            max_concurrency: usize::try_from(max_concurrency).unwrap_or(Self::MAX_CONCURRENCY),
            least_gap,
            request_timeout,
            dialect,
            network,
        })
    }
}

/// Reads a rate as the time between two requests. Fractions are allowed: services count by the minute.
fn least_gap(field: &Field<'_>) -> Option<Duration> {
    let rate = match field.node().raw {
        Raw::Integer(n) => i32::try_from(n).map_or(f64::NAN, f64::from),
        Raw::Float(n) => n,
        _ => return field.wrong_type("a number", "50"),
    };
    if (0.01..=10_000.0).contains(&rate) {
        Some(Duration::from_secs_f64(1.0 / rate))
    } else {
        field.bad(
            "must be between 0.01 and 10000",
            "leave it out for as fast as the target allows",
        )
    }
}

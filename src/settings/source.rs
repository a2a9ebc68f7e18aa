//! `[jobs.NAME.source]`: the Entra tenant that is read.

use chrono::NaiveDate;
use url::Url;
use uuid::Uuid;

use crate::model::id::ObjectKind;
use crate::reconcile::scope::Guests;
use crate::reconcile::scope::ScopeRules;

use super::filter::filter;
use super::network::Network;
use super::secret::SecretSource;
use super::section::Section;
use super::value::Word;

/// The kind of source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// Microsoft Entra ID, by Microsoft Graph.
    Entra,
}

impl Word for SourceKind {
    const WORDS: &'static [(&'static str, Self)] = &[("entra", Self::Entra)];
}

/// Which Microsoft cloud the tenant lives in; each has its own addresses
/// (Graph documentation, "National cloud deployments").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cloud {
    /// The worldwide service; US Government L2 (GCC) too.
    Global,
    /// US Government L4 (GCC High).
    UsGov,
    /// US Government L5 (DOD).
    UsGovDod,
    /// China, operated by 21Vianet.
    China,
}

impl Word for Cloud {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("global", Self::Global),
        ("us-gov", Self::UsGov),
        ("us-gov-dod", Self::UsGovDod),
        ("china", Self::China),
    ];
}

impl Cloud {
    /// Where Microsoft Graph answers.
    #[must_use]
    pub const fn graph_url(self) -> &'static str {
        match self {
            Self::Global => "https://graph.microsoft.com",
            Self::UsGov => "https://graph.microsoft.us",
            Self::UsGovDod => "https://dod-graph.microsoft.us",
            Self::China => "https://microsoftgraph.chinacloudapi.cn",
        }
    }

    /// Where tokens are given.
    #[must_use]
    pub const fn login_url(self) -> &'static str {
        match self {
            Self::Global => "https://login.microsoftonline.com",
            Self::UsGov | Self::UsGovDod => "https://login.microsoftonline.us",
            Self::China => "https://login.chinacloudapi.cn",
        }
    }
}

/// Who of the tenant is ours to provision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Every user and group.
    All,
}

impl Word for Scope {
    const WORDS: &'static [(&'static str, Self)] = &[("all", Self::All)];
    const LATER: &'static [&'static str] = &["assigned"];
}

impl Word for Guests {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("include", Self::Include),
        ("accepted", Self::Accepted),
        ("exclude", Self::Exclude),
    ];
}

/// How the application proves who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// A client secret of the app registration.
    pub client_secret: SecretSource,
    /// The day that it ends, where written: `check` warns ahead of it.
    pub expires: Option<NaiveDate>,
}

/// The source of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// What it is.
    pub kind: SourceKind,
    /// The directory (tenant) id.
    pub tenant_id: Uuid,
    /// The application (client) id of the app registration that reads.
    pub client_id: Uuid,
    /// The Microsoft cloud.
    pub cloud: Cloud,
    /// Where Graph answers: the cloud's address unless overridden. Without a version: `/v1.0` is added.
    pub graph_url: Url,
    /// Where tokens are given: the cloud's address unless overridden.
    pub login_url: Url,
    /// Who is ours to provision.
    pub scope: Scope,
    /// Who of those: scoping filters and guests.
    pub rules: ScopeRules,
    /// Manage users; false stops managing them and removes nobody.
    pub users: bool,
    /// Manage groups; false stops managing them and removes none.
    pub groups: bool,
    /// How to prove who we are.
    pub credential: Credential,
    /// Proxy and certificates for Graph and the token service.
    pub network: Network,
}

impl Source {
    pub(super) fn read(mut section: Section<'_>, network: &Network, secrets: bool) -> Option<Self> {
        let kind = section.word("kind", SourceKind::Entra);
        let tenant_id = section.guid(
            "tenant_id",
            "copy \"Directory (tenant) ID\" from the app registration's overview",
        );
        let client_id = section.guid(
            "client_id",
            "copy \"Application (client) ID\" from the app registration's overview",
        );
        let cloud = section.word("cloud", Cloud::Global);
        let graph_url = section.url("graph_url", cloud.graph_url());
        let login_url = section.url("login_url", cloud.login_url());
        let scope = section.word("scope", Scope::All);
        let rules = ScopeRules {
            user_filter: filter(&mut section, "user_filter", ObjectKind::User),
            group_filter: filter(&mut section, "group_filter", ObjectKind::Group),
            guests: section.word("guests", Guests::Include),
        };
        let users = section.flag("users", true);
        let groups = section.flag("groups", true);
        let mut credentials = section.child("credential");
        let client_secret = credentials.secret("client_secret", "ENTRA_CLIENT_SECRET", secrets);
        let expires = credentials.date("expires");
        credentials.finish();
        let network = Network::read(section.child("network")).over(network);
        section.finish();
        Some(Self {
            kind,
            tenant_id: tenant_id?,
            client_id: client_id?,
            cloud,
            graph_url: graph_url.unwrap_or_else(|| known(cloud.graph_url())),
            login_url: login_url.unwrap_or_else(|| known(cloud.login_url())),
            scope,
            rules,
            users,
            groups,
            credential: Credential {
                client_secret: client_secret?,
                expires,
            },
            network,
        })
    }
}

fn known(url: &str) -> Url {
    url.parse().expect("the addresses of the clouds are addresses")
}

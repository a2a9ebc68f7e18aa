//! `[jobs.NAME.source]`: the Entra tenant that is read.

use url::Url;
use uuid::Uuid;

use crate::model::id::ObjectKind;
use crate::reconcile::scope::Guests;
use crate::reconcile::scope::ScopeRules;

use super::credential::Credential;
use super::filter::filter;
use super::network::Network;
use super::section::Section;
use super::value::Word;
use crate::reconcile::scope::assignment::Nesting;

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
    /// Returns the address of Microsoft Graph.
    #[must_use]
    pub const fn graph_url(self) -> &'static str {
        match self {
            Self::Global => "https://graph.microsoft.com",
            Self::UsGov => "https://graph.microsoft.us",
            Self::UsGovDod => "https://dod-graph.microsoft.us",
            Self::China => "https://microsoftgraph.chinacloudapi.cn",
        }
    }

    /// Returns the address of the token service.
    #[must_use]
    pub const fn login_url(self) -> &'static str {
        match self {
            Self::Global => "https://login.microsoftonline.com",
            Self::UsGov | Self::UsGovDod => "https://login.microsoftonline.us",
            Self::China => "https://login.chinacloudapi.cn",
        }
    }
}

/// Which objects of the tenant are ours to provision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Every user and group.
    All,
    /// The users and groups that are assigned to the enterprise application, and the members of those groups.
    Assigned,
}

impl Word for Scope {
    const WORDS: &'static [(&'static str, Self)] = &[("all", Self::All), ("assigned", Self::Assigned)];
}

/// What nested groups count for in the scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NestedScope {
    Direct,
    Transitive,
}

impl Word for NestedScope {
    const WORDS: &'static [(&'static str, Self)] =
        &[("direct", Self::Direct), ("transitive", Self::Transitive)];
}

/// What nested groups count for at the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NestedMembers {
    Ignore,
    Flatten,
}

impl Word for NestedMembers {
    const WORDS: &'static [(&'static str, Self)] = &[("ignore", Self::Ignore), ("flatten", Self::Flatten)];
}

impl Word for Guests {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("include", Self::Include),
        ("accepted", Self::Accepted),
        ("exclude", Self::Exclude),
    ];
}

/// The source of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// The kind of source.
    pub kind: SourceKind,
    /// The directory (tenant) id.
    pub tenant_id: Uuid,
    /// The application (client) id of the app registration that reads.
    pub client_id: Uuid,
    /// The Microsoft cloud.
    pub cloud: Cloud,
    /// The address of Graph: the cloud's unless overridden. Without a version: `/v1.0` is added.
    pub graph_url: Url,
    /// The address of the token service: the cloud's unless overridden.
    pub login_url: Url,
    /// Which objects are ours to provision.
    pub scope: Scope,
    /// The object id of the enterprise application's service principal, whose assignments count. Needed with scope
    /// `assigned`, and where the mapping sends app roles.
    pub service_principal_id: Option<Uuid>,
    /// What nested groups count for.
    pub nesting: Nesting,
    /// The restrictions within the scope: scoping filters and guests.
    pub rules: ScopeRules,
    /// If true, users are managed; false stops managing them and removes none.
    pub users: bool,
    /// If true, groups are managed; false stops managing them and removes none.
    pub groups: bool,
    /// The application's proof of identity.
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
        let service_principal_id = service_principal(&mut section, scope);
        let nesting = nested_groups(&mut section);
        let rules = ScopeRules {
            user_filter: filter(&mut section, "user_filter", ObjectKind::User),
            group_filter: filter(&mut section, "group_filter", ObjectKind::Group),
            guests: section.word("guests", Guests::Include),
        };
        let users = section.flag("users", true);
        let groups = section.flag("groups", true);
        let credential = Credential::read(section.child("credential"), secrets);
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
            service_principal_id,
            nesting,
            rules,
            users,
            groups,
            credential: credential?,
            network,
        })
    }
}

/// Where an admin finds it.
const SERVICE_PRINCIPAL: &str = "copy \"Object ID\" from the enterprise application's properties (Entra admin centre, \
     Enterprise applications), not from its app registration";

fn service_principal(section: &mut Section<'_>, scope: Scope) -> Option<Uuid> {
    if scope == Scope::Assigned || section.has("service_principal_id") {
        section.guid("service_principal_id", SERVICE_PRINCIPAL)
    } else {
        // Asked for, so that it is a known key.
        section.get("service_principal_id").and(None)
    }
}

/// Reads `"ignore"`, `"flatten"`, or a table with `scope` and `members`.
fn nested_groups(section: &mut Section<'_>) -> Nesting {
    let advice = "write \"ignore\", \"flatten\", or { scope = \"transitive\", members = \"flatten\" }, of which each can be \
                  left out";
    let Some(field) = section.get("nested_groups") else {
        return Nesting::default();
    };
    if let Some(mut parts) = field.section() {
        let scope = parts.word("scope", NestedScope::Direct) == NestedScope::Transitive;
        let members = parts.word("members", NestedMembers::Ignore) == NestedMembers::Flatten;
        parts.finish();
        return Nesting { scope, members };
    }
    let both = match field.text("ignore") {
        Some("ignore") => Some(false),
        Some("flatten") => Some(true),
        Some(other) => field.bad(&format!("cannot be \"{other}\""), advice),
        None => None,
    };
    both.map_or_else(Nesting::default, |both| Nesting {
        scope: both,
        members: both,
    })
}

fn known(url: &str) -> Url {
    url.parse().expect("the addresses of the clouds are addresses")
}

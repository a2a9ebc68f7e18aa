//! Managed identities: the token that Azure gives to a machine or a container, asked for on the machine itself.
//!
//! Where to ask depends on the place (learn.microsoft.com, "How managed identities for Azure resources work with virtual
//! machines", "How to use managed identities for App Service", "Authenticate against Azure resources with Azure Arc-enabled
//! servers"). Never through a proxy.

use std::path::Path;
use std::path::PathBuf;

use url::Url;

use super::unusable::Unusable;
use crate::files;
use crate::model::secret::Secret;

/// The instance metadata service of virtual machines.
const IMDS: &str = "http://169.254.169.254";
const IMDS_PATH: &str = "/metadata/identity/oauth2/token";
/// The agent of Azure Arc, where its environment variables are not set.
const ARC: &str = "http://127.0.0.1:40342/metadata/identity/oauth2/token";
/// The program of that agent: its presence tells that the machine is connected to Arc.
const ARC_AGENT: &str = "/opt/azcmagent/bin/himds";
/// Where the agent of Arc puts the keys that prove to it that we may read them.
const ARC_KEYS: &str = "/var/opt/azcmagent/tokens";
/// The agent's keys are no longer.
const LONGEST_KEY: u64 = 4096;

/// Where this process runs.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Machine,
    /// App Service and Container Apps, with the header that proves that the request comes from inside.
    App {
        header: String,
    },
    Arc {
        keys: PathBuf,
    },
}

/// The identity, and where its tokens are given.
#[derive(Debug, Clone)]
pub struct ManagedIdentity {
    place: Place,
    endpoint: Url,
    /// The client id of a user-assigned identity.
    client_id: Option<String>,
}

impl ManagedIdentity {
    /// Finds out where this process runs, from its environment and from what is installed.
    ///
    /// # Errors
    /// Where the place is one that is not supported, or names an endpoint that is no address.
    pub fn detect(
        client_id: Option<String>,
        variable: impl Fn(&str) -> Option<String>,
        exists: impl Fn(&Path) -> bool,
    ) -> Result<Self, Unusable> {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        if set("IDENTITY_SERVER_THUMBPRINT").is_some() {
            return Err(Unusable {
                what: "managed identities of Service Fabric are not supported".to_owned(),
                hint: "use a certificate, or a federated token, in this place".to_owned(),
            });
        }
        let arc = || Place::Arc {
            keys: ARC_KEYS.into(),
        };
        let (place, endpoint) = match (
            set("IDENTITY_ENDPOINT"),
            set("IDENTITY_HEADER"),
            set("IMDS_ENDPOINT"),
        ) {
            (Some(endpoint), Some(header), _) => (Place::App { header }, endpoint),
            (Some(endpoint), None, Some(_)) => (arc(), endpoint),
            _ if exists(Path::new(ARC_AGENT)) => (arc(), ARC.to_owned()),
            // What Azure's own libraries read, for a metadata service at another address.
            _ => {
                let host = set("AZURE_POD_IDENTITY_AUTHORITY_HOST").unwrap_or_else(|| IMDS.to_owned());
                (Place::Machine, host.trim_end_matches('/').to_owned() + IMDS_PATH)
            }
        };
        let endpoint = endpoint.parse().map_err(|_| Unusable {
            what: "the endpoint of managed identities in the environment is no address".to_owned(),
            hint: "IDENTITY_ENDPOINT is set by the platform: do not set it by hand".to_owned(),
        })?;
        Ok(Self {
            place,
            endpoint,
            client_id,
        })
    }

    /// An agent of Arc at another address, whose keys are in another folder.
    #[cfg(test)]
    pub(super) fn arc_at(endpoint: Url, keys: PathBuf, client_id: Option<&str>) -> Self {
        Self {
            place: Place::Arc { keys },
            endpoint,
            client_id: client_id.map(str::to_owned),
        }
    }

    /// The request for a token: its address and its headers. `key` is what [`Self::key_file`] names, where that was asked for.
    pub(super) fn request(&self, resource: &str, key: Option<&Secret>) -> (Url, Vec<(&'static str, Secret)>) {
        let version = match self.place {
            Place::Machine => "2018-02-01",
            Place::App { .. } => "2019-08-01",
            Place::Arc { .. } => "2020-06-01",
        };
        let mut url = self.endpoint.clone();
        {
            let mut query = url.query_pairs_mut();
            query
                .append_pair("api-version", version)
                .append_pair("resource", resource);
            if let Some(id) = &self.client_id {
                query.append_pair("client_id", id);
            }
        }
        let mut headers = match &self.place {
            Place::App { header } => vec![("X-IDENTITY-HEADER", Secret::new(header.clone()))],
            Place::Machine | Place::Arc { .. } => vec![("Metadata", Secret::new("true".to_owned()))],
        };
        if let Some(key) = key {
            headers.push(("Authorization", Secret::new(format!("Basic {}", key.expose()))));
        }
        (url, headers)
    }

    /// The file whose content the agent of Arc asks for, from the challenge of a 401. The answer is whoever's answers on that port, so
    /// that only a key in the agent's own folder is read.
    pub(super) fn key_file(&self, challenge: &str) -> Option<Result<PathBuf, Unusable>> {
        let Place::Arc { keys } = &self.place else {
            return None;
        };
        let named = challenge
            .split_once("realm=")
            .map(|(_, rest)| PathBuf::from(rest.trim().trim_matches('"')));
        Some(named.filter(|path| is_key(path, keys)).ok_or_else(|| Unusable {
            what: format!("the agent of Azure Arc names no key in {}", keys.display()),
            hint: "check that the agent is the one of Azure Arc (azcmagent show), and up to date".to_owned(),
        }))
    }

    /// True where an answer for another identity than was asked for would go unnoticed unless it says which one it is for: old
    /// agents of Arc answer with the machine's own.
    pub(super) fn must_echo(&self) -> Option<&str> {
        match self.place {
            Place::Arc { .. } => self.client_id.as_deref(),
            Place::Machine | Place::App { .. } => None,
        }
    }

    /// The address, for messages.
    pub(super) const fn endpoint(&self) -> &Url {
        &self.endpoint
    }

    /// What to do where no identity is found.
    pub(super) const fn hint(&self) -> &'static str {
        match (&self.place, &self.client_id) {
            (Place::Machine, None) => {
                "assign a managed identity to this virtual machine (Azure portal, Identity), or use another credential"
            }
            (Place::App { .. }, None) => {
                "assign a managed identity to this app (Azure portal, Identity), or use another credential"
            }
            (Place::Arc { .. }, None) => {
                "check that this server is connected (azcmagent show), and that melonsync's user is in the group himds"
            }
            (_, Some(_)) => {
                "check that the identity with this client id is assigned here: `managed_identity = { client_id = \"…\" }`"
            }
        }
    }
}

fn is_key(path: &Path, keys: &Path) -> bool {
    path.parent() == Some(keys) && path.extension().is_some_and(|end| end == "key")
}

/// The content of a key of Arc's agent.
///
/// # Errors
/// When it cannot be read, or is no text.
pub(super) fn read_key(path: &Path) -> Result<Secret, Unusable> {
    let unusable = |error: &dyn std::fmt::Display| Unusable {
        what: format!(
            "the key {} of Azure Arc's agent cannot be read: {error}",
            path.display()
        ),
        hint: "add melonsync's user to the group himds".to_owned(),
    };
    let bytes = files::read_limited(path, LONGEST_KEY).map_err(|error| unusable(&error))?;
    let text = String::from_utf8(bytes).map_err(|error| unusable(&error))?;
    Ok(Secret::new(text.trim().to_owned()))
}

#[cfg(test)]
mod tests;

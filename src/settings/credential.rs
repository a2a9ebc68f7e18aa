//! `[jobs.NAME.source.credential]`: how the application proves who it is.

use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use uuid::Uuid;

use super::secret::SecretSource;
use super::section::{Field, Section};
use super::tree::Raw;

/// One way to prove who the application is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// A client secret of the app registration.
    ClientSecret(SecretSource),
    /// A certificate whose public part the app registration knows.
    Certificate {
        /// The certificate, in PEM.
        certificate: SecretSource,
        /// The private key, in PEM; `None` where it stands in the same file.
        key: Option<SecretSource>,
    },
    /// A file with a token that a platform signs for this workload; read for each token request.
    FederatedToken(PathBuf),
    /// The identity that Azure gives to the machine or container.
    ManagedIdentity {
        /// The client id of a user-assigned identity; `None` for the system's own.
        client_id: Option<Uuid>,
    },
}

impl Proof {
    /// The files whose change means that a credential was renewed. A platform's token is read for each request anyway.
    #[must_use]
    pub fn files(&self) -> Vec<&Path> {
        match self {
            Self::ClientSecret(secret) => secret.file().into_iter().collect(),
            Self::Certificate { certificate, key } => [Some(certificate), key.as_ref()]
                .into_iter()
                .flatten()
                .filter_map(SecretSource::file)
                .collect(),
            Self::FederatedToken(_) | Self::ManagedIdentity { .. } => Vec::new(),
        }
    }
}

impl Proof {
    /// The files that only this user and root are to read. A certificate without its key is no secret, and a platform lays
    /// out its tokens by rules of its own.
    #[must_use]
    pub fn secret_files(&self) -> Vec<&Path> {
        match self {
            Self::ClientSecret(secret)
            | Self::Certificate {
                key: Some(secret), ..
            }
            | Self::Certificate {
                certificate: secret,
                key: None,
            } => secret.file().into_iter().collect(),
            Self::FederatedToken(_) | Self::ManagedIdentity { .. } => Vec::new(),
        }
    }
}

/// How the application proves who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// At least one; tried in order, the next where the service refuses one.
    pub proofs: Vec<Proof>,
    /// The day that it ends, where written: `check` warns ahead of it.
    pub expires: Option<NaiveDate>,
}

/// The keys of which exactly one is written.
const KINDS: [&str; 4] = [
    "client_secret",
    "certificate",
    "federated_token_file",
    "managed_identity",
];

impl Credential {
    /// Reads the table. With `secrets`, that secrets can be read is checked now, and their values are dropped.
    pub(super) fn read(mut section: Section<'_>, secrets: bool) -> Option<Self> {
        let read = Self::keys(&mut section, "ENTRA_CLIENT_SECRET", secrets);
        section.finish();
        read
    }

    /// Reads the keys of a table that has others too. `variable`: where an example finds the secret.
    pub(super) fn keys(section: &mut Section<'_>, variable: &str, secrets: bool) -> Option<Self> {
        let written: Vec<&str> = KINDS.into_iter().filter(|kind| section.has(kind)).collect();
        if let [first, second, ..] = written[..] {
            let path = section.path.clone();
            let at = section.at.clone();
            section.context.report(
                &at,
                format!("`{path}` has both `{first}` and `{second}`"),
                "keep exactly one of them; each can be a list, tried in order",
            );
        }
        // Asked for in any case, so that each is a known key.
        let fields = KINDS.map(|kind| section.get(kind));
        let [_, certificate, federated, managed] = &fields;
        let mut proofs = Vec::new();
        if section.has("client_secret") || fields.iter().all(Option::is_none) {
            let secrets = section.secrets("client_secret", variable, secrets);
            proofs.push(secrets.map(|list| list.into_iter().map(Proof::ClientSecret).collect::<Vec<_>>()));
        }
        if let Some(field) = certificate {
            proofs.push(each(field, |field| self::certificate(field, secrets)));
        }
        if let Some(field) = federated {
            proofs.push(each(field, federated_token));
        }
        if let Some(field) = managed {
            proofs.push(managed_identity(field).map(|proof| vec![proof]));
        }
        let proofs: Option<Vec<_>> = proofs.into_iter().collect();
        let expires = section.date("expires");
        Some(Self {
            proofs: proofs?.concat(),
            expires,
        })
    }
}

/// All that a key gives, one or a list of them.
fn each(field: &Field<'_>, read: impl Fn(&Field<'_>) -> Option<Proof>) -> Option<Vec<Proof>> {
    let all = field.each();
    if all.is_empty() {
        return field.bad("is an empty list", "name at least one");
    }
    let read: Vec<_> = all.iter().map(read).collect();
    read.into_iter().collect()
}

fn certificate(field: &Field<'_>, secrets: bool) -> Option<Proof> {
    const ADVICE: &str = "write { file = \"…/cert.pem\", key = { file = \"…/key.pem\" } }; `key` can be left out where it is in the same file";
    let Some(mut section) = field.section() else {
        return field.bad_key(
            &format!("must be a table, not {}", field.node().raw.kind()),
            ADVICE,
        );
    };
    let key = section
        .has("key")
        .then(|| section.secret("key", "ENTRA_CERTIFICATE_KEY", secrets));
    section.get("key");
    let certificate = section.place(field, "ENTRA_CERTIFICATE", ADVICE);
    section.finish();
    let key = match key {
        Some(key) => Some(key?),
        None => None,
    };
    Some(Proof::Certificate {
        certificate: certificate?,
        key,
    })
}

fn federated_token(field: &Field<'_>) -> Option<Proof> {
    match field.text("/var/run/secrets/azure/tokens/azure-identity-token")? {
        "" => field.bad(
            "is empty",
            "name the file that the platform writes, usually what AZURE_FEDERATED_TOKEN_FILE says",
        ),
        path => Some(Proof::FederatedToken(field.context.path(path))),
    }
}

/// `true`, or a table with the client id of a user-assigned identity.
fn managed_identity(field: &Field<'_>) -> Option<Proof> {
    const ADVICE: &str = "write true, or { client_id = \"…\" } for a user-assigned identity";
    if let Some(mut section) = field.section() {
        let client_id = section.guid(
            "client_id",
            "copy \"Client ID\" from the managed identity's overview in the Azure portal",
        );
        section.finish();
        return Some(Proof::ManagedIdentity {
            client_id: Some(client_id?),
        });
    }
    match &field.node().raw {
        Raw::Bool(true) => Some(Proof::ManagedIdentity { client_id: None }),
        Raw::Bool(false) => field.bad("is false", "leave it out, and name another credential"),
        raw => field.bad(&format!("must be true or a table, not {}", raw.kind()), ADVICE),
    }
}

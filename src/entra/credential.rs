//! How the application proves who it is, as read for one token request.

use std::fmt;
use std::path::Path;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use super::certificate::Certificate;
use super::managed::ManagedIdentity;
use super::unusable::Unusable;
use crate::files;
use crate::model::clock::Timestamp;
use crate::model::secret::Secret;

/// No platform writes a longer token.
const LONGEST_TOKEN: u64 = 64 << 10;

/// What the token endpoint calls a signed proof (RFC 7523 section 2.2).
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// One way to prove who the application is.
pub enum Credential {
    /// A client secret.
    Secret(Secret),
    /// A certificate, and its key to sign with.
    Certificate(Certificate),
    /// The file of a token that a platform signs, read for each token request: platforms replace it.
    Federated(PathBuf),
    /// The identity that Azure gives to this machine or container.
    Managed(ManagedIdentity),
}

/// The credentials in the order in which they are tried, read afresh for each token request, so that a renewed file counts at
/// once.
#[derive(Clone)]
pub struct Credentials(Arc<dyn Fn() -> Vec<Result<Credential, Unusable>> + Send + Sync>);

impl Credentials {
    /// Credentials that are read when they are needed.
    pub fn read_by(read: impl Fn() -> Vec<Result<Credential, Unusable>> + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    pub(super) fn read(&self) -> Vec<Result<Credential, Unusable>> {
        (self.0)()
    }
}

impl From<Secret> for Credentials {
    fn from(secret: Secret) -> Self {
        Self::read_by(move || vec![Ok(Credential::Secret(secret.clone()))])
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials")
    }
}

/// What is sent as proof: fields of the form, and the text in them that is never to be shown.
pub(super) struct Proof {
    pub(super) fields: Vec<(&'static str, Secret)>,
    pub(super) secret: Secret,
}

impl Proof {
    pub(super) fn of_secret(secret: &Secret) -> Self {
        Self {
            fields: vec![("client_secret", secret.clone())],
            secret: secret.clone(),
        }
    }

    pub(super) fn of_assertion(assertion: Secret) -> Self {
        Self {
            fields: vec![
                ("client_assertion_type", Secret::new(ASSERTION_TYPE.to_owned())),
                ("client_assertion", assertion.clone()),
            ],
            secret: assertion,
        }
    }
}

#[derive(Deserialize)]
struct Ends {
    exp: Option<i64>,
}

/// The token of a platform as it stands in its file now.
///
/// # Errors
/// When it cannot be read (a platform may be replacing it), is no token, or has ended.
pub(super) fn federated_token(path: &Path, now: Timestamp) -> Result<Secret, Unusable> {
    let place = format!("the federated token in {}", path.display());
    let bytes = files::read_limited(path, LONGEST_TOKEN).map_err(|error| Unusable {
        what: format!("{place} cannot be read: {error}"),
        hint: "the platform writes this file: check that the workload is set up for it, and that melonsync's user may read it"
            .to_owned(),
    })?;
    let text = String::from_utf8_lossy(&bytes);
    let token = text.trim();
    let Some(claims) = claims(token) else {
        return Err(Unusable {
            what: format!("{place} is no signed token (JWT)"),
            hint: "name the file that the platform writes, usually what AZURE_FEDERATED_TOKEN_FILE says"
                .to_owned(),
        });
    };
    let seconds = now.0.div_euclid(1000);
    match claims.exp {
        Some(exp) if exp <= seconds => Err(Unusable {
            what: format!("{place} ended at {}", Timestamp(exp.saturating_mul(1000))),
            hint: "the platform has not renewed it: look at what writes the file (in Kubernetes the kubelet and the workload identity \
                   webhook), and check the clock of this machine"
                .to_owned(),
        }),
        _ => Ok(Secret::new(token.to_owned())),
    }
}

/// The claims of a JWT, which are believed for its end alone: Entra judges the token.
fn claims(token: &str) -> Option<Ends> {
    let mut parts = token.split('.');
    let (_, body, _) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes = URL_SAFE_NO_PAD.decode(body.trim_end_matches('=')).ok()?;
    serde_json::from_slice(&bytes).ok()
}

#[cfg(test)]
mod tests;

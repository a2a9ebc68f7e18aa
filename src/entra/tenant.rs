//! Which tenant a domain belongs to, by the OpenID configuration that the sign-in service publishes for everybody.
//!
//! Guarantee: one GET, without a token or a secret; an answer that names no tenant is an error, and never an id.

use serde::Deserialize;
use url::Url;
use uuid::Uuid;

use crate::transport::HttpClient;
use crate::transport::TransportError;
use crate::transport::http_client::host_of;

/// Why no tenant is known for a domain.
#[derive(Debug, thiserror::Error)]
pub enum NoTenant {
    /// No tenant has it.
    #[error("no tenant has the domain {domain}: {host} answers {status}")]
    Unknown {
        /// The domain.
        domain: String,
        /// Who was asked.
        host: String,
        /// How it answered.
        status: u16,
    },
    /// There is no answer.
    #[error("cannot ask {host} which tenant has the domain {domain}")]
    Unreachable {
        /// The domain.
        domain: String,
        /// Who was asked.
        host: String,
        /// The cause.
        #[source]
        cause: TransportError,
    },
    /// The answer names no tenant.
    #[error("{host} answers {status} to which tenant has the domain {domain}, and names none")]
    Unreadable {
        /// The domain.
        domain: String,
        /// Who was asked.
        host: String,
        /// How it answered.
        status: u16,
    },
}

/// Returns true for what may be the name of a domain.
#[must_use]
pub fn is_domain(text: &str) -> bool {
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(is_label)
}

/// The part of the OpenID configuration that is read.
#[derive(Deserialize)]
struct OpenId {
    issuer: Url,
}

/// Asks the sign-in service which tenant a domain belongs to.
///
/// # Errors
/// [`NoTenant`].
pub async fn tenant_of(client: &HttpClient, login: &Url, domain: &str) -> Result<Uuid, NoTenant> {
    let (host, domain) = (host_of(login), domain.to_owned());
    let mut url = login.clone();
    url.set_path(&format!("/{domain}/v2.0/.well-known/openid-configuration"));
    let request = client.builder().get(url).build();
    let request = request.map_err(|_| NoTenant::Unreadable {
        domain: domain.clone(),
        host: host.clone(),
        status: 0,
    })?;
    let answer = match client.send(request).await {
        Ok(answer) => answer,
        Err(cause) => {
            return Err(NoTenant::Unreachable { domain, host, cause });
        }
    };
    let status = answer.status.as_u16();
    if matches!(status, 400 | 404) {
        return Err(NoTenant::Unknown { domain, host, status });
    }
    let named = serde_json::from_slice::<OpenId>(&answer.body).ok();
    let tenant = named.filter(|_| status == 200).and_then(|named| {
        let mut parts = named.issuer.path_segments()?;
        parts.find_map(|part| Uuid::try_parse(part).ok())
    });
    tenant.ok_or(NoTenant::Unreadable { domain, host, status })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_has_labels_and_dots() {
        for good in ["contoso.com", "a-b.onmicrosoft.com", "x1.y2.example"] {
            assert!(is_domain(good), "{good}");
        }
        for bad in [
            "contoso",
            "",
            ".",
            "contoso.",
            "a b.com",
            "a/b.com",
            "-a.com",
            "../x",
            "a@b.com",
            "müller.example",
        ] {
            assert!(!is_domain(bad), "{bad}");
        }
    }
}

//! A certificate as credential: what it needs to be, and the assertion that is signed with it.
//!
//! Header and claims are those of "Microsoft identity platform application authentication certificate credentials"
//! (learn.microsoft.com/entra/identity-platform/certificate-credentials): PS256, `x5t#S256`, ten minutes at most. An
//! assertion is signed anew for each token request: a token lives for an hour, so that nothing is gained by keeping one.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::EncodingKey;
use jsonwebtoken::Header;
use serde::Serialize;
use sha2::Digest;
use sha2::Sha256;
use uuid::Uuid;
use x509_parser::oid_registry::OID_PKCS1_RSAENCRYPTION;
use x509_parser::prelude::FromDer;
use x509_parser::prelude::X509Certificate;

use crate::model::clock::Timestamp;
use crate::model::secret::Secret;

/// Seconds that an assertion is good for: Entra asks for five to ten minutes.
const LIFE: i64 = 600;

/// A certificate with its private key, checked.
pub struct Certificate {
    /// SHA-256 of the certificate, as the header carries it.
    thumbprint: String,
    key: EncodingKey,
    /// Seconds since 1970 from which and to which it is valid.
    valid: (i64, i64),
}

/// Why a certificate cannot be used. Names no part of the key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    /// No PEM block of a certificate.
    #[error("there is no certificate in it")]
    NoCertificate,
    /// What stands in the block is none.
    #[error("its certificate cannot be read")]
    Malformed,
    /// No PEM block of a private key.
    #[error("there is no private key in it")]
    NoKey,
    /// The key asks for a password.
    #[error("its private key is encrypted")]
    Encrypted,
    /// Another kind of key.
    #[error("its key is not an RSA key")]
    NotRsa,
    /// The key is another certificate's.
    #[error("its private key does not belong to its certificate")]
    OtherKey,
    /// The first day is yet to come.
    #[error("its certificate is valid only from {0} on")]
    NotYetValid(String),
    /// The last day is over.
    #[error("its certificate expired on {0}")]
    Expired(String),
}

impl CertificateError {
    /// What to do about it.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NoCertificate | Self::Malformed => {
                "write the certificate in PEM, the block that begins with -----BEGIN CERTIFICATE-----"
            }
            Self::NoKey => {
                "add the private key in PEM to the same file, or name its file: `certificate = { file = \"…\", key = { file = \"…\" } }`"
            }
            Self::Encrypted => {
                "write the key without a password (`openssl pkey -in key.pem -out plain.pem`), readable by melonsync's user alone"
            }
            Self::NotRsa => {
                "Entra takes RSA keys only: make one of 2048 bits or more, and upload its certificate"
            }
            Self::OtherKey => {
                "name the key that the certificate was made with; in a chain, the application's own certificate stands first"
            }
            Self::NotYetValid(_) => "check the clock of this machine, or use another certificate until then",
            Self::Expired(_) => {
                "make a new certificate, upload it in the Entra admin centre (App registrations, Certificates & secrets), and put it here"
            }
        }
    }
}

#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a str,
    iss: &'a str,
    sub: &'a str,
    jti: String,
    nbf: i64,
    iat: i64,
    exp: i64,
}

impl Certificate {
    /// A certificate from its PEM text; `key` is the text of the key's file where that is another one. Blocks may stand in any
    /// order; of several certificates the first is ours, the others are its chain.
    ///
    /// # Errors
    /// When something is missing, of another kind, or does not belong together. Times are not judged here, see [`Self::check_valid`].
    pub fn from_pem(certificate: &str, key: Option<&str>) -> Result<Self, CertificateError> {
        let block = blocks(certificate)
            .find(|block| block.label == "CERTIFICATE")
            .ok_or(CertificateError::NoCertificate)?;
        let der = block.der().ok_or(CertificateError::Malformed)?;
        let (_, parsed) = X509Certificate::from_der(&der).map_err(|_| CertificateError::Malformed)?;
        let public = parsed.public_key();
        if public.algorithm.algorithm != OID_PKCS1_RSAENCRYPTION {
            return Err(CertificateError::NotRsa);
        }
        let key = private_key(key.unwrap_or(certificate))?;
        if !belongs(&key, &DecodingKey::from_rsa_der(&public.subject_public_key.data)) {
            return Err(CertificateError::OtherKey);
        }
        let validity = parsed.validity();
        Ok(Self {
            thumbprint: URL_SAFE_NO_PAD.encode(Sha256::digest(&der)),
            key,
            valid: (validity.not_before.timestamp(), validity.not_after.timestamp()),
        })
    }

    /// The moment at which it ends.
    #[must_use]
    pub fn ends(&self) -> Timestamp {
        Timestamp(self.valid.1.saturating_mul(1000))
    }

    /// Refuses it outside of its days.
    ///
    /// # Errors
    /// [`CertificateError::NotYetValid`] or [`CertificateError::Expired`].
    pub fn check_valid(&self, now: Timestamp) -> Result<(), CertificateError> {
        let day = |seconds: i64| {
            Timestamp(seconds.saturating_mul(1000))
                .to_utc()
                .date_naive()
                .to_string()
        };
        let now = now.0.div_euclid(1000);
        match self.valid {
            (from, _) if now < from => Err(CertificateError::NotYetValid(day(from))),
            (_, until) if now >= until => Err(CertificateError::Expired(day(until))),
            _ => Ok(()),
        }
    }

    /// A new assertion for one token request to this address.
    ///
    /// # Errors
    /// When it is outside of its days, or the key cannot sign.
    pub(super) fn assertion(
        &self,
        token_url: &str,
        client_id: &str,
        now: Timestamp,
    ) -> Result<Secret, CertificateError> {
        self.check_valid(now)?;
        let now = now.0.div_euclid(1000);
        let header = Header {
            x5t_s256: Some(self.thumbprint.clone()),
            ..Header::new(Algorithm::PS256)
        };
        let claims = Claims {
            aud: token_url,
            iss: client_id,
            sub: client_id,
            jti: Uuid::new_v4().to_string(),
            nbf: now,
            iat: now,
            exp: now + LIFE,
        };
        jsonwebtoken::encode(&header, &claims, &self.key)
            .map(Secret::new)
            .map_err(|_| CertificateError::NotRsa)
    }
}

/// A block of PEM: its label, and the text between its lines.
struct Block<'t> {
    label: &'t str,
    /// With its first and last line.
    whole: &'t str,
}

impl Block<'_> {
    fn der(&self) -> Option<Vec<u8>> {
        let lines = self.whole.lines().filter(|line| !line.starts_with("-----"));
        let text: String = lines.flat_map(|line| line.split_whitespace()).collect();
        base64::engine::general_purpose::STANDARD.decode(text).ok()
    }
}

/// The blocks of a PEM text, in their order. What does not end is none.
fn blocks(text: &str) -> impl Iterator<Item = Block<'_>> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let begin = rest.find("-----BEGIN ")?;
        let from = &rest[begin..];
        let label = from["-----BEGIN ".len()..].split("-----").next()?;
        let end = format!("-----END {label}-----");
        let length = from.find(&end)? + end.len();
        rest = &from[length..];
        Some(Block {
            label,
            whole: &from[..length],
        })
    })
}

fn private_key(text: &str) -> Result<EncodingKey, CertificateError> {
    let block = blocks(text)
        .find(|block| block.label.ends_with("PRIVATE KEY"))
        .ok_or(CertificateError::NoKey)?;
    match block.label {
        "ENCRYPTED PRIVATE KEY" => Err(CertificateError::Encrypted),
        "PRIVATE KEY" | "RSA PRIVATE KEY" if block.whole.contains("ENCRYPTED") => {
            Err(CertificateError::Encrypted)
        }
        "PRIVATE KEY" | "RSA PRIVATE KEY" => {
            EncodingKey::from_rsa_pem(block.whole.as_bytes()).map_err(|_| CertificateError::NotRsa)
        }
        _ => Err(CertificateError::NotRsa),
    }
}

/// Signs once, and verifies: the one proof that a key and a certificate are a pair.
fn belongs(key: &EncodingKey, public: &DecodingKey) -> bool {
    const PROBE: &[u8] = b"is this key the certificate's?";
    jsonwebtoken::crypto::sign(PROBE, key, Algorithm::PS256).is_ok_and(|signature| {
        jsonwebtoken::crypto::verify(&signature, PROBE, public, Algorithm::PS256).unwrap_or(false)
    })
}

#[cfg(test)]
mod tests;

//! Signed proofs (RFC 7523), checked as Entra checks them: signature, thumbprint, audience, issuer, times.
//!
//! Error numbers are those of "Microsoft Entra authentication error codes".

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use jsonwebtoken::DecodingKey;
use serde_json::Value;
use sha2::Digest;
use sha2::Sha256;
use x509_parser::prelude::FromDer;
use x509_parser::prelude::X509Certificate;

use super::auth::Refusal;

/// How far clocks may differ, in seconds.
const SKEW: i64 = 300;

/// Whose proofs the app accepts.
#[derive(Default)]
pub(super) struct Trusted {
    /// Certificates, in DER.
    pub certificates: Vec<Vec<u8>>,
    /// Federated credentials.
    pub federated: Vec<Federated>,
}

/// A federated credential of the app.
pub(super) struct Federated {
    pub issuer: String,
    pub subject: String,
    pub audience: String,
    /// The certificate of the issuer's key, in DER.
    pub certificate: Vec<u8>,
}

/// The certificate in a PEM text.
pub(super) fn der_of(pem: &str) -> Vec<u8> {
    let body = pem
        .split_once("-----BEGIN CERTIFICATE-----")
        .and_then(|(_, rest)| rest.split_once("-----END CERTIFICATE-----"))
        .map_or("", |(body, _)| body);
    let text: String = body.split_whitespace().collect();
    STANDARD.decode(text).unwrap_or_default()
}

impl Trusted {
    /// Whether the proof shows that this app asks at this address.
    pub fn check(&self, proof: &str, app: &str, audience: &str, now: i64) -> Result<(), Refusal> {
        let malformed = || {
            Refusal(
                400,
                "invalid_request",
                50_027,
                "JWT token is invalid or malformed.".to_owned(),
            )
        };
        let [header, claims, _] = proof.split('.').collect::<Vec<_>>()[..] else {
            return Err(malformed());
        };
        let (header, claims) = (decoded(header), decoded(claims));
        let (Some(header), Some(claims)) = (header, claims) else {
            return Err(malformed());
        };
        if header.get("x5t#S256").is_some() || header.get("x5t").is_some() {
            self.check_certificate(proof, &header, &claims, (app, audience))?;
        } else {
            self.check_federated(proof, &claims)?;
        }
        let time = |name: &str| claims[name].as_i64();
        match (time("nbf"), time("exp")) {
            (_, None) => Err(malformed()),
            (Some(nbf), _) if nbf > now + SKEW => Err(outside(now)),
            (_, Some(exp)) if exp + SKEW < now => Err(outside(now)),
            _ => Ok(()),
        }
    }

    fn check_certificate(
        &self,
        proof: &str,
        header: &Value,
        claims: &Value,
        (app, audience): (&str, &str),
    ) -> Result<(), Refusal> {
        let thumbprint = |der: &[u8]| URL_SAFE_NO_PAD.encode(Sha256::digest(der));
        let named = self
            .certificates
            .iter()
            .find(|der| header["x5t#S256"] == thumbprint(der));
        let Some(der) = named else {
            let text = "The certificate with identifier used to sign the client assertion is not registered on application.";
            return Err(Refusal(401, "invalid_client", 700_027, text.to_owned()));
        };
        if !is_signed(proof, der, header) {
            let text = "Client assertion failed signature validation.";
            return Err(Refusal(401, "invalid_client", 700_027, text.to_owned()));
        }
        if claims["aud"] != audience {
            let text = "Assertion audience claim does not match the required value.";
            return Err(Refusal(401, "invalid_client", 700_023, text.to_owned()));
        }
        if claims["iss"] != app || claims["sub"] != app {
            let text = "Client assertion application identifier doesn't match 'client_id' parameter.";
            return Err(Refusal(401, "invalid_client", 700_021, text.to_owned()));
        }
        if claims["jti"].as_str().is_none_or(str::is_empty) {
            return Err(Refusal(
                400,
                "invalid_request",
                50_027,
                "JWT token is invalid or malformed.".to_owned(),
            ));
        }
        Ok(())
    }

    fn check_federated(&self, proof: &str, claims: &Value) -> Result<(), Refusal> {
        let matching = self.federated.iter().find(|federated| {
            claims["iss"] == federated.issuer
                && claims["sub"] == federated.subject
                && claims["aud"] == federated.audience
        });
        let Some(federated) = matching else {
            let text = "No matching federated identity record found for presented assertion.";
            return Err(Refusal(401, "invalid_client", 700_213, text.to_owned()));
        };
        let header = serde_json::json!({"alg": "RS256"});
        if !is_signed(proof, &federated.certificate, &header) {
            let text = "Client assertion failed signature validation.";
            return Err(Refusal(401, "invalid_client", 700_027, text.to_owned()));
        }
        Ok(())
    }
}

fn outside(now: i64) -> Refusal {
    let text = format!("Client assertion is not within its valid time range. Current time: {now}.");
    Refusal(401, "invalid_client", 700_024, text)
}

fn decoded(part: &str) -> Option<Value> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

/// The signature alone: claims are judged here, and not by the library.
fn is_signed(proof: &str, der: &[u8], header: &Value) -> bool {
    let algorithm = match header["alg"].as_str() {
        Some("PS256") => Algorithm::PS256,
        Some("RS256") => Algorithm::RS256,
        _ => return false,
    };
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return false;
    };
    let key = DecodingKey::from_rsa_der(&certificate.public_key().subject_public_key.data);
    let Some((message, signature)) = proof.rsplit_once('.') else {
        return false;
    };
    jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key, algorithm).unwrap_or(false)
}

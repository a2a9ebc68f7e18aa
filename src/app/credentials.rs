//! The credentials that the settings name, read when they are needed.

use std::env;
use std::path::Path;

use chrono::NaiveDate;
use uuid::Uuid;

use super::error::AppError;
use crate::entra::certificate::Certificate;
use crate::entra::certificate::CertificateError;
use crate::entra::credential::Credential;
use crate::entra::credential::Credentials;
use crate::entra::managed::ManagedIdentity;
use crate::entra::unusable::Unusable;
use crate::model::clock::Clock;
use crate::model::clock::SystemClock;
use crate::model::secret::Secret;
use crate::settings::credential;
use crate::settings::job::Job;
use crate::settings::secret::SecretError;
use crate::settings::secret::SecretSource;

/// The credentials of a source; each token request reads them afresh.
///
/// # Errors
/// A usage error where none of them can be used now.
pub fn of_source(settings: &credential::Credential) -> Result<Credentials, AppError> {
    let proofs = settings.proofs.clone();
    let read = move || proofs.iter().map(read).collect::<Vec<_>>();
    let mut first = None;
    for one in read() {
        match one {
            Ok(_) => return Ok(Credentials::read_by(read)),
            Err(unusable) => first = first.or(Some(unusable)),
        }
    }
    first.map_or_else(|| Ok(Credentials::read_by(read)), |first| Err(refused(first)))
}

/// The tokens of a target, those that can be read.
///
/// # Errors
/// A usage error where none can be read.
pub fn of_target(tokens: &[SecretSource]) -> Result<Vec<Secret>, AppError> {
    let mut readable = Vec::new();
    let mut first = None;
    for token in tokens {
        match token.read() {
            Ok(token) => readable.push(token),
            Err(error) => first = first.or(Some(error)),
        }
    }
    match first {
        Some(error) if readable.is_empty() => Err(refused(unreadable(&error))),
        _ => Ok(readable),
    }
}

/// The key of IDmelon's API.
///
/// # Errors
/// A usage error where it cannot be read.
pub fn of_api(key: &SecretSource) -> Result<Secret, AppError> {
    key.read().map_err(|error| refused(unreadable(&error)))
}

fn refused(unusable: Unusable) -> AppError {
    AppError::usage(unusable.what, unusable.hint)
}

fn unreadable(error: &SecretError) -> Unusable {
    Unusable {
        what: error.to_string(),
        hint: error.hint(),
    }
}

fn read(proof: &credential::Proof) -> Result<Credential, Unusable> {
    match proof {
        credential::Proof::ClientSecret(secret) => secret
            .read()
            .map(Credential::Secret)
            .map_err(|error| unreadable(&error)),
        credential::Proof::Certificate {
            certificate: place,
            key,
        } => certificate(place, key.as_ref()).map(Credential::Certificate),
        credential::Proof::FederatedToken(path) => Ok(Credential::Federated(path.clone())),
        credential::Proof::ManagedIdentity { client_id } => {
            managed(client_id.as_ref()).map(Credential::Managed)
        }
    }
}

/// A certificate and its key as they stand in their files now.
///
/// # Errors
/// Where it cannot be read, or is not one that Entra takes today.
fn certificate(place: &SecretSource, key: Option<&SecretSource>) -> Result<Certificate, Unusable> {
    let certificate = parsed(place, key)?;
    certificate
        .check_valid(SystemClock.now())
        .map_err(|error| unusable(place, &error))?;
    Ok(certificate)
}

/// A certificate, whatever its days.
fn parsed(place: &SecretSource, key: Option<&SecretSource>) -> Result<Certificate, Unusable> {
    let text = |place: &SecretSource| place.read().map_err(|error| unreadable(&error));
    let pem = text(place)?;
    let key = key.map(text).transpose()?;
    Certificate::from_pem(pem.expose(), key.as_ref().map(Secret::expose))
        .map_err(|error| unusable(place, &error))
}

fn unusable(place: &SecretSource, error: &CertificateError) -> Unusable {
    Unusable {
        what: format!("the certificate in {place} cannot be used: {error}"),
        hint: error.hint().to_owned(),
    }
}

/// The day on which a source's credential ends: the one that is written beside it, or the first of its certificates'.
#[must_use]
pub fn last_day(settings: &credential::Credential) -> Option<NaiveDate> {
    let of_certificates = || {
        let ends = settings.proofs.iter().filter_map(|proof| match proof {
            credential::Proof::Certificate { certificate, key } => parsed(certificate, key.as_ref())
                .ok()
                .map(|certificate| certificate.ends()),
            credential::Proof::ClientSecret(_)
            | credential::Proof::FederatedToken(_)
            | credential::Proof::ManagedIdentity { .. } => None,
        });
        ends.min().map(|ends| ends.to_utc().date_naive())
    };
    settings.expires.or_else(of_certificates)
}

/// The day on which the credential of the app ends that writes back, where something goes back.
#[must_use]
pub fn writers_last_day(job: &Job) -> Option<NaiveDate> {
    last_day(&job.writeback.as_ref()?.credential)
}

fn managed(client_id: Option<&Uuid>) -> Result<ManagedIdentity, Unusable> {
    ManagedIdentity::detect(
        client_id.map(Uuid::to_string),
        |name| env::var(name).ok(),
        Path::exists,
    )
}

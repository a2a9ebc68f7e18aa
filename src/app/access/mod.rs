//! Who may come in over the network, and how: what `[admin]` comes to once its files and tokens are read.
//!
//! Guarantee: no token is kept, only its digest; whoever compares one with those here cannot be told by the time it takes
//! how near it was.

pub mod sessions;
mod tls;
mod tokens;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio_rustls::rustls::ServerConfig;

use super::error::AppError;
use super::error::ErrorKind;
use super::error::ErrorText;
use crate::settings::Settings;
use sessions::Proof;
use tokens::Digest;
use tokens::Tokens;

pub use tokens::Holder;

/// The door to the network.
pub struct Access {
    /// The address; `None`: there is no such door.
    pub listen: Option<SocketAddr>,
    /// The names that it answers to, beside the address itself.
    pub hosts: Vec<String>,
    /// True where a proxy that speaks TLS stands before it.
    pub behind_proxy: bool,
    /// What it proves itself with; `None`: it speaks in clear.
    pub tls: Option<Arc<ServerConfig>>,
    tokens: Tokens,
    /// What is kept of the token of the metrics.
    metrics: Option<Digest>,
}

impl Access {
    /// Reads the tokens and the certificate that the settings name, where they name an address. Every problem at once.
    pub fn read(settings: &Settings) -> Result<Self, AppError> {
        let admin = &settings.admin;
        let mut access = Self {
            listen: admin.listen,
            hosts: admin.hosts.clone(),
            behind_proxy: admin.behind_proxy,
            tls: None,
            tokens: Tokens::default(),
            metrics: None,
        };
        if admin.listen.is_none() {
            return Ok(access);
        }
        let mut errors: Vec<ErrorText> = Vec::new();
        for token in &admin.tokens {
            let added = access.tokens.add(token);
            errors.extend(added.err());
        }
        if let Some(place) = &admin.metrics_token {
            match tokens::read("admin.metrics_token", place) {
                Ok(token) => access.metrics = Some(Digest::of(token.expose().as_bytes())),
                Err(error) => errors.push(error),
            }
        }
        if let Some(files) = &admin.tls {
            match tls::config(files) {
                Ok(config) => access.tls = Some(Arc::new(config)),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() {
            return Ok(access);
        }
        Err(AppError {
            kind: ErrorKind::Usage,
            errors,
        })
    }

    /// Who holds this token.
    #[must_use]
    pub fn holder(&self, token: &[u8]) -> Option<Holder> {
        self.tokens.holder(token)
    }

    /// True for whom the metrics are: anybody where they have no token, else whoever shows theirs, or one of the API. All are compared,
    /// whichever it is.
    #[must_use]
    pub fn may_read_metrics(&self, token: Option<&[u8]>) -> bool {
        match (&self.metrics, token) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(wanted), Some(token)) => {
                let (theirs, of_api) = (wanted.is(&Digest::of(token)), self.holder(token).is_some());
                theirs || of_api
            }
        }
    }

    /// The proof that somebody showed a token, where anybody holds it.
    #[must_use]
    pub fn proof(&self, token: &[u8]) -> Option<Proof> {
        self.holder(token).map(|_| Proof(Digest::of(token)))
    }

    /// Who holds the token that was shown, where anybody does still.
    #[must_use]
    pub fn still(&self, proof: Proof) -> Option<Holder> {
        self.tokens.holder_of(proof.0)
    }

    /// True where nobody at all can have a token.
    #[must_use]
    pub fn has_no_token(&self) -> bool {
        self.tokens.is_empty()
    }
}

#[cfg(test)]
mod tests;

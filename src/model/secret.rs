//! Secrets: read when needed, held in memory only, never shown.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// A secret value. `Debug` and `Display` never show it; it is wiped when dropped.
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Wraps a secret text.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(text.into())
    }

    /// Returns the secret itself: only for the request that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

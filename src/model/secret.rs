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

    /// The text with `[secret]` wherever the secret stands in it: for words of a service that may repeat it. To be called
    /// before the text is shortened, because a limit may fall into the secret and leave its beginning.
    #[must_use]
    pub fn hidden_in(&self, text: &str) -> String {
        match self.expose().trim() {
            "" => text.to_owned(),
            secret => text.replace(secret, "[secret]"),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

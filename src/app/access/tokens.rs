//! The tokens of the API: read once, kept as digests, compared in constant time.

use sha2::Digest as _;
use sha2::Sha256;
use subtle::ConstantTimeEq;

use crate::app::error::ErrorText;
use crate::model::role::Role;
use crate::model::secret::Secret;
use crate::settings::admin::ADMIN;
use crate::settings::admin::AdminToken;
use crate::settings::secret::SecretSource;

/// The shortest token, in characters: as long as 128 random bits in hexadecimal are.
const SHORTEST_TOKEN: usize = 32;

/// Who holds a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The token's name, as the history has it.
    pub name: String,
    /// What they may do.
    pub role: Role,
}

/// What is kept of a token.
#[derive(Clone, Copy)]
pub(super) struct Digest([u8; 32]);

impl Digest {
    pub(super) fn of(token: &[u8]) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// Compares in a time that tells nothing.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

/// The tokens, each once.
#[derive(Default)]
pub(super) struct Tokens(Vec<(Holder, Digest)>);

impl Tokens {
    /// One token alone.
    #[cfg(test)]
    pub(super) fn of(holder: Holder, token: &[u8]) -> Self {
        Self(vec![(holder, Digest::of(token))])
    }

    /// Adds a token of the settings.
    pub(super) fn add(&mut self, token: &AdminToken) -> Result<(), ErrorText> {
        let key = if token.name == ADMIN {
            "admin.token".to_owned()
        } else {
            format!("admin.tokens, `{}`", token.name)
        };
        let digest = Digest::of(read(&key, &token.place)?.expose().as_bytes());
        if let Some((other, _)) = self.0.iter().find(|(_, known)| known.is(&digest)) {
            let what = format!("the tokens `{}` and `{}` are the same", other.name, token.name);
            return Err(text(what).advise("make another one: the history tells people apart by their tokens"));
        }
        let holder = Holder {
            name: token.name.clone(),
            role: token.role,
        };
        self.0.push((holder, digest));
        Ok(())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Who holds this one.
    pub(super) fn holder(&self, token: &[u8]) -> Option<Holder> {
        self.holder_of(Digest::of(token))
    }

    /// Who holds the one with this digest. All are compared, whichever it is.
    pub(super) fn holder_of(&self, given: Digest) -> Option<Holder> {
        let mut found = None;
        for (holder, digest) in &self.0 {
            if digest.is(&given) {
                found = Some(holder);
            }
        }
        found.cloned()
    }
}

/// Reads a token, and refuses one that could be guessed.
pub(super) fn read(key: &str, place: &SecretSource) -> Result<Secret, ErrorText> {
    let token = place.read().map_err(|error| {
        let shown = ErrorText::of(&error);
        let what = format!("`{key}`: {}", shown.what);
        ErrorText { what, ..shown }.advise(error.hint())
    })?;
    let length = token.expose().chars().count();
    if length < SHORTEST_TOKEN {
        let what =
            format!("`{key}`: {place} holds {length} characters, and a token has {SHORTEST_TOKEN} at least");
        return Err(text(what).advise("make one with `openssl rand -hex 32`"));
    }
    if !token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        let what = format!("`{key}`: {place} holds characters that no header can carry");
        return Err(text(what).advise("make a token with `openssl rand -hex 32`"));
    }
    Ok(token)
}

fn text(what: String) -> ErrorText {
    ErrorText {
        what,
        ..ErrorText::default()
    }
}

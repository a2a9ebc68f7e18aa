//! Page and delta tokens: they carry what the server needs to go on, and mean nothing to a client.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::Serialize;

/// The content of a token; opaque to clients.
#[derive(Serialize, Deserialize)]
pub(super) enum Token {
    /// The page at `from` of a round; `after_empty`: the page before it was an empty one.
    Skip {
        epoch: String,
        round: u64,
        from: usize,
        after_empty: bool,
    },
    /// What changed after `since`; `before` is where the finished round began, for replays.
    Delta {
        epoch: String,
        groups: bool,
        select: Vec<String>,
        since: u64,
        before: u64,
    },
}

impl Token {
    pub fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(serde_json::to_vec(self).unwrap_or_default())
    }

    pub fn parse(text: &str) -> Option<Token> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    }
}

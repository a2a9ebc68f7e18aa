//! The position in one stream of the source's delta query.

use serde::{Deserialize, Serialize};

use super::{clock::Timestamp, object::Generation};

/// The state of a stream; each state defines what may be concluded in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Cursor {
    /// Nothing was read yet, or the source answered 410 Gone: the next round is a full one.
    Start,
    /// Part of a full listing. An object that was not seen yet may still come.
    Listing {
        /// The page to read next, verbatim.
        next_link: String,
    },
    /// Part of a delta round. What was read is stored; the round is not whole.
    Advancing {
        /// The page to read next, verbatim.
        next_link: String,
        /// The link that this round began with: the round begins there again if its page tokens expire.
        delta_link: String,
    },
    /// Round complete. Re-reading from here is safe; skipping ahead is not.
    Following {
        /// Where the next round begins, verbatim.
        delta_link: String,
    },
}

/// The cursor of a stream, and what it covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    /// The position in the stream.
    pub cursor: Cursor,
    /// The full round under way or last completed; 0 before the first.
    pub generation: Generation,
    /// The properties that the cursor's `$select` names, sorted. Another set needs a new full round.
    pub select: Vec<String>,
    /// When the last round that was read to its end began.
    pub complete_since: Option<Timestamp>,
    /// When the round under way began.
    pub began: Timestamp,
}

impl Default for Stream {
    fn default() -> Self {
        Self {
            cursor: Cursor::Start,
            generation: 0,
            select: Vec::new(),
            complete_since: None,
            began: Timestamp(0),
        }
    }
}

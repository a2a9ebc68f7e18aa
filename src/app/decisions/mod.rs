//! What people decide: each decision is carried out with its history entry, or not at all.

pub mod escrow;
pub mod hold;
pub mod link;
pub mod pause;
pub mod quarantine;
pub mod withheld;

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use super::desk::Decision;
use super::lookup::Named;

/// A decision that needs nothing but perhaps its why.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Comment {
    /// Why.
    pub comment: Option<String>,
}

impl Comment {
    /// This one.
    #[must_use]
    pub fn of(comment: Option<&String>) -> Self {
        Self {
            comment: comment.cloned(),
        }
    }
}

/// Makes the history entry of a decision on one object.
fn about(object: &Named, verb: &'static str, what: &str, comment: Option<&String>) -> Decision {
    Decision {
        verb,
        object: Some(object.clone()),
        reason: what.to_owned(),
        comment: comment.cloned(),
    }
}

//! What people decide: each decision is carried out with its history entry, or not at all.

pub mod escrow;
pub mod hold;
pub mod link;
pub mod pause;
pub mod quarantine;
pub mod withheld;

use super::desk::Decision;
use super::lookup::Named;

/// Makes the history entry of a decision on one object.
fn about(object: &Named, verb: &'static str, what: &str, comment: Option<&String>) -> Decision {
    Decision {
        verb,
        object: Some(object.clone()),
        reason: what.to_owned(),
        comment: comment.cloned(),
    }
}

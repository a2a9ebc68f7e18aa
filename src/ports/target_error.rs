//! Why a target did not do what was asked.

use super::Cause;
use super::Disposition;
use super::Patch;
use super::Resource;
use super::What;
use crate::model::id::TargetId;
use crate::model::name::Name;
use crate::model::value::Value;
use crate::reconcile::operation::Change;

/// Why the target did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// 409: another resource holds a unique value. A new observation, not a failure.
    #[error("{what}")]
    Conflict {
        /// Request, status, detail.
        what: What,
    },
    /// 404 of a resource that the snapshot records as existing. A new observation, not a failure.
    #[error("{what}")]
    NotFound {
        /// Request, status, detail.
        what: What,
    },
    /// This one request was refused (400, 403, 412, 413, 422, 501 …).
    #[error("{what}")]
    Refused {
        /// Request, status, scimType, detail, request id.
        what: What,
        /// The HTTP status; 0 where nothing was sent.
        status: u16,
        /// What to do.
        hint: String,
    },
    /// Attributes or members were refused, and the rest of the request was carried out.
    #[error("{what}")]
    Partly {
        /// What was refused, in short.
        what: What,
        /// Each refused attribute with the answer to it.
        refused: Vec<RefusedPart>,
        /// Each refused member with the answer to it.
        members: Vec<RefusedMember>,
        /// The resource afterwards, where the target's answer contains it.
        rest: Option<Box<Resource>>,
    },
    /// 401: the token is wrong or expired.
    #[error("{what}")]
    Unauthorized {
        /// Request, status.
        what: What,
        /// What to do.
        hint: String,
    },
    /// A failed connection, a timeout, 5xx, or 429 beyond the budget: the whole target is in trouble.
    #[error("{what}")]
    Unavailable {
        /// Request and what happened.
        what: What,
        /// HTTP status; 0 where no answer came, or nothing was sent.
        status: u16,
        /// What to do.
        hint: String,
        /// True when the request may have been carried out all the same.
        maybe_done: bool,
        /// The cause, where there is one.
        #[source]
        cause: Option<Cause>,
    },
    /// An answer that is not SCIM (HTML, no JSON, a 2xx create without an id).
    #[error("{what}")]
    Malformed {
        /// Request and what is wrong with the answer.
        what: What,
        /// What to do.
        hint: String,
        /// True when the request may have been carried out all the same.
        maybe_done: bool,
    },
}

impl TargetError {
    /// Returns the same error as an answer to a part of a request.
    #[must_use]
    pub fn to_refusal(&self) -> Self {
        Self::Refused {
            what: self.what().clone(),
            status: self.status(),
            hint: self.hint().to_owned(),
        }
    }

    /// Returns what happened, with the exchange in which it happened.
    #[must_use]
    pub const fn what(&self) -> &What {
        match self {
            Self::Conflict { what }
            | Self::NotFound { what }
            | Self::Refused { what, .. }
            | Self::Partly { what, .. }
            | Self::Unauthorized { what, .. }
            | Self::Unavailable { what, .. }
            | Self::Malformed { what, .. } => what,
        }
    }

    /// Returns the status of the answer; 0 where there was none, or where it is not recorded.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Refused { status, .. } | Self::Unavailable { status, .. } => *status,
            Self::Conflict { .. } => 409,
            Self::NotFound { .. } => 404,
            Self::Unauthorized { .. } => 401,
            Self::Partly { .. } | Self::Malformed { .. } => 0,
        }
    }

    /// Returns what the error means for the work that met it.
    #[must_use]
    pub const fn disposition(&self) -> Disposition {
        match self {
            Self::Conflict { .. } | Self::NotFound { .. } | Self::Refused { .. } | Self::Partly { .. } => {
                Disposition::Escrow
            }
            Self::Unauthorized { .. } => Disposition::Quarantine,
            Self::Unavailable { .. } | Self::Malformed { .. } => Disposition::Retry,
        }
    }

    /// Returns true when the request may have been carried out although no good answer came.
    #[must_use]
    pub const fn maybe_done(&self) -> bool {
        match self {
            Self::Unavailable { maybe_done, .. } | Self::Malformed { maybe_done, .. } => *maybe_done,
            Self::Conflict { .. }
            | Self::NotFound { .. }
            | Self::Refused { .. }
            | Self::Partly { .. }
            | Self::Unauthorized { .. } => false,
        }
    }

    /// Returns true where the target answered: the request is not under way any more, whatever happened to it. A
    /// gateway that gave up waiting proves nothing about that.
    #[must_use]
    pub const fn is_answered(&self) -> bool {
        match self {
            Self::Unavailable { status, .. } => !matches!(status, 0 | 408 | 502 | 503 | 504),
            Self::Conflict { .. }
            | Self::NotFound { .. }
            | Self::Refused { .. }
            | Self::Partly { .. }
            | Self::Unauthorized { .. }
            | Self::Malformed { .. } => true,
        }
    }

    /// Returns what to do about it.
    #[must_use]
    pub fn hint(&self) -> &str {
        match self {
            Self::Conflict { .. } => {
                "the value is looked up at the target in this cycle; if this stays, free the name there, or run `melonsync sync \
                 --full`, which sees who gives it up"
            }
            Self::NotFound { .. } => {
                "nothing to do: the next cycle looks for it again, and makes it anew where it is gone"
            }
            Self::Partly { refused, members, .. } => {
                let parts = refused.iter().map(|part| &part.error);
                let mut errors = parts.chain(members.iter().map(|member| &member.error));
                errors.next().map_or("", |error| error.hint())
            }
            Self::Refused { hint, .. }
            | Self::Unauthorized { hint, .. }
            | Self::Unavailable { hint, .. }
            | Self::Malformed { hint, .. } => hint,
        }
    }
}

/// An attribute that the target refused while it took the rest, or that it took and did not keep.
#[derive(Debug)]
pub struct RefusedPart {
    /// Target path, as the mapping writes it.
    pub attribute: Name,
    /// The answer to it.
    pub error: TargetError,
    /// The value that the resource holds after a 2xx; `None` for a refusal.
    pub holds: Option<Value>,
}

/// A member that the target refused to add or to remove while it took others.
#[derive(Debug)]
pub struct RefusedMember {
    /// The member, as the target knows it.
    pub member: TargetId,
    /// The answer to it.
    pub error: TargetError,
}

impl RefusedMember {
    /// Returns every member of a part as refused with one answer.
    #[must_use]
    pub fn all(members: &[TargetId], error: &TargetError) -> Vec<Self> {
        let one = |member: &TargetId| Self {
            member: member.clone(),
            error: error.to_refusal(),
        };
        members.iter().map(one).collect()
    }
}

/// Returns every attribute of a patch as refused with one answer.
#[must_use]
pub fn all_refused(patch: &Patch, error: &TargetError) -> Vec<RefusedPart> {
    let one = |change: &Change| RefusedPart {
        attribute: change.attribute.clone(),
        error: error.to_refusal(),
        holds: None,
    };
    patch.changes.iter().map(one).collect()
}

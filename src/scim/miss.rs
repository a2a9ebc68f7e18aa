//! A form that did not work.

use super::learning::Failing;
use crate::model::id::ObjectKind;
use crate::model::id::TargetId;
use crate::ports::Resource;
use crate::ports::TargetError;

/// Why a form did not work.
#[derive(Debug)]
pub(super) enum Miss {
    /// Refused with 400 or 501: perhaps for its form.
    Refused(TargetError, u16),
    /// Answered with 2xx; the resource as it was read back, and the attributes that it does not show.
    Silent(Box<Resource>, Vec<String>),
    /// Anything else: no other form would help.
    Failed(TargetError),
}

impl Miss {
    /// Classifies a refusal by what it proves about the form.
    pub(super) fn of(error: TargetError) -> Self {
        match error {
            TargetError::Refused { status, .. } if matches!(status, 400 | 501) => {
                Self::Refused(error, status)
            }
            error => Self::Failed(error),
        }
    }

    /// Returns how the form failed.
    pub(super) fn how(&self) -> Failing {
        match self {
            Self::Refused(_, status) => Failing::Refused(*status),
            Self::Silent(..) | Self::Failed(_) => Failing::Silent,
        }
    }
}

/// Builds the error for a request that was answered with 2xx and did not do what matters.
pub(super) fn not_carried_out(kind: ObjectKind, id: &TargetId, what: &str) -> TargetError {
    TargetError::Refused {
        what: format!(
            "the change of {} {id} was answered 2xx and not carried out: {what}",
            kind.word()
        )
        .into(),
        status: 200,
        hint: "report this to the target's maker: the request was answered as if it had been carried out"
            .to_owned(),
    }
}

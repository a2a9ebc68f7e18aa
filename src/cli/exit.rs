//! The exit codes of the verbs.

use crate::app::cycles::Outcome;
use crate::app::error::ErrorKind;

/// The exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Done, converged.
    Done = 0,
    /// Failed.
    Failed = 1,
    /// Usage or settings.
    Usage = 2,
    /// Finished, but some entries could not be brought over.
    Entries = 3,
    /// Operations were withheld by the guard.
    Withheld = 4,
    /// Not begun: another instance holds the store.
    NotBegun = 5,
    /// Changes found, with `--detailed-exitcode`.
    Changes = 10,
    /// Cancelled by Ctrl-C.
    Cancelled = 130,
}

impl Exit {
    /// What is said when several hold, first one first.
    const PRECEDENCE: [Self; 8] = [
        Self::Usage,
        Self::NotBegun,
        Self::Cancelled,
        Self::Failed,
        Self::Withheld,
        Self::Entries,
        Self::Changes,
        Self::Done,
    ];

    /// The one of the two that is said.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self::PRECEDENCE
            .into_iter()
            .find(|exit| *exit == self || *exit == other)
            .unwrap_or(self)
    }

    /// The one of this number; [`Self::Failed`] for one that there is not.
    #[must_use]
    pub fn of_code(code: u8) -> Self {
        let known = Self::PRECEDENCE.into_iter().find(|exit| exit.code() == code);
        known.unwrap_or(Self::Failed)
    }

    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

impl From<Outcome> for Exit {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Converged | Outcome::Planned => Self::Done,
            Outcome::Partial => Self::Entries,
            Outcome::Withheld => Self::Withheld,
            Outcome::Stopped | Outcome::Quarantined | Outcome::Failed => Self::Failed,
        }
    }
}

impl From<ErrorKind> for Exit {
    fn from(kind: ErrorKind) -> Self {
        match kind {
            ErrorKind::Usage | ErrorKind::OtherSettings | ErrorKind::Absent | ErrorKind::Conflict => {
                Self::Usage
            }
            ErrorKind::NotBegun | ErrorKind::Held | ErrorKind::Busy => Self::NotBegun,
            ErrorKind::Failed => Self::Failed,
            ErrorKind::Differs => Self::Entries,
        }
    }
}

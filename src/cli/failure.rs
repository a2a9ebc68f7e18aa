//! How a verb ends: its exit code, and what is shown when it could not do its work.

use std::error::Error;

use crate::ports::Exchange;
use crate::ports::SourceError;
use crate::ports::TargetError;
use crate::settings::SettingsErrors;

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
}

impl Exit {
    /// What is said when several hold, first one first.
    const PRECEDENCE: [Self; 7] = [
        Self::Usage,
        Self::NotBegun,
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

    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}

/// One error as it is shown: what, where, cause, do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shown {
    /// What happened.
    pub what: String,
    /// Where, if there is more to say than `what` does; may have several lines.
    pub place: Option<String>,
    /// The chain of causes, nearest first.
    pub causes: Vec<String>,
    /// A command or a setting.
    pub advice: Option<String>,
    /// The request that failed, where one did.
    pub request: Option<Box<Exchange>>,
}

impl Shown {
    /// An error with its chain; what to do is for the caller to add.
    #[must_use]
    pub fn of(error: &(dyn Error + 'static)) -> Self {
        let (mut causes, mut request) = (Vec::new(), exchange(error));
        let mut next = error.source();
        while let Some(cause) = next {
            causes.push(cause.to_string());
            request = request.or_else(|| exchange(cause));
            next = cause.source();
        }
        Self {
            what: error.to_string(),
            causes,
            request: request.cloned().map(Box::new),
            ..Self::default()
        }
    }

    /// With what to do.
    #[must_use]
    pub fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// With a place.
    #[must_use]
    pub fn at(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }
}

/// The request that an error of an edge is about.
fn exchange<'e>(error: &'e (dyn Error + 'static)) -> Option<&'e Exchange> {
    let of_source = || error.downcast_ref::<SourceError>().map(SourceError::what);
    let of_target = || error.downcast_ref::<TargetError>().map(TargetError::what);
    of_source().or_else(of_target)?.exchange()
}

/// Why a verb did not do its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// One or more errors.
    pub errors: Vec<Shown>,
}

impl Failure {
    /// One error.
    #[must_use]
    pub fn new(exit: Exit, error: Shown) -> Self {
        Self {
            exit,
            errors: vec![error],
        }
    }

    /// A wrong use: exit code 2.
    #[must_use]
    pub fn usage(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::new(
            Exit::Usage,
            Shown {
                what: what.into(),
                ..Shown::default()
            }
            .advise(advice),
        )
    }
}

impl From<SettingsErrors> for Failure {
    fn from(errors: SettingsErrors) -> Self {
        let shown = |problem: &crate::settings::Problem| {
            Shown::of(problem)
                .at(problem.place.to_string())
                .advise(problem.advice.as_str())
        };
        Self {
            exit: Exit::Usage,
            errors: errors.0.iter().map(shown).collect(),
        }
    }
}

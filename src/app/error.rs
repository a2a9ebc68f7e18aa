//! Why something that was asked for was not done: the one error of all surfaces.

use std::error::Error;

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::error::CycleError;
use crate::ports::Exchange;
use crate::ports::SourceError;
use crate::ports::StoreError;
use crate::ports::TargetError;
use crate::settings::SettingsErrors;
use crate::snapshot::named::NotOne;

/// What kind of failure it is: each surface has its own number for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// What was asked for, or the settings, cannot be.
    Usage,
    /// It hangs on the settings, and the daemon's are others than the caller's.
    OtherSettings,
    /// What was named is not there.
    Absent,
    /// What was asked for does not fit how things are by now.
    Conflict,
    /// It was not begun: another process holds the state folder, or the job is stopped.
    NotBegun,
    /// It was not begun here: a daemon holds the state folder, and can be asked instead.
    Held,
    /// It was not begun: too much is asked for at once; later it may be.
    Busy,
    /// It was begun, and failed.
    Failed,
    /// It is not what was agreed on: nothing was sent.
    Differs,
}

/// One error as it is shown: what, where, cause, do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ErrorText {
    /// What happened.
    #[serde(rename = "error")]
    pub what: String,
    /// Where, if there is more to say than `what` does; may have several lines.
    #[serde(rename = "where")]
    pub place: Option<String>,
    /// The chain of causes, nearest first.
    #[serde(rename = "cause")]
    pub causes: Vec<String>,
    /// A command or a setting.
    #[serde(rename = "do")]
    pub advice: Option<String>,
    /// The request that failed, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Exchange>)]
    pub request: Option<Box<Exchange>>,
}

impl ErrorText {
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

/// Why what was asked for was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AppError {
    /// What kind of failure it is.
    pub kind: ErrorKind,
    /// One or more errors.
    pub errors: Vec<ErrorText>,
}

impl AppError {
    /// One error.
    #[must_use]
    pub fn new(kind: ErrorKind, error: ErrorText) -> Self {
        Self {
            kind,
            errors: vec![error],
        }
    }

    /// A wrong use, or wrong settings.
    #[must_use]
    pub fn usage(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::plain(ErrorKind::Usage, what, advice)
    }

    /// Nothing has this name.
    #[must_use]
    pub fn absent(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::plain(ErrorKind::Absent, what, advice)
    }

    /// Things are not, or not any more, as what was asked for takes them to be.
    #[must_use]
    pub fn conflict(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::plain(ErrorKind::Conflict, what, advice)
    }

    /// It was begun, and failed.
    #[must_use]
    pub fn failed(what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self::plain(ErrorKind::Failed, what, advice)
    }

    fn plain(kind: ErrorKind, what: impl Into<String>, advice: impl Into<String>) -> Self {
        let what = what.into();
        let text = ErrorText {
            what,
            ..ErrorText::default()
        };
        Self::new(kind, text.advise(advice))
    }

    /// True where what was asked for was refused before anything was done.
    #[must_use]
    pub const fn is_refusal(&self) -> bool {
        matches!(
            self.kind,
            ErrorKind::Usage | ErrorKind::OtherSettings | ErrorKind::Absent | ErrorKind::Conflict
        )
    }
}

/// A store that did not open, or failed.
impl From<StoreError> for AppError {
    fn from(error: StoreError) -> Self {
        let kind = match &error {
            StoreError::InUse { holder, .. } if holder.is_daemon() => ErrorKind::Held,
            StoreError::InUse { .. } => ErrorKind::NotBegun,
            StoreError::Bound { .. } | StoreError::OtherEngine { .. } => ErrorKind::Usage,
            StoreError::TooNew { .. }
            | StoreError::Damaged { .. }
            | StoreError::Claimed { .. }
            | StoreError::Io { .. } => ErrorKind::Failed,
        };
        Self::new(kind, ErrorText::of(&error).advise(error.hint()))
    }
}

/// An error that ended a cycle.
impl From<&CycleError> for AppError {
    fn from(error: &CycleError) -> Self {
        let kind = match error {
            CycleError::AzureWrites { .. } => ErrorKind::NotBegun,
            CycleError::NotOne(error) => not_one(error),
            CycleError::Quarantined { .. } => ErrorKind::NotBegun,
            CycleError::Source(_)
            | CycleError::Target(_)
            | CycleError::Store(_)
            | CycleError::Stopped
            | CycleError::Broken(_) => ErrorKind::Failed,
        };
        Self::new(kind, ErrorText::of(error).advise(error.hint()))
    }
}

/// A name that does not lead to one object.
impl From<&NotOne> for AppError {
    fn from(error: &NotOne) -> Self {
        Self::new(not_one(error), ErrorText::of(error).advise(error.hint()))
    }
}

const fn not_one(error: &NotOne) -> ErrorKind {
    match error {
        NotOne::Nothing { .. } => ErrorKind::Absent,
        NotOne::Several { .. } => ErrorKind::Usage,
    }
}

impl From<SettingsErrors> for AppError {
    fn from(errors: SettingsErrors) -> Self {
        let shown = |problem: &crate::settings::Problem| {
            ErrorText::of(problem)
                .at(problem.place.to_string())
                .advise(problem.advice.as_str())
        };
        Self {
            kind: ErrorKind::Usage,
            errors: errors.0.iter().map(shown).collect(),
        }
    }
}

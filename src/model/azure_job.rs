//! Azure's own provisioning job for the application that is provisioned, as Microsoft Graph shows it, and the entries of its log.
//!
//! Nothing here is decided by what is missing: a state that is not known by its name is [`JobState::Other`], and of such a job it
//! cannot be told whether it writes.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::clock::Timestamp;
use super::id::ObjectKind;
use super::id::SourceId;

/// The state of a job, as its status names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobState {
    /// It runs on its schedule.
    Active,
    /// An administrator paused it.
    Paused,
    /// It met too many errors; it tries once a day, and writes what it can.
    Quarantine,
    /// It was set up and never ran.
    NotRun,
    /// It was never set up.
    NotConfigured,
    /// Another one, by its name.
    Other(String),
}

impl JobState {
    /// Returns the state of this name.
    #[must_use]
    pub fn of(name: &str) -> Self {
        match name {
            "Active" => Self::Active,
            "Paused" => Self::Paused,
            "Quarantine" => Self::Quarantine,
            "NotRun" => Self::NotRun,
            "NotConfigured" => Self::NotConfigured,
            other => Self::Other(other.to_owned()),
        }
    }

    /// Returns its name, as Graph writes it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Active => "Active",
            Self::Paused => "Paused",
            Self::Quarantine => "Quarantine",
            Self::NotRun => "NotRun",
            Self::NotConfigured => "NotConfigured",
            Self::Other(name) => name,
        }
    }
}

/// One execution of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// When it began.
    pub began: Option<Timestamp>,
    /// When it ended; none while it runs.
    pub ended: Option<Timestamp>,
    /// How it ended, as Graph names it.
    pub outcome: Option<String>,
    /// Entries that it exported.
    pub exported: Option<u64>,
    /// Entries that it set aside.
    pub escrowed: Option<u64>,
}

/// Why a job is in quarantine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobQuarantine {
    /// The reason, as Graph names it.
    pub reason: String,
    /// Since when.
    pub since: Option<Timestamp>,
    /// When it tries again.
    pub next_try: Option<Timestamp>,
}

/// A provisioning job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AzureJob {
    /// Its id.
    pub id: String,
    /// Its state.
    pub state: JobState,
    /// How often it runs, as Graph writes it (`PT40M`).
    pub interval: Option<String>,
    /// The execution under way, or the last one.
    pub last: Option<Execution>,
    /// True where it tells of an execution under way.
    pub in_progress: bool,
    /// Why it is in quarantine.
    pub quarantine: Option<JobQuarantine>,
    /// Settings of the job, by name.
    pub settings: BTreeMap<String, String>,
}

/// Whether a job writes to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writing {
    /// It does, or will by its schedule.
    Yes,
    /// It is paused, and the execution that ran then goes on.
    StillRunning,
    /// It does not.
    No,
    /// Its state is none that is known.
    Unknown,
}

impl AzureJob {
    /// Returns true while an execution is under way, as far as the job tells.
    #[must_use]
    pub fn is_running(&self) -> bool {
        let open = self
            .last
            .as_ref()
            .is_some_and(|last| last.began.is_some() && last.ended.is_none());
        self.in_progress || open
    }

    /// Returns whether it writes to the target.
    #[must_use]
    pub fn writing(&self) -> Writing {
        match self.state {
            JobState::Active | JobState::Quarantine | JobState::NotRun => Writing::Yes,
            JobState::Paused | JobState::NotConfigured if self.is_running() => Writing::StillRunning,
            JobState::Paused | JobState::NotConfigured => Writing::No,
            JobState::Other(_) => Writing::Unknown,
        }
    }
}

/// What the job did to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogAction {
    /// It created the resource.
    Create,
    /// It changed it, or its members.
    Update,
    /// It set `active` to false.
    Disable,
    /// It deleted it, now or later.
    Delete,
    /// Anything else.
    Other,
}

impl LogAction {
    /// Returns the action of this name.
    #[must_use]
    pub fn of(name: &str) -> Self {
        match name.to_ascii_lowercase().as_str() {
            "create" => Self::Create,
            "update" => Self::Update,
            "disable" => Self::Disable,
            "delete" | "stageddelete" => Self::Delete,
            _ => Self::Other,
        }
    }

    /// Returns it as a word.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Disable => "disable",
            Self::Delete => "delete",
            Self::Other => "other",
        }
    }
}

/// One property that the job changed. Values are as the log shows them, which may be redacted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Modified {
    /// Target path.
    pub name: String,
    /// The value before.
    pub old: Option<String>,
    /// The value that was sent; none where it was removed.
    pub new: Option<String>,
}

/// One entry of the provisioning log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// Its id.
    pub id: Uuid,
    /// When it happened.
    pub at: Timestamp,
    /// The job.
    pub job: String,
    /// The object in Entra; none where the log names none.
    pub object: Option<SourceId>,
    /// What people know it by.
    pub name: Option<String>,
    /// User or group; none for anything else.
    pub kind: Option<ObjectKind>,
    /// The resource at the target.
    pub target: Option<String>,
    /// What was done.
    pub action: LogAction,
    /// `success`, `failure`, `skipped` or `warning`.
    pub status: String,
    /// What went wrong, in the service's words.
    pub error: Option<String>,
    /// What changed.
    pub modified: Vec<Modified>,
}

impl LogEntry {
    /// Returns true where it was carried out.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.status.as_str(), "success" | "warning")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_paused_job_writes_until_its_execution_has_ended() {
        let running = Execution {
            began: Some(Timestamp(1)),
            ended: None,
            outcome: None,
            exported: None,
            escrowed: None,
        };
        let ended = Execution {
            ended: Some(Timestamp(2)),
            ..running.clone()
        };
        for (name, state, last, in_progress, expected) in [
            ("active", "Active", None, false, Writing::Yes),
            (
                "in quarantine: it tries once a day",
                "Quarantine",
                None,
                false,
                Writing::Yes,
            ),
            (
                "about to run for the first time",
                "NotRun",
                None,
                false,
                Writing::Yes,
            ),
            ("paused, never ran", "Paused", None, false, Writing::No),
            ("paused, ended", "Paused", Some(&ended), false, Writing::No),
            (
                "paused, runs still",
                "Paused",
                Some(&running),
                false,
                Writing::StillRunning,
            ),
            (
                "paused, tells of progress",
                "Paused",
                Some(&ended),
                true,
                Writing::StillRunning,
            ),
            ("never set up", "NotConfigured", None, false, Writing::No),
            ("a state of tomorrow", "Dozing", None, false, Writing::Unknown),
        ] {
            let job = AzureJob {
                id: "scim.1".to_owned(),
                state: JobState::of(state),
                interval: None,
                last: last.cloned(),
                in_progress,
                quarantine: None,
                settings: BTreeMap::new(),
            };
            assert_eq!(job.writing(), expected, "{name}");
            assert_eq!(job.state.name(), state, "{name}");
        }
    }
}

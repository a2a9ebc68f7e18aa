//! The arguments of every verb.

use std::{
    env,
    io::{self, IsTerminal},
    net::SocketAddr,
    path::PathBuf,
    time::Duration,
};

use clap::{Args, Subcommand, ValueEnum};

use crate::model::clock::Timestamp;
use crate::settings::parse_duration;
use crate::telemetry::log;

/// Flags that every verb takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub struct Globals {
    /// The settings file.
    #[arg(
        short,
        long,
        global = true,
        value_name = "FILE",
        default_value = "config/melonsync.toml"
    )]
    pub config: PathBuf,
    /// off, error, warn, info, debug or trace [default: info; warn on a terminal, but for `run`]
    #[arg(
        long,
        global = true,
        value_name = "LEVEL",
        value_enum,
        hide_possible_values = true
    )]
    pub log_level: Option<LogLevel>,
    /// Log lines as text, or as JSON Lines (json).
    #[arg(long, global = true, value_name = "FORMAT", value_enum, default_value_t = Format::Text, hide_possible_values = true)]
    pub log_format: Format,
    /// Results as text, or as one JSON document (json).
    #[arg(short, long, global = true, value_name = "FORMAT", value_enum, default_value_t = Format::Text, hide_possible_values = true)]
    pub output: Format,
    /// No colours; NO_COLOR in the environment says the same.
    #[arg(long, global = true)]
    pub no_color: bool,
    /// Only results and errors: no progress, and no log below `error`.
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

impl Globals {
    /// Whether colours are wanted where there is a terminal (<https://no-color.org>: set and not empty).
    #[must_use]
    pub fn color(&self) -> bool {
        !self.no_color && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
    }

    /// The log level. Where none is named: `info`, but on a terminal `warn`, for there the result itself is read,
    /// and progress is shown; `long_running` verbs say `info` there too. `--quiet` leaves errors only.
    #[must_use]
    pub fn level(&self, long_running: bool) -> log::Level {
        let level = match self.log_level {
            None if !long_running && io::stderr().is_terminal() => LogLevel::Warn,
            None => LogLevel::Info,
            Some(level) => level,
        };
        match level {
            LogLevel::Off => log::Level::Off,
            LogLevel::Error => log::Level::Error,
            _ if self.quiet => log::Level::Error,
            LogLevel::Warn => log::Level::Warn,
            LogLevel::Info => log::Level::Info,
            LogLevel::Debug => log::Level::Debug,
            LogLevel::Trace => log::Level::Trace,
        }
    }
}

/// How much to log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// What failed.
    Error,
    /// And what is suspicious.
    Warn,
    /// And what was done.
    Info,
    /// And how.
    Debug,
    /// And each step.
    Trace,
}

/// For people or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

impl From<Format> for log::Format {
    fn from(format: Format) -> Self {
        match format {
            Format::Text => Self::Text,
            Format::Json => Self::Json,
        }
    }
}

/// `completions`.
#[derive(Debug, Clone, Args)]
pub struct Completions {
    /// bash, zsh, fish or powershell.
    #[arg(value_enum, hide_possible_values = true)]
    pub shell: Shell,
}

/// The shells that completions exist for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    /// bash.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
    /// PowerShell.
    Powershell,
}

/// `init`.
#[derive(Debug, Clone, Args)]
pub struct Init {
    /// Overwrite a file that is there.
    #[arg(long)]
    pub force: bool,
    /// Directory (tenant) ID.
    #[arg(long, value_name = "GUID")]
    pub tenant_id: Option<String>,
    /// Application (client) ID.
    #[arg(long, value_name = "GUID")]
    pub client_id: Option<String>,
    /// The target: `idmelon` (an IDmelon workspace), or `scim` for any SCIM 2.0 service [default: idmelon]
    #[arg(long, value_enum, hide_possible_values = true)]
    pub kind: Option<Kind>,
    /// The target's SCIM base address; IDmelon's public one where absent and the kind is idmelon.
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
}

/// The kind of target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// An IDmelon workspace.
    Idmelon,
    /// Any SCIM 2.0 service.
    Scim,
}

/// `demo`.
#[derive(Debug, Clone, Args)]
pub struct Demo {
    /// One full cycle, print the summary, exit.
    #[arg(long)]
    pub once: bool,
    /// Users in the sample tenant.
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub users: usize,
    /// Groups in the sample tenant.
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub groups: usize,
    /// Keep the state here; a temporary folder where absent.
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
}

/// `sandbox`.
#[derive(Debug, Clone, Args)]
pub struct Sandbox {
    /// Users in the sample tenant.
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub users: usize,
    /// Groups in the sample tenant.
    #[arg(long, value_name = "N", default_value_t = 40)]
    pub groups: usize,
    /// Where the sample tenant listens; a free port where absent.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub graph_listen: SocketAddr,
    /// Where the sample workspace listens; a free port where absent.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    pub scim_listen: SocketAddr,
    /// A TOML file with faults to switch on, in the tables `[graph]` and `[scim]`.
    #[arg(long, value_name = "FILE")]
    pub faults: Option<PathBuf>,
}

/// `check`, `status` and others that take only a job.
#[derive(Debug, Clone, Args)]
pub struct OneJob {
    /// The job; may be left out where there is one.
    pub job: Option<String>,
}

/// `plan`.
#[derive(Debug, Clone, Args)]
pub struct Plan {
    /// The job; may be left out where there is one.
    pub job: Option<String>,
    /// Read the target back and plan everything.
    #[arg(long)]
    pub full: bool,
    /// Save the plan in this file, for `sync --plan`; with `--format csv` or `html`, for reading.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// The form of the plan: text, json, csv or html; as `-o` says where absent.
    #[arg(long, value_enum, hide_possible_values = true)]
    pub format: Option<PlanFormat>,
    /// Exit with 10 where something would change.
    #[arg(long)]
    pub detailed_exitcode: bool,
}

/// The form of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For people, in a terminal.
    Text,
    /// For programs, and for `sync --plan`.
    Json,
    /// For spreadsheets: one line a change.
    Csv,
    /// For people, in a browser: one page, without anything beside it.
    Html,
}

/// `sync`.
#[derive(Debug, Clone, Args)]
pub struct Sync {
    /// The job; may be left out where there is one.
    pub job: Option<String>,
    /// Read the target back and reconcile everything.
    #[arg(long)]
    pub full: bool,
    /// Let this cycle remove at most so many users; if there are more, none.
    #[arg(long, value_name = "N")]
    pub allow_deletions: Option<u64>,
    /// Let this cycle create at most so many users and groups; if there are more, none.
    #[arg(long, value_name = "N")]
    pub allow_creations: Option<u64>,
    /// Carry out what is in this saved plan and still wanted with the same values; the rest is listed and left.
    #[arg(long, value_name = "FILE")]
    pub plan: Option<PathBuf>,
    /// Carry out nothing where anything differs from the saved plan.
    #[arg(long, requires = "plan")]
    pub exact: bool,
    /// Run a job here again that was handed over to another host.
    #[arg(long)]
    pub take_back: bool,
}

/// `run`.
#[derive(Debug, Clone, Args)]
pub struct Run {
    /// Run jobs here again that were handed over to another host.
    #[arg(long)]
    pub take_back: bool,
}

/// `resync`: exactly one of who, all and from the beginning.
#[derive(Debug, Clone, Args)]
#[command(
    override_usage = "melonsync resync [OPTIONS] [JOB] --user <UPN|ID>... [--group <NAME|ID>...]\n       \
                      melonsync resync [OPTIONS] [JOB] --group <NAME|ID>...\n       \
                      melonsync resync [OPTIONS] [JOB] --all\n       \
                      melonsync resync [OPTIONS] [JOB] --restart"
)]
pub struct Resync {
    /// The job; may be left out where there is one. It stands before --user and --group, which take all that follows.
    pub job: Option<String>,
    /// What is looked at again.
    #[command(flatten)]
    pub what: ResyncWhat,
}

/// What `resync` looks at again.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = true)]
pub struct ResyncWhat {
    /// Users, by principal name or object id.
    #[arg(long, value_name = "UPN|ID", num_args = 1.., conflicts_with_all = ["all", "restart"])]
    pub user: Vec<String>,
    /// Groups, by display name or object id.
    #[arg(long, value_name = "NAME|ID", num_args = 1.., conflicts_with_all = ["all", "restart"])]
    pub group: Vec<String>,
    /// Every object.
    #[arg(long, conflicts_with = "restart")]
    pub all: bool,
    /// Drop the cursor and read the source from the beginning; links are kept.
    #[arg(long)]
    pub restart: bool,
}

/// `mapping`.
#[derive(Debug, Clone, Args)]
pub struct Mapping {
    /// What to do with the mapping.
    #[command(subcommand)]
    pub action: MappingAction,
}

/// What to do with the mapping.
#[derive(Debug, Clone, Subcommand)]
pub enum MappingAction {
    /// Show the mapping in force, its scope, and what is read for both.
    Show(OneJob),
    /// Evaluate one expression.
    Test {
        /// The expression, as a row's `source` has it; in single quotes for the shell.
        #[arg(value_name = "EXPR", allow_hyphen_values = true)]
        expression: String,
        /// The attributes to evaluate it with, a JSON object or @FILE; what is not in it is null.
        #[arg(long, value_name = "JSON")]
        attributes: Option<String>,
    },
    /// Turn an Entra synchronization schema into a mapping file, and name what it could not carry over.
    ImportEntra {
        /// The JSON of a `schema` resource, or of a whole synchronizationJob; - for standard input.
        file: PathBuf,
        /// Write the mapping file here; to standard output where absent. Must not exist.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// `undo`.
#[derive(Debug, Clone, Args)]
pub struct Undo {
    /// The cycle, as `history` and `sync` name it.
    pub cycle: uuid::Uuid,
    /// Only show what would be done.
    #[arg(long)]
    pub dry_run: bool,
    /// Make anew what the cycle deleted: with new ids, and without the security keys.
    #[arg(long)]
    pub recreate: bool,
    /// Why; kept in the history.
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
}

/// `state`.
#[derive(Debug, Clone, Args)]
pub struct State {
    /// What to do with the snapshot.
    #[command(subcommand)]
    pub action: StateAction,
}

/// What to do with the snapshot.
#[derive(Debug, Clone, Subcommand)]
pub enum StateAction {
    /// Check every record and the history's chain.
    Verify(OneJob),
    /// Print the snapshot as JSON Lines.
    Export(OneJob),
    /// Write the snapshot to a file.
    Backup {
        /// The job; may be left out where there is one.
        job: Option<String>,
        /// The file to write; must not exist.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Hand the job over to another host: `run` and `sync` refuse it here from now on.
        #[arg(long)]
        handover: bool,
    },
    /// Put a backup in the snapshot's place; the next cycle reads the source from the beginning.
    Restore {
        /// The job; may be left out where there is one.
        job: Option<String>,
        /// The backup.
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        /// Set the snapshot that is there aside.
        #[arg(long)]
        force: bool,
    },
    /// Make the snapshot out of what `state export` printed; the next cycle reads the source from the beginning.
    Import {
        /// The job; may be left out where there is one.
        job: Option<String>,
        /// The export.
        #[arg(long, value_name = "FILE")]
        from: PathBuf,
        /// Set the snapshot that is there aside.
        #[arg(long)]
        force: bool,
    },
    /// Write the snapshot anew without what was overwritten or erased in it.
    Compact(OneJob),
    /// Erase the personal values of an object that is neither linked nor in scope any more.
    #[command(allow_missing_positional = true)]
    Forget {
        /// The job; may be left out where there is one.
        job: Option<String>,
        /// An object id, or a name, UPN or mail that it had.
        object: String,
    },
}

/// Reads a duration.
pub(super) fn span(text: &str) -> Result<Duration, String> {
    parse_duration(text)
        .filter(|span| !span.is_zero())
        .ok_or_else(|| "write a whole number and a unit: 30m, 4h or 2d".to_owned())
}

/// Reads a date (its first moment, UTC), or a moment with its offset.
pub(super) fn moment(text: &str) -> Result<Timestamp, String> {
    let day = || {
        let day: chrono::NaiveDate = text.parse().ok()?;
        Some(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_millis())
    };
    let exact = chrono::DateTime::parse_from_rfc3339(text).map(|at| at.timestamp_millis());
    exact
        .ok()
        .or_else(day)
        .map(Timestamp)
        .ok_or_else(|| "write a day, as in 2026-08-18, or a moment, as in 2026-08-18T06:00:00Z".to_owned())
}

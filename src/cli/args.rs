//! The arguments that verbs share, and how values of them are read.

use std::{
    env,
    ffi::OsString,
    io::{self, IsTerminal},
    path::PathBuf,
    time::Duration,
};

use clap::{Args, ValueEnum};

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
    /// Colours: auto (on a terminal, unless NO_COLOR is set), always or never.
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = Color::Auto, hide_possible_values = true)]
    pub color: Color,
    /// No colours; the same as `--color never`.
    #[arg(long, global = true, conflicts_with = "color")]
    pub no_color: bool,
    /// Answers every question with yes; on a terminal, what is destructive or wide asks first.
    #[arg(short, long, global = true)]
    pub yes: bool,
    /// Only results and errors: no progress, and no log below `error`.
    #[arg(short, long, global = true)]
    pub quiet: bool,
}

impl Globals {
    /// Whether colours are wanted, on a terminal or elsewhere.
    #[must_use]
    pub fn color(&self, terminal: bool) -> bool {
        let color = if self.no_color { Color::Never } else { self.color };
        color.is_wanted(terminal, env::var_os("NO_COLOR"), env::var_os("TERM"))
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

/// When to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless the environment says no.
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

impl Color {
    /// As <https://no-color.org> has it: `NO_COLOR` counts where it is set and not empty.
    fn is_wanted(self, terminal: bool, no_color: Option<OsString>, term: Option<OsString>) -> bool {
        let refused =
            no_color.is_some_and(|value| !value.is_empty()) || term.is_some_and(|term| term == "dumb");
        match self {
            Self::Auto => terminal && !refused,
            Self::Always => true,
            Self::Never => false,
        }
    }
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

/// `check`, `status` and others that take only a job.
#[derive(Debug, Clone, Args)]
pub struct OneJob {
    /// The job; may be left out where there is one.
    pub job: Option<String>,
}

/// `run`.
#[derive(Debug, Clone, Args)]
pub struct Run {
    /// Run jobs here again that were handed over to another host.
    #[arg(long)]
    pub take_back: bool,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_stand_where_they_are_wanted() {
        let set = |text: &str| Some(OsString::from(text));
        for (color, terminal, no_color, term, expected) in [
            (Color::Auto, true, None, None, true),
            (Color::Auto, false, None, None, false),
            (Color::Auto, true, set("1"), None, false),
            (Color::Auto, true, set(""), set("xterm"), true),
            (Color::Auto, true, None, set("dumb"), false),
            (Color::Always, false, set("1"), None, true),
            (Color::Never, true, None, None, false),
        ] {
            assert_eq!(
                color.is_wanted(terminal, no_color, term),
                expected,
                "{color:?} {terminal}"
            );
        }
    }
}

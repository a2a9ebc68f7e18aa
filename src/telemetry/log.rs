//! Logs: to stderr, as text or JSON Lines. Stdout belongs to data.
//!
//! Dependencies are never logged below `info`, whatever the level: their debug output shows request headers,
//! and with them tokens.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// How much is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Level {
    /// Nothing.
    Off,
    /// What failed.
    Error,
    /// And what is suspicious.
    Warn,
    /// And what was done.
    #[default]
    Info,
    /// And how.
    Debug,
    /// And each step of it.
    Trace,
}

impl Level {
    const fn directives(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "warn,melonsync=info",
            Self::Debug => "info,melonsync=debug",
            Self::Trace => "info,melonsync=trace",
        }
    }
}

/// The form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging; a second call changes nothing.
pub fn start(level: Level, format: Format, color: bool) {
    let builder = tracing_subscriber::fmt()
        .with_writer(io::stderr)
        .with_env_filter(EnvFilter::new(level.directives()))
        .with_ansi(color && io::stderr().is_terminal());
    // A logger that is there already (a test's) is as good.
    let _ = match format {
        Format::Text => builder.try_init(),
        Format::Json => builder
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .try_init(),
    };
}

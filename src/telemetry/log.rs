//! Logs: to stderr, as text or JSON Lines. Stdout belongs to data. With JSON Lines nothing else is on stderr.
//!
//! Dependencies are never logged below `info`, whatever the level: their debug output shows request headers,
//! and with them tokens.

use std::io::{self, IsTerminal, Write};
use std::panic::{self, PanicHookInfo};

use tracing::error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::traces::Traces;
use crate::model::shown::shown;
use crate::model::shown::shown_json;

/// How much is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Level {
    /// Logs nothing.
    Off,
    /// Logs failures.
    Error,
    /// Also logs what is suspicious.
    Warn,
    /// Also logs what was done.
    #[default]
    Info,
    /// Also logs how it was done.
    Debug,
    /// Also logs each step.
    Trace,
}

impl Level {
    const fn directives(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "warn,melonsync=info,melonsync::spans=off",
            Self::Debug => "info,melonsync=debug,melonsync::spans=off",
            Self::Trace => "info,melonsync=trace,melonsync::spans=off",
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

/// Starts logging, and traces where they are wanted; a second call changes nothing.
pub fn start(level: Level, format: Format, color: bool, traces: Option<&Traces>) {
    let color = color && io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(Lines { format, color })
        .with_ansi(color);
    let filter = EnvFilter::new(level.directives());
    let lines = match format {
        Format::Text => lines.with_filter(filter).boxed(),
        Format::Json => {
            panic::set_hook(Box::new(log_panic));
            let json = lines.json().flatten_event(true).with_current_span(true);
            json.with_filter(filter).boxed()
        }
    };
    // An existing logger (a test's) serves as well.
    let _ = tracing_subscriber::registry()
        .with(lines)
        .with(traces.map(Traces::layer))
        .try_init();
}

/// A fault of this program as a line like the others: a text between JSON lines is lost on who reads them.
fn log_panic(fault: &PanicHookInfo<'_>) {
    let said = fault.payload_as_str().unwrap_or("no words");
    let place = fault.location().map(ToString::to_string);
    error!(place, "A fault of this program: {said}; report this");
}

/// Standard error, one line an event: no character of a quoted text begins a line or steers the terminal.
#[derive(Debug, Clone, Copy)]
struct Lines {
    format: Format,
    /// True if the subscriber colours the line; texts that it quotes contain no escape characters.
    color: bool,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        *self
    }
}

impl Write for Lines {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let line = line(&String::from_utf8_lossy(event), self.format, self.color);
        io::stderr().lock().write_all(line.as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().lock().flush()
    }
}

/// Returns an event, which the subscriber writes whole, as one line.
fn line(event: &str, format: Format, color: bool) -> String {
    let text = event.strip_suffix('\n').unwrap_or(event);
    let mut line = match format {
        Format::Json => shown_json(text).into_owned(),
        Format::Text if color => text.split(ESCAPE).map(shown).collect::<Vec<_>>().join("\u{1b}"),
        Format::Text => shown(text).into_owned(),
    };
    line.push('\n');
    line
}

const ESCAPE: char = '\u{1b}';

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line_whatever_it_quotes() {
        let event = "WARN said: a\u{1b}[2Jb\nERROR forged\r\u{9b}2J\u{202e}\n";
        assert_eq!(
            line(event, Format::Text, false),
            "WARN said: a\\u{1b}[2Jb\\u{a}ERROR forged\\u{d}\\u{9b}2J\\u{202e}\n"
        );
        let painted = line(event, Format::Text, true);
        assert!(
            painted.starts_with("WARN said: a\u{1b}[2Jb\\u{a}ERROR"),
            "{painted}"
        );
        let json = "{\"message\":\"a\\n\u{9b}2J\u{202e}\"}\n";
        assert_eq!(
            line(json, Format::Json, false),
            "{\"message\":\"a\\n\\u009b2J\\u202e\"}\n"
        );
    }
}

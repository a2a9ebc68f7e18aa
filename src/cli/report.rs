//! What is shown: the only writer of stdout, and of errors to stderr.
//!
//! A reader that goes away (`| head`) is no failure: the rest is dropped and the exit code stays the work's own.

use std::io::{self, IsTerminal, Read, Write};

use serde::Serialize;

use super::args::{Format, Globals};
use super::failure::{Failure, Shown};

/// Results to stdout, errors to stderr.
#[derive(Debug)]
pub struct Report {
    format: Format,
    color_out: bool,
    color_err: bool,
    quiet: bool,
    gone: bool,
}

impl Report {
    /// As the global flags want it.
    #[must_use]
    pub fn new(globals: &Globals) -> Self {
        Self {
            format: globals.output,
            color_out: globals.color() && io::stdout().is_terminal(),
            color_err: globals.color() && io::stderr().is_terminal(),
            quiet: globals.quiet,
            gone: false,
        }
    }

    /// Whether stdout is to hold JSON.
    #[must_use]
    pub const fn is_json(&self) -> bool {
        matches!(self.format, Format::Json)
    }

    /// Whether results may be coloured.
    #[must_use]
    pub const fn color(&self) -> bool {
        self.color_out
    }

    /// Whether progress may be drawn: a terminal, and not `--quiet`.
    #[must_use]
    pub fn progress(&self) -> bool {
        !self.quiet && io::stderr().is_terminal()
    }

    /// A text, with a line end where it has none.
    pub fn text(&mut self, text: &str) {
        let end = if text.ends_with('\n') { "" } else { "\n" };
        self.write(&format!("{text}{end}"));
    }

    /// One JSON document, indented on a terminal.
    pub fn json(&mut self, document: &impl Serialize) {
        let written = if io::stdout().is_terminal() {
            serde_json::to_string_pretty(document)
        } else {
            serde_json::to_string(document)
        };
        self.text(&written.expect("what is reported has text keys only"));
    }

    /// Copies a stream to stdout. A reader that goes away is no failure.
    ///
    /// # Errors
    /// When the stream cannot be read.
    pub fn copy(&mut self, from: &mut impl Read) -> io::Result<()> {
        let mut chunk = vec![0; 64 << 10];
        loop {
            let read = from.read(&mut chunk)?;
            if read == 0 || self.gone {
                return Ok(());
            }
            let mut out = io::stdout().lock();
            self.gone = out.write_all(&chunk[..read]).and_then(|()| out.flush()).is_err();
        }
    }

    /// Stdout, for a result that writes itself.
    #[must_use]
    pub fn out(&mut self) -> impl Write + '_ {
        io::BufWriter::new(io::stdout().lock())
    }

    /// A remark to stderr, left out with `--quiet`.
    pub fn note(&self, text: &str) {
        if !self.quiet {
            // Nobody is left to tell when stderr is gone.
            let _ = writeln!(io::stderr().lock(), "{text}");
        }
    }

    /// Every error of a failure, to stderr.
    pub fn failure(&self, failure: &Failure) {
        let _ = io::stderr()
            .lock()
            .write_all(render(failure, self.color_err).as_bytes());
    }

    fn write(&mut self, text: &str) {
        if self.gone {
            return;
        }
        let mut out = io::stdout().lock();
        self.gone = out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_err();
    }
}

/// The errors as they are shown, with a blank line between them.
#[must_use]
pub fn render(failure: &Failure, color: bool) -> String {
    let errors: Vec<String> = failure
        .errors
        .iter()
        .map(|error| render_one(error, color))
        .collect();
    errors.join("\n")
}

fn render_one(error: &Shown, color: bool) -> String {
    let head = if color {
        "\u{1b}[1;31merror:\u{1b}[0m"
    } else {
        "error:"
    };
    let mut text = format!("{head} {}\n", indented(&error.what));
    if let Some(place) = &error.place {
        text += &format!("where: {}\n", indented(place));
    }
    for cause in &error.causes {
        text += &format!("cause: {}\n", indented(cause));
    }
    if let Some(advice) = &error.advice {
        text += &format!("do:    {}\n", indented(advice));
    }
    text
}

/// Further lines stand under the first; control characters, which may come from a server, are left out.
fn indented(text: &str) -> String {
    let clean: String = text.chars().filter(|c| *c == '\n' || !c.is_control()).collect();
    clean.trim_end().replace('\n', "\n       ")
}

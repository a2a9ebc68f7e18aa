//! What is shown: the only writer of stdout, and of errors to stderr.
//!
//! A reader that goes away (`| head`) is no failure: the rest is dropped and the exit code stays the work's own.

use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};

use serde::Serialize;
use tracing::error;
use tracing::info;

use super::args::{Format, Globals};
use super::exit::Exit;
use super::layout::Layout;
use super::pager::Pager;
use crate::app::error::AppError;
use crate::app::error::ErrorText;
use crate::model::shown::shown_json;
use crate::model::shown::shown_lines;
use crate::ports::Exchange;

/// Results to stdout, errors to stderr.
#[derive(Debug)]
pub struct Report {
    format: Format,
    color_out: bool,
    color_err: bool,
    quiet: bool,
    /// How a text stands on stdout.
    layout: Layout,
    /// So many lines fit the screen; `None` where stdout is none.
    rows: Option<usize>,
    /// Stderr holds JSON lines, and nothing else.
    json_log: bool,
    /// Something is on stdout already.
    begun: bool,
    /// Stdout's reader went away.
    gone: bool,
}

impl Report {
    /// As the global flags want it.
    #[must_use]
    pub fn new(globals: &Globals) -> Self {
        let screen = io::stdout().is_terminal().then(screen).flatten();
        let color_out = globals.color(io::stdout().is_terminal());
        Self {
            format: globals.output,
            color_out,
            color_err: globals.color(io::stderr().is_terminal()),
            quiet: globals.quiet,
            layout: Layout {
                width: screen.map(|(columns, _)| columns),
                color: color_out,
            },
            rows: screen.map(|(_, rows)| rows),
            json_log: matches!(globals.log_format, Format::Json),
            begun: false,
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
        !self.quiet && !self.json_log && io::stderr().is_terminal()
    }

    /// A text, with a line end where it has none. Foreign words in it are [`crate::model::shown::shown`] already; what was
    /// forgotten breaks a line at most.
    pub fn text(&mut self, text: &str) {
        let mut pages = self.pages();
        pages.add(&shown_lines(text));
        pages.finish();
    }

    /// A text in place of the one before: the terminal is cleared first. Elsewhere a blank line stands between them.
    pub(super) fn screen(&mut self, text: &str) {
        if let Some(rows) = self.rows.take() {
            self.put(b"\x1b[H\x1b[2J");
            self.text(text);
            self.rows = Some(rows);
        } else {
            let between = if self.begun { "\n" } else { "" };
            self.put(between.as_bytes());
            self.text(text);
        }
    }

    /// Whether nobody reads any more.
    pub(super) const fn is_gone(&self) -> bool {
        self.gone
    }

    /// A text that comes bit by bit, of which [`Self::text`] is the short form: on a terminal its lines fit the width, signs are
    /// in colour, and what is longer than the screen goes through the pager.
    /// JSON goes out as it is.
    pub(super) fn pages(&mut self) -> Pages<'_> {
        let (layout, rows) = match self.format {
            Format::Text => (self.layout, self.rows),
            Format::Json => (Layout::default(), None),
        };
        Pages {
            report: self,
            layout,
            rows,
            line: String::new(),
            held: Vec::new(),
            lines: 0,
            pager: None,
        }
    }

    /// Shows a stream of text as [`Self::pages`] does.
    ///
    /// # Errors
    /// When the stream cannot be read.
    pub(super) fn read(&mut self, from: &mut impl Read) -> io::Result<()> {
        let mut pages = self.pages();
        for line in BufReader::with_capacity(64 << 10, from).split(b'\n') {
            pages.add(&String::from_utf8_lossy(&line?));
            pages.add("\n");
            if pages.report.gone {
                break;
            }
        }
        pages.finish();
        Ok(())
    }

    /// A text of our own making, unlooked at: a script of a shell.
    pub fn script(&mut self, text: &str) {
        self.ended(text);
    }

    fn ended(&mut self, text: &str) {
        // A line break for the empty text too: a blank line.
        let end = if text.ends_with('\n') { "" } else { "\n" };
        self.write(&format!("{text}{end}"));
    }

    /// One JSON document, indented on a terminal.
    pub fn json(&mut self, document: &impl Serialize) {
        self.ended(&written(document));
    }

    /// One of several JSON documents, each in a line of its own.
    pub fn json_line(&mut self, document: &impl Serialize) {
        let written = serde_json::to_string(document).expect("what is reported has text keys only");
        self.ended(&shown_json(&written));
    }

    /// A result: the document of a view, or its words.
    pub fn show(&mut self, view: &impl Serialize, words: impl FnOnce() -> String) {
        if self.is_json() {
            self.json(view);
        } else {
            self.text(&words());
        }
    }

    /// Copies a stream that may be shown as it is to stdout. A reader that goes away is no failure.
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
            self.put(&chunk[..read]);
        }
    }

    /// Stdout, for a result that writes itself and may be shown as it is. To be flushed at its end.
    #[must_use]
    pub fn out(&mut self) -> impl Write + '_ {
        io::BufWriter::with_capacity(64 << 10, Out(self))
    }

    /// A remark to stderr, left out with `--quiet`.
    pub fn note(&self, text: &str) {
        if self.json_log {
            info!("{}", text.trim_end());
        } else if !self.quiet {
            // Nobody is left to tell when stderr is gone.
            let _ = writeln!(io::stderr().lock(), "{}", shown_lines(text));
        }
    }

    /// Every error of a failure, to stderr; with `-o json` also as the one document on stdout, where none is there yet.
    pub fn failure(&mut self, failure: &AppError) {
        self.complain(failure);
        if self.is_json() && !self.begun {
            self.json(&document(failure));
        }
    }

    /// Every error of a failure, to stderr only: the work goes on without what failed.
    pub fn complain(&self, failure: &AppError) {
        if self.json_log {
            failure.errors.iter().for_each(log);
            return;
        }
        let _ = io::stderr()
            .lock()
            .write_all(render(failure, self.color_err).as_bytes());
    }

    fn write(&mut self, text: &str) {
        self.put(text.as_bytes());
    }

    fn put(&mut self, bytes: &[u8]) {
        if self.gone {
            return;
        }
        self.begun = true;
        let mut out = io::stdout().lock();
        self.gone = out.write_all(bytes).and_then(|()| out.flush()).is_err();
    }
}

/// The columns and rows of the terminal that stdout is.
fn screen() -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(io::stdout()).ok()?;
    let known = size.ws_col > 0 && size.ws_row > 0;
    known.then(|| (size.ws_col.into(), size.ws_row.into()))
}

/// A text on its way to the screen.
pub(super) struct Pages<'r> {
    report: &'r mut Report,
    layout: Layout,
    /// So many lines fit the screen; `None` where nothing is held until that is known.
    rows: Option<usize>,
    /// The line that has not ended.
    line: String,
    /// Lines that wait until it is known whether they fit the screen.
    held: Vec<u8>,
    lines: usize,
    pager: Option<Pager>,
}

impl Pages<'_> {
    /// Adds text: lines, or parts of them.
    pub(super) fn add(&mut self, text: &str) {
        for part in text.split_inclusive('\n') {
            match part.strip_suffix('\n') {
                None => self.line.push_str(part),
                Some(end) => {
                    self.line.push_str(end);
                    self.end_line();
                }
            }
        }
    }

    /// Shows what is still held, and waits until the pager's reader has left.
    pub(super) fn finish(mut self) {
        // A line break for the empty text too: a blank line.
        if !self.line.is_empty() || self.lines == 0 {
            self.end_line();
        }
        let held = std::mem::take(&mut self.held);
        self.hand_on(&held);
        if let Some(pager) = self.pager.take() {
            pager.finish();
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let laid = self.layout.line(&line);
        self.held.extend(laid.as_bytes());
        self.held.push(b'\n');
        self.lines += 1 + laid.matches('\n').count();
        match self.rows {
            // One row is the prompt's.
            Some(rows) if self.lines < rows => return,
            Some(_) if self.pager.is_none() => self.pager = Pager::start(),
            _ => {}
        }
        if self.pager.is_none() {
            // None runs, or there is no screen: the lines go out as they come.
            self.rows = None;
        }
        if self.held.len() >= TOGETHER || self.pager.is_some() {
            let held = std::mem::take(&mut self.held);
            self.hand_on(&held);
        }
    }

    fn hand_on(&mut self, text: &[u8]) {
        match &mut self.pager {
            Some(pager) => {
                self.report.begun = true;
                self.report.gone |= !pager.write(text);
            }
            None if text.is_empty() => {}
            None => self.report.put(text),
        }
    }
}

/// Lines are written in pieces of this many bytes.
const TOGETHER: usize = 64 << 10;

/// Stdout as a writer that swallows what nobody reads any more.
struct Out<'r>(&'r mut Report);

impl Write for Out<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.put(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// An error as a line of the log, where the log is JSON.
fn log(error: &ErrorText) {
    error!(
        place = error.place.as_deref(),
        cause = (!error.causes.is_empty()).then(|| error.causes.join(": ")),
        advice = error.advice.as_deref(),
        status = error.request.as_ref().and_then(|request| request.status),
        "{}",
        error.what
    );
}

/// A failure as a document; its fields stand in the order of the alphabet, as in every document before.
#[derive(Serialize)]
struct Document<'e> {
    errors: Vec<ErrorDocument<'e>>,
    exit_code: u8,
}

/// One error of it; `request` where a request failed.
#[derive(Serialize)]
struct ErrorDocument<'e> {
    cause: &'e [String],
    #[serde(rename = "do")]
    advice: Option<&'e str>,
    error: &'e str,
    #[serde(skip_serializing_if = "Option::is_none")]
    request: Option<&'e Exchange>,
    #[serde(rename = "where")]
    place: Option<&'e str>,
}

/// The document of a failure, as stdout takes it.
pub(super) fn failure_document(failure: &AppError) -> String {
    written(&document(failure))
}

/// A document as stdout takes it: in lines for a person, in one for a program.
fn written(document: &impl Serialize) -> String {
    let written = if io::stdout().is_terminal() {
        serde_json::to_string_pretty(document)
    } else {
        serde_json::to_string(document)
    };
    shown_json(&written.expect("what is reported has text keys only")).into_owned()
}

fn document(failure: &AppError) -> Document<'_> {
    fn one(error: &ErrorText) -> ErrorDocument<'_> {
        ErrorDocument {
            error: &error.what,
            place: error.place.as_deref(),
            cause: &error.causes,
            advice: error.advice.as_deref(),
            request: error.request.as_deref(),
        }
    }
    Document {
        exit_code: Exit::from(failure.kind).code(),
        errors: failure.errors.iter().map(one).collect(),
    }
}

/// The errors as they are shown, with a blank line between them.
#[must_use]
pub fn render(failure: &AppError, color: bool) -> String {
    let errors: Vec<String> = failure
        .errors
        .iter()
        .map(|error| render_one(error, color))
        .collect();
    errors.join("\n")
}

fn render_one(error: &ErrorText, color: bool) -> String {
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

/// Further lines stand under the first.
fn indented(text: &str) -> String {
    shown_lines(text.trim_end()).replace('\n', "\n       ")
}

//! The problems of the settings, each with its place and what to do.

use std::{error::Error, fmt, ops::Range};

/// Every problem found, at once, so that a file need not be corrected line by line.
#[derive(Debug)]
pub struct SettingsErrors(pub Vec<Problem>);

impl Error for SettingsErrors {}

/// Writes one line a problem, for the log; `cli::report` shows them in full.
impl fmt::Display for SettingsErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, problem) in self.0.iter().enumerate() {
            let gap = if n == 0 { "" } else { "\n" };
            write!(f, "{gap}{}: {}", problem.place.position(), problem.what)?;
        }
        Ok(())
    }
}

/// One problem.
#[derive(Debug, thiserror::Error)]
#[error("{what}")]
pub struct Problem {
    /// What is wrong, with the key's path.
    pub what: String,
    /// Where it was written.
    pub place: Place,
    /// What to do.
    pub advice: String,
    /// The cause, where the system gave one.
    #[source]
    pub cause: Option<std::io::Error>,
}

/// Where a setting was written; in the order in which problems are shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// The file as a whole.
    File(String),
    /// A line of the file.
    Line {
        /// The file, as it was named on the command line.
        file: String,
        /// Counted from 1.
        line: usize,
        /// In characters, counted from 1.
        column: usize,
        /// The line, with every text outside the marked part left out: it may be a secret.
        excerpt: String,
        /// Where the marked part begins in the excerpt, in characters from 0, and how long it is.
        mark: (usize, usize),
    },
    /// An environment variable that overrides a key.
    Variable(String),
}

impl Place {
    /// Returns the place of these bytes of a file.
    pub(super) fn of_span(file: &str, text: &str, span: Range<usize>) -> Self {
        let start = floor_boundary(text, span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let end = floor_boundary(text, span.end).clamp(start, line_end);
        let before = mask(&text[line_start..start]);
        let marked = text[start..end].trim_end();
        Self::Line {
            file: file.to_owned(),
            line: text[..line_start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            mark: (before.chars().count(), marked.chars().count().max(1)),
            excerpt: format!("{before}{marked}{}", after(text[end..line_end].trim_end())),
        }
    }

    /// Removes the line's text from the place.
    pub(super) fn without_line(mut self) -> Self {
        if let Self::Line { excerpt, .. } = &mut self {
            excerpt.clear();
        }
        self
    }

    /// Returns `file:line:column`, or the variable.
    #[must_use]
    pub fn position(&self) -> String {
        match self {
            Self::File(file) => file.clone(),
            Self::Line {
                file, line, column, ..
            } => format!("{file}:{line}:{column}"),
            Self::Variable(name) => format!("environment variable {name}"),
        }
    }
}

/// Writes the position, then the line with its caret.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.position())?;
        match self {
            Self::Line {
                excerpt,
                mark: (from, length),
                ..
            } if !excerpt.trim().is_empty() => {
                write!(f, "\n| {excerpt}\n| {:from$}{}", "", "^".repeat(*length))
            }
            _ => Ok(()),
        }
    }
}

fn floor_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|at| text.is_char_boundary(*at))
        .unwrap_or(0)
}

/// Returns what follows the marked part: behind a marked key its value, which may be a secret without quotes.
fn after(text: &str) -> String {
    if text.trim_start().starts_with('=') {
        " = …".to_owned()
    } else {
        mask(text)
    }
}

/// Masks the text: the inside of every quoted part is left out, and tabs become one space, so that the caret fits.
fn mask(text: &str) -> String {
    let mut shown = String::new();
    let mut quote = None;
    for c in text.chars() {
        match (quote, c) {
            (None, '"' | '\'') => {
                quote = Some(c);
                shown.push(c);
                shown.push('…');
            }
            (Some(open), c) if open == c => {
                quote = None;
                shown.push(c);
            }
            (Some(_), _) => {}
            (None, '\t') => shown.push(' '),
            (None, c) => shown.push(c),
        }
    }
    shown
}

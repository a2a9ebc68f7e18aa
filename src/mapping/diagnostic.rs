//! Problems of an expression or a mapping file, shown with the text, a caret and a suggestion.
//!
//! Promise: every problem of a file is reported at once, each with file, line and place; nothing here stops at the
//! first one.

use std::{fmt, sync::Arc};

/// The longest line in characters that is shown around a caret; a longer one is cut with `…` on both sides of the
/// place.
const SHOWN: usize = 110;

/// A range of bytes in the text of an expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// Creates the range from `start` up to, not including, `end`.
    #[must_use]
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// Returns the range from the start of this one to the end of the other.
    #[must_use]
    pub const fn to(self, other: Self) -> Self {
        Self {
            start: self.start,
            end: other.end,
        }
    }
}

/// One problem of an expression: what is wrong, its place in the text, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// What is wrong.
    pub message: String,
    /// Its place in the text.
    pub span: Span,
    /// What to do, shown behind the caret.
    pub hint: Option<String>,
}

impl Diagnostic {
    /// Creates a problem without a suggestion.
    #[must_use]
    pub fn new(message: impl Into<String>, span: Span) -> Self {
        Self {
            message: message.into(),
            span,
            hint: None,
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Returns the line of `text` that contains the problem, and the caret below it (without the message).
    #[must_use]
    pub fn excerpt(&self, text: &str) -> String {
        excerpt(text, self.span, self.hint.as_deref())
    }
}

/// Every problem of one expression, with its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpressionError {
    /// The expression as it was written.
    pub text: Arc<str>,
    /// At least one.
    pub diagnostics: Vec<Diagnostic>,
}

impl std::error::Error for ExpressionError {}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.diagnostics.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n" };
            write!(f, "{gap}{}\n{}", problem.message, problem.excerpt(&self.text))?;
        }
        Ok(())
    }
}

/// One problem of a mapping file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file as it was named.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// The place in the file's own terms, such as `[[user]] displayName`; empty for the file as a whole.
    pub place: String,
    /// What is wrong.
    pub message: String,
    /// The line and the caret, with the suggestion.
    pub excerpt: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file, self.line)?;
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        write!(f, "{}\n{}", self.message, self.excerpt)
    }
}

/// All problems of a mapping file, in the order of its lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl std::error::Error for Problems {}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.0.iter().enumerate() {
            let gap = if index == 0 { "" } else { "\n" };
            write!(f, "{gap}{problem}")?;
        }
        Ok(())
    }
}

/// Returns the line of `text` around `span`, the caret, and the hint behind it:
/// ```text
///   | ToUpper(Joinn(" ", [givenName], [surname]))
///   |         ^^^^^ did you mean `Join`?
/// ```
#[must_use]
pub fn excerpt(text: &str, span: Span, hint: Option<&str>) -> String {
    let start = floor(text, span.start);
    let end = floor(text, span.end.max(start));
    let from = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let to = text[start..].find('\n').map_or(text.len(), |at| start + at);
    let before = text[from..start].chars().count();
    let width = text[start..end.clamp(start, to)].chars().count().max(1);
    // Tabs and other controls are one column wide here, so that the caret stays under its place.
    let line: Vec<char> = text[from..to]
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();

    let skipped = if line.len() > SHOWN {
        before.saturating_sub(SHOWN / 2)
    } else {
        0
    };
    let shown: String = line.iter().skip(skipped).take(SHOWN).collect();
    let head = if skipped > 0 { "…" } else { "" };
    let tail = if skipped + SHOWN < line.len() { "…" } else { "" };
    let indent = before - skipped + head.chars().count();
    let carets = width.min(SHOWN.saturating_sub(before - skipped)).max(1);
    let mut out = format!(
        "  | {head}{}{tail}\n  | {:indent$}{}",
        shown.trim_end(),
        "",
        "^".repeat(carets)
    );
    if let Some(hint) = hint {
        out.push(' ');
        out.push_str(hint);
    }
    out
}

/// Returns the last character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

/// Returns the entry of `known` nearest to what was written, if it is near enough to be a typing error: another case,
/// one or two wrong letters, a shared beginning.
#[must_use]
pub fn nearest<'a>(written: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = written.to_lowercase();
    let mut best: Option<(f64, &str)> = None;
    for candidate in known {
        if candidate.eq_ignore_ascii_case(written) {
            return Some(candidate);
        }
        let score = strsim::jaro_winkler(&lower, &candidate.to_lowercase());
        // 0.84: `telefon` is not a typing error for `telephoneNumber`, `giveName` is one for `givenName`.
        if score >= 0.84 && best.is_none_or(|(top, _)| score > top) {
            best = Some((score, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

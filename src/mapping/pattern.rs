//! Regular expressions as .NET reads them, which Entra's mappings and scoping filters contain.
//!
//! A pattern is translated once, when it is parsed, into the dialect of `fancy_regex`; differences are rewritten
//! (`translate.rs`, `class.rs`), and what cannot be rewritten is refused with the reason. Matching is bounded: a
//! pattern that backtracks too long fails on that value, and reports it.
//!
//! | .NET | here |
//! | --- | --- |
//! | `$`, `\Z` end the text, or stand before its last line feed | `(?=\n?\z)` |
//! | `[a-z-[aeiou]]` subtracts; `[`, `&&`, `~~` in a class are characters | `--`, escapes |
//! | named groups are numbered after all unnamed ones, and a name may come twice | numbers of our own |
//! | `\w` is letters, non-spacing marks, digits, connectors | those categories |
//! | an empty match may follow a match at once | [`Pattern::found`] |
//! | balancing groups `(?<a-b>…)`, conditions that are expressions, numbers as names | refused |
//!
//! Left as it is: `\b` takes a few rare marks more for part of a word than .NET does.

mod class;
mod translate;

use std::fmt;

use fancy_regex::{Captures, Regex, RegexBuilder};

use super::stop::Stop;

/// The most steps back in one search: values are short, and a pattern that needs more would need hours on a long value.
const MOST_STEPS: usize = 100_000;

/// The most matches in one text: each may look at all that follows it, which the library does not count.
const MOST_MATCHES: usize = 5_000;

/// The most instructions of a compiled pattern, so that `(a{999}){999}` costs a message and not the memory.
const MOST_INSTRUCTIONS: usize = 50_000;

/// The most bytes of a compiled part without look-around, for the same reason.
const MOST_BYTES: usize = 2 << 20;

/// A .NET regular expression, ready to be used.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
    groups: Groups,
}

/// The translated groups of each of .NET's names and numbers.
#[derive(Debug, Clone, Default)]
struct Groups {
    /// By .NET's number, from 1.
    numbered: Vec<Vec<usize>>,
    /// By name, in the order of the names' first appearance.
    named: Vec<(String, Vec<usize>)>,
}

/// Why a text is not a regular expression that can be used here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct PatternError(pub String);

impl PatternError {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

/// One match, with .NET's groups.
pub struct Found<'p, 't> {
    captures: Captures<'t, str>,
    groups: &'p Groups,
}

impl Pattern {
    /// Compiles the pattern of a text.
    ///
    /// # Errors
    /// When it is not a .NET regular expression, or one that is not supported here; the message names the part, and the
    /// reason.
    pub fn new(text: &str) -> Result<Self, PatternError> {
        let (translated, groups) = translate::translate(text)?;
        let regex = RegexBuilder::new(&translated)
            .backtrack_limit(MOST_STEPS)
            .max_prog_size(MOST_INSTRUCTIONS)
            .delegate_size_limit(MOST_BYTES)
            .build()
            .map_err(|error| PatternError::new(reason(&error)))?;
        Ok(Self {
            text: text.to_owned(),
            regex,
            groups,
        })
    }

    /// Returns the text as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns whether it matches anywhere in the text.
    ///
    /// # Errors
    /// When it backtracked too long on this text.
    pub fn is_match(&self, text: &str) -> Result<bool, Stop> {
        self.regex.is_match(text).map_err(|error| too_hard(&error))
    }

    /// Returns whether a group of that name, or number, is in the pattern.
    #[must_use]
    pub fn has_group(&self, name: &str) -> bool {
        !self.groups.find(name).is_empty()
    }

    /// Returns the first match.
    ///
    /// # Errors
    /// When it backtracked too long on this text.
    pub fn first<'t>(&self, text: &'t str) -> Result<Option<Found<'_, 't>>, Stop> {
        self.from(text, 0)
    }

    /// Passes every match to `take`, in order. As in .NET, an empty match may stand right behind another one.
    ///
    /// # Errors
    /// When it backtracked too long on this text, matched too often, or `take` failed.
    pub fn found<'t>(
        &self,
        text: &'t str,
        mut take: impl FnMut(&Found<'_, 't>) -> Result<(), Stop>,
    ) -> Result<(), Stop> {
        let (mut at, mut matches) = (0, 0);
        while at <= text.len() {
            matches += 1;
            if matches > MOST_MATCHES {
                return Err(Stop::Failed(format!(
                    "the pattern gave up on this value: it matches more than {MOST_MATCHES} times"
                )));
            }
            let Some(found) = self.from(text, at)? else { break };
            let (start, end) = found.range();
            take(&found)?;
            at = if start == end {
                end + text[end..].chars().next().map_or(1, char::len_utf8)
            } else {
                end
            };
        }
        Ok(())
    }

    fn from<'t>(&self, text: &'t str, at: usize) -> Result<Option<Found<'_, 't>>, Stop> {
        let captures = self
            .regex
            .captures_from_pos(text, at)
            .map_err(|error| too_hard(&error))?;
        Ok(captures.map(|captures| Found {
            captures,
            groups: &self.groups,
        }))
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Pattern {}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Groups {
    fn find(&self, name: &str) -> &[usize] {
        let numbered = || {
            let number = name.parse::<usize>().ok()?.checked_sub(1)?;
            self.numbered.get(number)
        };
        let named = self.named.iter().find(|(known, _)| known == name);
        named
            .map(|(_, at)| at)
            .or_else(numbered)
            .map_or(&[], Vec::as_slice)
    }
}

impl Found<'_, '_> {
    /// Returns the first byte of the match, and one past the last.
    #[must_use]
    pub fn range(&self) -> (usize, usize) {
        self.captures
            .get(0)
            .map_or((0, 0), |all| (all.start(), all.end()))
    }

    /// Returns where a group matched, by its name or number, or `None` where it took no part, or does not exist.
    #[must_use]
    pub fn group(&self, name: &str) -> Option<(usize, usize)> {
        if name == "0" {
            return Some(self.range());
        }
        // Of groups that share a name, the last one that took part.
        let at = self.groups.find(name).iter().rev();
        at.filter_map(|index| self.captures.get(*index))
            .map(|part| (part.start(), part.end()))
            .next()
    }

    /// Returns whether there is such a group at all.
    #[must_use]
    pub fn knows(&self, name: &str) -> bool {
        name == "0" || !self.groups.find(name).is_empty()
    }

    /// Returns where the group with the highest number matched.
    #[must_use]
    pub fn last_group(&self) -> Option<(usize, usize)> {
        self.group(&self.groups.numbered.len().to_string())
    }
}

fn too_hard(error: &fancy_regex::Error) -> Stop {
    Stop::Failed(format!("the pattern gave up on this value: {}", reason(error)))
}

/// Returns the library's reason without its own prefixes, which name positions in the translated text.
fn reason(error: &fancy_regex::Error) -> String {
    match error {
        fancy_regex::Error::ParseError(_, error) => error.to_string(),
        fancy_regex::Error::CompileError(error) => error.to_string(),
        fancy_regex::Error::RuntimeError(error) => error.to_string(),
        other => other.to_string(),
    }
}

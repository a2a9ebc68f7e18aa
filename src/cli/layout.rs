//! Text as it stands on a terminal: lines that fit its width, with a hanging indent, and signs in colour.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;
use unicode_width::UnicodeWidthStr;

/// How a text is to stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Layout {
    /// The most columns a line; none: as long as it is.
    pub(super) width: Option<usize>,
    /// Whether signs are coloured.
    pub(super) color: bool,
}

/// Narrower than this nothing is folded: there would be a word a line.
const NARROW: usize = 20;

impl Layout {
    /// A line, without its end, as it is to stand: one line or several.
    pub(super) fn line<'l>(&self, line: &'l str) -> Cow<'l, str> {
        let fitted = match self.width.filter(|width| *width >= NARROW) {
            Some(width) if line.width() > width => Cow::Owned(fitted(line, width)),
            _ => Cow::Borrowed(line),
        };
        if self.color { painted(fitted) } else { fitted }
    }
}

/// Breaks a line between words. What follows stands under the text of the first line: under the second column of a table
/// (`  target    12 requests`), and else two columns to the right of where the line begins.
fn fitted(line: &str, width: usize) -> String {
    let indent = " ".repeat(hanging(line).min(width / 2));
    let mut out = String::with_capacity(line.len() + 16);
    let mut column = 0;
    for word in words(line) {
        let wide = word.trim_end().width();
        if column > indent.width() && column + wide > width {
            out.truncate(out.trim_end().len());
            out.push('\n');
            out.push_str(&indent);
            column = indent.width();
            push(&mut out, word.trim_start(), &mut column, (width, &indent));
        } else {
            push(&mut out, word, &mut column, (width, &indent));
        }
    }
    out.truncate(out.trim_end().len());
    out
}

/// Adds a word; one that is longer than a line is cut.
fn push(out: &mut String, word: &str, column: &mut usize, (width, indent): (usize, &str)) {
    for c in word.chars() {
        let wide = c.width().unwrap_or_default();
        if *column + wide > width && !c.is_whitespace() {
            out.push('\n');
            out.push_str(indent);
            *column = indent.width();
        }
        out.push(c);
        *column += wide;
    }
}

/// Each word with the blanks after it; the first one with those before it, too.
fn words(line: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = 0;
    let (mut seen_word, mut in_blank) = (false, false);
    for (at, c) in line.char_indices() {
        if c == ' ' {
            in_blank = seen_word;
        } else {
            if in_blank {
                words.push(&line[start..at]);
                start = at;
            }
            (seen_word, in_blank) = (true, false);
        }
    }
    words.push(&line[start..]);
    words
}

/// As wide as a label in front of a text may be.
const LABEL: usize = 24;

/// Where the lines after the first begin.
fn hanging(line: &str) -> usize {
    let begins = line.len() - line.trim_start().len();
    // A label of one word and at least two blanks: the second column.
    let label = line[begins..].split(' ').next().unwrap_or_default();
    let rest = &line[begins + label.len()..];
    let gap = rest.len() - rest.trim_start().len();
    let column = begins + label.width() + gap;
    if begins > 0 && gap >= 2 && column <= LABEL {
        column
    } else {
        begins + 2
    }
}

const GREEN: &str = "\u{1b}[32m";
const YELLOW: &str = "\u{1b}[33m";
const RED: &str = "\u{1b}[31m";
const MAGENTA: &str = "\u{1b}[1;35m";
const PLAIN: &str = "\u{1b}[0m";

/// The sign that a line begins with in its colour: `+` adds, `~` changes, `-` takes away, `!` wants a person.
fn painted(line: Cow<'_, str>) -> Cow<'_, str> {
    let begins = line.len() - line.trim_start_matches(' ').len();
    let color = match line.get(begins..begins + 2) {
        Some("+ ") => GREEN,
        Some("~ ") => YELLOW,
        Some("- ") => RED,
        Some("! ") => MAGENTA,
        _ => return line,
    };
    let (before, sign) = line.split_at(begins);
    let (sign, rest) = sign.split_at(1);
    format!("{before}{color}{sign}{PLAIN}{rest}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_fit_and_hang_under_what_they_belong_to() {
        for (line, expected) in [
            ("short", "short"),
            (
                "  target    twelve requests, none throttled at all",
                "  target    twelve requests,\n            none throttled at\n            all",
            ),
            (
                "- disable user  ada.lovelace@corp.example  (6f9619ff)",
                "- disable user\n  ada.lovelace@corp.example\n  (6f9619ff)",
            ),
            (
                "    because department changed in Entra today",
                "    because department changed\n      in Entra today",
            ),
            (
                "0123456789012345678901234567890123456789",
                "012345678901234567890123456789\n  0123456789",
            ),
            (
                "日本語日本語日本語日本語 日本語",
                "日本語日本語日本語日本語\n  日本語",
            ),
        ] {
            let layout = Layout {
                width: Some(30),
                color: false,
            };
            assert_eq!(layout.line(line), expected, "{line}");
            assert!(expected.lines().all(|line| line.width() <= 30), "{expected}");
            let wide = Layout::default();
            assert_eq!(wide.line(line), line, "without a width it stays whole");
        }
    }

    #[test]
    fn only_signs_are_painted() {
        let layout = Layout {
            width: None,
            color: true,
        };
        for (line, expected) in [
            ("+ create user  Ada", "\u{1b}[32m+\u{1b}[0m create user  Ada"),
            ("    - Ada", "    \u{1b}[31m-\u{1b}[0m Ada"),
            ("~ update", "\u{1b}[33m~\u{1b}[0m update"),
            ("! Ada: withheld", "\u{1b}[1;35m!\u{1b}[0m Ada: withheld"),
            ("-", "-"),
            ("a - b", "a - b"),
            ("Removals: 3 entries", "Removals: 3 entries"),
        ] {
            assert_eq!(layout.line(line), expected);
        }
    }
}

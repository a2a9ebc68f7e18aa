//! Foreign texts on their way to people: names from a directory, messages of a target, roles in a token.
//!
//! Anyone who may choose a name can write them, and they end on a terminal, where a cursor movement erases the lines
//! above it and a line break writes a new one. So an invisible character is written as `\u{…}` where such a text enters
//! a line ([`shown`]); and all output is filtered once more, whole ([`shown_lines`], [`shown_json`]), because one
//! forgotten place is enough.

use std::borrow::Cow;
use std::fmt::Write;

/// Returns true for a character that steers a terminal, breaks a line, turns its direction, or is invisible: C0, DEL,
/// C1, the bidirectional controls, line and paragraph separators, and the byte order mark. The joiners U+200C and
/// U+200D stay: names need them.
#[must_use]
pub const fn is_unseen(c: char) -> bool {
    matches!(
        c,
        '\0'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200b}'
            | '\u{200e}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
    )
}

/// Returns the text as it may stand in a line.
#[must_use]
pub fn shown(text: &str) -> Cow<'_, str> {
    replaced(text, is_unseen, |c, out| out.extend(c.escape_unicode()))
}

/// The text as it may stand in a line of limited length: as [`shown`], at most `longest` characters of it as they are shown,
/// with `…` behind them where more was there. No escape is cut in two, so that what is left cannot be read as another one.
#[must_use]
pub fn shown_within(text: &str, longest: usize) -> String {
    let mut out = String::new();
    let mut room = longest;
    for c in text.chars() {
        let width = if is_unseen(c) {
            c.escape_unicode().count()
        } else {
            1
        };
        if width > room {
            out.push('…');
            break;
        }
        room -= width;
        if is_unseen(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Returns several lines as they may be shown: like [`shown`], but line breaks stay.
#[must_use]
pub fn shown_lines(text: &str) -> Cow<'_, str> {
    replaced(
        text,
        |c| c != '\n' && is_unseen(c),
        |c, out| out.extend(c.escape_unicode()),
    )
}

/// Returns a JSON document as it may be shown: the same document, with such characters, which can occur in texts only,
/// written as JSON escapes. C0 is escaped already.
#[must_use]
pub fn shown_json(document: &str) -> Cow<'_, str> {
    replaced(
        document,
        |c| c != '\n' && is_unseen(c),
        |c, out| {
            // All of them have four digits.
            let _ = write!(out, "\\u{:04x}", u32::from(c));
        },
    )
}

fn replaced<'t>(
    text: &'t str,
    is_hidden: impl Fn(char) -> bool,
    write: impl Fn(char, &mut String),
) -> Cow<'t, str> {
    let Some(first) = text.find(&is_hidden) else {
        return Cow::Borrowed(text);
    };
    let mut out = String::with_capacity(text.len() + 16);
    out.push_str(&text[..first]);
    for c in text[first..].chars() {
        if is_hidden(c) {
            write(c, &mut out);
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_counts_what_is_shown_and_cuts_no_escape() {
        for (text, longest, expected) in [
            ("Ada", 3, "Ada"),
            ("Ada L", 3, "Ada…"),
            ("\u{1b}\u{1b}", 12, "\\u{1b}\\u{1b}"),
            ("\u{1b}\u{1b}", 11, "\\u{1b}…"),
            ("Zoë\u{202e}", 10, "Zoë…"),
            ("", 0, ""),
        ] {
            assert_eq!(shown_within(text, longest), expected, "{text:?} in {longest}");
        }
        let hostile = "\u{7f}".repeat(10_000);
        assert!(shown_within(&hostile, 300).chars().count() <= 301);
    }

    #[test]
    fn what_is_not_seen_is_written_out() {
        for (text, one, lines) in [
            ("Ada Lovelace", "Ada Lovelace", "Ada Lovelace"),
            ("نازنین‌زهرا, Zoë 👩‍💻", "نازنین‌زهرا, Zoë 👩‍💻", "نازنین‌زهرا, Zoë 👩‍💻"),
            ("a\u{1b}[2Ab", "a\\u{1b}[2Ab", "a\\u{1b}[2Ab"),
            ("a\nb\r\tc", "a\\u{a}b\\u{d}\\u{9}c", "a\nb\\u{d}\\u{9}c"),
            ("\u{9b}2J\u{7f}", "\\u{9b}2J\\u{7f}", "\\u{9b}2J\\u{7f}"),
            (
                "\u{202e}nimda\u{2066}",
                "\\u{202e}nimda\\u{2066}",
                "\\u{202e}nimda\\u{2066}",
            ),
            (
                "\u{2028}\u{2029}\u{feff}",
                "\\u{2028}\\u{2029}\\u{feff}",
                "\\u{2028}\\u{2029}\\u{feff}",
            ),
        ] {
            assert_eq!(shown(text), one, "{text:?}");
            assert_eq!(shown_lines(text), lines, "{text:?}");
        }
    }

    #[test]
    fn a_document_is_the_same_document() {
        let held = serde_json::json!({"name\u{202e}": "a\u{1b}[2J\u{9b}\u{7f}\n\u{2028}\u{feff}é"});
        let text = held.to_string();
        let shown = shown_json(&text);
        assert!(!shown.chars().any(is_unseen), "{shown:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap(), held);
    }
}

//! How values stand in a page. All of them are foreign: names that people chose, texts of a target.

use std::fmt::Display;
use std::fmt::Write;

use askama::Values;
use askama::filters::Safe;
use serde_json::Value as Json;

use crate::model::percent;
use crate::model::shown::shown_lines;
use crate::model::shown::shown_within;

/// A longer value is cut: what is behind that is in the document of the page.
const LONGEST: usize = 300;

/// As long as a sentence may be: what a target says is one.
const LONGEST_SENTENCE: usize = 1000;

/// A value: apart from the text around it, whatever direction it is written in, and without anything that is not seen.
#[askama::filter_fn]
pub(super) fn v(value: impl Display, _: &dyn Values) -> askama::Result<Safe<String>> {
    Ok(Safe(isolated(&value.to_string())))
}

/// A sentence: what stands between backticks in it is code, and its moments are to the second.
#[askama::filter_fn]
pub(super) fn prose(value: impl Display, _: &dyn Values) -> askama::Result<Safe<String>> {
    Ok(Safe(told(&value.to_string())))
}

/// The same of a sentence without its end: it begins with a capital, and ends with a full stop.
#[askama::filter_fn]
pub(super) fn said(value: impl Display, _: &dyn Values) -> askama::Result<Safe<String>> {
    Ok(Safe(told(&sentence(&value.to_string()))))
}

fn told(text: &str) -> String {
    let text = escaped(&shown_within(text, LONGEST_SENTENCE));
    format!("<bdi>{}</bdi>", with_code(&text))
}

/// The moments in a text, each as one.
fn to_the_second(text: &str) -> String {
    let words = text.split(' ').map(|word| {
        let (moment, sign) = word.split_at(word.trim_end_matches([',', ':', ';', '.', ')']).len());
        as_moment(moment).map_or_else(|| word.to_owned(), |moment| moment + sign)
    });
    words.collect::<Vec<String>>().join(" ")
}

/// A moment as pages have it; nothing of another text.
fn as_moment(text: &str) -> Option<String> {
    let at = chrono::DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    let short = at.format("%Y-%m-%d %H:%M:%S");
    Some(format!("<time datetime=\"{}\">{short}</time>", escaped(text)))
}

fn sentence(text: &str) -> String {
    let mut words = text.to_owned();
    if let Some(first) = words.get(..1) {
        let first = first.to_uppercase();
        words.replace_range(..1, &first);
    }
    let end = if words.ends_with(['.', '!', '?']) { "" } else { "." };
    words + end
}

/// A value of a document: a text as it is, anything else as JSON.
#[askama::filter_fn]
pub(super) fn val(value: &Json, _: &dyn Values) -> askama::Result<Safe<String>> {
    Ok(Safe(match value {
        Json::Null => "<i class=\"none\">none</i>".to_owned(),
        Json::String(text) if text.is_empty() => "<i class=\"none\">empty</i>".to_owned(),
        Json::String(text) => isolated(text),
        other => isolated(&other.to_string()),
    }))
}

/// An id: chosen whole by one click.
#[askama::filter_fn]
pub(super) fn id(value: impl Display, _: &dyn Values) -> askama::Result<Safe<String>> {
    Ok(Safe(format!(
        "<code class=\"id\">{}</code>",
        isolated(&value.to_string())
    )))
}

/// A moment, to the second; machines read the whole of it.
#[askama::filter_fn]
pub(super) fn at(value: impl Display, _: &dyn Values) -> askama::Result<Safe<String>> {
    let text = value.to_string();
    Ok(Safe(as_moment(&text).unwrap_or_else(|| isolated(&text))))
}

/// Seconds in words.
#[askama::filter_fn]
pub(super) fn span(seconds: &u64, _: &dyn Values) -> askama::Result<String> {
    Ok(in_time(*seconds))
}

/// Milliseconds in words.
#[askama::filter_fn]
pub(super) fn took(millis: &u64, _: &dyn Values) -> askama::Result<String> {
    Ok(in_millis(*millis))
}

/// Milliseconds in words.
pub(super) fn in_millis(millis: u64) -> String {
    match millis {
        0..1000 => format!("0.{millis:03} s"),
        1000..120_000 => format!("{}.{} s", millis / 1000, millis % 1000 / 100),
        _ => in_time(millis / 1000),
    }
}

/// Seconds in words.
pub(super) fn in_time(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3600),
    }
}

/// Lines as they are.
#[askama::filter_fn]
pub(super) fn lines(value: impl Display, _: &dyn Values) -> askama::Result<Safe<String>> {
    Ok(Safe(escaped(&shown_lines(&value.to_string()))))
}

/// A number, its digits in groups.
#[askama::filter_fn]
pub(super) fn n(value: impl Display, _: &dyn Values) -> askama::Result<Safe<String>> {
    let text = value.to_string();
    let mut grouped = String::with_capacity(text.len() + 4);
    for (at, digit) in text.chars().enumerate() {
        let left = text.len() - at;
        if at > 0 && left.is_multiple_of(3) {
            grouped.push('\u{2009}');
        }
        grouped.push(digit);
    }
    Ok(Safe(escaped(&grouped)))
}

/// A part of a path.
#[askama::filter_fn]
pub(super) fn part(value: impl Display, _: &dyn Values) -> askama::Result<Safe<String>> {
    Ok(Safe(as_part(&value.to_string())))
}

/// `disable_user` as `disable user`.
#[askama::filter_fn]
pub(super) fn words(value: impl Display, _: &dyn Values) -> askama::Result<Safe<String>> {
    Ok(Safe(isolated(&value.to_string().replace('_', " "))))
}

/// Escaped text with what stands between two backticks as code, as it is; a backtick alone stays one.
fn with_code(text: &str) -> String {
    let parts: Vec<&str> = text.split('`').collect();
    let mut out = String::with_capacity(text.len() + 32);
    for (at, part) in parts.iter().enumerate() {
        let is_closed = at + 1 < parts.len();
        match (at % 2 == 1, is_closed) {
            (true, true) => {
                let _ = write!(out, "<code>{part}</code>");
            }
            (true, false) => {
                let _ = write!(out, "`{part}");
            }
            (false, _) => out.push_str(&to_the_second(part)),
        }
    }
    out
}

/// A text as one part of a path.
pub(super) fn as_part(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    percent::encode_into(&mut out, text);
    out
}

fn isolated(text: &str) -> String {
    within(text, LONGEST)
}

fn within(text: &str, longest: usize) -> String {
    format!("<bdi>{}</bdi>", escaped(&shown_within(text, longest)))
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '<' | '>' | '&' | '"' | '\'' => {
                let _ = write!(out, "&#{};", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_backticks_is_code() {
        for (text, expected) in [
            ("plain", "plain"),
            ("run `a b` now", "run <code>a b</code> now"),
            ("`a` and `b`", "<code>a</code> and <code>b</code>"),
            ("one ` alone", "one ` alone"),
            ("`a` and ` b", "<code>a</code> and ` b"),
            (
                "since 2026-11-30T12:00:05.123Z: see `--since 2026-11-30T12:00:05.123Z`",
                "since <time datetime=\"2026-11-30T12:00:05.123Z\">2026-11-30 12:00:05</time>: \
                 see <code>--since 2026-11-30T12:00:05.123Z</code>",
            ),
        ] {
            assert_eq!(with_code(text), expected);
        }
    }

    #[test]
    fn a_sentence_has_its_capital_and_its_end() {
        for (text, expected) in [
            ("in step", "In step."),
            ("stopped: it ended.", "Stopped: it ended."),
            ("écarté", "écarté."),
            ("", "."),
        ] {
            assert_eq!(sentence(text), expected);
        }
    }

    #[test]
    fn a_part_of_a_path_is_one() {
        for (text, expected) in [
            ("idmelon", "idmelon"),
            ("a/../b?", "a%2F..%2Fb%3F"),
            ("é", "%C3%A9"),
        ] {
            assert_eq!(as_part(text), expected);
        }
    }

    #[test]
    fn a_value_can_neither_leave_its_place_nor_turn_the_line() {
        for (value, expected) in [
            ("Ada", "<bdi>Ada</bdi>"),
            (
                "<script>alert(1)</script>",
                "<bdi>&#60;script&#62;alert(1)&#60;/script&#62;</bdi>",
            ),
            ("\" onload='x'", "<bdi>&#34; onload=&#39;x&#39;</bdi>"),
            ("\u{202e}adA\u{1b}", "<bdi>\\u{202e}adA\\u{1b}</bdi>"),
        ] {
            assert_eq!(isolated(value), expected);
        }
        assert!(isolated(&"x".repeat(10_000)).len() < 400);
    }
}

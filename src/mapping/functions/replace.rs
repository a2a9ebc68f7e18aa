//! `Replace`, whose seven arguments are five functions in one (entra-docs, "Replace").
//!
//! | given | does |
//! | --- | --- |
//! | oldValue, template | every `oldValue` in the template becomes the source |
//! | oldValue, replacement | every `oldValue` in the source becomes the replacement |
//! | pattern, group, attribute | the source; where it is empty, the group as it matches in the other attribute |
//! | pattern, group, replacement | that group of every match becomes the replacement |
//! | pattern, replacement | every match becomes the replacement, `${name}` and `$1` meaning groups |

use std::borrow::Cow;

use crate::model::value::Value;

use super::super::evaluate::Call;
use super::super::pattern::Found;
use super::super::pattern::Pattern;
use super::super::stop::Stop;
use super::super::stop::text_of;
use super::Answer;
use super::Written;
use super::bounded::Bounded;
use super::bounded::replaced;

const FIND: usize = 1;
const PATTERN: usize = 2;
const GROUP: usize = 3;
const REPLACEMENT: usize = 4;
const ATTRIBUTE: usize = 5;
const TEMPLATE: usize = 6;

pub(super) fn replace<'a>(call: &Call<'a>) -> Answer<'a> {
    let source = call.value(0)?;
    let source = text_of(&source)?;
    let text = |index| {
        call.value(index)
            .and_then(|value| Ok(text_of(&value)?.into_owned()))
    };
    let given = |index| call.given(index);

    let result = if given(FIND) {
        let find = text(FIND)?;
        if find.is_empty() {
            return Err(Stop::Failed(
                "Replace has nothing to find: `oldValue` is empty".into(),
            ));
        }
        match (given(TEMPLATE), given(REPLACEMENT)) {
            (false, false) => return Err(incomplete()),
            _ if source.is_empty() => return Ok(Cow::Owned(Value::Null)),
            (true, _) => replaced(&text(TEMPLATE)?, &find, &source)?,
            (false, true) => replaced(&source, &find, &text(REPLACEMENT)?)?,
        }
    } else if let Some(pattern) = call.pattern(PATTERN) {
        match (given(GROUP), given(ATTRIBUTE), given(REPLACEMENT)) {
            (true, true, _) if source.is_empty() => extract(pattern, &text(GROUP)?, &text(ATTRIBUTE)?)?,
            (true, true, _) => source.into_owned(),
            (_, _, true) if source.is_empty() => return Ok(Cow::Owned(Value::Null)),
            (true, false, true) => in_groups(pattern, &source, &text(GROUP)?, &text(REPLACEMENT)?)?,
            (false, _, true) => in_matches(pattern, &source, &text(REPLACEMENT)?)?,
            _ => return Err(incomplete()),
        }
    } else {
        return Err(incomplete());
    };
    Ok(Cow::Owned(Value::String(result)))
}

const INCOMPLETE: &str =
    "`Replace` needs oldValue with a replacement or a template, or a pattern with a replacement";

fn incomplete() -> Stop {
    Stop::Failed(INCOMPLETE.to_owned())
}

pub(super) fn judge(arguments: &[Written<'_>]) -> Result<(), (usize, String)> {
    let given = |index| !matches!(arguments.get(index), None | Some(Written::Missing));
    if arguments.get(FIND) == Some(&Written::Text("")) {
        return Err((FIND, "`Replace` has nothing to find".to_owned()));
    }
    let complete = if given(FIND) {
        given(TEMPLATE) || given(REPLACEMENT)
    } else {
        given(PATTERN) && (given(REPLACEMENT) || (given(GROUP) && given(ATTRIBUTE)))
    };
    if complete {
        Ok(())
    } else {
        Err((0, INCOMPLETE.to_owned()))
    }
}

fn check_group(pattern: &Pattern, group: &str) -> Result<(), Stop> {
    if group == "0" || pattern.has_group(group) {
        return Ok(());
    }
    Err(Stop::Failed(format!(
        "the pattern of Replace has no group `{group}`"
    )))
}

/// Returns the group of the first match; empty where nothing matches.
fn extract(pattern: &Pattern, group: &str, text: &str) -> Result<String, Stop> {
    check_group(pattern, group)?;
    let found = pattern.first(text)?;
    let part = found.and_then(|found| found.group(group));
    Ok(part.map_or_else(String::new, |(start, end)| text[start..end].to_owned()))
}

/// Returns the source with `with` in place of the group in every match.
fn in_groups(pattern: &Pattern, source: &str, group: &str, with: &str) -> Result<String, Stop> {
    check_group(pattern, group)?;
    let mut out = Bounded::default();
    let mut copied = 0;
    pattern.found(source, |found| {
        if let Some((start, end)) = found.group(group).filter(|(start, _)| *start >= copied) {
            out.push(&source[copied..start])?;
            out.push(with)?;
            copied = end;
        }
        Ok(())
    })?;
    out.push(&source[copied..])?;
    Ok(out.into_text())
}

/// Returns the source with `with`, its substitutions expanded, in place of every match.
fn in_matches(pattern: &Pattern, source: &str, with: &str) -> Result<String, Stop> {
    let mut out = Bounded::default();
    let mut copied = 0;
    pattern.found(source, |found| {
        let (start, end) = found.range();
        out.push(&source[copied..start])?;
        copied = end;
        expand(with, source, found, &mut out)
    })?;
    out.push(&source[copied..])?;
    Ok(out.into_text())
}

/// Expands .NET's substitutions: `${name}`, `${1}`, `$1`, `$&`, `` $` ``, `$'`, `$+`, `$_` and `$$`. A substitution
/// that names no group stays as it is written.
fn expand(with: &str, source: &str, found: &Found<'_, '_>, out: &mut Bounded) -> Result<(), Stop> {
    let (start, end) = found.range();
    let mut rest = with;
    while let Some(at) = rest.find('$') {
        out.push(&rest[..at])?;
        let after = &rest[at + 1..];
        let (text, length) = match after.chars().next() {
            Some('$') => ("$", 1),
            Some('&') => (&source[start..end], 1),
            Some('`') => (&source[..start], 1),
            Some('\'') => (&source[end..], 1),
            Some('_') => (source, 1),
            Some('+') => (
                found.last_group().map_or("", |(start, end)| &source[start..end]),
                1,
            ),
            _ => match named(after).filter(|(name, _)| found.knows(name)) {
                Some((name, length)) => {
                    let part = found.group(name).map_or("", |(start, end)| &source[start..end]);
                    (part, length)
                }
                None => ("$", 0),
            },
        };
        out.push(text)?;
        rest = &after[length..];
    }
    out.push(rest)
}

/// Returns the name or number behind a `$`, and how many bytes it takes.
fn named(after: &str) -> Option<(&str, usize)> {
    if let Some(inside) = after.strip_prefix('{') {
        let end = inside.find('}')?;
        return Some((&inside[..end], end + 2));
    }
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    (digits > 0).then(|| (&after[..digits], digits))
}

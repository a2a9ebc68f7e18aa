//! `Replace`, whose seven arguments are five functions in one (entra-docs, "Replace").
//!
//! | given | does |
//! | --- | --- |
//! | find, template | every `find` in the template becomes the source |
//! | find, replacement | every `find` in the source becomes the replacement |
//! | pattern, group, attribute | the group as it matches in the other attribute |
//! | pattern, group, replacement | that group of every match becomes the replacement |
//! | pattern, replacement | every match becomes the replacement, `${name}` and `$1` meaning groups |

use std::borrow::Cow;

use crate::model::value::Value;

use super::super::evaluate::Call;
use super::super::evaluate::Stop;
use super::super::evaluate::text_of;
use super::Answer;

const FIND: usize = 1;
const PATTERN: usize = 2;
const GROUP: usize = 3;
const REPLACEMENT: usize = 4;
const ATTRIBUTE: usize = 5;
const TEMPLATE: usize = 6;

pub(super) fn replace<'a>(call: &Call<'a>) -> Answer<'a> {
    let source_value = call.value(0)?;
    let source = text_of(&source_value)?;
    if source.is_empty() {
        return Ok(Cow::Owned(Value::Null));
    }
    let text = |index| {
        call.value(index)
            .and_then(|value| Ok(text_of(&value)?.into_owned()))
    };
    let given = |index| call.given(index);

    let replaced = if given(FIND) {
        let find = text(FIND)?;
        if find.is_empty() {
            return Err(Stop::Failed(
                "Replace has nothing to find: `find` is empty".into(),
            ));
        }
        match (given(TEMPLATE), given(REPLACEMENT)) {
            (true, _) => text(TEMPLATE)?.replace(&find, &source),
            (false, true) => source.replace(&find, &text(REPLACEMENT)?),
            (false, false) => return Err(incomplete()),
        }
    } else if let Some(pattern) = call.pattern(PATTERN) {
        match (given(GROUP), given(ATTRIBUTE), given(REPLACEMENT)) {
            (true, true, _) => extract(pattern, &text(GROUP)?, &text(ATTRIBUTE)?)?
                .unwrap_or_else(|| source.clone().into_owned()),
            (true, false, true) => {
                let (group, with) = (text(GROUP)?, text(REPLACEMENT)?);
                substitute(pattern, &source, |found, out| {
                    let Some(part) = found.name(&group) else {
                        return whole(found, out);
                    };
                    let all = found.get(0).map_or(part.range(), |m| m.range());
                    out.push_str(&source[all.start..part.start()]);
                    out.push_str(&with);
                    out.push_str(&source[part.end()..all.end]);
                })?
            }
            (false, _, true) => {
                let with = text(REPLACEMENT)?;
                substitute(pattern, &source, |found, out| expand(&with, found, out))?
            }
            _ => return Err(incomplete()),
        }
    } else {
        return Err(incomplete());
    };
    Ok(Cow::Owned(Value::String(replaced)))
}

fn incomplete() -> Stop {
    Stop::Failed(
        "Replace needs `find` with a replacement or a template, or a pattern with a replacement".to_owned(),
    )
}

fn whole(found: &fancy_regex::Captures<'_, str>, out: &mut String) {
    out.push_str(found.get(0).map_or("", |all| all.as_str()));
}

fn extract(pattern: &fancy_regex::Regex, group: &str, text: &str) -> Result<Option<String>, Stop> {
    let found = pattern.captures(text).map_err(too_hard)?;
    Ok(found.and_then(|found| found.name(group).map(|part| part.as_str().to_owned())))
}

/// The source with `put` in place of every match.
fn substitute(
    pattern: &fancy_regex::Regex,
    source: &str,
    put: impl Fn(&fancy_regex::Captures<'_, str>, &mut String),
) -> Result<String, Stop> {
    let mut out = String::with_capacity(source.len());
    let mut copied = 0;
    for found in pattern.captures_iter(source) {
        let found = found.map_err(too_hard)?;
        let Some(all) = found.get(0) else { continue };
        out.push_str(&source[copied..all.start()]);
        put(&found, &mut out);
        copied = all.end();
    }
    out.push_str(&source[copied..]);
    Ok(out)
}

fn too_hard(error: fancy_regex::Error) -> Stop {
    Stop::Failed(format!("the pattern of Replace gave up on this value: {error}"))
}

/// .NET's substitutions: `${name}`, `${1}`, `$1` and `$$`. What names no group stays as it is written.
fn expand(with: &str, found: &fancy_regex::Captures<'_, str>, out: &mut String) {
    let mut rest = with;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let digits = after.bytes().take_while(u8::is_ascii_digit).count();
        let (name, length) = if let Some(literal) = after.strip_prefix('$') {
            out.push('$');
            rest = literal;
            continue;
        } else if let Some(end) = after.starts_with('{').then(|| after.find('}')).flatten() {
            (&after[1..end], end + 1)
        } else {
            (&after[..digits], digits)
        };
        let group = match name.parse::<usize>() {
            Ok(number) if number < found.len() => Some(found.get(number).map_or("", |part| part.as_str())),
            Ok(_) => None,
            Err(_) => found.name(name).map(|part| part.as_str()),
        };
        match group {
            Some(text) => out.push_str(text),
            None => out.push_str(&rest[at..at + 1 + length]),
        }
        rest = &after[length..];
    }
    out.push_str(rest);
}

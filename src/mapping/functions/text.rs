//! Functions on text. Null in, null out, where a text is made from one source: a suffix alone is nobody's name.

use std::borrow::Cow;

use crate::model::value::Value;

use super::super::evaluate::Call;
use super::super::evaluate::Stop;
use super::super::evaluate::text_of;
use super::Answer;

fn answer<'a>(text: String) -> Answer<'a> {
    Ok(Cow::Owned(Value::String(text)))
}

/// The answer of `make` on the first argument's text; null and empty stay null.
fn on_text<'a>(call: &Call<'a>, make: impl FnOnce(&str) -> Result<String, Stop>) -> Answer<'a> {
    let source = call.value(0)?;
    let source = text_of(&source)?;
    if source.is_empty() {
        Ok(Cow::Owned(Value::Null))
    } else {
        answer(make(&source)?)
    }
}

/// The source with the suffix behind it.
pub(super) fn append<'a>(call: &Call<'a>) -> Answer<'a> {
    on_text(call, |source| {
        Ok(format!("{source}{}", text_of(&*call.value(1)?)?))
    })
}

/// The value as Entra prints it.
pub(super) fn cstr<'a>(call: &Call<'a>) -> Answer<'a> {
    on_text(call, |source| Ok(source.to_owned()))
}

/// The sources with the separator between them; an empty one is skipped, its separator too. The elements of
/// a multi-valued attribute count as sources.
pub(super) fn join<'a>(call: &Call<'a>) -> Answer<'a> {
    let separator = call.value(0)?;
    let separator = text_of(&separator)?;
    let mut joined = String::new();
    for index in 1..call.count() {
        let value = call.value(index)?;
        let parts = match &*value {
            Value::List(items) => items.as_slice(),
            one => std::slice::from_ref(one),
        };
        for part in parts {
            let text = text_of(part)?;
            if !text.is_empty() {
                if !joined.is_empty() {
                    joined.push_str(&separator);
                }
                joined.push_str(&text);
            }
        }
    }
    answer(joined)
}

/// The first characters. None for 0; the whole text for a negative number or one past its end.
pub(super) fn left<'a>(call: &Call<'a>) -> Answer<'a> {
    let count = call.integer(1)?;
    on_text(call, |source| {
        Ok(match usize::try_from(count) {
            Ok(count) => source.chars().take(count).collect(),
            Err(_) => source.to_owned(),
        })
    })
}

/// `length` characters from `start` on, which counts from 1.
pub(super) fn mid<'a>(call: &Call<'a>) -> Answer<'a> {
    let (start, length) = (call.integer(1)?, call.integer(2)?);
    let skipped = usize::try_from(start).ok().and_then(|start| start.checked_sub(1));
    let (Some(skipped), Ok(length)) = (skipped, usize::try_from(length)) else {
        return Err(Stop::Failed(format!(
            "Mid counts from 1 and takes no negative length, got start {start} and length {length}"
        )));
    };
    on_text(call, |source| {
        Ok(source.chars().skip(skipped).take(length).collect())
    })
}

/// Without its spaces (U+0020 only, as documented).
pub(super) fn strip_spaces<'a>(call: &Call<'a>) -> Answer<'a> {
    on_text(call, |source| Ok(source.replace(' ', "")))
}

/// In lower case, by the rules of the culture where one is named.
pub(super) fn to_lower<'a>(call: &Call<'a>) -> Answer<'a> {
    let turkic = is_turkic(call)?;
    on_text(call, |source| {
        Ok(source
            .chars()
            .map(|c| match c {
                'I' if turkic => 'ı',
                'İ' if turkic => 'i',
                c => single(c, c.to_lowercase()),
            })
            .collect())
    })
}

/// In upper case, by the rules of the culture where one is named.
pub(super) fn to_upper<'a>(call: &Call<'a>) -> Answer<'a> {
    let turkic = is_turkic(call)?;
    on_text(call, |source| {
        Ok(source
            .chars()
            .map(|c| match c {
                'i' if turkic => 'İ',
                c => single(c, c.to_uppercase()),
            })
            .collect())
    })
}

/// .NET maps one character to one character: `ß` has no upper case there, where Unicode would make it `SS`.
fn single(c: char, mut mapped: impl Iterator<Item = char>) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

/// Turkish and Azerbaijani, by their RFC 3066 names: the cultures whose `i` has other partners.
fn is_turkic(call: &Call<'_>) -> Result<bool, Stop> {
    if !call.given(1) {
        return Ok(false);
    }
    let culture = call.value(1)?;
    let culture = text_of(&culture)?;
    let language = culture.split('-').next().unwrap_or_default();
    Ok(language.eq_ignore_ascii_case("tr") || language.eq_ignore_ascii_case("az"))
}

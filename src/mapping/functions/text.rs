//! Functions on text. Null in, null out, where a text is made from one source: a suffix alone is not a name.

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::model::value::Value;

use super::super::evaluate::Call;
use super::super::stop::Stop;
use super::super::stop::text_of;
use super::Answer;
use super::bounded::Bounded;

pub(super) fn answer<'a>(text: String) -> Answer<'a> {
    Ok(Cow::Owned(Value::String(text)))
}

/// Applies `make` to the first argument's text; null and empty stay null.
pub(super) fn on_text<'a>(call: &Call<'a>, make: impl FnOnce(&str) -> Result<String, Stop>) -> Answer<'a> {
    on_text_at(call, 0, make)
}

fn on_text_at<'a>(
    call: &Call<'a>,
    index: usize,
    make: impl FnOnce(&str) -> Result<String, Stop>,
) -> Answer<'a> {
    let source = call.value(index)?;
    let source = text_of(&source)?;
    if source.is_empty() {
        Ok(Cow::Owned(Value::Null))
    } else {
        answer(make(&source)?)
    }
}

fn glue(first: &str, second: &str) -> Result<String, Stop> {
    let mut text = Bounded::default();
    text.push(first)?;
    text.push(second)?;
    Ok(text.into_text())
}

/// Returns the source followed by the suffix.
pub(super) fn append<'a>(call: &Call<'a>) -> Answer<'a> {
    on_text(call, |source| glue(source, &text_of(&*call.value(1)?)?))
}

/// Returns the source preceded by the prefix.
pub(super) fn prepend<'a>(call: &Call<'a>) -> Answer<'a> {
    on_text_at(call, 1, |source| glue(&text_of(&*call.value(0)?)?, source))
}

/// Returns the value as Entra prints it.
pub(super) fn cstr<'a>(call: &Call<'a>) -> Answer<'a> {
    on_text(call, |source| Ok(source.to_owned()))
}

/// Returns base64 of the text in UTF-16, low byte first, which .NET calls Unicode.
pub(super) fn convert_to_base64<'a>(call: &Call<'a>) -> Answer<'a> {
    on_text(call, |source| {
        let bytes: Vec<u8> = source.encode_utf16().flat_map(u16::to_le_bytes).collect();
        glue(&STANDARD.encode(bytes), "")
    })
}

/// Returns the bytes of the text in UTF-8, two upper-case digits each.
pub(super) fn convert_to_utf8_hex<'a>(call: &Call<'a>) -> Answer<'a> {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    on_text(call, |source| {
        let digits = |byte: u8| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
        let hex: String = source.bytes().flat_map(digits).map(char::from).collect();
        glue(&hex, "")
    })
}

/// Joins the sources with the separator between them; an empty one is skipped, its separator too. The elements of a
/// multi-valued attribute count as sources.
pub(super) fn join<'a>(call: &Call<'a>) -> Answer<'a> {
    let separator = call.value(0)?;
    let separator = text_of(&separator)?;
    let mut joined = Bounded::default();
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
                    joined.push(&separator)?;
                }
                joined.push(&text)?;
            }
        }
    }
    answer(joined.into_text())
}

/// Returns the first characters: none for 0; the whole text for a negative number or one past its end; the empty text
/// for null.
pub(super) fn left<'a>(call: &Call<'a>) -> Answer<'a> {
    let count = call.integer(1)?;
    let source = call.value(0)?;
    let source = text_of(&source)?;
    answer(match usize::try_from(count) {
        Ok(count) => source.chars().take(count).collect(),
        Err(_) => source.into_owned(),
    })
}

/// Returns `length` characters from `start` on, which counts from 1.
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

/// Removes spaces (U+0020 only, as documented).
pub(super) fn strip_spaces<'a>(call: &Call<'a>) -> Answer<'a> {
    on_text(call, |source| Ok(source.replace(' ', "")))
}

//! Functions on words and letters: case, words, places.

use std::borrow::Cow;

use unicode_normalization::char::is_combining_mark;

use crate::model::value::Value;

use super::super::evaluate::Call;
use super::super::stop::Stop;
use super::super::stop::text_of;
use super::Answer;
use super::text::answer;
use super::text::on_text;

/// Converts to lower case, by the rules of the culture where one is named.
pub(super) fn to_lower<'a>(call: &Call<'a>) -> Answer<'a> {
    let turkic = is_turkic(call)?;
    on_text(call, |source| {
        Ok(source
            .chars()
            .map(|c| match c {
                'I' if turkic => 'ı',
                'İ' if turkic => 'i',
                c => lower(c),
            })
            .collect())
    })
}

/// Converts to upper case, by the rules of the culture where one is named.
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

fn lower(c: char) -> char {
    single(c, c.to_lowercase())
}

/// Maps one character to one character as .NET does: `ß` has no upper case there, where Unicode would make it `SS`.
fn single(c: char, mut mapped: impl Iterator<Item = char>) -> char {
    match (mapped.next(), mapped.next()) {
        (Some(one), None) => one,
        _ => c,
    }
}

/// Returns true for Turkish and Azerbaijani, by their RFC 4646 names: the cultures whose `i` has other partners.
fn is_turkic(call: &Call<'_>) -> Result<bool, Stop> {
    if !call.given(1) {
        return Ok(false);
    }
    let culture = call.value(1)?;
    let culture = text_of(&culture)?;
    let language = culture.split('-').next().unwrap_or_default();
    Ok(language.eq_ignore_ascii_case("tr") || language.eq_ignore_ascii_case("az"))
}

/// Writes the first letter of each word in upper case, all others in lower case. Words are separated by the characters
/// named, or else by those of .NET's `ToTitleCase`.
pub(super) fn p_case<'a>(call: &Call<'a>) -> Answer<'a> {
    let separators = call.value(1)?;
    let separators = text_of(&separators)?;
    let given = !separators.is_empty();
    on_text(call, |source| {
        let mut in_word = false;
        let mut cased = String::with_capacity(source.len());
        for c in source.chars() {
            if given {
                cased.push(if in_word { lower(c) } else { title(c) });
                in_word = !separators.contains(c);
            } else {
                cased.push(if in_word || !c.is_alphabetic() {
                    lower(c)
                } else {
                    title(c)
                });
                in_word = if in_word { !separates(c) } else { c.is_alphabetic() };
            }
        }
        Ok(cased)
    })
}

/// Returns whether .NET's `ToTitleCase` begins a new word behind it: spaces, punctuation, symbols, controls; not digits
/// and marks, and not the apostrophe, so that `O'BRIEN` becomes `O'brien`, as there.
fn separates(c: char) -> bool {
    c != '\'' && !c.is_alphanumeric() && !is_combining_mark(c)
}

/// Returns the title case, which is the upper case except for four letters that look like two.
fn title(c: char) -> char {
    match c {
        'Ǆ' | 'ǆ' => 'ǅ',
        'Ǉ' | 'ǉ' => 'ǈ',
        'Ǌ' | 'ǌ' => 'ǋ',
        'Ǳ' | 'ǳ' => 'ǲ',
        c => single(c, c.to_uppercase()),
    }
}

/// Returns the word of that number, from 1; the empty text where there is none. Successive delimiters separate once: a
/// word has at least one character.
pub(super) fn word<'a>(call: &Call<'a>) -> Answer<'a> {
    let number = call.integer(1)?;
    let (source, delimiters) = (call.value(0)?, call.value(2)?);
    let (source, delimiters) = (text_of(&source)?, text_of(&delimiters)?);
    let Some(before) = usize::try_from(number)
        .ok()
        .and_then(|number| number.checked_sub(1))
    else {
        return answer(String::new());
    };
    let mut words = source
        .split(|c| delimiters.contains(c))
        .filter(|word| !word.is_empty());
    answer(words.nth(before).unwrap_or_default().to_owned())
}

/// Returns where the second text begins in the first, counted from 1 in the whole of it; 0 where it does not occur.
/// Rules for empty texts are those of Visual Basic's `InStr`.
pub(super) fn in_str<'a>(call: &Call<'a>) -> Answer<'a> {
    let (text, sought) = (call.value(0)?, call.value(1)?);
    let (text, sought) = (text_of(&text)?, text_of(&sought)?);
    let start = if call.given(2) { call.integer(2)? } else { 1 };
    let skipped = usize::try_from(start).ok().and_then(|start| start.checked_sub(1));
    let Some(skipped) = skipped else {
        return Err(Stop::Failed(format!("InStr counts from 1, got start {start}")));
    };
    let fold = |text: &str| -> Vec<char> {
        if call.ignores_case(3) {
            text.chars().map(lower).collect()
        } else {
            text.chars().collect()
        }
    };
    let (text, sought) = (fold(&text), fold(&sought));
    let at = match text.get(skipped..) {
        Some([]) | None => None,
        Some(_) if sought.is_empty() => Some(skipped),
        Some(rest) => rest
            .windows(sought.len())
            .position(|window| window == sought)
            .map(|at| at + skipped),
    };
    let number = at.map_or(0, |at| i64::try_from(at + 1).unwrap_or(i64::MAX));
    Ok(Cow::Owned(Value::Integer(number)))
}

//! Functions on multi-valued attributes. One value is a list of one, null a list of none.

use std::borrow::Cow;
use std::collections::HashSet;

use crate::model::value::Value;

use super::super::evaluate::Call;
use super::super::stop::Stop;
use super::super::stop::text_of;
use super::Answer;
use super::Written;

fn elements(value: &Value) -> &[Value] {
    match value {
        Value::List(items) => items,
        value if value.is_unassigned() => &[],
        one => std::slice::from_ref(one),
    }
}

/// Returns the number of values.
pub(super) fn count<'a>(call: &Call<'a>) -> Answer<'a> {
    let value = call.value(0)?;
    let count = i64::try_from(elements(&value).len()).unwrap_or(i64::MAX);
    Ok(Cow::Owned(Value::Integer(count)))
}

/// Returns the value of that number, from 1; null where there is none.
pub(super) fn item<'a>(call: &Call<'a>) -> Answer<'a> {
    let index = call.integer(1)?;
    let Some(index) = usize::try_from(index).ok().and_then(|index| index.checked_sub(1)) else {
        return Err(Stop::Failed(format!("Item counts from 1, got {index}")));
    };
    let value = call.value(0)?;
    Ok(Cow::Owned(
        elements(&value).get(index).cloned().unwrap_or_default(),
    ))
}

/// Returns each value once, where it first occurs; case counts.
pub(super) fn remove_duplicates<'a>(call: &Call<'a>) -> Answer<'a> {
    let value = call.value(0)?;
    let Value::List(items) = &*value else {
        return Ok(value);
    };
    let mut seen = HashSet::new();
    let once = items.iter().filter(|item| seen.insert(*item)).cloned();
    Ok(Cow::Owned(Value::List(once.collect())))
}

/// Returns the parts between the delimiters. Blanks around a part are removed and empty parts left out: the documented
/// example splits `"PermissionSetOne, PermissionSetTwo"` at `,` into two values without a blank.
pub(super) fn split<'a>(call: &Call<'a>) -> Answer<'a> {
    let (source, delimiter) = (call.value(0)?, call.value(1)?);
    let (source, delimiter) = (text_of(&source)?, text_of(&delimiter)?);
    if delimiter.is_empty() {
        return Err(Stop::Failed("Split has no delimiter: it is empty".to_owned()));
    }
    let parts = source
        .split(&*delimiter)
        .map(str::trim)
        .filter(|part| !part.is_empty());
    Ok(Cow::Owned(Value::List(parts.map(Value::text).collect())))
}

pub(super) fn judge_delimiter(arguments: &[Written<'_>]) -> Result<(), (usize, String)> {
    match arguments.get(1) {
        Some(Written::Text("")) => Err((1, "`Split` needs a delimiter, such as \",\"".to_owned())),
        _ => Ok(()),
    }
}

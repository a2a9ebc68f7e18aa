//! Functions that choose: conditions, defaults, presence.

use std::borrow::Cow;

use crate::model::value::Value;

use super::super::evaluate::Call;
use super::super::stop::Stop;
use super::super::stop::text_of;
use super::Answer;

const TRUE: &Value = &Value::Bool(true);
const FALSE: &Value = &Value::Bool(false);

fn truth<'a>(truth: bool) -> Answer<'a> {
    Ok(Cow::Borrowed(if truth { TRUE } else { FALSE }))
}

/// Returns `True` if the condition holds, or the number is not zero.
pub(super) fn cbool<'a>(call: &Call<'a>) -> Answer<'a> {
    truth(call.truth(0)?)
}

/// Returns the first argument that is neither null nor empty, else the last one.
pub(super) fn coalesce<'a>(call: &Call<'a>) -> Answer<'a> {
    let last = call.count().saturating_sub(1);
    for index in 0..last {
        let value = call.value(index)?;
        if !value.is_unassigned() {
            return Ok(value);
        }
    }
    call.value(last)
}

/// Stops the flow where the value is null or empty, rather than clear the attribute.
pub(super) fn ignore_flow_if_null_or_empty<'a>(call: &Call<'a>) -> Answer<'a> {
    let value = call.value(0)?;
    if value.is_unassigned() {
        Err(Stop::NoFlow)
    } else {
        Ok(value)
    }
}

/// Returns one of two values. Entra's condition "fails" on a null attribute; here null compares as the empty text, and
/// as a condition by itself it is false.
pub(super) fn iif<'a>(call: &Call<'a>) -> Answer<'a> {
    if call.truth(0)? {
        call.value(1)
    } else {
        call.value(2)
    }
}

/// Returns true for null: "expressed by the absence of the attribute", and an attribute that is a list without elements
/// is absent. An empty text is not null; [`is_null_or_empty`] is for that.
pub(super) fn is_null<'a>(call: &Call<'a>) -> Answer<'a> {
    let value = call.value(0)?;
    truth(value.is_unassigned() && value.as_str().is_none())
}

/// Returns true for null and for the empty text.
pub(super) fn is_null_or_empty<'a>(call: &Call<'a>) -> Answer<'a> {
    truth(call.value(0)?.is_unassigned())
}

/// Returns true unless the value is null or empty.
pub(super) fn is_present<'a>(call: &Call<'a>) -> Answer<'a> {
    truth(!call.value(0)?.is_unassigned())
}

/// Returns true for a text: not for null, a number, a boolean, or several values.
pub(super) fn is_string<'a>(call: &Call<'a>) -> Answer<'a> {
    truth(call.value(0)?.as_str().is_some())
}

/// Returns the negation: "if the source is True, returns False; otherwise, returns True", whatever else it may be.
pub(super) fn not<'a>(call: &Call<'a>) -> Answer<'a> {
    match call.truth(0) {
        Ok(is_true) => truth(!is_true),
        Err(Stop::Failed(_)) if call.value(0).is_ok() => truth(true),
        Err(stop) => Err(stop),
    }
}

/// Returns the value itself: `Redact` changes how it is shown, not what flows
/// ([`Expression::is_redacted`](super::super::Expression::is_redacted)).
pub(super) fn same<'a>(call: &Call<'a>) -> Answer<'a> {
    call.value(0)
}

/// Returns the value behind the first key that equals the source (case matters), else the default. A null source equals
/// the key `""` (documented as the way round an IIF on null).
///
/// Entra's documentation warns that an update in which the source did not change may evaluate to null; here the whole
/// object is evaluated each time, so it does not.
pub(super) fn switch<'a>(call: &Call<'a>) -> Answer<'a> {
    let source = call.value(0)?;
    let source = text_of(&source)?;
    for key in (2..call.count()).step_by(2) {
        let value = call.value(key)?;
        if text_of(&value)? == source {
            return call.value(key + 1);
        }
    }
    call.value(1)
}

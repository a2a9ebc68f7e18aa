//! Functions on numbers.

use std::borrow::Cow;

use crate::model::value::Value;

use super::super::evaluate::Call;
use super::Answer;

/// Returns the bits that both numbers have.
pub(super) fn bit_and<'a>(call: &Call<'a>) -> Answer<'a> {
    let bits = call.integer(0)? & call.integer(1)?;
    Ok(Cow::Owned(Value::Integer(bits)))
}

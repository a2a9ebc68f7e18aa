//! Why an expression gave no value, and values as the text that Entra works with.

use std::borrow::Cow;

use crate::model::value::Value;

/// Why an expression gave no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// It needs a property that was never read: nothing may be derived (docs/design/cycle.md, "Reading the source").
    Unknown(String),
    /// It decided that nothing must flow.
    NoFlow,
    /// It cannot be computed for these values; the text describes why, without the values.
    Failed(String),
}

/// Returns a value as the text that Entra works with: null is empty, booleans are `True` and `False`, a list of one is
/// its element.
///
/// # Errors
/// A list of several, and an object, are not text.
pub fn text_of(value: &Value) -> Result<Cow<'_, str>, Stop> {
    match value {
        Value::Null => Ok(Cow::Borrowed("")),
        Value::Bool(true) => Ok(Cow::Borrowed("True")),
        Value::Bool(false) => Ok(Cow::Borrowed("False")),
        Value::Integer(number) => Ok(Cow::Owned(number.to_string())),
        Value::String(text) => Ok(Cow::Borrowed(text)),
        Value::List(items) => match items.as_slice() {
            [] => Ok(Cow::Borrowed("")),
            [one] if !matches!(one, Value::List(_)) => text_of(one),
            several => Err(Stop::Failed(format!(
                "a list of {} values is no text",
                several.len()
            ))),
        },
        Value::Map(_) => Err(Stop::Failed("an object is no text".to_owned())),
    }
}

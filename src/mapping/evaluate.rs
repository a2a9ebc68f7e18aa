//! Steps and an object's attributes to a value. No step is taken twice, and none that the result does not need.

use std::{borrow::Cow, cmp::Ordering};

use crate::model::value::Value;

use super::{check::Step, functions::Function, names::SourceAttribute, token::Comparison};

/// Why an expression gave no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// It needs a property that was never read: nothing may be derived (DESIGN section 2.2).
    Unknown(String),
    /// It said that nothing shall flow.
    NoFlow,
    /// It cannot be computed for these values; the text says why, without the values.
    Failed(String),
}

/// Where attributes come from.
pub(super) trait Inputs {
    fn get<'a>(&'a self, attribute: &'a SourceAttribute) -> Result<Cow<'a, Value>, Stop>;
}

const NULL: &Value = &Value::Null;

/// One call of a function: its arguments, evaluated when asked for.
pub struct Call<'a> {
    function: &'static Function,
    inputs: &'a dyn Inputs,
    arguments: &'a [Option<Step>],
}

impl<'a> Call<'a> {
    /// How many arguments were written, left out ones included.
    #[must_use]
    pub fn count(&self) -> usize {
        self.arguments.len()
    }

    /// Whether the argument was written, and not left out between two commas.
    #[must_use]
    pub fn given(&self, index: usize) -> bool {
        self.arguments.get(index).is_some_and(Option::is_some)
    }

    /// The argument's value; null if it was left out.
    ///
    /// # Errors
    /// Whatever stopped the argument.
    pub fn value(&self, index: usize) -> Result<Cow<'a, Value>, Stop> {
        match self.arguments.get(index) {
            Some(Some(step)) => evaluate(step, self.inputs),
            _ => Ok(Cow::Borrowed(NULL)),
        }
    }

    /// The argument as a condition. Null is false: Graph leaves a boolean null where it was never set.
    ///
    /// # Errors
    /// Where it is neither, or whatever stopped the argument.
    pub fn truth(&self, index: usize) -> Result<bool, Stop> {
        let value = self.value(index)?;
        if value.is_unassigned() {
            return Ok(false);
        }
        value
            .as_bool()
            .ok_or_else(|| self.failed("needs True or False", index))
    }

    /// The argument as a whole number.
    ///
    /// # Errors
    /// Where it is none, or whatever stopped the argument.
    pub fn integer(&self, index: usize) -> Result<i64, Stop> {
        match &*self.value(index)? {
            Value::Integer(number) => Ok(*number),
            Value::String(text) => text
                .trim()
                .parse()
                .map_err(|_| self.failed("needs a whole number", index)),
            _ => Err(self.failed("needs a whole number", index)),
        }
    }

    /// The argument as a regular expression, `None` if it was left out.
    #[must_use]
    pub fn pattern(&self, index: usize) -> Option<&'a fancy_regex::Regex> {
        match self.arguments.get(index) {
            Some(Some(Step::Pattern(pattern))) => Some(pattern),
            _ => None,
        }
    }

    fn failed(&self, needs: &str, index: usize) -> Stop {
        Stop::Failed(format!(
            "`{}` {needs} as argument {}",
            self.function.name,
            index + 1
        ))
    }
}

pub(super) fn evaluate<'a>(step: &'a Step, inputs: &'a dyn Inputs) -> Result<Cow<'a, Value>, Stop> {
    match step {
        Step::Constant(value) => Ok(Cow::Borrowed(value)),
        Step::Pattern(pattern) => Ok(Cow::Owned(Value::text(pattern.as_str()))),
        Step::Attribute(attribute) => inputs.get(attribute),
        Step::Call { function, arguments } => (function.run)(&Call {
            function,
            inputs,
            arguments,
        }),
        Step::Compare {
            left,
            comparison,
            right,
        } => {
            let (left, right) = (evaluate(left, inputs)?, evaluate(right, inputs)?);
            Ok(Cow::Owned(Value::Bool(compare(&left, *comparison, &right)?)))
        }
    }
}

/// A value as the text that Entra works with: null is empty, booleans are `True` and `False`, a list of one
/// is its element.
///
/// # Errors
/// A list of several, and an object, are no text.
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

/// Two whole numbers compare as numbers, anything else as text, where case matters and null is empty.
fn compare(left: &Value, comparison: Comparison, right: &Value) -> Result<bool, Stop> {
    let (left, right) = (text_of(left)?, text_of(right)?);
    let order = match (left.parse::<i64>(), right.parse::<i64>()) {
        (Ok(left), Ok(right)) => left.cmp(&right),
        _ => left.cmp(&right),
    };
    Ok(match comparison {
        // Text equality even of numbers: an employeeId "007" is not "7".
        Comparison::Equal => left == right,
        Comparison::NotEqual => left != right,
        Comparison::Less => order == Ordering::Less,
        Comparison::LessOrEqual => order != Ordering::Greater,
        Comparison::Greater => order == Ordering::Greater,
        Comparison::GreaterOrEqual => order != Ordering::Less,
    })
}

//! Evaluates steps and an object's attributes to a value. No step is taken twice, and none that the result does not
//! need. A function, its call and the steps of its arguments are each made of the others, so they stand together.

use std::{borrow::Cow, cmp::Ordering, sync::Arc};

use crate::model::value::Value;

use super::{
    context::{Context, Place, Stream},
    functions::moment::parse_printed,
    names::SourceAttribute,
    pattern::Pattern,
    signature::{Judge, Needs, Parameter, Type},
    stop::{Stop, text_of},
    token::Comparison,
};

/// One function.
pub struct Function {
    /// Its name; case matters.
    pub name: &'static str,
    /// Its parameters, in order.
    pub parameters: &'static [Parameter],
    /// How many of the last parameters may be repeated, together; 0 for none.
    pub repeats: usize,
    /// The type of its result.
    pub gives: Type,
    /// What it depends on.
    pub needs: Needs,
    /// The check of its arguments, beyond their types.
    pub judge: Option<Judge>,
    /// Its code. Arguments are evaluated when it asks for them, so a branch that is not taken costs and fails nothing.
    pub run: for<'a> fn(&Call<'a>) -> Answer<'a>,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// The result of a function's code.
pub type Answer<'a> = Result<Cow<'a, Value>, Stop>;

/// A checked node, ready to be evaluated.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Constant(Value),
    Pattern(Arc<Pattern>),
    Attribute(SourceAttribute),
    Call {
        function: &'static Function,
        arguments: Box<[Option<Step>]>,
        /// The number of this random draw in the expression, in the order of the text.
        draw: u16,
    },
    Compare(Box<(Step, Comparison, Step)>),
}

/// The source of attributes.
pub(super) trait Inputs {
    fn get<'a>(&'a self, attribute: &'a SourceAttribute) -> Result<Cow<'a, Value>, Stop>;
    /// Returns the inputs that all evaluations of the cycle share.
    fn context(&self) -> &Context;
    /// Returns the object and the row that values are drawn for.
    fn place(&self, draw: u16) -> Place<'_>;
    /// Receives the result of a call or a comparison, for a trace of how a result came about.
    fn seen(&self, _step: &Step, _result: &Result<Cow<'_, Value>, Stop>) {}
}

const NULL: &Value = &Value::Null;

/// One call of a function: its arguments, evaluated when asked for.
pub struct Call<'a> {
    function: &'static Function,
    inputs: &'a dyn Inputs,
    arguments: &'a [Option<Step>],
    draw: u16,
}

impl<'a> Call<'a> {
    /// Returns the number of arguments written, including those left out.
    #[must_use]
    pub fn count(&self) -> usize {
        self.arguments.len()
    }

    /// Returns whether the argument was written, and not left out between two commas.
    #[must_use]
    pub fn given(&self, index: usize) -> bool {
        self.arguments.get(index).is_some_and(Option::is_some)
    }

    /// Returns the argument's value, or null if it was left out.
    ///
    /// # Errors
    /// The reason why the argument has no value.
    pub fn value(&self, index: usize) -> Result<Cow<'a, Value>, Stop> {
        match self.arguments.get(index) {
            Some(Some(step)) => evaluate(step, self.inputs),
            _ => Ok(Cow::Borrowed(NULL)),
        }
    }

    /// Returns the argument as a condition. Null is false: Graph leaves a boolean null where it was never set. So is
    /// zero.
    ///
    /// # Errors
    /// When it is neither, and whatever stopped the argument.
    pub fn truth(&self, index: usize) -> Result<bool, Stop> {
        let value = self.value(index)?;
        if value.is_unassigned() {
            return Ok(false);
        }
        let number = || match &*value {
            Value::Integer(number) => Some(*number),
            Value::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        value
            .as_bool()
            .or_else(|| number().map(|number: i64| number != 0))
            .ok_or_else(|| self.failed("needs True or False", index))
    }

    /// Returns the argument as a whole number.
    ///
    /// # Errors
    /// When it is not one, and whatever stopped the argument.
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

    /// Returns the argument as a regular expression, or `None` if it was left out.
    #[must_use]
    pub fn pattern(&self, index: usize) -> Option<&'a Pattern> {
        match self.arguments.get(index) {
            Some(Some(Step::Pattern(pattern))) => Some(pattern),
            _ => None,
        }
    }

    /// Returns whether the argument is `vbTextCompare`.
    #[must_use]
    pub fn ignores_case(&self, index: usize) -> bool {
        matches!(
            self.arguments.get(index),
            Some(Some(Step::Constant(Value::Bool(true))))
        )
    }

    /// Returns what all evaluations of the cycle have in common.
    #[must_use]
    pub fn context(&self) -> &'a Context {
        self.inputs.context()
    }

    /// Returns the random stream for this call on this object and row.
    pub(super) fn stream(&self) -> Stream<'a> {
        Stream::new(self.inputs.context().seed, self.inputs.place(self.draw))
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
    let result = match step {
        Step::Constant(value) => return Ok(Cow::Borrowed(value)),
        Step::Pattern(pattern) => return Ok(Cow::Owned(Value::text(pattern.as_str()))),
        Step::Attribute(attribute) => return inputs.get(attribute),
        Step::Call {
            function,
            arguments,
            draw,
        } => (function.run)(&Call {
            function,
            inputs,
            arguments,
            draw: *draw,
        }),
        Step::Compare(compared) => compared_by(compared, inputs),
    };
    inputs.seen(step, &result);
    result
}

fn compared_by<'a>(
    compared: &'a (Step, Comparison, Step),
    inputs: &'a dyn Inputs,
) -> Result<Cow<'a, Value>, Stop> {
    let (left, comparison, right) = compared;
    let (left, right) = (evaluate(left, inputs)?, evaluate(right, inputs)?);
    Ok(Cow::Owned(Value::Bool(compare(&left, *comparison, &right)?)))
}

/// Compares two values. Two whole numbers compare as numbers, two dates that `CDate` or `Now` printed as dates,
/// anything else as text, where case matters and null is empty. Nothing is before or after an absent value: Entra's
/// condition fails on it, and a start date that was never entered must not enable an account.
fn compare(left: &Value, comparison: Comparison, right: &Value) -> Result<bool, Stop> {
    let (left, right) = (text_of(left)?, text_of(right)?);
    // Text equality even of numbers: an employeeId "007" is not "7".
    match comparison {
        Comparison::Equal => return Ok(left == right),
        Comparison::NotEqual => return Ok(left != right),
        _ if left.is_empty() || right.is_empty() => {
            return Err(Stop::Failed(format!(
                "`{}` compares with a value that is empty",
                comparison.sign()
            )));
        }
        _ => {}
    }
    let order = match (left.parse::<i64>(), right.parse::<i64>()) {
        (Ok(left), Ok(right)) => left.cmp(&right),
        _ => match (parse_printed(&left), parse_printed(&right)) {
            (Some(left), Some(right)) => left.cmp(&right),
            _ => left.cmp(&right),
        },
    };
    Ok(match comparison {
        Comparison::Less => order == Ordering::Less,
        Comparison::LessOrEqual => order != Ordering::Greater,
        Comparison::Greater => order == Ordering::Greater,
        _ => order != Ordering::Less,
    })
}

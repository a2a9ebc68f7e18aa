//! How a row's value comes about for one object: what it reads, the result of each call and comparison, and the row's
//! decision.
//!
//! The same evaluation as in a cycle, watched: nothing is computed in another way here. Values of rows that call
//! `Redact` are in the trace; the code that shows it leaves them out ([`Row::source`], `is_redacted`).

use std::borrow::Cow;
use std::cell::RefCell;
use std::fmt;

use crate::model::object::SourceObject;
use crate::model::value::Value;

use super::{
    context::{Context, Facts, Place},
    desired::{DesiredValue, say},
    evaluate::{Inputs, Step, evaluate},
    expression::OfObject,
    names::SourceAttribute,
    rows::Row,
    stop::Stop,
};

/// One attribute that was read, or one part of the expression that was evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traced {
    /// The attribute in square brackets, or the part's canonical text.
    pub expression: String,
    /// Its result.
    pub result: Result<Value, Stop>,
}

/// One row, traced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// The attributes that were read, in order, each once. Those that the result did not need were not read.
    pub inputs: Vec<Traced>,
    /// Calls and comparisons, inner ones first; the whole expression, where it is one of them, last.
    pub steps: Vec<Traced>,
    /// The row's decision, as in [`super::desired_in`].
    pub desired: DesiredValue,
}

/// Traces a row for an object. A row of references has nothing to trace: the planner resolves it.
#[must_use]
pub fn trace(context: &Context, row: &Row, object: &SourceObject, facts: &Facts) -> Trace {
    let watched = Watched {
        inner: OfObject {
            object,
            facts,
            context,
            row: row.target.as_str(),
        },
        inputs: RefCell::default(),
        steps: RefCell::default(),
    };
    let result = evaluate(row.source.step(), &watched).map(|value| match value {
        value if value.is_unassigned() => Value::Null,
        value => value.into_owned(),
    });
    Trace {
        desired: say(row, result),
        inputs: watched.inputs.into_inner(),
        steps: watched.steps.into_inner(),
    }
}

/// Inputs that record what was asked of them.
struct Watched<'o> {
    inner: OfObject<'o>,
    inputs: RefCell<Vec<Traced>>,
    steps: RefCell<Vec<Traced>>,
}

impl Inputs for Watched<'_> {
    fn get<'a>(&'a self, attribute: &'a SourceAttribute) -> Result<Cow<'a, Value>, Stop> {
        let result = self.inner.read(attribute);
        note(&self.inputs, format!("[{}]", attribute.written), &result);
        result
    }

    fn context(&self) -> &Context {
        self.inner.context
    }

    fn place(&self, draw: u16) -> Place<'_> {
        self.inner.place(draw)
    }

    fn seen(&self, step: &Step, result: &Result<Cow<'_, Value>, Stop>) {
        note(&self.steps, step.to_string(), result);
    }
}

/// Notes a result once: some functions ask for an argument twice.
fn note(list: &RefCell<Vec<Traced>>, expression: String, result: &Result<Cow<'_, Value>, Stop>) {
    let traced = Traced {
        expression,
        result: result.clone().map(Cow::into_owned),
    };
    let mut list = list.borrow_mut();
    if !list.contains(&traced) {
        list.push(traced);
    }
}

/// Writes the expression's canonical text, with constants as they are after the checks.
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Constant(Value::String(text)) => quoted(text, f),
            Self::Constant(Value::Bool(true)) => f.write_str("True"),
            Self::Constant(Value::Bool(false)) => f.write_str("False"),
            Self::Constant(value) => write!(f, "{value}"),
            Self::Pattern(pattern) => quoted(pattern.as_str(), f),
            Self::Attribute(attribute) => write!(f, "[{}]", attribute.written),
            Self::Call {
                function, arguments, ..
            } => {
                write!(f, "{}(", function.name)?;
                for (index, argument) in arguments.iter().enumerate() {
                    f.write_str(if index > 0 { ", " } else { "" })?;
                    if let Some(argument) = argument {
                        write!(f, "{argument}")?;
                    }
                }
                f.write_str(")")
            }
            Self::Compare(compared) => {
                let (left, comparison, right) = &**compared;
                write!(f, "{left} {} {right}", comparison.sign())
            }
        }
    }
}

fn quoted(text: &str, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

//! The values that an object should have at the target: every row of the mapping, evaluated.
//!
//! The result is indexed by row number, not by path: a hundred thousand users times twenty-three rows would otherwise
//! copy two million paths. `mapping.rows(kind)[row].target` is the path.

use crate::model::object::SourceObject;
use crate::model::value::Value;

use super::context::{Context, Facts};
use super::rows::{Apply, Authority, Mapping, Row};
use super::stop::Stop;
use super::stop::text_of;

/// One row's decision on one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DesiredValue {
    /// The target must hold this value; null clears what was sent.
    Value(Value),
    /// A value for a create; no decision afterwards (`apply = "create-only"`, or the target is the authority).
    CreateOnly(Value),
    /// The row's default, because the result is null: a value for a create; no decision afterwards.
    Default(Value),
    /// No decision: the result depends on this Graph property, which was never read.
    Unknown {
        /// The property that has to be selected.
        missing: String,
    },
    /// No decision: the expression yields no flow.
    NoFlow,
    /// No decision: the expression cannot be computed for this object, which is worth a finding.
    Failed {
        /// The cause, without the object's values.
        message: String,
    },
}

impl DesiredValue {
    /// Returns the value that a create carries, if any.
    #[must_use]
    pub const fn on_create(&self) -> Option<&Value> {
        match self {
            Self::Value(value) | Self::CreateOnly(value) | Self::Default(value) => Some(value),
            Self::Unknown { .. } | Self::NoFlow | Self::Failed { .. } => None,
        }
    }

    /// Returns the value that an update decides, if any; null means that it must be empty.
    #[must_use]
    pub const fn on_update(&self) -> Option<&Value> {
        match self {
            Self::Value(value) => Some(value),
            _ => None,
        }
    }
}

/// The values that one object should have.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Desired {
    /// Each row number within [`Mapping::rows`] of the object's kind, in order, with that row's decision. Rows of
    /// references are not here: the planner resolves them.
    pub attributes: Vec<(usize, DesiredValue)>,
}

impl Desired {
    /// Returns the decision of a row, or `None` for a row of references.
    #[must_use]
    pub fn row(&self, row: usize) -> Option<&DesiredValue> {
        let at = self.attributes.binary_search_by_key(&row, |(row, _)| *row).ok()?;
        Some(&self.attributes[at].1)
    }

    /// Returns rows with their decisions.
    pub fn with_rows<'d>(&'d self, rows: &'d [Row]) -> impl Iterator<Item = (&'d Row, &'d DesiredValue)> {
        self.attributes
            .iter()
            .filter_map(|(row, value)| Some((rows.get(*row)?, value)))
    }
}

/// Evaluates [`desired_in`] in the default context: for mappings without `Now`, `Guid` and `RandomString`, and for
/// tests.
#[must_use]
pub fn desired(mapping: &Mapping, object: &SourceObject, facts: &Facts) -> Desired {
    desired_in(&Context::default(), mapping, object, facts)
}

/// Computes the values that an object should have at the target.
#[must_use]
pub fn desired_in(context: &Context, mapping: &Mapping, object: &SourceObject, facts: &Facts) -> Desired {
    let rows = mapping.rows(object.kind);
    let mut attributes = Vec::with_capacity(rows.len());
    for (number, row) in rows.iter().enumerate() {
        if row.reference.is_none() {
            attributes.push((number, of_row(context, row, object, facts)));
        }
    }
    Desired { attributes }
}

fn of_row(context: &Context, row: &Row, object: &SourceObject, facts: &Facts) -> DesiredValue {
    let result = row
        .source
        .evaluate_object_in(context, row.target.as_str(), object, facts);
    say(row, result)
}

/// Turns the result of a row's expression into the row's decision.
pub(super) fn say(row: &Row, result: Result<Value, Stop>) -> DesiredValue {
    let value = match result.and_then(|value| fit(row, value)) {
        Ok(value) => value,
        Err(Stop::Unknown(missing)) => return DesiredValue::Unknown { missing },
        Err(Stop::NoFlow) => return DesiredValue::NoFlow,
        Err(Stop::Failed(message)) => {
            return DesiredValue::Failed {
                message: format!("{}: {message}", row.target),
            };
        }
    };
    let value = match (value, &row.default) {
        (Value::Null, Some(default)) => return DesiredValue::Default(default.clone()),
        (value, _) => value,
    };
    if row.apply == Apply::CreateOnly || row.authority == Authority::Target {
        DesiredValue::CreateOnly(value)
    } else {
        DesiredValue::Value(value)
    }
}

/// Converts a value to the type of its place: a boolean where SCIM has one, elements with a `value` where it has those
/// (the texts of `Split` for `entitlements`), else text as Entra prints it.
pub(super) fn fit(row: &Row, value: Value) -> Result<Value, Stop> {
    match value {
        Value::Null => Ok(Value::Null),
        value if row.target.is_boolean() => value
            .as_bool()
            .map(Value::Bool)
            .ok_or_else(|| Stop::Failed("the result is neither True nor False".to_owned())),
        value @ (Value::Bool(_) | Value::Integer(_)) => Ok(Value::String(text_of(&value)?.into_owned())),
        Value::List(items) if row.target.holds_elements() => {
            Ok(Value::List(items.into_iter().map(element).collect()))
        }
        text @ Value::String(_) if row.target.holds_elements() => Ok(Value::List(vec![element(text)])),
        other => Ok(other),
    }
}

/// Turns a text into an element of a complex multi-valued attribute.
fn element(value: Value) -> Value {
    match value {
        text @ Value::String(_) => Value::Map([("value".to_owned(), text)].into()),
        other => other,
    }
}

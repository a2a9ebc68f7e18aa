//! The mapping: in force, tried, carried over from Entra's own schema. Talks to nobody.

pub mod import;
pub mod person;
pub mod show;

use serde::Serialize;
use serde_json::Map;
use serde_json::Value as Json;

use super::error::AppError;
use crate::mapping::Expression;
use crate::mapping::Names;
use crate::mapping::Stop;
use crate::mapping::names;
use crate::mapping::text_of;
use crate::model::id::ObjectKind;
use crate::model::value::Value;

/// What an expression came to.
#[derive(Debug, Serialize)]
pub struct Tried {
    /// Strings as Entra prints them; null where nothing flows.
    pub value: Json,
}

/// Evaluates one expression with these attributes. What is not given is null.
pub fn test(text: &str, attributes: &Map<String, Json>) -> Result<Tried, AppError> {
    let expression = parsed(Names::Any, text)?;
    come_to(expression.evaluate(&|name| Some(attribute(attributes, name))))
}

fn parsed(names: Names, text: &str) -> Result<Expression, AppError> {
    Expression::parse(names, text).map_err(|error| {
        AppError::usage(
            error.to_string(),
            "correct the expression; attributes stand in square brackets",
        )
    })
}

fn come_to(evaluated: Result<Value, Stop>) -> Result<Tried, AppError> {
    let value = match evaluated {
        Ok(value) => value,
        // No attribute is unknown here: what is not given is null.
        Err(Stop::NoFlow | Stop::Unknown(_)) => Value::Null,
        Err(Stop::Failed(why)) => {
            return Err(AppError::failed(
                format!("the expression cannot be computed for these attributes: {why}"),
                "correct the expression, or the attributes",
            ));
        }
    };
    Ok(Tried {
        value: printed(&value),
    })
}

/// An attribute by the name that the expression uses, or by the other of its two names. What is not given is null.
fn attribute(given: &Map<String, Json>, name: &str) -> Value {
    let by_other_name = || {
        [ObjectKind::User, ObjectKind::Group].iter().find_map(|kind| {
            let wanted = names::resolve(Names::Of(*kind), name).ok()?;
            given.iter().find_map(|(key, value)| {
                let same = names::resolve(Names::Of(*kind), key).ok()?;
                (same.property == wanted.property && same.access == wanted.access).then_some(value)
            })
        })
    };
    given
        .get(name)
        .or_else(by_other_name)
        .map_or(Value::Null, Value::from_json)
}

/// Strings as Entra prints them: `True`, `42`; a list keeps its elements.
fn printed(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::List(items) => items.iter().map(printed).collect(),
        Value::Map(_) => value.to_json(),
        other => text_of(other).map_or(Json::Null, |text| text.into_owned().into()),
    }
}

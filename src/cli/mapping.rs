//! `mapping`: the mapping in force shown, one expression tried, Entra's own schema carried over. Talks to nobody.

mod import;
mod show;

use std::io::Read;
use std::path::Path;

use serde_json::Value as Json;
use serde_json::json;

use super::args::Globals;
use super::args::MappingAction;
use super::exit::Exit;
use super::report::Report;
use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::files;
use crate::mapping::Expression;
use crate::mapping::Names;
use crate::mapping::Stop;
use crate::mapping::names;
use crate::mapping::text_of;
use crate::model::id::ObjectKind;
use crate::model::value::Value;

/// Carries out one of them.
pub fn run(globals: &Globals, action: &MappingAction, report: &mut Report) -> Result<Exit, AppError> {
    match action {
        MappingAction::Show(job) => show::show(globals, job.job.as_deref(), report),
        MappingAction::Test {
            expression,
            attributes,
        } => test(expression, attributes.as_deref(), report),
        MappingAction::ImportEntra { file, out } => import::import(file, out.as_deref(), report),
    }
}

fn test(text: &str, attributes: Option<&str>, report: &mut Report) -> Result<Exit, AppError> {
    let attributes = attributes_of(attributes)?;
    let expression = Expression::parse(Names::Any, text).map_err(|error| {
        AppError::usage(
            error.to_string(),
            "correct the expression; attributes stand in square brackets",
        )
    })?;
    let value = match expression.evaluate(&|name| Some(attribute(&attributes, name))) {
        Ok(value) => value,
        Err(Stop::NoFlow) => Value::Null,
        Err(Stop::Unknown(name)) => {
            return Err(AppError::usage(
                format!("the expression needs [{name}], which is not given"),
                "give it with --attributes '{\"name\": \"value\"}'",
            ));
        }
        Err(Stop::Failed(why)) => {
            let shown = ErrorText {
                what: format!("the expression cannot be computed for these attributes: {why}"),
                ..ErrorText::default()
            };
            return Err(AppError::new(
                ErrorKind::Failed,
                shown.advise("correct the expression, or the attributes"),
            ));
        }
    };
    let printed = printed(&value);
    if report.is_json() {
        report.json(&json!({ "value": printed }));
    } else {
        match &printed {
            Json::Null => report.text("(null: nothing flows)"),
            Json::String(text) => report.text(text),
            other => report.text(&other.to_string()),
        }
    }
    Ok(Exit::Done)
}

/// An attribute by the name that the expression uses, or by the other of its two names. What is not given is null.
fn attribute(given: &serde_json::Map<String, Json>, name: &str) -> Value {
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

/// The attributes to try with: a JSON object, or `@FILE` that holds one.
fn attributes_of(given: Option<&str>) -> Result<serde_json::Map<String, Json>, AppError> {
    let Some(given) = given else {
        return Ok(serde_json::Map::new());
    };
    let text = match given.strip_prefix('@') {
        Some(file) => read(Path::new(file), "the attributes")?,
        None => given.to_owned(),
    };
    match serde_json::from_str(&text) {
        Ok(Json::Object(attributes)) => Ok(attributes),
        Ok(_) => Err(AppError::usage(
            "--attributes is no JSON object",
            "write it as in --attributes '{\"givenName\": \"Ada\", \"accountEnabled\": true}'",
        )),
        Err(error) => Err(AppError::usage(
            format!("--attributes is not JSON: {error}"),
            "write it as in --attributes '{\"givenName\": \"Ada\", \"accountEnabled\": true}'",
        )),
    }
}

/// Entra's own schema of a large application is a few hundred KiB.
const LARGEST: u64 = 16 << 20;

/// A file's text; `-` is standard input.
fn read(file: &Path, what: &str) -> Result<String, AppError> {
    let read = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        files::read_text(file, LARGEST)
    };
    read.map_err(|error| {
        let shown = ErrorText {
            what: format!("cannot read {what} from {}", file.display()),
            causes: vec![error.to_string()],
            ..ErrorText::default()
        };
        AppError::new(
            ErrorKind::Usage,
            shown.advise("name a file, or `-` for standard input"),
        )
    })
}

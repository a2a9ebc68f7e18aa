//! What reading at a path needs of JSON, in whatever type.

use serde_json::Value as Json;

use crate::mapping::path::TargetPath;
use crate::model::value::Value;

/// A JSON value.
pub(super) trait Tree: Sized {
    /// Returns the value under a key: as written, else in another case. Returns `None` for null.
    fn field(&self, key: &str) -> Option<&Self>;
    /// Returns the elements of a list.
    fn elements(&self) -> Option<&[Self]>;
    fn is_object(&self) -> bool;
    fn text(&self) -> Option<&str>;
    fn truth(&self) -> Option<bool>;
    /// Returns a number as it is written.
    fn number(&self) -> Option<String>;
}

impl Tree for Json {
    fn field(&self, key: &str) -> Option<&Self> {
        let map = self.as_object()?;
        map.get(key)
            .or_else(|| {
                map.iter()
                    .find(|(name, _)| name.eq_ignore_ascii_case(key))
                    .map(|(_, value)| value)
            })
            .filter(|value| !value.is_null())
    }

    fn elements(&self) -> Option<&[Self]> {
        self.as_array().map(Vec::as_slice)
    }

    fn is_object(&self) -> bool {
        Self::is_object(self)
    }

    fn text(&self) -> Option<&str> {
        self.as_str()
    }

    fn truth(&self) -> Option<bool> {
        self.as_bool()
    }

    fn number(&self) -> Option<String> {
        self.as_number().map(ToString::to_string)
    }
}

/// Returns true for an element that the path's filter selects.
pub(super) fn fits(element: &impl Tree, path: &TargetPath) -> bool {
    element.is_object()
        && path
            .filter()
            .iter()
            .all(|(name, wanted)| element.field(name).is_some_and(|held| is_wanted(held, wanted)))
}

fn is_wanted(held: &impl Tree, wanted: &Value) -> bool {
    match wanted {
        Value::Bool(wanted) => {
            let word = if *wanted { "true" } else { "false" };
            held.truth() == Some(*wanted) || held.text().is_some_and(|held| held.eq_ignore_ascii_case(word))
        }
        // `type` and its like have no case (RFC 7643 section 2.4).
        Value::String(wanted) => {
            held.text().is_some_and(|held| held.eq_ignore_ascii_case(wanted))
                || held
                    .number()
                    .is_some_and(|held| held.eq_ignore_ascii_case(wanted))
        }
        _ => false,
    }
}

/// Returns true where exactly this text or boolean is at a path.
pub(super) fn plainly_holds(resource: &impl Tree, path: &TargetPath, value: &Value) -> bool {
    let Some(held) = plain_value(resource, path) else {
        return false;
    };
    match value {
        Value::String(value) => held.text() == Some(value),
        Value::Bool(value) => held.truth() == Some(*value),
        _ => false,
    }
}

/// Returns the one value at a path, or `None` where there are several, or none.
fn plain_value<'t, T: Tree>(resource: &'t T, path: &TargetPath) -> Option<&'t T> {
    let holder = match path.urn() {
        Some(urn) => resource.field(urn)?,
        None => resource,
    };
    let attribute = holder.field(path.attribute())?;
    if path.filter().is_empty() {
        return match path.sub_attribute() {
            Some(sub) => attribute.field(sub),
            None if path.is_manager() && attribute.is_object() => attribute.field("value"),
            None => Some(attribute),
        };
    }
    let mut fitting = attribute
        .elements()?
        .iter()
        .filter(|element| fits(*element, path));
    match path.sub_attribute() {
        Some(sub) => fitting.find_map(|element| element.field(sub)),
        None => fitting.next(),
    }
}

//! From the wire to the model: JSON is read straight into [`Value`], without a tree in between.

use std::{collections::BTreeMap, fmt};

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::model::object::MemberKind;
use crate::model::object::Removed;
use crate::model::value::Attributes;
use crate::model::value::Value;

/// A [`Value`] read from JSON; the same result as `Value::from_json` of the tree.
pub(super) struct JsonValue(pub(super) Value);

impl<'de> Deserialize<'de> for JsonValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor).map(Self)
    }
}

struct ValueVisitor;

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, b: bool) -> Result<Value, E> {
        Ok(Value::Bool(b))
    }

    fn visit_i64<E>(self, n: i64) -> Result<Value, E> {
        Ok(Value::Integer(n))
    }

    fn visit_u64<E>(self, n: u64) -> Result<Value, E> {
        Ok(i64::try_from(n).map_or_else(|_| Value::String(n.to_string()), Value::Integer))
    }

    fn visit_f64<E>(self, n: f64) -> Result<Value, E> {
        Ok(Value::from_json(&n.into()))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::text(text))
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(Value::String(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(JsonValue(item)) = seq.next_element()? {
            items.push(item);
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = BTreeMap::new();
        while let Some((key, JsonValue(value))) = map.next_entry::<String, _>()? {
            entries.insert(key, value);
        }
        Ok(Value::Map(entries))
    }
}

/// Returns the properties of one object that was asked for by id: exactly the selected names, absent ones null. Not
/// `id`, which is the object's name and not a property of ours, and no references.
pub(super) fn selected(mut read: BTreeMap<String, JsonValue>, select: &[String]) -> Attributes {
    let plain = select.iter().filter(|name| !is_reference(name) && *name != "id");
    plain
        .map(|name| {
            (
                name.clone(),
                read.remove(name).map_or(Value::Null, |JsonValue(value)| value),
            )
        })
        .collect()
}

/// Returns true for the two properties that refer to other objects; they come as `<name>@delta`.
pub(super) fn is_reference(name: &str) -> bool {
    matches!(name, "manager" | "members")
}

/// Returns the kind of a referred object. Without a type it is taken for a user: a user that never comes waits visibly,
/// while a member taken for a device would be lost in silence.
pub(super) fn member_kind(odata_type: Option<&str>) -> MemberKind {
    let Some(name) = odata_type else {
        return MemberKind::User;
    };
    match name.trim_start_matches('#').to_ascii_lowercase().as_str() {
        "microsoft.graph.user" => MemberKind::User,
        "microsoft.graph.group" => MemberKind::Group,
        _ => MemberKind::Other,
    }
}

/// Reads the reason of a removal. Only `deleted` means permanently; any other reason, also an unknown one, is the
/// milder one.
pub(super) fn removed(reason: Option<&str>) -> Removed {
    match reason {
        Some(text) if text.eq_ignore_ascii_case("deleted") => Removed::HardDeleted,
        _ => Removed::SoftDeleted,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_read_directly_are_those_read_through_a_tree() {
        let json =
            r#"{"a":null,"b":[true,"x\n",{"c":-7}],"d":18446744073709551615,"e":1.5,"f":1e3,"g":{},"h":"ü"}"#;
        let direct = serde_json::from_str::<JsonValue>(json).unwrap().0;
        assert_eq!(direct, Value::from_json(&serde_json::from_str(json).unwrap()));
    }

    #[test]
    fn kinds_and_reasons_are_read_tolerantly() {
        for (text, kind) in [
            (Some("#microsoft.graph.user"), MemberKind::User),
            (Some("microsoft.graph.User"), MemberKind::User),
            (Some("#microsoft.graph.group"), MemberKind::Group),
            (Some("#microsoft.graph.device"), MemberKind::Other),
            (Some("#microsoft.graph.orgContact"), MemberKind::Other),
            (None, MemberKind::User),
        ] {
            assert_eq!(member_kind(text), kind, "{text:?}");
        }
        assert_eq!(removed(Some("deleted")), Removed::HardDeleted);
        for reason in [Some("changed"), Some("new"), None] {
            assert_eq!(removed(reason), Removed::SoftDeleted, "{reason:?}");
        }
    }
}

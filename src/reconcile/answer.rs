//! Whether an answer is about what was sent. Nothing is taken from one that is not: a proxy that mixes two answers up must
//! not link two people crosswise.

use serde_json::Value as Json;

use super::shown_members::ShownMembers;
use crate::mapping::TargetPath;
use crate::mapping::read_path;
use crate::mapping::same;
use crate::model::id::ObjectKind;
use crate::model::id::TargetId;
use crate::model::value::Value;

/// Whom the answer to a create is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// The resource that was sent.
    Ours,
    /// It names neither externalId nor a matching attribute.
    Nobody,
    /// Another resource.
    Other,
}

/// Judges the answer to a create: by externalId where it has one, else by the matching attributes, of which none may differ
/// and one must be there. Without `keys`, by the name that each kind has.
#[must_use]
pub fn of_create(kind: ObjectKind, sent: &Json, answered: &Json, keys: &[TargetPath]) -> About {
    let external = TargetPath::external_id();
    match judged(external, sent, answered) {
        Some(true) => return About::Ours,
        Some(false) => return About::Other,
        None => {}
    }
    let named = name_of(kind);
    let keys = if keys.is_empty() { named.as_slice() } else { keys };
    let mut about = About::Nobody;
    for key in keys.iter().filter(|key| *key != external) {
        match judged(key, sent, answered) {
            Some(true) => about = About::Ours,
            Some(false) => return About::Other,
            None => {}
        }
    }
    about
}

/// Judges a change that gave a user another name and is answered with another id: whether the target moved the resource, as
/// those do whose ids are made of names.
#[must_use]
pub fn is_moved(sent: impl Fn(&str) -> Option<Value>, answered: &Json) -> bool {
    let judged = |path: &TargetPath| {
        let sent = sent(path.as_str()).filter(|sent| !sent.is_unassigned())?;
        let held = read_path(answered, path).filter(|held| !held.is_unassigned())?;
        Some(is_kept_as(path, &held, &sent))
    };
    let named = name_of(ObjectKind::User).as_ref().and_then(judged);
    named == Some(true) && judged(TargetPath::external_id()) != Some(false)
}

/// True where both have a value and these are one; false where they are two.
fn judged(path: &TargetPath, sent: &Json, answered: &Json) -> Option<bool> {
    let value = |body| read_path(body, path).filter(|value| !value.is_unassigned());
    Some(is_kept_as(path, &value(answered)?, &value(sent)?))
}

/// True for the same value under the schema's rules, and for a text that the target trims or folds.
#[must_use]
pub fn is_kept_as(path: &TargetPath, held: &Value, sent: &Value) -> bool {
    same(path, held, sent) || is_form_of(held, sent)
}

/// True for a text that the target trims or folds: its own form of what was sent.
#[must_use]
pub fn is_form_of(held: &Value, sent: &Value) -> bool {
    match (held.as_str(), sent.as_str()) {
        (Some(held), Some(sent)) => held.trim().to_lowercase() == sent.trim().to_lowercase(),
        _ => false,
    }
}

/// True where a resource that was just made lacks a value that was sent: it has none there, or says no for yes. Any other
/// value is the target's own doing.
#[must_use]
pub fn lacks(held: Option<&Value>, sent: &Value) -> bool {
    let held = held.filter(|held| !held.is_unassigned());
    match (held, sent) {
        (_, sent) if sent.is_unassigned() => false,
        (None, _) => true,
        (Some(held), Value::Bool(sent)) => held.as_bool() != Some(*sent),
        (Some(_), _) => false,
    }
}

/// Those of the members that a group was made with that it has to be sent again. Where it shows some of them, others that
/// are not seen and may be in it are believed to be.
#[must_use]
pub fn lacking_members(shown: &ShownMembers, sent: &[TargetId]) -> Vec<TargetId> {
    let came = sent.iter().any(|member| shown.holds(member));
    let is_missing = |member: &&TargetId| shown.lacks(member) || !(came || shown.holds(member));
    sent.iter().filter(is_missing).cloned().collect()
}

fn name_of(kind: ObjectKind) -> Option<TargetPath> {
    let name = match kind {
        ObjectKind::User => "userName",
        ObjectKind::Group => "displayName",
    };
    name.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_judged_by_external_id_and_else_by_the_matching_attributes() {
        let mail: TargetPath = "emails[type eq \"work\"].value".parse().unwrap();
        let sent =
            json!({"externalId": "e1", "userName": "Ada@x", "emails": [{"type": "work", "value": "a@x"}]});
        for (name, answered, keys, about) in [
            (
                "ours",
                json!({"externalId": "e1", "userName": "other"}),
                &[][..],
                About::Ours,
            ),
            (
                "another's",
                json!({"externalId": "e2", "userName": "ada@x"}),
                &[],
                About::Other,
            ),
            (
                "no externalId, our name",
                json!({"userName": "ada@X "}),
                &[],
                About::Ours,
            ),
            (
                "an empty one, another name",
                json!({"externalId": "", "userName": "bob@x"}),
                &[],
                About::Other,
            ),
            ("neither", json!({"id": "7"}), &[], About::Nobody),
            ("no object", json!([1]), &[], About::Nobody),
            (
                "the mapping's own key",
                json!({"userName": "0815", "emails": [{"type": "work", "value": "A@x"}]}),
                std::slice::from_ref(&mail),
                About::Ours,
            ),
            (
                "another's key",
                json!({"userName": "ada@x", "emails": [{"type": "work", "value": "b@x"}]}),
                std::slice::from_ref(&mail),
                About::Other,
            ),
        ] {
            assert_eq!(
                of_create(ObjectKind::User, &sent, &answered, keys),
                about,
                "{name}"
            );
        }
        // What was sent without one says nothing of the one that the target gives.
        let nameless = json!({"displayName": "Pilots"});
        let given = json!({"externalId": "by the target", "displayName": "Pilots"});
        assert_eq!(of_create(ObjectKind::Group, &nameless, &given, &[]), About::Ours);
    }

    #[test]
    fn what_a_create_lacks_is_what_is_absent_and_a_switch_that_is_wrong() {
        for (held, sent, expected) in [
            (None, Value::text("a"), true),
            (Some(Value::text("")), Value::text("a"), true),
            (Some(Value::text("b")), Value::text("a"), false),
            (None, Value::Null, false),
            (Some(true.into()), false.into(), true),
            (Some("False".into()), false.into(), false),
        ] {
            assert_eq!(lacks(held.as_ref(), &sent), expected, "{held:?} for {sent:?}");
        }
    }

    #[test]
    fn members_that_are_not_seen_are_believed_only_where_others_came_and_not_all_are_shown() {
        let ids = |names: &[&str]| -> Vec<TargetId> {
            names.iter().filter_map(|name| TargetId::new(name)).collect()
        };
        for (there, whole, lacking) in [
            (&["a", "b"][..], true, &[][..]),
            (&["a"], true, &["b"]),
            (&[], true, &["a", "b"]),
            (&["a"], false, &[]),
            (&[], false, &["a", "b"]),
            (&["x"], false, &["a", "b"]),
        ] {
            let shown = ShownMembers {
                there: ids(there).into_iter().collect(),
                whole,
            };
            assert_eq!(
                lacking_members(&shown, &ids(&["a", "b"])),
                ids(lacking),
                "{there:?} {whole}"
            );
        }
    }

    #[test]
    fn a_renamed_user_under_another_id_is_one_only_with_the_new_name() {
        let sent = |path: &str| match path {
            "userName" => Some("new@x".into()),
            "externalId" => Some("e1".into()),
            _ => None,
        };
        for (answered, moved) in [
            (json!({"id": "new", "userName": "NEW@x"}), true),
            (
                json!({"id": "new", "userName": "new@x", "externalId": "e1"}),
                true,
            ),
            (
                json!({"id": "new", "userName": "new@x", "externalId": "e2"}),
                false,
            ),
            (json!({"id": "b", "userName": "bob@x"}), false),
            (json!({"id": "b"}), false),
        ] {
            assert_eq!(is_moved(sent, &answered), moved, "{answered}");
        }
        assert!(!is_moved(|_| None, &json!({"userName": "x"})));
    }
}

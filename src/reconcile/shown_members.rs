//! Who is in a group, by what its resource shows: in whatever shape it comes, and never more than it says.
//!
//! Targets answer groups without their members, with an empty list for every group, with the first few of them, or only when
//! asked for them by name. So a reading has two parts: who is seen in it, and whether that is everybody. Who is missing in a
//! reading that is not whole may be in the group all the same: then what was sent and accepted is the state.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::Map;
use serde_json::Value as Json;
use serde_json::json;

use super::operation::MEMBERS;
use crate::model::id::TargetId;

/// The key of a reading that says what its members come to. It is ours, and is never sent.
const MARK: &str = "melonsync:members";
/// Of a listing that shows none: the group by itself may show more.
const ASK: &str = "ask for the group by itself";
/// Others may be in it.
const PART: &str = "not all are shown";

/// The users in a group, as a reading shows them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ShownMembers {
    /// Who is seen in it.
    pub there: BTreeSet<TargetId>,
    /// True when nobody else is in it.
    pub whole: bool,
}

impl ShownMembers {
    /// True when this member is not in the group.
    #[must_use]
    pub fn lacks(&self, member: &TargetId) -> bool {
        self.whole && !self.there.contains(member)
    }

    /// True when this member is in the group.
    #[must_use]
    pub fn holds(&self, member: &TargetId) -> bool {
        self.there.contains(member)
    }
}

/// How much of a group's members a body shows, beyond what it holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// All of them.
    Whole,
    /// Some, or none.
    Part,
    /// None, in a listing.
    Ask,
}

/// The users that a group resource shows as its members.
#[must_use]
pub fn members_of(body: &Json) -> ShownMembers {
    let list = elements(body);
    let mut whole = body.get(MARK).is_none();
    let mut there = BTreeSet::new();
    for element in list {
        match member_in(element) {
            Some(Member::User(id)) => {
                there.insert(id);
            }
            Some(Member::Group) => {}
            // Somebody is in it, and it is not said who.
            None => whole = false,
        }
    }
    ShownMembers { there, whole }
}

/// These members with the names that a body shows them under.
pub(super) fn named<'b>(
    body: &'b Json,
    members: &'b BTreeSet<TargetId>,
) -> impl Iterator<Item = (&'b TargetId, Option<String>)> {
    let mut names: BTreeMap<TargetId, String> = BTreeMap::new();
    for element in elements(body) {
        let name = element.as_object().and_then(|fields| {
            let shown = |field: &str| fields.iter().find(|(key, _)| key.eq_ignore_ascii_case(field));
            shown("display")?.1.as_str()
        });
        if let (Some(Member::User(id)), Some(name)) =
            (member_in(element), name.filter(|name| !name.is_empty()))
        {
            names.insert(id, name.to_owned());
        }
    }
    members.iter().map(move |id| (id, names.remove(id)))
}

/// True for a group in a listing that has to be read by itself before its members are known.
#[must_use]
pub fn asks_for_members(body: &Json) -> bool {
    body.get(MARK).and_then(Json::as_str) == Some(ASK)
}

/// How many members a body shows, groups in it included.
#[must_use]
pub fn count_shown(body: &Json) -> usize {
    elements(body).len()
}

/// Marks how much of its members a body shows.
pub fn mark(body: &mut Json, extent: Extent) {
    let Some(group) = body.as_object_mut() else { return };
    match extent {
        Extent::Whole => drop(group.remove(MARK)),
        Extent::Part => drop(group.insert(MARK.to_owned(), PART.into())),
        Extent::Ask => drop(group.insert(MARK.to_owned(), ASK.into())),
    }
}

/// Puts these members in the place of those that a body shows.
pub fn set_members(body: &mut Json, members: &ShownMembers) {
    let Some(group) = body.as_object_mut() else { return };
    if let Some(key) = key_in(group) {
        group.remove(&key);
    }
    let list = members.there.iter().map(|id| json!({"value": id.as_str()}));
    group.insert(MEMBERS.to_owned(), list.collect());
    mark(
        body,
        if members.whole {
            Extent::Whole
        } else {
            Extent::Part
        },
    );
}

/// The key under which a group holds its members, as it spells it.
#[must_use]
pub fn key_in(group: &Map<String, Json>) -> Option<String> {
    if group.contains_key(MEMBERS) {
        return Some(MEMBERS.to_owned());
    }
    group
        .keys()
        .find(|key| key.eq_ignore_ascii_case(MEMBERS))
        .cloned()
}

/// The entries of a group's members: one may stand without its list.
fn elements(body: &Json) -> &[Json] {
    let held = body.as_object().and_then(|group| group.get(&key_in(group)?));
    match held {
        Some(Json::Array(list)) => list,
        None | Some(Json::Null) => &[],
        Some(one) => std::slice::from_ref(one),
    }
}

/// Whom an entry names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Member {
    /// A user, by id.
    User(TargetId),
    /// A group in the group: its id may be that of a user as well.
    Group,
}

/// Reads an entry: `"id"`, a number, `{"value": …}`, `{"id": …}`, `{"$ref": ".../Users/id"}`.
#[must_use]
pub fn member_in(entry: &Json) -> Option<Member> {
    let Json::Object(entry) = entry else {
        return id_in(entry).map(Member::User);
    };
    let field = |name: &str| {
        let mut fields = entry.iter();
        fields
            .find(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    };
    let reference = ["$ref", "ref"].iter().find_map(|name| field(name)?.as_str());
    let named_group = field("type")
        .and_then(Json::as_str)
        .is_some_and(|kind| kind.eq_ignore_ascii_case("group"));
    if named_group || reference.is_some_and(|to| names_collection(to, "Groups")) {
        return Some(Member::Group);
    }
    let own = ["value", "id"].iter().find_map(|name| match field(name)? {
        // Seen in the field: the user itself in the place of its id.
        Json::Object(user) => id_in(user.get("id").or_else(|| user.get("value"))?),
        id => id_in(id),
    });
    let referred = || TargetId::new(reference?.trim_end_matches('/').rsplit('/').next()?);
    own.or_else(referred).map(Member::User)
}

fn names_collection(reference: &str, collection: &str) -> bool {
    let mut parts = reference.trim_end_matches('/').rsplit('/').skip(1);
    parts
        .next()
        .is_some_and(|part| part.eq_ignore_ascii_case(collection))
}

fn id_in(id: &Json) -> Option<TargetId> {
    match id {
        Json::String(id) => TargetId::new(id),
        Json::Number(id) => TargetId::new(&id.to_string()),
        Json::Null | Json::Bool(_) | Json::Array(_) | Json::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(shown: &ShownMembers) -> Vec<&str> {
        shown.there.iter().map(TargetId::as_str).collect()
    }

    #[test]
    fn members_are_read_in_whatever_shape_they_come() {
        for (name, body, expected, whole) in [
            (
                "as the RFC has it",
                json!({"members": [{"value": "a", "$ref": "../Users/a"}]}),
                vec!["a"],
                true,
            ),
            ("bare ids", json!({"members": ["a", "b"]}), vec!["a", "b"], true),
            (
                "numbers",
                json!({"members": [{"value": 7}, 8]}),
                vec!["7", "8"],
                true,
            ),
            (
                "under `id`",
                json!({"members": [{"id": "a", "display": "A"}]}),
                vec!["a"],
                true,
            ),
            (
                "a reference alone",
                json!({"members": [{"$ref": "https://x/v2/Users/a/"}]}),
                vec!["a"],
                true,
            ),
            (
                "the user itself",
                json!({"members": [{"value": {"id": "a", "userName": "x"}}]}),
                vec!["a"],
                true,
            ),
            (
                "another case",
                json!({"Members": [{"Value": "a"}]}),
                vec!["a"],
                true,
            ),
            (
                "twice",
                json!({"members": [{"value": "a"}, {"value": "a"}]}),
                vec!["a"],
                true,
            ),
            (
                "one without its list",
                json!({"members": {"value": "a"}}),
                vec!["a"],
                true,
            ),
            ("none", json!({"members": []}), vec![], true),
            ("null", json!({"members": null}), vec![], true),
            ("not there", json!({}), vec![], true),
            (
                "groups in it",
                json!({"members": [{"value": "5", "type": "Group"}, {"value": "6", "$ref": "/Groups/6"}, {"value": "a", "type": "User"}]}),
                vec!["a"],
                true,
            ),
            (
                "somebody whom nothing names",
                json!({"members": [{"display": "A"}, {"value": "b"}]}),
                vec!["b"],
                false,
            ),
        ] {
            let shown = members_of(&body);
            assert_eq!((ids(&shown), shown.whole), (expected, whole), "{name}");
        }
    }

    #[test]
    fn a_mark_says_how_much_is_shown() {
        let mut body = json!({"members": [{"value": "a"}]});
        let (a, b) = (TargetId::new("a").unwrap(), TargetId::new("b").unwrap());
        assert!(members_of(&body).lacks(&b));
        mark(&mut body, Extent::Part);
        let shown = members_of(&body);
        assert!(shown.holds(&a) && !shown.lacks(&b) && !asks_for_members(&body));
        mark(&mut body, Extent::Ask);
        assert!(asks_for_members(&body) && !members_of(&body).whole);
        set_members(
            &mut body,
            &ShownMembers {
                there: [b].into(),
                whole: true,
            },
        );
        assert_eq!(body, json!({"members": [{"value": "b"}]}));
    }
}

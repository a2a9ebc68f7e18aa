//! What of a plan is shown, and how much of each entry.

use std::str::FromStr;

use serde_json::Value as Json;

use crate::model::verb::Act;
use crate::reconcile::operation::MEMBERS;
use crate::reconcile::operation::Verb;

/// What of a plan is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    /// Every attribute, every member and every reason of an entry, with whole ids.
    pub details: bool,
    /// Only entries that one of these lets through; all where there is none.
    pub only: Vec<Only>,
    /// At most so many entries a section.
    pub limit: Option<usize>,
    /// Each omission on its own line, and those as well for which nothing is to do.
    pub omitted: bool,
}

impl Shape {
    /// True where an entry of the plan, or of what is left alone, is to be shown.
    #[must_use]
    pub fn shows(&self, entry: &Json) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only.lets_through(entry))
    }
}

/// Entries of one kind, or about one object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Only {
    /// What takes something away: disables, deletes, members who leave.
    Removals,
    /// Creates.
    Creates,
    /// What changes an object that is there: updates, enables, links.
    Updates,
    /// Members who come or go.
    Memberships,
    /// About this user: an id, the beginning of one, or a name. Its memberships are shown too.
    User(String),
    /// About this group.
    Group(String),
}

impl FromStr for Only {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some(("user", name)) if !name.is_empty() => Ok(Self::User(name.to_owned())),
            Some(("group", name)) if !name.is_empty() => Ok(Self::Group(name.to_owned())),
            None if text == "removals" => Ok(Self::Removals),
            None if text == "creates" => Ok(Self::Creates),
            None if text == "updates" => Ok(Self::Updates),
            None if text == "memberships" => Ok(Self::Memberships),
            _ => Err("it is removals, creates, updates, memberships, user=NAME or group=NAME".to_owned()),
        }
    }
}

impl Only {
    fn lets_through(&self, entry: &Json) -> bool {
        let act = verb(entry).map(Verb::act);
        match self {
            Self::Removals => {
                matches!(
                    act,
                    Some(Act::Disable | Act::Delete | Act::RemoveMembers | Act::Leave)
                )
            }
            Self::Creates => act == Some(Act::Create),
            Self::Updates => {
                matches!(act, Some(Act::Update | Act::Enable | Act::Link | Act::Unlink))
            }
            Self::Memberships => matches!(
                act,
                Some(Act::AddMembers | Act::RemoveMembers | Act::Join | Act::Leave)
            ),
            Self::User(name) => {
                let members = changes(entry).filter(|change| change["attribute"] == MEMBERS);
                let mut members = members.filter_map(|change| member_of(change).map(|id| (id, change)));
                (is_of(entry, "user") && is(name, entry["object"].as_str(), entry["name"].as_str()))
                    || members.any(|(id, change)| is(name, Some(id), change["name"].as_str()))
            }
            Self::Group(name) => {
                is_of(entry, "group") && is(name, entry["object"].as_str(), entry["name"].as_str())
            }
        }
    }
}

/// The verb of an entry, where it has one.
pub(super) fn verb(entry: &Json) -> Option<Verb> {
    entry["operation"].as_str().and_then(Verb::named)
}

/// The changes of an entry.
pub(super) fn changes(entry: &Json) -> impl Iterator<Item = &Json> {
    entry["changes"].as_array().into_iter().flatten()
}

/// The member that a change of members is about.
pub(super) fn member_of(change: &Json) -> Option<&str> {
    change["after"].as_str().or_else(|| change["before"].as_str())
}

/// True where the entry is about an object of this kind: its own word, or its verb's.
fn is_of(entry: &Json, kind: &str) -> bool {
    match entry["kind"].as_str() {
        Some(word) => word == kind,
        None => verb(entry).is_some_and(|verb| verb.kind().word() == kind),
    }
}

/// As much of an id as counts as its beginning.
const BEGINNING: usize = 4;

fn is(asked: &str, id: Option<&str>, name: Option<&str>) -> bool {
    let asked = asked.to_lowercase();
    let begins = |id: &str| asked.len() >= BEGINNING && id.to_lowercase().starts_with(&asked);
    id.is_some_and(begins) || name.is_some_and(|name| name.to_lowercase() == asked)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_lets_through_what_it_names() {
        let create = json!({"operation": "create_user", "object": "6f96aaaa-1", "kind": "user", "name": "ada@corp.example"});
        let disable =
            json!({"operation": "disable_user", "object": "77770000-1", "kind": "user", "name": "Bob"});
        let member = json!({"operation": "remove_member", "object": "aaaa1111-1", "kind": "group", "name": "Staff",
            "changes": [{"attribute": "members", "before": "6f96aaaa-1", "after": null, "name": "ada@corp.example"}]});
        let withheld = json!({"operation": "disable_user", "object": "77770000-1", "kind": "user", "name": "Bob",
            "reason": "withheld"});
        let update =
            json!({"operation": "update_group", "object": "aaaa1111-1", "kind": "group", "name": "Staff"});
        let pending = json!({"operation": "disable_user", "object": "77770000-1", "name": "Bob"});
        let all = [&create, &disable, &member, &withheld, &update, &pending];
        for (only, expected) in [
            ("removals", [false, true, true, true, false, true]),
            ("creates", [true, false, false, false, false, false]),
            ("updates", [false, false, false, false, true, false]),
            ("memberships", [false, false, true, false, false, false]),
            ("user=ADA@corp.example", [true, false, true, false, false, false]),
            ("user=6f96", [true, false, true, false, false, false]),
            ("user=6f9", [false; 6]),
            ("user=bob", [false, true, false, true, false, true]),
            ("group=staff", [false, false, true, false, true, false]),
        ] {
            let shape = Shape {
                only: vec![only.parse().unwrap()],
                ..Shape::default()
            };
            assert_eq!(all.map(|entry| shape.shows(entry)), expected, "{only}");
        }
        assert!(Shape::default().shows(&create));
        for wrong in ["", "user=", "users", "user", "removals=1"] {
            assert!(wrong.parse::<Only>().is_err(), "{wrong}");
        }
    }
}

//! An independent model of a SCIM service: what it holds, what it refuses, and its habits. The faults of the weather
//! are in [`super::scim`].

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use melonsync::model::id::ObjectKind;
use melonsync::model::id::SourceId;
use melonsync::model::value::Value;
use melonsync::ports::Patch;
use serde_json::Value as Json;
use serde_json::json;

use super::dice::Dice;
use super::odd::Odd;
use super::odd::letters;

pub const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

/// A resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    pub kind: ObjectKind,
    pub user_name: String,
    pub external_id: String,
    pub active: bool,
    pub display: String,
    pub title: String,
    /// What is carried back.
    pub nick: String,
    pub manager: String,
    pub members: BTreeSet<String>,
    /// Made by another hand.
    pub foreign: bool,
    /// What the other hand had put in: stays where the source is empty.
    pub title_before: String,
    /// Who was in it by another hand before it was ours.
    pub members_before: BTreeSet<String>,
    /// The name that it had until another hand took it from it: who was linked to it by that name stays linked.
    pub name_before: String,
}

impl Resource {
    pub fn new(kind: ObjectKind) -> Self {
        Self {
            kind,
            user_name: String::new(),
            external_id: String::new(),
            active: true,
            display: String::new(),
            title: String::new(),
            nick: String::new(),
            manager: String::new(),
            members: BTreeSet::new(),
            foreign: false,
            title_before: String::new(),
            name_before: String::new(),
            members_before: BTreeSet::new(),
        }
    }

    /// The source object that it says to be.
    pub fn owner(&self) -> Option<SourceId> {
        self.external_id.parse().ok()
    }

    pub fn body(&self, id: &str) -> Json {
        let mut body = json!({"id": id, "displayName": self.display});
        let map = body.as_object_mut().unwrap();
        let mut text = |name: &str, value: &str| {
            if !value.is_empty() {
                map.insert(name.to_owned(), value.into());
            }
        };
        text("externalId", &self.external_id);
        text("title", &self.title);
        text("nickName", &self.nick);
        match self.kind {
            ObjectKind::User => {
                text("userName", &self.user_name);
                body["active"] = self.active.into();
                if !self.manager.is_empty() {
                    body[ENTERPRISE] = json!({"manager": {"value": self.manager}});
                }
            }
            ObjectKind::Group => {
                body["members"] = self.members.iter().map(|id| json!({"value": id})).collect();
            }
        }
        body
    }

    /// The same, once it got the values of a create that met it.
    fn with_values_of(&self, sent: &Self) -> Self {
        let or = |sent: &String, held: &String| {
            if sent.is_empty() {
                held.clone()
            } else {
                sent.clone()
            }
        };
        Self {
            user_name: sent.user_name.clone(),
            external_id: sent.external_id.clone(),
            active: sent.active,
            display: or(&sent.display, &self.display),
            title: or(&sent.title, &self.title),
            nick: or(&sent.nick, &self.nick),
            manager: or(&sent.manager, &self.manager),
            ..self.clone()
        }
    }

    fn set(&mut self, path: &str, value: &Value) {
        let text = value.as_str().unwrap_or_default().to_owned();
        match path {
            "userName" => self.user_name = text,
            "externalId" => self.external_id = text,
            "displayName" => self.display = text,
            "title" => self.title = text,
            "nickName" => self.nick = text,
            "active" => self.active = value.as_bool() != Some(false),
            MANAGER => self.manager = text,
            other => panic!("the mapping has no {other}"),
        }
    }
}

/// How a service is, all the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filters {
    Right,
    /// Compares userName with its case.
    CaseSensitive,
    Refused,
    /// Answers that there is nothing, whatever there is.
    Empty,
}

/// What becomes of a filter with `or`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OrFilters {
    Right,
    /// Only the first term counts.
    FirstTerm,
    /// At most two resources come, and nothing says that there are more.
    Few,
    Refused,
}

#[derive(Debug, Clone, Copy)]
pub struct Habits {
    pub filters: Filters,
    pub or_filters: OrFilters,
    /// Refuses a second user of the same name.
    pub unique: bool,
    /// A PATCH is answered with the resource.
    pub patch_answers: bool,
    /// Writes names in lower case.
    pub lower_case: bool,
    /// Keeps no titles.
    pub drops_titles: bool,
    /// Empties titles of users who are disabled, as IDmelon does with roles.
    pub clears_titles: bool,
    /// A deleted user stays a member by its id.
    pub dangling: bool,
    pub page: usize,
}

impl Habits {
    pub fn roll(dice: &mut Dice) -> Self {
        Self {
            filters: *dice
                .pick(&[
                    Filters::Right,
                    Filters::Right,
                    Filters::CaseSensitive,
                    Filters::Refused,
                    Filters::Empty,
                ])
                .unwrap_or(&Filters::Right),
            unique: dice.chance(75),
            patch_answers: dice.chance(60),
            lower_case: dice.chance(15),
            drops_titles: dice.chance(8),
            clears_titles: dice.chance(20),
            dangling: dice.chance(15),
            page: dice.between(2, 6) as usize,
            or_filters: *dice
                .pick(&[
                    OrFilters::Right,
                    OrFilters::Right,
                    OrFilters::FirstTerm,
                    OrFilters::Few,
                    OrFilters::Refused,
                ])
                .unwrap_or(&OrFilters::Right),
        }
    }

    /// Half of all services count right; the others by what else they are, so that the seeds of before tell the same stories.
    pub fn numbers(&self) -> Numbers {
        match (self.page, self.patch_answers) {
            (2, true) => Numbers::TooLow,
            (3, true) => Numbers::TooHigh,
            (4, true) => Numbers::Zero,
            (5, true) => Numbers::Missing,
            (6, true) => Numbers::PerPage,
            _ => Numbers::Right,
        }
    }
}

/// What `totalResults` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    Right,
    TooLow,
    TooHigh,
    Zero,
    Missing,
    PerPage,
}

impl Numbers {
    pub fn of(self, total: u64, shown: u64) -> Option<u64> {
        match self {
            Self::Right => Some(total),
            Self::TooLow => Some(total / 2),
            Self::TooHigh => Some(total + 3),
            Self::Zero => Some(0),
            Self::Missing => None,
            Self::PerPage => Some(shown),
        }
    }
}

/// Why a request is not done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum No {
    Conflict,
    NotFound,
    BadValue,
}

/// A write, as it is sent.
#[derive(Debug, Clone)]
pub enum Write {
    Create(ObjectKind, Json),
    Patch(ObjectKind, String, Patch),
    Delete(ObjectKind, String),
}

#[derive(Debug)]
pub struct Service {
    pub habits: Habits,
    pub held: BTreeMap<String, Resource>,
    pub made: u64,
    /// Writes under way, and the millisecond at which each was sent: not yet carried out.
    pub under_way: BTreeMap<u64, (u64, Write)>,
    /// Creates that are carried out at this millisecond, whoever waits for them.
    pub late: Vec<(u64, Write)>,
    pub tickets: u64,
    /// Members, by group, that another hand put in.
    pub put_in: BTreeSet<(String, String)>,
    /// True once another hand deleted a resource.
    pub spoiled: bool,
    pub odd: Odd,
    /// Resources that were there when a create was answered with them.
    pub met: BTreeSet<String>,
}

/// A title that the service refuses.
pub const REFUSED_TITLE: &str = "(refused)";

impl Service {
    pub fn new(habits: Habits, odd: Odd) -> Self {
        Self {
            odd,
            met: BTreeSet::new(),
            habits,
            held: BTreeMap::new(),
            made: 0,
            under_way: BTreeMap::new(),
            late: Vec::new(),
            tickets: 0,
            put_in: BTreeSet::new(),
            spoiled: false,
        }
    }

    pub fn of(&self, kind: ObjectKind) -> impl Iterator<Item = (&String, &Resource)> {
        self.held
            .iter()
            .filter(move |(_, resource)| resource.kind == kind)
    }

    pub fn get(&self, kind: ObjectKind, id: &str) -> Option<&Resource> {
        self.held.get(id).filter(|resource| resource.kind == kind)
    }

    /// The resources that say to be this object.
    pub fn owned_by(&self, owner: &SourceId) -> Vec<(&String, &Resource)> {
        let all = self.held.iter();
        all.filter(|(_, resource)| resource.owner() == Some(*owner))
            .collect()
    }

    /// Carries a write out; the id of its resource.
    pub fn carry_out(&mut self, write: &Write) -> Result<String, No> {
        match write {
            Write::Create(kind, body) => self.create(*kind, body),
            Write::Patch(kind, id, patch) => self.patch(*kind, id, patch),
            Write::Delete(kind, id) => {
                if self.get(*kind, id).is_none() {
                    return Err(No::NotFound);
                }
                self.remove(id);
                Ok(id.clone())
            }
        }
    }

    pub fn remove(&mut self, id: &str) {
        self.held.remove(id);
        for resource in self.held.values_mut() {
            if !self.habits.dangling {
                resource.members.remove(id);
            }
            if resource.manager == id {
                resource.manager.clear();
            }
        }
    }

    fn create(&mut self, kind: ObjectKind, body: &Json) -> Result<String, No> {
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let mut resource = Resource::new(kind);
        resource.user_name = text("userName");
        resource.external_id = text("externalId");
        resource.display = text("displayName");
        resource.title = text("title");
        resource.nick = text("nickName");
        resource.active = body["active"] != json!(false);
        let manager = &body[ENTERPRISE]["manager"];
        resource.manager = manager
            .as_str()
            .or(manager["value"].as_str())
            .unwrap_or_default()
            .to_owned();
        let members = body["members"].as_array().into_iter().flatten();
        resource.members = members
            .filter_map(|member| member["value"].as_str())
            .map(str::to_owned)
            .collect();
        self.check(&resource, None)?;
        if let Some(id) = self.meets(&resource) {
            self.met.insert(id.clone());
            self.put(&id, self.held[&id].with_values_of(&resource));
            return Ok(id);
        }
        self.odd.leave_out(&mut resource);
        self.made += 1;
        let id = format!("{}{}", kind.word(), self.made);
        self.put(&id, resource);
        Ok(id)
    }

    fn patch(&mut self, kind: ObjectKind, id: &str, patch: &Patch) -> Result<String, No> {
        let mut resource = self.get(kind, id).ok_or(No::NotFound)?.clone();
        let active = resource.active;
        for change in &patch.changes {
            let path = change.attribute.as_str();
            if !self.odd.swallows(path, &change.after) {
                resource.set(path, &change.after);
                self.odd.spread(&mut resource, path);
            }
        }
        for member in &patch.remove_members {
            resource.members.remove(member.as_str());
        }
        resource
            .members
            .extend(patch.add_members.iter().map(|member| member.as_str().to_owned()));
        self.check(&resource, Some(id))?;
        if self.habits.clears_titles && active && !resource.active {
            resource.title.clear();
        }
        self.put(id, resource);
        Ok(id.to_owned())
    }

    /// The resource that a create is taken for.
    fn meets(&self, new: &Resource) -> Option<String> {
        let name = letters(&new.user_name);
        let is_met = |(_, held): &(&String, &Resource)| {
            held.foreign && held.external_id.is_empty() && letters(&held.user_name) == name
        };
        let found = self.of(ObjectKind::User).find(is_met);
        let meets = self.odd.meets && new.kind == ObjectKind::User;
        found.filter(|_| meets).map(|(id, _)| id.clone())
    }

    fn put(&mut self, id: &str, mut resource: Resource) {
        if self.habits.lower_case {
            resource.user_name = resource.user_name.to_lowercase();
        }
        if self.habits.drops_titles {
            resource.title.clear();
        }
        self.held.insert(id.to_owned(), resource);
    }

    fn check(&self, resource: &Resource, but: Option<&str>) -> Result<(), No> {
        if resource.title == REFUSED_TITLE {
            return Err(No::BadValue);
        }
        let same = |(id, other): (&String, &Resource)| {
            Some(id.as_str()) != but
                && other.kind == ObjectKind::User
                && other.user_name.eq_ignore_ascii_case(&resource.user_name)
        };
        if resource.kind == ObjectKind::User && self.habits.unique && self.held.iter().any(same) {
            return Err(No::Conflict);
        }
        let named = |(id, other): (&String, &Resource)| {
            Some(id.as_str()) != but
                && other.kind == ObjectKind::Group
                && other.display.eq_ignore_ascii_case(&resource.display)
        };
        if resource.kind == ObjectKind::Group && self.odd.unique_groups && self.held.iter().any(named) {
            return Err(No::Conflict);
        }
        Ok(())
    }
}

//! Changes of the tenant: what an administrator, HR and time do to a directory.
//!
//! Ids are those of the objects; an unknown id changes nothing, and [`Tenant::user`] shows the result.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::Core;
use super::Tenant;
use super::assignments::Enterprise;
use super::directory::Directory;
use super::directory::Kind;
use super::directory::Life;
use super::whole;
use crate::sandbox::faults::mix;
use crate::sandbox::sample;

/// Creates objects with ids of their own, in order; the sample is built with it.
pub(in crate::sandbox) struct Filler<'a> {
    directory: &'a mut Directory,
    enterprise: &'a mut Enterprise,
}

/// The seed of users who join later: another than that of the sample.
const JOINERS: u64 = 777;

impl Filler<'_> {
    pub fn user(&mut self, id: String, props: Map<String, Value>) -> usize {
        self.directory.add(Kind::User, id, props)
    }

    pub fn group(&mut self, id: String, props: Map<String, Value>) -> usize {
        self.directory.add(Kind::Group, id, props)
    }

    pub fn device(&mut self, id: String) -> usize {
        self.directory.add(Kind::Device, id, Map::new())
    }

    pub fn manager(&mut self, user: usize, manager: usize) {
        self.directory.set_manager(user, Some(manager));
    }

    pub fn member(&mut self, group: usize, member: usize) {
        self.directory.set_member(group, member, true);
    }

    /// Assigns as [`Tenant::assign`] does.
    pub fn assign(&mut self, principal: usize, role: &str) {
        self.enterprise.assign(principal, role);
    }
}

impl Core {
    pub(super) fn directory_filler(&mut self) -> Filler<'_> {
        Filler {
            directory: &mut self.directory,
            enterprise: &mut self.enterprise,
        }
    }

    fn add(&mut self, kind: Kind, props: Value) -> String {
        let id = match props.get("id").and_then(Value::as_str) {
            Some(id) => id.to_owned(),
            None => sample::object_id(u64::MAX, self.directory.objects.len() as u64),
        };
        let mut props = object(props);
        props.remove("id");
        self.directory.add(kind, id.clone(), props);
        id
    }

    fn set_life(&mut self, id: &str, life: Life) {
        if let Some(at) = self.directory.find(id) {
            self.directory.set_life(at, life);
        }
    }
}

impl Tenant {
    /// Adds a user with these Graph properties (`id` is chosen where absent) and returns its object id.
    pub fn add_user(&self, props: Value) -> String {
        let mut full = json!({"accountEnabled": true, "userType": "Member"});
        merge(&mut full, props);
        self.core().add(Kind::User, full)
    }

    /// Adds a group with these Graph properties and returns its object id.
    pub fn add_group(&self, props: Value) -> String {
        self.core().add(Kind::Group, props)
    }

    /// Adds a device, which can be a member and must not be provisioned.
    pub fn add_device(&self) -> String {
        self.core().add(Kind::Device, Value::Null)
    }

    /// Merges Graph properties into a user; null clears one.
    pub fn set_user(&self, id: &str, props: Value) {
        let mut core = self.core();
        if let Some(at) = core.directory.find(id) {
            core.directory.set(at, object(props));
        }
    }

    /// Merges Graph properties into a group; `visibility: "HiddenMembership"` hides its members from apps without
    /// `Member.Read.Hidden`.
    pub fn set_group(&self, id: &str, props: Value) {
        self.set_user(id, props);
    }

    /// Sets `accountEnabled = false`.
    pub fn disable_user(&self, id: &str) {
        self.set_user(id, json!({"accountEnabled": false}));
    }

    /// Sets `accountEnabled = true`.
    pub fn enable_user(&self, id: &str) {
        self.set_user(id, json!({"accountEnabled": true}));
    }

    /// Moves a user to `directory/deletedItems` (delta: `@removed`, reason `changed`).
    pub fn soft_delete_user(&self, id: &str) {
        self.core().set_life(id, Life::Soft);
    }

    /// Brings a soft-deleted user back, with its memberships and reports.
    pub fn restore_user(&self, id: &str) {
        self.core().set_life(id, Life::Live);
    }

    /// Deletes a user for good (delta: `@removed`, reason `deleted`).
    pub fn hard_delete_user(&self, id: &str) {
        self.core().set_life(id, Life::Hard);
    }

    /// Moves a group to `directory/deletedItems`.
    pub fn soft_delete_group(&self, id: &str) {
        self.core().set_life(id, Life::Soft);
    }

    /// Brings a soft-deleted group back, with its members.
    pub fn restore_group(&self, id: &str) {
        self.core().set_life(id, Life::Live);
    }

    /// Deletes a group for good.
    pub fn hard_delete_group(&self, id: &str) {
        self.core().set_life(id, Life::Hard);
    }

    /// Sets or clears a user's manager.
    pub fn set_manager(&self, id: &str, manager: Option<&str>) {
        let mut core = self.core();
        let manager = manager.and_then(|manager| core.directory.find(manager));
        if let Some(at) = core.directory.find(id) {
            core.directory.set_manager(at, manager);
        }
    }

    /// Adds a user, group or device to a group.
    pub fn add_member(&self, group: &str, member: &str) {
        self.set_member(group, member, true);
    }

    /// Removes a member from a group.
    pub fn remove_member(&self, group: &str, member: &str) {
        self.set_member(group, member, false);
    }

    pub(super) fn set_member(&self, group: &str, member: &str, present: bool) {
        let mut core = self.core();
        if let (Some(group), Some(member)) = (core.directory.find(group), core.directory.find(member)) {
            core.directory.set_member(group, member, present);
        }
    }

    /// Returns the ids of the live users, in the order of their creation.
    pub fn user_ids(&self) -> Vec<String> {
        self.ids(Kind::User)
    }

    /// Returns the ids of the live groups.
    pub fn group_ids(&self) -> Vec<String> {
        self.ids(Kind::Group)
    }

    fn ids(&self, kind: Kind) -> Vec<String> {
        let core = self.core();
        core.directory
            .live(kind)
            .map(|at| core.directory.objects[at].id.clone())
            .collect()
    }

    /// Returns a live user by object id or userPrincipalName: `id` and every property ever set.
    pub fn user(&self, key: &str) -> Option<Value> {
        let core = self.core();
        let at = core
            .directory
            .find_user(key)
            .filter(|at| core.directory.is_live(*at))?;
        Some(whole(&core.directory, at))
    }

    /// Returns a live group by object id.
    pub fn group(&self, id: &str) -> Option<Value> {
        self.user(id)
    }

    /// Returns the manager's object id, or `None` while the manager is deleted.
    pub fn manager(&self, id: &str) -> Option<String> {
        let core = self.core();
        let at = core.directory.find(id)?;
        core.directory
            .effective_manager(at)
            .map(|manager| core.directory.objects[manager].id.clone())
    }

    /// Returns the ids of a group's live members: users, groups and devices.
    pub fn members(&self, group: &str) -> Vec<String> {
        let core = self.core();
        let Some(at) = core.directory.find(group) else {
            return Vec::new();
        };
        core.directory
            .effective_members(at)
            .map(|member| core.directory.objects[member].id.clone())
            .collect()
    }

    /// Returns the ids of a group's live members that are users.
    pub fn user_members(&self, group: &str) -> Vec<String> {
        let core = self.core();
        let Some(at) = core.directory.find(group) else {
            return Vec::new();
        };
        let objects = &core.directory.objects;
        let members = core
            .directory
            .effective_members(at)
            .filter(|member| objects[*member].kind == Kind::User);
        members.map(|member| objects[member].id.clone()).collect()
    }

    /// Changes the title of exactly `count` live users (all of them, where there are fewer), spread over the directory.
    pub fn mutate_attributes(&self, count: usize) -> usize {
        let mut core = self.core();
        let users: Vec<usize> = core.directory.live(Kind::User).collect();
        let count = count.min(users.len());
        for turn in 0..count {
            let at = users[turn * users.len() / count];
            let title = format!("Title {}", core.directory.seq + 1);
            core.directory.set(at, object(json!({"jobTitle": title})));
        }
        count
    }

    /// Adds so many new users, without a group.
    pub fn add_joiners(&self, count: usize) -> usize {
        let mut core = self.core();
        for _ in 0..count {
            let index = core.directory.objects.len() as u64;
            let (id, props) = sample::person(JOINERS, index, true);
            core.directory.add(Kind::User, id, props);
        }
        count
    }

    /// Makes changes of every kind, for about `fraction` of the users: the same for the same tenant and step. Returns
    /// how many changes were made.
    pub fn mutate(&self, fraction: f64, step: u64) -> usize {
        let users = self.user_ids();
        let wanted = ((users.len() as f64 * fraction).ceil() as usize).max(1);
        for turn in 0..wanted as u64 {
            let dice = mix(step.wrapping_mul(1_000_003).wrapping_add(turn));
            self.one_change(dice, step.wrapping_mul(5).wrapping_add(turn));
        }
        wanted
    }

    fn one_change(&self, dice: u64, kind: u64) {
        let (users, groups) = (self.user_ids(), self.group_ids());
        if users.len() < 2 || groups.is_empty() {
            return;
        }
        let user = &users[dice as usize % users.len()];
        let other = &users[(dice >> 17) as usize % users.len()];
        let group = &groups[(dice >> 29) as usize % groups.len()];
        // Unique, so that no two objects end up with one name.
        let tag = self.core().directory.seq;
        match kind % 19 {
            0 => self.set_user(
                user,
                json!({"displayName": format!("Ada Müller {tag}"), "surname": format!("Müller {tag}")}),
            ),
            1 => self.add_member(group, user),
            2 => self.set_user(
                user,
                json!({"department": format!("Department {tag}"), "mobilePhone": null}),
            ),
            3 => self.set_manager(user, Some(other)),
            4 => self.joiner(dice, group),
            5 => self.set_user(
                user,
                json!({"businessPhones": [format!("+44 20 {tag:05}")], "city": "Łódź"}),
            ),
            6 => self
                .members(group)
                .first()
                .into_iter()
                .for_each(|member| self.remove_member(group, member)),
            7 => self.set_user(user, json!({"accountEnabled": dice.is_multiple_of(2)})),
            8 => self.set_user(
                user,
                json!({"userPrincipalName": format!("renamed.{tag}@corp.example")}),
            ),
            9 => self.set_group(group, json!({"description": format!("Changed in step {kind}")})),
            10 => self.set_manager(user, None),
            11 => self.soft_delete_user(user),
            12 => self.restore_one(Kind::User),
            13 => self.set_group(group, json!({"displayName": format!("Group {tag} (renamed)")})),
            14 => self.new_group(tag, user, other),
            15 => self.soft_delete_group(group),
            16 => self.restore_one(Kind::Group),
            17 => self.hard_delete_user(user),
            _ => self.set_user(user, json!({"jobTitle": format!("Title {tag}")})),
        }
    }

    fn joiner(&self, dice: u64, group: &str) {
        let mut core = self.core();
        let index = core.directory.objects.len() as u64;
        let (id, props) = sample::person(dice, index, true);
        let at = core.directory.add(Kind::User, id, props);
        if let Some(group) = core.directory.find(group) {
            core.directory.set_member(group, at, true);
        }
    }

    fn new_group(&self, tag: u64, first: &str, second: &str) {
        let id =
            self.add_group(json!({"displayName": format!("Project {tag}"), "description": "A new project"}));
        self.add_member(&id, first);
        self.add_member(&id, second);
    }

    fn restore_one(&self, kind: Kind) {
        let mut core = self.core();
        let soft = core
            .directory
            .all(kind)
            .find(|at| core.directory.objects[*at].life == Life::Soft);
        if let Some(at) = soft {
            core.directory.set_life(at, Life::Live);
        }
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn merge(into: &mut Value, from: Value) {
    if let Some(map) = into.as_object_mut() {
        map.extend(object(from));
    }
}

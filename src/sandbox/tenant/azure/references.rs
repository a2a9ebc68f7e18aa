//! The second half of an execution: managers, groups and their members, once the users are there.

use std::collections::BTreeSet;

use axum::http::Method;
use serde_json::Value;
use serde_json::json;

use super::Azure;
use super::Link;
use super::execution::Running;
use super::execution::created;
use super::execution::differing;
use super::execution::keep;
use super::execution::told;
use super::mapped;
use super::mapped::ENTERPRISE;
use super::mapped::Values;
use crate::sandbox::tenant::directory::Life;

impl Running<'_> {
    pub(super) fn manager(&mut self, at: usize) {
        let wanted = self
            .directory
            .effective_manager(at)
            .filter(|manager| self.azure.users.contains_key(manager));
        let Some(link) = self
            .azure
            .users
            .get(&at)
            .filter(|link| link.active && link.manager != wanted)
        else {
            return;
        };
        let path = format!("{ENTERPRISE}:manager");
        let resource = |at: usize| self.azure.users.get(&at).map(|link| link.target.clone());
        let operation = match wanted.and_then(resource) {
            Some(id) => json!({"op": "replace", "path": path, "value": {"value": id}}),
            None => json!({"op": "remove", "path": path}),
        };
        let target = link.target.clone();
        let shown =
            |at: Option<usize>| at.map_or(Value::Null, |at| self.directory.objects[at].id.clone().into());
        let changed = vec![(path, shown(link.manager), shown(wanted))];
        let answered = self.send(
            Method::PATCH,
            &format!("Users/{target}"),
            String::new(),
            &mapped::operations_of(vec![operation]),
        );
        self.tell(at, "update", &target, changed, &answered);
        self.azure
            .users
            .entry(at)
            .and_modify(|link| link.manager = wanted);
    }

    pub(super) fn group(&mut self, at: usize) {
        let object = &self.directory.objects[at];
        let wanted = mapped::of_group(object);
        match (self.azure.groups.get(&at), object.life) {
            (None, Life::Live) => self.make_group(at, wanted),
            (Some(link), Life::Soft | Life::Hard) => {
                let target = link.target.clone();
                let answered = self.send(
                    Method::DELETE,
                    &format!("Groups/{target}"),
                    String::new(),
                    &Value::Null,
                );
                self.tell(at, "delete", &target, Vec::new(), &answered);
                self.azure.groups.remove(&at);
            }
            (Some(link), Life::Live) => {
                let changes = differing(&link.sent, &wanted, self.azure.mistakes.keeps_nulls);
                if changes.is_empty() {
                    return;
                }
                let (target, changed) = (link.target.clone(), told(&link.sent, &changes));
                let body = mapped::patch(&link.sent, &changes, None);
                let answered = self.send(Method::PATCH, &format!("Groups/{target}"), String::new(), &body);
                self.tell(at, "update", &target, changed, &answered);
                self.azure
                    .groups
                    .entry(at)
                    .and_modify(|link| keep(&mut link.sent, changes));
            }
            (None, _) => {}
        }
    }

    fn make_group(&mut self, at: usize, wanted: Values) {
        let Some(name) = wanted.get("displayName").cloned() else {
            return;
        };
        if let Some(resource) = self.found("Groups", "displayName", &name) {
            let target = resource["id"].as_str().unwrap_or_default().to_owned();
            let link = Link {
                target,
                sent: mapped::held(&resource, true),
                active: true,
                manager: None,
                members: BTreeSet::new(),
            };
            self.azure.groups.insert(at, link);
            return self.group(at);
        }
        let answered = self.send(
            Method::POST,
            "Groups",
            String::new(),
            &mapped::body(&wanted, true),
        );
        let target = answered.id();
        self.tell(at, "create", &target, created(&wanted), &answered);
        if answered.is_good() {
            let link = Link {
                target,
                sent: wanted,
                active: true,
                manager: None,
                members: BTreeSet::new(),
            };
            self.azure.groups.insert(at, link);
        }
    }

    pub(super) fn members(&mut self, at: usize) {
        let Some(link) = self.azure.groups.get(&at) else {
            return;
        };
        let known = |member: &usize| self.azure.users.contains_key(member);
        let wanted: BTreeSet<usize> = self.directory.effective_members(at).filter(known).collect();
        let (target, before) = (link.target.clone(), link.members.clone());
        for member in wanted.difference(&before) {
            self.membership(at, (&target, *member), true);
        }
        for member in before.difference(&wanted) {
            self.membership(at, (&target, *member), false);
        }
        let late: BTreeSet<usize> = self
            .directory
            .effective_members(at)
            .filter(|member| !known_to(self.azure, *member))
            .collect();
        if let Some(link) = self.azure.groups.get_mut(&at) {
            link.members = wanted;
            if self.azure.mistakes.forgets_late_members {
                link.members.extend(late);
            }
        }
    }

    fn membership(&mut self, group: usize, (target, member): (&str, usize), joins: bool) {
        // A user who is gone at the target is gone from its groups too.
        let Some(id) = self.azure.users.get(&member).map(|link| link.target.clone()) else {
            return;
        };
        let operation = if joins {
            json!({"op": "add", "path": "members", "value": [{"value": id}]})
        } else {
            json!({"op": "remove", "path": format!("members[value eq \"{id}\"]")})
        };
        let who: Value = self.directory.objects[member].id.clone().into();
        let (old, new) = if joins {
            (Value::Null, who)
        } else {
            (who, Value::Null)
        };
        let answered = self.send(
            Method::PATCH,
            &format!("Groups/{target}"),
            String::new(),
            &mapped::operations_of(vec![operation]),
        );
        self.tell(
            group,
            "update",
            target,
            vec![("members".to_owned(), old, new)],
            &answered,
        );
    }
}

fn known_to(azure: &Azure, member: usize) -> bool {
    azure.users.contains_key(&member)
}

//! One execution of Azure's job: users first, then managers, groups, members, each exported to the workspace by the requests
//! that a SCIM client sends, and each told in the log.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use axum::http::HeaderMap;
use axum::http::HeaderValue;
use axum::http::Method;
use serde_json::Value;
use serde_json::json;

use super::Azure;
use super::Link;
use super::log::Entry;
use super::mapped;
use super::mapped::Values;
use crate::sandbox::server::Call;
use crate::sandbox::server::Service;
use crate::sandbox::tenant::Core;
use crate::sandbox::tenant::directory::Directory;
use crate::sandbox::tenant::directory::Kind;
use crate::sandbox::tenant::directory::Life;
use crate::sandbox::workspace::BASE_PATH;
use crate::sandbox::workspace::Workspace;

/// What one request to the workspace came to.
pub(super) struct Answered {
    status: u16,
    body: Value,
}

impl Answered {
    pub(super) fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }

    pub(super) fn id(&self) -> String {
        self.body["id"].as_str().unwrap_or_default().to_owned()
    }
}

/// Carries out the execution that was begun. Returns how many entries it exported.
pub(super) fn finish(core: &mut Core) -> usize {
    let Core { azure, directory, .. } = core;
    let (Some(mut running), Some(workspace)) = (azure.running.take(), azure.workspace.clone()) else {
        return 0;
    };
    let mut job = Running {
        azure,
        directory,
        workspace,
        cycle: running.id.clone(),
        exported: 0,
        failed: 0,
    };
    let users: Vec<usize> = directory.all(Kind::User).collect();
    let groups: Vec<usize> = directory.all(Kind::Group).collect();
    users.iter().for_each(|at| job.user(*at));
    users.iter().for_each(|at| job.manager(*at));
    groups.iter().for_each(|at| job.group(*at));
    groups.iter().for_each(|at| job.members(*at));
    (running.exported, running.failed) = (job.exported, job.failed);
    running.ended = Some(azure.now());
    let exported = running.exported;
    azure.last = Some(running);
    exported
}

pub(super) struct Running<'c> {
    pub(super) azure: &'c mut Azure,
    pub(super) directory: &'c Directory,
    workspace: Workspace,
    cycle: String,
    exported: usize,
    failed: usize,
}

/// The values that change: `None` removes one.
pub(super) type Changes = BTreeMap<&'static str, Option<String>>;

impl Running<'_> {
    pub(super) fn send(&self, method: Method, path: &str, query: String, body: &Value) -> Answered {
        let mut headers = HeaderMap::new();
        let bearer = HeaderValue::from_str(&format!("Bearer {}", self.workspace.token()));
        headers.extend(
            bearer
                .ok()
                .map(|bearer| (axum::http::header::AUTHORIZATION, bearer)),
        );
        let kind = HeaderValue::from_static("application/scim+json");
        headers.insert(axum::http::header::CONTENT_TYPE, kind);
        let bytes = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        let call = Call {
            method,
            path: format!("{BASE_PATH}{path}"),
            query,
            headers,
            body: bytes.into(),
        };
        // Not in the workspace's log, which shows what others asked.
        let answer = self.workspace.answer(&call);
        Answered {
            status: answer.status,
            body: serde_json::from_slice(&answer.body).unwrap_or_default(),
        }
    }

    /// Tells an export in the log.
    pub(super) fn tell(
        &mut self,
        at: usize,
        action: &'static str,
        target: &str,
        changed: Vec<(String, Value, Value)>,
        answered: &Answered,
    ) {
        let object = &self.directory.objects[at];
        let good = answered.is_good();
        self.exported += usize::from(good);
        self.failed += usize::from(!good);
        let entry = Entry {
            object: object.id.clone(),
            name: object.props.get("displayName").cloned().unwrap_or_default(),
            group: object.kind == Kind::Group,
            action,
            target: target.to_owned(),
            changed,
            refused: (!good).then_some(answered.status),
            cycle: self.cycle.clone(),
        };
        let now = self.azure.now();
        self.azure.log.add(entry, now);
    }

    fn user(&mut self, at: usize) {
        let object = &self.directory.objects[at];
        let live = object.life == Life::Live && object.props.get("accountEnabled") != Some(&json!(false));
        let fails = self.azure.mistakes.fails.contains(&object.id);
        let link = self.azure.users.get(&at);
        if fails {
            if live && link.is_none() {
                self.tell(
                    at,
                    "create",
                    "",
                    Vec::new(),
                    &Answered {
                        status: 400,
                        body: Value::Null,
                    },
                );
            }
            return;
        }
        match (link.map(|link| (link.target.clone(), link.active)), object.life) {
            (None, Life::Live) if live => self.adopt_or_create(at),
            (Some((target, _)), Life::Hard) => {
                let answered = self.send(
                    Method::DELETE,
                    &format!("Users/{target}"),
                    String::new(),
                    &Value::Null,
                );
                self.tell(at, "delete", &target, Vec::new(), &answered);
                self.azure.users.remove(&at);
            }
            (Some((target, true)), _) if !live => {
                let body = mapped::patch(&Values::new(), &Changes::new(), Some(false));
                let answered = self.send(Method::PATCH, &format!("Users/{target}"), String::new(), &body);
                let changed = vec![("active".to_owned(), "True".into(), "False".into())];
                self.tell(at, "disable", &target, changed, &answered);
                self.azure.users.entry(at).and_modify(|link| link.active = false);
            }
            (Some(_), Life::Live) if live => self.update_user(at),
            _ => {}
        }
    }

    fn adopt_or_create(&mut self, at: usize) {
        let values = mapped::of_user(&self.directory.objects[at], &self.azure.mistakes);
        let Some(name) = values.get("userName").cloned() else {
            return;
        };
        let found = self.found("Users", "userName", &name);
        if let Some(resource) = found {
            let link = Link {
                target: resource["id"].as_str().unwrap_or_default().to_owned(),
                sent: mapped::held(&resource, false),
                active: resource["active"] != json!(false),
                manager: None,
                members: BTreeSet::new(),
            };
            self.azure.users.insert(at, link);
            return self.update_user(at);
        }
        let answered = self.send(
            Method::POST,
            "Users",
            String::new(),
            &mapped::body(&values, false),
        );
        let changed = created(&values);
        let target = answered.id();
        self.tell(at, "create", &target, changed, &answered);
        if answered.is_good() {
            let link = Link {
                target,
                sent: values,
                active: true,
                manager: None,
                members: BTreeSet::new(),
            };
            self.azure.users.insert(at, link);
        }
    }

    /// Asks for the resource whose attribute has this value.
    pub(super) fn found(&self, list: &str, attribute: &str, value: &str) -> Option<Value> {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("filter", &format!("{attribute} eq {}", json!(value)));
        let answered = self.send(Method::GET, list, query.finish(), &Value::Null);
        answered.body["Resources"].as_array()?.first().cloned()
    }

    fn update_user(&mut self, at: usize) {
        let wanted = mapped::of_user(&self.directory.objects[at], &self.azure.mistakes);
        let keeps = self.azure.mistakes.keeps_nulls;
        let Some(link) = self.azure.users.get(&at) else {
            return;
        };
        let (changes, active) = (
            differing(&link.sent, &wanted, keeps),
            (!link.active).then_some(true),
        );
        if changes.is_empty() && active.is_none() {
            return;
        }
        let target = link.target.clone();
        let mut changed = told(&link.sent, &changes);
        changed.extend(active.map(|_| ("active".to_owned(), "False".into(), "True".into())));
        let body = mapped::patch(&link.sent, &changes, active);
        let answered = self.send(Method::PATCH, &format!("Users/{target}"), String::new(), &body);
        self.tell(at, "update", &target, changed, &answered);
        if let (true, Some(link)) = (answered.is_good(), self.azure.users.get_mut(&at)) {
            keep(&mut link.sent, changes);
            link.active = true;
            if active.is_some() {
                self.came_back(at);
            }
        }
    }

    /// A user came back: the groups that hold them in Entra add them again, or take them for members still.
    fn came_back(&mut self, at: usize) {
        let forgets = self.azure.mistakes.restores_without_members;
        for (group, link) in &mut self.azure.groups {
            if forgets
                && self
                    .directory
                    .effective_members(*group)
                    .any(|member| member == at)
            {
                link.members.insert(at);
            }
        }
    }
}

pub(super) fn differing(sent: &Values, wanted: &Values, keeps_nulls: bool) -> Changes {
    let mut changes = Changes::new();
    for (path, value) in wanted {
        if sent.get(path) != Some(value) {
            changes.insert(path, Some(value.clone()));
        }
    }
    let gone = sent
        .keys()
        .filter(|path| !keeps_nulls && !wanted.contains_key(*path));
    changes.extend(gone.map(|path| (*path, None)));
    changes
}

pub(super) fn keep(sent: &mut Values, changes: Changes) {
    for (path, value) in changes {
        match value {
            Some(value) => sent.insert(path, value),
            None => sent.remove(path),
        };
    }
}

pub(super) fn created(values: &Values) -> Vec<(String, Value, Value)> {
    let shown = values
        .iter()
        .map(|(path, value)| ((*path).to_owned(), Value::Null, value.as_str().into()));
    shown.collect()
}

pub(super) fn told(sent: &Values, changes: &Changes) -> Vec<(String, Value, Value)> {
    let shown = |value: Option<&String>| value.map_or(Value::Null, |value| value.as_str().into());
    let each = changes
        .iter()
        .map(|(path, value)| ((*path).to_owned(), shown(sent.get(path)), shown(value.as_ref())));
    each.collect()
}

//! The tenant's part of the remote control, see [`crate::sandbox::control`].

use serde_json::Value;
use serde_json::json;

use super::Tenant;
use super::assignments::Enterprise;
use super::directory::Directory;
use super::directory::Kind;
use super::directory::Life;
use super::whole;
use crate::sandbox::control;
use crate::sandbox::sample;
use crate::sandbox::sample::SampleOptions;
use crate::sandbox::server::Answer;
use crate::sandbox::server::Call;

/// Twice the number of kinds of change, so that each occurs, also in a small tenant.
const EVERY_KIND: f64 = 38.0;

pub(super) fn answer(tenant: &Tenant, call: &Call) -> Answer {
    let fields = control::fields(call);
    match control::asked(call) {
        ("GET", "credentials") => control::answer(&json!({
            "service_principal_id": tenant.service_principal_id(), "tenant_id": tenant.tenant_id(), "client_id": tenant.client_id(), "client_secret": tenant.client_secret(),
        })),
        ("GET", "tenant") => control::answer(&tenant.truth()),
        ("POST", "tenant") => {
            tenant.refill(&fields);
            control::answer(&json!({}))
        }
        ("POST", "mutate") => control::answer(&json!({"changes": tenant.mutate_as_asked(&fields)})),
        ("POST", "assign") => {
            tenant.assign(text(&fields, "principal"), text(&fields, "role"));
            control::answer(&json!({}))
        }
        ("POST", "unassign") => {
            tenant.unassign(text(&fields, "principal"), fields["role"].as_str());
            control::answer(&json!({}))
        }
        ("POST", "member") => {
            let (group, member) = (text(&fields, "group"), text(&fields, "member"));
            tenant.set_member(group, member, fields["present"] != json!(false));
            control::answer(&json!({}))
        }
        ("POST", "user") => {
            tenant.set_user(text(&fields, "id"), fields["set"].clone());
            control::answer(&json!({}))
        }
        ("POST", "permission") => {
            let name = text(&fields, "name");
            if fields["granted"] == json!(false) {
                tenant.revoke_permission(name);
            } else {
                tenant.grant_permission(name);
            }
            control::answer(&json!({}))
        }
        ("POST", "azure") => {
            match text(&fields, "do") {
                "start" => tenant.start_azure(),
                "pause" => tenant.pause_azure(),
                "begin" => tenant.begin_azure_cycle(),
                "end" => return control::answer(&json!({"exported": tenant.end_azure_cycle()})),
                _ => return control::answer(&json!({"exported": tenant.azure_cycle()})),
            }
            control::answer(&json!({}))
        }
        ("POST", "forget-tokens") => {
            tenant.forget_tokens();
            control::answer(&json!({}))
        }
        _ => control::common(&tenant.inner.log, call),
    }
}

impl Tenant {
    /// Returns everything that the tenant holds: users with `manager` (an id or null), groups with `members` (`id` and
    /// `kind`), each with `life` (`live`, `soft` or `hard`) beside the Graph properties, and the `assignments`.
    /// References are those that Graph shows.
    pub fn truth(&self) -> Value {
        let core = self.core();
        let directory = &core.directory;
        let users: Vec<Value> = directory.all(Kind::User).map(|at| user(directory, at)).collect();
        let groups: Vec<Value> = directory
            .all(Kind::Group)
            .map(|at| group(directory, at))
            .collect();
        drop(core);
        json!({"users": users, "groups": groups, "assignments": self.assignments()})
    }

    fn refill(&self, fields: &Value) {
        let default = SampleOptions::default();
        let options = SampleOptions {
            users: control::number(fields, "users").unwrap_or(default.users),
            groups: control::number(fields, "groups").unwrap_or(default.groups),
            members_per_group: control::number(fields, "members_per_group"),
            nested: fields["nested"].as_bool().unwrap_or(default.nested),
            assigned: fields["assigned"].as_bool().unwrap_or(default.assigned),
            plain: fields["plain"].as_bool().unwrap_or(default.plain),
            ..default
        };
        let mut core = self.core();
        core.directory = Directory::default();
        core.enterprise = Enterprise::new();
        core.rounds.forget();
        sample::fill(&mut core.directory_filler(), &options);
    }

    fn mutate_as_asked(&self, fields: &Value) -> usize {
        let step = fields["step"].as_u64().unwrap_or(1);
        if let Some(count) = control::number(fields, "joiners") {
            return self.add_joiners(count);
        }
        match control::number(fields, "attributes") {
            Some(count) => self.mutate_attributes(count),
            None if fields["every_kind"] == json!(true) => {
                self.mutate(EVERY_KIND / self.user_ids().len().max(1) as f64, step)
            }
            None => 0,
        }
    }
}

fn text<'f>(fields: &'f Value, name: &str) -> &'f str {
    fields[name].as_str().unwrap_or_default()
}

fn user(directory: &Directory, at: usize) -> Value {
    let mut shown = whole(directory, at);
    shown["life"] = life(directory, at).into();
    shown["manager"] = directory.effective_manager(at).map_or(Value::Null, |manager| {
        directory.objects[manager].id.clone().into()
    });
    shown
}

fn group(directory: &Directory, at: usize) -> Value {
    let mut shown = whole(directory, at);
    shown["life"] = life(directory, at).into();
    let members = directory.effective_members(at).map(|member| {
        let member = &directory.objects[member];
        let kind = match member.kind {
            Kind::User => "user",
            Kind::Group => "group",
            Kind::Device => "device",
        };
        json!({"id": member.id, "kind": kind})
    });
    shown["members"] = members.collect();
    shown
}

fn life(directory: &Directory, at: usize) -> &'static str {
    match directory.objects[at].life {
        Life::Live => "live",
        Life::Soft => "soft",
        Life::Hard => "hard",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderMap;
    use axum::http::Method;

    fn ask(tenant: &Tenant, method: Method, path: &str, body: &str) -> (u16, Value) {
        let call = Call {
            method,
            path: format!("/sandbox/{path}"),
            query: String::new(),
            headers: HeaderMap::new(),
            body: body.to_owned().into(),
        };
        let answer = answer(tenant, &call);
        (answer.status, serde_json::from_slice(&answer.body).unwrap())
    }

    #[test]
    fn refilled_tenant_is_another_tenant() {
        let tenant = Tenant::sample(3, 1);
        let wish = r#"{"users":20,"groups":2,"members_per_group":10,"plain":true}"#;
        assert_eq!(ask(&tenant, Method::POST, "tenant", wish).0, 200);
        let (_, truth) = ask(&tenant, Method::GET, "tenant", "");
        assert_eq!(truth["users"].as_array().unwrap().len(), 20);
        assert_eq!(truth["users"][1]["manager"], truth["users"][0]["id"]);
        assert_eq!(truth["groups"][1]["members"].as_array().unwrap().len(), 10);
    }

    #[test]
    fn every_kind_of_change_leaves_deleted_and_new_objects() {
        let tenant = Tenant::sample(60, 12);
        let (_, made) = ask(&tenant, Method::POST, "mutate", r#"{"every_kind":true,"step":1}"#);
        assert!(made["changes"].as_u64().unwrap() >= 38);
        let truth = tenant.truth();
        let users = truth["users"].as_array().unwrap();
        assert!(users.len() > 60, "nobody joined");
        assert!(
            users.iter().any(|user| user["life"] == "hard"),
            "nobody was deleted for good"
        );
    }

    #[test]
    fn unknown_control_is_not_found() {
        assert_eq!(ask(&Tenant::empty(), Method::POST, "nonsense", "").0, 404);
    }
}

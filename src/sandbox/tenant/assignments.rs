//! The enterprise application that is provisioned: its app roles, and the users and groups assigned to it.
//!
//! Written from serviceprincipal-list-approleassignedto.md and approleassignment.md: an assignment is a principal (a user
//! or a group), a role and nothing else; the all-zero role is "default access". The list has no delta; it is read page by
//! page. An assignment of a deleted principal is not shown, and comes back with it.

use serde_json::Value;
use serde_json::json;

use super::Core;
use super::Tenant;
use super::directory::Directory;
use super::directory::Kind;
use super::graph::READ_APPLICATIONS;
use super::page;
use crate::sandbox::faults::mix;
use crate::sandbox::faults::retry_after_value;
use crate::sandbox::server::Answer;
use crate::sandbox::server::Call;

/// The object id of the enterprise application's service principal.
pub(super) const ENTERPRISE_PRINCIPAL: &str = "5a3d0b0c-7e57-4000-8000-0000000000e1";
/// Its application id.
pub(super) const ENTERPRISE_APP: &str = "5a3d0b0c-7e57-4000-8000-0000000000e2";
const ENTERPRISE_NAME: &str = "IDmelon";
/// The role that an assignment without a role has.
pub(super) const DEFAULT_ACCESS: &str = "00000000-0000-0000-0000-000000000000";
/// The administrator roles that IDmelon documents, in the order of its page.
const ROLES: [&str; 4] = [
    "GlobalAdministrator",
    "AuthenticationAdministrator",
    "BillingAdministrator",
    "ConditionalAccessAdministrator",
];

/// One app role of the enterprise application.
pub(super) struct Role {
    id: String,
    value: Value,
    name: String,
    enabled: bool,
}

/// One assignment.
struct Assigned {
    id: String,
    principal: usize,
    role: String,
}

/// The enterprise application.
pub(super) struct Enterprise {
    roles: Vec<Role>,
    assigned: Vec<Assigned>,
    /// Assignments ever made: each has an id of its own.
    made: u64,
}

impl Enterprise {
    pub fn new() -> Self {
        let role = |(number, value): (u64, &&str)| Role {
            id: role_id(number),
            value: (*value).into(),
            name: spaced(value),
            enabled: true,
        };
        Enterprise {
            roles: (1..).zip(&ROLES).map(role).collect(),
            assigned: Vec::new(),
            made: 0,
        }
    }

    /// Returns the id of a role by its value or id; an empty text is default access.
    fn role(&self, wanted: &str) -> Option<String> {
        if wanted.is_empty() || wanted == DEFAULT_ACCESS {
            return Some(DEFAULT_ACCESS.to_owned());
        }
        let found = self
            .roles
            .iter()
            .find(|role| role.id == wanted || role.value == wanted);
        found.map(|role| role.id.clone())
    }

    pub fn assign(&mut self, principal: usize, role: &str) {
        let Some(role) = self.role(role) else { return };
        let there = |held: &Assigned| held.principal == principal && held.role == role;
        if self.assigned.iter().any(there) {
            return;
        }
        self.made += 1;
        let id = format!("{:016x}{:06x}", mix(self.made), self.made);
        self.assigned.push(Assigned { id, principal, role });
    }

    fn unassign(&mut self, principal: usize, role: Option<&str>) {
        let role = role.map(|role| self.role(role).unwrap_or_default());
        self.assigned.retain(|held| {
            held.principal != principal || role.as_ref().is_some_and(|role| held.role != *role)
        });
    }

    /// Returns the app as a service principal.
    pub fn shown(&self) -> Value {
        let roles = self.roles.iter().map(|role| {
            json!({"id": role.id, "value": role.value, "displayName": role.name, "description": role.name,
                "isEnabled": role.enabled, "origin": "Application", "allowedMemberTypes": ["User"]})
        });
        json!({"id": ENTERPRISE_PRINCIPAL, "appId": ENTERPRISE_APP, "displayName": ENTERPRISE_NAME,
            "appRoleAssignmentRequired": true, "servicePrincipalType": "Application", "appRoles": roles.collect::<Vec<_>>()})
    }

    fn rows(&self, directory: &Directory) -> Vec<Value> {
        let live = self
            .assigned
            .iter()
            .filter(|held| directory.is_live(held.principal));
        live.map(|held| row(directory, held)).collect()
    }
}

fn row(directory: &Directory, held: &Assigned) -> Value {
    let principal = &directory.objects[held.principal];
    let principal_type = match principal.kind {
        Kind::User => "User",
        Kind::Group => "Group",
        Kind::Device => "ServicePrincipal",
    };
    json!({"id": held.id, "deletedDateTime": null, "appRoleId": held.role, "createdDateTime": "2026-01-01T00:00:00Z",
        "principalDisplayName": principal.props.get("displayName"), "principalId": principal.id,
        "principalType": principal_type, "resourceDisplayName": ENTERPRISE_NAME, "resourceId": ENTERPRISE_PRINCIPAL})
}

/// Returns whether a resource is the assignment list of the enterprise application.
pub(super) fn is_list(resource: &str) -> bool {
    let by_id = format!("servicePrincipals/{ENTERPRISE_PRINCIPAL}/appRoleAssignedTo");
    let by_app = format!("servicePrincipals(appId='{ENTERPRISE_APP}')/appRoleAssignedTo");
    resource == by_id || resource.replace("%27", "'") == by_app
}

/// Answers with a page of the list, with its faults.
pub(super) fn answer(core: &mut Core, call: &Call) -> Answer {
    if !core.may(READ_APPLICATIONS) {
        return page::denied();
    }
    if core.faults.assignment_throttle.strikes() {
        let answer = page::error(429, "TooManyRequests", "Too many requests.");
        return match &core.faults.retry_after {
            Some(setting) => answer.with("retry-after", retry_after_value(setting)),
            None => answer,
        };
    }
    if core.faults.assignment_error.strikes() {
        return page::error(
            503,
            "ServiceUnavailable",
            "The service is temporarily unavailable.",
        );
    }
    let rows = core.enterprise.rows(&core.directory);
    let from = call
        .option("skiptoken")
        .and_then(|token| token.parse().ok())
        .unwrap_or(0);
    let size = call.option("top").and_then(|top| top.parse().ok());
    let size = size.unwrap_or(core.options.assignments_per_page).clamp(1, 999);
    // An object was assigned before this page: everything moved by one, and one entry comes twice.
    let torn = from > 0 && core.faults.assignment_torn.strikes();
    let begin = if torn { from - 1 } else { from }.min(rows.len());
    let end = (begin + size).min(rows.len());
    let again = core.faults.assignment_endless.strikes();
    let mut body = json!({"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#appRoleAssignments",
        "value": rows[begin..end].to_vec()});
    if end < rows.len() {
        let host = if core.faults.assignment_foreign_link.strikes() {
            "https://graph.example.net".to_owned()
        } else {
            call.origin()
        };
        body["@odata.nextLink"] = format!("{host}{}?%24skiptoken={end}", call.path).into();
    }
    if again {
        let nonce = uuid::Uuid::new_v4();
        body["@odata.nextLink"] =
            format!("{}{}?%24skiptoken={from}&again={nonce}", call.origin(), call.path).into();
    }
    if core.faults.assignment_no_value.strikes() {
        body.as_object_mut()
            .into_iter()
            .for_each(|body| drop(body.remove("value")));
    }
    if core.faults.assignment_truncated.strikes() {
        let mut text = body.to_string();
        text.truncate(text.len() / 2);
        return Answer::raw(200, "application/json", text.into_bytes());
    }
    page::ok(&body)
}

impl Tenant {
    /// Returns the object id of the service principal of the enterprise application that is provisioned.
    pub fn service_principal_id(&self) -> String {
        ENTERPRISE_PRINCIPAL.to_owned()
    }

    /// Assigns a user or a group to the enterprise application. The role is the value of an app role, such as
    /// `GlobalAdministrator`; an empty text is default access. An unknown one changes nothing.
    pub fn assign(&self, principal: &str, role: &str) {
        let mut core = self.core();
        if let Some(at) = core.directory.find(principal) {
            core.enterprise.assign(at, role);
        }
    }

    /// Removes an assignment; all of the principal's where no role is named.
    pub fn unassign(&self, principal: &str, role: Option<&str>) {
        let mut core = self.core();
        if let Some(at) = core.directory.find(principal) {
            core.enterprise.unassign(at, role);
        }
    }

    /// Gives an app role another value; null is a role without one. Unknown roles stay unknown.
    pub fn set_role_value(&self, role: &str, value: Value) {
        let mut core = self.core();
        if let Some(id) = core.enterprise.role(role) {
            let found = core.enterprise.roles.iter_mut().find(|held| held.id == id);
            found.into_iter().for_each(|held| held.value = value.clone());
        }
    }

    /// Returns the assignments as the list shows them: `principalId`, `principalType`, `appRoleId`, and the role's
    /// `value`.
    pub fn assignments(&self) -> Vec<Value> {
        let core = self.core();
        let mut rows = core.enterprise.rows(&core.directory);
        for row in &mut rows {
            let role = core
                .enterprise
                .roles
                .iter()
                .find(|role| row["appRoleId"] == role.id.as_str());
            row["value"] = role.map_or(Value::Null, |role| role.value.clone());
        }
        rows
    }
}

/// Returns a stable id for the nth role of the sample application.
fn role_id(number: u64) -> String {
    crate::sandbox::sample::object_id(0x726f_6c65, number)
}

/// Writes `GlobalAdministrator` as people read it.
fn spaced(value: &str) -> String {
    let mut name = String::new();
    for letter in value.chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push(' ');
        }
        name.push(letter);
    }
    name
}

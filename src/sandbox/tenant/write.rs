//! Writes of the tenant: properties of a user, and members of a group by reference (user-update.md, group-post-members.md,
//! group-delete-members.md). Refuses what Graph refuses.

use serde_json::Map;
use serde_json::Value;

use super::Core;
use super::directory::Kind;
use super::directory::Life;
use super::page;
use crate::sandbox::server::Answer;
use crate::sandbox::server::Call;

const ANY_PROPERTY: &[&str] = &[
    "User.ReadUpdate.All",
    "User.ReadWrite.All",
    "Directory.ReadWrite.All",
];
const PHONES: &[&str] = &[
    "User-Phone.ReadWrite.All",
    "User.ReadWrite.All",
    "Directory.ReadWrite.All",
];
const MAILS: &[&str] = &[
    "User-Mail.ReadWrite.All",
    "User.ReadWrite.All",
    "Directory.ReadWrite.All",
];
const DELETE_USERS: &[&str] = &["User.ReadWrite.All", "Directory.ReadWrite.All"];
const ANY_MEMBER: &[&str] = &[
    "GroupMember.ReadWrite.All",
    "Group.ReadWrite.All",
    "Directory.ReadWrite.All",
];
/// Properties that only a higher role may change of an administrator.
const SENSITIVE: &[&str] = &[
    "accountEnabled",
    "businessPhones",
    "mobilePhone",
    "onPremisesImmutableId",
    "otherMails",
    "userPrincipalName",
];
const LONGEST_EMPLOYEE_ID: usize = 16;

/// Answers a write, or nothing where the address takes none.
pub(super) fn answer(core: &mut Core, call: &Call, resource: &str) -> Option<Answer> {
    let parts: Vec<&str> = resource.trim_matches('/').split('/').collect();
    let answer = match (call.method.as_str(), parts.as_slice()) {
        ("PATCH", ["users", id]) => update(core, call, id),
        ("POST", ["groups", group, "members", "$ref"]) => join(core, call, group),
        ("DELETE", ["groups", group, "members", member, "$ref"]) => leave(core, group, member),
        // As Graph does: without `/$ref` it is the member that is deleted.
        ("DELETE", ["groups", _, "members", member] | ["users", member]) => delete(core, member),
        _ => return None,
    };
    Some(answer)
}

fn object(call: &Call) -> Option<Map<String, Value>> {
    match serde_json::from_slice(&call.body) {
        Ok(Value::Object(map)) => Some(map),
        _ => None,
    }
}

fn bad(message: &str) -> Answer {
    page::error(400, "Request_BadRequest", message)
}

fn update(core: &mut Core, call: &Call, id: &str) -> Answer {
    let Some(properties) = object(call).filter(|map| !map.is_empty()) else {
        return bad("Unable to read JSON request payload.");
    };
    let right = |name: &str| match name {
        "mobilePhone" | "businessPhones" => PHONES,
        "otherMails" => MAILS,
        _ => ANY_PROPERTY,
    };
    if !properties.keys().all(|name| core.may(right(name))) {
        return page::denied();
    }
    let found = core.directory.find(id);
    let found =
        found.filter(|at| core.directory.is_live(*at) && core.directory.objects[*at].kind == Kind::User);
    let Some(at) = found.filter(|_| !core.faults.writes_not_found.strikes()) else {
        return page::not_found(id);
    };
    let held = &core.directory.objects[at].props;
    let is = |name: &str| held.get(name).and_then(Value::as_bool) == Some(true);
    if is("onPremisesSyncEnabled") && !is("isCloudManaged") {
        return bad(
            "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects currently \
             undergoing migration.",
        );
    }
    let sensitive = properties.keys().any(|name| SENSITIVE.contains(&name.as_str()));
    if sensitive && core.administrators.contains(id) {
        return page::denied();
    }
    let too_long = properties
        .get("employeeId")
        .and_then(Value::as_str)
        .is_some_and(|value| value.chars().count() > LONGEST_EMPLOYEE_ID);
    if too_long {
        return bad("Invalid value specified for property 'employeeId' of resource 'User'.");
    }
    if !core.faults.writes_lost.strikes() {
        core.directory.set(at, properties);
    }
    Answer::empty(204)
}

/// Returns the group that may be written, or the refusal.
fn writable_group(core: &mut Core, id: &str) -> Result<usize, Answer> {
    if !core.may(ANY_MEMBER) && !core.owns(id) {
        return Err(page::denied());
    }
    let found = core
        .directory
        .find(id)
        .filter(|at| core.directory.is_live(*at) && core.directory.objects[*at].kind == Kind::Group);
    let Some(at) = found.filter(|_| !core.faults.writes_not_found.strikes()) else {
        return Err(page::not_found(id));
    };
    let props = &core.directory.objects[at].props;
    let is = |name: &str| props.get(name).and_then(Value::as_bool) == Some(true);
    let types = props.get("groupTypes").and_then(Value::as_array);
    let has_type = |name: &str| types.is_some_and(|types| types.iter().any(|is| is == name));
    if is("isAssignableToRole") && !core.may(&["RoleManagement.ReadWrite.Directory"]) {
        return Err(page::denied());
    }
    if has_type("DynamicMembership") {
        return Err(page::error(
            403,
            "Authorization_RequestDenied",
            "Insufficient privileges to complete the operation: the members of a dynamic group cannot be changed.",
        ));
    }
    if is("mailEnabled") && !has_type("Unified") {
        return Err(bad(
            "Cannot Update a mail-enabled security groups and or distribution list.",
        ));
    }
    if is("onPremisesSyncEnabled") && !is("isCloudManaged") {
        return Err(bad(
            "Unable to update the specified properties for on-premises mastered Directory Sync objects or objects currently \
             undergoing migration.",
        ));
    }
    Ok(at)
}

fn join(core: &mut Core, call: &Call, group: &str) -> Answer {
    let at = match writable_group(core, group) {
        Ok(at) => at,
        Err(refusal) => return refusal,
    };
    let body = object(call).unwrap_or_default();
    let reference = body.get("@odata.id").and_then(Value::as_str).unwrap_or_default();
    let Some((_, member)) = reference.rsplit_once("/directoryObjects/") else {
        return bad("Invalid URL format specified in @odata.bind for members.");
    };
    if core.faults.fresh_objects.strikes() {
        return bad(
            "The source resource object or one of the objects being referenced don't exist. Please make sure that all the \
             objects exist and try again.",
        );
    }
    let Some(member_at) = core
        .directory
        .find(member)
        .filter(|at| core.directory.is_live(*at))
    else {
        return page::not_found(member);
    };
    if core.directory.effective_members(at).any(|held| held == member_at) {
        return bad(
            "One or more added object references already exist for the following modified properties: 'members'.",
        );
    }
    if !core.faults.writes_lost.strikes() {
        core.directory.set_member(at, member_at, true);
    }
    Answer::empty(204)
}

fn leave(core: &mut Core, group: &str, member: &str) -> Answer {
    let at = match writable_group(core, group) {
        Ok(at) => at,
        Err(refusal) => return refusal,
    };
    let held = core.directory.find(member);
    let Some(member_at) = held.filter(|held| core.directory.effective_members(at).any(|at| at == *held))
    else {
        return page::not_found(member);
    };
    if !core.faults.writes_lost.strikes() {
        core.directory.set_member(at, member_at, false);
    }
    Answer::empty(204)
}

fn delete(core: &mut Core, member: &str) -> Answer {
    if !core.may(DELETE_USERS) {
        return page::denied();
    }
    match core.directory.find(member) {
        Some(at) => {
            core.directory.set_life(at, Life::Soft);
            Answer::empty(204)
        }
        None => page::not_found(member),
    }
}

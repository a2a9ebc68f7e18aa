//! The shape of Graph's objects, pages and errors.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::directory::Directory;
use super::directory::Kind;
use crate::sandbox::clock;
use crate::sandbox::server::Answer;

const JSON: &str =
    "application/json;odata.metadata=minimal;odata.streaming=true;IEEE754Compatible=false;charset=utf-8";

/// The properties that a user shows without `$select` (resources/user.md).
const USER_DEFAULTS: [&str; 10] = [
    "businessPhones",
    "displayName",
    "givenName",
    "jobTitle",
    "mail",
    "mobilePhone",
    "officeLocation",
    "preferredLanguage",
    "surname",
    "userPrincipalName",
];

/// Every property that can be selected here, relations aside; anything else is answered 400, as Graph does.
const KNOWN: [&str; 47] = [
    "accountEnabled",
    "ageGroup",
    "businessPhones",
    "city",
    "companyName",
    "country",
    "createdDateTime",
    "creationType",
    "deletedDateTime",
    "department",
    "description",
    "displayName",
    "employeeHireDate",
    "employeeId",
    "employeeType",
    "externalUserState",
    "faxNumber",
    "givenName",
    "groupTypes",
    "id",
    "identities",
    "imAddresses",
    "isResourceAccount",
    "jobTitle",
    "mail",
    "mailEnabled",
    "mailNickname",
    "mobilePhone",
    "officeLocation",
    "onPremisesDistinguishedName",
    "onPremisesDomainName",
    "onPremisesExtensionAttributes",
    "onPremisesImmutableId",
    "onPremisesSamAccountName",
    "onPremisesSecurityIdentifier",
    "onPremisesSyncEnabled",
    "onPremisesUserPrincipalName",
    "otherMails",
    "postalCode",
    "preferredLanguage",
    "proxyAddresses",
    "securityEnabled",
    "state",
    "streetAddress",
    "surname",
    "usageLocation",
    "userPrincipalName",
];

/// The relations that can be selected on delta queries.
const RELATIONS: [&str; 4] = ["manager", "members", "owners", "memberOf"];
/// The other properties that can be selected.
const OTHERS: [&str; 14] = [
    "classification",
    "consentProvidedForMinor",
    "employeeLeaveDateTime",
    "externalUserStateChangeDateTime",
    "legalAgeGroupClassification",
    "onPremisesNetBiosName",
    "userType",
    "visibility",
    "membershipRule",
    "employeeOrgData",
    "isAssignableToRole",
    "onPremisesLastSyncDateTime",
    "preferredDataLocation",
    "showInAddressList",
];

/// The directory extensions that an application registered in this tenant; another one is unknown, as in Graph.
pub(in crate::sandbox) const EXTENSIONS: [&str; 2] = [
    "extension_0f6c2d5e3f0b4c619a537c1f1d2a9b10_badgeNumber",
    "extension_0f6c2d5e3f0b4c619a537c1f1d2a9b10_site",
];

/// Splits and checks a `$select`; an unknown property is named in the error.
pub(super) fn parse_select(text: &str) -> Result<Vec<String>, Answer> {
    let mut names = Vec::new();
    for name in text.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let known = KNOWN
            .iter()
            .chain(&RELATIONS)
            .chain(&OTHERS)
            .chain(&EXTENSIONS)
            .find(|known| known.eq_ignore_ascii_case(name));
        match known {
            Some(known) if !names.iter().any(|held| held == known) => names.push((*known).to_owned()),
            Some(_) => {}
            None => {
                let text =
                    format!("Could not find a property named '{name}' on type 'microsoft.graph.user'.");
                return Err(error(400, "Request_BadRequest", &text));
            }
        }
    }
    Ok(names)
}

/// Returns the properties that a type shows where nothing is selected.
pub(super) fn default_select(kind: Kind) -> Vec<String> {
    let names: Vec<&str> = match kind {
        Kind::Group => [&KNOWN[..], &["visibility", "members"]].concat(),
        _ => USER_DEFAULTS.to_vec(),
    };
    names
        .into_iter()
        .filter(|name| *name != "id")
        .map(str::to_owned)
        .collect()
}

pub(super) fn is_relation(name: &str) -> bool {
    RELATIONS.contains(&name)
}

/// Returns a single object as a plain GET shows it: a property that is selected and was never set is null.
pub(super) fn single(directory: &Directory, at: usize, select: &[String]) -> Map<String, Value> {
    let object = &directory.objects[at];
    let mut out = Map::new();
    out.insert("id".into(), object.id.clone().into());
    for name in select.iter().filter(|name| !is_relation(name) && *name != "id") {
        out.insert(name.clone(), object.props.get(name).cloned().unwrap_or_default());
    }
    out
}

/// Returns `{"@odata.type":…,"id":…}`, with `@removed` for a reference that is gone.
pub(super) fn reference(directory: &Directory, at: usize, removed: bool) -> Value {
    let object = &directory.objects[at];
    let mut entry = json!({"@odata.type": object.kind.odata_type(), "id": object.id});
    if removed {
        entry["@removed"] = json!({"reason": "deleted"});
    }
    entry
}

pub(super) fn ok(body: &Value) -> Answer {
    Answer::json(200, JSON, body)
}

/// Returns Graph's error body.
pub(super) fn error(status: u16, code: &str, message: &str) -> Answer {
    Answer::json(status, JSON, &error_body(code, message))
}

pub(super) fn error_body(code: &str, message: &str) -> Value {
    let id = "00000000-5a3d-4000-8000-000000000000";
    json!({"error": {"code": code, "message": message,
        "innerError": {"date": clock::timestamp(), "request-id": id, "client-request-id": id}}})
}

pub(super) fn not_found(id: &str) -> Answer {
    let text = format!(
        "Resource '{id}' does not exist or one of its queried reference-property objects are not present."
    );
    error(404, "Request_ResourceNotFound", &text)
}

pub(super) fn denied() -> Answer {
    error(
        403,
        "Authorization_RequestDenied",
        "Insufficient privileges to complete the operation.",
    )
}

//! The provisioning engine's names of source attributes, and their places in Microsoft Graph.
//!
//! Mapping files use the engine's names (`mobile`, `telephoneNumber`, `immutableId`: names of the old Azure AD Graph);
//! Graph's own names (`mobilePhone`, `onPremisesImmutableId`, `id`) mean the same. Source: Graph resource types user
//! and group.
//!
//! # `[appRoleAssignments]`
//! Not a property of Graph's user, and never in `$select`: the code that reads the assignments of the application
//! (`appRoleAssignedTo`) puts them into the user's [`SourceObject`](crate::model::object::SourceObject) under
//! [`APP_ROLES`], as a `Value::List` with one `Value::Map` for each role that the user holds, itself or through an
//! assigned group:
//!
//! ```json
//! [{"id": "<appRoleId>", "value": "GlobalAdministrator", "displayName": "Global Administrator"}]
//! ```
//!
//! All three are texts or null. An empty list, or `Value::Null`, means "has no role"; an absent attribute means "not
//! read", from which nothing is derived.

use std::{borrow::Cow, sync::Arc};

use crate::model::id::ObjectKind;
use crate::model::name::Name;

use super::diagnostic::nearest;

/// How the value is extracted from Graph's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// The property as it is.
    Whole,
    /// The first element of a list: `telephoneNumber` is the first of `businessPhones`.
    First,
    /// One key of an object: `extensionAttribute1` lies in `onPremisesExtensionAttributes`.
    Key(Arc<str>),
    /// `userPrincipalName`, where a guest's `alias_theirdomain#EXT#@tenant` reads `alias@theirdomain`
    /// (docs/design/entra.md, "Guests").
    GuestName,
    /// The object id, known without being selected.
    ObjectId,
    /// Computed by the planner: out of scope, unassigned, soft-deleted or disabled (default-mappings.json,
    /// `isSoftDeleted_true_when`).
    SoftDeleted,
    /// The user's app roles, from the assignments of the application; not selected (see the module's text).
    AppRoles,
    /// A reference to other objects.
    Reference(Reference),
}

/// The attribute of a source object that holds its app roles.
pub const APP_ROLES: &str = "appRoleAssignments";

/// A row whose value is other objects of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Reference {
    /// The user's manager.
    Manager,
    /// The group's members.
    Members,
}

/// A source attribute that an expression uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceAttribute {
    /// The name as written in the expression.
    pub written: Arc<str>,
    /// The Graph property to select; empty for the object id.
    pub property: Name,
    /// How to extract the value from it.
    pub access: Access,
}

/// The attributes that hold several values (Graph resource types user and group).
const LISTS: [&str; 3] = ["otherMails", "proxyAddresses", "groupTypes"];

/// The attributes that hold a boolean.
const BOOLEANS: [&str; 4] = [
    "accountEnabled",
    "onPremisesSyncEnabled",
    "mailEnabled",
    "securityEnabled",
];

impl SourceAttribute {
    /// Returns true for an attribute that holds several values.
    #[must_use]
    pub fn is_list(&self) -> bool {
        self.access == Access::Whole && LISTS.contains(&self.property.as_str())
    }

    /// Returns true for an attribute that holds a boolean.
    #[must_use]
    pub fn is_boolean(&self) -> bool {
        self.access == Access::SoftDeleted || BOOLEANS.contains(&self.property.as_str())
    }

    /// Returns true for an extension, whose type only the tenant knows.
    #[must_use]
    pub fn is_extension(&self) -> bool {
        self.property.starts_with("extension_") || matches!(self.access, Access::Key(_))
    }
}

/// The attribute names that an expression may use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Those of this kind of object.
    Of(ObjectKind),
    /// Any name: for trying an expression on made-up attributes.
    Any,
}

enum How {
    Whole,
    First,
    GuestName,
    ObjectId,
    SoftDeleted,
    AppRoles,
    Manager,
    Members,
}

/// The engine's name, the Graph property, and the access. The same name twice where both spell it alike.
type Entry = (&'static str, &'static str, How);

const USER: &[Entry] = &[
    ("IsSoftDeleted", "accountEnabled", How::SoftDeleted),
    ("accountEnabled", "accountEnabled", How::Whole),
    ("ageGroup", "ageGroup", How::Whole),
    (APP_ROLES, APP_ROLES, How::AppRoles),
    ("city", "city", How::Whole),
    ("companyName", "companyName", How::Whole),
    ("consentProvidedForMinor", "consentProvidedForMinor", How::Whole),
    ("country", "country", How::Whole),
    ("createdDateTime", "createdDateTime", How::Whole),
    ("creationType", "creationType", How::Whole),
    ("department", "department", How::Whole),
    ("dirSyncEnabled", "onPremisesSyncEnabled", How::Whole),
    ("displayName", "displayName", How::Whole),
    ("employeeHireDate", "employeeHireDate", How::Whole),
    ("employeeId", "employeeId", How::Whole),
    ("employeeLeaveDateTime", "employeeLeaveDateTime", How::Whole),
    ("employeeType", "employeeType", How::Whole),
    ("facsimileTelephoneNumber", "faxNumber", How::Whole),
    ("givenName", "givenName", How::Whole),
    ("immutableId", "onPremisesImmutableId", How::Whole),
    ("jobTitle", "jobTitle", How::Whole),
    (
        "legalAgeGroupClassification",
        "legalAgeGroupClassification",
        How::Whole,
    ),
    ("mail", "mail", How::Whole),
    ("mailNickname", "mailNickname", How::Whole),
    ("manager", "manager", How::Manager),
    ("mobile", "mobilePhone", How::Whole),
    ("netBiosName", "onPremisesDomainName", How::Whole),
    ("objectId", "id", How::ObjectId),
    (
        "onPremisesDistinguishedName",
        "onPremisesDistinguishedName",
        How::Whole,
    ),
    ("onPremisesSamAccountName", "onPremisesSamAccountName", How::Whole),
    (
        "onPremisesSecurityIdentifier",
        "onPremisesSecurityIdentifier",
        How::Whole,
    ),
    (
        "onPremisesUserPrincipalName",
        "onPremisesUserPrincipalName",
        How::Whole,
    ),
    ("originalUserPrincipalName", "userPrincipalName", How::Whole),
    ("otherMails", "otherMails", How::Whole),
    ("physicalDeliveryOfficeName", "officeLocation", How::Whole),
    ("postalCode", "postalCode", How::Whole),
    ("preferredLanguage", "preferredLanguage", How::Whole),
    ("proxyAddresses", "proxyAddresses", How::Whole),
    ("sipProxyAddress", "imAddresses", How::First),
    ("state", "state", How::Whole),
    ("streetAddress", "streetAddress", How::Whole),
    ("surname", "surname", How::Whole),
    ("telephoneNumber", "businessPhones", How::First),
    ("usageLocation", "usageLocation", How::Whole),
    ("userPrincipalName", "userPrincipalName", How::GuestName),
    ("userState", "externalUserState", How::Whole),
    (
        "userStateChangedOn",
        "externalUserStateChangeDateTime",
        How::Whole,
    ),
    ("userType", "userType", How::Whole),
];

const GROUP: &[Entry] = &[
    ("classification", "classification", How::Whole),
    ("createdDateTime", "createdDateTime", How::Whole),
    ("description", "description", How::Whole),
    ("dirSyncEnabled", "onPremisesSyncEnabled", How::Whole),
    ("displayName", "displayName", How::Whole),
    ("groupTypes", "groupTypes", How::Whole),
    ("mail", "mail", How::Whole),
    ("mailEnabled", "mailEnabled", How::Whole),
    ("mailNickname", "mailNickname", How::Whole),
    ("members", "members", How::Members),
    ("membershipRule", "membershipRule", How::Whole),
    ("netBiosName", "onPremisesNetBiosName", How::Whole),
    ("objectId", "id", How::ObjectId),
    ("onPremisesDomainName", "onPremisesDomainName", How::Whole),
    ("onPremisesSamAccountName", "onPremisesSamAccountName", How::Whole),
    (
        "onPremisesSecurityIdentifier",
        "onPremisesSecurityIdentifier",
        How::Whole,
    ),
    ("preferredLanguage", "preferredLanguage", How::Whole),
    ("proxyAddresses", "proxyAddresses", How::Whole),
    ("securityEnabled", "securityEnabled", How::Whole),
    ("visibility", "visibility", How::Whole),
];

/// The fifteen attributes that on-premises Exchange brought; Graph keeps them in one object.
const ON_PREMISES_EXTENSIONS: &str = "onPremisesExtensionAttributes";

fn table(kind: ObjectKind) -> &'static [Entry] {
    match kind {
        ObjectKind::User => USER,
        ObjectKind::Group => GROUP,
    }
}

/// Returns the attribute of a name. The error is the nearest name that exists.
///
/// # Errors
/// The suggestion, if any name is near.
pub fn resolve(names: Names, written: &str) -> Result<SourceAttribute, Option<String>> {
    let Names::Of(kind) = names else {
        return Ok(SourceAttribute {
            written: written.into(),
            property: written.into(),
            access: Access::Whole,
        });
    };
    let table = table(kind);
    // The engine's name first: Graph's `userPrincipalName` is the engine's, guests stripped.
    let found = table.iter().find(|(engine, ..)| *engine == written).or_else(|| {
        table
            .iter()
            .find(|(engine, property, _)| *property == written && *engine != "IsSoftDeleted")
    });
    if let Some((_, property, how)) = found {
        let access = match how {
            How::Whole => Access::Whole,
            // By Graph's name too: it takes one number only, "although a string collection" (user.md).
            How::First => Access::First,
            How::GuestName => Access::GuestName,
            How::ObjectId => Access::ObjectId,
            How::SoftDeleted => Access::SoftDeleted,
            How::AppRoles => Access::AppRoles,
            How::Manager => Access::Reference(Reference::Manager),
            How::Members => Access::Reference(Reference::Members),
        };
        return Ok(SourceAttribute {
            written: written.into(),
            property: (*property).into(),
            access,
        });
    }
    if let Some(attribute) = extension(kind, written) {
        return Ok(attribute);
    }
    let known = table
        .iter()
        .flat_map(|(engine, property, _)| [*engine, *property]);
    Err(nearest(written, known).map(str::to_owned))
}

/// Resolves `extensionAttribute1` to `15`, `employeeOrgData.division`, and directory extensions
/// (`extension_<application id without dashes>_<name>`), which Graph selects by their full name.
fn extension(kind: ObjectKind, written: &str) -> Option<SourceAttribute> {
    let within = |object: &'static str, key: &str| SourceAttribute {
        written: written.into(),
        property: object.into(),
        access: Access::Key(key.into()),
    };
    if kind == ObjectKind::User {
        if let Some(number) = written
            .strip_prefix("extensionAttribute")
            .and_then(|n| n.parse::<u8>().ok())
        {
            return (1..=15)
                .contains(&number)
                .then(|| within(ON_PREMISES_EXTENSIONS, written));
        }
        if let Some(key @ ("division" | "costCenter")) = written.strip_prefix("employeeOrgData.") {
            return Some(within("employeeOrgData", key));
        }
    }
    let (application, name) = written.strip_prefix("extension_")?.split_once('_')?;
    let is_one = application.len() == 32
        && application.bytes().all(|b| b.is_ascii_hexdigit())
        && name.chars().all(|c| c.is_alphanumeric() || c == '_')
        && !name.is_empty();
    is_one.then(|| SourceAttribute {
        written: written.into(),
        property: written.into(),
        access: Access::Whole,
    })
}

/// Returns a guest's name as their own organisation writes it: `ada_corp.example#EXT#@tenant.example` is
/// `ada@corp.example`. Any other name is returned as it is.
#[must_use]
pub fn guest_name(user_principal_name: &str) -> Cow<'_, str> {
    // In any case: some tenants rewrote their guests' names in lower case.
    let mut marks = user_principal_name.match_indices('#').map(|(at, _)| at);
    let is_mark = |at: &usize| {
        user_principal_name.as_bytes()[*at..]
            .get(..6)
            .is_some_and(|mark| mark.eq_ignore_ascii_case(b"#EXT#@"))
    };
    let Some(at) = marks.find(is_mark) else {
        return Cow::Borrowed(user_principal_name);
    };
    let home = &user_principal_name[..at];
    // The last underscore: an alias may contain some itself, a domain none.
    match home.rsplit_once('_') {
        Some((alias, domain)) => Cow::Owned(format!("{alias}@{domain}")),
        None => Cow::Borrowed(home),
    }
}

//! The permissions that the app has, and those that it needs (docs/design/graph.md, "Permissions"): for `melonsync
//! check`.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::Deserialize;

use crate::model::clock::Timestamp;
use crate::model::secret::Secret;

/// An application permission that a configuration needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NeededPermission {
    /// The least permission that serves, as named in the Entra admin centre.
    pub least: &'static str,
    /// Permissions that include it; any one is enough.
    pub or: &'static [&'static str],
    /// What it is for, and what does not work without it.
    pub purpose: &'static str,
    /// If true, no cycle runs without it; otherwise only what `purpose` describes is missing.
    pub required: bool,
}

impl NeededPermission {
    /// Returns whether these granted permissions suffice.
    #[must_use]
    pub fn is_met_by(&self, granted: &[String]) -> bool {
        granted
            .iter()
            .any(|name| name == self.least || self.or.contains(&name.as_str()))
    }
}

const USERS: NeededPermission = NeededPermission {
    least: "User.Read.All",
    or: &[
        "User.ReadWrite.All",
        "Directory.Read.All",
        "Directory.ReadWrite.All",
    ],
    purpose: "reading users, their managers and deleted users",
    required: true,
};
const GROUPS: NeededPermission = NeededPermission {
    least: "GroupMember.Read.All",
    or: &[
        "GroupMember.ReadWrite.All",
        "Group.Read.All",
        "Group.ReadWrite.All",
        "Directory.Read.All",
        "Directory.ReadWrite.All",
    ],
    purpose: "reading groups and their members",
    required: true,
};
const DELETED_GROUPS: NeededPermission = NeededPermission {
    least: "Group.Read.All",
    or: &[
        "Group.ReadWrite.All",
        "Directory.Read.All",
        "Directory.ReadWrite.All",
    ],
    purpose: "proving that a group was deleted; without it a group that disappeared unseen is kept",
    required: false,
};

const APPLICATIONS: NeededPermission = NeededPermission {
    least: "Application.Read.All",
    or: &[
        "Application.ReadWrite.All",
        "Directory.Read.All",
        "Directory.ReadWrite.All",
    ],
    purpose: "reading the assignments of the enterprise application, and its app roles",
    required: true,
};

/// For the enrolled group, where joining takes a passkey that was seen.
pub const PASSKEYS: NeededPermission = NeededPermission {
    least: "AuditLog.Read.All",
    or: &["UserAuthMethod-Passkey.Read.All"],
    purpose: "seeing who has a passkey in Entra; without it nobody joins the enrolled group",
    required: true,
};

/// For seeing Azure's own provisioning job of the application.
pub const AZURE_JOB: NeededPermission = NeededPermission {
    least: "Synchronization.Read.All",
    or: &["Synchronization.ReadWrite.All"],
    purpose: "seeing Azure's own provisioning job; without it nobody knows whether that writes too",
    required: false,
};

/// For comparing with what that job did.
pub const AZURE_LOG: NeededPermission = NeededPermission {
    least: "ProvisioningLog.Read.All",
    or: &["AuditLog.Read.All"],
    purpose: "reading what Azure's own job did; without it the two cannot be compared",
    required: false,
};

/// Returns the permissions that reading these types needs, and those for the assignments of the enterprise application,
/// where a configuration asks for them. Groups that are not managed are read all the same where assignments are: their
/// members decide.
#[must_use]
pub fn permissions_needed(users: bool, groups: bool, assignments: bool) -> Vec<NeededPermission> {
    let of_users = users.then_some(USERS);
    let of_groups = (groups || assignments).then_some([GROUPS, DELETED_GROUPS]);
    let of_assignments = assignments.then_some(APPLICATIONS);
    let of_groups = of_groups.into_iter().flatten();
    of_users
        .into_iter()
        .chain(of_groups)
        .chain(of_assignments)
        .collect()
}

/// What an access token states about itself. Only shown, never trusted: the service judges the token.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TokenFacts {
    /// Granted application permissions; `None` where the token cannot be read (it may be opaque).
    pub granted: Option<Vec<String>>,
    /// The tenant that issued it.
    pub tenant: Option<String>,
    /// The app it was issued to.
    pub client: Option<String>,
    /// When it expires.
    pub expires: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Claims {
    #[serde(default)]
    roles: Vec<String>,
    tid: Option<String>,
    appid: Option<String>,
    azp: Option<String>,
    exp: Option<i64>,
}

/// Reads the middle part of a JWT; an opaque token has no facts.
pub(super) fn facts(token: &Secret) -> TokenFacts {
    let claims = token.expose().split('.').nth(1).and_then(|part| {
        let json = URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?;
        serde_json::from_slice::<Claims>(&json).ok()
    });
    claims.map_or_else(TokenFacts::default, |claims| TokenFacts {
        granted: Some(claims.roles),
        tenant: claims.tid,
        client: claims.appid.or(claims.azp),
        expires: claims.exp.map(|seconds| Timestamp(seconds.saturating_mul(1000))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(claims: &str) -> Secret {
        Secret::new(format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(claims)))
    }

    #[test]
    fn a_token_tells_its_roles_tenant_and_end() {
        let facts = facts(&token(
            r#"{"roles":["User.Read.All"],"tid":"t","appid":"a","exp":1767323045,"x":1}"#,
        ));
        assert_eq!(facts.granted.as_deref(), Some(&["User.Read.All".to_owned()][..]));
        assert_eq!(
            (facts.tenant.as_deref(), facts.client.as_deref()),
            (Some("t"), Some("a"))
        );
        assert_eq!(facts.expires, Some(Timestamp(1_767_323_045_000)));
    }

    #[test]
    fn a_token_without_roles_has_none_and_an_opaque_one_says_nothing() {
        assert_eq!(facts(&token("{}")).granted, Some(Vec::new()));
        for opaque in ["EwBgA8l6BAAU", "a.b.c", "", "..", "a.bm90IGpzb24.c"] {
            assert_eq!(
                facts(&Secret::new(opaque.into())),
                TokenFacts::default(),
                "{opaque}"
            );
        }
    }

    #[test]
    fn a_wider_permission_serves_for_a_narrow_one() {
        let names = |users, groups, assignments| {
            permissions_needed(users, groups, assignments)
                .iter()
                .map(|p| p.least)
                .collect::<Vec<_>>()
        };
        assert_eq!(names(true, false, false), ["User.Read.All"]);
        assert_eq!(
            names(true, true, false),
            ["User.Read.All", "GroupMember.Read.All", "Group.Read.All"]
        );
        assert_eq!(
            names(true, false, true),
            [
                "User.Read.All",
                "GroupMember.Read.All",
                "Group.Read.All",
                "Application.Read.All"
            ]
        );
        assert!(
            GROUPS.is_met_by(&["Group.Read.All".into()])
                && !DELETED_GROUPS.is_met_by(&["GroupMember.Read.All".into()])
        );
    }
}

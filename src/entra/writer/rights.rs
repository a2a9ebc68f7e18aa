//! The rights of the writer's app: what each thing needs at least, and what must not be there (docs/design/write-back.md, "Rights").

use crate::entra::permissions::NeededPermission;

const UPDATE: NeededPermission = NeededPermission {
    least: "User.ReadUpdate.All",
    or: &["User.ReadWrite.All", "Directory.ReadWrite.All"],
    purpose: "writing attributes of users back",
    required: true,
};
const PHONE: NeededPermission = NeededPermission {
    least: "User-Phone.ReadWrite.All",
    or: &["User.ReadWrite.All", "Directory.ReadWrite.All"],
    purpose: "writing phone numbers back",
    required: true,
};
const MAIL: NeededPermission = NeededPermission {
    least: "User-Mail.ReadWrite.All",
    or: &["User.ReadWrite.All", "Directory.ReadWrite.All"],
    purpose: "writing other mail addresses back",
    required: true,
};

/// Returns the least permission for writing this Graph property.
#[must_use]
pub fn of(property: &str) -> NeededPermission {
    match property {
        "mobilePhone" | "businessPhones" => PHONE,
        "otherMails" => MAIL,
        _ => UPDATE,
    }
}

/// Returns the least permissions for writing these Graph properties.
#[must_use]
pub fn needed<'a>(properties: impl IntoIterator<Item = &'a str>) -> Vec<NeededPermission> {
    let mut needed: Vec<NeededPermission> = Vec::new();
    for property in properties {
        let right = of(property);
        if !needed.contains(&right) {
            needed.push(right);
        }
    }
    needed
}

/// How the writer may change the members of the enrolled group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupWay {
    /// Its app owns the group: the narrowest way.
    Owner,
    /// It may change the members of any group that is not role-assignable.
    AnyGroup,
    /// Neither was seen. A role over an administrative unit may be left, which only a change of a member shows.
    NotSeen,
}

/// Returns how the app may change the members of a group, by its owners (application ids) and by what was granted.
#[must_use]
pub fn group_way(client_id: &str, owners: &[String], granted: &[String]) -> GroupWay {
    const ANY: [&str; 2] = ["GroupMember.ReadWrite.All", "Group.ReadWrite.All"];
    if owners.iter().any(|owner| owner.eq_ignore_ascii_case(client_id)) {
        GroupWay::Owner
    } else if granted.iter().any(|name| ANY.contains(&name.as_str())) {
        GroupWay::AnyGroup
    } else {
        GroupWay::NotSeen
    }
}

/// Returns the granted permissions with which the writer could delete users, or give itself that right.
#[must_use]
pub fn too_wide(granted: &[String]) -> Vec<&str> {
    let dangerous = |name: &&str| {
        matches!(
            *name,
            "User.ReadWrite.All" | "Directory.ReadWrite.All" | "User.DeleteRestore.All"
        ) || name.starts_with("RoleManagement.ReadWrite")
            || name.starts_with("Application.ReadWrite")
            || name.starts_with("AppRoleAssignment.ReadWrite")
    };
    granted.iter().map(String::as_str).filter(dangerous).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_property_has_its_least_right() {
        let least = |properties: &[&str]| -> Vec<&str> {
            let needed = needed(properties.iter().copied());
            needed.iter().map(|right| right.least).collect()
        };
        assert_eq!(
            least(&["mobilePhone", "businessPhones", "jobTitle", "department"]),
            ["User-Phone.ReadWrite.All", "User.ReadUpdate.All"]
        );
        assert_eq!(least(&["otherMails"]), ["User-Mail.ReadWrite.All"]);
        assert!(least(&[]).is_empty());
    }

    #[test]
    fn the_narrowest_way_to_the_group_is_named() {
        let own = |names: &[&str]| -> Vec<String> { names.iter().map(|name| (*name).to_owned()).collect() };
        let any = own(&["GroupMember.ReadWrite.All"]);
        for (name, owners, granted, expected) in [
            ("an owner", own(&["other", "APP"]), any.clone(), GroupWay::Owner),
            ("any group", own(&["other"]), any, GroupWay::AnyGroup),
            (
                "neither",
                own(&[]),
                own(&["User.ReadUpdate.All"]),
                GroupWay::NotSeen,
            ),
        ] {
            assert_eq!(group_way("app", &owners, &granted), expected, "{name}");
        }
    }

    #[test]
    fn a_right_that_could_delete_users_is_named() {
        let granted =
            |names: &[&str]| -> Vec<String> { names.iter().map(|name| (*name).to_owned()).collect() };
        let fit = granted(&[
            "User-Phone.ReadWrite.All",
            "User.ReadUpdate.All",
            "GroupMember.ReadWrite.All",
        ]);
        assert!(too_wide(&fit).is_empty());
        let wide = granted(&[
            "User.ReadWrite.All",
            "RoleManagement.ReadWrite.Directory",
            "User.Read.All",
        ]);
        assert_eq!(
            too_wide(&wide),
            ["User.ReadWrite.All", "RoleManagement.ReadWrite.Directory"]
        );
    }
}

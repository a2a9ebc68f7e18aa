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

/// Returns the least permissions for writing these Graph properties.
#[must_use]
pub fn needed<'a>(properties: impl IntoIterator<Item = &'a str>) -> Vec<NeededPermission> {
    let mut needed: Vec<NeededPermission> = Vec::new();
    for property in properties {
        let right = match property {
            "mobilePhone" | "businessPhones" => PHONE,
            "otherMails" => MAIL,
            _ => UPDATE,
        };
        if !needed.contains(&right) {
            needed.push(right);
        }
    }
    needed
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

//! The users and groups assigned to the enterprise application, and their app roles.
//!
//! Entra's "assigned" scope and its app roles both come from this one list (docs/design/graph.md, "Other reads").

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::id::{ObjectKind, SourceId};

/// The id of an app role of the enterprise application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RoleId(pub Uuid);

impl RoleId {
    /// The all-zero id: assigned, without any role ("Default Access").
    pub const DEFAULT_ACCESS: Self = Self(Uuid::nil());
}

/// One app role as the service principal defines it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AppRole {
    /// Its id, by which assignments name it.
    pub id: RoleId,
    /// The name that the application sees, such as `GlobalAdministrator`; a role may have none.
    pub value: Option<String>,
    /// The name that people see.
    pub display_name: Option<String>,
    /// False for a role that is switched off, as it must be before it can be deleted: it grants nothing.
    pub enabled: bool,
}

/// One assignment of a user or group. Service principals can be assigned as well; they are not provisioned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Assignment {
    /// Whether a user or a group is assigned.
    pub kind: ObjectKind,
    /// The user or group that is assigned.
    pub principal: SourceId,
    /// The role that it is assigned.
    pub role: RoleId,
}

/// The whole list, in order, each assignment once. 33 bytes an entry: held in memory while it is compared, because most
/// entries are groups.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AssignmentList(Vec<Assignment>);

/// The error for an entry that came twice: the list changed while it was read page by page, so another entry may be
/// missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the assignment of {} {} occurs twice", .0.kind, .0.principal)]
pub struct Repeated(pub Assignment);

impl AssignmentList {
    /// Builds the list of these entries, given in any order.
    ///
    /// # Errors
    /// When an entry occurs twice. Entra has no two assignments of one role to one principal.
    pub fn try_new(mut entries: Vec<Assignment>) -> Result<Self, Repeated> {
        entries.sort_unstable();
        match entries.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(Repeated(pair[0])),
            None => Ok(Self(entries)),
        }
    }

    /// Returns the entries, users first, each principal's together.
    #[must_use]
    pub fn entries(&self) -> &[Assignment] {
        &self.0
    }

    /// Returns the entries themselves, in the same order.
    #[must_use]
    pub fn into_entries(self) -> Vec<Assignment> {
        self.0
    }

    /// Returns each principal with its roles, in order.
    pub fn by_principal(&self) -> impl Iterator<Item = (ObjectKind, SourceId, &[Assignment])> {
        self.0
            .chunk_by(|a, b| (a.kind, a.principal) == (b.kind, b.principal))
            .map(|entries| (entries[0].kind, entries[0].principal, entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assignment(kind: ObjectKind, principal: u128, role: u128) -> Assignment {
        Assignment {
            kind,
            principal: SourceId::from_bytes(principal.to_be_bytes()),
            role: RoleId(Uuid::from_u128(role)),
        }
    }

    #[test]
    fn order_of_the_pages_does_not_matter() {
        let user = assignment(ObjectKind::User, 2, 0);
        let admin = assignment(ObjectKind::User, 2, 7);
        let group = assignment(ObjectKind::Group, 1, 0);
        let list = AssignmentList::try_new(vec![group, admin, user]).unwrap();
        assert_eq!(list, AssignmentList::try_new(vec![user, group, admin]).unwrap());
        let grouped: Vec<_> = list
            .by_principal()
            .map(|(kind, id, roles)| (kind, id, roles.len()))
            .collect();
        assert_eq!(
            grouped,
            [
                (ObjectKind::User, user.principal, 2),
                (ObjectKind::Group, group.principal, 1)
            ]
        );
    }

    #[test]
    fn an_entry_that_comes_twice_is_no_list() {
        let one = assignment(ObjectKind::User, 1, 0);
        assert_eq!(AssignmentList::try_new(vec![one, one]), Err(Repeated(one)));
        assert_eq!(
            AssignmentList::try_new(Vec::new()).unwrap(),
            AssignmentList::default()
        );
    }
}

//! The verbs of operations, and the facts of each in one place.
//!
//! A new verb is a variant and its row in `Verb::facts`; the compiler demands the row. The rest of the program reads a
//! verb's facts, or decides by its [`Act`] or [`GuardClass`], always without a wildcard. A row may name
//! [`GuardClass::Unknown`]; such an operation is withheld.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::id::ObjectKind;
use super::side::Side;

/// The name of an operation in summaries, history and metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// POST of a user.
    CreateUser,
    /// PATCH of a user that leaves `active` as it is or has none.
    UpdateUser,
    /// `active` from true to false.
    DisableUser,
    /// `active` from false to true.
    EnableUser,
    /// DELETE of a user.
    DeleteUser,
    /// POST of a group.
    CreateGroup,
    /// PATCH of a group's own attributes.
    UpdateGroup,
    /// DELETE of a group.
    DeleteGroup,
    /// An added membership.
    AddMember,
    /// A removed membership.
    RemoveMember,
    /// Adoption of an existing user; no request of its own.
    LinkUser,
    /// Adoption of an existing group; no request of its own.
    LinkGroup,
    /// The end of the link of an adopted group whose source is gone; no request of its own.
    UnlinkGroup,
    /// Values of the target that are written to a user at the source.
    WriteBackUser,
    /// A user who is made a member of the enrolled group at the source.
    AddEnrolled,
    /// A user who is taken out of the enrolled group at the source.
    RemoveEnrolled,
    /// A verb that no code knows: its row holds only what it must. For the tests of how such a verb is treated.
    #[cfg(test)]
    Trial,
}

/// What an operation does to its object, users and groups alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Act {
    /// Creates the object.
    Create,
    /// Changes its attributes.
    Update,
    /// Takes its access away, and may change attributes.
    Disable,
    /// Gives its access back, and may change attributes.
    Enable,
    /// Deletes the object.
    Delete,
    /// Adds memberships.
    AddMembers,
    /// Removes memberships.
    RemoveMembers,
    /// Adopts an existing resource, without a request.
    Link,
    /// Ends a link, without a request.
    Unlink,
    /// Makes the object a member of a group.
    Join,
    /// Ends a membership of the object.
    Leave,
}

/// The rule by which the guard judges an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GuardClass {
    /// Counted as a removal, users and groups apart.
    Removal,
    /// Removed memberships: judged by the group's own threshold, or with their user, or with the group.
    Members,
    /// Counted as a create.
    Create,
    /// Waits for a person where the owner of the object can choose the value that it matched by.
    Adoption,
    /// Sent, except for changes of identity.
    Changes,
    /// Sent: it takes nothing away.
    Free,
    /// Sent once nothing of the object is withheld.
    LetGo,
    /// Values that go back to the source: judged by the way back, clears among them by their number.
    WriteBack,
    /// Counted as a join of the enrolled group.
    Join,
    /// Counted as a leave of the enrolled group.
    Leave,
    /// Not known to the guard: withheld.
    #[default]
    Unknown,
}

/// The row of a verb.
#[derive(Debug, Clone, Copy)]
struct Facts {
    /// The name in JSON.
    name: &'static str,
    kind: ObjectKind,
    side: Side,
    act: Act,
    guard: GuardClass,
    /// The verb that reverses it; `None` where no single operation does.
    inverse: Option<Verb>,
}

impl Verb {
    /// All verbs, in their order.
    pub const ALL: [Self; 16] = [
        Self::CreateUser,
        Self::UpdateUser,
        Self::DisableUser,
        Self::EnableUser,
        Self::DeleteUser,
        Self::CreateGroup,
        Self::UpdateGroup,
        Self::DeleteGroup,
        Self::AddMember,
        Self::RemoveMember,
        Self::LinkUser,
        Self::LinkGroup,
        Self::UnlinkGroup,
        Self::WriteBackUser,
        Self::AddEnrolled,
        Self::RemoveEnrolled,
    ];

    #[rustfmt::skip] // a table is read by its columns
    const fn facts(self) -> Facts {
        use ObjectKind::{Group, User};
        use Side::{Source, Target};
        const fn row(name: &'static str, (kind, side): (ObjectKind, Side), act: Act, guard: GuardClass, inverse: Option<Verb>) -> Facts {
            Facts { name, kind, side, act, guard, inverse }
        }
        match self {
            Self::CreateUser => row("create_user", (User, Target), Act::Create, GuardClass::Create, Some(Self::DeleteUser)),
            Self::UpdateUser => row("update_user", (User, Target), Act::Update, GuardClass::Changes, Some(Self::UpdateUser)),
            Self::DisableUser => row("disable_user", (User, Target), Act::Disable, GuardClass::Removal, Some(Self::EnableUser)),
            Self::EnableUser => row("enable_user", (User, Target), Act::Enable, GuardClass::Changes, Some(Self::DisableUser)),
            Self::DeleteUser => row("delete_user", (User, Target), Act::Delete, GuardClass::Removal, Some(Self::CreateUser)),
            Self::CreateGroup => row("create_group", (Group, Target), Act::Create, GuardClass::Create, Some(Self::DeleteGroup)),
            Self::UpdateGroup => row("update_group", (Group, Target), Act::Update, GuardClass::Changes, Some(Self::UpdateGroup)),
            Self::DeleteGroup => row("delete_group", (Group, Target), Act::Delete, GuardClass::Removal, Some(Self::CreateGroup)),
            Self::AddMember => row("add_member", (Group, Target), Act::AddMembers, GuardClass::Free, Some(Self::RemoveMember)),
            Self::RemoveMember => row("remove_member", (Group, Target), Act::RemoveMembers, GuardClass::Members, Some(Self::AddMember)),
            Self::LinkUser => row("link_user", (User, Target), Act::Link, GuardClass::Adoption, None),
            Self::LinkGroup => row("link_group", (Group, Target), Act::Link, GuardClass::Adoption, Some(Self::UnlinkGroup)),
            Self::UnlinkGroup => row("unlink_group", (Group, Target), Act::Unlink, GuardClass::LetGo, Some(Self::LinkGroup)),
            Self::WriteBackUser => row("write_back_user", (User, Source), Act::Update, GuardClass::WriteBack, Some(Self::WriteBackUser)),
            Self::AddEnrolled => row("add_enrolled", (User, Source), Act::Join, GuardClass::Join, Some(Self::RemoveEnrolled)),
            Self::RemoveEnrolled => row("remove_enrolled", (User, Source), Act::Leave, GuardClass::Leave, Some(Self::AddEnrolled)),
            #[cfg(test)]
            Self::Trial => row("trial", (User, Source), Act::Update, GuardClass::Unknown, None),
        }
    }

    /// Returns the name in JSON: `create_user` and so on.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.facts().name
    }

    /// Returns the verb of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verb| verb.name() == name)
    }

    /// Returns the kind of its object: a user, or a group with its memberships.
    #[must_use]
    pub const fn kind(self) -> ObjectKind {
        self.facts().kind
    }

    /// Returns the side that it writes to.
    #[must_use]
    pub const fn side(self) -> Side {
        self.facts().side
    }

    /// Returns what it does.
    #[must_use]
    pub const fn act(self) -> Act {
        self.facts().act
    }

    /// Returns the rule by which the guard judges it.
    #[must_use]
    pub const fn guard_class(self) -> GuardClass {
        self.facts().guard
    }

    /// Returns the verb that reverses it.
    #[must_use]
    pub const fn inverse(self) -> Option<Self> {
        self.facts().inverse
    }

    /// Returns the verb that creates an object of a kind.
    #[must_use]
    pub const fn create(kind: ObjectKind) -> Self {
        match kind {
            ObjectKind::User => Self::CreateUser,
            ObjectKind::Group => Self::CreateGroup,
        }
    }

    /// Returns the verb that changes an object of a kind.
    #[must_use]
    pub const fn update(kind: ObjectKind) -> Self {
        match kind {
            ObjectKind::User => Self::UpdateUser,
            ObjectKind::Group => Self::UpdateGroup,
        }
    }

    /// Returns the verb of an update of an object of a kind that leaves a user with this access; `None` where the update does not
    /// say.
    #[must_use]
    pub const fn update_to(kind: ObjectKind, active: Option<bool>) -> Self {
        match (kind, active) {
            (ObjectKind::User, Some(true)) => Self::EnableUser,
            (ObjectKind::User, Some(false)) => Self::DisableUser,
            (ObjectKind::User, None) | (ObjectKind::Group, _) => Self::update(kind),
        }
    }

    /// Returns the verb that adds members to a group, or takes some out.
    #[must_use]
    pub const fn member(add: bool) -> Self {
        if add { Self::AddMember } else { Self::RemoveMember }
    }

    /// Returns the verb that takes a user's access away.
    #[must_use]
    pub const fn disable() -> Self {
        Self::DisableUser
    }

    /// Returns the verb that deletes an object of a kind.
    #[must_use]
    pub const fn delete(kind: ObjectKind) -> Self {
        match kind {
            ObjectKind::User => Self::DeleteUser,
            ObjectKind::Group => Self::DeleteGroup,
        }
    }

    /// Returns the verb that adopts an object of a kind.
    #[must_use]
    pub const fn link(kind: ObjectKind) -> Self {
        match kind {
            ObjectKind::User => Self::LinkUser,
            ObjectKind::Group => Self::LinkGroup,
        }
    }

    /// Returns the verb that writes values of the target to a user at the source.
    #[must_use]
    pub const fn write_back() -> Self {
        Self::WriteBackUser
    }

    /// Returns the verb that adds a user to the enrolled group, or takes one out.
    #[must_use]
    pub const fn enrol(add: bool) -> Self {
        if add {
            Self::AddEnrolled
        } else {
            Self::RemoveEnrolled
        }
    }

    /// Returns true where it creates a resource.
    #[must_use]
    pub const fn creates(self) -> bool {
        self.act().is(Act::Create)
    }

    /// Returns true where it removes a resource.
    #[must_use]
    pub const fn deletes(self) -> bool {
        self.act().is(Act::Delete)
    }

    /// Returns true where it adopts a resource.
    #[must_use]
    pub const fn links(self) -> bool {
        self.act().is(Act::Link)
    }

    /// Returns true where it carries memberships.
    #[must_use]
    pub const fn moves_members(self) -> bool {
        self.act().moves_members()
    }

    /// Returns true for a PATCH of a resource's own attributes.
    #[must_use]
    pub const fn updates(self) -> bool {
        match self.act() {
            Act::Update | Act::Disable | Act::Enable => true,
            Act::Create
            | Act::Delete
            | Act::AddMembers
            | Act::RemoveMembers
            | Act::Link
            | Act::Unlink
            | Act::Join
            | Act::Leave => false,
        }
    }

    /// Returns true where it changes `active`.
    #[must_use]
    pub const fn switches(self) -> bool {
        self.act().is(Act::Disable) || self.act().is(Act::Enable)
    }

    /// Returns false where it has no request of its own.
    #[must_use]
    pub const fn has_request(self) -> bool {
        match self.act() {
            Act::Create
            | Act::Update
            | Act::Disable
            | Act::Enable
            | Act::Delete
            | Act::AddMembers
            | Act::RemoveMembers
            | Act::Join
            | Act::Leave => true,
            Act::Link | Act::Unlink => false,
        }
    }
}

impl Act {
    /// Compares two verbs, also in constants.
    #[must_use]
    pub const fn is(self, other: Self) -> bool {
        self as u8 == other as u8
    }

    /// Returns true where memberships are added or removed.
    #[must_use]
    pub const fn moves_members(self) -> bool {
        self.is(Self::AddMembers) || self.is(Self::RemoveMembers)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rows_agree_with_each_other() {
        for (at, verb) in Verb::ALL.into_iter().enumerate() {
            assert_eq!(verb as usize, at, "{verb} stands elsewhere in the enum");
            let json = serde_json::to_value(verb).unwrap();
            assert_eq!(json, verb.name(), "its name is what is stored");
            assert_eq!(Verb::named(verb.name()), Some(verb));
            assert_ne!(
                verb.guard_class(),
                GuardClass::Unknown,
                "{verb} would never be sent"
            );
            if let Some(inverse) = verb.inverse() {
                assert_eq!(inverse.inverse(), Some(verb), "of {verb}");
                assert_eq!(inverse.kind(), verb.kind(), "of {verb}");
                assert_eq!(inverse.side(), verb.side(), "of {verb}");
            }
        }
        for kind in [ObjectKind::User, ObjectKind::Group] {
            for (verb, act) in [
                (Verb::create(kind), Act::Create),
                (Verb::update(kind), Act::Update),
                (Verb::delete(kind), Act::Delete),
                (Verb::link(kind), Act::Link),
            ] {
                assert_eq!((verb.kind(), verb.act()), (kind, act));
            }
        }
        assert_eq!(Verb::Trial as usize, Verb::ALL.len(), "Verb::ALL lacks a verb");
        assert_eq!(Verb::named("trial"), None);
        assert_eq!(Verb::Trial.guard_class(), GuardClass::default());
    }
}

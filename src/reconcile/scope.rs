//! Who is in scope, and by which rule (docs/design/evidence.md, "Scope"; docs/design/entra.md, "Scope"). Pure: rules, an object and
//! the memberships that are known in, a decision out.
//!
//! Promise: nothing is decided on what was never read. Scope that is lost through a membership is lost only when
//! two complete cycles in a row agree: a person who is moved from one group to another is in neither for a moment.

pub mod assignment;
pub(super) mod out_of_scope;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt;

use crate::mapping::Filter;
use crate::mapping::MemberOf;
use crate::mapping::Verdict;
use crate::model::id::ObjectKind;
use crate::model::object::SourceObject;
use crate::model::value::Value;

/// Which guests are ours to provision (`guests`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Guests {
    /// Everybody, as in Entra's own provisioning.
    #[default]
    Include,
    /// Guests who accepted their invitation.
    Accepted,
    /// None.
    Exclude,
}

impl Guests {
    /// As the setting writes it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Include => "include",
            Self::Accepted => "accepted",
            Self::Exclude => "exclude",
        }
    }
}

/// The scope of a job.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScopeRules {
    /// Users that pass are in scope; without it all are.
    pub user_filter: Option<Filter>,
    /// Groups that pass are in scope; without it all are.
    pub group_filter: Option<Filter>,
    /// Guests among the users.
    pub guests: Guests,
}

/// The rule that leaves an object out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScopeReason {
    /// No group of clauses of the filter holds.
    Filter {
        /// The setting.
        setting: &'static str,
        /// The first clause of each group that is false.
        clauses: Vec<String>,
    },
    /// A guest.
    Guest {
        /// True where only the accepted invitation is missing.
        invited: bool,
    },
    /// Not assigned to the enterprise application, and scope = "assigned".
    Unassigned {
        /// A user could be assigned through a group as well.
        kind: ObjectKind,
    },
}

impl fmt::Display for ScopeReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Filter { setting, clauses } => match clauses.as_slice() {
                [clause] => write!(f, "{setting}: `{clause}` does not hold"),
                clauses => write!(f, "{setting}: none of `{}` holds", clauses.join("`, `")),
            },
            Self::Guest { invited: true } => {
                f.write_str("a guest who has not accepted the invitation, and guests = \"accepted\"")
            }
            Self::Guest { invited: false } => f.write_str("a guest, and guests = \"exclude\""),
            Self::Unassigned { kind: ObjectKind::User } => f.write_str(
                "neither assigned to the enterprise application nor in a group that is, and scope = \"assigned\"",
            ),
            Self::Unassigned { kind: ObjectKind::Group } => {
                f.write_str("not assigned to the enterprise application, and scope = \"assigned\"")
            }
        }
    }
}

/// What the rules say of an object as it is read now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Ours to provision.
    InScope,
    /// Not ours.
    OutOfScope {
        /// By which rule.
        because: ScopeReason,
        /// True where a membership made the difference: attributes alone would not decide it.
        by_membership: bool,
    },
    /// It depends on what was never read.
    Unknown {
        /// What is missing.
        missing: String,
    },
}

/// Where an object stands in this cycle.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Standing {
    /// Ours to provision.
    #[default]
    In,
    /// Out of scope for the first time, through a membership: treated as in scope until the next complete cycle
    /// agrees.
    Leaving {
        /// By which rule.
        because: ScopeReason,
    },
    /// Out of scope.
    Out {
        /// By which rule.
        because: ScopeReason,
    },
    /// Not to be decided: nothing is done.
    Unknown {
        /// What is missing.
        missing: String,
    },
}

/// What is known of one object's memberships; what is not in it is not known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Memberships(pub BTreeMap<MemberOf, bool>);

impl ScopeRules {
    /// True where every object is in scope.
    #[must_use]
    pub const fn is_everything(&self) -> bool {
        self.user_filter.is_none() && self.group_filter.is_none() && matches!(self.guests, Guests::Include)
    }

    /// True where every object of this kind is in scope.
    #[must_use]
    pub const fn takes_every(&self, kind: ObjectKind) -> bool {
        match kind {
            ObjectKind::User => self.user_filter.is_none() && matches!(self.guests, Guests::Include),
            ObjectKind::Group => self.group_filter.is_none(),
        }
    }

    const fn filter(&self, kind: ObjectKind) -> Option<&Filter> {
        match kind {
            ObjectKind::User => self.user_filter.as_ref(),
            ObjectKind::Group => self.group_filter.as_ref(),
        }
    }

    /// The Graph properties that the rules need in `$select`. A `memberOf` needs the groups' members.
    #[must_use]
    pub fn graph_properties(&self, kind: ObjectKind) -> BTreeSet<String> {
        let mut properties = self
            .filter(kind)
            .map(Filter::graph_properties)
            .unwrap_or_default();
        match kind {
            ObjectKind::User if self.guests != Guests::Include => {
                properties.insert(USER_TYPE.to_owned());
                if self.guests == Guests::Accepted {
                    properties.insert(INVITATION.to_owned());
                }
            }
            ObjectKind::Group if !self.member_of().is_empty() => {
                properties.insert("members".to_owned());
            }
            _ => {}
        }
        properties
    }

    /// The groups whose members decide.
    #[must_use]
    pub fn member_of(&self) -> BTreeSet<MemberOf> {
        self.user_filter
            .as_ref()
            .map(Filter::member_of)
            .unwrap_or_default()
    }

    /// A text that changes whenever somebody's scope could: canonical, so that blanks and case of operators do not
    /// count.
    #[must_use]
    pub fn canonical(&self) -> String {
        let shown = |filter: &Option<Filter>| filter.as_ref().map(Filter::to_string);
        format!(
            "{:?} {:?} {:?}",
            shown(&self.user_filter),
            shown(&self.group_filter),
            self.guests
        )
    }

    /// Decides on one object.
    #[must_use]
    pub fn decide(&self, object: &SourceObject, memberships: &Memberships) -> Decision {
        if object.kind == ObjectKind::User
            && let Some(decision) = self.guest(object)
        {
            return decision;
        }
        let Some(filter) = self.filter(object.kind) else {
            return Decision::InScope;
        };
        match filter.evaluate(object, &|of| memberships.0.get(&of).copied()) {
            Verdict::Holds => Decision::InScope,
            Verdict::Unknown { missing } => Decision::Unknown { missing },
            Verdict::Fails { clauses } => {
                let decided =
                    |filter: &Filter| matches!(filter.evaluate(object, &|_| None), Verdict::Fails { .. });
                let by_membership = filter.asks_about_members() && !decided(filter);
                Decision::OutOfScope {
                    because: ScopeReason::Filter {
                        setting: match object.kind {
                            ObjectKind::User => "user_filter",
                            ObjectKind::Group => "group_filter",
                        },
                        clauses,
                    },
                    by_membership,
                }
            }
        }
    }

    /// What `guests` says, where it says anything. A user without a `userType` is none: it is older than the property.
    fn guest(&self, object: &SourceObject) -> Option<Decision> {
        if self.guests == Guests::Include {
            return None;
        }
        let read = |property: &str| object.attribute(property);
        let unknown = |property: &str| Decision::Unknown {
            missing: format!("the property {property}"),
        };
        let Some(user_type) = read(USER_TYPE) else {
            return Some(unknown(USER_TYPE));
        };
        let is =
            |value: &Value, word: &str| value.as_str().is_some_and(|text| text.eq_ignore_ascii_case(word));
        if !is(user_type, "Guest") {
            return None;
        }
        let out = |invited| Decision::OutOfScope {
            because: ScopeReason::Guest { invited },
            by_membership: false,
        };
        if self.guests == Guests::Exclude {
            return Some(out(false));
        }
        match read(INVITATION) {
            None => Some(unknown(INVITATION)),
            Some(state) if is(state, "Accepted") => None,
            Some(_) => Some(out(true)),
        }
    }
}

const USER_TYPE: &str = "userType";
const INVITATION: &str = "externalUserState";

impl Decision {
    /// The decision where only the assigned are in scope. `assigned` says what is missing where that cannot be told.
    /// Who is out by attributes alone is out whatever the assignments say; any other loss is one by membership, because
    /// an assignment and a membership can move at different times.
    #[must_use]
    pub fn and_assigned(self, kind: ObjectKind, assigned: Result<bool, String>) -> Self {
        let by_attributes = matches!(
            &self,
            Self::OutOfScope {
                by_membership: false,
                ..
            }
        );
        match assigned {
            _ if by_attributes || assigned == Ok(true) => self,
            Ok(_) => Self::OutOfScope {
                because: ScopeReason::Unassigned { kind },
                by_membership: true,
            },
            Err(missing) => Self::Unknown { missing },
        }
    }

    /// What the decision comes to. `linked`: there is something at the target to lose. `confirmed`: an earlier
    /// complete cycle said the same.
    #[must_use]
    pub fn standing(self, linked: bool, confirmed: bool) -> Standing {
        match self {
            Self::InScope => Standing::In,
            Self::Unknown { missing } => Standing::Unknown { missing },
            Self::OutOfScope {
                because,
                by_membership: true,
            } if linked && !confirmed => Standing::Leaving { because },
            Self::OutOfScope { because, .. } => Standing::Out { because },
        }
    }
}

#[cfg(test)]
mod tests;

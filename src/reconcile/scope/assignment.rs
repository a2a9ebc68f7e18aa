//! Who is assigned, through which groups, and with which app roles. Pure: graphs are walked by a function that is given.
//!
//! Entra counts the direct members of assigned groups (how-provisioning-works.md); following nested groups is ours, and
//! switched on by itself (`nested_groups`).

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashSet;
use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::model::assignment::AppRole;
use crate::model::assignment::RoleId;
use crate::model::id::SourceId;
use crate::model::value::Value;

/// What nested groups count for. The default is Entra's: nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Nesting {
    /// Members of a group in an assigned group are assigned too, at any depth.
    pub scope: bool,
    /// A group at the target holds the users of the groups in it, at any depth.
    pub members: bool,
}

/// Everything that can be reached from `start` by `next`, `start` first, each once, the nearest before the farther.
/// Circles end where they began.
///
/// # Errors
/// The first error of `next`.
pub fn reachable<E>(
    start: SourceId,
    mut next: impl FnMut(SourceId) -> Result<Vec<SourceId>, E>,
) -> Result<Vec<SourceId>, E> {
    let mut seen = HashSet::from([start]);
    let (mut order, mut open) = (Vec::new(), VecDeque::from([start]));
    while let Some(id) = open.pop_front() {
        order.push(id);
        for found in next(id)? {
            if seen.insert(found) {
                open.push_back(found);
            }
        }
    }
    Ok(order)
}

/// By what somebody is assigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Through {
    /// By an assignment of its own.
    Itself,
    /// As a member of this group, directly or nested.
    Group(SourceId),
}

/// How somebody stands to the enterprise application.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Entitlement {
    /// Each way in which it is assigned; empty: it is not.
    pub through: BTreeSet<Through>,
    /// The roles of all of them, default access included.
    pub roles: BTreeSet<RoleId>,
}

impl Entitlement {
    /// Out of an assignment of its own, where there is one, and of those of the groups that it is in.
    #[must_use]
    pub fn new<'a>(
        own: Option<&[RoleId]>,
        groups: impl IntoIterator<Item = (SourceId, &'a [RoleId])>,
    ) -> Self {
        let mut entitlement = Self::default();
        let own = own.map(|roles| (Through::Itself, roles));
        let groups = groups
            .into_iter()
            .map(|(group, roles)| (Through::Group(group), roles));
        for (through, roles) in own.into_iter().chain(groups) {
            entitlement.through.insert(through);
            entitlement.roles.extend(roles);
        }
        entitlement
    }

    /// True for whoever is assigned in any way.
    #[must_use]
    pub fn is_assigned(&self) -> bool {
        !self.through.is_empty()
    }
}

/// The roles as the attribute that mapping functions read ([`crate::mapping::names::APP_ROLES`]): a list of objects with `id`, `value` and `displayName`, in order of value and id, so that
/// the same roles are the same value. Default access is no role; neither is one that the application does not define (any
/// more), has switched off, or gave no value.
#[must_use]
pub fn role_values(roles: &BTreeSet<RoleId>, defined: &[AppRole]) -> Value {
    let granted =
        |role: &&AppRole| role.enabled && role.id != RoleId::DEFAULT_ACCESS && roles.contains(&role.id);
    let mut granted: Vec<(&str, &AppRole)> = defined
        .iter()
        .filter(granted)
        .filter_map(|role| Some((role.value.as_deref()?, role)))
        .collect();
    granted.sort_by_key(|(value, role)| (*value, role.id));
    let shown = |(value, role): (&str, &AppRole)| {
        let name = role.display_name.as_deref().map_or(Value::Null, Value::text);
        Value::Map(BTreeMap::from([
            ("displayName".to_owned(), name),
            ("id".to_owned(), Value::text(role.id.0.to_string())),
            ("value".to_owned(), Value::text(value)),
        ]))
    };
    Value::List(granted.into_iter().map(shown).collect())
}

#[cfg(test)]
mod tests;

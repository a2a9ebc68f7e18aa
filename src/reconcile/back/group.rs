//! The enrolled group as a whole: which groups may be one, and how many may join and leave at once.

use crate::reconcile::policy::Threshold;

/// What is known of a group in Entra.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GroupFacts {
    /// `groupTypes`.
    pub types: Vec<String>,
    /// `onPremisesSyncEnabled`.
    pub synced: bool,
    /// `isCloudManaged`: the source of authority of a synced group was moved.
    pub cloud_managed: bool,
    /// `mailEnabled`.
    pub mail_enabled: bool,
    /// `isAssignableToRole`.
    pub role_assignable: bool,
}

/// Why a group cannot be the enrolled group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unfit {
    /// Its members follow a rule.
    Dynamic,
    /// Its members are mastered on premises.
    Synced,
    /// A Microsoft 365 group.
    Unified,
    /// A mail-enabled security group, or a distribution list.
    MailEnabled,
    /// Whoever changes its members gives roles away.
    RoleAssignable,
}

impl Unfit {
    /// Returns the reason, for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Dynamic => {
                "its members follow a rule (dynamic membership), and Graph refuses members by hand"
            }
            Self::Synced => {
                "it is synchronised from on-premises, and Graph refuses changes of it unless its source of authority is moved to \
                 the cloud"
            }
            Self::Unified => "it is a Microsoft 365 group: its members get a mailbox and files with it",
            Self::MailEnabled => "it is mail-enabled, and Graph refuses changes of its members",
            Self::RoleAssignable => {
                "it can be assigned to roles: whoever changes its members can make administrators"
            }
        }
    }
}

/// Returns every reason why a group cannot be the enrolled group.
#[must_use]
pub fn unfit(group: &GroupFacts) -> Vec<Unfit> {
    let has_type = |name: &str| group.types.iter().any(|is| is.eq_ignore_ascii_case(name));
    let unified = has_type("Unified");
    [
        (has_type("DynamicMembership"), Unfit::Dynamic),
        (group.synced && !group.cloud_managed, Unfit::Synced),
        (unified, Unfit::Unified),
        (group.mail_enabled && !unified, Unfit::MailEnabled),
        (group.role_assignable, Unfit::RoleAssignable),
    ]
    .into_iter()
    .filter_map(|(is, why)| is.then_some(why))
    .collect()
}

/// How many may join and leave within the guard window; `None` for as many as there are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EnrolledThreshold {
    /// The most adds.
    pub add: Option<Threshold>,
    /// The most removals.
    pub remove: Option<Threshold>,
}

impl Default for EnrolledThreshold {
    fn default() -> Self {
        Self {
            add: None,
            remove: Some(Threshold::count(5)),
        }
    }
}

/// What is to change, and what was changed within the guard window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moves {
    /// Due now.
    pub asked: u64,
    /// Sent within the guard window.
    pub sent: u64,
    /// The members that melonsync added: what a percentage is of.
    pub ours: u64,
}

/// More than a threshold lets through: all of that kind are withheld.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Over {
    /// What is to change, and what was changed.
    pub moves: Moves,
    /// The threshold.
    pub limit: Threshold,
    /// What it lets through.
    pub most: u64,
}

/// Judges additions.
///
/// # Errors
/// When they are more than the threshold lets through.
pub fn approve_joins(moves: Moves, limit: EnrolledThreshold) -> Result<(), Over> {
    within(moves, limit.add)
}

/// Judges removals: whoever leaves falls back to the weaker sign-in policy.
///
/// # Errors
/// When they are more than the threshold lets through.
pub fn approve_leaves(moves: Moves, limit: EnrolledThreshold) -> Result<(), Over> {
    within(moves, limit.remove)
}

fn within(moves: Moves, limit: Option<Threshold>) -> Result<(), Over> {
    let Some(limit) = limit else {
        return Ok(());
    };
    let most = limit.limit(moves.ours);
    if moves.asked > 0 && moves.asked + moves.sent > most {
        Err(Over { moves, limit, most })
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_assigned_cloud_security_group_can_be_the_enrolled_group() {
        let facts = |types: &[&str], synced, cloud_managed, mail_enabled, role_assignable| GroupFacts {
            types: types.iter().map(|name| (*name).to_owned()).collect(),
            synced,
            cloud_managed,
            mail_enabled,
            role_assignable,
        };
        for (name, group, expected) in [
            ("a security group", facts(&[], false, false, false, false), vec![]),
            (
                "dynamic",
                facts(&["DynamicMembership"], false, false, false, false),
                vec![Unfit::Dynamic],
            ),
            (
                "synced",
                facts(&[], true, false, false, false),
                vec![Unfit::Synced],
            ),
            ("synced once", facts(&[], true, true, false, false), vec![]),
            (
                "Microsoft 365",
                facts(&["Unified"], false, false, true, false),
                vec![Unfit::Unified],
            ),
            (
                "mail-enabled",
                facts(&[], false, false, true, false),
                vec![Unfit::MailEnabled],
            ),
            (
                "for roles, and dynamic",
                facts(&["dynamicmembership"], false, false, false, true),
                vec![Unfit::Dynamic, Unfit::RoleAssignable],
            ),
        ] {
            assert_eq!(unfit(&group), expected, "{name}");
        }
    }

    #[test]
    fn over_a_threshold_nobody_joins_or_leaves() {
        let standard = EnrolledThreshold::default();
        let both = EnrolledThreshold {
            add: Some(Threshold::count(2)),
            remove: Some(Threshold::count(0)),
        };
        for (name, limit, asked, sent, joins, leaves) in [
            ("nothing", both, 0, 9, true, true),
            ("as many as there are", standard, 5_000, 0, true, false),
            ("five leave", standard, 5, 0, true, true),
            ("a sixth within the window", standard, 1, 5, true, false),
            ("two join", both, 2, 0, true, false),
            ("three join", both, 3, 0, false, false),
            ("one more than two", both, 1, 2, false, false),
        ] {
            let moves = Moves { asked, sent, ours: 0 };
            assert_eq!(approve_joins(moves, limit).is_ok(), joins, "{name}, joins");
            assert_eq!(approve_leaves(moves, limit).is_ok(), leaves, "{name}, leaves");
        }
    }
}

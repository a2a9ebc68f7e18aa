//! The guard: refuses to take access away from more people at once than the policy allows.
//!
//! Counted with what is asked now is what was sent within the guard window; what was withheld before is
//! asked again in every cycle, so it is in the count by itself. Over a threshold, *all* operations of that
//! kind are withheld and the rest is applied (DESIGN section 2.4).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::policy::Policy;
use super::policy::Threshold;
use crate::model::id::SourceId;

/// What the directory and the snapshot hold, for percentages and for the small-source rule.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Users with a link.
    pub linked_users: u64,
    /// Groups with a link.
    pub linked_groups: u64,
    /// Users alive at the source.
    pub alive_users: u64,
    /// Groups alive at the source.
    pub alive_groups: u64,
}

/// Removals that were sent within the guard window.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// Disables and deletes of users.
    pub users: u64,
    /// Deletes of groups.
    pub groups: u64,
    /// Membership removals, by group.
    pub members: BTreeMap<SourceId, u64>,
}

/// Removals that the first planning pass found, by kind and reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Disables and deletes of users, by reason label.
    pub users: BTreeMap<&'static str, u64>,
    /// Deletes of groups, by reason label.
    pub groups: BTreeMap<&'static str, u64>,
}

/// The guard's word on one kind of operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Approval {
    /// Send them.
    Approved,
    /// Hold all of them back, for this reason.
    Withheld(String),
}

impl Approval {
    /// The reason, if withheld.
    #[must_use]
    pub fn withheld(&self) -> Option<&str> {
        match self {
            Self::Approved => None,
            Self::Withheld(why) => Some(why),
        }
    }
}

/// The guard's word on a cycle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approvals {
    /// Disables and deletes of users.
    pub users: Approval,
    /// Deletes of groups.
    pub groups: Approval,
    /// The admin's `--allow-deletions`, which speaks for memberships too.
    pub allowed: Option<u64>,
}

/// Judges the removals of a cycle. `allowed` is `--allow-deletions N`: this cycle may send at most N; if
/// there are more, none.
#[must_use]
pub fn approve(
    asked: &Asked,
    sent: &Sent,
    totals: Totals,
    policy: &Policy,
    allowed: Option<u64>,
) -> Approvals {
    let users: u64 = asked.users.values().sum();
    let groups: u64 = asked.groups.values().sum();
    if let Some(most) = allowed {
        let word = within_allowance(users + groups, most);
        return Approvals {
            users: word.clone(),
            groups: word,
            allowed,
        };
    }
    // An allowance is for both: what is advised must let both through.
    let release = users + groups;
    let user_word = small_source("user", users, totals.alive_users, totals.linked_users, release)
        .unwrap_or_else(|| {
            let limit = policy.deletion_threshold;
            let due = Due {
                asked: users,
                before: sent.users,
                total: totals.linked_users,
                release,
            };
            within("users", due, limit, "deletion_threshold")
        });
    let group_word = small_source(
        "group",
        groups,
        totals.alive_groups,
        totals.linked_groups,
        release,
    )
    .unwrap_or_else(|| {
        let limit = policy.groups.deletion_threshold;
        let due = Due {
            asked: groups,
            before: sent.groups,
            total: totals.linked_groups,
            release,
        };
        within("groups", due, limit, "groups.deletion_threshold")
    });
    Approvals {
        users: user_word,
        groups: group_word,
        allowed,
    }
}

/// Judges the membership removals of one group that are not due to the member itself going. A percentage
/// speaks only for groups that hold over twenty members.
#[must_use]
pub fn approve_members(
    group: SourceId,
    asked: u64,
    holds: u64,
    sent: &Sent,
    policy: &Policy,
    allowed: Option<u64>,
) -> Approval {
    if asked == 0 {
        return Approval::Approved;
    }
    if let Some(most) = allowed {
        return within_allowance(asked, most);
    }
    let before = sent.members.get(&group).copied().unwrap_or(0);
    let held = holds + before;
    let mut threshold = policy.membership_removal_threshold;
    if held <= SMALL_GROUP && threshold.percent.is_some() {
        let Some(count) = threshold.count else {
            return Approval::Approved;
        };
        threshold = Threshold::count(count.max(Threshold::FLOOR));
    }
    let due = Due {
        asked,
        before,
        total: held,
        release: asked,
    };
    within(
        "members of this group",
        due,
        threshold,
        "membership_removal_threshold",
    )
}

/// A group of this many members or fewer may change wholly in a day (INTERFACE: "groups over 20").
const SMALL_GROUP: u64 = 20;

fn within_allowance(asked: u64, most: u64) -> Approval {
    if asked <= most {
        Approval::Approved
    } else {
        Approval::Withheld(format!(
            "{} and --allow-deletions lets at most {most} through; none were sent",
            removals(asked, "")
        ))
    }
}

/// An empty source, or one with fewer than half of the linked objects, withholds whatever the thresholds say.
fn small_source(kind: &str, asked: u64, alive: u64, linked: u64, release: u64) -> Option<Approval> {
    (asked > 0 && linked > 0 && alive.saturating_mul(2) < linked).then(|| {
        Approval::Withheld(format!(
            "the source holds {alive} {kind}s, fewer than half of the {linked} that are linked: \
             check the source, then let them through with --allow-deletions {release}"
        ))
    })
}

/// An assignment list with fewer than half of the users and groups that it had withholds whatever the thresholds say:
/// whoever is not on it loses access.
#[must_use]
pub fn short_list(now: u64, before: u64) -> Option<Approval> {
    (now.saturating_mul(2) < before).then(|| {
        Approval::Withheld(format!(
            "{now} users and groups are assigned to the enterprise application, fewer than half of the {before} before: \
             check its assignments, then let the removals through with `melonsync sync --allow-deletions N`"
        ))
    })
}

/// What is judged by a threshold.
struct Due {
    /// Removals that are due now.
    asked: u64,
    /// Removals that were sent within the guard window.
    before: u64,
    /// What a percentage is of.
    total: u64,
    /// The allowance that lets them through.
    release: u64,
}

fn within(what: &str, due: Due, threshold: Threshold, setting: &str) -> Approval {
    let Due {
        asked,
        before,
        total,
        release,
    } = due;
    let limit = threshold.limit(total);
    if asked == 0 || asked + before <= limit {
        return Approval::Approved;
    }
    let window = if before > 0 {
        format!(" and {before} were sent within the guard window")
    } else {
        String::new()
    };
    Approval::Withheld(format!(
        "{}{window}, more than the {limit} that {setting} ({threshold}, of {total}) \
         lets through: check them with `melonsync plan`, then `melonsync sync --allow-deletions {release}`",
        removals(asked, &format!(" of {what}"))
    ))
}

fn removals(count: u64, what: &str) -> String {
    match count {
        1 => format!("1 removal{what} is due"),
        _ => format!("{count} removals{what} are due"),
    }
}

#[cfg(test)]
mod tests;

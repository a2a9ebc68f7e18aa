//! The guard: refuses to take access away from more people at once than the policy allows.
//!
//! Counted with what is asked now is what was sent within the guard window; what was withheld before is
//! asked again in every cycle, so it is in the count by itself. Over a threshold, *all* operations of that
//! kind are withheld and the rest is applied (docs/design/cycle.md, "The guard").

mod class;
pub mod named;
pub mod quarantine;
pub mod review;
pub mod trouble;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::operation::Change;
use super::operation::Operation;
use super::operation::Verb;
use super::policy::Policy;
use super::policy::Threshold;
use crate::model::id::SourceId;
use crate::model::verb::Act;

pub use class::Class;

/// Where the guard's words begin to name commands: a page that decides has no need of them.
pub const COMMANDS: &str = ": check them with ";

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
    /// Updates that change who a user is: userName, externalId, roles.
    #[serde(default)]
    pub identities: u64,
    /// Creates of users and groups.
    #[serde(default)]
    pub creates: u64,
    /// Joins of the enrolled group.
    #[serde(default)]
    pub joins: u64,
    /// Leaves of the enrolled group.
    #[serde(default)]
    pub leaves: u64,
    /// Values of the source that were cleared on the way back.
    #[serde(default)]
    pub clears: u64,
}

impl Sent {
    /// Adds what was sent besides.
    pub fn add(&mut self, more: Self) {
        self.users += more.users;
        self.groups += more.groups;
        self.identities += more.identities;
        self.creates += more.creates;
        self.joins += more.joins;
        self.leaves += more.leaves;
        self.clears += more.clears;
        for (group, count) in more.members {
            *self.members.entry(group).or_default() += count;
        }
    }
}

/// What the first planning pass found: removals by kind and reason, the rest by its number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    /// Disables and deletes of users, by reason label.
    pub users: BTreeMap<&'static str, u64>,
    /// Deletes of groups, by reason label.
    pub groups: BTreeMap<&'static str, u64>,
    /// Updates that change an identity, see [`changes_identity`].
    pub identities: u64,
    /// Creates of users and groups; counted only where a threshold or an allowance asks for their number.
    pub creates: u64,
}

/// What the admin who runs the cycle lets through. Each is for this cycle only; if there is more, none is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Allowed {
    /// `--allow-deletions N`.
    pub deletions: Option<u64>,
    /// `--allow-creations N`.
    pub creations: Option<u64>,
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
    /// Memberships that groups lose, whatever their own thresholds say: withheld where the source is small.
    pub members: Approval,
    /// Changes of userName, externalId and roles.
    pub identities: Approval,
    /// Creates of users and groups.
    pub creates: Approval,
    /// The admin's `--allow-deletions`, which speaks for memberships too.
    pub allowed: Option<u64>,
}

/// Judges what a cycle is asked to do.
#[must_use]
pub fn approve(asked: &Asked, sent: &Sent, totals: Totals, policy: &Policy, allowed: Allowed) -> Approvals {
    let (users, groups, members) = approve_removals(asked, sent, totals, policy, allowed.deletions);
    Approvals {
        users,
        groups,
        members,
        identities: approve_identities(asked, sent, totals, policy),
        creates: approve_creates(asked, sent, totals, policy, allowed.creations),
        allowed: allowed.deletions,
    }
}

/// Judges removals of users, of groups, and memberships as far as the size of the source speaks for them.
fn approve_removals(
    asked: &Asked,
    sent: &Sent,
    totals: Totals,
    policy: &Policy,
    allowed: Option<u64>,
) -> (Approval, Approval, Approval) {
    let users: u64 = asked.users.values().sum();
    let groups: u64 = asked.groups.values().sum();
    if let Some(most) = allowed {
        let word = within_allowance(users + groups, most, "removal", "--allow-deletions");
        return (word.clone(), word, Approval::Approved);
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
    // Whoever the source does not hold is in none of its groups: one removal is as telling as a thousand.
    let member_word = small_source("user", 1, totals.alive_users, totals.linked_users, release.max(1))
        .or_else(|| {
            small_source(
                "group",
                1,
                totals.alive_groups,
                totals.linked_groups,
                release.max(1),
            )
        });
    (user_word, group_word, member_word.unwrap_or(Approval::Approved))
}

/// Judges changes of userName, externalId and roles: whoever gets another name may get another person's keys.
fn approve_identities(asked: &Asked, sent: &Sent, totals: Totals, policy: &Policy) -> Approval {
    let limit = policy.identity_change_threshold;
    if asked.identities == 0 || asked.identities + sent.identities <= limit.limit(totals.linked_users) {
        return Approval::Approved;
    }
    Approval::Withheld(format!(
        "{}{}, more than the {} that identity_change_threshold ({limit}, of {}) lets through\
         {COMMANDS}`melonsync plan`, then `melonsync withheld release`",
        are_due(asked.identities, "change", " of userName, externalId or roles"),
        in_window(sent.identities),
        limit.limit(totals.linked_users),
        totals.linked_users,
    ))
}

/// Judges creates: of users and groups together. A share is one of all that is linked, so that a first cycle under
/// such a threshold needs a person's word.
fn approve_creates(
    asked: &Asked,
    sent: &Sent,
    totals: Totals,
    policy: &Policy,
    allowed: Option<u64>,
) -> Approval {
    if asked.creates == 0 {
        return Approval::Approved;
    }
    if let Some(most) = allowed {
        return within_allowance(asked.creates, most, "create", "--allow-creations");
    }
    let Some(limit) = policy.creation_threshold else {
        return Approval::Approved;
    };
    let total = totals.linked_users + totals.linked_groups;
    if asked.creates + sent.creates <= limit.limit(total) {
        return Approval::Approved;
    }
    Approval::Withheld(format!(
        "{}{}, more than the {} that creation_threshold ({limit}, of {total}) lets through\
         {COMMANDS}`melonsync plan`, then `melonsync sync --allow-creations {}`",
        are_due(asked.creates, "create", " of users and groups"),
        in_window(sent.creates),
        limit.limit(total),
        asked.creates,
    ))
}

/// True for an update that changes who a user is. A disable or an enable may carry such a change too.
#[must_use]
pub fn changes_identity(operation: &Operation) -> bool {
    let enables = operation.verb.act() == Act::Enable;
    operation.verb.updates()
        && operation
            .changes
            .iter()
            .any(|change| is_identity(change, enables))
}

/// Why an operation is withheld that the guard has no question for.
#[must_use]
pub fn unknown(verb: Verb) -> String {
    format!("the guard does not know the operation {verb}, and sends nothing that it does not know")
}

/// True for a change of userName, externalId or roles. Filling an empty externalId is none; nor are the roles that a
/// user who is enabled again gets back (`returns`), which the target had cleared by itself.
#[must_use]
pub fn is_identity(change: &Change, returns: bool) -> bool {
    match identity_part(&change.attribute) {
        Some(Identity::UserName) => true,
        Some(Identity::ExternalId) => !change.before.is_unassigned(),
        Some(Identity::Roles) => !returns,
        None => false,
    }
}

/// True for a target path whose change may be one of who somebody is.
#[must_use]
pub fn is_identity_attribute(path: &str) -> bool {
    identity_part(path).is_some()
}

enum Identity {
    UserName,
    ExternalId,
    Roles,
}

fn identity_part(path: &str) -> Option<Identity> {
    let path = path.to_lowercase();
    // Under the core schema's name too; roles as `roles`, `roles.value`, `roles[primary eq "True"].value`. A filter may
    // hold any text, colons and points too, so it goes first.
    let outside = path.split('[').next()?;
    let attribute = outside.rsplit(':').next()?;
    match attribute.split('.').next()? {
        "username" => Some(Identity::UserName),
        "externalid" => Some(Identity::ExternalId),
        "roles" => Some(Identity::Roles),
        _ => None,
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
        return within_allowance(asked, most, "removal", "--allow-deletions");
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

/// A group of this many members or fewer may change wholly in a day.
const SMALL_GROUP: u64 = 20;

fn within_allowance(asked: u64, most: u64, what: &str, flag: &str) -> Approval {
    if asked <= most {
        Approval::Approved
    } else {
        Approval::Withheld(format!(
            "{} and {flag} lets at most {most} through; none were sent",
            are_due(asked, what, "")
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
    let window = in_window(before);
    Approval::Withheld(format!(
        "{}{window}, more than the {limit} that {setting} ({threshold}, of {total}) \
         lets through{COMMANDS}`melonsync plan`, then `melonsync sync --allow-deletions {release}`",
        are_due(asked, "removal", &format!(" of {what}"))
    ))
}

fn in_window(before: u64) -> String {
    match before {
        0 => String::new(),
        1 => " and 1 was sent within the guard window".to_owned(),
        _ => format!(" and {before} were sent within the guard window"),
    }
}

fn are_due(count: u64, word: &str, what: &str) -> String {
    match count {
        1 => format!("1 {word}{what} is due"),
        _ => format!("{count} {word}s{what} are due"),
    }
}

#[cfg(test)]
mod tests;

//! The policy of a job: what may be created, changed and taken away, and how much of it at once.
//!
//! Plain values: the settings fill them in, the planner and the guard read them. The defaults are those
//! that `config/example.toml` shows under `[jobs.NAME.provisioning]`.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::drift_policy::DriftPolicy;

/// What happens to a linked user who leaves (`on_soft_delete`, `on_hard_delete`, `on_out_of_scope`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnRemoval {
    /// `active = false`; the resource and its keys stay.
    Disable,
    /// The resource is deleted.
    Delete,
    /// Nothing is sent; the resource stays linked and is reported.
    Keep,
}

/// What happens to a linked group that leaves (`groups.on_out_of_scope`, `groups.on_delete`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupRemoval {
    /// Nothing is sent; the group stays linked and is reported.
    Keep,
    /// Its members are taken out; the group itself stays.
    Empty,
    /// The group is emptied, and deleted after [`GroupPolicy::delete_after`].
    Delete,
}

/// Which existing resources may be taken over by a matching source object (docs/design/matching.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Adopt {
    /// Only where `externalId` is empty or ours: a re-used address inherits nobody's security keys.
    Unclaimed,
    /// The matching attribute is enough, as in Azure's own provisioning.
    Any,
    /// None: only what melonsync created or linked before.
    Never,
}

/// Which existing groups may be taken over by a group of the source (`groups.adopt`). Within what [`Adopt`] allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AdoptGroup {
    /// One that has nothing but its name in common with it waits until a person lets it through: in most tenants
    /// everybody may make a group of any name.
    Review,
    /// Where `externalId` is empty or ours.
    Unclaimed,
    /// None: only what melonsync created or linked before.
    Never,
}

/// What is done about resources that no source object matches. They are never changed or deleted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unmanaged {
    /// Left alone in silence.
    Keep,
    /// Left alone and reported as drift of class `unmanaged`.
    Report,
}

/// How many operations of one kind may be sent within the guard window: a count, a share, or the lower of both.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// At most this many.
    pub count: Option<u64>,
    /// At most this share of the linked objects, in percent, 0 to 100.
    pub percent: Option<f64>,
}

/// A threshold that says nothing, or a share that is none.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum BadThreshold {
    /// Neither a count nor a share.
    #[error("a threshold needs a count, a percentage or both")]
    Empty,
    /// Not a percentage.
    #[error("a percentage must be between 0 and 100, got {0}")]
    Percent(f64),
}

impl Threshold {
    /// A share below this many objects is raised to it: five leavers in a team of twenty are no accident.
    pub const FLOOR: u64 = 5;

    /// A threshold of what was written down.
    ///
    /// # Errors
    /// When both are absent, or the percentage is not between 0 and 100.
    pub fn try_new(count: Option<u64>, percent: Option<f64>) -> Result<Self, BadThreshold> {
        match percent {
            _ if count.is_none() && percent.is_none() => Err(BadThreshold::Empty),
            Some(share) if !(0.0..=100.0).contains(&share) => Err(BadThreshold::Percent(share)),
            _ => Ok(Self { count, percent }),
        }
    }

    /// At most so many.
    #[must_use]
    pub const fn count(count: u64) -> Self {
        Self {
            count: Some(count),
            percent: None,
        }
    }

    /// The most operations that may pass when `total` objects are linked: the lower of count and share.
    ///
    /// The floor of [`Self::FLOOR`] holds for the share (and so for the pair); a count written alone is
    /// meant as written, so that 0 lets nothing through.
    #[must_use]
    pub fn limit(&self, total: u64) -> u64 {
        match (self.count, self.percent.map(|share| share_of(total, share))) {
            (Some(count), Some(share)) => count.min(share).max(Self::FLOOR),
            (Some(count), None) => count,
            (None, Some(share)) => share.max(Self::FLOOR),
            (None, None) => 0,
        }
    }
}

/// `percent` of `total`, rounded down.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "directories are far below 2^52 objects and a percentage is between 0 and 100"
)]
fn share_of(total: u64, percent: f64) -> u64 {
    (total as f64 * percent / 100.0).floor() as u64
}

/// As written in the settings: `500`, `5%`, `500 or 5%, whichever is lower`.
impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.count, self.percent) {
            (Some(count), Some(percent)) => write!(f, "{count} or {percent}%, whichever is lower"),
            (Some(count), None) => write!(f, "{count}"),
            (None, Some(percent)) => write!(f, "{percent}%"),
            (None, None) => f.write_str("none"),
        }
    }
}

/// The rules for groups.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GroupPolicy {
    /// A group that the scope no longer holds.
    pub on_out_of_scope: GroupRemoval,
    /// Which existing groups may be linked.
    pub adopt: AdoptGroup,
    /// A group that was deleted at the source.
    pub on_delete: GroupRemoval,
    /// A group to be deleted is emptied at once and deleted after this time.
    pub delete_after: Duration,
    /// Most group deletes within the guard window.
    pub deletion_threshold: Threshold,
}

impl Default for GroupPolicy {
    fn default() -> Self {
        Self {
            on_out_of_scope: GroupRemoval::Keep,
            adopt: AdoptGroup::Review,
            on_delete: GroupRemoval::Delete,
            delete_after: Duration::ZERO,
            deletion_threshold: Threshold::count(5),
        }
    }
}

/// The rules for users, and those for groups within.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// False: nothing is created; matching still adopts.
    pub create: bool,
    /// False: attributes and members of linked resources are left as they are.
    pub update: bool,
    /// A user in the source's recycle bin.
    pub on_soft_delete: OnRemoval,
    /// A user who is permanently gone.
    pub on_hard_delete: OnRemoval,
    /// A user whom the scope no longer holds.
    pub on_out_of_scope: OnRemoval,
    /// Which existing resources may be linked.
    pub adopt: Adopt,
    /// A new object takes over the link of a deleted or disabled one with the same value of this Graph property.
    pub rehire_by: Option<String>,
    /// Names (userName, mail, display name) or ids that are never updated, disabled, deleted or adopted.
    pub protect: Vec<String>,
    /// Most disables and deletes of users within the guard window.
    pub deletion_threshold: Threshold,
    /// Most members that one group may lose within the guard window.
    pub membership_removal_threshold: Threshold,
    /// Most changes of userName, externalId and roles within the guard window.
    pub identity_change_threshold: Threshold,
    /// Most creates of users and groups within the guard window; as many as there are where absent.
    pub creation_threshold: Option<Threshold>,
    /// What was sent within this time counts towards the thresholds too.
    pub guard_window: Duration,
    /// Resources that no source object matches.
    pub unmanaged: Unmanaged,
    /// What is done about drift. No part of the fingerprint: it changes no desired state.
    #[serde(skip)]
    pub drift: DriftPolicy,
    /// Every linked resource is read again at least this often; zero switches that off. As above.
    #[serde(skip)]
    pub refresh_within: Duration,
    /// The rules for groups.
    pub groups: GroupPolicy,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            create: true,
            update: true,
            on_soft_delete: OnRemoval::Disable,
            on_hard_delete: OnRemoval::Delete,
            on_out_of_scope: OnRemoval::Disable,
            adopt: Adopt::Unclaimed,
            rehire_by: None,
            protect: Vec::new(),
            deletion_threshold: Threshold {
                count: Some(500),
                percent: Some(5.0),
            },
            membership_removal_threshold: Threshold {
                count: None,
                percent: Some(50.0),
            },
            identity_change_threshold: Threshold::count(100),
            creation_threshold: None,
            guard_window: Duration::from_secs(24 * 60 * 60),
            unmanaged: Unmanaged::Keep,
            drift: DriftPolicy::default(),
            refresh_within: Duration::from_secs(24 * 60 * 60),
            groups: GroupPolicy::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lower_of_count_and_share_holds_but_never_under_five() {
        let pair = |count, percent| Threshold {
            count: Some(count),
            percent: Some(percent),
        };
        let share = |percent| Threshold {
            count: None,
            percent: Some(percent),
        };
        for (name, threshold, total, expected) in [
            ("share is lower", pair(500, 5.0), 1_000, 50),
            ("count is lower", pair(500, 5.0), 100_000, 500),
            ("small directory", pair(500, 5.0), 20, 5),
            ("small count in a pair", pair(2, 5.0), 1_000, 5),
            ("share alone", share(10.0), 100, 10),
            ("share alone, floor", share(10.0), 3, 5),
            ("share rounds down", share(50.0), 21, 10),
            ("count alone, as written", Threshold::count(2), 1_000, 2),
            ("nothing passes", Threshold::count(0), 1_000, 0),
        ] {
            assert_eq!(threshold.limit(total), expected, "{name}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        assert_eq!(Threshold::try_new(None, None), Err(BadThreshold::Empty));
        assert_eq!(
            Threshold::try_new(None, Some(130.0)),
            Err(BadThreshold::Percent(130.0))
        );
        assert!(Threshold::try_new(Some(0), Some(100.0)).is_ok());
    }
}

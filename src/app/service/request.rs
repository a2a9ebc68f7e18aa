//! What the daemon is asked for: the bodies that a command sends and the API takes.

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use super::order::Work;
use crate::app::error::AppError;
use crate::engine::job::Extent;

/// As many names as one order may have.
const MOST_NAMES: usize = 1000;

/// `sync`: one cycle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SyncRequest {
    /// Reads the target back and reconciles everything.
    pub full: bool,
    /// Lets the cycle remove at most so many users.
    pub allow_deletions: Option<u64>,
    /// Lets the cycle create at most so many users and groups.
    pub allow_creations: Option<u64>,
    /// What the caller's own settings come to ([`crate::app::install::digest`]): refused where the daemon's are others.
    pub settings: Option<String>,
}

/// `resync`: names, or one of the two switches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ResyncRequest {
    /// Users: object id, UPN, mail or display name.
    pub users: Vec<String>,
    /// Groups: object id or display name.
    pub groups: Vec<String>,
    /// Every object, as it is in the snapshot.
    pub all: bool,
    /// The source is read from the beginning.
    pub restart: bool,
    /// As [`SyncRequest::settings`].
    pub settings: Option<String>,
}

/// `drift --refresh` and `--heal`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct DriftRequest {
    /// As [`SyncRequest::settings`].
    pub settings: Option<String>,
}

impl DriftRequest {
    /// The work that this asks for.
    #[must_use]
    pub const fn work(heal: bool) -> Work {
        Work::Cycle {
            extent: Extent::Drift { heal },
            apply: heal,
            allow_deletions: None,
            allow_creations: None,
        }
    }
}

/// `cancel`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CancelRequest {
    /// Only for one of those who asked for it: it goes on for the others.
    pub mine: bool,
}

/// What became of a `cancel`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Cancelled {
    /// The order or cycle.
    pub cycle: String,
    /// True: it ends, after the requests in flight. False: others want it still, or it is over.
    pub cancelled: bool,
}

impl SyncRequest {
    /// The work that this asks for.
    #[must_use]
    pub const fn work(&self) -> Work {
        Work::Cycle {
            extent: if self.full { Extent::Full } else { Extent::Changes },
            apply: true,
            allow_deletions: self.allow_deletions,
            allow_creations: self.allow_creations,
        }
    }
}

impl ResyncRequest {
    /// The work that this asks for; an error where it names nothing, too much, or two things at once.
    pub fn work(self) -> Result<Work, AppError> {
        let refuse = |what: &str, advice: &str| Err(AppError::usage(what, advice));
        let names = self.users.len() + self.groups.len();
        let extent = match (names, self.all, self.restart) {
            (0, true, false) => Extent::All,
            (0, false, true) => Extent::Restart,
            (0, false, false) => {
                return refuse(
                    "nothing is named",
                    "name users or groups, or ask for all, or for a restart",
                );
            }
            (1..=MOST_NAMES, false, false) => Extent::Objects {
                users: self.users,
                groups: self.groups,
            },
            (_, false, false) => {
                return refuse("too many are named", "name a thousand at most in one order");
            }
            (_, _, _) => {
                return refuse(
                    "two things are asked for at once",
                    "name objects, or ask for all, or for a restart",
                );
            }
        };
        Ok(Work::Cycle {
            extent,
            apply: true,
            allow_deletions: None,
            allow_creations: None,
        })
    }
}

//! What the daemon is asked for: the bodies that a command sends and the API takes.

use std::sync::Arc;

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use super::order::MOST_NAMES;
use super::order::Work;
use crate::app::error::AppError;
use crate::app::plans::Carrying;
use crate::app::plans::Form;
use crate::app::plans::Saved;
use crate::app::plans::Seen;
use crate::engine::job::Extent;
use crate::engine::job::UndoRequest;
use crate::model::id::CycleId;
use crate::model::id::ObjectKind;
use crate::snapshot::named::NotOne;
use crate::snapshot::store::Snapshot;

/// `sync`: one cycle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct SyncRequest {
    /// Reads the target back and reconciles everything.
    pub full: bool,
    /// Lets the cycle remove at most so many users.
    #[schema(format = "uint64")]
    pub allow_deletions: Option<u64>,
    /// Lets the cycle create at most so many users and groups.
    #[schema(format = "uint64")]
    pub allow_creations: Option<u64>,
    /// Only what is in this saved plan, and still wanted.
    #[schema(value_type = Option<Object>)]
    pub saved: Option<SavedRequest>,
    /// What the caller's own settings come to ([`crate::app::install::digest`]): refused where the daemon's are others.
    pub settings: Option<String>,
}

/// `undo`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct UndoAsked {
    /// Only what would be done.
    pub dry_run: bool,
    /// Makes anew what the cycle deleted.
    pub recreate: bool,
    /// Refused where it is about another number of operations by then.
    #[schema(format = "uint64")]
    pub expect: Option<u64>,
    /// Why; kept in the history.
    pub comment: Option<String>,
    /// The forms of the plan, with `dry_run`; JSON where nothing is said.
    #[schema(value_type = Vec<String>)]
    pub forms: Vec<Form>,
    /// As [`SyncRequest::settings`].
    pub settings: Option<String>,
}

impl UndoAsked {
    /// The work that this asks for.
    #[must_use]
    pub fn work(self, cycle: CycleId) -> Work {
        Work::Undo {
            request: UndoRequest {
                cycle,
                recreate: self.recreate,
                comment: self.comment,
            },
            apply: !self.dry_run,
            seen: Seen {
                count: self.expect,
                digest: None,
            },
            forms: if self.forms.is_empty() {
                vec![Form::Json]
            } else {
                self.forms
            },
        }
    }
}

/// A saved plan that is to be carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedRequest {
    /// Nothing is carried out where anything differs.
    #[serde(default)]
    pub exact: bool,
    /// The plan.
    pub plan: Saved,
}

/// `resync`: names, or one of the two switches.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ResyncRequest {
    /// Users: object id, UPN, mail or display name.
    pub users: Vec<String>,
    /// Groups: object id or display name.
    pub groups: Vec<String>,
    /// Users or groups: object id, the beginning of one, or any name.
    pub objects: Vec<String>,
    /// Every object, as it is in the snapshot.
    pub all: bool,
    /// The source is read from the beginning.
    pub restart: bool,
    /// Only what would be done; nothing is sent.
    pub dry_run: bool,
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

/// `state verify` and `export`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct StateRequest {
    /// The job; may be left out where there is one.
    pub job: Option<String>,
    /// Where the caller keeps what comes: for `state forget`, which lists what still holds values. Nothing is written there.
    pub out: Option<String>,
}

/// `state backup`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BackupRequest {
    /// It is to be handed over with this backup: nothing is written while it is made.
    pub handover: bool,
    /// The job; may be left out where there is one.
    pub job: Option<String>,
    /// Where the caller keeps it, which is only noted.
    pub out: Option<String>,
}

/// `state backup --handover`, in two steps: the backup is made and kept, then the job is handed over with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct HandoverRequest {
    /// The head of the history in the backup, as `x-melonsync-history` of its answer has it.
    pub history: String,
    /// The job; may be left out where there is one.
    #[serde(default)]
    pub job: Option<String>,
    /// Where the caller keeps the backup.
    pub out: String,
}

/// `state forget`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ForgetRequest {
    /// The job; may be left out where there is one.
    pub job: Option<String>,
    /// An object id, or a name, UPN or mail that it had.
    pub object: String,
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
    pub fn work(self) -> Work {
        if let Some(saved) = self.saved {
            return Work::Saved {
                saved: Arc::new(saved.plan),
                how: Carrying {
                    full: self.full,
                    exact: saved.exact,
                    deletions: self.allow_deletions,
                },
            };
        }
        Work::Cycle {
            extent: if self.full { Extent::Full } else { Extent::Changes },
            apply: true,
            allow_deletions: self.allow_deletions,
            allow_creations: self.allow_creations,
        }
    }
}

impl ResyncRequest {
    /// With each object among the users or the groups, as what it is found. Whom the snapshot does not know yet may be a user whom
    /// the next page of the source brings.
    pub fn sorted(mut self, snapshot: &Snapshot) -> Result<Self, AppError> {
        let objects = std::mem::take(&mut self.objects);
        let found = snapshot.named(&[ObjectKind::User, ObjectKind::Group], &objects)?;
        for (name, found) in objects.into_iter().zip(found) {
            match found.as_slice() {
                [] => self.users.push(name),
                [one] if one.kind == ObjectKind::User => self.users.push(name),
                [_] => self.groups.push(name),
                _ => return Err(AppError::from(&NotOne::Several { name, found })),
            }
        }
        Ok(self)
    }

    /// The work that this asks for; an error where it names nothing, too much, or two things at once.
    pub fn work(self) -> Result<Work, AppError> {
        Ok(Work::Cycle {
            apply: !self.dry_run,
            extent: self.extent()?,
            allow_deletions: None,
            allow_creations: None,
        })
    }

    /// What is to be looked at.
    pub fn extent(self) -> Result<Extent, AppError> {
        let refuse = |what: &str, advice: &str| Err(AppError::usage(what, advice));
        let names = self.users.len() + self.groups.len() + self.objects.len();
        Ok(match (names, self.all, self.restart) {
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
        })
    }
}

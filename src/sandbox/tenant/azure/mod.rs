//! Azure's own provisioning job of the enterprise application, played: what Graph shows of it, its pause and its log, and an
//! execution that really provisions from this tenant into a sample workspace.
//!
//! Written from synchronizationjob-get.md, synchronizationjob-pause.md, provisioningobjectsummary.md and how-provisioning-works.md.
//! Nothing runs by itself: a test, or the remote control, begins an execution and ends it. A pause keeps what runs from being
//! followed by another one; what runs goes on until it is ended, as the real job does.

mod execution;
mod log;
mod mapped;
mod references;
mod sign_in;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use chrono::DateTime;
use chrono::Utc;
use serde_json::Value;
use serde_json::json;

use super::Core;
use super::Tenant;
use super::assignments::ENTERPRISE_PRINCIPAL;
use super::page;
use crate::sandbox::clock;
use crate::sandbox::server::Answer;
use crate::sandbox::server::Call;
use crate::sandbox::workspace::Workspace;
pub(super) use log::answer as log;
pub(super) use sign_in::SignIn;
pub(super) use sign_in::answer as sign_in;
pub(super) use sign_in::grant;

/// The id of the job: the template, the tenant without dashes, and a name of its own.
const JOB: &str = "scim.5a3d0b0c7e5740008000000000000001.5a3d0b0c-7e57-4000-8000-0000000000f1";
const READ: &[&str] = &["Synchronization.Read.All", "Synchronization.ReadWrite.All"];
const STEER: &[&str] = &["Synchronization.ReadWrite.All"];

/// What Entra's engine is known to do otherwise than one may expect, one switch each. By default it makes no mistake.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AzureMistakes {
    /// A value that is cleared in Entra stays at the target.
    pub keeps_nulls: bool,
    /// A member who comes into being later than the group's membership is not added.
    pub forgets_late_members: bool,
    /// A restored user gets no membership back.
    pub restores_without_members: bool,
    /// `externalId` is the mailNickname.
    pub nickname_as_external_id: bool,
    /// Users, by object id, of whom every export fails.
    pub fails: BTreeSet<String>,
    /// Entries of the log are seen this much later, in milliseconds.
    pub log_lag_ms: i64,
}

/// The job.
#[derive(Default)]
pub(super) struct Azure {
    /// Where it provisions to; without one there is no job.
    workspace: Option<Workspace>,
    paused: bool,
    /// Why it is in quarantine.
    quarantine: Option<String>,
    mistakes: AzureMistakes,
    /// What it remembers of each object, by its place in the directory.
    users: BTreeMap<usize, Link>,
    groups: BTreeMap<usize, Link>,
    running: Option<Execution>,
    last: Option<Execution>,
    log: log::Log,
    schema: Value,
    /// The time that it goes by, where a test sets one.
    time: Option<DateTime<Utc>>,
}

/// A pair that the job remembers, with what it last sent.
struct Link {
    target: String,
    sent: BTreeMap<&'static str, String>,
    active: bool,
    manager: Option<usize>,
    members: BTreeSet<usize>,
}

#[derive(Clone)]
struct Execution {
    id: String,
    began: DateTime<Utc>,
    ended: Option<DateTime<Utc>>,
    exported: usize,
    failed: usize,
}

impl Azure {
    fn now(&self) -> DateTime<Utc> {
        self.time.unwrap_or_else(clock::utc)
    }

    /// Returns the code in the job's status.
    fn code(&self) -> &'static str {
        match (self.paused, &self.quarantine, &self.last, &self.running) {
            (true, ..) => "Paused",
            (_, Some(_), ..) => "Quarantine",
            (_, None, None, None) => "NotRun",
            _ => "Active",
        }
    }

    fn shown(&self) -> Value {
        let count = |links: &BTreeMap<usize, Link>| links.len();
        let quarantine = self.quarantine.as_ref().map(|reason| {
            json!({"reason": reason, "currentBegan": "2026-01-01T00:00:00Z", "seriesBegan": "2026-01-01T00:00:00Z", "seriesCount": 1,
                "nextAttempt": "2026-01-02T00:00:00Z", "error": {"code": reason, "message": "The job is in quarantine.", "tenantActionable": true}})
        });
        let progress: Vec<Value> = self.running.iter().map(|_| json!({"completedUnits": 0, "totalUnits": 1, "units": "User", "progressObservationDateTime": written(self.now())})).collect();
        json!({"id": JOB, "templateId": "scim",
            "schedule": {"expiration": null, "interval": "PT40M", "state": if self.paused { "Paused" } else { "Active" }},
            "status": {"code": self.code(), "countSuccessiveCompleteFailures": 0, "escrowsPruned": false, "quarantine": quarantine,
                "lastExecution": self.running.as_ref().or(self.last.as_ref()).map(Execution::shown),
                "lastSuccessfulExecution": self.last.as_ref().map(Execution::shown), "progress": progress, "troubleshootingUrl": null,
                "synchronizedEntryCountByType": [{"key": "User to User", "value": count(&self.users)}, {"key": "Group to Group", "value": count(&self.groups)}]},
            "synchronizationJobSettings": [{"name": "SkipOutOfScopeDeletions", "value": "False"}]})
    }
}

impl Execution {
    fn shown(&self) -> Value {
        let state = match (self.ended, self.failed) {
            (None, _) => Value::Null,
            (_, 0) => "Succeeded".into(),
            _ => "EntryLevelErrors".into(),
        };
        json!({"activityIdentifier": self.id, "countEntitled": self.exported + self.failed, "countEscrowed": self.failed, "countExported": self.exported,
            "countImported": self.exported + self.failed, "state": state, "timeBegan": written(self.began), "timeEnded": self.ended.map(written), "error": null})
    }
}

fn written(time: DateTime<Utc>) -> String {
    time.format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// Answers what is below `servicePrincipals/{id}/synchronization`, or nothing where the address is another.
pub(super) fn answer(core: &mut Core, call: &Call, resource: &str) -> Option<Answer> {
    let rest = resource.strip_prefix("servicePrincipals/")?;
    let (principal, rest) = rest.split_once('/')?;
    let rest = rest.strip_prefix("synchronization/jobs")?;
    let parts: Vec<&str> = rest.split('/').filter(|part| !part.is_empty()).collect();
    let method = call.method.as_str();
    let needed = if method == "GET" { READ } else { STEER };
    if !core.may(needed) {
        return Some(page::denied());
    }
    if principal != ENTERPRISE_PRINCIPAL {
        return Some(page::not_found(principal));
    }
    let is_job = |id: &&str| **id == *JOB && core.azure.workspace.is_some();
    Some(match (method, parts.as_slice()) {
        ("GET", []) => {
            let jobs: Vec<Value> = core.azure.workspace.iter().map(|_| core.azure.shown()).collect();
            page::ok(&json!({ "value": jobs }))
        }
        ("GET", [id]) if is_job(id) => page::ok(&core.azure.shown()),
        ("GET", [id, "schema"]) if is_job(id) => page::ok(&core.azure.schema),
        ("POST", [id, "pause"]) if is_job(id) => {
            core.azure.paused = true;
            Answer::empty(204)
        }
        ("POST", [id, "start"]) if is_job(id) => {
            core.azure.paused = false;
            core.azure.quarantine = None;
            Answer::empty(204)
        }
        (_, [id, ..]) => page::not_found(id),
        _ => Answer::empty(405),
    })
}

impl Tenant {
    /// Gives the enterprise application a provisioning job into this workspace. It is paused at first.
    pub fn provision_into(&self, workspace: &Workspace) {
        let azure = &mut self.core().azure;
        azure.workspace = Some(workspace.clone());
        azure.paused = true;
    }

    /// Starts Azure's job as an administrator does: its pause and its quarantine are over.
    pub fn start_azure(&self) {
        let azure = &mut self.core().azure;
        (azure.paused, azure.quarantine) = (false, None);
    }

    /// Pauses Azure's job; an execution under way goes on.
    pub fn pause_azure(&self) {
        self.core().azure.paused = true;
    }

    /// Returns true while Azure's job is paused.
    pub fn azure_is_paused(&self) -> bool {
        self.core().azure.paused
    }

    /// Puts Azure's job in quarantine, for a reason as `EncounteredQuarantineException`.
    pub fn quarantine_azure(&self, reason: &str) {
        self.core().azure.quarantine = Some(reason.to_owned());
    }

    /// Changes what Azure's job gets wrong.
    pub fn update_azure(&self, change: impl FnOnce(&mut AzureMistakes)) {
        change(&mut self.core().azure.mistakes);
    }

    /// Sets the time that Azure's job goes by, in milliseconds since 1970; it stands still until it is set again.
    pub fn set_azure_time(&self, millis: i64) {
        self.core().azure.time = DateTime::from_timestamp_millis(millis);
    }

    /// Sets the synchronization schema that the job shows.
    pub fn set_azure_schema(&self, schema: Value) {
        self.core().azure.schema = schema;
    }

    /// Runs one execution of Azure's job, unless it is paused. Returns how many entries it exported.
    pub fn azure_cycle(&self) -> usize {
        self.begin_azure_cycle();
        self.end_azure_cycle()
    }

    /// Begins an execution of Azure's job, unless it is paused or runs already.
    pub fn begin_azure_cycle(&self) {
        let azure = &mut self.core().azure;
        if azure.paused || azure.workspace.is_none() || azure.running.is_some() {
            return;
        }
        azure.running = Some(Execution {
            id: uuid::Uuid::new_v4().to_string(),
            began: azure.now(),
            ended: None,
            exported: 0,
            failed: 0,
        });
    }

    /// Ends the execution that was begun: what it exports is exported now, also where the job was paused meanwhile.
    pub fn end_azure_cycle(&self) -> usize {
        execution::finish(&mut self.core())
    }

    /// Returns the entries of the provisioning log, oldest first.
    pub fn azure_log(&self) -> Vec<Value> {
        self.core().azure.log.all()
    }
}

//! The provisioning log (provisioningobjectsummary-list.md): newest first, in pages, with `$filter` on the time, the service
//! principal and the id; five requests within ten seconds; only with a right and a premium licence.

use std::collections::VecDeque;
use std::time::Duration;
use std::time::Instant;

use chrono::DateTime;
use chrono::Utc;
use serde_json::Value;
use serde_json::json;

use super::JOB;
use super::written;
use crate::sandbox::clock;
use crate::sandbox::server::Answer;
use crate::sandbox::server::Call;
use crate::sandbox::tenant::Core;
use crate::sandbox::tenant::assignments::ENTERPRISE_PRINCIPAL;
use crate::sandbox::tenant::page;
use crate::sandbox::tenant::read::paged;

const RIGHTS: &[&str] = &["ProvisioningLog.Read.All", "AuditLog.Read.All"];
/// So many requests within so long.
const MOST: (usize, Duration) = (5, Duration::from_secs(10));
/// The largest page.
const LARGEST_PAGE: usize = 500;
/// As long are entries kept with a premium licence.
const KEPT_DAYS: i64 = 30;

/// What is to be told of one export.
pub(super) struct Entry {
    pub object: String,
    pub name: Value,
    pub group: bool,
    pub action: &'static str,
    pub target: String,
    /// Name, old value and new value.
    pub changed: Vec<(String, Value, Value)>,
    /// The status with which the target refused it.
    pub refused: Option<u16>,
    pub cycle: String,
}

#[derive(Default)]
pub(super) struct Log {
    entries: Vec<(DateTime<Utc>, Value)>,
    asked: VecDeque<Instant>,
}

impl Log {
    /// Adds an entry that happened now; each has a moment of its own.
    pub fn add(&mut self, entry: Entry, now: DateTime<Utc>) {
        let before = self
            .entries
            .last()
            .map(|(at, _)| *at + chrono::Duration::milliseconds(1));
        let at = before.map_or(now, |before| before.max(now));
        let shown = entry.shown(at, self.entries.len());
        self.entries.push((at, shown));
    }

    pub fn all(&self) -> Vec<Value> {
        self.entries.iter().map(|(_, entry)| entry.clone()).collect()
    }

    fn is_throttled(&mut self) -> bool {
        let (most, within) = MOST;
        let now = clock::instant();
        self.asked.retain(|at| now.duration_since(*at) < within);
        if self.asked.len() >= most {
            return true;
        }
        self.asked.push_back(now);
        false
    }
}

impl Entry {
    fn shown(&self, at: DateTime<Utc>, number: usize) -> Value {
        let kind = if self.group { "Group" } else { "User" };
        let changed = self
            .changed
            .iter()
            .map(|(name, old, new)| json!({"displayName": name, "oldValue": old, "newValue": new}));
        let (status, error) = match self.refused {
            None => ("success", Value::Null),
            Some(status) => (
                "failure",
                json!({"errorCode": "SystemForCrossDomainIdentityManagementServiceIncompatible", "reason": format!("The target answered {status}."),
                "errorCategory": "failure", "additionalDetails": null, "recommendedAction": null}),
            ),
        };
        json!({"id": uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_OID, format!("{number}").as_bytes()), "activityDateTime": written(at), "tenantId": "5a3d0b0c-7e57-4000-8000-000000000001",
            "jobId": JOB, "cycleId": self.cycle, "changeId": uuid::Uuid::new_v4(), "provisioningAction": self.action, "durationInMilliseconds": 120,
            "initiatedBy": {"id": "", "displayName": "Azure AD Provisioning Service", "initiatorType": "system"},
            "servicePrincipal": {"id": ENTERPRISE_PRINCIPAL, "displayName": "IDmelon"},
            "sourceSystem": {"id": "5a3d0b0c-7e57-4000-8000-0000000000f2", "displayName": "Azure Active Directory", "details": {}},
            "targetSystem": {"id": "5a3d0b0c-7e57-4000-8000-0000000000f3", "displayName": "customappsso", "details": {}},
            "sourceIdentity": {"id": self.object, "displayName": self.name, "identityType": kind, "details": {}},
            "targetIdentity": {"id": self.target, "displayName": "", "identityType": kind, "details": {}},
            "provisioningStatusInfo": {"status": status, "errorInformation": error},
            "provisioningSteps": [{"name": format!("EntryExport{}", self.action), "provisioningStepType": "export", "status": status, "description": "", "details": {}}],
            "modifiedProperties": changed.collect::<Vec<_>>()})
    }
}

/// Answers `GET /auditLogs/provisioning`.
pub(in crate::sandbox::tenant) fn answer(core: &mut Core, call: &Call) -> Answer {
    if core.azure.log.is_throttled() {
        return page::error(429, "TooManyRequests", "Too many requests.").with("retry-after", "1");
    }
    if !core.may(RIGHTS) {
        return page::denied();
    }
    if core.methods.is_unlicensed() {
        let text = "Neither tenant is B2C or tenant doesn't have premium license";
        return page::error(403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", text);
    }
    let size = call.option("top").and_then(|top| top.parse::<usize>().ok());
    if size.is_some_and(|size| size > LARGEST_PAGE) {
        return page::error(
            400,
            "BadRequest",
            "The limit of '500' for Top query has been exceeded.",
        );
    }
    let filter = call.option("filter").unwrap_or_default();
    let clauses: Vec<&str> = filter
        .split(" and ")
        .map(str::trim)
        .filter(|clause| !clause.is_empty())
        .collect();
    let now = core.azure.now();
    let lag = core.azure.mistakes.log_lag_ms;
    // Entries of one moment have times of their own, which may lie a little beyond it.
    let is_seen = |at: &DateTime<Utc>| lag == 0 || *at <= now - chrono::Duration::milliseconds(lag);
    let oldest = now - chrono::Duration::days(KEPT_DAYS);
    let mut rows = Vec::new();
    for (at, entry) in core
        .azure
        .log
        .entries
        .iter()
        .rev()
        .filter(|(at, _)| is_seen(at) && *at >= oldest)
    {
        let mut fits = true;
        for clause in &clauses {
            match holds(clause, *at, entry) {
                Some(true) => {}
                Some(false) => fits = false,
                None => return page::error(400, "BadRequest", &format!("Invalid filter clause: {clause}")),
            }
        }
        if fits {
            rows.push(entry.clone());
        }
    }
    paged(call, rows)
}

/// Whether a clause holds of an entry; `None` for one that the service does not know.
fn holds(clause: &str, at: DateTime<Utc>, entry: &Value) -> Option<bool> {
    let mut words = clause.splitn(3, ' ');
    let (name, operator, value) = (words.next()?, words.next()?, words.next()?);
    let quoted = || value.strip_prefix('\'')?.strip_suffix('\'');
    match (name, operator) {
        ("servicePrincipal/id", "eq") => Some(entry["servicePrincipal"]["id"] == quoted()?),
        ("jobId", "eq") => Some(entry["jobId"] == quoted()?),
        ("id", "eq") => Some(entry["id"] == quoted()?),
        ("activityDateTime", operator) => {
            let wanted = DateTime::parse_from_rfc3339(value).ok()?.to_utc();
            Some(match operator {
                "ge" => at >= wanted,
                "gt" => at > wanted,
                "le" => at <= wanted,
                "lt" => at < wanted,
                "eq" => at == wanted,
                _ => return None,
            })
        }
        _ => None,
    }
}

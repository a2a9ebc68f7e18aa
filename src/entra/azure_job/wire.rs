//! Jobs and log entries as Graph writes them. What names an entry has to be there; what describes it may be missing.

use std::collections::BTreeMap;

use chrono::DateTime;
use serde::Deserialize;
use uuid::Uuid;

use crate::model::azure_job::AzureJob;
use crate::model::azure_job::Execution;
use crate::model::azure_job::JobQuarantine;
use crate::model::azure_job::JobState;
use crate::model::azure_job::LogAction;
use crate::model::azure_job::LogEntry;
use crate::model::azure_job::Modified;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;

/// Graph writes a time that is none as the year 1.
const NEVER: i64 = -60_000_000_000_000;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireJob {
    id: String,
    status: WireStatus,
    #[serde(default)]
    schedule: Option<WireSchedule>,
    #[serde(default)]
    synchronization_job_settings: Option<Vec<WireSetting>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireStatus {
    code: String,
    #[serde(default)]
    last_execution: Option<WireExecution>,
    #[serde(default)]
    progress: Option<Vec<serde::de::IgnoredAny>>,
    #[serde(default)]
    quarantine: Option<WireQuarantine>,
}

#[derive(Deserialize)]
struct WireSchedule {
    #[serde(default)]
    interval: Option<String>,
}

#[derive(Deserialize)]
struct WireSetting {
    name: String,
    #[serde(default)]
    value: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireExecution {
    #[serde(default)]
    state: Option<String>,
    #[serde(default)]
    time_began: Option<String>,
    #[serde(default)]
    time_ended: Option<String>,
    #[serde(default)]
    count_exported: Option<u64>,
    #[serde(default)]
    count_escrowed: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireQuarantine {
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    current_began: Option<String>,
    #[serde(default)]
    next_attempt: Option<String>,
}

fn moment(text: &str) -> Option<Timestamp> {
    let at = DateTime::parse_from_rfc3339(text).ok()?.timestamp_millis();
    (at > NEVER).then_some(Timestamp(at))
}

impl WireJob {
    pub(super) fn into_job(self) -> AzureJob {
        let of = |text: Option<String>| text.as_deref().and_then(moment);
        let last = self.status.last_execution.map(|last| Execution {
            began: of(last.time_began),
            ended: of(last.time_ended),
            outcome: last.state,
            exported: last.count_exported,
            escrowed: last.count_escrowed,
        });
        let quarantine = self.status.quarantine.map(|quarantine| JobQuarantine {
            reason: quarantine.reason.unwrap_or_else(|| "Unknown".to_owned()),
            since: of(quarantine.current_began),
            next_try: of(quarantine.next_attempt),
        });
        let settings = self.synchronization_job_settings.unwrap_or_default();
        let settings: BTreeMap<String, String> = settings
            .into_iter()
            .map(|setting| (setting.name, setting.value.unwrap_or_default()))
            .collect();
        AzureJob {
            id: self.id,
            state: JobState::of(&self.status.code),
            interval: self.schedule.and_then(|schedule| schedule.interval),
            last,
            in_progress: self.status.progress.is_some_and(|progress| !progress.is_empty()),
            quarantine,
            settings,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct WireEntry {
    id: Uuid,
    activity_date_time: String,
    #[serde(default)]
    job_id: Option<String>,
    provisioning_action: String,
    provisioning_status_info: WireOutcome,
    source_identity: WireIdentity,
    #[serde(default)]
    target_identity: Option<WireIdentity>,
    #[serde(default)]
    modified_properties: Option<Vec<WireModified>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireOutcome {
    status: String,
    #[serde(default)]
    error_information: Option<WireError>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireError {
    #[serde(default)]
    error_code: Option<String>,
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireIdentity {
    #[serde(default)]
    id: Option<String>,
    #[serde(default)]
    display_name: Option<String>,
    #[serde(default)]
    identity_type: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireModified {
    display_name: String,
    #[serde(default)]
    old_value: Option<String>,
    #[serde(default)]
    new_value: Option<String>,
}

impl WireEntry {
    /// Reads the entry, or says what is wrong with it.
    pub(super) fn into_entry(self) -> Result<LogEntry, String> {
        let at = moment(&self.activity_date_time).ok_or("an entry has no time that can be read")?;
        let full = |text: Option<String>| text.filter(|text| !text.is_empty());
        let kind = self.source_identity.identity_type.as_deref().and_then(kind_of);
        let error = self.provisioning_status_info.error_information;
        let error = error.and_then(|error| match (full(error.error_code), full(error.reason)) {
            (Some(code), Some(reason)) => Some(format!("{code}: {reason}")),
            (code, reason) => code.or(reason),
        });
        let modified = self.modified_properties.unwrap_or_default().into_iter();
        Ok(LogEntry {
            id: self.id,
            at,
            job: self.job_id.unwrap_or_default(),
            object: self.source_identity.id.as_deref().and_then(|id| id.parse().ok()),
            name: full(self.source_identity.display_name),
            kind,
            target: self.target_identity.and_then(|target| full(target.id)),
            action: LogAction::of(&self.provisioning_action),
            status: self.provisioning_status_info.status.to_ascii_lowercase(),
            error,
            modified: modified
                .map(|one| Modified {
                    name: one.display_name,
                    old: full(one.old_value),
                    new: full(one.new_value),
                })
                .collect(),
        })
    }
}

/// `User`, or the name of a SCIM schema that ends so.
fn kind_of(text: &str) -> Option<ObjectKind> {
    let last = text.rsplit(':').next().unwrap_or_default();
    match last.to_ascii_lowercase().as_str() {
        "user" => Some(ObjectKind::User),
        "group" => Some(ObjectKind::Group),
        _ => None,
    }
}

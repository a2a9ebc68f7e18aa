//! Azure's own provisioning job as the reader's app sees it: its status, its schema and its log (docs/design/graph.md,
//! "Azure's provisioning job"). Nothing here steers it: see [`steer`], which takes an administrator's own token.

pub mod steer;
mod wire;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::Value as Json;

use self::wire::WireEntry;
use self::wire::WireJob;
use super::GraphSource;
use super::evidence::Document;
use crate::model::azure_job::AzureJob;
use crate::model::azure_job::LogEntry;
use crate::model::clock::Timestamp;
use crate::model::id::SourceId;
use crate::ports::AzureJobs;
use crate::ports::SourceError;

/// The longest stretch of the log that is asked for at a time: its pages end within the life of their links.
const WINDOW: Duration = Duration::from_secs(7 * 24 * 3600);
/// Stretches overlap by this: entries are not always there in the order of their times.
const OVERLAP: Duration = Duration::from_secs(3600);
const STATUS_RIGHT: &str = "Synchronization.Read.All";
const LOG_RIGHT: &str = "ProvisioningLog.Read.All (the log needs Entra ID P1 or P2 too)";

#[async_trait]
impl AzureJobs for GraphSource {
    async fn jobs(&self, application: SourceId) -> Result<Vec<AzureJob>, SourceError> {
        let document = Document {
            path: &format!("servicePrincipals/{application}/synchronization/jobs"),
            query: "",
            permission: STATUS_RIGHT,
            is_report: false,
        };
        let rows: Vec<WireJob> = document.list(&self.client).await?;
        Ok(rows.into_iter().map(WireJob::into_job).collect())
    }

    async fn log(
        &self,
        application: SourceId,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<LogEntry>, SourceError> {
        let mut entries = BTreeMap::new();
        for (begin, end) in windows(from, to) {
            let filter = format!(
                "activityDateTime ge {begin} and activityDateTime le {end} and servicePrincipal/id eq '{application}'"
            );
            let query = query_of(&filter);
            let document = Document {
                path: "auditLogs/provisioning",
                query: &query,
                permission: LOG_RIGHT,
                is_report: true,
            };
            let rows: Vec<WireEntry> = document.list(&self.client).await?;
            for row in rows {
                let entry = row.into_entry().map_err(|wrong| document.malformed(&wrong))?;
                entries.insert((entry.at, entry.id), entry);
            }
        }
        Ok(entries.into_values().collect())
    }

    async fn schema(&self, application: SourceId, job: &str) -> Result<Json, SourceError> {
        let job: String = url::form_urlencoded::byte_serialize(job.as_bytes()).collect();
        let document = Document {
            path: &format!("servicePrincipals/{application}/synchronization/jobs/{job}/schema"),
            query: "",
            permission: STATUS_RIGHT,
            is_report: false,
        };
        document.one(&self.client).await
    }
}

fn query_of(filter: &str) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("$filter", filter).append_pair("$top", "500");
    query.finish().replace('+', "%20")
}

/// Splits a time into stretches that overlap, oldest first.
fn windows(from: Timestamp, to: Timestamp) -> Vec<(Timestamp, Timestamp)> {
    let mut all = Vec::new();
    let mut begin = from;
    while begin < to {
        let end = begin.plus(WINDOW).min(to);
        all.push((begin.minus(OVERLAP).max(from), end));
        begin = end;
    }
    all
}

#[cfg(test)]
mod tests;

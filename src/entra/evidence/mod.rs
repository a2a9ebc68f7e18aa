//! The reads of the way back, by the reader: the report of registered methods, the passkeys of one user, the enrolled group
//! (docs/design/write-back.md, "Evidence").

mod list;

pub(super) use self::list::Document;

use std::collections::BTreeSet;

use async_trait::async_trait;
use serde::Deserialize;
use uuid::Uuid;

use super::GraphSource;
use crate::model::id::SourceId;
use crate::ports::EnrolmentEvidence;
use crate::ports::SourceError;
use crate::reconcile::back::group::GroupFacts;
use crate::reconcile::back::passkeys::Registration;
use crate::reconcile::back::passkeys::is_passkey;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireRegistration {
    id: Uuid,
    is_admin: bool,
    methods_registered: Vec<String>,
}

#[derive(Deserialize)]
struct WireMethod {
    #[serde(rename = "aaGuid")]
    model: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireGroup {
    id: Uuid,
    group_types: Vec<String>,
    #[serde(default)]
    on_premises_sync_enabled: Option<bool>,
    mail_enabled: Option<bool>,
    #[serde(default)]
    is_assignable_to_role: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireBehavior {
    is_cloud_managed: bool,
}

#[derive(Deserialize)]
struct WireMember {
    id: Uuid,
    #[serde(rename = "@odata.type")]
    kind: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireOwner {
    /// Only a service principal has one.
    #[serde(default)]
    app_id: Option<String>,
}

fn id_of(guid: Uuid) -> SourceId {
    SourceId::from_bytes(guid.into_bytes())
}

#[async_trait]
impl EnrolmentEvidence for GraphSource {
    async fn registrations(&self) -> Result<Vec<Registration>, SourceError> {
        let report = Document {
            path: "reports/authenticationMethods/userRegistrationDetails",
            query: "",
            permission: "AuditLog.Read.All (the report needs Entra ID P1 or P2 too)",
            is_report: true,
        };
        let rows: Vec<WireRegistration> = report.list(&self.client).await?;
        let read = rows.into_iter().map(|row| Registration {
            user: id_of(row.id),
            passkey: row.methods_registered.iter().any(|method| is_passkey(method)),
            admin: row.is_admin,
        });
        Ok(read.collect())
    }

    async fn passkeys(&self, user: SourceId) -> Result<Vec<String>, SourceError> {
        let methods = Document {
            path: &format!("users/{user}/authentication/fido2Methods"),
            query: "",
            permission: "UserAuthMethod-Passkey.Read.All",
            is_report: true,
        };
        let rows: Vec<WireMethod> = methods.list(&self.client).await?;
        Ok(rows
            .into_iter()
            .map(|row| row.model.unwrap_or_default())
            .collect())
    }

    async fn group_facts(&self, group: SourceId) -> Result<GroupFacts, SourceError> {
        let document = Document {
            path: &format!("groups/{group}"),
            query: "$select=id,groupTypes,onPremisesSyncEnabled,mailEnabled,isAssignableToRole",
            permission: "GroupMember.Read.All (or Group.Read.All)",
            is_report: false,
        };
        let read: WireGroup = document.one(&self.client).await?;
        if id_of(read.id) != group {
            return Err(document.malformed("it is another group than was asked for"));
        }
        let synced = read.on_premises_sync_enabled == Some(true);
        Ok(GroupFacts {
            types: read.group_types,
            synced,
            cloud_managed: synced && is_cloud_managed(self, group).await?,
            mail_enabled: read.mail_enabled == Some(true),
            role_assignable: read.is_assignable_to_role == Some(true),
        })
    }

    async fn group_members(&self, group: SourceId) -> Result<BTreeSet<SourceId>, SourceError> {
        let document = Document {
            path: &format!("groups/{group}/members"),
            query: "$select=id&$top=999",
            permission: "GroupMember.Read.All (or Group.Read.All)",
            is_report: false,
        };
        let rows: Vec<WireMember> = document.list(&self.client).await?;
        let mut members = BTreeSet::new();
        for row in rows {
            if row.kind.eq_ignore_ascii_case("#microsoft.graph.user") && !members.insert(id_of(row.id)) {
                return Err(document.malformed("a member came twice: the list changed while it was read"));
            }
        }
        Ok(members)
    }

    async fn group_owners(&self, group: SourceId) -> Result<Vec<String>, SourceError> {
        let document = Document {
            path: &format!("groups/{group}/owners"),
            query: "",
            permission: "GroupMember.Read.All (or Group.Read.All)",
            is_report: false,
        };
        let rows: Vec<WireOwner> = document.list(&self.client).await?;
        Ok(rows.into_iter().filter_map(|row| row.app_id).collect())
    }
}

/// Asks whether the source of authority of a synchronised group was moved to the cloud. Without the right to know, it was not.
async fn is_cloud_managed(source: &GraphSource, group: SourceId) -> Result<bool, SourceError> {
    let document = Document {
        path: &format!("groups/{group}/onPremisesSyncBehavior"),
        query: "$select=isCloudManaged",
        permission: "Group-OnPremisesSyncBehavior.ReadWrite.All",
        is_report: false,
    };
    match document.one::<WireBehavior>(&source.client).await {
        Ok(behavior) => Ok(behavior.is_cloud_managed),
        Err(SourceError::Forbidden { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests;

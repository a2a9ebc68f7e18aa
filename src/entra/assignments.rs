//! The users and groups assigned to the enterprise application (docs/design/graph.md, "Other reads"): read whole, page
//! by page.
//!
//! The list has no delta, so an object that is not in it counts as unassigned; therefore a page that was not read and
//! understood whole is an error, and so is a list whose pages overlap: it changed while it was read. A list without an
//! end is such an error too.

use std::collections::HashSet;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tracing::info;
use url::Url;
use uuid::Uuid;

use super::{
    client::{Ask, GraphClient},
    delta::own_link,
    fault::looks_like_html,
    page::unquoted,
};
use crate::model::assignment::AppRole;
use crate::model::assignment::Assignment;
use crate::model::assignment::AssignmentList;
use crate::model::assignment::RoleId;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::ports::SourceError;
use crate::transport::off_thread;

/// The most pages in succession without an assignment. Service principals, which do not count, fill a few.
const MOST_IDLE: u32 = 1000;

/// The most assignments of a list: an application is assigned to as many as a directory holds, at most.
const MOST: usize = 10_000_000;

/// The number of entries from which repeated ones are looked for whenever the list has doubled, not only at its end.
const LEAST_CHECKED: usize = 10_000;

/// How often a line is logged while the list is read.
const LOGGED_EVERY: Duration = Duration::from_secs(60);

#[derive(Deserialize)]
struct WirePage {
    value: Vec<WireAssignment>,
    #[serde(rename = "@odata.nextLink", default)]
    next_link: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireAssignment {
    app_role_id: Uuid,
    principal_id: Uuid,
    principal_type: String,
    #[serde(default)]
    resource_id: Option<Uuid>,
    /// Null for an assignment that is in force.
    #[serde(default)]
    deleted_date_time: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WirePrincipal {
    id: Uuid,
    app_roles: Vec<WireRole>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireRole {
    id: Uuid,
    #[serde(default)]
    value: Option<String>,
    #[serde(default)]
    display_name: Option<String>,
    is_enabled: bool,
}

/// Reads every user and group that is assigned to the application. Where the link to one of its own pages is refused,
/// the list is begun anew, once: no link is kept from one reading to the next.
pub(super) async fn list(client: &GraphClient, application: SourceId) -> Result<AssignmentList, SourceError> {
    match read_list(client, application).await {
        Err(SourceError::LinkRefused { .. }) => read_list(client, application).await,
        read => read,
    }
}

async fn read_list(client: &GraphClient, application: SourceId) -> Result<AssignmentList, SourceError> {
    let (mut entries, mut followed, mut link) = (Vec::new(), HashSet::new(), None::<Url>);
    let (mut idle, mut checked, mut logged) = (0_u32, LEAST_CHECKED, client.clock().now());
    loop {
        let link_or_first = Ask::Assigned {
            application,
            link: link.as_ref(),
        };
        let page: WirePage = ask(client, &link_or_first).await?;
        let before = entries.len();
        for wire in page.value {
            entries.extend(assignment(wire, application)?);
        }
        let Some(next) = page.next_link else { break };
        idle = if entries.len() > before { 0 } else { idle + 1 };
        if idle >= MOST_IDLE || entries.len() > MOST {
            return Err(malformed(&format!(
                "it does not end: {} assignments were read, and the last {idle} pages had none",
                entries.len()
            )));
        }
        if entries.len() >= checked {
            entries = whole(entries)?.into_entries();
            checked = entries.len() * 2;
        }
        logged = log_reading(client, logged, entries.len());
        let next = own_link(client.base(), &next).map_err(|wrong| malformed(&wrong))?;
        if !followed.insert(next.clone()) {
            return Err(malformed("a link leads back to a page that was read already"));
        }
        link = Some(next);
    }
    whole(entries)
}

fn whole(entries: Vec<Assignment>) -> Result<AssignmentList, SourceError> {
    AssignmentList::try_new(entries)
        .map_err(|repeated| malformed(&format!("{repeated}: it was changed while it was read")))
}

/// Logs a line a minute, so that a long list can be told from one that hangs.
fn log_reading(client: &GraphClient, logged: Timestamp, read: usize) -> Timestamp {
    let now = client.clock().now();
    if now.since(logged) < LOGGED_EVERY {
        return logged;
    }
    info!(
        read,
        "Still reading the assignment list: {read} assignments so far"
    );
    now
}

/// Reads the app roles that the application defines, in order of their ids.
pub(super) async fn roles(client: &GraphClient, application: SourceId) -> Result<Vec<AppRole>, SourceError> {
    let principal: WirePrincipal = ask(client, &Ask::Roles { application }).await?;
    if id_of(principal.id) != application {
        return Err(malformed(
            "the service principal that came is not the one that was asked for",
        ));
    }
    let role = |role: WireRole| AppRole {
        id: RoleId(role.id),
        value: role.value.filter(|value| !value.is_empty()),
        display_name: role.display_name,
        enabled: role.is_enabled,
    };
    let mut roles: Vec<AppRole> = principal.app_roles.into_iter().map(role).collect();
    roles.sort();
    Ok(roles)
}

/// Reads one entry. Returns `None` for one that is not provisioned: service principals, and assignments that are
/// deleted already.
fn assignment(wire: WireAssignment, application: SourceId) -> Result<Option<Assignment>, SourceError> {
    if wire
        .resource_id
        .is_some_and(|resource| id_of(resource) != application)
    {
        return Err(malformed("an entry is about another application"));
    }
    let kind = match wire.principal_type.to_ascii_lowercase().as_str() {
        "user" => Some(ObjectKind::User),
        "group" => Some(ObjectKind::Group),
        _ => None,
    };
    let kind = kind.filter(|_| wire.deleted_date_time.is_none());
    Ok(kind.map(|kind| Assignment {
        kind,
        principal: id_of(wire.principal_id),
        role: RoleId(wire.app_role_id),
    }))
}

fn id_of(guid: Uuid) -> SourceId {
    SourceId::from_bytes(guid.into_bytes())
}

async fn ask<T: DeserializeOwned + Send + 'static>(
    client: &GraphClient,
    ask: &Ask<'_>,
) -> Result<T, SourceError> {
    let answer = client.ask(ask).await.map_err(|error| match error {
        // The list has no delta: an answer that would reset a stream only means that the page cannot be had.
        SourceError::Reset { what, .. } => malformed(&what),
        other => other,
    })?;
    let body = answer.body.clone();
    let read = off_thread(body.len(), move || serde_json::from_slice(&body)).await;
    read.map_err(|error| {
        let html = if looks_like_html(&answer) {
            ": it is an HTML page (from a proxy?)"
        } else {
            ""
        };
        malformed(&format!("{}{html}", unquoted(&error)))
    })
}

fn malformed(wrong: &str) -> SourceError {
    SourceError::Malformed {
        what: format!("the assignments of the enterprise application are unusable: {wrong}; nothing of them was used").into(),
        hint: "the list of the last complete read stays in force, and the next cycle reads it again; if this stays, check \
               `graph_url` and `proxy`"
            .to_owned(),
    }
}

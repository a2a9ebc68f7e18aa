//! The way back in the demo: who holds a security key, what somebody edits in the workspace, and a listing of keys that is short.

use std::time::Duration;

use serde_json::Value as Json;
use serde_json::json;

use super::Servers;
use crate::app::cycles;
use crate::app::cycles::Allowing;
use crate::app::cycles::Asking;
use crate::app::cycles::Extent;
use crate::app::cycles::Summary;
use crate::app::error::AppError;
use crate::engine::job::Job;
use crate::sandbox::Fault;
use crate::sandbox::KEY_HOLDERS;
use crate::sandbox::Tenant;
use crate::sandbox::Workspace;

/// One person in so many holds a key from the beginning.
const HOLDS_A_KEY: usize = 10;
/// What a mobile number is changed to in the workspace.
const NEW_NUMBER: &str = "+1 604 555 0199";
/// `enrolled_leave_after` of the one-shot demo, and a little more.
const LEAVE_AFTER: Duration = Duration::from_millis(1_100);

/// The keys of the write-back section by which `demo --once` need not wait for a day.
pub(super) const AT_ONCE: &str = "enrolled_leave_after = \"1s\"\n";
/// The same for the tour: a write-back every ten seconds.
pub(super) const IN_THE_TOUR: &str = "enrolled_leave_after = \"20s\"\nschedule = \"*/10 * * * * *\"\n";

/// Somebody who can hold a key and whose number can be edited.
struct Person {
    id: String,
    name: String,
    address: String,
}

/// Lets the app write that writes, makes the group, and gives some people a key.
pub(super) fn furnish(tenant: &Tenant, workspace: &Workspace) {
    for right in ["User-Phone.ReadWrite.All", "User.ReadUpdate.All"] {
        tenant.grant_writer(right);
    }
    tenant.add_group(json!({
        "id": KEY_HOLDERS, "displayName": "Key holders", "mailNickname": "keyholders", "mailEnabled": false,
        "securityEnabled": true, "groupTypes": [], "description": "Who holds a security key: kept by the way back",
    }));
    tenant.let_writer_own(KEY_HOLDERS);
    for person in people(tenant).iter().step_by(HOLDS_A_KEY) {
        workspace.enrol_key(&person.address);
    }
}

/// Enabled members with a mobile number, in the order in which they were made.
fn people(tenant: &Tenant) -> Vec<Person> {
    let fits = |id: String| {
        let user = tenant.user(&id)?;
        let is_member = user["accountEnabled"] == true && user["userType"] == "Member";
        let text = |name: &str| user[name].as_str().map(str::to_owned);
        text("mobilePhone").filter(|_| is_member)?;
        Some(Person {
            id,
            name: text("displayName")?,
            address: text("userPrincipalName")?,
        })
    };
    tenant.user_ids().into_iter().filter_map(fits).collect()
}

/// Changes a person's mobile number in the workspace, as somebody does there. Returns false where they are not there.
fn edit_number(workspace: &Workspace, person: &Person) -> bool {
    let held = workspace.users_by_external_id(&person.id);
    let Some(user) = held.first() else { return false };
    let mut numbers = user["phoneNumbers"].as_array().cloned().unwrap_or_default();
    numbers.retain(|number| number["type"] != "mobile");
    numbers.push(json!({"type": "mobile", "value": NEW_NUMBER}));
    workspace.edit_user(
        user["id"].as_str().unwrap_or_default(),
        json!({"phoneNumbers": numbers}),
    )
}

fn holders<'p>(
    workspace: &'p Workspace,
    people: &'p [Person],
    hold: bool,
) -> impl Iterator<Item = &'p Person> {
    people
        .iter()
        .filter(move |person| workspace.keys_of(&person.address).is_empty() != hold)
}

fn list_keys(workspace: &Workspace, whole: bool) {
    let omitted = if whole { Fault::never() } else { Fault::always() };
    workspace.update_faults(|faults| faults.keys_omitted = omitted);
}

/// What happens in the tour, a step every few seconds.
pub(super) fn happen(servers: &Servers, step: u64) {
    let workspace = &servers.workspace;
    let people = people(&servers.tenant);
    match step {
        1 => {
            let newcomers: Vec<_> = holders(workspace, &people, false).take(2).collect();
            for person in newcomers {
                workspace.enrol_key(&person.address);
            }
        }
        5 => {
            if let Some(person) = people.get(5) {
                edit_number(workspace, person);
            }
        }
        7 => {
            if let Some(person) = holders(workspace, &people, true).next() {
                workspace.delete_keys_of(&person.address);
            }
            list_keys(workspace, false);
        }
        12 => list_keys(workspace, true),
        _ => {}
    }
}

/// One write-back.
async fn back(job: &Job, asking: &Asking) -> Result<Summary, AppError> {
    cycle(job, Extent::Back, asking).await
}

async fn cycle(job: &Job, extent: Extent, asking: &Asking) -> Result<Summary, AppError> {
    let done = cycles::sync(job, extent, Allowing::default(), asking.clone()).await;
    match &done.error {
        Some(error) => Err(AppError::from(error)),
        None => Ok(done.summary),
    }
}

fn count(summary: &Summary, operation: &str) -> u64 {
    summary.operations.get(operation).copied().unwrap_or_default()
}

/// Plays the way back after a first cycle, four write-backs long, and tells what came of it.
///
/// # Errors
/// A write-back that failed.
pub async fn told(servers: &Servers, job: &Job, asking: &Asking) -> Result<String, AppError> {
    let (tenant, workspace) = (&servers.tenant, &servers.workspace);
    let people = people(tenant);
    let leaver = holders(workspace, &people, true).next();
    let newcomer = holders(workspace, &people, false).next();
    let (Some(leaver), Some(newcomer)) = (leaver, newcomer) else {
        return Ok("\nThe way back needs a few more people to be shown.\n".to_owned());
    };
    let size = || tenant.members(KEY_HOLDERS).len();
    let filled = size();
    workspace.enrol_key(&newcomer.address);
    let joined = back(job, asking).await?;
    let after_join = size();
    edit_number(workspace, newcomer);
    workspace.delete_keys_of(&leaver.address);
    let edited = back(job, asking).await?;
    list_keys(workspace, false);
    let short = back(job, asking).await?;
    let after_short = size();
    list_keys(workspace, true);
    tokio::time::sleep(LEAVE_AFTER).await;
    // Nobody leaves by names that are older than the first listing without the key.
    cycle(job, Extent::Changes, asking).await?;
    let whole = back(job, asking).await?;
    let number = tenant
        .user(&newcomer.id)
        .map_or(Json::Null, |user| user["mobilePhone"].clone());
    let again = count(&short, "write_back_user") + count(&whole, "write_back_user");
    let found = short.findings.iter().map(|finding| finding.code.as_str());
    let found: Vec<&str> = found.filter(|code| *code == "keys_without_evidence").collect();
    Ok(format!(
        "\nThe way back, from the workspace to the tenant, over four write-backs:\n  \
         {filled} people held a security key: the first cycle put them into the Entra group \"Key holders\".\n  \
         {newcomer} enrolled a key: the next write-back put {joins} into the group, which has {after_join} members.\n  \
         Somebody set the mobile number of {newcomer} to {NEW_NUMBER} in the workspace: sent to Entra {sent} time, and {again} times \
         after that; Entra holds {number}.\n  \
         {leaver} gave a key back, and the next listing of keys was short ({found}): {left_short} were taken out, {after_short} are in.\n  \
         The listing after that was whole, and the key was gone for longer than `enrolled_leave_after`: {left} was taken out, {end} are in.\n\
         `melonsync sandbox` prints the section that does this.\n",
        newcomer = newcomer.name,
        leaver = leaver.name,
        joins = count(&joined, "add_enrolled"),
        sent = count(&edited, "write_back_user"),
        found = found.join(", "),
        left_short = count(&short, "remove_enrolled"),
        left = count(&whole, "remove_enrolled"),
        end = size(),
    ))
}

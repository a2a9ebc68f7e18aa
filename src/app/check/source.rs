//! `check`: the source: its network, token, permissions, assignments and clock.

use super::Level;
use super::Lines;
use super::directory;
use super::scope;
use crate::app::install;
use crate::entra::GraphSource;
use crate::entra::permissions::AZURE_JOB;
use crate::entra::permissions::AZURE_LOG;
use crate::entra::permissions::NeededPermission;
use crate::entra::permissions::PASSKEYS;
use crate::entra::permissions::permissions_needed;
use crate::mapping::Mapping;
use crate::model::assignment::AssignmentList;
use crate::model::object::SourceObject;
use crate::model::shown::shown;
use crate::ports::SourceDirectory;
use crate::ports::SourceError;
use crate::settings::job::Job;
use crate::settings::job::Mode;
use crate::settings::network::Network;
use crate::settings::source::Scope;
use crate::settings::writeback::Requires;
use crate::transport::http_client::host_of;

/// Adds what there is to say of the source. Returns the groups that it shows.
pub(super) async fn source(name: &str, job: &Job, mapping: &Mapping, lines: &mut Lines) -> Vec<SourceObject> {
    let graph = match install::source(job) {
        Ok(graph) => graph,
        Err(failure) => {
            lines.failure("source", &failure);
            return Vec::new();
        }
    };
    let proxy = |network: &Network| match (&network.proxy, from_environment()) {
        (Some(proxy), _) => host_of(proxy),
        (None, Some(variable)) => format!("as {variable} says"),
        (None, None) => "none".to_owned(),
    };
    let (source, target) = (proxy(&job.source.network), proxy(&job.target.network));
    lines.ok(
        "network",
        format!("proxy for the source: {source}; for the target: {target}"),
    );
    let facts = match graph.token_facts().await {
        Ok(facts) => facts,
        Err(error) => {
            lines.error("token", &error, error.hint());
            return Vec::new();
        }
    };
    lines.ok(
        "token",
        format!(
            "{} gave a token for tenant {}",
            job.source.login_url, job.source.tenant_id
        ),
    );
    permissions(
        job,
        install::reads_assignments(job, mapping),
        facts.granted.as_deref(),
        lines,
    );
    let assigned = assignments(name, job, mapping, &graph, lines).await;
    match graph.clock_skew_seconds() {
        Some(skew) if skew.abs() > 60 => {
            lines.add(
                Level::Warn,
                "clock",
                format!("this machine's clock differs from the service's by {skew} s"),
                "set it by NTP",
            );
        }
        Some(skew) => lines.ok(
            "clock",
            format!("within {} s of the service's", skew.abs().max(1)),
        ),
        None => {}
    }
    scope::scope(&graph, job, lines).await;
    directory::directory(&graph, job, mapping, assigned.as_ref(), lines).await
}

/// The variable that names a proxy for HTTPS, where one is set.
fn from_environment() -> Option<&'static str> {
    ["HTTPS_PROXY", "https_proxy"]
        .into_iter()
        .find(|name| std::env::var(name).is_ok_and(|value| !value.trim().is_empty()))
}

/// The enterprise application, where its assignments are read; the list, where it decides who is in scope.
async fn assignments(
    name: &str,
    job: &Job,
    mapping: &Mapping,
    graph: &GraphSource,
    lines: &mut Lines,
) -> Option<AssignmentList> {
    let application = match install::application(name, job, mapping) {
        Ok(application) => application.filter(|_| install::reads_assignments(job, mapping))?,
        Err(failure) => {
            lines.failure("assignments", &failure);
            return None;
        }
    };
    match graph.app_roles(application).await {
        Ok(roles) => lines.ok(
            "assignments",
            format!(
                "the enterprise application {application} is there, with {} app roles",
                roles.len()
            ),
        ),
        // Its own line says so already.
        Err(SourceError::Forbidden { .. }) => return None,
        Err(error) => {
            lines.error("assignments", &error, error.hint());
            return None;
        }
    }
    if job.source.scope != Scope::Assigned {
        return None;
    }
    match graph.assignments(application).await {
        Ok(list) => Some(list),
        Err(error) => {
            lines.error("assignments", &error, error.hint());
            None
        }
    }
}

/// Each permission that the job needs, and those that nothing needs.
fn permissions(job: &Job, assignments: bool, granted: Option<&[String]>, lines: &mut Lines) {
    // A filter that asks who is in a group reads groups, managed or not.
    let asks = job.source.users && !job.source.rules.member_of().is_empty();
    let enrolled = job.writeback.as_ref().and_then(|back| back.enrolled.as_ref());
    let groups = job.source.groups || asks || enrolled.is_some();
    let mut needed = permissions_needed(job.source.users, groups, assignments);
    needed.extend(
        enrolled
            .filter(|enrolled| enrolled.requires == Requires::KeyAndPasskey)
            .map(|_| PASSKEYS),
    );
    // An application that is named has Azure's job beside it, which an observing job is compared with.
    if job.source.service_principal_id.is_some() {
        let observes = job.mode == Mode::Observe;
        let has = |one: &NeededPermission| granted.is_some_and(|granted| one.is_met_by(granted));
        needed.extend(
            [AZURE_JOB, AZURE_LOG]
                .into_iter()
                .filter(|one| observes || has(one)),
        );
    }
    match granted {
        None => lines.add(
            Level::Warn,
            "permissions",
            "the token does not say which permissions it has",
            "a missing one shows in the first cycle",
        ),
        Some(granted) => {
            for permission in &needed {
                let what = format!("{} ({})", permission.least, permission.purpose);
                match (permission.is_met_by(granted), permission.required) {
                    (true, _) => lines.ok("permissions", format!("granted: {what}")),
                    (false, required) => lines.add(
                        if required { Level::Fail } else { Level::Warn },
                        "permissions",
                        format!("missing: {what}"),
                        format!(
                            "grant the application permission {} with admin consent",
                            permission.least
                        ),
                    ),
                }
            }
            let known = |name: &String| {
                needed
                    .iter()
                    .any(|p| p.least == name || p.or.contains(&name.as_str()))
            };
            for extra in granted.iter().filter(|name| !known(name)) {
                lines.add(
                    Level::Warn,
                    "permissions",
                    format!("granted, and nothing needs it: {}", shown(extra)),
                    "remove it from the app registration",
                );
            }
        }
    }
}

/// The permissions of Microsoft Graph that users and groups need, and `assigned` those that the assignments need too; each with
/// what it is for.
#[must_use]
pub fn permissions_for(assigned: bool) -> Vec<(&'static str, &'static str)> {
    let needed = permissions_needed(true, true, assigned);
    needed.iter().map(|one| (one.least, one.purpose)).collect()
}

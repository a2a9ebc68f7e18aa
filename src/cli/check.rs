//! `check`: "Test connection". One line for each thing looked at: ok, warn or fail, and what to do.

mod dialect;
mod directory;
mod files;
mod schedule;
mod schema;
mod scope;
mod taken;

use std::error::Error;

use serde::Serialize;

use super::args::Globals;
use super::args::OneJob;
use super::exit::Exit;
use super::process;
use super::report::Report;
use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::app::install;
use crate::mapping::Mapping;
use crate::model::assignment::AssignmentList;
use crate::model::clock::Clock;
use crate::model::clock::SystemClock;
use crate::model::id::ObjectKind;
use crate::model::object::SourceObject;
use crate::model::shown::shown;
use crate::ports::Durability;
use crate::ports::SourceDirectory;
use crate::ports::SourceError;
use crate::ports::StoreError;
use crate::ports::TargetDirectory;
use crate::settings::Settings;
use crate::settings::job::Job;
use crate::settings::network::Network;
use crate::settings::source::Scope;
use crate::snapshot::folder::StateFolder;
use crate::snapshot::read::Reads;
use crate::snapshot::state::ANNOUNCED;
use crate::source::GraphSource;
use crate::source::permissions::permissions_needed;
use crate::target::ScimTarget;
use crate::transport::http_client::host_of;

/// How one thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    Warn,
    Fail,
}

/// One line.
#[derive(Debug, Serialize)]
struct Line {
    level: Level,
    what: &'static str,
    text: String,
    #[serde(rename = "do", skip_serializing_if = "String::is_empty")]
    advice: String,
}

#[derive(Default)]
struct Lines(Vec<Line>);

impl Lines {
    fn add(&mut self, level: Level, what: &'static str, text: impl Into<String>, advice: impl Into<String>) {
        self.0.push(Line {
            level,
            what,
            text: text.into(),
            advice: advice.into(),
        });
    }

    fn ok(&mut self, what: &'static str, text: impl Into<String>) {
        self.add(Level::Ok, what, text, "");
    }

    /// An error with its causes: the last of them is what names the trouble.
    fn error(&mut self, what: &'static str, error: &(dyn Error + 'static), advice: &str) {
        let shown = ErrorText::of(error);
        let text = std::iter::once(shown.what).chain(shown.causes);
        self.add(Level::Fail, what, text.collect::<Vec<_>>().join(": "), advice);
    }

    fn failure(&mut self, what: &'static str, failure: &AppError) {
        for error in &failure.errors {
            let mut text = error.what.clone();
            for cause in &error.causes {
                text = format!("{text}: {cause}");
            }
            self.add(Level::Fail, what, text, error.advice.clone().unwrap_or_default());
        }
    }
}

/// Checks one job. Sends the target only GET.
pub fn run(globals: &Globals, args: &OneJob, report: &mut Report) -> Result<Exit, AppError> {
    let settings = install::settings(&globals.config, false)?;
    let (name, job) = install::choose(&settings, args.job.as_deref())?;
    let mut lines = Lines::default();
    lines.ok(
        "config",
        format!("{} is valid; job `{name}`", globals.config.display()),
    );
    state(&settings, name, job, &mut lines);
    files::files(&settings, &globals.config, job, &mut lines);
    expiry(job, &mut lines);
    match install::mapping(&globals.config, &job.provisioning.mapping) {
        Ok(mapping) => {
            lines.ok(
                "mapping",
                format!(
                    "{}: {} user rows, {} group rows",
                    mapping.name,
                    mapping.user.len(),
                    mapping.group.len()
                ),
            );
            process::runtime()?.block_on(async {
                let groups = source(name, job, &mapping, &mut lines).await;
                if let Some(scim) = target(job, &mapping, &mut lines).await {
                    let of = (&settings, name, job);
                    taken::groups(of, &mapping, &groups, &scim, &mut lines).await;
                }
                forget_announced(&settings, name);
                dialect::dialect(&settings, name, job, &mut lines);
                dialect::not_kept(&settings, name, &mut lines);
                dialect::standing(&settings, name, &mut lines);
            });
        }
        Err(failure) => lines.failure("mapping", &failure),
    }
    schedule::mode(name, job, &mut lines);
    let verdict = schedule::verdict(job, &lines.0);
    let failed = verdict.level == Level::Fail;
    let said = verdict.text.clone();
    lines.0.push(verdict);
    if report.is_json() {
        report.json(&serde_json::json!({"job": name, "ok": !failed, "verdict": said, "checks": lines.0}));
    } else {
        lines.0.iter().for_each(|line| report.text(&text(line)));
    }
    Ok(if failed { Exit::Failed } else { Exit::Done })
}

fn text(line: &Line) -> String {
    let level = match line.level {
        Level::Ok => "ok  ",
        Level::Warn => "warn",
        Level::Fail => "FAIL",
    };
    let advice = if line.advice.is_empty() {
        String::new()
    } else {
        format!("\n                   do: {}", under(&line.advice))
    };
    format!("{level}  {:<12} {}{advice}", line.what, under(&line.text))
}

/// Further lines stand under the first: no text of another's begins one of ours.
fn under(text: &str) -> String {
    text.replace('\n', "\n                   ")
}

fn state(settings: &Settings, name: &str, job: &Job, lines: &mut Lines) {
    let path = settings.state.path.display();
    match install::hold(settings).and_then(|folder| bound(&folder, name, job)) {
        Ok(None) => lines.ok("state", format!("{path} is ours, and the snapshot opens")),
        Ok(Some(problem)) => lines.failure("state", &problem),
        Err(failure) if matches!(failure.kind, ErrorKind::NotBegun | ErrorKind::Held) => {
            let held = failure
                .errors
                .first()
                .map_or_else(String::new, |error| error.what.clone());
            let advice = "stop it to check the snapshot as well";
            lines.add(Level::Warn, "state", held, advice);
        }
        Err(failure) => lines.failure("state", &failure),
    }
}

/// What `sync` would say to a snapshot of another tenant or target. Nothing is bound by looking.
fn bound(folder: &StateFolder, name: &str, job: &Job) -> Result<Option<AppError>, AppError> {
    let snapshot = install::open(folder, name)?;
    let (bound, wanted) = (snapshot.binding()?, install::binding(job));
    match bound {
        Some(bound) if bound != wanted && !install::is_untouched(&snapshot)? => {
            Ok(Some(AppError::from(StoreError::Bound {
                path: snapshot.path().to_owned(),
                bound: bound.to_string(),
                wanted: wanted.to_string(),
            })))
        }
        _ => Ok(None),
    }
}

/// Days ahead at which an expiry date is worth a warning.
const WARN_DAYS: i64 = 30;

fn expiry(job: &Job, lines: &mut Lines) {
    let today = SystemClock.now().to_utc().date_naive();
    for (what, date) in [
        ("source", job.source.credential.expires),
        ("target", job.target.expires),
    ] {
        let Some(date) = date else { continue };
        let days = (date - today).num_days();
        let renew = "make a new credential now, while the old one works, and put it in its place";
        match days {
            ..0 => lines.add(
                Level::Fail,
                "expiry",
                format!("the {what}'s credential expired on {date}"),
                renew,
            ),
            0..=WARN_DAYS => lines.add(
                Level::Warn,
                "expiry",
                format!("the {what}'s credential expires on {date}, in {days} days"),
                renew,
            ),
            _ => lines.ok(
                "expiry",
                format!("the {what}'s credential is good until {date}, {days} days"),
            ),
        }
    }
}

/// What there is to say of the source; the groups that it shows.
async fn source(name: &str, job: &Job, mapping: &Mapping, lines: &mut Lines) -> Vec<SourceObject> {
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
    let needed = permissions_needed(job.source.users, job.source.groups || asks, assignments);
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

/// Whoever checks has changed something: the next cycle reads anew what the target says of itself. Where a daemon holds the
/// snapshot, what it knows stands for its day.
fn forget_announced(settings: &Settings, name: &str) {
    let opened = install::hold(settings).and_then(|folder| install::open(&folder, name));
    let forgotten = opened.map(|snapshot| {
        let mut tx = snapshot.tx()?;
        tx.delete_state(&ANNOUNCED);
        tx.commit(Durability::Lazy)
    });
    // What keeps the snapshot from being opened has a line of its own.
    if let Ok(Err(error)) = forgotten {
        tracing::warn!("What the target said of itself before is still kept: {error}");
    }
}

/// What there is to say of the target; the way to it.
async fn target(job: &Job, mapping: &Mapping, lines: &mut Lines) -> Option<ScimTarget> {
    let scim = match install::target(job, mapping) {
        Ok(scim) => scim,
        Err(failure) => {
            lines.failure("target", &failure);
            return None;
        }
    };
    let kinds: Vec<ObjectKind> = [
        (ObjectKind::User, job.source.users),
        (ObjectKind::Group, job.source.groups),
    ]
    .into_iter()
    .filter_map(|(kind, managed)| managed.then_some(kind))
    .collect();
    match scim.capabilities().await {
        Ok(able) => {
            let patch = if able.patch {
                "PATCH"
            } else {
                "no PATCH: updates are PUT from a fresh read"
            };
            let filter = if able.filter {
                "filters"
            } else {
                "no filters: everything is listed to be matched"
            };
            lines.ok(
                "target",
                format!(
                    "{} answers: {patch}, {filter}, {} schemas",
                    job.target.url,
                    able.schemas.len()
                ),
            );
            schema::schema(&able.schemas, mapping, &kinds, lines);
        }
        Err(error) => {
            lines.error("target", &error, error.hint());
            return None;
        }
    }
    for kind in kinds {
        match scim.list(kind, None).await {
            Ok(page) => {
                let total = page
                    .total
                    .map_or_else(|| "an unknown number of".to_owned(), |total| total.to_string());
                lines.ok(
                    "target",
                    format!(
                        "{kind}s can be listed: {total} are there; the mapping has {} rows for them",
                        mapping.rows(kind).len()
                    ),
                );
            }
            Err(error) => lines.error("target", &error, error.hint()),
        }
    }
    Some(scim)
}

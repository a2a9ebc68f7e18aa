//! `check`: "Test connection". One line for each thing looked at: ok, warn or fail, and what to do.

mod dialect;
mod directory;
mod files;
mod schedule;
mod schema;
mod scope;
mod source;
mod taken;
mod way_back;

use std::error::Error;
use std::path::Path;

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

pub use self::source::permissions_for;
use super::credentials;
use super::error::AppError;
use super::error::ErrorKind;
use super::error::ErrorText;
use super::install;
use crate::mapping::Mapping;
use crate::model::clock::Clock;
use crate::model::clock::SystemClock;
use crate::model::id::ObjectKind;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::ports::TargetDirectory;
use crate::scim::ScimTarget;
use crate::settings::Settings;
use crate::settings::job::Job;
use crate::snapshot::folder::StateFolder;
use crate::snapshot::read::Reads;
use crate::snapshot::state::ANNOUNCED;
use crate::snapshot::store::Snapshot;

/// How one thing stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = CheckLevel)]
pub enum Level {
    /// As it should be.
    Ok,
    /// To look at.
    Warn,
    /// In the way.
    Fail,
}

/// One line.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[schema(as = CheckLine)]
pub struct Line {
    /// What to do; absent where there is nothing.
    #[serde(rename = "do", default, skip_serializing_if = "String::is_empty")]
    pub advice: String,
    /// How it stands.
    pub level: Level,
    /// What was found.
    pub text: String,
    /// What was looked at.
    pub what: String,
}

#[derive(Default)]
struct Lines(Vec<Line>);

impl Lines {
    fn add(&mut self, level: Level, what: &'static str, text: impl Into<String>, advice: impl Into<String>) {
        self.0.push(Line {
            level,
            what: what.to_owned(),
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

/// What a check found.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Checked {
    /// A line for each thing looked at; the last one is the verdict.
    pub checks: Vec<Line>,
    /// The job.
    pub job: String,
    /// True where nothing failed.
    pub ok: bool,
    /// What all of it comes to.
    pub verdict: String,
}

/// What is checked.
pub struct Subject<'a> {
    /// The settings file.
    pub config: &'a Path,
    /// What it says.
    pub settings: &'a Settings,
    /// The job's name.
    pub name: &'a str,
    /// The job.
    pub job: &'a Job,
    /// The job's snapshot, where whoever asks has it open; else it is opened for as long as it is looked at.
    pub held: Option<&'a Snapshot>,
}

impl Subject<'_> {
    /// The snapshot, with the folder that is held for it.
    fn snapshot(&self) -> Result<(Snapshot, Option<StateFolder>), AppError> {
        if let Some(held) = self.held {
            return Ok((held.clone(), None));
        }
        let folder = install::hold(self.settings)?;
        Ok((install::open(&folder, self.name)?, Some(folder)))
    }
}

/// Checks one job. Sends the target only GET.
pub async fn check(subject: &Subject<'_>) -> Checked {
    let Subject {
        config,
        settings,
        name,
        job,
        ..
    } = *subject;
    let mut lines = Lines::default();
    lines.ok("config", format!("{} is valid; job `{name}`", config.display()));
    state(subject, &mut lines);
    files::files(settings, config, job, &mut lines);
    expiry(job, &mut lines);
    let mapping = install::mapping(config, &job.provisioning.mapping);
    match mapping.and_then(|mapping| install::with_ways_back(name, job, mapping)) {
        Ok(mapping) => sides(subject, &mapping, &mut lines).await,
        Err(failure) => lines.failure("mapping", &failure),
    }
    schedule::mode(name, job, &mut lines);
    let verdict = schedule::verdict(job, &lines.0);
    let (ok, words) = (verdict.level != Level::Fail, verdict.text.clone());
    lines.0.push(verdict);
    Checked {
        checks: lines.0,
        job: name.to_owned(),
        ok,
        verdict: words,
    }
}

/// The two sides, and what the snapshot keeps of them.
async fn sides(subject: &Subject<'_>, mapping: &Mapping, lines: &mut Lines) {
    let (name, job) = (subject.name, subject.job);
    lines.ok(
        "mapping",
        format!(
            "{}: {} user rows, {} group rows",
            mapping.name,
            mapping.user.len(),
            mapping.group.len()
        ),
    );
    let groups = source::source(name, job, mapping, lines).await;
    if let Some(scim) = target(job, mapping, lines).await {
        taken::groups(subject, mapping, &groups, &scim, lines).await;
    }
    if let Some(back) = &job.writeback {
        way_back::way_back(subject, back, lines).await;
    }
    forget_announced(subject);
    dialect::dialect(subject, lines);
    dialect::not_kept(subject, lines);
    dialect::standing(subject, lines);
}

fn state(subject: &Subject<'_>, lines: &mut Lines) {
    let path = subject.settings.state.path.display();
    match bound(subject) {
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
fn bound(subject: &Subject<'_>) -> Result<Option<AppError>, AppError> {
    let (snapshot, _folder) = subject.snapshot()?;
    let (bound, wanted) = (snapshot.binding()?, install::binding(subject.job));
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
    let writer = job.writeback.as_ref().map(|back| &back.credential);
    for (what, date) in [
        ("source", credentials::last_day(&job.source.credential)),
        ("target", job.target.expires),
        ("writer", writer.and_then(credentials::last_day)),
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

/// Whoever checks has changed something: the next cycle reads anew what the target says of itself. Where a daemon holds the
/// snapshot and is not the one that checks, what it knows stands for its day.
fn forget_announced(subject: &Subject<'_>) {
    let forgotten = subject.snapshot().map(|(snapshot, _folder)| {
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
    let kinds: Vec<ObjectKind> = install::managed(job).into_iter().collect();
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
                        "{kind}s can be listed with its token: {total} are there; the mapping has {} rows for them",
                        mapping.rows(kind).len()
                    ),
                );
            }
            Err(error) => lines.error("target", &error, error.hint()),
        }
    }
    Some(scim)
}

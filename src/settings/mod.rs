//! The settings: `config/melonsync.toml` with what the environment overrides, understood and checked as a whole.
//!
//! Every problem is reported at once, each with its place and what to do. No default removes an object, and none
//! writes: `mode = "enforce"` is written on purpose. Relative paths are relative to the folder of the settings file. Secrets are
//! never held, only their places ([`secret::SecretSource`]).
//!
//! The tables are read key by key (`section.rs`) and not by serde's derive, which stops at the first problem.

use std::{collections::BTreeMap, env, path::Path, path::PathBuf, time::Duration};

use toml::de::DeTable;

use crate::files;

pub mod admin;
pub mod audit;
pub mod credential;
mod dialect;
mod drift;
mod filter;
pub mod job;
pub mod network;
pub mod notify;
pub mod preview;
pub mod problem;
pub mod provisioning;
pub mod schedule;
pub mod secret;
mod section;
pub mod source;
pub mod target;
pub mod telemetry;
mod tree;
mod value;
pub mod writeback;

pub use admin::Admin;
pub use audit::Audit;
pub use job::{Job, Mode};
pub use network::Network;
pub use problem::{Place, Problem, SettingsErrors};
pub use telemetry::Telemetry;
pub use value::parse_duration;

use section::{Context, Section};
use tree::{Origin, Table};
use value::Word;

/// The size in bytes of the largest file of settings, or of a mapping; a larger one was named by mistake.
pub const LARGEST_FILE: u64 = 1 << 20;

/// The engine that stores the snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// sled, embedded.
    Sled,
    /// redb, embedded.
    Redb,
}

impl Word for StoreKind {
    const WORDS: &'static [(&'static str, Self)] = &[("sled", Self::Sled), ("redb", Self::Redb)];
    const LATER: &'static [&'static str] = &["postgres"];
}

/// `[state]`: where the snapshot is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The engine.
    pub store: StoreKind,
    /// The folder, created with mode 0700.
    pub path: PathBuf,
    /// History older than this is dropped; its chain keeps the last hash as anchor.
    pub history_retention: Duration,
}

impl Default for State {
    fn default() -> Self {
        Self {
            store: StoreKind::Sled,
            path: "state".into(),
            history_retention: Duration::from_secs(400 * 86_400),
        }
    }
}

impl State {
    fn read(mut section: Section<'_>) -> Self {
        let standard = Self::default();
        let state = Self {
            store: section.word("store", standard.store),
            path: section
                .path_name("path", "state")
                .unwrap_or_else(|| section.context.folder.join(standard.path)),
            history_retention: section.duration("history_retention", standard.history_retention),
        };
        section.finish();
        state
    }
}

/// All settings.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Where the snapshot is stored.
    pub state: State,
    /// The address of the API, and who may come in there.
    pub admin: Admin,
    /// The stream that records each operation as it happens.
    pub audit: Audit,
    /// Where traces are sent.
    pub telemetry: Telemetry,
    /// How to reach other hosts; already merged into each job's source and target.
    pub network: Network,
    /// Who is told when a job needs somebody.
    pub notify: Vec<notify::Receiver>,
    /// The jobs by name; at least one.
    pub jobs: BTreeMap<String, Job>,
}

impl Settings {
    /// Reads the file and the environment, and checks that the secrets of enabled jobs are there.
    ///
    /// # Errors
    /// Every problem found.
    pub fn load(
        path: &Path,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsErrors> {
        Self::read(path, env.into_iter().collect(), false)
    }

    /// Reads the settings as [`Self::load`] does, without looking for the secrets: for verbs that contact neither side.
    ///
    /// # Errors
    /// Every problem found.
    pub fn load_offline(
        path: &Path,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, SettingsErrors> {
        Self::read(path, env.into_iter().collect(), true)
    }

    fn read(path: &Path, env: BTreeMap<String, String>, offline: bool) -> Result<Self, SettingsErrors> {
        let (file, text) = read_file(path)?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let settings = Self::parse_in(folder, &file, &text, &env, offline)?;
        match left_behind(&file, folder, &settings.state.path) {
            Some(problem) => Err(SettingsErrors(vec![problem])),
            None => Ok(settings),
        }
    }

    /// Parses the settings in `text`, which came from `file`.
    ///
    /// # Errors
    /// Every problem found.
    pub fn parse(
        file: &str,
        text: &str,
        env: &BTreeMap<String, String>,
        offline: bool,
    ) -> Result<Self, SettingsErrors> {
        let folder = Path::new(file).parent().unwrap_or(Path::new(""));
        Self::parse_in(folder, file, text, env, offline)
    }

    fn parse_in(
        folder: &Path,
        file: &str,
        text: &str,
        env: &BTreeMap<String, String>,
        offline: bool,
    ) -> Result<Self, SettingsErrors> {
        let parsed = syntax(file, text)?;
        let mut tree = Table::of_file(&parsed);
        let lost = tree.overlay(env);
        let context = Context {
            file,
            folder,
            text,
            env,
            problems: Vec::new().into(),
        };
        for name in lost {
            let origin = Origin::Env {
                name,
                raw: String::new(),
            };
            let advice = "write MELONSYNC__ and the key's path joined by `__`, as in MELONSYNC__STATE__PATH";
            context.report(&origin, "an override that names no key".to_owned(), advice);
        }
        let settings = Self::of_tree(&context, &tree, offline);
        let mut problems = context.problems.into_inner();
        problems.sort_by(|a, b| a.place.cmp(&b.place));
        if problems.is_empty() {
            Ok(settings)
        } else {
            Err(SettingsErrors(problems))
        }
    }

    fn of_tree(context: &Context<'_>, tree: &Table, offline: bool) -> Self {
        let mut root = Section::root(context, tree);
        let state = State::read(root.child("state"));
        let admin = Admin::read(root.child("admin"));
        let audit = Audit::read(root.child("audit"));
        let telemetry = Telemetry::read(root.child("telemetry"));
        let network = Network::read(root.child("network"));
        let notify = notify::read(&mut root, !offline);
        let section = root.child("jobs");
        let jobs = jobs(&section, &network, offline);
        root.finish();
        Self {
            state,
            admin,
            audit,
            telemetry,
            network,
            notify,
            jobs,
        }
    }
}

/// Returns the variables of this process; those that are not UTF-8 are left out, because none of ours can be one.
pub fn process_environment() -> impl Iterator<Item = (String, String)> {
    env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}

/// Returns the file of a mapping, relative to the folder of the settings file; that is also what `config/` at the beginning of its
/// name means.
#[must_use]
pub fn mapping_place(config: &Path, name: &str) -> PathBuf {
    let folder = config.parent().unwrap_or(Path::new(""));
    let path = folder.join(name);
    match name.strip_prefix("config/") {
        Some(short) if !path.is_file() => folder.join(short),
        _ => path,
    }
}

/// Reads a settings file: its name as messages have it, and its text.
fn read_file(path: &Path) -> Result<(String, String), SettingsErrors> {
    let file = path.display().to_string();
    let read = files::read_text(path, LARGEST_FILE).map_err(|cause| {
        SettingsErrors(vec![Problem {
            what: format!("cannot read the settings file {file}"),
            place: Place::File(file.clone()),
            advice: "write one with `melonsync init`, or name yours with `--config FILE`".to_owned(),
            cause: Some(cause),
        }])
    });
    read.map(|text| (file, text))
}

/// The file that a process holds in the state folder that it uses.
const HELD: &str = "lock";

/// Refuses to begin afresh beside a state that an earlier version left in the working folder, which relative paths were relative to.
fn left_behind(file: &str, folder: &Path, state: &Path) -> Option<Problem> {
    let before = state.strip_prefix(folder).ok()?;
    if state.exists() || !before.join(HELD).is_file() {
        return None;
    }
    let (now, before) = (state.display(), before.display());
    Some(Problem {
        what: format!(
            "the state is in {before} of the working folder, and `path` under [state] means {now} by now"
        ),
        place: Place::File(file.to_owned()),
        advice: format!(
            "move it there (`mv {before} {now}`), or write its full path as `path` under [state]: relative paths are relative to the \
             folder of the settings file"
        ),
        cause: None,
    })
}

fn syntax<'t>(file: &str, text: &'t str) -> Result<DeTable<'t>, SettingsErrors> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Ok(table.into_inner());
    }
    let problem = |error: &toml::de::Error| {
        let at = error.span().map_or(0, |span| span.start);
        // Only the one character is marked: what follows may be a secret whose quotes do not match.
        Problem {
            what: format!("not valid TOML: {}", error.message()),
            place: Place::of_span(file, text, at..at).without_line(),
            advice: "correct the line; https://toml.io shows the format".to_owned(),
            cause: None,
        }
    };
    Err(SettingsErrors(errors.iter().map(problem).collect()))
}

fn jobs(section: &Section<'_>, network: &Network, offline: bool) -> BTreeMap<String, Job> {
    let mut jobs = BTreeMap::new();
    let mut any = false;
    for field in section.entries() {
        any = true;
        let name = &field.entry.key;
        if !is_job_name(name) {
            let advice = "use letters, digits, `-` and single `_`: the name is part of paths and variables";
            let _: Option<()> = field.bad_key("is no name for a job", advice);
        } else if let Some(table) = field.section() {
            if let Some(job) = Job::read(table, network, offline) {
                jobs.insert(name.clone(), job);
            }
        } else {
            let _: Option<()> = field.bad_key(
                "must be a table",
                format!("write its keys under a line [{}]", field.path),
            );
        }
    }
    if !any {
        section.context.report(
            &section.at,
            "no job is configured".to_owned(),
            "add a [jobs.NAME] block; `melonsync init` writes one",
        );
    }
    jobs
}

fn is_job_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 64
        && !name.contains("__")
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

#[cfg(test)]
mod tests;

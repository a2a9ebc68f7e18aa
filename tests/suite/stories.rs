//! Stories of several cycles: what people do, at the source and at the target, while time passes; and what each cycle makes of it.
//!
//! A file of `stories/` holds a `story`, who is there (`people`, `crowd`, `groups`), the `[policy]`, and the `[[step]]`s. In
//! a step, in this order: `after` this time, `people do` things, a `cycle` runs, which ends as `expect` says, and then
//! `see` holds at the target. `WRITE_STORIES=1` writes what the cycles say now into the files, to be reviewed like prose.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use melonsync::engine::forward;
use melonsync::engine::job::Extent;
use melonsync::engine::job::Order;
use melonsync::engine::job::Report;
use melonsync::engine::job::Watcher;
use melonsync::mapping::Filter;
use melonsync::model::id::CycleId;
use melonsync::model::id::ObjectKind;
use melonsync::model::id::SourceId;
use melonsync::ports::Durability;
use melonsync::ports::SnapshotStore;
use melonsync::ports::WriteBatch;
use melonsync::reconcile::explain::omission::Omission;
use melonsync::reconcile::operation::Operation;
use melonsync::reconcile::policy::Policy;
use melonsync::reconcile::policy::Threshold;
use melonsync::reconcile::scope::ScopeRules;
use melonsync::sandbox::Fault;
use melonsync::sandbox::Tenant;
use melonsync::snapshot::again;
use melonsync::snapshot::kv::memory::MemoryStore;
use serde::Deserialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::support::world::World;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Story {
    #[serde(rename = "story")]
    _story: String,
    /// Users who are there from the beginning.
    #[serde(default)]
    people: Vec<String>,
    /// So many more, `p000` and on.
    #[serde(default)]
    crowd: usize,
    #[serde(default)]
    groups: BTreeMap<String, Vec<String>>,
    /// Only who is in this group is in scope.
    scoping_group: Option<String>,
    #[serde(default)]
    policy: Rules,
    step: Vec<Step>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Rules {
    deletion_threshold: Option<u64>,
    rehire_by: Option<String>,
    /// Objects planned at a time.
    batch: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// `10m`, `6h`.
    after: Option<String>,
    #[serde(default, rename = "people")]
    deeds: Vec<String>,
    /// `sync`, `sync --full`, `sync --allow-deletions N`, `plan`.
    cycle: Option<String>,
    /// Deeds in the middle of the cycle: after so many operations, the first word.
    #[serde(default)]
    meanwhile: Vec<String>,
    #[serde(default)]
    expect: String,
    #[serde(default)]
    see: Vec<String>,
}

/// The world of a story, with the names that it uses.
struct Stage {
    world: World,
    names: Names,
    backup: Option<MemoryStore>,
}

/// Ids by the names that the story uses, and how to act at the source.
#[derive(Clone)]
struct Names {
    tenant: Tenant,
    ids: Arc<Mutex<BTreeMap<String, String>>>,
}

fn upn(name: &str) -> String {
    format!("{name}@corp.example")
}

/// `p001..p003` is three names.
fn each(word: &str) -> Vec<String> {
    let Some((first, last)) = word.split_once("..") else {
        return vec![word.to_owned()];
    };
    let number = |name: &str| name[1..].parse::<usize>().unwrap();
    (number(first)..=number(last))
        .map(|n| format!("{}{n:03}", &first[..1]))
        .collect()
}

fn time(text: &str) -> Duration {
    let (number, unit) = text.split_at(text.len() - 1);
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        other => panic!("no unit of time: {other}"),
    };
    Duration::from_secs(number.parse::<u64>().unwrap() * seconds)
}

impl Names {
    fn id(&self, name: &str) -> String {
        let ids = self.ids.lock().unwrap();
        ids.get(name)
            .unwrap_or_else(|| panic!("nobody is called {name}"))
            .clone()
    }

    fn keep(&self, name: &str, id: String) {
        self.ids.lock().unwrap().insert(name.to_owned(), id);
    }

    /// Something that people do at the source; false where that is not at the source.
    fn act(&self, deed: &str) -> bool {
        let words: Vec<&str> = deed.split_whitespace().collect();
        let tenant = &self.tenant;
        let users = |word: &str| {
            each(word)
                .into_iter()
                .map(|name| self.id(&name))
                .collect::<Vec<_>>()
        };
        match *words.as_slice() {
            ["add", who, ref values @ ..] => {
                let mut props = json!({"userPrincipalName": upn(who), "accountEnabled": true});
                for value in values {
                    let (name, value) = value.split_once('=').unwrap();
                    props[name] = value.into();
                }
                self.keep(who, tenant.add_user(props));
            }
            ["add-again", who, "as", alias] => {
                let props = json!({"userPrincipalName": upn(who), "accountEnabled": true});
                self.keep(alias, tenant.add_user(props));
            }
            ["disable", who] => users(who).iter().for_each(|id| tenant.disable_user(id)),
            ["enable", who] => users(who).iter().for_each(|id| tenant.enable_user(id)),
            ["delete", who] => users(who).iter().for_each(|id| tenant.soft_delete_user(id)),
            ["delete-for-good", who] => users(who).iter().for_each(|id| tenant.hard_delete_user(id)),
            ["rename", who, "to", name] => {
                tenant.set_user(&self.id(who), json!({"userPrincipalName": upn(name)}));
            }
            ["set", who, value] => {
                let (name, value) = value.split_once('=').unwrap();
                users(who)
                    .iter()
                    .for_each(|id| tenant.set_user(id, json!({name: value})));
            }
            ["rename-group", group, "to", name] => {
                tenant.set_group(&self.id(group), json!({"displayName": name}));
            }
            ["join", who, group] => tenant.add_member(&self.id(group), &self.id(who)),
            ["leave", who, group] => tenant.remove_member(&self.id(group), &self.id(who)),
            _ => return false,
        }
        true
    }
}

impl Stage {
    async fn new(story: &Story) -> Self {
        let tenant = Tenant::empty();
        let names = Names {
            tenant: tenant.clone(),
            ids: Arc::default(),
        };
        let crowd = (0..story.crowd).map(|n| format!("p{n:03}"));
        for name in story.people.iter().cloned().chain(crowd) {
            names.act(&format!("add {name}"));
        }
        for (group, members) in &story.groups {
            names.keep(group, tenant.add_group(json!({"displayName": group})));
            for member in members.iter().flat_map(|word| each(word)) {
                names.act(&format!("join {member} {group}"));
            }
        }
        let mut world = World::new(tenant).await;
        world.job.policy = Policy {
            rehire_by: story.policy.rehire_by.clone(),
            ..Policy::default()
        };
        if let Some(most) = story.policy.deletion_threshold {
            world.job.policy.deletion_threshold = Threshold::count(most);
        }
        if let Some(group) = &story.scoping_group {
            let filter = format!("memberOf EQUALS \"{}\"", names.id(group));
            world.job.scope = Arc::new(ScopeRules {
                user_filter: Some(Filter::parse(ObjectKind::User, &filter).unwrap()),
                ..ScopeRules::default()
            });
        }
        world.job.batch = story.policy.batch.unwrap_or(world.job.batch);
        // One request at a time: the order of a story is the plan's, not that of answers which happen to be quicker.
        world.job.max_concurrency = 1;
        Self {
            world,
            names,
            backup: None,
        }
    }

    fn act(&mut self, deed: &str) {
        if self.names.act(deed) {
            return;
        }
        let words: Vec<&str> = deed.split_whitespace().collect();
        let workspace = &self.world.workspace;
        match *words.as_slice() {
            ["target", "is", "down"] => {
                workspace.update_faults(|faults| faults.unavailable = Fault::always())
            }
            ["target", "is", "up"] => workspace.update_faults(|faults| faults.unavailable = Fault::never()),
            ["another", "writer", "sets", who, value] => {
                let (name, value) = value.split_once('=').unwrap();
                for name_of in each(who) {
                    let resource = self.world.resource(&self.names.id(&name_of));
                    assert!(workspace.edit_user(resource["id"].as_str().unwrap(), json!({name: value})));
                }
            }
            ["back", "up"] => self.backup = Some(copy(&self.world.store)),
            ["restore"] => {
                self.world.store = copy(self.backup.as_ref().expect("a backup"));
                self.world.restart();
                again::begin_again(&self.world.job.snapshot, "restored").unwrap();
            }
            _ => panic!("nobody knows how to: {deed}"),
        }
    }

    async fn cycle(&self, command: &str, meanwhile: &[String]) -> Told {
        let words: Vec<&str> = command.split_whitespace().collect();
        let (extent, allow) = match words[1..] {
            [] => (Extent::Changes, None),
            ["--full"] => (Extent::Full, None),
            ["--allow-deletions", most] => (Extent::Changes, Some(most.parse().unwrap())),
            _ => panic!("no such cycle: {command}"),
        };
        let mut deeds = meanwhile.iter();
        let at = deeds.next().map_or(usize::MAX, |number| number.parse().unwrap());
        let (names, clock) = (self.names.clone(), self.world.clock.clone());
        let deeds: Vec<String> = deeds.cloned().collect();
        let then = move || {
            for deed in deeds {
                assert!(names.act(&deed), "not at the source: {deed}");
            }
            clock.advance(Duration::from_secs(20));
        };
        let teller = Arc::new(Teller {
            seen: Mutex::default(),
            then: Mutex::new(Some((at, Box::new(then)))),
        });
        let order = Order {
            id: CycleId(uuid::Uuid::now_v7()),
            extent,
            apply: words[0] == "sync",
            only: None,
            allow_deletions: allow,
            allow_creations: None,
            actor: "test".to_owned(),
            stop: CancellationToken::new(),
            watcher: Arc::<Teller>::clone(&teller),
        };
        let report = self
            .world
            .limit
            .holds(Box::pin(forward::run(&self.world.job, &order)))
            .await;
        let seen = std::mem::take(&mut *teller.seen.lock().unwrap());
        Told { report, seen }
    }

    fn see(&self, what: &str) {
        let (who, state) = what.split_once(": ").unwrap();
        for name in each(who) {
            let held = self.world.workspace.users_by_external_id(&self.names.id(&name));
            let (state, value) = state.split_once('=').unwrap_or((state, ""));
            match (held.as_slice(), state) {
                ([], "absent") => {}
                ([one], "enabled") => assert_eq!(one["active"], true, "{what}"),
                ([one], "disabled") => assert_eq!(one["active"], false, "{what}"),
                ([one], "userName") => assert_eq!(one["userName"], upn(value).as_str(), "{what}"),
                ([one], attribute) if !value.is_empty() => assert_eq!(one[attribute], value, "{what}"),
                _ => panic!("{what}: there are {}", held.len()),
            }
        }
    }
}

/// Everything that is in the store, in a store of its own.
fn copy(store: &MemoryStore) -> MemoryStore {
    let (mut batch, other) = (WriteBatch::default(), MemoryStore::new());
    for ((table, key), value) in store.contents() {
        batch.put(table, key, value);
    }
    other.commit(batch, Durability::Synced).unwrap();
    other
}

type Then = Box<dyn FnOnce() + Send>;

/// Collects what a cycle says, and does something in the middle of it.
struct Teller {
    seen: Mutex<Seen>,
    then: Mutex<Option<(usize, Then)>>,
}

#[derive(Default)]
struct Seen {
    operations: Vec<String>,
    omissions: BTreeMap<&'static str, usize>,
    findings: Vec<String>,
}

impl Watcher for Teller {
    fn operation(&self, operation: &Operation) {
        let line = format!("{}, because {}", operation.verb.name(), operation.because.label());
        let mut seen = self.seen.lock().unwrap();
        seen.operations.push(line);
        let mut then = self.then.lock().unwrap();
        if then.as_ref().is_some_and(|(at, _)| seen.operations.len() >= *at)
            && let Some((_, act)) = then.take()
        {
            act();
        }
    }

    fn omission(&self, _: ObjectKind, _: SourceId, _: &str, omission: &Omission) {
        if !matches!(omission, Omission::Unchanged) {
            *self
                .seen
                .lock()
                .unwrap()
                .omissions
                .entry(omission.label())
                .or_default() += 1;
        }
    }

    fn finding(&self, text: &str) {
        // The first words name it; examples and ids are of this run.
        let name = text.split(':').next().unwrap_or(text);
        self.seen.lock().unwrap().findings.push(name.to_owned());
    }
}

/// A cycle, to be told.
struct Told {
    report: Report,
    seen: Seen,
}

impl Told {
    /// Outcome, operations in the order in which they were carried out, and what was left undone.
    fn text(&self) -> String {
        let mut text = format!("{:?}\n", self.report.summary.outcome).to_lowercase();
        let mut lines = self.seen.operations.iter().peekable();
        while let Some(line) = lines.next() {
            let mut count = 1;
            while lines.next_if_eq(&line).is_some() {
                count += 1;
            }
            writeln!(text, "  {count} × {line}").unwrap();
        }
        for (label, count) in &self.seen.omissions {
            writeln!(text, "  {count} left: {label}").unwrap();
        }
        for finding in &self.seen.findings {
            writeln!(text, "  finding: {finding}").unwrap();
        }
        if let Some(error) = &self.report.error {
            writeln!(text, "  error: {error}").unwrap();
        }
        text
    }
}

async fn play(story: &Story, writes: bool, expected: &mut Vec<(String, String)>) -> Vec<String> {
    let mut stage = Stage::new(story).await;
    let mut wrong = Vec::new();
    for (number, step) in story.step.iter().enumerate() {
        if let Some(after) = &step.after {
            stage.world.clock.advance(time(after));
        }
        step.deeds.iter().for_each(|deed| stage.act(deed));
        if let Some(command) = &step.cycle {
            let told = stage.cycle(command, &step.meanwhile).await.text();
            if told != step.expect && !writes {
                wrong.push(format!(
                    "step {}: expected\n{}and it was\n{told}",
                    number + 1,
                    step.expect
                ));
            }
            expected.push((step.expect.clone(), told));
        }
        step.see.iter().for_each(|what| stage.see(what));
    }
    wrong
}

#[tokio::test]
async fn every_story_of_several_cycles_ends_as_it_is_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/stories");
    let writes = std::env::var_os("WRITE_STORIES").is_some();
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(files.len() >= 9, "{} stories", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let story: Story =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mut told = Vec::new();
        for one in play(&story, writes, &mut told).await {
            wrong.push(format!("{}: {one}", file.display()));
        }
        if writes {
            std::fs::write(&file, rewritten(&text, &told)).unwrap();
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The file with the `expect` of each cycle replaced, in order.
fn rewritten(text: &str, told: &[(String, String)]) -> String {
    let mut rest = text;
    let mut new = String::new();
    for (_, said) in told {
        let start = rest.find("expect = '''\n").expect("each cycle has an `expect`") + "expect = '''\n".len();
        let end = start + rest[start..].find("'''").unwrap();
        new += &rest[..start];
        new += said;
        rest = &rest[end..];
    }
    new + rest
}

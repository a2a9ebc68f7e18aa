//! Stories: three worlds (source, snapshot, target) in a file, and the plan that a person would expect.
//!
//! A file of `scenarios/` holds a story, `expected`, `[[source.user]]`, `[[snapshot.user]]`,
//! `[[target.user]]` (and `group`). `expected`, after the story, is the plan as it is shown. `WRITE_SCENARIOS=1` writes what
//! the planner says now into the files, to be reviewed like prose.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use melonsync::mapping::Context;
use melonsync::mapping::Mapping;
use melonsync::model::clock::Timestamp;
use melonsync::model::id::ObjectKind;
use melonsync::model::id::SourceId;
use melonsync::model::id::TargetId;
use melonsync::model::link::Kept;
use melonsync::model::link::Link;
use melonsync::model::link::LinkOrigin;
use melonsync::model::object::Life;
use melonsync::model::object::MemberKind;
use melonsync::model::object::Removed;
use melonsync::model::object::SourceObject;
use melonsync::model::value::Attributes;
use melonsync::model::value::Value;
use melonsync::reconcile::explain;
use melonsync::reconcile::explain::omission::Omission;
use melonsync::reconcile::forward::plan::ObjectPlan;
use melonsync::reconcile::forward::plan::Planner;
use melonsync::reconcile::forward::view::Absence;
use melonsync::reconcile::forward::view::Candidate;
use melonsync::reconcile::forward::view::MemberView;
use melonsync::reconcile::forward::view::Moved;
use melonsync::reconcile::forward::view::ObjectView;
use melonsync::reconcile::forward::view::Reference;
use melonsync::reconcile::forward::view::Since;
use melonsync::reconcile::forward::view::TargetReading;
use melonsync::reconcile::guard;
use melonsync::reconcile::policy::Policy;
use melonsync::reconcile::scope::Standing;
use melonsync::reconcile::target_schema::Unsupported;
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    #[serde(rename = "story")]
    _story: String,
    #[serde(default)]
    forced: bool,
    source: World<Object>,
    #[serde(default)]
    snapshot: World<Record>,
    #[serde(default)]
    target: World<Resource>,
    #[serde(default)]
    expected: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct World<T> {
    #[serde(default = "Vec::new")]
    user: Vec<T>,
    #[serde(default = "Vec::new")]
    group: Vec<T>,
}

impl<T> Default for World<T> {
    fn default() -> Self {
        Self {
            user: Vec::new(),
            group: Vec::new(),
        }
    }
}

impl<T> World<T> {
    fn of(&self, kind: ObjectKind) -> &[T] {
        match kind {
            ObjectKind::User => &self.user,
            ObjectKind::Group => &self.group,
        }
    }
}

/// An object of the source: its number, and its Graph properties. What is not written is null.
#[derive(Deserialize)]
struct Object {
    n: u32,
    life: Option<String>,
    manager: Option<u32>,
    #[serde(default)]
    members: Vec<u32>,
    #[serde(default)]
    devices: Vec<u32>,
    #[serde(flatten)]
    properties: BTreeMap<String, serde_json::Value>,
}

/// What was sent. `externalId` need not be written, except where it is another than ours.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    n: u32,
    target: String,
    sent: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    kept: BTreeMap<String, serde_json::Value>,
    #[serde(default)]
    members: Vec<u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resource {
    id: String,
    body: serde_json::Value,
}

fn id(number: u32) -> SourceId {
    format!("00000000-0000-4000-8000-{number:012}").parse().unwrap()
}

fn tid(text: &str) -> TargetId {
    TargetId::new(text).unwrap()
}

impl Object {
    fn life(&self) -> Life {
        match self.life.as_deref() {
            None => Life::Alive,
            Some("missing") => Life::Missing,
            Some("soft-deleted") => Life::Gone(Removed::SoftDeleted),
            Some("hard-deleted") => Life::Gone(Removed::HardDeleted),
            Some(other) => panic!("no such life: {other}"),
        }
    }
}

impl Scenario {
    fn record(&self, kind: ObjectKind, number: u32) -> Option<&Record> {
        self.snapshot.of(kind).iter().find(|record| record.n == number)
    }

    fn reference(&self, number: u32) -> Reference {
        let object = self.source.user.iter().find(|user| user.n == number);
        match (object.map(Object::life), self.record(ObjectKind::User, number)) {
            (Some(Life::Gone(_)), _) => Reference::Gone,
            (_, Some(record)) => Reference::Linked(tid(&record.target)),
            (Some(_), None) => Reference::Expected(None),
            (None, None) => Reference::Absent,
        }
    }

    fn view(&self, mapping: &Mapping, kind: ObjectKind, object: &Object) -> ObjectView {
        let mut attributes: Attributes = mapping
            .graph_properties(kind)
            .into_iter()
            .map(|property| (property, Value::Null))
            .collect();
        let given = object.properties.iter();
        attributes.extend(given.map(|(name, value)| (name.clone(), Value::from_json(value))));
        let record = self.record(kind, object.n);
        // Whatever an object's own properties make differ, they made by moving.
        let moved = Moved {
            properties: attributes
                .iter()
                .map(|(name, _)| name.clone())
                .filter(|name| *name != "manager")
                .collect(),
            ..Moved::default()
        };
        ObjectView {
            doubt: None,
            references_kept: 0,
            manager_read: None,
            object: SourceObject {
                kind,
                id: id(object.n),
                attributes,
                manager: object.manager.map(id),
                life: object.life(),
                gone_since: None,
                generation: 1,
                manager_generation: 1,
            },
            link: record.map(link),
            scope: Standing::In,
            intent_open: false,
            lost: false,
            manager: object.manager.map_or(Reference::None, |n| self.reference(n)),
            target: self.reading(kind, record),
            since: Since {
                moved,
                ..Since::default()
            },
            members: self.members(object, record),
            member_owners: BTreeMap::new(),
            refused: Vec::new(),
        }
    }

    fn reading(&self, kind: ObjectKind, record: Option<&Record>) -> TargetReading {
        let resources = self.target.of(kind);
        match record {
            Some(record) => resources
                .iter()
                .find(|resource| resource.id == record.target)
                .map_or(TargetReading::NotAsked, |resource| {
                    TargetReading::Held(resource.body.clone())
                }),
            None => TargetReading::Candidates {
                found: resources
                    .iter()
                    .map(|resource| self.candidate(kind, resource))
                    .collect(),
                absence: Absence::Proven(format!(
                    "a complete listing of {} {kind}s has none that matches",
                    resources.len()
                )),
            },
        }
    }

    fn candidate(&self, kind: ObjectKind, resource: &Resource) -> Candidate {
        let owner = self
            .snapshot
            .of(kind)
            .iter()
            .find(|record| record.target == resource.id);
        Candidate {
            reviewed: false,
            sent: Attributes::default(),
            id: tid(&resource.id),
            body: resource.body.clone(),
            owner: owner.map(|record| id(record.n)),
            rival: None,
            rehires: None,
        }
    }

    fn members(&self, object: &Object, record: Option<&Record>) -> Vec<MemberView> {
        let sent = record.map_or(&[][..], |record| &record.members);
        let all: BTreeSet<u32> = object.members.iter().chain(sent).copied().collect();
        let view = |number: u32| MemberView {
            found: false,
            id: id(number),
            kind: if object.devices.contains(&number) {
                MemberKind::Other
            } else {
                MemberKind::User
            },
            present: object.members.contains(&number),
            sent: sent
                .contains(&number)
                .then(|| {
                    self.record(ObjectKind::User, number)
                        .map(|record| tid(&record.target))
                })
                .flatten(),
            state: self.reference(number),
        };
        all.into_iter().map(view).collect()
    }

    /// The plan as text: operations, then what is not done, then the guard's word where it withholds.
    fn plan(&self) -> String {
        let mapping = Mapping::preset("idmelon").unwrap();
        let policy = Policy::default();
        let planner = Planner {
            mapping: &mapping,
            context: &Context::default(),
            policy: &policy,
            unsupported: &Unsupported::default(),
            now: Timestamp(0),
            forced: self.forced,
            settle_references: true,
        };
        let mut plans = Vec::new();
        for kind in [ObjectKind::User, ObjectKind::Group] {
            for object in self.source.of(kind) {
                plans.push(planner.plan(&self.view(&mapping, kind, object)));
            }
        }
        plans.iter().map(shown).collect::<String>() + &self.word(&plans, &policy)
    }

    fn word(&self, plans: &[ObjectPlan], policy: &Policy) -> String {
        let mut asked = guard::Asked::default();
        for operation in plans.iter().flat_map(|plan| &plan.operations) {
            if operation.removes_user() {
                *asked.users.entry(operation.because.label()).or_default() += 1;
            }
        }
        let alive = |objects: &[Object]| objects.iter().filter(|o| o.life() == Life::Alive).count() as u64;
        let totals = guard::Totals {
            linked_users: self.snapshot.user.len() as u64,
            linked_groups: self.snapshot.group.len() as u64,
            alive_users: alive(&self.source.user),
            alive_groups: alive(&self.source.group),
        };
        let words = guard::approve(
            &asked,
            &guard::Sent::default(),
            totals,
            policy,
            guard::Allowed::default(),
        );
        words
            .users
            .withheld()
            .map_or_else(String::new, |why| format!("withheld: {why}\n"))
    }
}

fn link(record: &Record) -> Link {
    let values = |map: &BTreeMap<String, serde_json::Value>| -> Attributes {
        map.iter()
            .map(|(path, value)| (path.clone(), Value::from_json(value)))
            .collect()
    };
    let mut sent = Attributes::from([("externalId".to_owned(), Value::text(id(record.n).to_string()))]);
    sent.extend(values(&record.sent));
    let kept = values(&record.kept);
    Link {
        target: tid(&record.target),
        origin: LinkOrigin::Created,
        since: Timestamp(0),
        sent,
        kept: kept
            .into_iter()
            .map(|(path, value)| (path, Kept::Other(value)))
            .collect(),
    }
}

fn shown(plan: &ObjectPlan) -> String {
    let mut text: String = plan
        .operations
        .iter()
        .map(|operation| explain::text(operation, |_| None))
        .collect();
    for omission in plan
        .omissions
        .iter()
        .filter(|omission| **omission != Omission::Unchanged)
    {
        let _ = writeln!(text, "· {}: {omission}", plan.name);
        if omission.is_finding() {
            let _ = writeln!(text, "    do: {}", omission.hint());
        }
    }
    text
}

#[test]
fn every_story_ends_as_it_is_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/scenarios");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    let mut wrong = String::new();
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        let scenario: Scenario =
            toml::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let plan = scenario.plan();
        if plan == scenario.expected {
            continue;
        }
        if std::env::var_os("WRITE_SCENARIOS").is_some() {
            std::fs::write(&file, with_expected(&text, &plan)).unwrap();
        } else {
            let _ = writeln!(
                wrong,
                "{}\nexpected:\n{}\nplanned:\n{plan}",
                file.display(),
                scenario.expected
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// The file with this plan: right after the story, where a key of the top level may stand.
fn with_expected(text: &str, plan: &str) -> String {
    let rest = match text.split_once("expected = '''\n") {
        Some((before, after)) => {
            let after = after.split_once("'''\n").map_or("", |(_, after)| after);
            format!("{before}{}", after.trim_start_matches('\n'))
        }
        None => text.to_owned(),
    };
    let (story, worlds) = rest.split_once("\n\n").unwrap_or((&rest, ""));
    format!("{story}\n\nexpected = '''\n{plan}'''\n\n{worlds}")
}

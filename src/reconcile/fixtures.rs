//! Small worlds for the planner's table tests: one mapping, one user or group, and what is known of it.

use std::collections::BTreeMap;

use super::policy::Policy;
use super::scope::Standing;
use super::target_schema::Unsupported;
use crate::mapping::Context;
use crate::mapping::Mapping;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::link::Link;
use crate::model::link::LinkOrigin;
use crate::model::name::Name;
use crate::model::object::Life;
use crate::model::object::MemberKind;
use crate::model::object::SourceObject;
use crate::model::value::Attributes;
use crate::model::value::Value;
use crate::reconcile::forward::plan::ObjectPlan;
use crate::reconcile::forward::plan::Planner;
use crate::reconcile::forward::view::Absence;
use crate::reconcile::forward::view::Candidate;
use crate::reconcile::forward::view::MemberView;
use crate::reconcile::forward::view::ObjectView;
use crate::reconcile::forward::view::Reference;
use crate::reconcile::forward::view::Since;
use crate::reconcile::forward::view::TargetReading;

pub(super) const MANAGER: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager";

/// Every sort of row once: matching, boolean, plain, default, create-only, reference.
pub(super) const MAPPING: &str = r#"
user = [
    { target = "userName", source = "[userPrincipalName]", matching = 1 },
    { target = "active", source = 'Switch([IsSoftDeleted], , "False", "True", "True", "False")' },
    { target = "title", source = "[jobTitle]" },
    { target = "nickName", source = "[givenName]", default = "friend" },
    { target = "locale", source = "[preferredLanguage]", apply = "create-only" },
    { target = "externalId", source = "[objectId]" },
    { target = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager", source = "[manager]" },
]
group = [
    { target = "displayName", source = "[displayName]", matching = 1 },
    { target = "externalId", source = "[objectId]" },
    { target = "members", source = "[members]" },
]
"#;

pub(super) fn mapping(text: &str) -> Mapping {
    Mapping::from_toml("tests.toml", text).unwrap()
}

pub(super) fn id(number: u32) -> SourceId {
    format!("00000000-0000-4000-8000-{number:012}").parse().unwrap()
}

pub(super) fn tid(text: &str) -> TargetId {
    TargetId::new(text).unwrap()
}

/// What all tests of a module plan with, to be changed before use.
pub(super) struct Desk {
    pub(super) mapping: Mapping,
    pub(super) policy: Policy,
    pub(super) unsupported: Unsupported,
    pub(super) now: Timestamp,
    pub(super) forced: bool,
    pub(super) settle: bool,
}

impl Desk {
    pub(super) fn new() -> Self {
        Self {
            mapping: mapping(MAPPING),
            policy: Policy::default(),
            unsupported: Unsupported::default(),
            now: Timestamp(1_000_000),
            forced: false,
            settle: true,
        }
    }

    pub(super) fn forced() -> Self {
        Self {
            forced: true,
            ..Self::new()
        }
    }

    pub(super) fn with(policy: Policy) -> Self {
        Self {
            policy,
            ..Self::new()
        }
    }

    pub(super) fn plan(&self, view: &ObjectView) -> ObjectPlan {
        self.with_planner(|planner| planner.plan(view))
    }

    pub(super) fn with_planner<T>(&self, work: impl FnOnce(&Planner<'_>) -> T) -> T {
        work(&Planner {
            mapping: &self.mapping,
            context: &Context::default(),
            policy: &self.policy,
            unsupported: &self.unsupported,
            now: self.now,
            forced: self.forced,
            settle_references: self.settle,
        })
    }

    /// The plan in one line: operations with reasons and changes, then omissions.
    pub(super) fn line(&self, view: &ObjectView) -> String {
        line(&self.plan(view))
    }
}

/// `verb(reason) attribute=value, … +member -member; … | omission …`
pub(super) fn line(plan: &ObjectPlan) -> String {
    let operations: Vec<String> = plan
        .operations
        .iter()
        .map(|operation| {
            let changes: Vec<String> = operation
                .changes
                .iter()
                .map(|change| format!("{}={}", short(&change.attribute), change.after))
                .chain(operation.members.iter().map(|member| {
                    let id = member.source.to_string();
                    format!("#{}", id.trim_start_matches(['0', '-', '4', '8']))
                }))
                .collect();
            let label = operation.because.label();
            format!("{}({label}) {}", operation.verb, changes.join(", "))
                .trim_end()
                .to_owned()
        })
        .collect();
    let omissions: Vec<&str> = plan.omissions.iter().map(|omission| omission.label()).collect();
    match (operations.is_empty(), omissions.is_empty()) {
        (_, true) => operations.join("; "),
        (true, false) => format!("| {}", omissions.join(" ")),
        (false, false) => format!("{} | {}", operations.join("; "), omissions.join(" ")),
    }
}

fn short(path: &str) -> &str {
    path.rsplit(':').next().unwrap_or(path)
}

/// Graph properties from JSON; every property that [`MAPPING`] reads is there, null unless it is given.
pub(super) fn object(kind: ObjectKind, number: u32, properties: serde_json::Value) -> SourceObject {
    let mut attributes = Attributes::new();
    if kind == ObjectKind::User {
        for name in ["jobTitle", "givenName", "preferredLanguage"] {
            attributes.insert(name.to_owned(), Value::Null);
        }
        attributes.insert(
            "userPrincipalName".to_owned(),
            Value::text(format!("u{number}@corp")),
        );
        attributes.insert("accountEnabled".to_owned(), Value::Bool(true));
    } else {
        attributes.insert("displayName".to_owned(), Value::text(format!("group {number}")));
    }
    if let Value::Map(given) = Value::from_json(&properties) {
        attributes.extend(given);
    }
    SourceObject {
        kind,
        id: id(number),
        attributes,
        manager: None,
        life: Life::Alive,
        gone_since: None,
        generation: 1,
        manager_generation: 1,
    }
}

pub(super) fn view(object: SourceObject) -> ObjectView {
    ObjectView {
        manager_read: object.manager,
        object,
        link: None,
        doubt: None,
        scope: Standing::In,
        intent_open: false,
        lost: false,
        manager: Reference::None,
        references_kept: 0,
        target: TargetReading::NotAsked,
        since: Since::default(),
        members: Vec::new(),
        member_owners: BTreeMap::new(),
        refused: Vec::new(),
    }
}

pub(super) fn user(properties: serde_json::Value) -> ObjectView {
    view(object(ObjectKind::User, 1, properties))
}

pub(super) fn group(properties: serde_json::Value) -> ObjectView {
    view(object(ObjectKind::Group, 90, properties))
}

/// Linked to `t1`, with this sent beside what every object of [`MAPPING`] is sent.
pub(super) fn linked(mut view: ObjectView, sent: serde_json::Value) -> ObjectView {
    let mut all = Attributes::from([("externalId".to_owned(), Value::text(view.object.id.to_string()))]);
    if view.object.kind == ObjectKind::User {
        all.insert("userName".to_owned(), Value::text("u1@corp"));
        all.insert("active".to_owned(), Value::Bool(true));
    } else {
        all.insert("displayName".to_owned(), Value::text("group 90"));
    }
    if let Value::Map(given) = Value::from_json(&sent) {
        all.extend(given);
    }
    all.retain(|_, value| !value.is_null());
    // Whatever differs, differs because the source moved, unless a test says otherwise.
    let properties = view.object.attributes.iter().map(|(name, _)| name.clone());
    view.since.moved.properties = properties.chain([Name::from("manager")]).collect();
    view.link = Some(Link {
        target: tid("t1"),
        origin: LinkOrigin::Created,
        since: Timestamp(0),
        sent: all,
        kept: BTreeMap::new(),
    });
    view
}

pub(super) fn proven() -> Absence {
    Absence::Proven("listed".to_owned())
}

pub(super) fn unproven() -> Absence {
    Absence::Unproven("half a listing".to_owned())
}

pub(super) fn candidate(target: &str, body: serde_json::Value) -> Candidate {
    Candidate {
        id: tid(target),
        body,
        owner: None,
        rival: None,
        reviewed: false,
        rehires: None,
        sent: Attributes::new(),
    }
}

pub(super) fn found(mut view: ObjectView, found: Vec<Candidate>, absence: Absence) -> ObjectView {
    view.target = TargetReading::Candidates { found, absence };
    view
}

pub(super) fn member(number: u32, sent: Option<&str>, state: Reference) -> MemberView {
    MemberView {
        id: id(number),
        kind: MemberKind::User,
        present: true,
        sent: sent.map(tid),
        found: false,
        state,
    }
}

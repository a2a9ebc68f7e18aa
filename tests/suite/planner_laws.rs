//! Laws of the planner, for worlds that nobody thought of.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use melonsync::mapping::Context;
use melonsync::mapping::Mapping;
use melonsync::model::clock::Timestamp;
use melonsync::model::id::ObjectKind;
use melonsync::model::id::SourceId;
use melonsync::model::id::TargetId;
use melonsync::model::link::Link;
use melonsync::model::link::LinkOrigin;
use melonsync::model::object::Life;
use melonsync::model::object::MemberKind;
use melonsync::model::object::Removed;
use melonsync::model::object::SourceObject;
use melonsync::model::value::Attributes;
use melonsync::model::value::Value;
use melonsync::reconcile::forward::plan::ObjectPlan;
use melonsync::reconcile::forward::plan::Planner;
use melonsync::reconcile::forward::view::Absence;
use melonsync::reconcile::forward::view::Candidate;
use melonsync::reconcile::forward::view::MemberView;
use melonsync::reconcile::forward::view::ObjectView;
use melonsync::reconcile::forward::view::Reference;
use melonsync::reconcile::forward::view::Since;
use melonsync::reconcile::forward::view::TargetReading;
use melonsync::reconcile::operation::Verb;
use melonsync::reconcile::policy::Policy;
use melonsync::reconcile::scope::ScopeReason;
use melonsync::reconcile::scope::Standing;
use melonsync::reconcile::target_schema::Unsupported;
use proptest::prelude::*;

const PATHS: [(&str, &str); 4] = [
    ("userPrincipalName", "userName"),
    ("displayName", "displayName"),
    ("jobTitle", "title"),
    ("preferredLanguage", "preferredLanguage"),
];

fn id(number: u32) -> SourceId {
    format!("00000000-0000-4000-8000-{number:012}").parse().unwrap()
}

fn tid(text: &str) -> TargetId {
    TargetId::new(text).unwrap()
}

fn planned(view: &ObjectView, policy: &Policy) -> ObjectPlan {
    let mapping = Mapping::preset("scim").unwrap();
    Planner {
        mapping: &mapping,
        context: &Context::default(),
        policy,
        unsupported: &Unsupported::default(),
        now: Timestamp(0),
        forced: false,
        settle_references: true,
    }
    .plan(view)
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![Just(Value::Null), "[abAB]{1,2}".prop_map(Value::text)]
}

fn life() -> impl Strategy<Value = Life> {
    prop_oneof![
        4 => Just(Life::Alive),
        1 => Just(Life::Missing),
        1 => Just(Life::Unknown),
        1 => Just(Life::Gone(Removed::SoftDeleted)),
        1 => Just(Life::Gone(Removed::HardDeleted)),
    ]
}

prop_compose! {
    /// A user with properties read, empty or never read; linked, matched, or neither.
    fn user()(
        life in life(),
        read in proptest::collection::vec(proptest::option::weighted(0.8, value()), PATHS.len()),
        enabled in proptest::option::weighted(0.9, any::<bool>()),
        sent in proptest::option::of((proptest::collection::vec(value(), PATHS.len()), any::<bool>())),
        there in proptest::collection::vec((value(), any::<bool>()), 0..3),
        proven in any::<bool>(),
    ) -> ObjectView {
        let mut attributes: Attributes = PATHS
            .iter()
            .zip(read)
            .filter_map(|((property, _), value)| Some(((*property).to_owned(), value?)))
            .collect();
        attributes.extend(enabled.map(|enabled| ("accountEnabled".to_owned(), Value::Bool(enabled))));
        let link = sent.map(|(values, active)| {
            let values = PATHS.iter().zip(values).filter(|(_, value)| !value.is_null());
            let mut sent: Attributes = values.map(|((_, path), value)| ((*path).to_owned(), value)).collect();
            sent.insert("active".to_owned(), Value::Bool(active));
            Link { target: tid("t1"), origin: LinkOrigin::Created, since: Timestamp(0), sent, kept: BTreeMap::new() }
        });
        let found = there.into_iter().enumerate().map(|(number, (name, active))| Candidate {
            reviewed: false,
            sent: Attributes::new(),
            id: tid(&format!("c{number}")),
            body: serde_json::json!({"userName": name.to_json(), "active": active}),
            owner: None,
            rival: None, rehires: None,
        }).collect();
        let absence = if proven { Absence::Proven("listed".into()) } else { Absence::Unproven("cut".into()) };
        let target = if link.is_none() { TargetReading::Candidates { found, absence } } else { TargetReading::NotAsked };
        ObjectView {
            scope: Standing::In, doubt: None, references_kept: 0, manager_read: None,
            object: SourceObject {
                kind: ObjectKind::User, id: id(1), attributes, manager: None, life,
                gone_since: None, generation: 1, manager_generation: 1,
            },
            link, intent_open: false, lost: false, manager: Reference::None, target,
            since: Since::default(), members: Vec::new(), member_owners: BTreeMap::new(), refused: Vec::new(),
        }
    }
}

/// The world after the plan was carried out, as apply and record leave it; `None` when nothing is left of it.
fn applied(view: &ObjectView, plan: &ObjectPlan) -> Option<ObjectView> {
    let mut after = view.clone();
    let mut link = after.link.take();
    for operation in &plan.operations {
        if matches!(operation.verb, Verb::DeleteUser | Verb::DeleteGroup) {
            return None;
        }
        let link = link.get_or_insert_with(|| Link {
            target: operation.target.clone().unwrap_or_else(|| tid("new")),
            origin: LinkOrigin::Created,
            since: Timestamp(0),
            sent: Attributes::new(),
            kept: BTreeMap::new(),
        });
        for change in operation.changes.iter().chain(&plan.record) {
            if change.after.is_unassigned() {
                link.sent.remove(&change.attribute);
            } else {
                link.sent.insert(change.attribute.clone(), change.after.clone());
            }
        }
        for member in &operation.members {
            let seen = after.members.iter_mut().find(|view| view.id == member.source);
            let Some(seen) = seen else { continue };
            seen.sent = match (&seen.state, operation.verb) {
                (Reference::Linked(target), Verb::AddMember) => Some(target.clone()),
                _ => None,
            };
        }
    }
    after.target = if link.is_some() {
        TargetReading::NotAsked
    } else {
        after.target
    };
    after.link = link;
    Some(after)
}

fn member() -> impl Strategy<Value = (bool, Option<bool>, u8)> {
    (any::<bool>(), proptest::option::of(any::<bool>()), 0..3_u8)
}

fn group(members: Vec<(bool, Option<bool>, u8)>) -> ObjectView {
    let attributes = Attributes::from([("displayName".to_owned(), Value::text("g"))]);
    let sent = Attributes::from([
        ("displayName".to_owned(), Value::text("g")),
        ("externalId".to_owned(), Value::text(id(90).to_string())),
    ]);
    let members = members
        .into_iter()
        .zip(1..)
        .map(|((present, sent, state), number)| MemberView {
            found: false,
            id: id(number),
            kind: MemberKind::User,
            present,
            sent: sent.map(|same| {
                tid(&if same {
                    format!("u{number}")
                } else {
                    format!("old{number}")
                })
            }),
            state: match state {
                0 => Reference::Linked(tid(&format!("u{number}"))),
                1 => Reference::Gone,
                _ => Reference::Absent,
            },
        });
    ObjectView {
        doubt: None,
        references_kept: 0,
        manager_read: None,
        object: SourceObject {
            kind: ObjectKind::Group,
            id: id(90),
            attributes,
            manager: None,
            life: Life::Alive,
            gone_since: None,
            generation: 1,
            manager_generation: 1,
        },
        link: Some(Link {
            target: tid("g1"),
            origin: LinkOrigin::Created,
            since: Timestamp(0),
            sent,
            kept: BTreeMap::new(),
        }),
        scope: Standing::In,
        intent_open: false,
        lost: false,
        manager: Reference::None,
        target: TargetReading::NotAsked,
        since: Since::default(),
        members: members.collect(),
        member_owners: BTreeMap::new(),
        refused: Vec::new(),
    }
}

proptest! {
    #[test]
    fn second_plan_is_empty(view in user()) {
        let policy = Policy::default();
        let first = planned(&view, &policy);
        if let Some(after) = applied(&view, &first) {
            prop_assert_eq!(planned(&after, &policy).operations, vec![]);
        }
    }

    #[test]
    fn second_plan_of_a_group_is_empty(members in proptest::collection::vec(member(), 0..8)) {
        let (view, policy) = (group(members), Policy::default());
        let after = applied(&view, &planned(&view, &policy)).expect("a living group is not deleted");
        prop_assert_eq!(planned(&after, &policy).operations, vec![]);
    }

    #[test]
    fn order_of_members_does_not_matter(members in proptest::collection::vec(member(), 0..8)) {
        let (view, policy) = (group(members), Policy::default());
        let mut turned = view.clone();
        turned.members.reverse();
        let sets = |plan: ObjectPlan| -> Vec<BTreeSet<String>> {
            plan.operations.iter().map(|o| o.members.iter().map(|m| format!("{m:?}")).collect()).collect()
        };
        prop_assert_eq!(sets(planned(&view, &policy)), sets(planned(&turned, &policy)));
    }

    #[test]
    fn order_of_candidates_does_not_matter(view in user()) {
        let mut turned = view.clone();
        if let TargetReading::Candidates { found, .. } = &mut turned.target {
            found.reverse();
        }
        let policy = Policy::default();
        prop_assert_eq!(planned(&view, &policy).operations, planned(&turned, &policy).operations);
    }

    #[test]
    fn nothing_is_done_to_whom_it_must_not_be_done(view in user()) {
        let protect = vec![id(1).to_string()];
        let protected = planned(&view, &Policy { protect, ..Policy::default() });
        prop_assert!(protected.operations.is_empty());
        let plan = planned(&view, &Policy::default());
        let unproven = matches!(view.object.life, Life::Missing | Life::Unknown);
        let unlinked_gone = matches!(view.object.life, Life::Gone(_)) && view.link.is_none();
        prop_assert!(!(unproven || unlinked_gone) || plan.operations.is_empty());
    }

    #[test]
    fn out_of_scope_only_active_is_ours_and_without_a_link_nothing(view in user()) {
        let because = ScopeReason::Guest { invited: false };
        let mut out = view.clone();
        out.scope = Standing::Out { because };
        let plan = planned(&out, &Policy::default());
        let changes: Vec<_> = plan.operations.iter().flat_map(|operation| &operation.changes).collect();
        prop_assert!(changes.iter().all(|change| change.attribute == "active"), "{:?}", changes);
        prop_assert!(view.link.is_some() || (plan.operations.is_empty() && plan.need.is_none()));
        out.scope = Standing::Unknown { missing: "x".to_owned() };
        let unknown = planned(&out, &Policy::default());
        prop_assert!(unknown.operations.is_empty() || view.object.life != Life::Alive);
    }

    #[test]
    fn every_plan_says_why_and_never_creates_and_deletes(view in user()) {
        let plan = planned(&view, &Policy::default());
        prop_assert!(!plan.operations.is_empty() || !plan.omissions.is_empty() || plan.need.is_some());
        prop_assert!(plan.operations.iter().all(|operation| !operation.because.to_string().is_empty()));
        let has = |verb| plan.operations.iter().any(|operation| operation.verb == verb);
        prop_assert!(!(has(Verb::CreateUser) && has(Verb::DeleteUser)));
    }

    #[test]
    fn null_clears_only_what_was_sent_and_unread_changes_nothing(view in user()) {
        let plan = planned(&view, &Policy::default());
        let sent = view.link.as_ref().map(|link| link.sent.clone()).unwrap_or_default();
        for change in plan.operations.iter().flat_map(|operation| &operation.changes) {
            prop_assert!(!change.after.is_null() || sent.contains_key(&change.attribute));
            let property = PATHS.iter().find(|(_, path)| change.attribute == *path).map(|(property, _)| *property);
            prop_assert!(property.is_none_or(|property| view.object.attributes.contains_key(property)));
            let unread = change.attribute == "active" && !view.object.attributes.contains_key("accountEnabled");
            prop_assert!(!unread || matches!(view.object.life, Life::Gone(_)));
        }
    }
}

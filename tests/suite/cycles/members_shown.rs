//! Targets that show less of a group than it holds: nothing, the first few, or only when asked for. Absence is no proof then.

use melonsync::engine::job::Extent;
use melonsync::engine::summary::Outcome;
use melonsync::mapping::Drift;
use melonsync::model::dialect::PinnedDialect;
use melonsync::model::dialect::Update;
use melonsync::reconcile::drift_policy::DriftPolicy;
use melonsync::reconcile::operation::Verb;
use melonsync::sandbox::SampleOptions;
use melonsync::sandbox::ScimFaults;
use melonsync::sandbox::Tenant;
use melonsync::sandbox::oddities::MemberShape;
use serde_json::json;

use crate::support::world::World;

/// A way to show less.
type Switch = fn(&mut ScimFaults);

const HIDING: &[(&str, Switch)] = &[
    ("an empty list", |f| f.odd.members_shown_empty = true),
    ("no members", |f| f.odd.members_omitted = true),
    ("an empty list, and no filter tells", |f| {
        f.odd.members_shown_empty = true;
        f.odd.member_filter_empty = true;
    }),
    ("no members, and filters are refused", |f| {
        f.odd.members_omitted = true;
        f.odd.no_filters = true;
    }),
    ("no members, and PATCH has no body", |f| {
        f.odd.members_omitted = true;
        f.odd.member_filter_empty = true;
        f.odd.patch_without_body = true;
    }),
];

const PARTLY: &[(&str, Switch)] = &[
    ("only by name", |f| f.odd.members_by_name_only = true),
    ("not in listings", |f| f.odd.members_not_listed = true),
    ("at most three", |f| f.odd.most_members_shown = Some(3)),
    ("at most three, and no filter tells", |f| {
        f.odd.most_members_shown = Some(3);
        f.odd.member_filter_empty = true;
    }),
];

const SHAPES: &[(&str, Switch)] = &[
    ("bare ids", |f| f.odd.member_shape = MemberShape::Bare),
    ("under `id`", |f| f.odd.member_shape = MemberShape::Id),
    ("references", |f| f.odd.member_shape = MemberShape::Reference),
    ("each twice", |f| f.odd.member_shape = MemberShape::Twice),
];

/// Twelve users and three groups of five, synced into a target with this behaviour.
async fn set(switch: Switch, dialect: PinnedDialect) -> World {
    begun(switch, dialect).await.0
}

/// The same, with what the first cycle found.
async fn begun(switch: Switch, dialect: PinnedDialect) -> (World, Vec<String>) {
    let tenant = Tenant::sample_with(SampleOptions {
        users: 12,
        groups: 3,
        members_per_group: Some(5),
        plain: true,
        ..SampleOptions::default()
    });
    let mut world = World::new(tenant).await;
    world.dialect = dialect;
    world.restart();
    world.workspace.update_faults(switch);
    let ran = world.cycle_twice().await;
    world.assert_equal();
    (world, ran.findings)
}

fn put() -> PinnedDialect {
    PinnedDialect {
        update: Some(Update::Put),
        ..PinnedDialect::default()
    }
}

fn outsider(world: &World, group: &str) -> String {
    let members = world.tenant.user_members(group);
    let mut users = world.tenant.user_ids().into_iter();
    users.find(|user| !members.contains(user)).unwrap()
}

/// People come and go, groups are renamed, the target is read whole, drift is healed, a group is resynced: the target holds
/// the truth after each, and nothing is sent twice.
async fn tell(name: &str, world: &mut World) -> Vec<String> {
    let groups = world.tenant.group_ids();
    let mut findings = Vec::new();
    for group in &groups {
        let leaver = world.tenant.user_members(group)[1].clone();
        world.tenant.remove_member(group, &leaver);
        let ran = world.cycle_twice().await;
        assert_eq!(ran.count(Verb::RemoveMember), 1, "{name}: {}", ran.story());
        world.assert_equal();
        findings.extend(ran.findings);
    }
    for group in &groups {
        let joiner = outsider(world, group);
        world.tenant.add_member(group, &joiner);
        let ran = world.cycle_twice().await;
        world.assert_equal();
        findings.extend(ran.findings);
    }
    world
        .tenant
        .set_group(&groups[0], json!({"displayName": "Renamed"}));
    let joiner = outsider(world, &groups[0]);
    world.tenant.add_member(&groups[0], &joiner);
    let leaver = world.tenant.user_members(&groups[0])[0].clone();
    world.tenant.remove_member(&groups[0], &leaver);
    findings.extend(world.cycle_twice().await.findings);
    world.assert_equal();
    for heals in [Drift::Report, Drift::Heal] {
        world.job.policy.drift = DriftPolicy::all(heals);
        let writes = world.workspace.writes();
        let full = world.run(Extent::Full, true, None).await;
        full.expect(Outcome::Converged);
        assert_eq!(full.summary.drift.membership, 0, "{name}: {}", full.story());
        assert_eq!(world.workspace.writes(), writes, "{name}: {:#?}", full.operations);
        world.assert_equal();
        findings.extend(full.findings);
    }
    world.restart();
    world.tenant.add_member(&groups[1], &outsider(world, &groups[1]));
    let leaver = world.tenant.user_members(&groups[2])[0].clone();
    world.tenant.remove_member(&groups[2], &leaver);
    findings.extend(world.cycle_twice().await.findings);
    world.assert_equal();
    findings
}

#[tokio::test]
async fn members_that_are_never_shown_are_what_was_sent_and_accepted() {
    for (name, switch) in HIDING {
        let (mut world, mut findings) = begun(*switch, PinnedDialect::default()).await;
        findings.extend(tell(name, &mut world).await);
        let said = findings
            .iter()
            .filter(|text| text.contains("does not show the members"));
        assert_eq!(said.count(), 1, "{name}: {findings:#?}");
        assert_eq!(findings.len(), 1, "{name}: {findings:#?}");
    }
}

#[tokio::test]
async fn where_put_is_configured_a_group_whose_members_are_not_shown_is_never_put() {
    for (name, switch) in HIDING {
        let mut world = set(*switch, put()).await;
        tell(name, &mut world).await;
        let puts = world.workspace.requests();
        let of_group = puts
            .iter()
            .filter(|request| request.method == "PUT" && request.path.contains("Groups"));
        assert_eq!(of_group.count(), 0, "{name}");
    }
}

#[tokio::test]
async fn members_that_are_shown_in_part_are_compared_in_part() {
    for (name, switch) in PARTLY {
        for dialect in [PinnedDialect::default(), put()] {
            let mut world = set(*switch, dialect).await;
            tell(name, &mut world).await;
        }
    }
}

#[tokio::test]
async fn members_are_read_in_whatever_shape_and_written_back_in_it() {
    for (name, switch) in SHAPES {
        for dialect in [PinnedDialect::default(), put()] {
            let mut world = set(*switch, dialect).await;
            let findings = tell(name, &mut world).await;
            assert!(findings.is_empty(), "{name}: {findings:#?}");
        }
    }
}

#[tokio::test]
async fn a_member_who_was_taken_out_by_hand_is_drift_where_members_are_shown() {
    let mut world = set(|f| f.odd.members_not_listed = true, PinnedDialect::default()).await;
    let group = world.group_resource(&world.tenant.group_ids()[0]);
    world
        .workspace
        .edit_group(group["id"].as_str().unwrap(), json!({"members": []}));
    let full = world.run(Extent::Full, true, None).await;
    assert_eq!(full.summary.drift.membership, 1, "{}", full.story());
    world.job.policy.drift = DriftPolicy::all(Drift::Heal);
    world
        .run(Extent::Full, true, None)
        .await
        .expect(Outcome::Converged);
    world.assert_equal();
}

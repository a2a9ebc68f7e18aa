//! What was learned outlives the process, is said once, and yields to the configuration.

use melonsync::engine::summary::Outcome;
use melonsync::model::dialect::MediaType;
use melonsync::model::dialect::OpCase;
use melonsync::model::dialect::PinnedDialect;
use serde_json::json;

use crate::cycles::synced;
use crate::support::world::World;

/// The bodies of the writes of one cycle after a change of three users.
async fn written(world: &World, title: &str) -> Vec<String> {
    world
        .workspace
        .update_options(|options| options.record_bodies = true);
    for user in &world.tenant.user_ids()[..3] {
        world.tenant.set_user(user, json!({"jobTitle": title}));
    }
    world.workspace.clear_requests();
    world.cycle().await;
    world.assert_equal();
    world
        .workspace
        .requests()
        .into_iter()
        .filter_map(|request| request.body)
        .collect()
}

#[tokio::test]
async fn a_learned_form_is_said_once_kept_and_used_at_first_by_the_next_process() {
    let mut world = synced().await;
    world
        .workspace
        .update_faults(|faults| faults.odd.capital_ops_only = true);
    for user in &world.tenant.user_ids()[..3] {
        world.tenant.set_user(user, json!({"jobTitle": "First"}));
    }
    let first = world.cycle_twice().await;
    world.assert_equal();
    let said = first
        .findings
        .iter()
        .filter(|text| text.contains("op_case = \"capital\""));
    assert_eq!(said.count(), 1, "{:?}", first.findings);
    world.restart();
    let bodies = written(&world, "Second").await;
    assert_eq!(bodies.len(), 3, "{bodies:#?}");
    assert!(
        bodies.iter().all(|body| body.contains("\"Replace\"")),
        "{bodies:#?}"
    );
}

#[tokio::test]
async fn what_was_learned_goes_back_when_the_target_changes_its_mind() {
    let world = synced().await;
    world
        .workspace
        .update_faults(|faults| faults.odd.booleans_only_as_strings = true);
    let ids = world.tenant.user_ids();
    ids[..4].iter().for_each(|user| world.tenant.disable_user(user));
    let ran = world.cycle_twice().await;
    assert!(
        ran.findings
            .iter()
            .any(|text| text.contains("booleans = \"string\"")),
        "{:?}",
        ran.findings
    );
    world
        .workspace
        .update_faults(|faults| faults.odd.booleans_only_as_strings = false);
    ids[..4].iter().for_each(|user| world.tenant.enable_user(user));
    let mut findings = Vec::new();
    for _ in 0..4 {
        findings.extend(world.cycle().await.findings);
        world.clock.advance(std::time::Duration::from_secs(48 * 3600));
    }
    assert!(
        findings.iter().any(|text| text.contains("booleans = \"json\"")),
        "{findings:?}"
    );
    world.assert_equal();
    world.expect_no_write().await;
}

#[tokio::test]
async fn the_configuration_overrides_what_was_learned() {
    let mut world = synced().await;
    world
        .workspace
        .update_faults(|faults| faults.odd.capital_ops_only = true);
    for user in &world.tenant.user_ids()[..3] {
        world.tenant.set_user(user, json!({"jobTitle": "First"}));
    }
    world.cycle_twice().await;
    world
        .workspace
        .update_faults(|faults| faults.odd.capital_ops_only = false);
    world.dialect = PinnedDialect {
        op_case: Some(OpCase::Lower),
        ..PinnedDialect::default()
    };
    world.restart();
    let bodies = written(&world, "Second").await;
    assert!(
        bodies.len() == 3 && bodies.iter().all(|body| body.contains("\"replace\"")),
        "{bodies:#?}"
    );
}

#[tokio::test]
async fn two_refusals_teach_nothing() {
    let world = synced().await;
    world
        .workspace
        .update_faults(|faults| faults.odd.capital_ops_only = true);
    for user in &world.tenant.user_ids()[..2] {
        world.tenant.set_user(user, json!({"jobTitle": "First"}));
    }
    let ran = world.cycle_twice().await;
    world.assert_equal();
    assert!(
        !ran.findings.iter().any(|text| text.contains("learned")),
        "{:?}",
        ran.findings
    );
}

#[tokio::test]
async fn a_target_that_refuses_values_is_not_asked_in_other_forms_for_ever() {
    let world = synced().await;
    let ids = world.tenant.user_ids();
    let names: Vec<String> = (0..12).map(|n| format!("refused{n}@corp.example")).collect();
    world
        .workspace
        .update_faults(|faults| faults.refuse_user_names = names.clone());
    for (user, name) in ids.iter().zip(&names) {
        world.tenant.set_user(user, json!({"userPrincipalName": name}));
    }
    world.workspace.clear_requests();
    world.cycle().await;
    let patches = world
        .workspace
        .requests()
        .iter()
        .filter(|request| request.method == "PATCH")
        .count();
    assert!(
        (12..=24).contains(&patches),
        "{patches} PATCHes for 12 users whose name is refused"
    );
}

/// How many requests of a cycle were answered 415, and how many writes there were in all.
async fn refused_announcements(world: &World) -> (usize, usize) {
    world.workspace.clear_requests();
    world.cycle().await.expect(Outcome::Converged);
    world.assert_equal();
    let requests = world.workspace.requests();
    let refused = requests.iter().filter(|request| request.status == 415).count();
    (
        refused,
        requests.iter().filter(|request| request.method != "GET").count(),
    )
}

#[tokio::test]
async fn a_media_type_that_is_refused_goes_at_once_in_the_other_and_is_learned() {
    let mut world = World::sample(40, 4).await;
    world
        .workspace
        .update_faults(|faults| faults.odd.plain_json_only = true);
    world.workspace.clear_requests();
    let first = world.cycle().await;
    first.expect(Outcome::Converged);
    world.assert_equal();
    let said = first
        .findings
        .iter()
        .filter(|text| text.contains("media_type = \"json\"") && text.contains("refused with 415"));
    assert_eq!(said.count(), 1, "{:?}", first.findings);
    let refused = world
        .workspace
        .requests()
        .iter()
        .filter(|request| request.status == 415)
        .count();
    assert!(
        (3..=3 + world.job.max_concurrency).contains(&refused),
        "{refused} refusals before it was learned"
    );
    world.expect_quiet().await;
    // Another process knows it.
    world.restart();
    world
        .tenant
        .set_user(&world.tenant.user_ids()[0], json!({"jobTitle": "Second"}));
    assert_eq!(refused_announcements(&world).await, (0, 1));
    // The service changes its mind: nothing is lost, and what was learned goes back.
    world.workspace.update_faults(|faults| {
        faults.odd.plain_json_only = false;
        faults.odd.scim_json_only = true;
    });
    for user in &world.tenant.user_ids()[..4] {
        world.tenant.set_user(user, json!({"jobTitle": "Third"}));
    }
    let (refused, _) = refused_announcements(&world).await;
    assert!((3..=4).contains(&refused), "{refused}");
    world
        .tenant
        .set_user(&world.tenant.user_ids()[5], json!({"jobTitle": "Fourth"}));
    assert_eq!(refused_announcements(&world).await, (0, 1));
    // The configuration decides, and what it refuses says how.
    world.dialect = PinnedDialect {
        media_type: Some(MediaType::Json),
        ..PinnedDialect::default()
    };
    world.restart();
    world
        .tenant
        .set_user(&world.tenant.user_ids()[0], json!({"jobTitle": "Fifth"}));
    let ran = world.cycle().await;
    ran.expect(Outcome::Partial);
    let hint = &ran.summary.failed[0].hint;
    assert!(hint.contains("media_type"), "{hint}");
}

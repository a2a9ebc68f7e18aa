//! Answers that are not about what was sent, or not to be trusted: nothing is taken from them, and the truth comes by a look.

use melonsync::engine::summary::Outcome;
use melonsync::model::dialect::PinnedDialect;
use melonsync::model::dialect::Update;
use melonsync::ports::SnapshotStore;
use melonsync::ports::Table;
use melonsync::sandbox::Fault;
use melonsync::sandbox::Tenant;
use serde_json::json;

use super::incremental::synced;
use crate::support::world::Ran;
use crate::support::world::World;

/// The target is as it should be, once answers are good again; and then it is quiet.
async fn converges(world: &World) -> Ran {
    world.workspace.set_faults(Default::default());
    world.clock.advance(world.request_timeout * 2);
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    world.expect_quiet().await;
    world.assert_equal();
    ran
}

fn mix_up(world: &World, method: &str) {
    world
        .workspace
        .update_faults(|faults| faults.mixed_up = Fault::always().only(method));
}

#[tokio::test]
async fn two_creates_whose_answers_are_swapped_are_never_linked_crosswise() {
    let world = World::sample(8, 3).await;
    mix_up(&world, "POST");
    let ran = world.cycle().await;
    ran.expect(Outcome::Partial);
    let words = ran.story();
    assert!(
        words.contains("it is about another resource than was sent"),
        "{words}"
    );
    converges(&world).await;
    let users = world.tenant.user_ids();
    let active = |id: &&String| world.tenant.user(id).unwrap()["accountEnabled"] == true;
    let leaver = users.iter().find(active).unwrap();
    world.tenant.set_user(leaver, json!({"accountEnabled": false}));
    world.cycle().await.expect(Outcome::Converged);
    assert_eq!(world.resource(leaver)["active"], false);
    let others = users.iter().filter(active);
    others.for_each(|id| assert_eq!(world.resource(id)["active"], true, "user {id}"));
}

#[tokio::test]
async fn swapped_answers_of_changes_and_renames_are_looked_up_at_once() {
    let world = synced().await;
    let users = world.tenant.user_ids();
    mix_up(&world, "PATCH");
    for (n, user) in users.iter().take(6).enumerate() {
        world.tenant.set_user(
            user,
            json!({"jobTitle": format!("Title {n}"), "userPrincipalName": format!("renamed{n}@corp.example")}),
        );
    }
    world.cycle().await.expect(Outcome::Converged);
    world.assert_equal();
    converges(&world).await;
}

/// As above, where the look at once does not come to anything either.
#[tokio::test]
async fn a_swapped_answer_that_cannot_be_looked_up_is_read_back_by_the_next_cycle() {
    let mut world = synced().await;
    world.retry.budget = std::time::Duration::from_millis(40);
    world.restart();
    mix_up(&world, "PATCH");
    world
        .workspace
        .update_faults(|faults| faults.unavailable = Fault::always().only("GET"));
    for (n, user) in world.tenant.user_ids().iter().take(2).enumerate() {
        world
            .tenant
            .set_user(user, json!({"jobTitle": format!("Title {n}")}));
    }
    let words = world.cycle().await.story();
    assert!(
        words.contains("the next cycle reads it back; if this stays, look for a proxy or cache"),
        "{words}"
    );
    converges(&world).await;
}

#[tokio::test]
async fn a_read_of_somebody_else_is_never_written_back_by_put() {
    let mut world = synced().await;
    world.dialect = PinnedDialect {
        update: Some(Update::Put),
        ..PinnedDialect::default()
    };
    world.restart();
    let before = world.workspace.users();
    mix_up(&world, "GET");
    for (n, user) in world.tenant.user_ids().iter().take(4).enumerate() {
        world
            .tenant
            .set_user(user, json!({"jobTitle": format!("Title {n}")}));
    }
    world.cycle().await.expect(Outcome::Partial);
    for user in &before {
        let id = user["id"].as_str().unwrap();
        let held = world.workspace.users();
        let now = held.iter().find(|held| held["id"] == id).unwrap();
        assert_eq!(now["userName"], user["userName"]);
        assert_eq!(now["externalId"], user["externalId"]);
    }
    converges(&world).await;
}

#[tokio::test]
async fn an_id_that_a_url_takes_for_a_step_is_never_taken() {
    let world = World::new(Tenant::empty()).await;
    world
        .tenant
        .add_user(json!({"userPrincipalName": "ada@corp.example"}));
    world
        .workspace
        .update_faults(|faults| faults.odd.ids_of_dots = true);
    for _ in 0..3 {
        let ran = world.cycle().await;
        ran.expect(Outcome::Partial);
        world.clock.advance(world.request_timeout * 2);
    }
    let writes = world.workspace.requests();
    let writes: Vec<_> = writes.iter().filter(|request| request.method != "GET").collect();
    assert_eq!(
        writes.len(),
        1,
        "one create, whose outcome is unknown: {writes:#?}"
    );
}

#[tokio::test]
async fn an_answer_that_repeats_our_token_is_malformed_and_nothing_of_it_is_stored() {
    let world = World::sample(4, 1).await;
    world
        .workspace
        .update_faults(|faults| faults.odd.token_in_answers = true);
    let ran = world.cycle().await;
    assert!(ran.story().contains("repeats the token"), "{}", ran.story());
    let token = world.workspace.token();
    assert!(!ran.story().contains(&token));
    for table in [
        Table::Meta,
        Table::Objects,
        Table::Readings,
        Table::History,
        Table::HistoryValues,
        Table::Escrow,
        Table::Drift,
    ] {
        let rows = world.store.scan(table, b"", None, usize::MAX).unwrap();
        let holds = |bytes: &[u8]| bytes.windows(token.len()).any(|part| part == token.as_bytes());
        assert!(
            !rows.iter().any(|(key, value)| holds(key) || holds(value)),
            "{table:?}"
        );
    }
    converges(&world).await;
}

#[tokio::test]
async fn a_service_that_ignores_filters_is_not_taken_to_hold_whom_it_refuses() {
    let world = synced().await;
    world
        .workspace
        .update_options(|options| options.idmelon_extension = false);
    world.workspace.update_faults(|faults| {
        faults.odd.filters_ignored = true;
        faults.odd.no_schemas = true;
    });
    world.tenant.add_joiners(1);
    let ran = world.cycle().await;
    ran.expect(Outcome::Partial);
    let words = format!("{:?}", ran.summary.failed);
    assert!(
        words.contains("answered 400") && !words.contains("it is there"),
        "{words}"
    );
}

//! How newcomers are looked for at a large target: several in one question where that form is proven, and never so that a
//! wrong answer counts as absence.

use melonsync::engine::summary::Outcome;
use melonsync::model::id::ObjectKind;
use melonsync::ports::NewResource;
use melonsync::reconcile::operation::Verb;
use melonsync::sandbox::Oddities;
use melonsync::sandbox::SampleOptions;
use melonsync::sandbox::Tenant;
use serde_json::json;

use crate::support::world::World;

const JOINERS: usize = 30;

/// Throws a switch of the workspace.
type Throw = fn(&mut Oddities);

/// 1,200 users at the target; then joiners at the source, of whom every third is at the target already, under a name in
/// another case.
async fn joined() -> World {
    let tenant = Tenant::sample_with(SampleOptions {
        users: 1_200,
        groups: 1,
        plain: true,
        ..SampleOptions::default()
    });
    let world = World::new(tenant).await;
    world.cycle().await.expect(Outcome::Converged);
    for n in 0..JOINERS {
        let name = format!("joiner{n}@corp.example");
        world
            .tenant
            .add_user(json!({"userPrincipalName": name, "displayName": format!("Joiner {n}"), "mail": name}));
        if n % 3 == 0 {
            let body = json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
                "userName": name.to_uppercase(), "active": true});
            let created = world.job.target.create(ObjectKind::User, NewResource::from(body));
            created.await.unwrap();
        }
    }
    world.workspace.clear_requests();
    world
}

/// Reads of the collection of users: those by filter, and pages of a listing.
fn reads(world: &World) -> (usize, usize) {
    let requests = world.workspace.requests();
    let users = requests
        .iter()
        .filter(|one| one.method == "GET" && one.path.contains("/Users?"));
    let (filters, pages): (Vec<_>, Vec<_>) = users.partition(|one| one.path.contains("filter="));
    (filters.len(), pages.len())
}

#[tokio::test]
async fn joiners_of_a_large_target_are_asked_for_together() {
    let world = joined().await;
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    assert_eq!(
        (ran.count(Verb::CreateUser), ran.count(Verb::LinkUser)),
        (20, 10),
        "{}",
        ran.story()
    );
    let (filters, pages) = reads(&world);
    assert_eq!(pages, 0, "no listing");
    // For each of two paths one question that proves the form, and two with 19 values each.
    assert_eq!(filters, 6);
    assert_eq!(world.workspace.user_count(), 1_200 + JOINERS);
    world.expect_no_write().await.expect(Outcome::Converged);
}

#[tokio::test]
async fn a_form_that_answers_wrongly_proves_nobody_absent() {
    let odds: [(&str, Throw); 5] = [
        ("refused", |odd| odd.or_filters_refused = true),
        ("only the first term", |odd| odd.or_filters_see_the_first = true),
        ("few results", |odd| odd.most_results_of_a_filter = Some(5)),
        ("ignored", |odd| odd.filters_ignored = true),
        ("by case", |odd| odd.exact_case_filters = true),
    ];
    for (name, throw) in odds {
        let world = joined().await;
        // Without this the service itself would refuse a second user of a name.
        world.workspace.update_faults(|faults| {
            faults.odd.case_sensitive_names = true;
            throw(&mut faults.odd);
        });
        let ran = world.cycle().await;
        assert_eq!(
            (ran.count(Verb::CreateUser), ran.count(Verb::LinkUser)),
            (20, 10),
            "{name}: {}",
            ran.story()
        );
        world.expect_no_write().await.expect(Outcome::Converged);
    }
}

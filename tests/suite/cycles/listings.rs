//! Listings whose numbers are wrong, whose pages are short, or that are refused in part: what they show is the whole, or it
//! is not, and nothing is made on the strength of a listing that is not.

use melonsync::engine::job::Extent;
use melonsync::engine::summary::Outcome;
use melonsync::reconcile::operation::Verb;
use melonsync::reconcile::policy::AdoptGroup;
use melonsync::sandbox::Numbers;
use melonsync::sandbox::Oddities;
use melonsync::sandbox::Tenant;
use serde_json::json;

use crate::support::world::World;

/// Throws one switch of the sample workspace.
type Odd = fn(&mut Oddities);

/// Groups that were at the target before: of each the tenant has one of the same name.
const GROUPS: usize = 9;

/// A tenant, and a workspace that holds its groups already, among others, on pages of 4. Filters are refused: what is there is
/// known by a listing or not at all.
async fn in_use(odd: fn(&mut Oddities)) -> World {
    let mut world = World::new(Tenant::empty()).await;
    world.workspace.update_options(|options| {
        options.max_results = 4;
    });
    world.workspace.update_faults(|faults| {
        faults.odd.no_filters = true;
        odd(&mut faults.odd);
    });
    for n in 0..GROUPS {
        world
            .tenant
            .add_group(json!({"displayName": format!("Team {n}")}));
        world.tenant.add_user(
            json!({"userPrincipalName": format!("u{n}@corp.example"), "displayName": format!("User {n}")}),
        );
    }
    for n in 0..GROUPS {
        world
            .workspace
            .insert_group(json!({"displayName": format!("Local {n}")}));
        world
            .workspace
            .insert_group(json!({"displayName": format!("Team {n}")}));
        world
            .workspace
            .insert_user(json!({"userName": format!("local{n}@idmelon.example"), "active": true}));
    }
    world.remember_workspace();
    world.job.policy.groups.adopt = AdoptGroup::Unclaimed;
    world
}

fn full() -> Extent {
    Extent::Full
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listing_is_whole_when_it_was_asked_to_its_end_whatever_its_numbers_say() {
    let cases: &[(&str, Odd)] = &[
        ("right", |_| {}),
        ("too low", |odd| odd.numbers = Numbers::TooLow),
        ("too high", |odd| odd.numbers = Numbers::TooHigh),
        ("zero", |odd| odd.numbers = Numbers::Zero),
        ("one", |odd| odd.numbers = Numbers::One),
        ("missing", |odd| odd.numbers = Numbers::Missing),
        ("texts", |odd| odd.numbers = Numbers::Texts),
        ("per page", |odd| odd.numbers = Numbers::PerPage),
        ("nonsense", |odd| odd.numbers = Numbers::Nonsense),
        ("a silent cap", |odd| odd.most_shown = Some(3)),
        ("a cap of one, per page", |odd| {
            odd.most_shown = Some(1);
            odd.numbers = Numbers::PerPage;
        }),
        ("short in the middle", |odd| odd.short_pages = true),
        ("short in the middle, too high", |odd| {
            odd.short_pages = true;
            odd.numbers = Numbers::TooHigh;
        }),
        ("no Resources behind the end", |odd| odd.no_empty_resources = true),
        ("no Resources and no numbers", |odd| {
            odd.no_empty_resources = true;
            odd.numbers = Numbers::Missing;
        }),
        ("bare arrays", |odd| odd.bare_listings = true),
        ("refused behind the end", |odd| {
            odd.behind_the_end_refused = Some(400)
        }),
        ("not found behind the end", |odd| {
            odd.behind_the_end_refused = Some(404)
        }),
        ("500 behind the end", |odd| odd.behind_the_end_refused = Some(500)),
        ("count refused", |odd| odd.count_refused = Some((3, 422))),
        ("count refused, 400", |odd| odd.count_refused = Some((2, 400))),
        ("count refused, 500", |odd| odd.count_refused = Some((1, 500))),
        ("every count refused", |odd| odd.count_refused = Some((0, 422))),
        ("by cursor", |odd| {
            odd.cursor_paging = true;
            odd.numbers = Numbers::PerPage;
        }),
    ];
    for (name, odd) in cases {
        let world = in_use(*odd).await;
        let ran = world.cycle().await;
        assert!(ran.error.is_none(), "{name}: {}", ran.story());
        assert_eq!(
            ran.count(Verb::CreateUser),
            GROUPS as u64,
            "{name}: {}",
            ran.story()
        );
        assert_eq!(ran.count(Verb::CreateGroup), 0, "{name}: {}", ran.story());
        assert_eq!(world.workspace.group_count(), 2 * GROUPS, "{name}");
        let again = world.run(full(), true, None).await;
        again.expect(Outcome::Converged);
        assert!(again.operations.is_empty(), "{name}: {:?}", again.operations);
        assert!(again.findings.is_empty(), "{name}: {:?}", again.findings);
        world.expect_no_write().await;
    }
}

#[tokio::test]
async fn a_listing_that_is_not_whole_makes_no_group_and_finds_nothing_missing() {
    let cases: &[(&str, Odd, &str)] = &[
        (
            "a cursor that leads back",
            |odd| {
                odd.cursor_paging = true;
                odd.cursor_loops = true;
            },
            "leads back",
        ),
        (
            "one page for ever",
            |odd| {
                odd.ignored_paging = true;
            },
            "again and again",
        ),
    ];
    for (name, odd, says) in cases {
        let world = in_use(*odd).await;
        if *name == "one page for ever" {
            for n in 0..20 {
                world
                    .workspace
                    .insert_group(json!({"displayName": format!("Other {n}")}));
            }
        }
        world.tenant.add_group(json!({"displayName": "Nowhere yet"}));
        let groups = world.workspace.group_count();
        let ran = world.cycle().await;
        assert!(ran.error.is_none(), "{name}: {}", ran.story());
        assert_eq!(ran.count(Verb::CreateGroup), 0, "{name}: {}", ran.story());
        assert_eq!(world.workspace.group_count(), groups, "{name}");
        assert!(ran.omitted("absence_unproven") > 0, "{name}: {}", ran.story());
        assert!(ran.story().contains(says), "{name}: {}", ran.story());
        let full = world.run(full(), true, None).await;
        assert_eq!(full.summary.drift.missing, 0, "{name}");
        assert_eq!(world.workspace.group_count(), groups, "{name}");
    }
}

//! Rows whose values come from chance or from the time, and rows that are not to be seen.

use std::time::Duration;

use melonsync::engine::summary::Outcome;
use melonsync::mapping::Mapping;
use melonsync::reconcile::operation::Verb;
use melonsync::sandbox::Tenant;
use serde_json::json;

use crate::support::world::World;

const ROWS: &str = r#"
[[user]]
target = "userName"
source = "[userPrincipalName]"
matching = 1
[[user]]
target = "externalId"
source = "[objectId]"
[[user]]
target = "active"
source = "Not([IsSoftDeleted])"
"#;

async fn with_rows(rows: &str) -> (World, String) {
    let mut world = World::new(Tenant::empty()).await;
    let ada = json!({"userPrincipalName": "ada@corp.example", "jobTitle": "Engineer"});
    let ada = world.tenant.add_user(ada);
    world.map_by(Mapping::from_toml("rows", &format!("{ROWS}{rows}")).unwrap());
    world.job.managed = [melonsync::model::id::ObjectKind::User].into();
    (world, ada)
}

async fn ends(world: &World) -> u64 {
    let ran = world.cycle().await;
    ran.expect(Outcome::Converged);
    ran.count(Verb::UpdateUser)
}

#[tokio::test]
async fn what_is_drawn_by_chance_is_drawn_once_and_kept() {
    let rows = "[[user]]\ntarget = \"nickName\"\nsource = \"RandomString(12,2,0,2,2)\"\n\
                [[user]]\ntarget = \"title\"\nsource = 'Join(\" \", [jobTitle], Guid())'\n";
    let (mut world, ada) = with_rows(rows).await;
    let planned = world.plan().await;
    assert_eq!(ends(&world).await, 0);
    let first = world.resource(&ada);
    let foreseen = planned.operations.iter().flat_map(|operation| &operation.changes);
    let foreseen = foreseen.filter(|change| change.attribute == "nickName");
    let foreseen: Vec<_> = foreseen.map(|change| change.after.to_json()).collect();
    assert_eq!(
        foreseen,
        [first["nickName"].clone()],
        "plan and sync draw the same"
    );
    // Chance gives something else by now, and the program starts again.
    world.job.entropy = || [9; 16];
    world.restart();
    world.tenant.set_user(&ada, json!({"jobTitle": "Chief"}));
    assert_eq!(ends(&world).await, 1);
    let second = world.resource(&ada);
    assert_eq!(first["nickName"], second["nickName"]);
    let guid = |resource: &serde_json::Value| {
        let title = resource["title"].as_str().unwrap();
        title.split_once(' ').unwrap().1.to_owned()
    };
    assert_eq!(guid(&first), guid(&second));
    assert_eq!(ends(&world).await, 0);
}

#[tokio::test]
async fn rows_with_now_are_evaluated_once_a_day_and_sent_only_where_they_differ() {
    let rows = "[[user]]\ntarget = \"title\"\n\
                source = 'FormatDateTime(Now(), , \"M/d/yyyy h:mm:ss tt\", \"MMMM yyyy\")'\n";
    let (world, ada) = with_rows(rows).await;
    assert_eq!(ends(&world).await, 0);
    let first = world.resource(&ada)["title"].clone();
    let mut evaluated = 0;
    for day in 1..=31 {
        world.clock.advance(Duration::from_secs(24 * 3600));
        let ran = world.cycle().await;
        ran.expect(Outcome::Converged);
        evaluated += ran.summary.skipped.unchanged + ran.count(Verb::UpdateUser);
        assert!(ran.count(Verb::UpdateUser) <= 1, "day {day}");
        world.workspace.clear_requests();
        assert_eq!(ends(&world).await, 0, "the same day again");
        assert!(world.workspace.requests().is_empty(), "the same day again");
    }
    assert_eq!(evaluated, 31);
    assert_ne!(
        world.resource(&ada)["title"],
        first,
        "31 days later it is another month"
    );
}

#[tokio::test]
async fn redacted_values_flow_and_are_not_shown() {
    let rows = "[[user]]\ntarget = \"title\"\nsource = \"Redact([jobTitle])\"\n";
    let (world, ada) = with_rows(rows).await;
    let planned = world.plan().await;
    let created = world.cycle().await;
    created.expect(Outcome::Converged);
    assert_eq!(world.resource(&ada)["title"], "Engineer");
    world.tenant.set_user(&ada, json!({"jobTitle": "Chief"}));
    let updated = world.cycle().await;
    assert_eq!(world.resource(&ada)["title"], "Chief");
    assert_eq!(updated.count(Verb::UpdateUser), 1);
    for ran in [planned, created, updated] {
        let shown = format!("{:?}", ran.operations);
        assert!(shown.contains("[Redact]"), "{shown}");
        assert!(!shown.contains("Engineer") && !shown.contains("Chief"), "{shown}");
    }
    let kept = world.job.snapshot.history(0, 1000).unwrap();
    let kept = format!("{kept:?}");
    assert!(!kept.contains("Engineer") && !kept.contains("Chief"), "{kept}");
}

//! Directory facts: guests' names, directory extensions and the attributes of on-premises Exchange, end to end, and a
//! mapping that was carried over from Entra.

use melonsync::engine::summary::Outcome;
use melonsync::mapping::Mapping;
use melonsync::mapping::entra_schema;
use serde_json::Value;
use serde_json::json;

use crate::support::world::World;

const IDMELON: &str = "urn:ietf:params:scim:schemas:extension:IDmelon:2.0:User";
const BADGE: &str = "extension_0f6c2d5e3f0b4c619a537c1f1d2a9b10_badgeNumber";

/// The preset with five rows more, for IDmelon's five custom attributes.
fn extended() -> Mapping {
    let mut text = include_str!("../../../config/mappings/idmelon.toml").to_owned();
    for (number, source) in [
        (1, "[extensionAttribute1]"),
        (2, &format!("[{BADGE}]")),
        (3, "[extension_0f6c2d5e3f0b4c619a537c1f1d2a9b10_site]"),
        (4, "[originalUserPrincipalName]"),
        (5, "[extensionAttribute15]"),
    ] {
        text +=
            &format!("\n[[user]]\ntarget = \"{IDMELON}:extraAttribute{number}\"\nsource = \"{source}\"\n");
    }
    Mapping::from_toml("extended", &text).unwrap()
}

/// The `$select` of the users' first page.
fn select(world: &World) -> String {
    let requests = world.tenant.requests();
    let first = requests
        .iter()
        .find(|request| format!("{request:?}").contains("users/delta"));
    format!("{first:?}")
}

#[tokio::test]
async fn extensions_reach_idmelons_custom_attributes_and_are_read_only_when_mapped() {
    let mut world = World::sample(60, 3).await;
    world.cycle().await.expect(Outcome::Converged);
    world.assert_equal();
    assert!(!select(&world).contains("xtension"), "{}", select(&world));

    world.tenant.clear_requests();
    world.map_by(extended());
    world.cycle().await.expect(Outcome::Converged);
    let asked = select(&world);
    assert!(
        asked.contains("onPremisesExtensionAttributes") && asked.contains(BADGE),
        "{asked}"
    );
    world.assert_equal();
    let (mut badges, mut guests) = (0, 0);
    for id in world.tenant.user_ids() {
        let user = world.tenant.user(&id).unwrap();
        let held = world.workspace.users_by_external_id(&id);
        let Some(resource) = held.first() else { continue };
        let extra = &resource[IDMELON];
        assert_eq!(
            extra["extraAttribute1"],
            user["onPremisesExtensionAttributes"]["extensionAttribute1"]
        );
        assert_eq!(
            extra["extraAttribute5"],
            user["onPremisesExtensionAttributes"]["extensionAttribute15"]
        );
        assert_eq!(
            extra["extraAttribute2"],
            user.get(BADGE).cloned().unwrap_or_default()
        );
        badges += usize::from(!extra["extraAttribute2"].is_null());
        // A guest signs in by the name at home; the name in the tenant is kept beside it.
        assert_eq!(extra["extraAttribute4"], user["userPrincipalName"]);
        if let Some((home, _)) = user["userPrincipalName"].as_str().unwrap().split_once("#EXT#") {
            guests += 1;
            assert_eq!(resource["userName"].as_str().unwrap().replace('@', "_"), home);
        }
    }
    assert!(badges > 20 && guests > 0, "{badges} badges, {guests} guests");
    world.expect_quiet().await;

    let id = world.tenant.user_ids()[0].clone();
    world.tenant.set_user(
        &id,
        json!({BADGE: "B99999", "onPremisesExtensionAttributes": {"extensionAttribute1": "CC-999"}}),
    );
    world.cycle().await.expect(Outcome::Converged);
    let extra = &world.resource(&id)[IDMELON];
    assert_eq!(
        (&extra["extraAttribute2"], &extra["extraAttribute1"]),
        (&json!("B99999"), &json!("CC-999"))
    );
}

#[tokio::test]
async fn an_imported_schema_gives_the_state_that_the_preset_gives() {
    let mut document: Value =
        serde_json::from_str(include_str!("../../data/entra-sync-schema.json")).unwrap();
    // IDmelon's documentation adds a group's description to the default that was exported.
    let groups = document
        .pointer_mut("/schema/synchronizationRules/0/objectMappings/0/attributeMappings")
        .unwrap();
    groups.as_array_mut().unwrap().push(json!({"targetAttributeName": "description", "flowType": "Always",
        "source": {"expression": "[description]", "name": "description", "parameters": [], "type": "Attribute"}}));
    let imported = entra_schema::import(&document).unwrap();
    assert_eq!(imported.left_out, []);
    let mut world = World::sample(80, 6).await;
    world.job.mapping = Mapping::from_toml("imported", &imported.mapping).unwrap().into();
    world.cycle_twice().await;
    world.assert_equal();
    // The preset in its place: everybody is looked at again, and nothing differs.
    world.map_by(Mapping::preset("idmelon").unwrap());
    world.expect_no_write().await.expect(Outcome::Converged);
}

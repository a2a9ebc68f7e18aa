//! How users stand with the enrolled group, on every surface of the daemon; and nothing of it once no group is kept any more.

use std::fs;

use melonsync::sandbox::DEFAULT_API_KEY;
use serde_json::Value;
use serde_json::json;

use super::metrics::metrics;
use super::metrics::reload;
use super::metrics::series;
use super::metrics::sync;
use super::metrics::value;
use super::pages::read;
use super::world::Door;
use super::world::VIEWER;

/// The section that keeps this group.
fn section(door: &Door, group: &str) -> String {
    let world = &door.daemon.world;
    let (client_id, secret) = world.tenant.writer_credentials();
    fs::write(world.path("writer"), secret).unwrap();
    fs::write(world.path("key"), DEFAULT_API_KEY).unwrap();
    format!(
        "[jobs.idmelon.writeback]\nenrolled_group = \"{group}\"\n\
         idmelon_api = {{ url = \"{}\", key = {{ file = \"key\" }} }}\n\
         credential = {{ client_id = \"{client_id}\", client_secret = {{ file = \"writer\" }}, expires = \"2037-09-01\" }}\n",
        world.scim.url
    )
}

/// A text in one line, with single spaces.
fn flat(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn status(door: &Door) -> Value {
    let status = door.get("/api/v1/jobs/idmelon").is(200).json();
    status["snapshot"]["enrolled"].clone()
}

/// Whoever `list` shows who stands so, and what it says where that is nobody.
fn listed(door: &Door, state: &str) -> (usize, String) {
    let ran = door
        .daemon
        .world
        .run(&["list", "users", "--state", state])
        .exits(0);
    (ran.out.lines().count(), ran.err)
}

#[test]
fn every_surface_says_how_many_stand_how_with_the_enrolled_group() {
    let door = Door::new();
    let world = &door.daemon.world;
    let group = world
        .tenant
        .add_group(json!({"displayName": "Key holders", "groupTypes": []}));
    world.tenant.let_writer_own(&group);
    reload(&door, "2037-08-17", "");
    sync(&door);
    assert_eq!(status(&door), Value::Null, "no group is kept");
    assert!(!metrics(&door).contains("enrol"), "{}", metrics(&door));
    reload(&door, "2037-08-18", &section(&door, &group));
    let credentials = door.get("/api/v1/jobs/idmelon").is(200).json()["credentials"].clone();
    assert_eq!(credentials["writer"], "2037-09-01", "{credentials}");
    let ends = value(
        &metrics(&door),
        "credential_expiry_timestamp_seconds",
        &[("credential", "writer")],
    );
    assert!(ends > 2.1e9, "{ends}");
    let early = status(&door);
    assert_eq!((&early["group"], &early["counts"]), (&json!(group), &Value::Null));
    let users = world.tenant.user_ids();
    for user in &users[..2] {
        let shown = world.tenant.user(user).unwrap();
        world
            .workspace
            .enrol_key(shown["userPrincipalName"].as_str().unwrap());
    }
    sync(&door);
    assert_eq!(
        status(&door)["counts"]["enrol_pending"],
        2,
        "sent, and not seen yet"
    );
    sync(&door);
    let known = status(&door);
    assert!(known["keys_read"].is_string(), "{known:#}");
    for (state, count) in [("enrolled", 2), ("enrol-pending", 0), ("not-enrolled", 1)] {
        let key = state.replace('-', "_");
        assert_eq!(known["counts"][&key], count, "{known:#}");
        assert_eq!(listed(&door, state).0, count, "{state}");
        let told = value(&metrics(&door), "snapshot_objects", &[("type", &key)]);
        assert!((told - count as f64).abs() < f64::EPSILON, "{state}: {told}");
    }
    for class in ["key_without_passkey", "passkey_without_key"] {
        let told = value(&metrics(&door), "drift_objects", &[("class", class)]);
        assert!(told.abs() < f64::EPSILON, "{class}: {told}");
    }
    let text = flat(&world.run(&["status"]).exits(0).out);
    let said = "enrolled 2 in the group, 0 to be added, 1 without a key, 0 taken out by hand; keys read 2";
    assert!(text.contains(said), "{text}");
    let session = door.login(VIEWER);
    let page = door.ask("GET", "/", &session, None).is(200).body;
    assert!(
        page.contains("/jobs/idmelon/objects?state=removed-by-hand"),
        "{page}"
    );
    let page = flat(&read(&page));
    assert!(
        page.contains("Enrolled group Enrolled2 To be added0 Without a key1 Removed by hand0"),
        "{page}"
    );
    assert!(listed(&door, "removed-by-hand").1.contains("nobody stands so"));
    // Once no group is kept, what was remembered says nothing about now.
    reload(&door, "2037-08-19", "");
    assert_eq!(status(&door), Value::Null);
    assert_eq!(listed(&door, "enrolled").0, 0);
    assert!(
        series(&metrics(&door), "snapshot_objects")
            .iter()
            .all(|line| !line.contains("enrol"))
    );
    // And once it is kept again, what is remembered is there at once.
    reload(&door, "2037-08-20", &section(&door, &group));
    assert_eq!(
        (
            status(&door)["counts"]["enrolled"].as_u64(),
            listed(&door, "enrolled").0
        ),
        (Some(2), 2)
    );
}

#[test]
fn what_stops_the_enrolled_group_stands_until_a_look_finds_it_gone() {
    let door = Door::new();
    let world = &door.daemon.world;
    let group = world
        .tenant
        .add_group(json!({"displayName": "Key holders", "groupTypes": []}));
    reload(&door, "2037-08-17", &section(&door, &group));
    let user = world.tenant.user(&world.tenant.user_ids()[0]).unwrap();
    sync(&door);
    world
        .workspace
        .enrol_key(user["userPrincipalName"].as_str().unwrap());
    sync(&door);
    // A cycle without the way back does not hide it.
    world.run(&["sync", "-q"]);
    let status = || world.run(&["status", "--exit-code"]);
    let stopped = status().exits(3).out;
    assert!(
        flat(&stopped).contains("enrolled group the writer may not change"),
        "{stopped}"
    );
    world.tenant.let_writer_own(&group);
    sync(&door);
    let good = status().exits(0).out;
    assert!(!good.contains("may not change"), "{good}");
}

#[test]
fn a_membership_that_is_on_hold_stays_as_it_is() {
    let door = Door::new();
    let world = &door.daemon.world;
    let group = world
        .tenant
        .add_group(json!({"displayName": "Key holders", "groupTypes": []}));
    world.tenant.let_writer_own(&group);
    reload(&door, "2037-08-17", "");
    sync(&door);
    let users = world.tenant.user_ids();
    let user = &users[0];
    let hold = || world.run(&["hold", user, "--attribute", "memberOf"]);
    assert!(
        hold().exits(2).err.contains("sends no `memberOf`"),
        "no group is kept"
    );
    reload(&door, "2037-08-18", &section(&door, &group));
    hold().exits(0);
    let shown = world.tenant.user(user).unwrap();
    world
        .workspace
        .enrol_key(shown["userPrincipalName"].as_str().unwrap());
    for _ in 0..2 {
        sync(&door);
        assert!(world.tenant.members(&group).is_empty());
    }
    world.run(&["hold", "release", user]).exits(0);
    sync(&door);
    assert_eq!(world.tenant.members(&group), users[..1]);
}

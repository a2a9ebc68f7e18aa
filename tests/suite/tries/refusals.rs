//! What a target refuses, keeps to itself or does in another way than it was asked, and what the hint says.

use std::fs;

use melonsync::sandbox::Oddities;
use serde_json::Value;
use serde_json::json;

use super::front::Front;
use crate::cli_output::world::World;

const KIND: &str = "kind  = \"idmelon\"";

fn odd(world: &World, change: impl FnOnce(&mut Oddities)) {
    world.workspace.update_faults(|faults| change(&mut faults.odd));
}

fn resource(world: &World, n: usize) -> Value {
    let id = &world.tenant.user_ids()[n];
    world.workspace.users_by_external_id(id)[0].clone()
}

fn id_of(held: &Value) -> String {
    held["id"].as_str().unwrap().to_owned()
}

/// A sync that leaves something undone, with this hint.
#[track_caller]
fn hints(world: &World, hint: &str) -> String {
    let ran = world.run(&["sync", "-o", "json"]);
    assert!(matches!(ran.code, Some(1 | 3)), "{ran:?}");
    let said = format!("{}{}", ran.out, ran.err);
    assert!(said.contains(hint), "no \"{hint}\" in {said}");
    said
}

#[track_caller]
fn goes_on(world: &World) {
    world.run(&["escrow", "retry"]);
    world.run(&["sync"]).exits(0);
}

fn retitle(world: &World, n: usize, title: Value) {
    let id = &world.tenant.user_ids()[n];
    world.tenant.set_user(id, json!({"jobTitle": title}));
}

#[test]
fn an_attribute_that_cannot_be_changed_is_changed_by_hand_or_sent_in_creates_only() {
    for way in ["by hand", "create-only"] {
        let world = World::new(3, 1);
        world.converges();
        odd(&world, |odd| odd.immutable_attributes = vec!["title".to_owned()]);
        retitle(&world, 0, json!("Captain"));
        hints(
            &world,
            "the target does not let `title` be changed: change it there by hand, or set apply = \\\"create-only\\\"",
        );
        if way == "by hand" {
            let id = id_of(&resource(&world, 0));
            assert!(world.workspace.edit_user(&id, json!({"title": "Captain"})));
            world.run(&["sync", "--full"]);
        } else {
            created_only(&world, "title");
        }
        goes_on(&world);
    }
}

/// The preset with `apply = "create-only"` in the row of this target.
fn created_only(world: &World, row: &str) {
    let preset = include_str!("../../../config/mappings/idmelon.toml");
    let line = format!("target   = \"{row}\"");
    assert!(preset.contains(&line));
    let own = preset.replacen(&line, &format!("{line}\napply    = \"create-only\""), 1);
    fs::write(world.path("own.toml"), own).unwrap();
    let config = fs::read_to_string(world.path("melonsync.toml")).unwrap();
    world.write(&format!(
        "{config}\n[jobs.idmelon.provisioning]\nmapping = \"own.toml\"\n"
    ));
}

#[test]
fn an_attribute_that_cannot_be_emptied_gets_a_value_in_entra() {
    let world = World::new(3, 1);
    let front = Front::of(&world.scim.url);
    world.change(&world.scim.url, &front.url);
    retitle(&world, 0, json!("Captain"));
    world.run(&["sync"]).exits(0);
    front.answers(&["PATCH ", "emove\"|null|\"\""], 400, "", "{}");
    front.answers(&["PUT "], 400, "", "{}");
    retitle(&world, 0, Value::Null);
    hints(
        &world,
        "the target does not let `title` be emptied: give it a value in Entra, or a `default` in its mapping row",
    );
    retitle(&world, 0, json!("Retired"));
    goes_on(&world);
    assert_eq!(resource(&world, 0)["title"], "Retired");
}

#[test]
fn an_attribute_that_is_not_known_is_added_at_the_target_or_its_row_goes() {
    let world = World::new(3, 1);
    let front = Front::of(&world.scim.url);
    world.change(&world.scim.url, &front.url);
    world.run(&["sync"]).exits(0);
    let body = r#"{"scimType": "invalidPath", "detail": "no attribute title"}"#;
    front.answers(&["PATCH |PUT ", "title"], 400, "", body);
    retitle(&world, 0, json!("Captain"));
    hints(
        &world,
        "the target does not know `title`: have it added there, or take its row out of the mapping",
    );
    front.passes();
    goes_on(&world);
    assert_eq!(resource(&world, 0)["title"], "Captain");
}

#[test]
fn an_attribute_that_is_not_kept_is_unlocked_or_sent_in_creates_only() {
    for way in ["unlocked", "create-only"] {
        let world = World::new(3, 1);
        world.converges();
        odd(&world, |odd| odd.frozen = vec!["title".to_owned()]);
        retitle(&world, 0, json!("Captain"));
        hints(
            &world,
            "check whether `title` of this user is locked at the target, or set apply = \\\"create-only\\\"",
        );
        let checked = world.run(&["check"]).exits(0).out;
        let hint = "look at it at the target: `melonsync drift` shows all; or set apply = \"create-only\" in its mapping row";
        assert!(checked.contains(hint), "{checked}");
        let shown = world.run(&["drift"]).exits(0).out;
        assert!(shown.contains("title"), "{shown}");
        if way == "unlocked" {
            odd(&world, |odd| odd.frozen.clear());
            goes_on(&world);
            assert_eq!(resource(&world, 0)["title"], "Captain");
        } else {
            created_only(&world, "title");
            goes_on(&world);
        }
        let checked = world.run(&["check"]).exits(0).out;
        assert!(!checked.contains("the target took `title`"), "{way}: {checked}");
    }
}

/// A group and somebody who is not in it, in sync; the name of that user.
fn outsider() -> (World, String, usize, String) {
    let world = World::new(8, 1);
    world.converges();
    let group = world.tenant.group_ids()[0].clone();
    let new = |n: usize| {
        let upn = format!("new{n}@corp.example");
        world
            .tenant
            .add_user(json!({"userPrincipalName": upn, "displayName": "New", "accountEnabled": true, "userType": "Member"}))
    };
    let first = new(0);
    new(1);
    world.converges();
    let users = world.tenant.user_ids();
    let n = users.iter().position(|id| *id == first).unwrap();
    let name = resource(&world, n)["userName"].as_str().unwrap().to_owned();
    (world, group, n, name)
}

fn is_in(world: &World, group: &str, n: usize) -> bool {
    let held = world.workspace.groups_by_external_id(group);
    let id = resource(world, n)["id"].clone();
    let members = held[0]["members"].as_array().cloned().unwrap_or_default();
    members.iter().any(|member| member["value"] == id)
}

#[test]
fn a_member_who_is_refused_is_looked_at_and_comes() {
    let (world, group, n, name) = outsider();
    odd(&world, |odd| odd.refused_members = vec![name]);
    world.tenant.add_member(&group, &world.tenant.user_ids()[n]);
    hints(
        &world,
        "look at this user at the target, and at what it takes for a member",
    );
    odd(&world, |odd| odd.refused_members.clear());
    goes_on(&world);
    assert!(is_in(&world, &group, n));
}

#[test]
fn a_member_who_is_gone_is_made_anew_by_resync() {
    let (world, group, n, name) = outsider();
    odd(&world, |odd| {
        odd.refused_members = vec![name.clone()];
        odd.members_refused_with = Some(404);
    });
    world.tenant.add_member(&group, &world.tenant.user_ids()[n]);
    hints(
        &world,
        "see whether this user is still at the target: `melonsync resync --user` of it looks",
    );
    let id = id_of(&resource(&world, n));
    assert!(world.workspace.remove_user(&id));
    odd(&world, |odd| odd.refused_members.clear());
    world.run(&["resync", "--user", &name]);
    assert_ne!(id_of(&resource(&world, n)), id);
    goes_on(&world);
    assert!(is_in(&world, &group, n));
}

#[test]
fn a_member_who_is_not_let_go_is_taken_out_by_hand() {
    let (world, group, n, name) = outsider();
    let user = world.tenant.user_ids()[n].clone();
    world.tenant.add_member(&group, &user);
    world.run(&["sync"]).exits(0);
    odd(&world, |odd| odd.kept_members = vec![name]);
    world.tenant.remove_member(&group, &user);
    hints(&world, "take this member out at the target by hand, or: ");
    let held = world.workspace.groups_by_external_id(&group)[0].clone();
    let gone = resource(&world, n)["id"].clone();
    let mut members = held["members"].as_array().cloned().unwrap();
    members.retain(|member| member["value"] != gone);
    assert!(
        world
            .workspace
            .edit_group(&id_of(&held), json!({"members": members}))
    );
    goes_on(&world);
    assert!(!is_in(&world, &group, n));
}

#[test]
fn a_disable_that_is_not_carried_out_is_reported_and_goes_when_it_is_mended() {
    let world = World::new(3, 1);
    world.converges();
    odd(&world, |odd| odd.frozen = vec!["active".to_owned()]);
    let id = world.tenant.user_ids()[0].clone();
    world.tenant.disable_user(&id);
    hints(
        &world,
        "report this to the target's maker: the request was answered as if it had been carried out",
    );
    odd(&world, |odd| odd.frozen.clear());
    goes_on(&world);
    assert_eq!(resource(&world, 0)["active"], false);
}

#[test]
fn a_target_that_replaces_all_members_where_one_comes_is_written_by_put() {
    let (world, group, n, _) = outsider();
    odd(&world, |odd| odd.add_replaces_members = true);
    world.tenant.add_member(&group, &world.tenant.user_ids()[n]);
    let said = world.run(&["sync", "-o", "json"]);
    world.tenant.add_member(&group, &world.tenant.user_ids()[n + 1]);
    let more = world.run(&["sync", "-o", "json"]);
    let all = format!("{}{}{}{}", said.out, said.err, more.out, more.err);
    assert!(
        all.contains("set dialect = { update = \\\"put\\\" } under the job's [target]"),
        "{all}"
    );
    world.change(KIND, &format!("{KIND}\ndialect = {{ update = \"put\" }}"));
    goes_on(&world);
    assert!(is_in(&world, &group, n));
    assert!(is_in(&world, &group, n + 1), "nobody is lost by it");
}

#[test]
fn a_group_that_cannot_be_written_whole_shows_its_members_or_takes_patch() {
    for way in ["shows", "takes"] {
        let world = World::new(6, 1);
        odd(&world, |odd| {
            (odd.no_patch, odd.members_omitted) = (way == "shows", true)
        });
        world.run(&["sync"]);
        let group = world.tenant.group_ids()[0].clone();
        // One whose announcement was right, and one whose is not: that is kept for a day.
        odd(&world, |odd| odd.no_patch = true);
        world.tenant.set_group(&group, json!({"displayName": "Renamed"}));
        hints(
            &world,
            "have the target take PATCH for groups, or show their members; dialect = { update = \\\"patch\\\" }",
        );
        let before = world.workspace.groups_by_external_id(&group)[0]["members"].clone();
        if way == "shows" {
            odd(&world, |odd| odd.members_omitted = false);
        } else {
            odd(&world, |odd| odd.no_patch = false);
            world.change(KIND, &format!("{KIND}\ndialect = {{ update = \"patch\" }}"));
        }
        goes_on(&world);
        let held = world.workspace.groups_by_external_id(&group)[0].clone();
        assert_eq!(
            (&held["displayName"], &held["members"]),
            (&json!("Renamed"), &before),
            "{way}"
        );
    }
}

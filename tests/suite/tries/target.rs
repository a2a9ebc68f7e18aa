//! What a target answers, status by status, and what the hint says to do about it.

use std::fs;

use serde_json::Value;
use serde_json::json;

use super::front::Front;
use crate::cli_output::world::World;

const LATER: &str = "retry-after: 3600\r\n";
/// Whatever writes has a body of this kind.
const WRITES: &str = "content-type: application/";
const KIND: &str = "kind  = \"idmelon\"";

/// A world in sync, behind a front.
fn in_sync() -> (World, Front) {
    let world = World::new(3, 1);
    let front = Front::of(&world.scim.url);
    world.change(&world.scim.url, &front.url);
    world.run(&["sync"]).exits(0);
    (world, front)
}

fn title(world: &World, n: usize) -> Value {
    let id = &world.tenant.user_ids()[n];
    world.workspace.users_by_external_id(id)[0]["title"].clone()
}

fn retitle(world: &World, n: usize, title: &str) {
    let id = &world.tenant.user_ids()[n];
    world.tenant.set_user(id, json!({"jobTitle": title}));
}

/// What comes after a refusal that somebody put right at the target.
#[track_caller]
fn goes_on(world: &World) {
    world.run(&["escrow", "retry"]);
    world.run(&["sync"]).exits(0);
}

#[test]
fn each_status_says_what_to_do_and_what_is_put_right_at_the_target_goes_on() {
    let (world, front) = in_sync();
    let cases: &[(u16, &str, &[&str])] = &[
        (
            400,
            "",
            &["the target does not take this value or form: look at the detail, then at the mapping row"],
        ),
        (402, "", &["see the detail; the target's own log may show more"]),
        (
            403,
            "",
            &["the token may not do this: give it the right to write users and groups"],
        ),
        (
            404,
            "",
            &["the resource exists, but something that the request refers to does not"],
        ),
        (
            412,
            "",
            &["the target wants a version check that it does not announce: ask its maker"],
        ),
        (428, "", &["the target wants a version check"]),
        (422, "", &["the target does not take this value or form"]),
        (
            429,
            LATER,
            &["the target asks to slow down: lower `max_concurrency`, or wait"],
        ),
        (
            500,
            LATER,
            &["the target is in trouble: look at its own status page or log"],
        ),
        (
            503,
            LATER,
            &["the target is busy or in maintenance; the next cycle goes on"],
        ),
    ];
    let mut wrong = Vec::new();
    for (status, headers, hints) in cases {
        let new = format!("Title {status}");
        retitle(&world, 0, &new);
        retitle(&world, 2, &new);
        front.answers(&[WRITES], *status, headers, r#"{"detail": "not now"}"#);
        let ran = world.run(&["sync", "-o", "json"]);
        let said = format!("{}{}", ran.out, ran.err);
        for hint in *hints {
            if ran.code == Some(0) || !said.contains(hint) {
                wrong.push(format!("{status}: no \"{hint}\" in {ran:?}"));
            }
        }
        front.passes();
        goes_on(&world);
        assert_eq!((title(&world, 0), title(&world, 2)), (json!(new), json!(new)));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_address_that_redirects_is_replaced_by_the_one_that_it_leads_to() {
    let world = World::new(3, 1);
    let front = Front::of(&world.scim.url);
    let to = format!("location: {}/api/scim/v2/Users\r\n", world.scim.url);
    front.answers(&["/api/scim/v2"], 302, &to, "");
    world.change(&world.scim.url, &front.url);
    let said = world.run(&["sync"]).exits(1).err;
    let hint = "the target points elsewhere: set `url` to the SCIM base URL itself";
    assert!(said.contains(hint), "{said}");
    world.write(&world.config());
    world.converges();
}

#[test]
fn an_answer_that_is_no_scim_comes_from_another_address() {
    let world = World::new(3, 1);
    let front = Front::of(&world.scim.url);
    front.answers(&["/api/scim/v2"], 200, "", r#"{"hello": "world"}"#);
    world.change(&world.scim.url, &front.url);
    let said = world.run(&["sync"]).exits(1).err;
    assert!(said.contains("check that `url` is the SCIM base URL"), "{said}");
    world.write(&world.config());
    world.converges();
}

/// The preset without the row of this target.
fn without(row: &str) -> String {
    let preset = include_str!("../../../config/mappings/idmelon.toml");
    let parts = preset.split_inclusive("\n\n");
    let kept: String = parts
        .filter(|part| {
            !part.contains(&format!("target   = \"{row}\"")) && !part.contains(&format!("target = \"{row}\""))
        })
        .collect();
    assert_ne!(kept, preset, "no row {row}");
    kept
}

#[test]
fn a_value_that_is_not_taken_goes_with_its_mapping_row() {
    let world = World::new(3, 1);
    let front = Front::of(&world.scim.url);
    world.change(&world.scim.url, &front.url);
    front.answers(&[WRITES, "\"title\""], 400, "", r#"{"detail": "no"}"#);
    let said = world.run(&["sync", "-o", "json"]).exits(3).out;
    assert!(said.contains("then at the mapping row that it names"), "{said}");
    fs::write(world.path("own.toml"), without("title")).unwrap();
    let config = fs::read_to_string(world.path("melonsync.toml")).unwrap();
    world.write(&format!(
        "{config}\n[jobs.idmelon.provisioning]\nmapping = \"own.toml\"\n"
    ));
    goes_on(&world);
    world.has_everybody_once();
}

#[test]
fn a_body_that_is_too_large_gets_smaller_in_entra() {
    let (world, front) = in_sync();
    let long = "Captain ".repeat(12);
    retitle(&world, 0, long.trim());
    front.answers(&[WRITES, long.trim()], 413, "", "");
    let said = world.run(&["sync", "-o", "json"]).exits(3).out;
    let hint = "the target takes smaller bodies only: shorten this object's longest value in Entra";
    assert!(said.contains(hint), "{said}");
    retitle(&world, 0, "Captain");
    world.run(&["sync"]).exits(0);
    assert_eq!(title(&world, 0), "Captain");
}

#[test]
fn a_request_that_is_not_supported_goes_in_another_form_of_the_dialect() {
    let (world, front) = in_sync();
    let config = fs::read_to_string(world.path("melonsync.toml")).unwrap();
    let speak = |dialect: &str| world.write(&config.replace(KIND, &format!("{KIND}\ndialect = {dialect}")));
    for (n, status) in [405, 501].into_iter().enumerate() {
        let new = format!("Title {n}");
        speak("{ update = \"patch\" }");
        retitle(&world, 0, &new);
        front.answers(&["PATCH "], status, "", "");
        let said = world.run(&["sync", "-o", "json"]).exits(3).out;
        let hint = "the target does not support this request: look at `dialect` for another form";
        assert!(said.contains(hint), "{status}: {said}");
        speak("{ update = \"put\" }");
        goes_on(&world);
        assert_eq!(title(&world, 0), new.as_str());
        front.passes();
    }
}

#[test]
fn a_media_type_that_is_not_taken_is_another_one() {
    let (world, _front) = in_sync();
    let config = fs::read_to_string(world.path("melonsync.toml")).unwrap();
    let speak = |dialect: &str| world.write(&config.replace(KIND, &format!("{KIND}\ndialect = {dialect}")));
    world
        .workspace
        .update_faults(|faults| faults.odd.plain_json_only = true);
    speak("{ media_type = \"scim\" }");
    retitle(&world, 0, "Captain");
    let said = world.run(&["sync", "-o", "json"]).exits(3).out;
    let hint = "the target does not take this media type: `media_type` under the target's `dialect`";
    assert!(said.contains(hint), "{said}");
    speak("{ media_type = \"json\" }");
    goes_on(&world);
    assert_eq!(title(&world, 0), "Captain");
}

#[test]
fn a_record_that_breaks_among_others_is_tried_again_by_escrow_retry() {
    let (world, _front) = in_sync();
    let name = title_of(&world, 0);
    world
        .workspace
        .update_faults(|faults| faults.odd.broken_records = vec![name.clone()]);
    retitle(&world, 0, "Captain");
    retitle(&world, 2, "Captain");
    let said = world.run(&["sync", "-o", "json"]).exits(3).out;
    let hint = "others are answered well, so it is this record: look for ";
    assert!(said.contains(hint), "{said}");
    world
        .workspace
        .update_faults(|faults| faults.odd.broken_records.clear());
    world.run(&["escrow", "retry"]).exits(0);
    world.run(&["sync"]).exits(0);
    assert_eq!(title(&world, 0), "Captain");
}

fn title_of(world: &World, n: usize) -> String {
    let id = &world.tenant.user_ids()[n];
    let held = world.workspace.users_by_external_id(id);
    held[0]["userName"].as_str().unwrap().to_owned()
}

#[test]
fn what_is_not_sent_in_a_pause_goes_in_a_later_cycle() {
    let (world, front) = in_sync();
    let config = fs::read_to_string(world.path("melonsync.toml")).unwrap();
    world.write(&config.replace(KIND, &format!("{KIND}\nmax_concurrency = 1")));
    front.answers(&[WRITES], 429, LATER, "");
    for n in [0, 2] {
        retitle(&world, n, "Captain");
    }
    let said = world.run(&["sync", "-o", "json"]).exits(3).out;
    assert!(said.contains("nothing to do: a later cycle goes on"), "{said}");
    front.passes();
    world.run(&["sync"]).exits(0);
    assert_eq!(
        (title(&world, 0), title(&world, 2)),
        (json!("Captain"), json!("Captain"))
    );
}

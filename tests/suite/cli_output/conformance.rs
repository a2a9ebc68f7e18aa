//! What scripts rely on: members of the JSON documents, exit codes, variables over keys, refused arguments.

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use super::world::World;
use super::world::finished;

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[track_caller]
fn has_exactly(value: &Value, names: &str) {
    assert_eq!(keys(value), names.split_whitespace().collect(), "{value}");
}

/// The fields that every summary has.
fn is_summary(document: &Value, more: &str) {
    let names = "job cycle mode kind outcome started duration_ms source operations target skipped failed withheld held \
                 escrow escrowed drift pending not_kept findings";
    has_exactly(document, &format!("{names} {more}"));
    has_exactly(&document["source"], "users_read groups_read requests throttled");
    has_exactly(
        &document["operations"],
        "create_user update_user disable_user enable_user delete_user create_group update_group delete_group add_member \
         remove_member link_user link_group write_back_user add_enrolled remove_enrolled",
    );
    has_exactly(&document["target"], "requests throttled retries");
    has_exactly(
        &document["skipped"],
        "out_of_scope unchanged disabled_at_source reference_out_of_scope",
    );
    has_exactly(&document["withheld"], "count by_reason");
    has_exactly(
        &document["drift"],
        "missing orphaned modified membership unmanaged",
    );
}

#[test]
fn plan_and_sync_print_one_document_each_and_agree() {
    let world = World::new(40, 5);
    let plan = world
        .run(&["plan", "-o", "json", "--detailed-exitcode"])
        .exits(10)
        .json();
    is_summary(&plan, "plan omitted");
    assert_eq!(
        (&plan["outcome"], &plan["mode"]),
        (&json!("planned"), &json!("enforce"))
    );
    for entry in plan["plan"].as_array().unwrap() {
        has_exactly(
            entry,
            "operation object kind name target because reason reasons changes",
        );
        for change in entry["changes"].as_array().unwrap() {
            // A member and a manager are referred to by id, with the name beside it where that is known.
            let referred = change["attribute"] == "members" || change.get("name").is_some();
            let name = if referred { "name" } else { "" };
            has_exactly(change, &format!("attribute before after reason {name}"));
        }
    }
    for entry in plan["omitted"].as_array().unwrap() {
        assert!(entry["because"].is_string(), "{entry}");
    }
    assert_eq!(world.workspace.writes(), 0, "a plan writes nothing");
    let sync = world.run(&["sync", "-o", "json"]).exits(0).json();
    is_summary(&sync, "");
    assert_eq!(
        sync["operations"], plan["operations"],
        "sync does what plan showed"
    );
    let again = world
        .run(&["plan", "-o", "json", "--detailed-exitcode"])
        .exits(0)
        .json();
    assert_eq!(again["plan"], json!([]));
}

#[test]
fn failed_entry_is_exit_3_with_object_and_hint() {
    let world = World::new(8, 1);
    let id = world.tenant.user_ids()[0].clone();
    let name = world.tenant.user(&id).unwrap()["userPrincipalName"]
        .as_str()
        .unwrap()
        .to_owned();
    world
        .workspace
        .update_faults(|faults| faults.refuse_user_names = vec![name]);
    let summary = world.run(&["sync", "-o", "json"]).exits(3).json();
    assert_eq!(summary["outcome"], "partial");
    let failed = &summary["failed"][0];
    has_exactly(failed, "object operation error hint kind name reason");
    assert_eq!(
        (&failed["object"], &failed["operation"]),
        (&json!(id), &json!("create_user"))
    );
    world
        .workspace
        .update_faults(|faults| faults.refuse_user_names.clear());
    // It waits in escrow, until somebody says otherwise.
    world.run(&["sync"]).exits(3);
    let entry = |action: &[&str]| {
        let shown = world
            .run(&[&["escrow", "-o", "json"], action].concat())
            .exits(0)
            .json();
        shown["entries"][0].clone()
    };
    let listed = entry(&["list"]);
    assert_eq!(
        (&listed["object"], &listed["failures"], &listed["due"]),
        (&json!(id), &json!(1), &json!(false))
    );
    entry(&["drop", &id]);
    assert_eq!(entry(&["list"])["next_try"], json!(null));
    world.run(&["escrow", "retry", "nobody@corp.example"]).exits(2);
    entry(&["retry", &id]);
    world.converges();
    assert_eq!(entry(&["list"]), json!(null));
}

#[test]
fn guard_withholds_with_exit_4_and_an_allowance_lets_through() {
    let world = World::new(60, 1);
    world.converges();
    for id in world.tenant.user_ids().iter().take(20) {
        world.tenant.disable_user(id);
    }
    let summary = world.run(&["sync", "-o", "json"]).exits(4).json();
    assert_eq!(summary["outcome"], "withheld");
    let count = summary["withheld"]["count"].as_u64().unwrap();
    assert!(count > 5, "{summary}");
    let text = world.run(&["sync"]).exits(4).out;
    assert!(text.contains(&format!("--allow-deletions {count}")), "{text}");
    world
        .run(&["sync", "--allow-deletions", &(count - 1).to_string()])
        .exits(4);
    let summary = world.run(&["sync", "-o", "json", "--allow-deletions", &count.to_string()]);
    assert_eq!(
        summary.exits(0).json()["operations"]["disable_user"],
        json!(count)
    );
}

#[test]
fn observe_writes_nothing() {
    let world = World::new(8, 1);
    let mode = ("MELONSYNC__JOBS__IDMELON__MODE", "observe");
    let summary = world
        .run_with(mode.0, mode.1, &["sync", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(
        (&summary["outcome"], &summary["mode"]),
        (&json!("planned"), &json!("observe"))
    );
    assert_eq!(world.workspace.writes(), 0);
}

#[test]
fn a_failure_is_one_document_too() {
    let world = World::new(4, 1);
    world.change("mode = \"enforce\"", "mood = \"enforce\"");
    let ran = world.run(&["plan", "-o", "json"]).exits(2);
    let document = ran.json();
    has_exactly(&document, "exit_code errors");
    has_exactly(&document["errors"][0], "error where cause do");
    assert!(ran.err.contains("unknown key"), "{}", ran.err);
}

#[test]
fn second_process_is_told_who_holds_the_state() {
    let world = World::new(6, 1);
    let mut holder = world.start(&["run"]);
    let pid = holder.id().to_string();
    let lock = world.path("state/lock");
    let held = || std::fs::read_to_string(&lock).is_ok_and(|text| text.lines().next() == Some(pid.as_str()));
    for _ in 0..500 {
        if held() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    // What works beside a daemon asks it; what replaces the store's files cannot.
    let import = &["state", "import", "--from", "melonsync.toml"];
    for verb in [&["state", "compact"] as &[&str], import] {
        let ran = world.run(verb).exits(5);
        assert!(ran.err.contains(&pid), "{}", ran.err);
        assert!(ran.err.contains("(daemon since "), "{}", ran.err);
    }
    let checked = world.run(&["check"]).exits(0);
    assert!(checked.out.contains("ok    state"), "{}", checked.out);
    holder.kill().unwrap();
    finished(holder);
    world.converges();
}

#[test]
fn wrong_arguments_are_exit_2() {
    let world = World::new(4, 1);
    for args in [
        &["resync"][..],
        &["resync", "idmelon"],
        &["resync", "--all", "--restart"],
        &["sync", "nobody"],
        &["sync", "--frobnicate"],
        &["state", "verify"],
        &["resync", "--user", "nobody@corp.example"],
    ] {
        let ran = world.run(args).exits(2);
        assert!(ran.err.contains("error:"), "{args:?}: {}", ran.err);
    }
    let ran = world
        .run(&["resync", "--user", "nobody@corp.example", "idmelon"])
        .exits(2);
    assert!(ran.err.contains("no user `nobody@corp.example`"), "{}", ran.err);
}

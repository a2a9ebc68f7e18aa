//! Rules that are tried on a page, and the page that says how a job does.

use super::pages::ended;
use super::pages::read;
use super::world::Door;
use super::world::OPERATOR;
use super::world::VIEWER;
use crate::wiring::stage::until;

#[test]
fn rules_are_tried_on_a_page_and_leave_no_trace() {
    let door = Door::new();
    let world = &door.daemon.world;
    world.run(&["sync"]).exits(0);
    let path = "/jobs/idmelon/what-if";
    let session = door.login(OPERATOR);
    let history = || world.run(&["history", "-o", "json"]).exits(0).out;
    let before = history();
    let page = door.ask("GET", path, &session, None).is(200).body;
    assert!(
        page.contains("name=\"user_filter\"") && page.contains("[[user]]"),
        "{page}"
    );
    let filter = "user_filter=userPrincipalName+EQUALS+%22nobody%22&full=1";
    let asked = door.form(path, &session, filter).is(303);
    let page = ended(&door, &session, &asked, "What was tried");
    let text = read(&page);
    for said in [
        "Nothing of it is in force",
        "[jobs.idmelon.source]",
        "user_filter =",
        "disable user",
        "Beside the rules in force",
        "only with this: ",
        "users to disable",
        "the guard would hold",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    // What is shown is in the document too.
    let (_, to) = asked.head.split_once("/cycles/").expect(&asked.head);
    let cycle = to.lines().next().unwrap().trim();
    let state = door.get(&format!("/api/v1/cycles/{cycle}")).is(200).json();
    let contrast = &state["contrast"];
    let operations = contrast["operations"].as_array().unwrap();
    let disabled = operations
        .iter()
        .find(|one| one["operation"] == "disable_user")
        .unwrap();
    assert!(disabled["added"]["count"].as_u64() > Some(0), "{contrast}");
    assert_eq!(disabled["same"], 0, "{contrast}");
    // As it is: nothing is tried, and nothing planned.
    let asked = door.form(path, &session, "user_filter=&policy=&mapping=").is(303);
    let page = ended(&door, &session, &asked, "What was tried");
    assert!(read(&page).contains("Nothing was changed"), "{page}");
    assert!(read(&page).contains("The next cycle would do the same"), "{page}");
    for (wrong, said) in [
        ("user_filter=department+EQUAL+%22IT%22", "user_filter"),
        ("policy=deletion_threshold+%3D", "the policy is no TOML"),
        (
            "policy=mapping+%3D+%22%2Fetc%2Fpasswd%22",
            "a preview takes no mapping",
        ),
        ("policy=url+%3D+%22http%3A%2F%2Fcanary%22", "url"),
        ("mapping=%5B%5Buser%5D%5D%0D%0Atarget+%3D+1", "mapping"),
    ] {
        let page = door.form(path, &session, wrong).is(200).body;
        let text = read(&page).replace('`', "");
        assert!(
            page.contains("note bad") && text.contains(said),
            "{wrong}: {text}"
        );
    }
    // What was written stays in the form.
    let page = door
        .form(path, &session, "policy=deletion_threshold+%3D")
        .is(200)
        .body;
    assert!(page.contains("deletion_threshold =</textarea>"), "{page}");
    // What the hint says: a key a line.
    let asked = door
        .form(path, &session, "policy=deletion_threshold+%3D+5")
        .is(303);
    ended(&door, &session, &asked, "deletion_threshold = 5");
    assert_eq!(history(), before);
    let viewer = door.login(VIEWER);
    door.form(path, &viewer, filter).is(403);
    assert!(
        !door
            .ask("GET", path, &viewer, None)
            .is(200)
            .body
            .contains("<button>Preview")
    );
}

#[test]
fn the_page_of_a_job_s_health_says_what_needs_a_person_and_tests_the_connection() {
    let door = Door::new();
    let world = &door.daemon.world;
    world.run(&["sync"]).exits(0);
    let session = door.login(VIEWER);
    let page = |path: &str| {
        let page = door.ask("GET", path, &session, None).is(200).body;
        read(&page).replace('`', "")
    };
    let text = page("/jobs/idmelon/health");
    for said in [
        "in step",
        "Last good cycle",
        "Nobody: the settings have no [[notify]]",
        "Test it now",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    let document = door.get("/api/v1/jobs/idmelon/health").is(200).json();
    assert_eq!(document["status"]["verdict"]["exit_code"], 0, "{document}");
    assert!(document["last_good_cycle"]["cycle"].is_string(), "{document}");
    assert!(
        text.contains(document["config"]["fingerprint"].as_str().unwrap()),
        "{text}"
    );
    assert!(text.contains(document["version"].as_str().unwrap()), "{text}");
    let sides = document["sides"].as_array().unwrap();
    assert!(
        sides.len() == 2 && sides.iter().all(|side| side["requests"].as_u64() > Some(0)),
        "{document}"
    );
    let checked = page("/jobs/idmelon/health?check=true");
    let lines = door.get("/api/v1/jobs/idmelon/check").is(200).json();
    for line in lines["checks"].as_array().unwrap() {
        assert!(
            checked.contains(line["what"].as_str().unwrap()),
            "{line}: {checked}"
        );
    }
    // Somebody is told.
    let config = std::fs::read_to_string(world.path("melonsync.toml")).unwrap();
    world.write(&format!(
        "[[notify]]\non = [\"quarantine\"]\ncommand = [\"/bin/false\"]\n\n{config}"
    ));
    door.reload();
    until("the receiver is shown", || {
        page("/jobs/idmelon/health").contains("receiver 1 (command /bin/false)")
    });
}

//! Pages: each shows what the document beside it says, as plain text of people, whatever they are called.

use melonsync::sandbox::SampleOptions;
use melonsync::sandbox::Tenant;
use serde_json::Value;
use serde_json::json;

use super::world::APPROVER;
use super::world::Door;
use super::world::VIEWER;
use super::world::admin;
use super::world::bearer;
use super::world::free_port;
use super::world::tokens;
use super::world::world_with;
use crate::cli_output::world::World;
use crate::daemon::http::Answer;
use crate::daemon::world::Daemon;
use crate::daemon::world::SELDOM;
use crate::wiring::stage::until;

/// What a name may be made of: it must show, and do nothing.
const ATTACK: &str = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u{202e}\u{1b}[2J\u{200b}";

/// A world in which there is something to see of everything: somebody withheld, on hold, in escrow and drifted; and everybody
/// named as an attack, where that is asked for.
pub fn eventful(attack: &str) -> (Door, Vec<String>) {
    let world = World::of(Tenant::sample_with(SampleOptions {
        users: 12,
        groups: 1,
        plain: true,
        ..SampleOptions::default()
    }));
    let ids = world.tenant.user_ids();
    for (at, id) in ids.iter().enumerate().filter(|_| !attack.is_empty()) {
        world.tenant.set_user(
            id,
            json!({"displayName": format!("Name {at}{attack}"), "jobTitle": attack}),
        );
    }
    let port = free_port();
    tokens(&world);
    let config = world
        .config()
        .replace("mode = \"enforce\"", &format!("mode = \"enforce\"\n{SELDOM}"));
    let policy = "\n[jobs.idmelon.provisioning]\ndeletion_threshold = 1\n";
    world.write(&format!("{}\n{config}{policy}", admin(port, "")));
    world.converges();
    for id in &ids[..4] {
        world.tenant.disable_user(id);
    }
    let refused = world.tenant.user(&ids[8]).unwrap()["userPrincipalName"].clone();
    let refused = refused.as_str().unwrap().to_owned();
    world
        .workspace
        .update_faults(|faults| faults.refuse_user_names = vec![refused]);
    world
        .tenant
        .set_user(&ids[8], json!({"department": format!("Elsewhere{attack}")}));
    world.run(&["sync"]);
    world
        .run(&["hold", &ids[9], "--comment", &format!("leave it{attack}")])
        .exits(0);
    let resource = world.workspace.users_by_external_id(&ids[10])[0]["id"].clone();
    world.workspace.edit_user(
        resource.as_str().unwrap(),
        json!({"title": format!("Changed by hand{attack}")}),
    );
    world.run(&["drift", "--refresh"]);
    let daemon = Daemon::over(world);
    (Door { daemon, port }, ids)
}

/// The text of a page, as it is read: without its tags.
pub fn read(page: &str) -> String {
    let mut text = String::new();
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        text.push_str(&rest[..at]);
        rest = rest[at..].split_once('>').map_or("", |(_, rest)| rest);
    }
    text.push_str(rest);
    let text = text.replace('\u{2009}', "");
    ["38:&", "60:<", "62:>", "34:\"", "39:'"]
        .iter()
        .fold(text, |text, pair| {
            let (code, sign) = pair.split_once(':').unwrap();
            text.replace(&format!("&#{code};"), sign)
        })
}

/// The address of the document beside a page.
fn beside(page: &str) -> String {
    let (_, rest) = page
        .split_once("rel=\"alternate\" type=\"application/json\" href=\"")
        .expect(page);
    rest.split('"')
        .next()
        .unwrap()
        .replace("&#38;", "&")
        .replace("&amp;", "&")
}

/// Every value that stands under one of these keys.
fn values<'d>(document: &'d Value, keys: &[&str], found: &mut Vec<&'d Value>) {
    match document {
        Value::Object(members) => {
            for (key, value) in members {
                if keys.contains(&key.as_str()) {
                    found.push(value);
                }
                values(value, keys, found);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| values(item, keys, found)),
        _ => {}
    }
}

/// A text with its moments as pages have them.
fn to_the_second(text: &str) -> String {
    let words = text.split(' ').map(|word| {
        let (moment, sign) = word.split_at(word.trim_end_matches([',', ':', ';', '.']).len());
        match chrono::DateTime::parse_from_rfc3339(moment) {
            Ok(at) => format!("{}{sign}", at.format("%Y-%m-%d %H:%M:%S")),
            Err(_) => word.to_owned(),
        }
    });
    words.collect::<Vec<String>>().join(" ")
}

#[track_caller]
fn says_what_its_document_says(door: &Door, page: &str, keys: &[&str]) {
    let session = door.login(VIEWER);
    // What the login says stands on the first page.
    door.ask("GET", "/", &session, None).is(200);
    let shown = door.ask("GET", page, &session, None).is(200).body;
    let document = door.ask("GET", &beside(&shown), &session, None).is(200).json();
    // What stands between backticks is code in a page.
    let text = read(&shown).replace('`', "");
    let mut found = Vec::new();
    values(&document, keys, &mut found);
    assert!(found.len() >= keys.len(), "{page}: {found:?} in {document}");
    for value in found {
        let one = match value {
            Value::String(one) => one.replace('`', ""),
            Value::Number(one) => one.to_string(),
            _ => continue,
        };
        let one = to_the_second(&one);
        let is_there = text.contains(&one) || text.contains(&one.replace('_', " "));
        assert!(is_there, "{page} does not say `{one}`:\n{text}");
    }
}

#[test]
fn every_page_says_what_the_document_beside_it_says() {
    let (door, ids) = eventful("");
    let job = "/jobs/idmelon";
    for (page, keys) in [
        (
            job.to_owned(),
            vec!["time", "kind", "outcome", "started", "operations", "lag_seconds"],
        ),
        (
            format!("{job}/health"),
            vec!["version", "store", "side", "fingerprint", "mode"],
        ),
        (format!("{job}/cycles/last"), vec!["outcome"]),
        (
            "/".to_owned(),
            vec!["job", "mode", "escrow", "holds", "linked_users", "groups"],
        ),
        (format!("{job}/objects?state=linked"), vec!["name", "target"]),
        (format!("{job}/objects?kind=group"), vec!["name"]),
        (
            format!("{job}/objects/{}", ids[10]),
            vec![
                "name",
                "object",
                "because",
                "attribute",
                "expression",
                "actor",
                "time",
            ],
        ),
        (
            format!("{job}/withheld"),
            vec!["count", "name", "because", "operation", "since"],
        ),
        (
            format!("{job}/drift"),
            vec!["name", "attribute", "held", "wanted", "read", "modified"],
        ),
        (
            format!("{job}/escrow"),
            vec!["name", "error", "hint", "since", "operation"],
        ),
        (
            format!("{job}/history?operation=hold"),
            vec!["seq", "time", "actor", "because", "name", "detail"],
        ),
        (
            format!("{job}/history?object={}", ids[10]),
            vec!["seq", "operation", "because"],
        ),
    ] {
        says_what_its_document_says(&door, &page, &keys);
    }
}

#[test]
fn names_that_are_attacks_are_shown_and_do_nothing() {
    let (door, ids) = eventful(ATTACK);
    let session = door.login(APPROVER);
    let job = "/jobs/idmelon";
    let mut shown = 0;
    for page in [
        "/".to_owned(),
        format!("{job}/objects"),
        format!("{job}/objects/{}", ids[0]),
        format!("{job}/objects/{}", ids[10]),
        job.to_owned(),
        format!("{job}/health?check=true"),
        format!("{job}/what-if"),
        format!("{job}/withheld"),
        format!("{job}/drift"),
        format!("{job}/escrow"),
        format!("{job}/history"),
        format!("{job}/history?actor=%3Cscript%3E%22%27"),
        format!("{job}/objects?query=%22%3E%3Cscript%3E"),
    ] {
        let body = door.ask("GET", &page, &session, None).is(200).body;
        let lower = body.to_lowercase();
        assert_eq!(
            lower.matches("<script").count(),
            lower.matches("<script src=\"/assets/").count(),
            "{page}: our own alone\n{body}"
        );
        assert!(
            !lower.contains("<img src=x") && !lower.contains("javascript:"),
            "{page}: {body}"
        );
        let unseen = |c: char| matches!(c, '\u{202e}' | '\u{1b}' | '\u{200b}');
        assert!(!body.contains(unseen), "{page}: {body}");
        shown += lower.matches("&#60;script&#62;").count();
    }
    assert!(shown > 20, "{shown}");
}

#[test]
fn a_release_is_about_what_was_shown_and_about_nothing_else() {
    let (door, ids) = eventful("");
    let session = door.login(APPROVER);
    let list = || {
        door.with_token(VIEWER, "GET", "/api/v1/jobs/idmelon/withheld", None)
            .is(200)
            .json()
    };
    let withheld = list();
    let count = withheld["withheld"].as_array().unwrap().len();
    assert!(count >= 3, "{withheld}");
    let id = |at: usize| withheld["withheld"][at]["id"].as_str().unwrap().to_owned();
    let release = "/jobs/idmelon/withheld/release";
    let page = || {
        door.ask("GET", "/jobs/idmelon/withheld", &session, None)
            .is(200)
            .body
    };
    page();
    for (fields, said) in [
        (String::new(), "nothing is chosen"),
        (format!("id={}&id={}", id(0), id(1)), "that number was not typed"),
        (
            format!("id={}&id={}&typed=3", id(0), id(1)),
            "that number was not typed",
        ),
        (
            format!("id={}", "f".repeat(32)),
            "not withheld any more as they were shown",
        ),
    ] {
        door.form(release, &session, &fields).is(303);
        let page = page();
        assert!(read(&page).contains(said), "{fields}: {page}");
        assert_eq!(list()["count"], withheld["count"], "{fields}");
    }
    door.form(release, &session, &format!("id={}&comment=they+left", id(0)))
        .is(303);
    assert!(read(&page()).contains("Released: one operation"));
    let two = format!("id={}&id={}&typed=2", id(1), id(2));
    door.form("/jobs/idmelon/withheld/reject", &session, &two).is(303);
    assert!(read(&page()).contains("Rejected: 2 operations"));
    let left = withheld["count"].as_u64().unwrap() - 3;
    assert_eq!(list()["count"], left);
    let holds = door
        .with_token(VIEWER, "GET", "/api/v1/jobs/idmelon/holds", None)
        .json();
    assert_eq!(holds["holds"].as_array().unwrap().len(), 3, "{holds}");
    let refused = door.ask(
        "POST",
        "/api/v1/jobs/idmelon/withheld/release",
        &bearer(APPROVER),
        Some(&json!({"all": true, "digest": withheld["digest"]})),
    );
    refused.problem(409);
    let digest = list()["digest"].clone();
    let body = json!({"all": true, "digest": digest});
    door.with_token(
        APPROVER,
        "POST",
        "/api/v1/jobs/idmelon/withheld/release",
        Some(&body),
    )
    .is(200);
    assert_eq!(ids.len(), 12);
}

#[test]
fn somebody_who_only_looks_sees_no_button() {
    let (door, ids) = eventful("");
    let session = door.login(VIEWER);
    for page in [
        "/".to_owned(),
        "/jobs/idmelon/withheld".to_owned(),
        "/jobs/idmelon/drift".to_owned(),
        "/jobs/idmelon/escrow".to_owned(),
        "/jobs/idmelon/health".to_owned(),
        "/jobs/idmelon/what-if".to_owned(),
        "/jobs/idmelon/cycles/last".to_owned(),
        format!("/jobs/idmelon/objects/{}", ids[10]),
    ] {
        let body = door.ask("GET", &page, &session, None).is(200).body;
        let posts: Vec<&str> = body
            .split("<form")
            .filter(|form| form.contains("method=\"post\""))
            .collect();
        assert_eq!(posts.len(), 1, "{page}: the logout alone, not {posts:?}");
    }
}

#[test]
fn what_drifted_is_healed_as_it_was_looked_at() {
    let (door, ids) = eventful("");
    let session = door.login(APPROVER);
    let page = || {
        door.ask("GET", "/jobs/idmelon/drift", &session, None)
            .is(200)
            .body
    };
    page();
    let digest = |page: &str| page.split("name=\"digest\" value=\"").nth(1).expect(page)[..32].to_owned();
    let seen = digest(&page());
    let resource = door.daemon.world.workspace.users_by_external_id(&ids[10])[0]["id"].clone();
    let edit = json!({"title": "Changed by hand again"});
    door.daemon
        .world
        .workspace
        .edit_user(resource.as_str().unwrap(), edit);
    door.daemon.world.run(&["drift", "--refresh"]);
    door.form("/jobs/idmelon/drift/heal", &session, &format!("digest={seen}"))
        .is(303);
    let shown = page();
    assert!(
        read(&shown).contains("not what was looked at any more"),
        "{shown}"
    );
    let fields = format!("digest={}", digest(&shown));
    door.form("/jobs/idmelon/drift/heal", &session, &fields).is(303);
    until("it is healed", || {
        read(&page()).contains("The target is as melonsync left it")
    });
}

/// The page that an order leads to, once what it is about has ended and this stands on it.
#[track_caller]
pub fn ended(door: &Door, session: &str, ordered: &Answer, said: &str) -> String {
    let head = ordered.head.to_lowercase();
    let (_, rest) = head.split_once("location: ").expect(&head);
    let to = rest.lines().next().unwrap().to_owned();
    let mut page = String::new();
    until(said, || {
        page = door.ask("GET", &to, session, None).is(200).body;
        read(&page).contains(said)
    });
    page
}

#[test]
fn a_cycle_is_taken_back_as_it_was_shown() {
    let door = Door::new();
    let world = &door.daemon.world;
    let session = door.login(APPROVER);
    let ids = world.tenant.user_ids();
    let title = |id: &str| world.workspace.users_by_external_id(id)[0]["title"].clone();
    world.run(&["sync"]).exits(0);
    let before = [title(&ids[0]), title(&ids[1])];
    for id in &ids[..2] {
        world.tenant.set_user(id, json!({"jobTitle": "Pilot"}));
    }
    world.run(&["sync"]).exits(0);
    assert_eq!([title(&ids[0]), title(&ids[1])], ["Pilot", "Pilot"]);
    let cycle = world.run(&["history", "cycles", "-o", "json"]).exits(0).json();
    let cycle = cycle["cycles"][0]["cycle"].as_str().unwrap().to_owned();
    let path = format!("/jobs/idmelon/cycles/{cycle}/undo");
    let page = door
        .ask("GET", "/jobs/idmelon/cycles/last", &session, None)
        .is(200)
        .body;
    assert!(page.contains(&format!("action=\"{path}/preview\"")), "{page}");
    let preview = || {
        let asked = door.form(&format!("{path}/preview"), &session, "").is(303);
        let page = ended(&door, &session, &asked, "Take these 2 back");
        let (_, id) = page.split_once("name=\"preview\" value=\"").expect(&page);
        assert!(read(&page).contains("Nothing of it was sent"), "{page}");
        assert!(
            read(&page).contains("\u{2192}"),
            "what changes, before and after: {page}"
        );
        id[..36].to_owned()
    };
    let shown = preview();
    // Without its number, and of a cycle that it was not shown of.
    door.form(&path, &session, &format!("preview={shown}")).is(303);
    let page = door.ask("GET", "/", &session, None).is(200).body;
    assert!(read(&page).contains("that number was not typed"), "{page}");
    door.form(&path, &session, "preview=0192&typed=2").is(303);
    let page = door.ask("GET", "/", &session, None).is(200).body;
    assert!(read(&page).contains("is not kept as it was shown"), "{page}");
    // Something else by now.
    world.run(&["hold", &ids[1]]).exits(0);
    let asked = door
        .form(&path, &session, &format!("preview={shown}&typed=2"))
        .is(303);
    ended(&door, &session, &asked, "by now, not 2: nothing was done");
    assert_eq!(title(&ids[0]), "Pilot");
    world.run(&["hold", "release", &ids[1]]).exits(0);
    let fields = format!("preview={}&typed=2&comment=by+mistake", preview());
    let asked = door.form(&path, &session, &fields).is(303);
    ended(&door, &session, &asked, "converged after");
    assert_eq!([title(&ids[0]), title(&ids[1])], before);
    let history = world
        .run(&["history", "--operation", "undo", "-o", "json"])
        .exits(0);
    assert!(history.out.contains("by mistake"), "{}", history.out);
}

#[test]
fn an_undo_is_refused_where_it_is_about_another_number() {
    let (world, port) = world_with("");
    world.run(&["sync"]).exits(0);
    let refused = |world: &World| {
        let ran = world.run(&["undo", "last", "--expect", "77", "--yes"]).exits(2);
        assert!(ran.err.contains("by now, not 77: nothing was done"), "{ran:?}");
    };
    refused(&world);
    let door = Door {
        daemon: Daemon::over(world),
        port,
    };
    refused(&door.daemon.world);
    let path = "/api/v1/cycles/last/undo";
    let taken = door
        .with_token(APPROVER, "POST", path, Some(&json!({"expect": 77})))
        .is(202)
        .json();
    let path = format!("/api/v1/cycles/{}", taken["cycle"].as_str().unwrap());
    until("it is refused", || {
        door.get(&path).json()["problem"]["kind"] == "conflict"
    });
}

//! Secrets in every place where one can be, and everything asked: none stands in an answer, in the log, or in the state folder.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::world::APPROVER;
use super::world::Door;
use super::world::OPERATOR;
use super::world::VIEWER;
use super::world::bearer;
use crate::wiring::stage::until;

/// A secret that Entra refuses, and quotes.
const REFUSED: &str = "canary-Refused-0123456789abcdef";

/// Everything that the API answers, as documents and as words.
fn everything(door: &Door) -> String {
    let document = door.get("/api/v1/openapi.json").is(200);
    let paths = document.json()["paths"].clone();
    let person = door.daemon.world.tenant.user_ids()[0].clone();
    let mut said = document.body;
    for (path, item) in paths.as_object().unwrap() {
        if item["get"].is_null() || path == "/api/v1/events" {
            continue;
        }
        let path = path.replace("{job}", "idmelon").replace("{id}", &person);
        for accept in ["", "Accept: text/plain\r\n"] {
            let answer = door.ask("GET", &path, &format!("{}{accept}", bearer(VIEWER)), None);
            said += &format!("{answer:?}\n");
        }
    }
    said
}

fn files(folder: &Path, found: &mut Vec<u8>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.is_file() {
            found.extend(fs::read(&path).unwrap());
        }
    }
}

#[test]
fn no_secret_stands_in_an_answer_a_log_or_the_state() {
    let door = Door::new();
    let world = &door.daemon.world;
    let secrets = [
        VIEWER.to_owned(),
        OPERATOR.to_owned(),
        APPROVER.to_owned(),
        REFUSED.to_owned(),
        world.tenant.client_secret(),
        world.workspace.token(),
    ];
    let sync = "/api/v1/jobs/idmelon/sync";
    let streamed = format!("{}Accept: text/event-stream\r\n", bearer(APPROVER));
    let mut said = door
        .ask("POST", sync, &streamed, Some(&json!({"full": true})))
        .is(200)
        .body;
    said += &everything(&door);
    // A secret that is refused, with all that is said of it.
    fs::write(world.path("refused"), REFUSED).unwrap();
    let config = fs::read_to_string(world.path("melonsync.toml")).unwrap();
    let other = config.replacen("{ env = \"ENTRA_CLIENT_SECRET\" }", "{ file = \"refused\" }", 1);
    assert_ne!(config, other);
    world.write(&other);
    door.reload();
    until("the secret is refused", || {
        let answer = door.ask("POST", sync, &streamed, Some(&json!({}))).is(200).body;
        let refused = answer.contains("event: problem");
        said += &answer;
        refused
    });
    said += &everything(&door);
    for (path, token) in [("/api/v1/nothing", APPROVER), (sync, VIEWER)] {
        said += &format!("{:?}", door.with_token(token, "POST", path, Some(&json!({}))));
    }
    let Door { daemon, .. } = door;
    let mut kept = Vec::new();
    files(&daemon.world.path("state"), &mut kept);
    let ended = daemon.stopped().exits(0);
    said += &format!("{}{}", ended.out, ended.err);
    let kept = String::from_utf8_lossy(&kept).into_owned();
    for secret in secrets {
        assert!(!said.contains(&secret), "{secret} was said");
        assert!(!kept.contains(&secret), "{secret} is kept");
    }
}

//! `[[notify]]`. One receiver can be set by variables, too.

use super::stage::Stage;
use super::stage::until;
use crate::support::receiver::Receiver;

super::rows! {
    "notify.on", "notify.repeat" => on_and_repeat;
    "notify.url", "notify.format" => format;
    "notify.url.env", "notify.secret", "notify.secret.env" => signed;
    "notify.url.file", "notify.secret.file" => in_files;
    "notify.command" => command;
}

fn stage() -> Stage {
    Stage::new(1, 0)
}

/// The job cannot get a token, in a cycle each second: a state that lasts.
fn on_and_repeat() {
    let receiver = Receiver::new();
    let stage = stage()
        .with("jobs.idmelon.schedule", "* * * * * *")
        .with("jobs.idmelon.source.credential.client_secret", "not the secret")
        .with("notify.url", &receiver.url())
        .with("notify.on", "[\"quarantine\"]")
        .with("notify.repeat", "1s");
    let running = stage.start(&["run"]);
    until("it is told again", || receiver.received().len() >= 2);
    let told: Vec<_> = receiver.received().iter().map(|one| one.json()).collect();
    assert!(told.iter().all(|one| one["event"] == "quarantine"), "{told:#?}");
    assert_eq!(told[0]["state"], "begin");
    assert_eq!(told[1]["state"], "again");
    drop(running);
}

fn format() {
    let receiver = Receiver::new();
    let stage = stage()
        .with("notify.url", &receiver.url())
        .with("notify.format", "slack");
    stage.run(&["notify", "test"]).exits(0);
    let sent = receiver.received()[0].json();
    assert!(
        sent["text"].as_str().is_some_and(|text| text.contains("idmelon")),
        "{sent}"
    );
}

fn signed() {
    let receiver = Receiver::new();
    let stage = stage()
        .with("notify.url", "{ env = \"HOOK\" }")
        .with("notify.secret", "{ env = \"HOOK_KEY\" }");
    let mut command = stage.command(&["notify", "test"]);
    command
        .env("HOOK", receiver.url())
        .env("HOOK_KEY", "0123456789abcdef");
    crate::support::program::Running::start(&mut command)
        .finished()
        .exits(0);
    let told = receiver.received();
    assert!(
        told[0].head.contains("x-melonsync-signature: sha256="),
        "{told:?}"
    );
    assert_eq!(told[0].json()["test"], true);
}

fn in_files() {
    let receiver = Receiver::new();
    let stage = stage();
    std::fs::write(stage.world.path("hook"), receiver.url()).unwrap();
    std::fs::write(stage.world.path("key"), "0123456789abcdef").unwrap();
    let stage = stage
        .with("notify.url", "{ file = \"hook\" }")
        .with("notify.secret", "{ file = \"key\" }");
    stage.run(&["notify", "test"]).exits(0);
    assert!(
        receiver.received()[0]
            .head
            .contains("x-melonsync-signature: sha256=")
    );
}

fn command() {
    let stage = stage();
    let told = stage.world.path("told");
    let script = format!("cat > {}", told.display());
    let command = format!("[\"/bin/sh\", \"-c\", \"{script}\"]");
    let stage = stage.with("notify.command", &command);
    stage.run(&["notify", "test"]).exits(0);
    let body: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(&told).unwrap()).unwrap();
    assert_eq!(
        (&body["version"], &body["event"]),
        (&1.into(), &"withheld".into())
    );
}

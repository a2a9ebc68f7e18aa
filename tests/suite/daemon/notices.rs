//! People are told: once when a state begins, once when it ends; what fails is seen, and stops no cycle.

use serde_json::json;

use super::world::Daemon;
use super::world::SELDOM;
use crate::cli_output::world::World;
use crate::support::receiver::Receiver;
use crate::wiring::stage::until;

fn world(receiver: &Receiver, keys: &str) -> World {
    let world = World::new(12, 1);
    std::fs::write(world.path("hook"), receiver.url()).unwrap();
    let config = world.config();
    let notify = format!("[[notify]]\nurl = {{ file = \"hook\" }}\n{keys}\n\n[jobs.idmelon]");
    let config = config.replacen("[jobs.idmelon]", &notify, 1);
    world.write(&config.replace("mode = \"enforce\"", &format!("mode = \"enforce\"\n{SELDOM}")));
    world
}

#[test]
fn a_state_is_told_when_it_begins_and_when_it_ends() {
    let receiver = Receiver::new();
    let world = world(&receiver, "on = [\"withheld\"]");
    let sync = json!({});
    let daemon = Daemon::over(world);
    daemon.followed("/api/v1/jobs/idmelon/sync", &sync);
    for id in daemon.world.tenant.user_ids() {
        daemon.world.tenant.soft_delete_user(&id);
    }
    daemon.followed("/api/v1/jobs/idmelon/sync", &sync);
    until("the beginning is told", || receiver.received().len() == 1);
    daemon.followed("/api/v1/jobs/idmelon/sync", &sync);
    let released = json!({"all": true});
    daemon
        .post("/api/v1/jobs/idmelon/withheld/release", &released)
        .is(200);
    daemon.followed("/api/v1/jobs/idmelon/sync", &sync);
    until("the end is told", || receiver.received().len() == 2);
    let told: Vec<_> = receiver.received().iter().map(|one| one.json()).collect();
    assert_eq!(
        (&told[0]["event"], &told[0]["state"]),
        (&json!("withheld"), &json!("begin"))
    );
    assert!(
        told[0]["counts"]["disable_user"]
            .as_u64()
            .is_some_and(|number| number > 5),
        "{told:#?}"
    );
    assert_eq!(told[1]["state"], "end");
    assert_eq!(told[1]["since"], told[0]["since"]);
    for one in receiver.received() {
        assert!(!one.body.contains('@'), "no name of a person: {}", one.body);
    }
    daemon.stopped().exits(0);
}

/// The file of an address is read again when it changes, with the settings as they are.
#[test]
fn an_address_that_changes_in_its_file_is_used() {
    let (before, after) = (Receiver::new(), Receiver::new());
    let daemon = Daemon::over(world(&before, "on = [\"withheld\"]"));
    let sync = json!({});
    daemon.followed("/api/v1/jobs/idmelon/sync", &sync);
    std::fs::write(daemon.world.path("hook"), format!("{}\n", after.url())).unwrap();
    // Files are looked at every ten seconds.
    std::thread::sleep(std::time::Duration::from_secs(12));
    for id in daemon.world.tenant.user_ids() {
        daemon.world.tenant.soft_delete_user(&id);
    }
    daemon.followed("/api/v1/jobs/idmelon/sync", &sync);
    until("the new address is told", || after.received().len() == 1);
    assert!(before.received().is_empty());
    // An address that is no good changes nothing, and one that is good again is used.
    std::fs::write(daemon.world.path("hook"), "http://chat.example/hooks/s3cret-path").unwrap();
    std::thread::sleep(std::time::Duration::from_secs(12));
    daemon
        .post("/api/v1/jobs/idmelon/withheld/release", &json!({"all": true}))
        .is(200);
    daemon.followed("/api/v1/jobs/idmelon/sync", &sync);
    until("the end is told", || after.received().len() == 2);
    daemon.stopped().exits(0);
}

#[test]
fn what_fails_is_seen_and_the_address_is_not() {
    let receiver = Receiver::new();
    let world = world(&receiver, "");
    receiver.answers(&["302 Found\r\nLocation: http://127.0.0.1:1/"]);
    let tested = world.run(&["notify", "test"]).exits(1);
    assert!(tested.out.contains("answered 302"), "{}", tested.out);
    receiver.answers(&["503 Busy\r\nRetry-After: 0", "503 Busy\r\nRetry-After: 0"]);
    let tested = world.run(&["notify", "test"]).exits(0);
    assert!(tested.out.starts_with("ok  "), "{}", tested.out);
    assert_eq!(receiver.received().len(), 4, "two sent once, and twice again");
    receiver.answers(&["404 Not Found"]);
    let tested = world.run(&["notify", "test", "-o", "json"]).exits(1);
    assert!(
        tested.json()["receivers"][0]["hint"]
            .as_str()
            .unwrap()
            .contains("make a new one")
    );
    for text in [&tested.out, &tested.err] {
        assert!(!text.contains("s3cret-path"), "{text}");
    }
    // Beside the daemon it is the daemon that sends.
    let daemon = Daemon::over(world);
    let before = receiver.received().len();
    daemon.world.run(&["notify", "test"]).exits(0);
    assert_eq!(receiver.received().len(), before + 1);
    daemon.stopped().exits(0);
}

#[test]
fn an_address_that_cannot_be_used_is_refused_at_the_start() {
    let receiver = Receiver::new();
    let world = world(&receiver, "");
    std::fs::write(world.path("hook"), "http://chat.example/hooks/s3cret-path").unwrap();
    for verb in [&["run"][..], &["notify", "test"]] {
        let refused = world.run(verb).exits(2);
        assert!(refused.err.contains("is not https"), "{}", refused.err);
        assert!(!refused.err.contains("s3cret-path"), "{}", refused.err);
    }
    std::fs::write(world.path("hook"), receiver.url()).unwrap();
    world.run(&["notify", "test"]).exits(0);
}

/// One receiver at a time: the trouble, what its hint says, and the trouble is gone.
#[test]
fn what_the_hints_say_helps() {
    let receiver = Receiver::new();
    let world = world(&receiver, "");
    let config = std::fs::read_to_string(world.path("melonsync.toml")).unwrap();
    let with = |notify: &str| {
        let from = config.find("[[notify]]").unwrap();
        let to = from + config[from..].find("\n\n").unwrap();
        world.write(&format!("{}{notify}{}", &config[..from], &config[to..]));
    };
    let says = |code, hint: &str| {
        let tested = world.run(&["notify", "test"]).exits(code);
        let all = format!("{}{}", tested.out, tested.err).replace("\n  ", " ");
        assert!(all.contains(hint), "{hint} is not in\n{all}");
    };
    with("");
    says(2, "add a [[notify]] block with `url` or `command`");
    let signed = "[[notify]]\nurl = { file = \"hook\" }\nsecret = { file = \"hook\" }\n";
    with(&format!("{signed}format = \"slack\""));
    says(2, "take it out, or write `format = \"json\"`");
    with(&format!("{signed}format = \"json\""));
    says(0, "took it");
    with("[[notify]]\ncommand = [\"/nowhere/tell\"]");
    says(1, "check the path, and that melonsync's user may run it");
    with("[[notify]]\ncommand = [\"/bin/false\"]");
    says(1, "run the program by hand with a JSON body");
    with("[[notify]]\ncommand = [\"/bin/true\"]");
    says(0, "took it");
    with("[[notify]]\nurl = { file = \"hook\" }");
    receiver.answers(&["410 Gone"]);
    says(1, "make a new one there");
    receiver.answers(&["400 Bad Request"]);
    says(1, "look at the receiver's own log");
    std::fs::write(world.path("hook"), "http://127.0.0.1:1/").unwrap();
    says(1, "check the address, the network and [network] of the settings");
    std::fs::write(world.path("hook"), receiver.url()).unwrap();
    says(0, "took it");
    with("[[notify]]\nurl = { file = \"hook\" }\n\n[network]\nca_file = \"nothing.pem\"");
    says(2, "check `ca_file` and `proxy` under [network]");
}

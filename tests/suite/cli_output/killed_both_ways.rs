//! SIGKILL at any moment of a cycle that writes in both directions: nothing goes back twice, nobody is taken out, and the way there
//! converges.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::Duration;

use melonsync::sandbox::DEFAULT_API_KEY;
use melonsync::sandbox::Fault;
use serde_json::Value;
use serde_json::json;

use super::world::World;
use super::world::finished;
use crate::simulation::dice::Dice;

/// So many kills in one world before it is looked at.
const KILLS_A_WORLD: u64 = 15;

/// A world whose titles go back, and that keeps an enrolled group; and what was done in it.
struct Site {
    world: World,
    group: String,
    /// Every title that the target ever held.
    held: BTreeMap<String, BTreeSet<String>>,
    with_key: BTreeSet<String>,
}

impl Site {
    fn new() -> Self {
        let world = World::new(12, 2);
        let group = world
            .tenant
            .add_group(json!({"displayName": "Key holders", "groupTypes": []}));
        world.tenant.let_writer_own(&group);
        world.tenant.grant_writer("User.ReadUpdate.All");
        world.tenant.keep_request_bodies();
        let (client_id, secret) = world.tenant.writer_credentials();
        std::fs::write(world.path("writer"), secret).unwrap();
        std::fs::write(world.path("key"), DEFAULT_API_KEY).unwrap();
        let api = &world.scim.url;
        let back = format!(
            r#"
[jobs.idmelon.writeback]
attributes = {{ title = "jobTitle" }}
enrolled_group = "{group}"
idmelon_api = {{ url = "{api}", key = {{ file = "key" }} }}
credential = {{ client_id = "{client_id}", client_secret = {{ file = "writer" }} }}
"#
        );
        let config = world.config().replace(
            "kind  = \"idmelon\"",
            "kind  = \"idmelon\"\nrequest_timeout = \"1s\"\nmax_concurrency = 2",
        );
        world.write(&format!("{config}{back}"));
        let site = Self {
            world,
            group,
            held: BTreeMap::new(),
            with_key: BTreeSet::new(),
        };
        // First contact: nothing goes back.
        for _ in 0..2 {
            site.world.run(&["sync", "--full", "-q"]).exits(0);
        }
        assert!(site.sent().is_empty(), "{:?}", site.sent());
        site
    }

    /// Every answer late: the kill finds requests under way at any moment.
    fn is_slow(&self, slow: bool) {
        let fault = || if slow { Fault::always() } else { Fault::never() };
        self.world.workspace.update_faults(|faults| {
            faults.slow = fault();
            faults.slow_ms = Some(5);
        });
        self.world.tenant.update_faults(|faults| {
            faults.slow = fault();
            faults.slow_ms = Some(15);
        });
    }

    fn at_target(&self, user: &str) -> Option<Value> {
        self.world.workspace.users_by_external_id(user).into_iter().next()
    }

    /// Somebody gets a title at the target that nobody ever had, and somebody a key.
    fn edit(&mut self, dice: &mut Dice, number: u64) {
        let users = self.world.tenant.user_ids();
        for part in 0..3 {
            let user = dice.pick(&users).unwrap();
            let Some(resource) = self.at_target(user) else {
                continue;
            };
            let title = format!("Title {number}-{part}");
            let id = resource["id"].as_str().unwrap();
            assert!(self.world.workspace.edit_user(id, json!({"title": title})));
            self.held.entry(user.clone()).or_default().insert(title);
        }
        let user = dice.pick(&users).unwrap();
        if let Some(resource) = self.at_target(user)
            && self.with_key.insert(user.clone())
        {
            let name = resource["userName"].as_str().unwrap();
            self.world.workspace.enrol_key(name);
        }
    }

    /// What was asked of Graph in batches that write: method, address, and what was to be set.
    fn sent(&self) -> Vec<(String, String, Value)> {
        let bodies = self.world.tenant.requests().into_iter();
        let batches = bodies
            .filter(|one| one.path.ends_with("$batch"))
            .filter_map(|one| one.body);
        let parts = batches.flat_map(|body| {
            let body: Value = serde_json::from_str(&body).unwrap();
            body["requests"].as_array().cloned().unwrap_or_default()
        });
        let text = |part: &Value, name: &str| part[name].as_str().unwrap_or_default().to_owned();
        parts
            .map(|part| (text(&part, "method"), text(&part, "url"), part["body"].clone()))
            .filter(|(method, ..)| method != "GET")
            .collect()
    }

    fn is_lawful(&self, seed: u64) {
        let mut seen = BTreeSet::new();
        for (method, url, body) in self.sent() {
            let what = format!("seed {seed}: {method} {url} {body}");
            assert!(
                seen.insert((method.clone(), url.clone(), body.to_string())),
                "{what} was sent twice"
            );
            assert_ne!(method, "DELETE", "{what}: nobody lost a key");
            if let Some(title) = body["jobTitle"].as_str() {
                let mut users = self.held.iter().filter(|(user, _)| url.contains(user.as_str()));
                assert!(
                    users.any(|(_, held)| held.contains(title)),
                    "{what} was never at the target"
                );
            }
        }
        for user in self.world.tenant.user_members(&self.group) {
            assert!(
                self.with_key.contains(&user),
                "seed {seed}: {user} joined without a key"
            );
        }
    }
}

/// 30 kills; `KILLS=n` for more, `SEED=n` to begin with other chances.
#[test]
fn cycle_of_both_directions_that_is_killed_sends_nothing_twice_and_takes_nobody_out() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (kills, first) = (number("KILLS").unwrap_or(30), number("SEED").unwrap_or(1));
    let threads = (0..kills.div_ceil(KILLS_A_WORLD)).map(|world| {
        let seed = first + world;
        std::thread::spawn(move || killed_world(seed))
    });
    for thread in threads.collect::<Vec<_>>() {
        thread.join().unwrap();
    }
}

fn killed_world(seed: u64) {
    let (mut dice, mut site) = (Dice::new(seed), Site::new());
    let mut struck = 0;
    for number in 0..KILLS_A_WORLD * 10 {
        site.edit(&mut dice, number);
        site.is_slow(true);
        let mut child = site.world.start(&["sync", "--full", "-q"]);
        sleep(Duration::from_millis(dice.between(30, 900)));
        struck += u64::from(child.try_wait().unwrap().is_none());
        child.kill().unwrap();
        finished(child);
        if struck == KILLS_A_WORLD {
            break;
        }
    }
    assert_eq!(struck, KILLS_A_WORLD, "seed {seed}: the kills came too late");
    site.is_slow(false);
    sleep(Duration::from_millis(1100));
    site.world.converges();
    // What is open waits for its look; all else goes back now, and nothing more then.
    site.world.run(&["sync", "--full", "-q"]);
    let sent = site.sent().len();
    site.world.run(&["sync", "--full", "-q"]);
    assert_eq!(
        site.sent().len(),
        sent,
        "seed {seed}: it goes on writing: {:?}",
        site.sent()
    );
    assert!(sent > 0, "seed {seed}: nothing went back");
    site.is_lawful(seed);
}

//! Values of the target that go back to Entra, by the real program over real HTTP. Each cycle runs twice.

use std::time::Duration;

use melonsync::sandbox::Fault;
use melonsync::sandbox::SampleOptions;
use melonsync::sandbox::Tenant;
use serde_json::Value;
use serde_json::json;

use crate::cli_output::world::World;
use crate::cli_output::world::finished;

/// A tenant and a workspace, with a job that carries titles and mobile numbers back.
struct Site {
    world: World,
}

impl Site {
    /// So many users, linked and read twice: nothing was written back at first contact.
    fn new(users: usize, keys: &str) -> Self {
        let site = Self::before_first_contact(users, keys);
        site.rests();
        site
    }

    /// So many users, who are linked.
    fn before_first_contact(users: usize, keys: &str) -> Self {
        let world = World::of(Tenant::sample_with(SampleOptions {
            users,
            groups: 0,
            plain: true,
            ..SampleOptions::default()
        }));
        for right in ["User-Phone.ReadWrite.All", "User.ReadUpdate.All"] {
            world.tenant.grant_writer(right);
        }
        let site = Self { world };
        site.configure(keys);
        let first = site.sync(&[]);
        assert_eq!(first["outcome"], "converged", "{first:#}");
        site
    }

    fn configure(&self, keys: &str) {
        let (client_id, secret) = self.world.tenant.writer_credentials();
        std::fs::write(self.world.path("writer"), secret).unwrap();
        let back = format!(
            "\n[jobs.idmelon.writeback]\ncredential = {{ client_id = \"{client_id}\", client_secret = {{ file = \"writer\" }} }}\n\
             attributes = {{ title = \"jobTitle\", 'phoneNumbers[type eq \"mobile\"].value' = \"mobilePhone\" }}\n{keys}\n"
        );
        self.world.write(&(self.world.config() + &back));
    }

    #[track_caller]
    fn sync(&self, args: &[&str]) -> Value {
        self.world.run(&[&["sync", "-o", "json"], args].concat()).json()
    }

    /// A full cycle.
    #[track_caller]
    fn full(&self) -> Value {
        self.sync(&["--full"])
    }

    /// A full cycle that writes so many users back, and one more that writes nobody.
    #[track_caller]
    fn writes_back(&self, users: u64) -> Value {
        let summary = self.full();
        assert_eq!(written(&summary), users, "{summary:#}");
        self.rests();
        summary
    }

    /// A full cycle that writes nothing anywhere.
    #[track_caller]
    fn rests(&self) -> Value {
        self.world.workspace.clear_requests();
        let again = self.full();
        assert_eq!(written(&again), 0, "the second time: {again:#}");
        assert_eq!(self.world.workspace.writes(), 0, "it is pushed again: {again:#}");
        again
    }

    fn user(&self, n: usize) -> String {
        self.world.tenant.user_ids()[n].clone()
    }

    /// Edits what the workspace holds of a user.
    #[track_caller]
    fn edit(&self, n: usize, changes: Value) {
        let held = self.world.workspace.users_by_external_id(&self.user(n));
        let id = held[0]["id"].as_str().unwrap();
        assert!(self.world.workspace.edit_user(id, changes));
    }

    /// What Entra holds of a user.
    fn entra(&self, n: usize, property: &str) -> Value {
        self.world.tenant.user(&self.user(n)).unwrap()[property].clone()
    }

    /// What the workspace holds as a user's title.
    fn title(&self, n: usize) -> Value {
        self.world.workspace.users_by_external_id(&self.user(n))[0]["title"].clone()
    }
}

fn written(summary: &Value) -> u64 {
    summary["operations"]["write_back_user"].as_u64().unwrap()
}

fn finds<'s>(summary: &'s Value, code: &str) -> Option<&'s Value> {
    let findings = summary["findings"].as_array().unwrap();
    findings.iter().find(|finding| finding["code"] == code)
}

#[test]
fn a_value_that_is_edited_at_the_target_arrives_once_and_stays() {
    let site = Site::new(4, "");
    site.edit(0, json!({"title": "Edited there"}));
    let plan = site.world.run(&["plan", "--full", "-o", "json"]).json();
    assert_eq!(written(&plan), 1, "{plan:#}");
    assert_ne!(site.entra(0, "jobTitle"), "Edited there", "a plan writes nothing");
    // An ordinary cycle is none of the way back, and does not push the old value either.
    let ordinary = site.sync(&[]);
    assert_eq!(written(&ordinary), 0, "{ordinary:#}");
    assert_eq!(site.title(0), "Edited there");
    let summary = site.writes_back(1);
    assert_eq!(summary["outcome"], "converged", "{summary:#}");
    assert_eq!(site.entra(0, "jobTitle"), "Edited there");
    assert_eq!(site.title(0), "Edited there");
    let history = site.world.run(&["history", "-o", "json"]).exits(0).out;
    let entry = history.lines().find(|line| line.contains("write_back_user"));
    assert!(
        entry.is_some_and(
            |entry| entry.contains("Edited there") && entry.contains("it was edited at the target")
        ),
        "{history}"
    );
    let explained = site.world.run(&["explain", &site.user(0)]).exits(0).out;
    let told = explained.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(
        told.contains("this value belongs to the target since 2") && told.contains("last written back 2"),
        "{explained}"
    );
    // And both attributes of one person in one request.
    site.edit(
        1,
        json!({"title": "Two", "phoneNumbers": [{"type": "mobile", "value": "+49 30 1"}]}),
    );
    site.writes_back(1);
    assert_eq!(
        (site.entra(1, "jobTitle"), site.entra(1, "mobilePhone")),
        (json!("Two"), json!("+49 30 1"))
    );
}

#[test]
fn first_contact_writes_nothing_and_says_what_differs() {
    let site = Site::before_first_contact(3, "");
    site.edit(0, json!({"title": "Was there before"}));
    let first = site.full();
    assert_eq!(written(&first), 0, "{first:#}");
    let finding = finds(&first, "first_contact_differs").expect("it is found");
    assert!(
        finding["text"].as_str().unwrap().contains(&site.user(0)),
        "{finding}"
    );
    assert!(
        finds(&site.rests(), "first_contact_differs").is_some(),
        "it stands"
    );
    assert!(site.entra(0, "jobTitle") != "Was there before");
    // What moves from now on is somebody's edit.
    site.edit(0, json!({"title": "Edited"}));
    site.writes_back(1);
    assert!(finds(&site.full(), "first_contact_differs").is_none());
}

#[test]
fn where_both_sides_moved_the_target_wins_or_a_person_decides() {
    let both = |site: &Site| {
        site.edit(0, json!({"title": "There"}));
        let user = site.user(0);
        site.world.tenant.set_user(&user, json!({"jobTitle": "Here"}));
    };
    let site = Site::new(3, "");
    both(&site);
    site.writes_back(1);
    assert_eq!(
        (site.entra(0, "jobTitle"), site.title(0)),
        (json!("There"), json!("There"))
    );
    let history = site.world.run(&["history", "-o", "json"]).exits(0).out;
    assert!(
        history.contains("Here"),
        "the value that lost is in the history: {history}"
    );

    let site = Site::new(3, "on_conflict = \"hold\"");
    both(&site);
    for _ in 0..2 {
        let held = site.full();
        assert_eq!(written(&held), 0, "{held:#}");
        assert_eq!(held["withheld"]["by_reason"]["both_moved"], 1, "{held:#}");
        assert!(finds(&held, "conflict").is_some(), "{held:#}");
    }
    assert_eq!(
        (site.entra(0, "jobTitle"), site.title(0)),
        (json!("Here"), json!("There"))
    );
    site.world
        .run(&["withheld", "release", "--all", "--expect", "1", "-y"])
        .exits(0);
    site.writes_back(1);
    assert_eq!(site.entra(0, "jobTitle"), "There");
}

#[test]
fn an_edit_in_entra_alone_is_a_finding_and_pushed_nowhere() {
    let site = Site::new(3, "");
    let before = site.title(0);
    let user = site.user(0);
    site.world.tenant.set_user(&user, json!({"jobTitle": "Here"}));
    let summary = site.rests();
    assert!(
        finds(&summary, "source_edited_target_owned").is_some(),
        "{summary:#}"
    );
    assert_eq!(
        (site.entra(0, "jobTitle"), site.title(0)),
        (json!("Here"), before)
    );
}

#[test]
fn an_emptied_target_clears_entra_after_two_readings_and_under_its_own_guard() {
    let site = Site::new(3, "clear_after = \"0s\"");
    site.edit(0, json!({"title": null}));
    let once = site.full();
    assert_eq!(written(&once), 0, "one reading proves nothing: {once:#}");
    site.writes_back(1);
    assert_eq!(site.entra(0, "jobTitle"), Value::Null);

    let site = Site::new(3, "clear_after = \"0s\"\nclear_threshold = 0");
    site.edit(0, json!({"title": null}));
    site.full();
    for _ in 0..2 {
        let held = site.full();
        assert_eq!(
            (written(&held), &held["outcome"]),
            (0, &json!("withheld")),
            "{held:#}"
        );
        assert_eq!(held["withheld"]["by_reason"]["clear_entra"], 1, "{held:#}");
    }
    assert!(site.entra(0, "jobTitle") != Value::Null);
    site.world
        .run(&["withheld", "release", "--all", "--expect", "1", "-y"])
        .exits(0);
    site.writes_back(1);
    assert_eq!(site.entra(0, "jobTitle"), Value::Null);
}

#[test]
fn a_user_whom_entra_refuses_is_a_finding_and_no_failure() {
    let site = Site::new(3, "");
    let synced = site.user(0);
    site.world
        .tenant
        .set_user(&synced, json!({"onPremisesSyncEnabled": true}));
    site.edit(0, json!({"title": "Refused"}));
    site.edit(1, json!({"title": "Taken"}));
    let summary = site.full();
    assert_eq!(
        (written(&summary), &summary["outcome"]),
        (1, &json!("converged")),
        "{summary:#}"
    );
    assert!(finds(&summary, "refused_by_entra").is_some(), "{summary:#}");
    assert!(
        finds(&site.rests(), "refused_by_entra").is_some(),
        "it stands, and is not tried again"
    );
    // Once the user is mastered in the cloud, the same edit is carried.
    site.world
        .tenant
        .set_user(&synced, json!({"onPremisesSyncEnabled": false}));
    site.writes_back(1);
    assert_eq!(site.entra(0, "jobTitle"), "Refused");
}

#[test]
fn a_right_that_is_missing_stops_the_direction_until_it_is_granted() {
    let world = World::of(Tenant::sample_with(SampleOptions {
        users: 5,
        groups: 0,
        plain: true,
        ..SampleOptions::default()
    }));
    let site = Site { world };
    site.configure("");
    site.sync(&[]);
    site.rests();
    for n in 0..4 {
        site.edit(n, json!({"title": format!("Title {n}")}));
    }
    for _ in 0..2 {
        let ran = site.world.run(&["sync", "--full", "-o", "json"]).exits(3);
        let summary = ran.json();
        assert_eq!(
            (written(&summary), &summary["outcome"]),
            (0, &json!("partial")),
            "{summary:#}"
        );
        let finding = finds(&summary, "right_missing").expect("the right is named");
        let hint = "grant the application permission User-Phone.ReadWrite.All and User.ReadUpdate.All to the writer's app";
        assert!(finding["do"].as_str().unwrap().contains(hint), "{finding}");
    }
    for right in ["User-Phone.ReadWrite.All", "User.ReadUpdate.All"] {
        site.world.tenant.grant_writer(right);
    }
    site.writes_back(4);
}

#[test]
fn a_write_whose_process_was_killed_is_not_sent_twice() {
    let site = Site::new(3, "");
    site.edit(0, json!({"title": "Once"}));
    site.world.tenant.update_faults(|faults| {
        faults.slow = Fault::always().only("POST");
        faults.slow_ms = Some(700);
    });
    let batches = |site: &Site| {
        let requests = site.world.tenant.requests();
        requests
            .iter()
            .filter(|request| request.path.ends_with("$batch"))
            .count()
    };
    let before = batches(&site);
    let mut child = site.world.start(&["sync", "--full", "-q"]);
    // The first one asks what Entra holds, the second one writes.
    for _ in 0..20_000 {
        if batches(&site) >= before + 2 || child.try_wait().unwrap().is_some() {
            break;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    assert_eq!(finished(child).code, None, "it ended by itself");
    site.world
        .tenant
        .update_faults(|faults| faults.slow = Fault::never());
    std::thread::sleep(Duration::from_millis(800));
    let arrived = site.entra(0, "jobTitle");
    for _ in 0..2 {
        site.rests();
        assert_eq!(
            site.entra(0, "jobTitle"),
            arrived,
            "nothing is sent before Entra was looked at twice"
        );
    }
}

#[test]
fn answers_that_do_not_come_are_waited_for() {
    let site = Site::new(3, "");
    site.edit(0, json!({"title": "Lost"}));
    site.world
        .tenant
        .update_faults(|faults| faults.writes_lost = Fault::always());
    let summary = site.full();
    assert_eq!(
        written(&summary),
        1,
        "Entra answered that it was done: {summary:#}"
    );
    let before = site.entra(0, "jobTitle");
    for _ in 0..3 {
        site.rests();
    }
    assert_eq!(
        site.entra(0, "jobTitle"),
        before,
        "it is looked for, and not sent again"
    );
}

#[test]
fn an_undo_gives_entra_its_value_back_and_nothing_is_carried_again() {
    let site = Site::new(3, "");
    let before = site.entra(0, "jobTitle");
    site.edit(0, json!({"title": "By mistake"}));
    let summary = site.full();
    assert_eq!(written(&summary), 1, "{summary:#}");
    let cycle = summary["cycle"].as_str().unwrap();
    let dry = site.world.run(&["undo", cycle, "--dry-run", "-o", "json"]).json();
    assert_eq!(written(&dry), 1, "{dry:#}");
    assert_eq!(site.entra(0, "jobTitle"), "By mistake");
    let undone = site
        .world
        .run(&["undo", cycle, "-y", "-o", "json"])
        .exits(0)
        .json();
    assert_eq!(written(&undone), 1, "{undone:#}");
    for _ in 0..2 {
        site.rests();
        assert_eq!(
            (site.entra(0, "jobTitle"), site.title(0)),
            (before.clone(), json!("By mistake"))
        );
    }
    // What the target holds next is carried again.
    site.edit(0, json!({"title": "On purpose"}));
    site.writes_back(1);
    // And what somebody changed since is not taken back.
    let last = site.sync(&[]);
    assert_eq!(written(&last), 0);
}

#[test]
fn what_is_written_back_no_more_begins_anew_with_first_contact() {
    let site = Site::new(3, "");
    site.world.write(&site.world.config());
    site.full();
    site.edit(0, json!({"title": "Meanwhile"}));
    // Without the block the row belongs to Entra again, which is drift and reported.
    site.full();
    site.configure("");
    let first = site.full();
    assert_eq!(written(&first), 0, "{first:#}");
    assert!(finds(&first, "first_contact_differs").is_some(), "{first:#}");
    assert!(site.entra(0, "jobTitle") != "Meanwhile");
}

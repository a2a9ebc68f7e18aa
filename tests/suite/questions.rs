//! The questions that an administrator and an operator ask, each answered by one command (docs/operations/questions.md).

use std::fs;
use std::path::Path;

use melonsync::model::clock::Clock;
use melonsync::model::clock::SystemClock;
use serde_json::json;

use crate::cli_output::world::World;
use crate::daemon::world::Daemon;

/// The people and groups that the questions are about.
struct Cast {
    /// Disabled in Entra since the last cycle.
    leaver: String,
    /// Disabled in Entra and at the target.
    gone: String,
    /// Kept out by the filter.
    outsider: String,
    /// In the group on both sides.
    member: String,
    /// On hold.
    held: String,
    /// The group that `member` and `outsider` are in.
    group: String,
    /// `--only` for the user on hold.
    only: String,
    /// Edited at the target by hand.
    edited: String,
    /// A day.
    day: String,
}

fn name(world: &World, id: &str) -> String {
    let user = world.tenant.user(id).unwrap();
    user["userPrincipalName"].as_str().unwrap().to_owned()
}

fn today() -> String {
    SystemClock.now().to_string()[..10].to_owned()
}

/// Days on which the two secrets end.
const EXPIRES: [&str; 2] = ["2039-08-18", "2041-01-31"];

/// A job that has run, with something to ask about.
fn world() -> (World, Cast) {
    let world = World::new(20, 2);
    let users = world.tenant.user_ids();
    let group = world.tenant.group_ids()[0].clone();
    for member in [&users[2], &users[3]] {
        if !world.tenant.user_members(&group).contains(member) {
            world.tenant.add_member(&group, member);
        }
    }
    let cast = Cast {
        leaver: name(&world, &users[0]),
        gone: name(&world, &users[1]),
        outsider: name(&world, &users[2]),
        member: name(&world, &users[3]),
        only: format!("user={}", name(&world, &users[4])),
        held: name(&world, &users[4]),
        edited: name(&world, &users[5]),
        day: today(),
        group: world.tenant.group(&group).unwrap()["displayName"]
            .as_str()
            .unwrap()
            .to_owned(),
    };
    let filter = format!(
        "[jobs.idmelon.source]\nuser_filter = 'userPrincipalName NOT EQUALS \"{}\"'",
        cast.outsider
    );
    let config = world
        .config()
        .replace("[jobs.idmelon.source]", &filter)
        .replace(
            "[jobs.idmelon.source.credential]",
            &format!("[jobs.idmelon.source.credential]\nexpires = \"{}\"", EXPIRES[0]),
        )
        .replace(
            "[jobs.idmelon.target]",
            &format!("[jobs.idmelon.target]\nexpires = \"{}\"", EXPIRES[1]),
        );
    world.write(&config);
    world.run(&["sync"]).exits(0);
    world.run(&["hold", &cast.held, "--comment", "on leave"]).exits(0);
    world.run(&["pause"]).exits(0);
    world.run(&["resume"]).exits(0);
    world.tenant.disable_user(&users[1]);
    world.run(&["sync"]).exits(0);
    world.tenant.disable_user(&users[0]);
    world.tenant.set_user(&users[4], json!({"jobTitle": "Captain"}));
    edited(&world, &cast.edited, "Pirate");
    (world, cast)
}

/// Edits a name at the target by hand.
fn edited(world: &World, user: &str, called: &str) {
    let resource = world.workspace.user_by_name(user).unwrap();
    let id = resource["id"].as_str().unwrap();
    assert!(world.workspace.edit_user(id, json!({"displayName": called})));
}

/// What is asked, by which command, and words of the answer.
type Row<'c> = (&'static str, Vec<&'c str>, Vec<String>);

fn rows(cast: &Cast) -> Vec<Row<'_>> {
    let text = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let (member, outsider) = (cast.member.as_str(), cast.outsider.as_str());
    vec![
        (
            "Who loses access in the next cycle?",
            vec!["plan", "--only", "removals"],
            text(&["Removals: 1 entry", &format!("- disable user  {}", cast.leaver)]),
        ),
        (
            "Why is somebody not there?",
            vec!["explain", outsider],
            text(&["Not at the target, because:", "userPrincipalName"]),
        ),
        (
            "Why is somebody not in a group?",
            vec!["explain", outsider, "--in", &cast.group],
            text(&[&format!(
                "{outsider} and group `{}`: a member in Entra; not in it at the target: the user is out of scope.",
                cast.group
            )]),
        ),
        (
            "Which groups has somebody on both sides?",
            vec!["explain", member],
            text(&[
                "At the target since",
                "in step.",
                "\nGroups\n",
                "a member in Entra; in it at the target",
            ]),
        ),
        (
            "What changed since yesterday?",
            vec!["history", "summary", "--since", "24h"],
            text(&["create user", "disable user", "since 20"]),
        ),
        (
            "What did the last cycle do, and to whom?",
            vec!["history", "--cycle", "last"],
            text(&[&format!("disable user  {}", cast.gone)]),
        ),
        (
            "Who ran a cycle?",
            vec!["history", "cycles"],
            text(&[
                "initial: converged",
                "incremental: converged",
                "  by ",
                "claimed USER=tester",
            ]),
        ),
        (
            "Who released, held, paused or restored it?",
            vec!["history", "--operation", "decision"],
            text(&[
                "  pause",
                "  resume",
                &format!("  hold  {}", cast.held),
                "\n    by ",
                "claimed USER=tester",
                "on leave",
            ]),
        ),
        (
            "When exactly did somebody lose access?",
            vec!["history", "--object", &cast.gone, "--operation", "disable_user"],
            text(&[&format!("Z  disable user  {}", cast.gone)]),
        ),
        (
            "Who was active on a day?",
            vec!["history", "active", "--on", &cast.day],
            text(&["active at the target between", &cast.gone, member]),
        ),
        (
            "Is it healthy, and how far behind?",
            vec!["status"],
            text(&["idmelon  (enforce): in step, ", " s behind\n"]),
        ),
        (
            "Does the daemon live?",
            vec!["status"],
            text(&["daemon       none runs here"]),
        ),
        (
            "How many are in scope, linked and refused, and why?",
            vec!["plan", "--full", "--limit", "5"],
            text(&["Left alone", outsider, "out of scope"]),
        ),
        (
            "Who is there, and how do they stand?",
            vec!["list", "users"],
            text(&[outsider, "unlinked", member, "linked"]),
        ),
        (
            "What would a filter do?",
            vec!["-c", "trial.toml", "plan", "--full", "--only", "removals"],
            text(&[&format!("disable user  {member}")]),
        ),
        (
            "Is the token of the target good?",
            vec!["check"],
            text(&["users can be listed with its token", "all is well"]),
        ),
        (
            "When do the secrets expire?",
            vec!["status"],
            text(&[&format!(
                "credentials  source: expires on {}; target: expires on {}",
                EXPIRES[0], EXPIRES[1]
            )]),
        ),
        (
            "What is on hold, by whom and until when?",
            vec!["hold", "list"],
            text(&[&cast.held, "on leave"]),
        ),
        (
            "What does a hold block?",
            vec!["plan", "--only", &cast.only],
            text(&["Withheld: 1 entry", &format!("! user {}", cast.held), "on leave"]),
        ),
        (
            "What is different at the target, and since when?",
            vec!["drift", "--refresh"],
            text(&[
                &format!("modified    user {}", cast.edited),
                ", found at 20",
                "displayName: \"Pirate\" at the target, ",
            ]),
        ),
    ]
}

#[test]
fn each_question_is_answered_by_one_command() {
    let (world, cast) = world();
    let config = fs::read_to_string(world.path("melonsync.toml")).unwrap();
    let trial = config.replace(
        &format!("NOT EQUALS \"{}\"", cast.outsider),
        &format!(
            "NOT EQUALS \"{}\" AND userPrincipalName NOT EQUALS \"{}\"",
            cast.outsider, cast.member
        ),
    );
    let mut wrong = String::new();
    for (question, args, expected) in rows(&cast) {
        // The program is started with a config of its own here: the trial takes its place.
        let ran = match args.as_slice() {
            ["-c", _, rest @ ..] => {
                world.write(&trial);
                let ran = world.run(rest);
                world.write(&config);
                ran
            }
            args => world.run(args),
        };
        let said = ran.exits(0).out;
        for words in expected.iter().filter(|words| !said.contains(words.as_str())) {
            wrong += &format!(
                "{question}\n  melonsync {}\n  lacks: {words}\n{said}\n",
                args.join(" ")
            );
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Answers that are wrong once what is asked about is.
#[test]
fn an_answer_follows_what_is_asked_about() {
    let (world, cast) = world();
    // Somebody who lost access is active on the day, and not at a moment after it.
    let active = |on: &str| {
        world
            .run(&["history", "active", "--on", on, "-o", "json"])
            .exits(0)
            .json()
    };
    let names = |found: &serde_json::Value| {
        let users = found["users"].as_array().unwrap();
        let names = users.iter().map(|user| user["name"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    let (today, now) = (active(&cast.day), active("0s"));
    assert!(names(&today).contains(&cast.gone), "{today}");
    assert!(!names(&now).contains(&cast.gone), "{now}");
    assert!(names(&now).contains(&cast.member), "{now}");
    assert!(!names(&today).contains(&cast.outsider), "{today}");
    assert_eq!(
        today["count"].as_u64(),
        now["count"].as_u64().map(|count| count + 1)
    );
    // Before the first cycle nobody was.
    let before = active("2020-01-01");
    assert_eq!((&before["count"], &before["unknown"]), (&json!(0), &json!([])));
    // Since when something is different does not move with each look, and begins anew with a new difference.
    let since = |world: &World| {
        let found = world.run(&["drift", "--refresh", "-o", "json"]).exits(0).json();
        let objects = found["objects"].as_array().unwrap();
        let object = objects
            .iter()
            .find(|object| object["name"] == cast.edited.as_str());
        object.map(|object| {
            object["since"]
                .as_str()
                .unwrap_or_else(|| panic!("{found}"))
                .to_owned()
        })
    };
    let first = since(&world);
    assert!(first.is_some(), "{}", world.run(&["drift", "-o", "json"]).out);
    edited(&world, &cast.edited, "Corsair");
    assert_eq!(since(&world), first);
    world.run(&["drift", "--heal"]).exits(0);
    assert_eq!(since(&world), None);
    edited(&world, &cast.edited, "Pirate");
    assert!(since(&world) > first);
    // A token that is not good any more.
    let checked = world
        .run_with("IDMELON_SCIM_TOKEN", "another", &["check"])
        .exits(1)
        .out;
    assert!(checked.contains("FAIL  target"), "{checked}");
    assert!(!checked.contains("can be listed with its token"), "{checked}");
}

#[test]
fn whether_the_daemon_lives_is_told_by_status() {
    let daemon = Daemon::new(2, 0);
    let said = daemon.world.run(&["status"]).exits(0).out;
    assert!(said.contains("  daemon       runs: idle"), "{said}");
    let Daemon { running, world } = daemon;
    drop(running);
    let said = world.run(&["status"]).exits(0).out;
    assert!(said.contains("  daemon       none runs here"), "{said}");
}

#[test]
fn what_is_withheld_has_something_in_common() {
    let world = World::new(20, 1);
    for user in world.tenant.user_ids() {
        world.tenant.set_user(&user, json!({"department": "Sales"}));
    }
    world.converges();
    for user in &world.tenant.user_ids()[..7] {
        world.tenant.disable_user(user);
    }
    world.run(&["sync"]).exits(4);
    let said = world.run(&["withheld", "list"]).exits(0).out;
    for words in [
        "in common   7 of 7: in department `Sales`",
        "in common   7 of 7: the cause is: ",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
}

#[test]
fn the_way_into_scope_leads_through_a_group() {
    let world = World::new(6, 2);
    let (user, group) = (
        world.tenant.user_ids()[0].clone(),
        world.tenant.group_ids()[0].clone(),
    );
    if !world.tenant.user_members(&group).contains(&user) {
        world.tenant.add_member(&group, &user);
    }
    let filter = format!("[jobs.idmelon.source]\nuser_filter = 'memberOf EQUALS \"{group}\"'");
    world.change("[jobs.idmelon.source]", &filter);
    world.run(&["sync"]).exits(0);
    let said = world.run(&["explain", &name(&world, &user)]).exits(0).out;
    let shown = world.tenant.group(&group).unwrap()["displayName"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        said.contains(&format!("by way of group `{shown}`, which the filter asks for")),
        "{said}"
    );
}

#[test]
fn the_page_has_every_question_with_its_command() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations/questions.md");
    let page = fs::read_to_string(page).unwrap();
    let cast = Cast {
        leaver: String::new(),
        gone: "PERSON".to_owned(),
        outsider: "PERSON".to_owned(),
        member: "PERSON".to_owned(),
        held: "PERSON".to_owned(),
        group: "GROUP".to_owned(),
        only: "user=PERSON".to_owned(),
        edited: "PERSON".to_owned(),
        day: "2026-11-25".to_owned(),
    };
    for (question, args, _) in rows(&cast) {
        let row = format!("| {question} | `melonsync {}` |", args.join(" "));
        assert!(
            page.contains(&row),
            "{row} is not in docs/operations/questions.md"
        );
    }
}

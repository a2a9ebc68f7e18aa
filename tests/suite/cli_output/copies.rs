//! `state forget` cannot erase what was copied, so it names it.

use std::fs;

use serde_json::json;

use super::world::World;

#[test]
fn forgetting_names_every_copy_that_still_holds_the_values() {
    for engine in ["sled", "redb"] {
        let world = World::new(6, 1);
        world.write(&format!(
            "[state]\nstore = \"{engine}\"\n\n[audit]\nstream = \"file:audit.jsonl\"\n{}",
            world.config()
        ));
        let id = world.tenant.user_ids()[1].clone();
        world
            .tenant
            .set_user(&id, json!({"jobTitle": "unforgettable-title"}));
        for args in [
            &["plan", "--out", "saved.plan", "-q"][..],
            &["plan", "--format", "html", "--out", "plan.html", "-q"],
            &["sync", "-q"],
            &["history", "export", "--out", "exported"],
            &["state", "backup", "--out", "moved-away"],
            &["state", "backup", "--out", "backup"],
            &["state", "restore", "--from", "backup", "--force"],
            &["resume"],
        ] {
            world.run(args).exits(0);
        }
        fs::rename(world.path("moved-away"), world.path("elsewhere")).unwrap();
        fs::copy(
            world.path("backup"),
            world.path("state/idmelon/before-format-4.backup"),
        )
        .unwrap();
        fs::create_dir(world.path("state/idmelon/unheard-of")).unwrap();
        world.run(&["sync", "-q"]).exits(0);
        world.tenant.hard_delete_user(&id);
        world.run(&["sync", "-q"]).exits(0);
        let text = world.run(&["state", "forget", &id, "-q"]).exits(0).out;
        let replaced = format!("state/idmelon/{engine}.replaced");
        for name in [
            "saved.plan",
            "plan.html",
            "exported",
            "moved-away",
            "backup",
            "state/idmelon/before-format-4.backup",
            "state/idmelon/unheard-of",
            "audit.jsonl",
            &replaced,
        ] {
            let path = world.path(name).display().to_string();
            let named = text
                .lines()
                .any(|line| line.contains(&format!("{path}  (")) || line.contains(&format!("  {name}  (")));
            assert!(named, "{engine}: {name} is not named in\n{text}");
        }
        assert!(text.contains("not there any more"), "{text}");
        for live in [
            format!("state/idmelon/{engine}  ("),
            "created".to_owned(),
            "forgotten  (".to_owned(),
        ] {
            assert!(!text.contains(&live), "{live} is no copy: {text}");
        }
        let again = world.run(&["state", "forget", &id, "-o", "json"]).exits(0).json();
        assert_eq!(again["copies"].as_array().unwrap().len(), 8, "{again}");
    }
}

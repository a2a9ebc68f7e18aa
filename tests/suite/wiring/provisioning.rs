//! `[jobs.NAME.provisioning]`: what is sent, to whom, and what is read again.

use std::fs;
use std::time::Duration;

use serde_json::json;

use super::stage::Stage;

super::rows! {
    "jobs.idmelon.provisioning.mapping" => mapping;
    "jobs.idmelon.provisioning.create" => create;
    "jobs.idmelon.provisioning.update" => update;
    "jobs.idmelon.provisioning.adopt" => adopt;
    "jobs.idmelon.provisioning.rehire_by" => rehire_by;
    "jobs.idmelon.provisioning.unmanaged" => unmanaged;
    "jobs.idmelon.provisioning.escrow_first_retry" => escrow_first_retry;
    "jobs.idmelon.provisioning.protect" => protect;
    "jobs.idmelon.provisioning.refresh_within" => refresh_within;
}

fn name_of(stage: &Stage, id: &str) -> String {
    let user = stage.world.tenant.user(id).unwrap();
    user["userPrincipalName"].as_str().unwrap().to_owned()
}

fn mapping() {
    let stage = Stage::new(1, 0).provisioning("mapping", "own.toml");
    let preset = include_str!("../../../config/mappings/idmelon.toml");
    let own = preset.replace("\"[jobTitle]\"", "'\"of my own\"'");
    assert_ne!(own, preset);
    fs::write(stage.world.path("own.toml"), own).unwrap();
    stage.converges();
    assert_eq!(stage.held(&stage.user(0)).unwrap()["title"], "of my own");
}

fn create() {
    for (word, held) in [("false", 1), ("true", 3)] {
        let stage = Stage::new(3, 0).provisioning("create", word);
        let id = stage.user(1);
        let there = json!({"userName": name_of(&stage, &id)});
        stage.world.workspace.insert_user(there);
        stage.sync(&[]);
        assert_eq!(stage.world.workspace.user_count(), held, "{word}");
        assert!(
            stage.held(&id).is_some(),
            "{word}: who is there already is linked"
        );
    }
}

fn update() {
    for (word, title) in [("false", "Engineer"), ("true", "Pilot")] {
        let stage = Stage::new(1, 0).provisioning("update", word);
        let id = stage.user(0);
        stage.world.tenant.set_user(&id, json!({"jobTitle": "Engineer"}));
        stage.sync(&[]);
        stage.world.tenant.set_user(&id, json!({"jobTitle": "Pilot"}));
        stage.sync(&[]);
        assert_eq!(stage.held(&id).unwrap()["title"], title, "{word}");
    }
}

/// A resource with the user's name, which nobody claims or somebody else does.
fn adopt() {
    for (word, free, taken) in [
        ("unclaimed", true, false),
        ("any", true, true),
        ("never", false, false),
    ] {
        for (external_id, adopted) in [(None, free), (Some("payroll-7"), taken)] {
            let stage = Stage::new(1, 0).provisioning("adopt", word);
            let id = stage.user(0);
            let mut resource = json!({"userName": name_of(&stage, &id)});
            if let Some(external_id) = external_id {
                resource["externalId"] = external_id.into();
            }
            stage.world.workspace.insert_user(resource);
            stage.sync(&[]);
            assert_eq!(stage.held(&id).is_some(), adopted, "{word}, {external_id:?}");
            assert_eq!(stage.world.workspace.user_count(), 1, "{word}, {external_id:?}");
        }
    }
}

/// A leaver with the same employee number has a successor.
fn rehire_by() {
    for (by, taken_over) in [(Some("employeeId"), true), (None, false)] {
        let mut stage = Stage::new(3, 0);
        if let Some(by) = by {
            stage.set("jobs.idmelon.provisioning.rehire_by", by);
        }
        stage.converges();
        let leaver = stage.user(2);
        let number = stage.world.tenant.user(&leaver).unwrap()["employeeId"].clone();
        let before = stage.held(&leaver).unwrap()["id"].clone();
        stage.world.tenant.hard_delete_user(&leaver);
        let newcomer = stage.world.tenant.add_user(json!({
            "userPrincipalName": "back@corp.example", "displayName": "Back", "employeeId": number,
        }));
        stage.sync(&[]);
        let after = stage.held(&newcomer).expect("the newcomer is there")["id"].clone();
        assert_eq!(before == after, taken_over, "{by:?}");
    }
}

fn unmanaged() {
    for (word, reported) in [("keep", 0), ("report", 1)] {
        let stage = Stage::new(1, 0).provisioning("unmanaged", word);
        let stranger = json!({"userName": "stranger@elsewhere.example"});
        stage.world.workspace.insert_user(stranger.clone());
        stage.sync(&[]);
        let summary = stage.sync(&["--full"]);
        assert_eq!(summary["drift"]["unmanaged"], reported, "{word}: {summary:#}");
        let held = stage.world.workspace.user_by_name("stranger@elsewhere.example");
        assert!(held.is_some(), "{word}: never touched");
    }
}

fn escrow_first_retry() {
    for (gap, comes) in [("1s", true), ("1h", false)] {
        let stage = Stage::new(2, 0).provisioning("escrow_first_retry", gap);
        let id = stage.user(1);
        let name = name_of(&stage, &id);
        stage
            .world
            .workspace
            .update_faults(|faults| faults.refuse_user_names = vec![name]);
        stage.sync(&[]);
        assert!(stage.held(&id).is_none(), "{gap}");
        stage
            .world
            .workspace
            .update_faults(|faults| faults.refuse_user_names.clear());
        std::thread::sleep(Duration::from_millis(1500));
        stage.sync(&[]);
        assert_eq!(stage.held(&id).is_some(), comes, "{gap}");
    }
}

fn protect() {
    let stage = Stage::new(3, 0);
    stage.converges();
    let (named, other) = (stage.user(1), stage.user(2));
    let list = format!("[\"{}\"]", name_of(&stage, &named));
    let stage = stage.provisioning("protect", &list);
    for id in [&named, &other] {
        stage.world.tenant.disable_user(id);
    }
    stage.sync(&[]);
    assert!(stage.is_active(&named));
    assert!(!stage.is_active(&other));
}

fn refresh_within() {
    for (window, reads) in [("1s", true), ("0s", false), ("24h", false)] {
        let stage = Stage::new(2, 0).provisioning("refresh_within", window);
        stage.converges();
        // The cycle after an initial one begins to count.
        stage.converges();
        std::thread::sleep(Duration::from_millis(1100));
        stage.world.workspace.clear_requests();
        stage.converges();
        let asked = stage.world.workspace.requests();
        let read = asked
            .iter()
            .any(|one| one.method == "GET" && one.path.contains("/Users"));
        assert_eq!(read, reads, "{window}: {asked:?}");
    }
}

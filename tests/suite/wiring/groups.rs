//! `[jobs.NAME.provisioning.groups]`: what happens to groups that leave.

use serde_json::json;

use super::stage::Stage;

super::rows! {
    "jobs.idmelon.provisioning.groups.on_out_of_scope" => on_out_of_scope;
    "jobs.idmelon.provisioning.groups.adopt" => adopt;
    "jobs.idmelon.provisioning.groups.on_delete" => on_delete;
    "jobs.idmelon.provisioning.groups.delete_after" => delete_after;
}

/// One group of two leaves in this way, under each word.
fn leaves(key: &str, leave: impl Fn(&Stage, &str)) {
    for (word, left) in [("keep", Some(5)), ("empty", Some(0)), ("delete", None)] {
        let mut stage = Stage::new(5, 2)
            .source("group_filter", "'displayName REGEX MATCH \"[0-9]$\"'")
            .provisioning("membership_removal_threshold", "100");
        for other in ["on_out_of_scope", "on_delete"] {
            let value = match (other == key, word) {
                (true, word) => word,
                (false, "keep") => "delete",
                (false, _) => "keep",
            };
            stage.set(&format!("jobs.idmelon.provisioning.groups.{other}"), value);
        }
        stage.converges();
        let id = stage.group(1);
        leave(&stage, &id);
        stage.sync(&[]);
        let held = stage.held_group(&id).map(|_| stage.members(&id));
        assert_eq!(held, left, "{key} = {word}");
        assert_eq!(stage.members(&stage.group(0)), 5, "{key} = {word}");
    }
}

fn on_out_of_scope() {
    leaves("on_out_of_scope", |stage, id| {
        stage
            .world
            .tenant
            .set_group(id, json!({"displayName": "Renamed"}));
    });
}

fn on_delete() {
    leaves("on_delete", |stage, id| stage.world.tenant.hard_delete_group(id));
}

fn delete_after() {
    for (wait, left) in [("1h", Some(0)), ("0s", None)] {
        let stage = Stage::new(5, 2)
            .provisioning("groups.delete_after", wait)
            .provisioning("membership_removal_threshold", "100");
        stage.converges();
        let id = stage.group(1);
        stage.world.tenant.hard_delete_group(&id);
        stage.sync(&[]);
        let held = stage.held_group(&id).map(|_| stage.members(&id));
        assert_eq!(held, left, "{wait}");
    }
}

/// A group at the target with the group's name, under each word: taken over, waiting for a person, or left alone.
fn adopt() {
    for (word, adopted, withheld) in [("review", false, 1), ("unclaimed", true, 0), ("never", false, 0)] {
        let stage = Stage::new(2, 1).provisioning("groups.adopt", word);
        let id = stage.group(0);
        let name = stage.world.tenant.group(&id).unwrap()["displayName"].clone();
        stage.world.workspace.insert_group(json!({"displayName": name}));
        let ran = stage.sync(&[]);
        assert_eq!(stage.held_group(&id).is_some(), adopted, "{word}");
        assert_eq!(stage.world.workspace.group_count(), 1, "{word}");
        assert_eq!(ran["withheld"]["count"], withheld, "{word}");
    }
}

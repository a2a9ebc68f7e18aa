//! What happens to users who leave, by the way in which they do.

use serde_json::json;

use super::stage::Stage;

super::rows! {
    "jobs.idmelon.provisioning.on_soft_delete" => on_soft_delete;
    "jobs.idmelon.provisioning.on_hard_delete" => on_hard_delete;
    "jobs.idmelon.provisioning.on_out_of_scope" => on_out_of_scope;
}

/// One user of three leaves in this way, under each word; the others stay as they are.
fn leaves(key: &str, leave: impl Fn(&Stage, &str)) {
    for (word, left) in [("disable", Some(false)), ("delete", None), ("keep", Some(true))] {
        let mut stage = Stage::new(3, 0).source("user_filter", "'companyName EQUALS \"Corp Example\"'");
        // Each of the others is set to another word: none of them answers for this one.
        for other in ["on_soft_delete", "on_hard_delete", "on_out_of_scope"] {
            let value = match (other == key, word) {
                (true, word) => word,
                (false, "keep") => "disable",
                (false, _) => "keep",
            };
            stage.set(&format!("jobs.idmelon.provisioning.{other}"), value);
        }
        stage.converges();
        let id = stage.user(1);
        leave(&stage, &id);
        stage.sync(&[]);
        let held = stage.held(&id).map(|user| user["active"] == true);
        assert_eq!(held, left, "{key} = {word}");
        assert!(stage.is_active(&stage.user(0)), "{key} = {word}");
    }
}

fn on_soft_delete() {
    leaves("on_soft_delete", |stage, id| {
        stage.world.tenant.soft_delete_user(id)
    });
}

fn on_hard_delete() {
    leaves("on_hard_delete", |stage, id| {
        stage.world.tenant.hard_delete_user(id)
    });
}

fn on_out_of_scope() {
    leaves("on_out_of_scope", |stage, id| {
        stage
            .world
            .tenant
            .set_user(id, json!({"companyName": "Elsewhere"}));
    });
}

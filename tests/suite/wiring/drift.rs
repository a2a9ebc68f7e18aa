//! `drift`: what is healed of what another hand changed at the target, as a whole and by class and attribute.

use serde_json::Value;
use serde_json::json;

use super::stage::Stage;

super::rows! {
    "jobs.idmelon.provisioning.drift" => drift;
}

/// What is as the source says after a full cycle, where a title, a name, a membership and a user were changed.
fn healed(policy: &str) -> [bool; 4] {
    let stage = Stage::new(6, 1).provisioning("drift", policy);
    stage.converges();
    let (title, nick, gone) = (stage.user(0), stage.user(1), stage.user(5));
    let id_of = |id: &str| stage.held(id).unwrap()["id"].as_str().unwrap().to_owned();
    let workspace = &stage.world.workspace;
    workspace.edit_user(&id_of(&title), json!({"title": "Pirate"}));
    workspace.edit_user(&id_of(&nick), json!({"displayName": "Pirate"}));
    let group = stage.group(0);
    let held = stage.held_group(&group).unwrap();
    let (left, stay): (Vec<Value>, Vec<Value>) = members(&held)
        .into_iter()
        .partition(|member| member["value"] == id_of(&nick).as_str());
    assert_eq!(left.len(), 1, "{held}");
    workspace.edit_group(held["id"].as_str().unwrap(), json!({"members": stay}));
    workspace.remove_user(&id_of(&gone));
    stage.sync(&["--full"]);
    stage.sync(&[]);
    [
        stage.held(&title).unwrap()["title"] != "Pirate",
        stage.held(&nick).unwrap()["displayName"] != "Pirate",
        members(&stage.held_group(&group).unwrap())
            .iter()
            .any(|member| member["value"] == left[0]["value"]),
        stage.held(&gone).is_some(),
    ]
}

fn members(group: &Value) -> Vec<Value> {
    group["members"].as_array().cloned().unwrap_or_default()
}

fn drift() {
    for (policy, wanted) in [
        ("report", [false, false, false, false]),
        ("heal", [true, true, true, true]),
        ("{ default = \"heal\" }", [true, true, true, true]),
        ("{ title = \"heal\" }", [true, false, false, false]),
        ("{ modified = \"heal\" }", [true, true, false, false]),
        ("{ membership = \"heal\" }", [false, false, true, false]),
        ("{ missing = \"heal\" }", [false, false, false, true]),
    ] {
        assert_eq!(healed(policy), wanted, "{policy}");
    }
}

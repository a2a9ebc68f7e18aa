//! The workspace's part of the remote control, see [`crate::sandbox::control`].

use serde_json::json;

use super::Workspace;
use crate::sandbox::control;
use crate::sandbox::server::Answer;
use crate::sandbox::server::Call;

pub(super) fn answer(workspace: &Workspace, call: &Call) -> Answer {
    match control::asked(call) {
        ("GET", "workspace") => {
            control::answer(&json!({"users": workspace.users(), "groups": workspace.groups()}))
        }
        ("POST", "record-bodies") => {
            workspace.update_options(|options| options.record_bodies = true);
            control::answer(&json!({}))
        }
        ("POST", "enrol") => {
            let asked = control::fields(call);
            let owner = asked["owner"].as_str().unwrap_or_default();
            if asked["present"] == false {
                workspace.delete_keys_of(owner);
            } else {
                workspace.enrol_key(owner);
            }
            control::answer(&json!({"keys": workspace.keys_of(owner)}))
        }
        _ => control::common(&workspace.inner.log, call),
    }
}

//! The app that writes to the tenant on the way back, and what it may not touch.

use serde_json::Value;
use serde_json::json;

use super::Core;
use super::Tenant;
use super::auth::Caller;

/// The object id of the writing app's service principal.
const WRITER_PRINCIPAL: &str = "5a3d0b0c-7e57-4000-8000-0000000000ac";

impl Core {
    /// Returns true where the app that asks owns this group.
    pub(super) fn owns(&self, group: &str) -> bool {
        self.caller == Caller::Writer && self.owned.contains(group)
    }

    /// Returns the owners of a group as Graph lists them.
    pub(super) fn owners(&self, group: &str) -> Value {
        let owner = json!({
            "@odata.type": "#microsoft.graph.servicePrincipal", "id": WRITER_PRINCIPAL, "appId": self.auth.writer.client_id,
        });
        let owners: Vec<Value> = self.owned.contains(group).then_some(owner).into_iter().collect();
        json!({ "value": owners })
    }
}

impl Tenant {
    /// Returns the client id and the secret of the app that writes. It has no permission at first.
    pub fn writer_credentials(&self) -> (String, String) {
        let core = self.core();
        let writer = &core.auth.writer;
        (writer.client_id.clone(), writer.client_secret.clone())
    }

    /// Grants the writing app an application permission; it is in the tokens issued from now on.
    pub fn grant_writer(&self, permission: &str) {
        self.core().auth.grant_writer(permission);
    }

    /// Makes the writing app an owner of a group.
    pub fn let_writer_own(&self, group: &str) {
        self.core().owned.insert(group.to_owned());
    }

    /// Takes the ownership of a group from the writing app.
    pub fn let_writer_disown(&self, group: &str) {
        self.core().owned.remove(group);
    }

    /// Makes a user an administrator: an app without a higher role cannot change what is sensitive of them.
    pub fn make_administrator(&self, user: &str) {
        self.core().administrators.insert(user.to_owned());
    }
}

//! Changes of the workspace unknown to the client: drift, and a workspace that was in use before.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::Workspace;
use super::resources;
use super::schema;
use super::schema::Type;
use crate::sandbox::tenant::Tenant;

impl Workspace {
    /// Stores a user as given, without checks, and returns its id.
    pub fn insert_user(&self, resource: Value) -> String {
        self.insert(Type::User, resource)
    }

    /// Stores a group as given, without checks, and returns its id.
    pub fn insert_group(&self, resource: Value) -> String {
        self.insert(Type::Group, resource)
    }

    fn insert(&self, kind: Type, mut resource: Value) -> String {
        let mut core = self.core();
        if resource.get("schemas").is_none() {
            let mut urns = vec![Value::from(kind.core())];
            let keys = resource.as_object().into_iter().flat_map(Map::keys);
            urns.extend(
                keys.filter(|name| name.contains(':'))
                    .map(|name| Value::from(name.as_str())),
            );
            resource["schemas"] = urns.into();
        }
        let named = super::odd::id_of(&core, kind, &resource);
        let shelf = core.shelf(kind);
        let id = named.unwrap_or_else(|| shelf.next_id());
        shelf.insert(id.clone(), resource);
        id
    }

    /// Merges top-level attributes into a user; null removes one. Returns false where there is no such user.
    pub fn edit_user(&self, id: &str, changes: Value) -> bool {
        self.edit(Type::User, id, changes)
    }

    /// Merges top-level attributes into a group; null removes one.
    pub fn edit_group(&self, id: &str, changes: Value) -> bool {
        self.edit(Type::Group, id, changes)
    }

    fn edit(&self, kind: Type, id: &str, changes: Value) -> bool {
        let mut core = self.core();
        let shelf = core.shelf(kind);
        let Some(mut resource) = shelf.get(id).cloned() else {
            return false;
        };
        if let (Some(map), Value::Object(changes)) = (resource.as_object_mut(), changes) {
            map.extend(changes);
            map.retain(|_, value| !value.is_null());
        }
        shelf.replace(id, resource);
        true
    }

    /// Deletes a user, as an administrator in the panel would. Returns false where there is none.
    pub fn remove_user(&self, id: &str) -> bool {
        resources::remove(&mut self.core(), Type::User, id)
    }

    /// Deletes a group.
    pub fn remove_group(&self, id: &str) -> bool {
        resources::remove(&mut self.core(), Type::Group, id)
    }

    /// Fills a workspace as if in use before the first sync: about `fraction` of the tenant's users and groups exist
    /// already. They match by userName or displayName, some in another case; some carry Entra's old externalId
    /// (mailNickname), most none, and some values differ. Two more belong to no object of the tenant.
    pub fn half_fill(&self, tenant: &Tenant, fraction: f64) {
        let users = tenant.user_ids();
        let take = |count: usize| ((count as f64 * fraction).round() as usize).min(count);
        for (index, id) in users.iter().take(take(users.len())).enumerate() {
            if let Some(user) = tenant.user(id) {
                self.insert_user(existing_user(&user, index));
            }
        }
        let groups = tenant.group_ids();
        for (index, id) in groups.iter().take(take(groups.len())).enumerate() {
            let Some(group) = tenant.group(id) else { continue };
            let mut resource = json!({"displayName": group["displayName"]});
            if index % 2 == 0 {
                resource["description"] = "An older description".into();
            }
            self.insert_group(resource);
        }
        self.insert_user(
            json!({"userName": "breakglass@corp.example", "displayName": "Break glass", "active": true}),
        );
        self.insert_user(json!({"userName": "local.operator@idmelon.example", "active": true}));
    }
}

fn existing_user(user: &Value, index: usize) -> Value {
    let upn = user["userPrincipalName"].as_str().unwrap_or_default();
    // Entra's engine sends a guest as alias@theirdomain (docs/design/entra.md, "Guests").
    let name = match upn.split_once("#EXT#") {
        Some((guest, _)) => guest
            .rsplit_once('_')
            .map_or(guest.to_owned(), |(alias, host)| format!("{alias}@{host}")),
        None => upn.to_owned(),
    };
    let mut resource = json!({
        "userName": if index % 3 == 1 { name.to_uppercase() } else { name },
        "displayName": user["displayName"], "active": true,
        "name": {"givenName": user["givenName"], "familyName": user["surname"]},
    });
    if index.is_multiple_of(2) {
        resource["title"] = "An older title".into();
        resource["emails"] = json!([{"type": "work", "value": "older@corp.example", "primary": true}]);
    }
    if index % 5 == 2 {
        resource["externalId"] = user["mailNickname"].clone();
    }
    if index % 7 == 3 {
        resource["nickName"] = "kept by hand".into();
        resource[schema::ENTERPRISE] = json!({"department": "An older department", "costCenter": "4711"});
    }
    resource
}

//! `/ServiceProviderConfig`, `/Schemas` and `/ResourceTypes` (RFC 7643 sections 5 to 7).

use serde_json::Value;
use serde_json::json;

use super::WorkspaceOptions;
use super::schema;
use super::schema::Type;

pub(super) fn service_provider_config(options: &WorkspaceOptions) -> Value {
    let odd = &options.odd;
    let mut config = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "patch": {"supported": options.patch_supported || odd.patch_unannounced},
        "bulk": {"supported": false, "maxOperations": 0, "maxPayloadSize": 0},
        "filter": {"supported": options.filters, "maxResults": options.max_results},
        "changePassword": {"supported": false}, "sort": {"supported": false}, "etag": {"supported": false},
        "authenticationSchemes": [{"type": "oauthbearertoken", "name": "Bearer", "description": "SCIM token"}],
        "meta": {"resourceType": "ServiceProviderConfig"},
    });
    if odd.cursor_paging || odd.cursor_refused {
        config["pagination"] =
            json!({"cursor": true, "index": !odd.cursor_paging, "maxPageSize": options.max_results});
    }
    config
}

fn list(resources: Vec<Value>) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": resources.len(),
        "startIndex": 1, "itemsPerPage": resources.len(), "Resources": resources})
}

/// Returns all schemas, or the one that is named.
pub(super) fn schemas(only: Option<&str>, options: &WorkspaceOptions) -> Option<Value> {
    let one = |id: &str, name: &str, attributes: Vec<Value>| {
        json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"], "id": id, "name": name, "description": name,
            "attributes": attributes, "meta": {"resourceType": "Schema", "location": format!("Schemas/{id}")}})
    };
    let mut all = vec![
        one(schema::USER, "User", schema::core_attributes(Type::User, options)),
        one(
            schema::GROUP,
            "Group",
            schema::core_attributes(Type::Group, options),
        ),
    ];
    for (urn, attributes) in Type::User.extensions(options) {
        let name = if urn == schema::ENTERPRISE {
            "EnterpriseUser"
        } else {
            "IDmelonUser"
        };
        all.push(one(urn, name, schema::described(attributes)));
    }
    match only {
        None => Some(list(all)),
        Some(id) => all.into_iter().find(|schema| {
            schema["id"]
                .as_str()
                .is_some_and(|known| known.eq_ignore_ascii_case(id))
        }),
    }
}

/// Returns both resource types, or the one that is named.
pub(super) fn resource_types(only: Option<&str>, options: &WorkspaceOptions) -> Option<Value> {
    let one = |kind: Type| {
        let extensions: Vec<Value> = kind
            .extensions(options)
            .iter()
            .map(|(urn, _)| json!({"schema": urn, "required": false}))
            .collect();
        json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"], "id": kind.name(), "name": kind.name(),
            "endpoint": format!("/{}", kind.endpoint()), "schema": kind.core(), "schemaExtensions": extensions,
            "meta": {"resourceType": "ResourceType", "location": format!("ResourceTypes/{}", kind.name())}})
    };
    let all = vec![one(Type::User), one(Type::Group)];
    match only {
        None => Some(list(all)),
        Some(id) => all.into_iter().find(|kind| kind["id"] == id),
    }
}

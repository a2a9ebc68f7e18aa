//! Each odd behaviour, with its switch and without: the switch makes the difference, and is off by default.

use super::*;
use crate::sandbox::Oddities;

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const IDMELON: &str = "urn:ietf:params:scim:schemas:extension:IDmelon:2.0:User";

/// A workspace with the users `a`, `b` and `c`, all of them in one group.
struct Three {
    workspace: Workspace,
    _server: Server,
    scim: Scim,
    ids: [String; 4],
}

impl Three {
    async fn with(switch: fn(&mut Oddities)) -> Three {
        let (workspace, server, scim) = start().await;
        let user = |name: &str| {
            let name = format!("{name}@corp.example");
            workspace.insert_user(
                json!({"userName": name, "active": true, "name": {"familyName": "K", "givenName": "G"}}),
            )
        };
        let users = ["a", "b", "c"].map(user);
        let members: Vec<Value> = users.iter().map(|id| json!({"value": id})).collect();
        let group = workspace.insert_group(json!({"displayName": "G", "members": members}));
        workspace.update_faults(|faults| switch(&mut faults.odd));
        let [a, b, c] = users;
        Three {
            workspace,
            _server: server,
            scim,
            ids: [a, b, c, group],
        }
    }

    /// Returns a text with the ids in the places of `$A`, `$B`, `$C` and `$G`.
    fn fill(&self, text: &str) -> String {
        let names = ["$A", "$B", "$C", "$G"];
        names
            .iter()
            .zip(&self.ids)
            .fold(text.to_owned(), |text, (name, id)| text.replace(name, id))
    }

    /// Sends a request. Returns its status, and what was left behind: the first user, how many are in the group, how
    /// many users there are.
    async fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value, Value) {
        let body = (method != "GET" && method != "DELETE")
            .then(|| serde_json::from_str(&self.fill(&body.to_string())).unwrap());
        let (status, answer) = self.scim.send(method, &self.fill(path), body).await.unwrap();
        let count = self
            .workspace
            .group(&self.ids[3])
            .map(|group| group["members"].as_array().map_or(0, Vec::len));
        let mut user = self.workspace.users().first().cloned().unwrap_or_default();
        if let Some(user) = user.as_object_mut() {
            user.remove("meta");
            user.remove("schemas");
        }
        (
            status,
            json!({"user": user, "members": count, "users": self.workspace.user_count()}),
            answer,
        )
    }
}

fn operations(list: Value) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": list})
}

/// Name, switch, request; status without and with the switch, members that are left with it.
type Case = (
    &'static str,
    fn(&mut Oddities),
    (&'static str, &'static str, Value),
    (u16, u16),
    u64,
);

fn cases() -> Vec<Case> {
    let patch = |path: &'static str, list: Value| ("PATCH", path, operations(list));
    let by_path = json!([{"op": "remove", "path": "members[value eq \"$A\"]"}]);
    let by_array = json!([{"op": "remove", "path": "members", "value": [{"value": "$A"}]}]);
    let surname = json!([{"op": "replace", "path": "name.familyName", "value": "N"}]);
    let inactive = json!([{"op": "replace", "path": "active", "value": false}]);
    let title = json!([{"op": "replace", "path": "title", "value": "T"}]);
    let own = json!([{"op": "replace", "path": format!("{IDMELON}:immutable_id"), "value": "i"}]);
    let manager =
        json!([{"op": "replace", "path": format!("{ENTERPRISE}:manager"), "value": {"value": "$B"}}]);
    let phone = json!([{"op": "add", "path": "phoneNumbers", "value": [{"type": "work", "value": "1"}]}]);
    let bad_second = json!([{"op": "replace", "path": "title", "value": "T"}, {"op": "replace", "path": "shoeSize", "value": 4}]);
    let created = |extra: Value| {
        let mut user = json!({"schemas": [USER], "userName": "new@corp.example"});
        user.as_object_mut()
            .unwrap()
            .extend(extra.as_object().unwrap().clone());
        ("POST", "Users", user)
    };
    vec![
        (
            "literal sub-attribute",
            |o| o.literal_sub_attribute = true,
            patch("Users/$A", surname),
            (200, 200),
            3,
        ),
        (
            "literal extension",
            |o| o.literal_extension = true,
            patch("Users/$A", own.clone()),
            (200, 200),
            3,
        ),
        (
            "silent removal by or",
            |o| o.silent_or_removal = true,
            patch(
                "Groups/$G",
                json!([{"op": "remove", "path": "members[value eq \"$A\" or value eq \"$B\"]"}]),
            ),
            (200, 200),
            3,
        ),
        (
            "replace merges",
            |o| o.replace_merges_members = true,
            patch(
                "Groups/$G",
                json!([{"op": "replace", "path": "members", "value": [{"value": "$A"}]}]),
            ),
            (200, 200),
            3,
        ),
        (
            "silent removal of all",
            |o| o.silent_removal_of_all = true,
            patch("Groups/$G", json!([{"op": "remove", "path": "members"}])),
            (200, 200),
            3,
        ),
        (
            "not atomic",
            |o| o.not_atomic = true,
            patch("Users/$A", bad_second),
            (400, 200),
            3,
        ),
        (
            "silent removal by path",
            |o| o.silent_path_removal = true,
            patch("Groups/$G", by_path.clone()),
            (200, 200),
            3,
        ),
        (
            "removal by path removes all",
            |o| o.path_removal_removes_all = true,
            patch("Groups/$G", by_path.clone()),
            (200, 200),
            0,
        ),
        (
            "adding replaces",
            |o| o.add_replaces_members = true,
            patch(
                "Groups/$G",
                json!([{"op": "add", "path": "members", "value": [{"value": "$A"}]}]),
            ),
            (200, 200),
            1,
        ),
        (
            "silent active",
            |o| o.silent_active = true,
            patch("Users/$A", inactive.clone()),
            (200, 200),
            3,
        ),
        (
            "removal by path refused",
            |o| o.path_removal_refused = true,
            patch("Groups/$G", by_path),
            (200, 501),
            3,
        ),
        (
            "removal by array",
            |o| o.array_removal = true,
            patch("Groups/$G", by_array.clone()),
            (400, 200),
            2,
        ),
        (
            "removal by array removes all",
            |o| o.array_removal_removes_all = true,
            patch("Groups/$G", by_array),
            (400, 200),
            0,
        ),
        (
            "extension dropped",
            |o| o.extension_dropped = true,
            patch("Users/$A", own.clone()),
            (200, 200),
            3,
        ),
        (
            "extension refused",
            |o| o.extension_refused = true,
            patch("Users/$A", own),
            (200, 400),
            3,
        ),
        (
            "extension URN refused",
            |o| o.extension_urn_refused = true,
            (
                "POST",
                "Users",
                json!({"schemas": [USER, IDMELON], "userName": "n@x", IDMELON: {"immutable_id": "i"}}),
            ),
            (201, 400),
            3,
        ),
        (
            "no schemas",
            |o| o.no_schemas = true,
            ("GET", "Schemas", json!(null)),
            (200, 404),
            3,
        ),
        (
            "booleans only as strings",
            |o| o.booleans_only_as_strings = true,
            patch("Users/$A", inactive),
            (200, 400),
            3,
        ),
        (
            "strings as booleans",
            |o| o.booleans_only_as_strings = true,
            patch(
                "Users/$A",
                json!([{"op": "replace", "path": "active", "value": "False"}]),
            ),
            (400, 200),
            3,
        ),
        (
            "no path-less PATCH",
            |o| o.pathless_refused = true,
            patch("Users/$A", json!([{"op": "replace", "value": {"title": "T"}}])),
            (200, 400),
            3,
        ),
        (
            "capital ops only",
            |o| o.capital_ops_only = true,
            patch("Users/$A", title.clone()),
            (200, 400),
            3,
        ),
        (
            "manager only as a string",
            |o| o.manager_only_as_string = true,
            patch("Users/$A", manager),
            (200, 400),
            3,
        ),
        (
            "manager as a string",
            |o| o.manager_only_as_string = true,
            patch(
                "Users/$A",
                json!([{"op": "replace", "path": format!("{ENTERPRISE}:manager"), "value": "$B"}]),
            ),
            (400, 200),
            3,
        ),
        (
            "whole elements refused",
            |o| o.whole_element_refused = true,
            patch("Users/$A", phone),
            (200, 400),
            3,
        ),
        (
            "a path makes an element",
            |o| o.whole_element_refused = true,
            patch(
                "Users/$A",
                json!([{"op": "add", "path": "phoneNumbers[type eq \"work\"].value", "value": "1"}]),
            ),
            (400, 200),
            3,
        ),
        (
            "PATCH unannounced",
            |o| o.patch_unannounced = true,
            patch("Users/$A", title.clone()),
            (200, 501),
            3,
        ),
        (
            "no PATCH",
            |o| o.no_patch = true,
            patch("Users/$A", title.clone()),
            (200, 501),
            3,
        ),
        (
            "no filters",
            |o| o.no_filters = true,
            ("GET", "Users?filter=userName%20eq%20%22x%22", json!(null)),
            (200, 501),
            3,
        ),
        (
            "special characters",
            |o| o.special_characters_fail = true,
            ("GET", "Users?filter=userName%20eq%20%22o'hara%22", json!(null)),
            (200, 400),
            3,
        ),
        (
            "largest PATCH",
            |o| o.most_members_in_patch = Some(1),
            patch(
                "Groups/$G",
                json!([{"op": "remove", "path": "members[value eq \"$A\"]"}, {"op": "remove", "path": "members[value eq \"$B\"]"}]),
            ),
            (200, 413),
            3,
        ),
        (
            "cursors refused",
            |o| o.cursor_refused = true,
            ("GET", "Users?cursor=&count=2", json!(null)),
            (200, 501),
            3,
        ),
        (
            "index refused",
            |o| o.cursor_paging = true,
            ("GET", "Users?startIndex=2&count=2", json!(null)),
            (200, 400),
            3,
        ),
        (
            "duplicate members",
            |o| o.duplicate_members = true,
            patch(
                "Groups/$G",
                json!([{"op": "add", "path": "members", "value": [{"value": "$A"}]}]),
            ),
            (200, 200),
            4,
        ),
        (
            "names by case",
            |o| o.case_sensitive_names = true,
            created(json!({"userName": "A@corp.example"})),
            (409, 201),
            3,
        ),
        (
            "second DELETE",
            |o| o.second_delete_500 = true,
            ("DELETE", "Users/nobody", json!(null)),
            (404, 500),
            3,
        ),
        (
            "nameless create",
            |o| o.nameless_create = true,
            ("POST", "Users", json!({"schemas": [USER]})),
            (400, 201),
            3,
        ),
        (
            "group names",
            |o| o.unique_group_names = true,
            (
                "POST",
                "Groups",
                json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": "g"}),
            ),
            (201, 409),
            3,
        ),
        (
            "dangling members",
            |o| o.dangling_members = true,
            ("DELETE", "Users/$A", json!(null)),
            (204, 204),
            3,
        ),
        (
            "no body",
            |o| o.patch_without_body = true,
            patch("Users/$A", title),
            (200, 204),
            3,
        ),
    ]
}

#[tokio::test]
async fn each_switch_makes_the_difference_that_it_is_named_for() {
    for (name, switch, (method, path, body), (without, with), members) in cases() {
        let (plain, odd) = (Three::with(|_| {}).await, Three::with(switch).await);
        let (status, left, _) = plain.ask(method, path, &body).await;
        assert_eq!(status, without, "{name}: without the switch");
        let (status, changed, answer) = odd.ask(method, path, &body).await;
        assert_eq!(status, with, "{name}: {answer}");
        assert_eq!(changed["members"], members, "{name}");
        assert!(
            without != with || left != changed,
            "{name}: the switch changes nothing: {left}"
        );
    }
}

#[tokio::test]
async fn answers_differ_as_their_switches_say() {
    let listing = Three::with(|odd| odd.cursor_paging = true).await;
    let (_, first) = listing.scim.get("Users?cursor=&count=2").await;
    assert_eq!(
        (&first["nextCursor"], first.get("startIndex")),
        (&json!("3"), None)
    );
    let (_, last) = listing.scim.get("Users?cursor=3&count=2").await;
    assert_eq!(
        (
            last["Resources"].as_array().unwrap().len(),
            last.get("nextCursor")
        ),
        (1, None)
    );
    let object = Three::with(|odd| odd.status_object = true).await;
    assert_eq!(
        object.scim.get("Users/nobody").await.1["status"],
        json!({"code": "404"})
    );
    let number = Three::with(|odd| odd.status_number = true).await;
    assert_eq!(number.scim.get("Users/nobody").await.1["status"], 404);
    let stuck = Three::with(|odd| odd.ignored_paging = true).await;
    let (_, page) = stuck.scim.get("Users?startIndex=3&count=1").await;
    assert_eq!(
        (page["Resources"].as_array().unwrap().len(), &page["startIndex"]),
        (3, &json!(1))
    );
    for (switch, location) in [
        ((|odd| odd.missing_location = true) as fn(&mut Oddities), None),
        (|odd| odd.relative_location = true, Some("/api/")),
    ] {
        let odd = Three::with(switch).await;
        let user = odd
            .scim
            .create_user(json!({"userName": "new@corp.example"}))
            .await;
        let found = user["meta"]["location"].as_str();
        assert_eq!(found.map(|text| &text[..5]), location);
    }
    let empty = Three::with(|odd| odd.external_id_filter_empty = true).await;
    empty
        .scim
        .create_user(json!({"userName": "e@corp.example", "externalId": "E"}))
        .await;
    assert_eq!(
        empty.scim.find("Users", "externalId eq \"E\"").await.1["totalResults"],
        0
    );
    let exact = Three::with(|odd| odd.exact_case_filters = true).await;
    assert_eq!(
        exact.scim.find("Users", "userName eq \"A@corp.example\"").await.1["totalResults"],
        0
    );
}

#[tokio::test]
async fn an_id_that_is_a_name_moves_with_it_and_references_follow() {
    let (workspace, _server, scim) = start().await;
    workspace.update_faults(|faults| faults.odd.ids_from_names = true);
    let user = scim.create_user(json!({"userName": "a@corp.example"})).await;
    assert_eq!(user["id"], "a%40corp.example");
    let report = scim
        .create_user(
            json!({"userName": "b@corp.example", ENTERPRISE: {"manager": {"value": "a%40corp.example"}}}),
        )
        .await;
    let group =
        workspace.insert_group(json!({"displayName": "G", "members": [{"value": "a%40corp.example"}]}));
    let rename = json!([{"op": "replace", "path": "userName", "value": "new@corp.example"}]);
    let (status, moved) = scim.patch("Users/a%2540corp.example", rename).await;
    assert_eq!((status, &moved["id"]), (200, &json!("new%40corp.example")));
    assert_eq!(scim.get("Users/a%2540corp.example").await.0, 404);
    assert_eq!(
        workspace.group(&group).unwrap()["members"][0]["value"],
        "new%40corp.example"
    );
    let report = workspace.user(report["id"].as_str().unwrap()).unwrap();
    assert_eq!(report[ENTERPRISE]["manager"]["value"], "new%40corp.example");
}

#[tokio::test]
async fn what_is_stored_under_a_wrong_key_cannot_be_put_back() {
    for switch in [
        (|odd| odd.literal_sub_attribute = true) as fn(&mut Oddities),
        |odd| odd.literal_extension = true,
    ] {
        let odd = Three::with(switch).await;
        let path = odd.fill("Users/$A");
        let both = json!([{"op": "replace", "path": "name.familyName", "value": "N"},
            {"op": "replace", "path": format!("{IDMELON}:immutable_id"), "value": "i"}]);
        assert_eq!(odd.scim.patch(&path, both).await.0, 200);
        let (_, read) = odd.scim.get(&path).await;
        assert_eq!(odd.scim.send("PUT", &path, Some(read)).await.unwrap().0, 400);
    }
}

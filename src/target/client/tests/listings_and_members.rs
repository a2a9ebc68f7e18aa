//! Listings that page oddly, and groups that refuse the usual form of removal.

use super::*;

async fn listed(target: &ScimTarget) -> (Vec<String>, usize) {
    let (mut ids, mut pages, mut from) = (Vec::new(), 0, None);
    loop {
        let page = target.list(USER, from).await.unwrap();
        ids.extend(page.resources.iter().map(|resource| resource.id.to_string()));
        pages += 1;
        assert!(pages < 10, "the listing does not end");
        match page.next {
            Some(next) => from = Some(next),
            None => return (ids, pages),
        }
    }
}

#[tokio::test]
async fn listings_end_whatever_the_server_does_with_paging() {
    let page = |ids: &[&str]| json!(ids.iter().map(|id| json!({"id": id})).collect::<Vec<_>>());
    let short = world(move |n, _| match n {
        0 => said(200, json!({"totalResults": 3, "Resources": page(&["a", "b"])})),
        _ => said(200, json!({"totalResults": 3, "Resources": page(&["c"])})),
    })
    .await;
    assert_eq!(
        listed(&short.target).await,
        (vec!["a".into(), "b".into(), "c".into()], 2)
    );
    assert_eq!(short.lines()[1], "GET /scim/v2/Users?startIndex=3&count=500");
    let stuck =
        world(move |_, _| said(200, json!({"totalResults": 9, "Resources": page(&["a", "b"])}))).await;
    assert_eq!(listed(&stuck.target).await.1, 2, "startIndex is ignored");
    let cursors = world(move |_, (_, path, _)| match path.as_str() {
        path if path.ends_with("ServiceProviderConfig") => {
            said(200, json!({"pagination": {"cursor": true, "maxPageSize": 2}}))
        }
        path if path.contains("cursor=c1&") => {
            said(200, json!({"totalResults": 3, "Resources": page(&["c"])}))
        }
        path if path.contains("cursor=&count=2") => said(
            200,
            json!({"totalResults": 3, "nextCursor": "c1", "Resources": page(&["a", "b"])}),
        ),
        _ => said(400, json!({})),
    })
    .await;
    assert_eq!(listed(&cursors.target).await.0, ["a", "b", "c"]);
}

/// A group server that refuses removal by path; the array form is refused, works, or empties the group.
async fn group_server(array: &'static str) -> World {
    let members = Mutex::new(vec!["a".to_owned(), "b".to_owned(), "c".to_owned()]);
    world(move |_, (method, path, body)| {
        let mut members = members.lock().unwrap();
        let ids = |list: &Json| -> Vec<String> {
            list.as_array()
                .into_iter()
                .flatten()
                .map(|m| m["value"].as_str().unwrap().to_owned())
                .collect()
        };
        if path.ends_with("ServiceProviderConfig") {
            return (404, vec![], String::new());
        }
        if method == "PUT" {
            *members = ids(&body["members"]);
        }
        for operation in body["Operations"].as_array().into_iter().flatten() {
            match (
                operation["op"].as_str().unwrap(),
                operation["path"].as_str().unwrap(),
                array,
            ) {
                ("add", "members", _) => members.extend(ids(&operation["value"])),
                ("remove", "members", "works") => members.retain(|id| !ids(&operation["value"]).contains(id)),
                ("remove", "members", "empties") => members.clear(),
                ("remove", "members", "silent") | ("replace", ..) => {}
                _ => return (501, vec![], String::new()),
            }
        }
        let list: Vec<Json> = members.iter().map(|id| json!({"value": id})).collect();
        said(200, json!({"id": "g", "members": list}))
    })
    .await
}

#[tokio::test]
async fn members_go_by_path_then_by_array_then_by_put_and_nobody_else_goes() {
    for (array, put) in [
        ("works", false),
        ("refused", true),
        ("silent", true),
        ("empties", false),
    ] {
        let world = group_server(array).await;
        let group = id("g");
        world
            .target
            .patch(GROUP, &group, &membership(&[], &["b", "b"]))
            .await
            .unwrap();
        let left = world.target.read(GROUP, &group).await.unwrap().unwrap();
        assert_eq!(
            left.body["members"],
            json!([{"value": "a"}, {"value": "c"}]),
            "{array}"
        );
        assert_eq!(
            world.lines().iter().any(|line| line.starts_with("PUT")),
            put,
            "{array}"
        );
        if array == "empties" {
            let before = world.seen().len();
            world
                .target
                .patch(GROUP, &group, &membership(&[], &["c"]))
                .await
                .unwrap();
            let array_again = world.seen()[before..].iter().any(|(_, _, body)| {
                body["Operations"][0]["op"] == "remove" && body["Operations"][0]["path"] == "members"
            });
            assert!(!array_again, "an unsafe form is not used again");
        }
    }
}

#[tokio::test]
async fn many_requests_at_once_all_get_their_answer() {
    let world = world(|_, _| said(200, json!({"id": "u"}))).await;
    let reads = (0..50).map(|n| {
        let (target, id) = (&world.target, id(&format!("u-{n}")));
        async move { target.read(USER, &id).await.unwrap() }
    });
    assert_eq!(futures::future::join_all(reads).await.len(), 50);
    assert_eq!(world.target.traffic().requests, 50);
}

#[tokio::test]
async fn a_member_who_is_gone_already_does_not_keep_the_others_in() {
    let members = Mutex::new(vec!["a"]);
    let world = world(move |_, (method, _, body)| {
        let mut members = members.lock().unwrap();
        let names = |id: &str| {
            let path = format!("members[value eq \"{id}\"]");
            let operations = body["Operations"].as_array();
            operations
                .into_iter()
                .flatten()
                .any(|op| op["path"] == path.as_str())
        };
        match method.as_str() {
            "PATCH" if names("x") => said(400, json!({"scimType": "noTarget"})),
            "PATCH" => {
                members.retain(|id| !names(id));
                (204, vec![], String::new())
            }
            _ => {
                let members: Vec<Json> = members.iter().map(|id| json!({"value": id})).collect();
                said(200, json!({"id": "g", "members": members}))
            }
        }
    })
    .await;
    world
        .target
        .patch(GROUP, &id("g"), &membership(&[], &["x", "a"]))
        .await
        .unwrap();
    let patches: Vec<Json> = world
        .seen()
        .into_iter()
        .filter(|seen| seen.0 == "PATCH")
        .map(|seen| seen.2)
        .collect();
    assert_eq!(patches.len(), 1);
    assert_eq!(
        patches[0]["Operations"],
        json!([{"op": "remove", "path": "members[value eq \"a\"]"}])
    );
}

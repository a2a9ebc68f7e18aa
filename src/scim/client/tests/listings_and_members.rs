//! Listings that page oddly, and groups that refuse the usual form of removal.

use super::*;
use crate::ports::ListPosition;
use crate::ports::Paged;

/// Asks for one page after the other, until none is left.
async fn listed(target: &ScimTarget) -> (Vec<String>, usize) {
    let (mut ids, mut pages, mut from) = (Vec::new(), 0, None);
    loop {
        let page = target.list(USER, from).await.unwrap();
        let fresh = page.resources.iter().map(|resource| resource.id.to_string());
        let fresh: Vec<String> = fresh.filter(|id| !ids.contains(id)).collect();
        pages += 1;
        assert!(pages < 10, "the listing does not end");
        from = match page.paged {
            Paged::Index(start) if !fresh.is_empty() => Some(ListPosition::Index(start + page.entries)),
            Paged::Index(_) | Paged::Cursor(None) => None,
            Paged::Cursor(Some(cursor)) => Some(ListPosition::Cursor(cursor)),
        };
        ids.extend(fresh);
        if from.is_none() {
            return (ids, pages);
        }
    }
}

fn page(ids: &[&str]) -> Json {
    json!(ids.iter().map(|id| json!({"id": id})).collect::<Vec<_>>())
}

#[tokio::test]
async fn pages_are_asked_for_by_what_was_returned() {
    let short = world(move |n, _| match n {
        0 => said(200, json!({"totalResults": 3, "Resources": page(&["a", "b"])})),
        1 => said(200, json!({"totalResults": 3, "Resources": page(&["c"])})),
        _ => said(200, json!({"totalResults": 3})),
    })
    .await;
    assert_eq!(
        listed(&short.target).await,
        (vec!["a".into(), "b".into(), "c".into()], 3)
    );
    assert_eq!(short.lines()[1], "GET /scim/v2/Users?startIndex=3&count=500");
    let cursors = world(move |_, (_, path, _)| match path.as_str() {
        path if path.ends_with("ServiceProviderConfig") => {
            said(200, json!({"pagination": {"cursor": true, "maxPageSize": 2}}))
        }
        path if path.contains("cursor=7&") => {
            said(200, json!({"totalResults": 3, "Resources": page(&["c"])}))
        }
        path if path.contains("cursor=&count=2") => said(
            200,
            json!({"totalResults": 3, "nextCursor": 7, "Resources": page(&["a", "b"])}),
        ),
        _ => said(400, json!({})),
    })
    .await;
    assert_eq!(listed(&cursors.target).await.0, ["a", "b", "c"]);
    let by_index_all_the_same = world(move |_, (_, path, _)| match path.as_str() {
        path if path.ends_with("ServiceProviderConfig") => said(200, json!({"pagination": {"cursor": true}})),
        path if path.contains("startIndex=2&") => {
            said(200, json!({"totalResults": 2, "Resources": page(&["b"])}))
        }
        path if path.contains("startIndex=3&") => said(200, json!({"totalResults": 2})),
        _ => said(
            200,
            json!({"totalResults": 2, "startIndex": 1, "Resources": page(&["a"])}),
        ),
    })
    .await;
    assert_eq!(listed(&by_index_all_the_same.target).await.0, ["a", "b"]);
}

#[tokio::test]
async fn a_listing_refused_for_its_count_is_asked_for_with_a_smaller_one_and_then_without() {
    let world = world(move |_, (_, path, _)| match path.as_str() {
        path if path.contains("count=") => said(422, json!({"detail": "count"})),
        path if path.contains("startIndex=1") => said(200, json!({"Resources": page(&["a"])})),
        _ => said(200, json!({"Resources": []})),
    })
    .await;
    for listing in 0..3 {
        assert_eq!(
            listed(&world.target).await,
            (vec!["a".to_owned()], 2),
            "{listing}"
        );
    }
    let lines = world.lines();
    let once = [
        "GET /scim/v2/Users?startIndex=1&count=500",
        "GET /scim/v2/Users?startIndex=1&count=100",
        "GET /scim/v2/Users?startIndex=1",
        "GET /scim/v2/Users?startIndex=2",
    ];
    assert_eq!(lines[..4], once);
    let before = lines.len();
    listed(&world.target).await;
    // Once three listings at different moments agreed, it is asked for in the accepted form at once.
    assert!(world.lines().len() - before <= 4);
    let refused = super::world(move |_, _| said(422, json!({"detail": "no lists"}))).await;
    let error = refused.target.list(USER, None).await.unwrap_err();
    assert!(error.to_string().contains("no lists"), "{error}");
    assert_eq!(refused.lines().len(), 3);
}

/// Starts a group server that refuses removal by path; the array form is refused, works, or empties the group.
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
    let world = world(|_, (_, path, _)| said(200, json!({"id": seen_id(path)}))).await;
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

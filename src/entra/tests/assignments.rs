//! The assignment list over the wire (docs/design/graph.md, "Other reads").

use super::*;
use crate::model::assignment::Assignment;
use crate::model::assignment::RoleId;

const APPLICATION: u32 = 77;
const ROLE: &str = "99999999-0000-4000-8000-000000000001";

fn entry(number: u32, principal_type: &str, role: &str) -> Json {
    json!({"id": format!("a{number}"), "appRoleId": role, "principalId": id(number), "principalType": principal_type,
        "principalDisplayName": "Ada", "resourceId": id(APPLICATION), "deletedDateTime": null, "createdDateTime": "x"})
}

fn user(number: u32) -> Json {
    entry(number, "User", "00000000-0000-0000-0000-000000000000")
}

/// Plays pages in turn; each leads to the next.
async fn pages(pages: Vec<Json>) -> (Arc<Graph>, Result<AssignmentList, SourceError>) {
    let graph = Graph::with_tokens(move |graph, _, before| {
        let mut body = json!({"value": pages[before]});
        if before + 1 < pages.len() {
            body["@odata.nextLink"] = graph
                .link(&format!(
                    "servicePrincipals/x/appRoleAssignedTo?$skiptoken=p{before}"
                ))
                .into();
        }
        json(200, &body)
    })
    .await;
    let list = graph.source().assignments(id(APPLICATION)).await;
    (graph, list)
}

#[tokio::test]
async fn the_list_is_read_to_its_last_page() {
    let (graph, list) = pages(vec![
        json!([user(2), entry(1, "Group", ROLE)]),
        json!([]),
        json!([
            entry(2, "user", ROLE),
            entry(5, "ServicePrincipal", ROLE),
            entry(6, "SomethingNew", ROLE)
        ]),
    ])
    .await;
    let list = list.unwrap();
    let role = RoleId(ROLE.parse().unwrap());
    let assigned = |kind, number, role| Assignment {
        kind,
        principal: id(number),
        role,
    };
    assert_eq!(
        list.entries(),
        [
            assigned(ObjectKind::User, 2, RoleId::DEFAULT_ACCESS),
            assigned(ObjectKind::User, 2, role),
            assigned(ObjectKind::Group, 1, role)
        ]
    );
    let asked = graph.asked();
    assert_eq!(asked.len(), 3);
    assert_eq!(
        asked[0].path,
        format!("/v1.0/servicePrincipals/{}/appRoleAssignedTo", id(APPLICATION))
    );
    assert_eq!(asked[0].query, [("$top".to_owned(), "999".to_owned())]);
    assert_eq!(asked[2].query, [("$skiptoken".to_owned(), "p1".to_owned())]);
}

#[tokio::test]
async fn a_list_without_an_end_is_given_up() {
    let many: Vec<Json> = (0..500).map(user).collect();
    for (name, page, most) in [
        ("the same page again and again", json!(many), 30),
        ("empty pages", json!([]), 1001),
        (
            "pages of what does not count",
            json!([entry(5, "ServicePrincipal", ROLE)]),
            1001,
        ),
    ] {
        let graph = Graph::with_tokens(move |graph, _, before| {
            let link = graph.link(&format!(
                "servicePrincipals/x/appRoleAssignedTo?$skiptoken=p{before}"
            ));
            json(200, &json!({"value": page, "@odata.nextLink": link}))
        })
        .await;
        let source = graph.source();
        let read = source.assignments(id(APPLICATION));
        let list = tokio::time::timeout(Duration::from_secs(60), read)
            .await
            .expect(name);
        assert!(
            matches!(list, Err(SourceError::Malformed { .. })),
            "{name}: {list:?}"
        );
        assert!(graph.asked().len() <= most, "{name}: {}", graph.asked().len());
    }
}

#[tokio::test]
async fn an_empty_list_is_a_list() {
    assert_eq!(pages(vec![json!([])]).await.1.unwrap(), AssignmentList::default());
}

#[tokio::test]
async fn a_list_that_was_not_read_whole_is_an_error_and_never_a_shorter_list() {
    type Play = Box<dyn Fn(&Graph, usize) -> Played + Send + Sync>;
    let ok = || json!([user(1)]);
    let next = |graph: &Graph, to: &str| {
        json(
            200,
            &json!({"value": [user(1)], "@odata.nextLink": graph.link(to)}),
        )
    };
    let single = |body: Json| -> Play { Box::new(move |_, _| json(200, &body)) };
    let deleted = |field: &str| {
        let mut entry = user(1);
        entry.as_object_mut().unwrap().remove(field);
        json!({"value": [entry]})
    };
    let cases: Vec<(&str, Play, &str)> = vec![
        ("no value", single(json!({})), "missing field `value`"),
        ("null value", single(json!({"value": null})), "unexpected type"),
        (
            "value is no list",
            single(json!({"value": {"id": "1"}})),
            "unexpected type",
        ),
        (
            "a principal without an id",
            single(deleted("principalId")),
            "missing field `principalId`",
        ),
        (
            "an entry without a role",
            single(deleted("appRoleId")),
            "missing field `appRoleId`",
        ),
        (
            "an entry without a type",
            single(deleted("principalType")),
            "missing field `principalType`",
        ),
        (
            "an id that is none",
            single(json!({"value": [entry(1, "User", "Ada")]})),
            "unexpected type",
        ),
        (
            "about another application",
            single(
                json!({"value": [{"appRoleId": ROLE, "principalId": id(1), "principalType": "User", "resourceId": id(3)}]}),
            ),
            "another application",
        ),
        (
            "an entry twice",
            single(json!({"value": [user(1), user(1)]})),
            "occurs twice",
        ),
        (
            "torn in the middle",
            Box::new(move |_, _| {
                (
                    200,
                    vec![("content-type", "application/json".into())],
                    r#"{"value":[{"appRoleId""#.into(),
                )
            }),
            "ends in the middle",
        ),
        (
            "an HTML page",
            Box::new(|_, _| (200, vec![("content-type", "text/html".into())], "<html>".into())),
            "HTML",
        ),
        (
            "a link elsewhere",
            Box::new(|_, _| {
                json(
                    200,
                    &json!({"value": [user(1)], "@odata.nextLink": "https://graph.example.net/v1.0/x?$skiptoken=1"}),
                )
            }),
            "not followed",
        ),
        (
            "a circle of links",
            Box::new(move |graph, before| {
                let body = json!([user(u32::try_from(before).unwrap())]);
                json(
                    200,
                    &json!({"value": body, "@odata.nextLink": graph.link("x?$skiptoken=same")}),
                )
            }),
            "read already",
        ),
        (
            "a second page that fails",
            Box::new(move |graph, before| {
                if before == 0 {
                    next(graph, "x?$skiptoken=1")
                } else {
                    error(503, "ServiceUnavailable")
                }
            }),
            "503",
        ),
        (
            "a second page without value",
            Box::new(move |graph, before| {
                if before == 0 {
                    next(graph, "x?$skiptoken=1")
                } else {
                    json(200, &json!({}))
                }
            }),
            "missing field `value`",
        ),
        (
            "a page token that is gone",
            Box::new(move |graph, before| {
                if before == 0 {
                    next(graph, "x?$skiptoken=1")
                } else {
                    error(410, "syncStateNotFound")
                }
            }),
            "410",
        ),
    ];
    assert_eq!(ok(), json!([user(1)]));
    for (name, play, expected) in cases {
        let graph = Graph::with_tokens(move |graph, _, before| play(graph, before)).await;
        let failed = graph.source().assignments(id(APPLICATION)).await.expect_err(name);
        let shown = chain(&failed);
        assert!(shown.contains(expected), "{name}: {shown}");
        assert!(!shown.contains("Ada"), "{name} quotes a name: {shown}");
        assert!(
            !matches!(failed, SourceError::Reset { .. }),
            "{name}: it resets no stream"
        );
    }
}

#[tokio::test]
async fn throttling_is_waited_for() {
    let graph = Graph::with_tokens(|_, _, before| match before {
        0 => (429, vec![("retry-after", "0.01".to_owned())], String::new()),
        _ => json(200, &json!({"value": [user(1)]})),
    })
    .await;
    let source = graph.source();
    assert_eq!(
        source.assignments(id(APPLICATION)).await.unwrap().entries().len(),
        1
    );
    assert_eq!((source.traffic().throttled, graph.asked().len()), (1, 2));
}

#[tokio::test]
async fn what_is_in_the_way_is_named() {
    for (status, code, expected) in [
        (403, "Authorization_RequestDenied", "Application.Read.All"),
        (404, "Request_ResourceNotFound", "service_principal_id"),
    ] {
        let graph = Graph::with_tokens(move |_, _, _| error(status, code)).await;
        let source = graph.source();
        for failed in [
            source.assignments(id(APPLICATION)).await.unwrap_err(),
            source.app_roles(id(APPLICATION)).await.unwrap_err(),
        ] {
            assert!(failed.hint().contains(expected), "{}", failed.hint());
        }
    }
}

#[tokio::test]
async fn roles_are_read_from_the_service_principal() {
    let graph = Graph::with_tokens(|_, _, _| {
        let role = |number: u32, value: Json| json!({"id": id(number), "value": value, "displayName": "A role", "isEnabled": number == 1});
        json(200, &json!({"id": id(APPLICATION), "appRoles": [role(2, Json::Null), role(1, "Reader".into())]}))
    })
    .await;
    let roles = graph.source().app_roles(id(APPLICATION)).await.unwrap();
    let shown: Vec<_> = roles
        .iter()
        .map(|role| (role.value.as_deref(), role.enabled))
        .collect();
    assert_eq!(shown, [(Some("Reader"), true), (None, false)]);
    let asked = &graph.asked()[0];
    assert_eq!(asked.path, format!("/v1.0/servicePrincipals/{}", id(APPLICATION)));
    assert_eq!(asked.query, [("$select".to_owned(), "id,appRoles".to_owned())]);
}

#[tokio::test]
async fn a_service_principal_that_is_another_or_none_has_no_roles() {
    for body in [
        json!({"id": id(3), "appRoles": []}),
        json!({"id": id(APPLICATION)}),
        json!({"appRoles": []}),
    ] {
        let graph = Graph::with_tokens(move |_, _, _| json(200, &body)).await;
        assert!(graph.source().app_roles(id(APPLICATION)).await.is_err());
    }
}

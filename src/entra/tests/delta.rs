//! Delta pages over the wire (docs/design/graph.md).

use super::*;
use crate::model::value::Value;
use crate::ports::NextPage;

/// Plays one answer for every request, and reads a page.
async fn given(
    played: impl Fn(&Graph) -> Played + Send + Sync + 'static,
) -> (Arc<Graph>, Result<DeltaPage, SourceError>) {
    let graph = Graph::with_tokens(move |graph, _, _| played(graph)).await;
    let page = graph.source().page(ObjectKind::User, first(&["mail"])).await;
    (graph, page)
}

#[tokio::test]
async fn the_first_request_selects_and_nothing_else() {
    for (kind, path) in [
        (ObjectKind::User, "/v1.0/users/delta"),
        (ObjectKind::Group, "/v1.0/groups/delta"),
    ] {
        let graph = Graph::with_tokens(move |graph, _, _| {
            let link = graph.link(&format!("{kind}s/delta?$skiptoken=A"));
            json(200, &json!({"value": [], "@odata.nextLink": link}))
        })
        .await;
        let page = graph
            .source()
            .page(kind, first(&["displayName", "manager"]))
            .await
            .unwrap();
        let asked = &graph.asked()[0];
        assert_eq!((asked.method.as_str(), asked.path.as_str()), ("GET", path));
        assert_eq!(
            asked.query,
            [("$select".to_owned(), "displayName,manager".to_owned())]
        );
        assert_eq!(asked.header("prefer"), None);
        assert_eq!(
            asked.header("user-agent"),
            Some(concat!("melonsync/", env!("CARGO_PKG_VERSION")))
        );
        assert!(
            asked
                .header("client-request-id")
                .unwrap()
                .parse::<uuid::Uuid>()
                .is_ok()
        );
        assert_eq!(asked.header("authorization"), Some("Bearer token-1"));
        assert_eq!(asked.header("accept-encoding"), Some("gzip"));
        // Empty, and the round goes on all the same.
        assert_eq!(
            page.next,
            NextPage::More {
                next_link: graph.link(&format!("{kind}s/delta?$skiptoken=A"))
            }
        );
    }
}

#[tokio::test]
async fn a_link_is_followed_verbatim_and_minimal_only_on_a_delta_round() {
    let graph = Graph::with_tokens(|graph, _, _| {
        json(
            200,
            &json!({"value": [], "@odata.deltaLink": graph.link("users/delta?$deltatoken=Z")}),
        )
    })
    .await;
    let source = graph.source();
    for minimal in [false, true] {
        let link = graph.link("users/microsoft.graph.delta()?$skiptoken=A%2Bb_-c==&x=%20y");
        source
            .page(ObjectKind::User, PageRequest::Follow { link, minimal })
            .await
            .unwrap();
    }
    let asked = graph.asked();
    for (seen, prefer) in asked.iter().zip([None, Some("return=minimal")]) {
        assert_eq!(seen.path, "/v1.0/users/microsoft.graph.delta()");
        assert_eq!(
            seen.query,
            [
                ("$skiptoken".into(), "A+b_-c==".into()),
                ("x".into(), " y".into())
            ]
        );
        assert_eq!(seen.header("prefer"), prefer);
    }
    assert_ne!(
        asked[0].header("client-request-id"),
        asked[1].header("client-request-id")
    );
}

#[tokio::test]
async fn a_page_becomes_objects_in_page_order() {
    let (_, page) = given(|graph| {
        json(
            200,
            &json!({"@odata.context": "c", "@odata.deltaLink": graph.link("users/delta?$deltatoken=Z"), "value": [
                {"id": id(1).to_string().to_uppercase(), "mail": null, "businessPhones": ["+1"], "x@odata.type": "#Y"},
                {"id": id(1).to_string(), "mail": "a@b.example"},
                {"id": id(9).to_string(), "@removed": {"reason": "changed"}},
            ]}),
        )
    })
    .await;
    let page = page.unwrap();
    let ids: Vec<_> = page.objects.iter().map(|object| object.id).collect();
    assert_eq!(ids, [id(1), id(1), id(9)]);
    assert_eq!(page.objects[0].attributes["mail"], Value::Null);
    assert_eq!(
        page.objects[0].attributes["businessPhones"],
        Value::List(vec!["+1".into()])
    );
    assert_eq!(page.objects[0].attributes.len(), 2);
}

#[tokio::test]
async fn an_unusable_page_is_never_an_empty_one() {
    let link = |graph: &Graph| graph.link("users/delta?$deltatoken=Z");
    type Play = Box<dyn Fn(&Graph) -> Played + Send + Sync>;
    let cases: Vec<(&str, Play)> = vec![
        (
            "no value",
            Box::new(move |g| json(200, &json!({"@odata.deltaLink": link(g)}))),
        ),
        (
            "null value",
            Box::new(move |g| json(200, &json!({"value": null, "@odata.deltaLink": link(g)}))),
        ),
        ("no link", Box::new(|_| json(200, &json!({"value": []})))),
        (
            "both links",
            Box::new(move |g| {
                json(
                    200,
                    &json!({"value": [], "@odata.deltaLink": link(g), "@odata.nextLink": link(g)}),
                )
            }),
        ),
        (
            "a link elsewhere",
            Box::new(|_| {
                json(
                    200,
                    &json!({"value": [], "@odata.nextLink": "https://evil.example/v1.0/users/delta?$skiptoken=A"}),
                )
            }),
        ),
        (
            "an HTML page",
            Box::new(|_| {
                (
                    200,
                    vec![("content-type", "text/html".into())],
                    "<html>sign in".into(),
                )
            }),
        ),
        (
            "half a page",
            Box::new(|_| (200, vec![], r#"{"value": [{"id": "6f1c8d1e-00"#.into())),
        ),
        ("nothing", Box::new(|_| (200, vec![], String::new()))),
        ("no content", Box::new(|_| (204, vec![], String::new()))),
    ];
    for (name, played) in cases {
        let (graph, page) = given(played).await;
        assert!(
            matches!(page, Err(SourceError::Malformed { .. })),
            "{name}: {page:?}"
        );
        assert_eq!(graph.asked().len(), 1, "{name}");
    }
}

#[tokio::test]
async fn a_link_to_another_host_is_refused_before_the_token_travels() {
    let graph = Graph::with_tokens(|_, _, _| panic!("asked")).await;
    let link = "https://evil.example/v1.0/users/delta".to_owned();
    let refused = graph
        .source()
        .page(ObjectKind::User, PageRequest::Follow { link, minimal: true })
        .await;
    assert!(matches!(refused, Err(SourceError::Malformed { .. })));
    assert!(graph.seen(|_| true).is_empty());
}

#[tokio::test]
async fn throttling_and_trouble_are_waited_for_and_counted() {
    for (status, after) in [
        (429, Some("0.128")),
        (503, Some("0.01")),
        (503, None),
        (502, None),
        (504, None),
        (500, None),
    ] {
        let graph = Graph::with_tokens(move |graph, _, before| match before {
            0 => (
                status,
                after
                    .map(|text| ("retry-after", text.to_owned()))
                    .into_iter()
                    .collect(),
                "<html>".into(),
            ),
            _ => json(
                200,
                &json!({"value": [], "@odata.deltaLink": graph.link("users/delta?$deltatoken=Z")}),
            ),
        })
        .await;
        let (source, watch) = (graph.source(), crate::model::clock::Stopwatch::start());
        source.page(ObjectKind::User, first(&["mail"])).await.unwrap();
        let traffic = source.traffic();
        assert_eq!(
            (traffic.requests, traffic.retries, traffic.throttled),
            (3, 1, u64::from(after.is_some())),
            "{status}"
        );
        assert!(
            after != Some("0.128") || watch.elapsed() >= Duration::from_millis(128),
            "asked too early"
        );
    }
}

#[tokio::test]
async fn beyond_the_budget_it_is_unavailable() {
    let (_, page) = given(|_| (429, vec![("retry-after", "3600".into())], String::new())).await;
    assert!(matches!(page, Err(SourceError::Unavailable { .. })), "{page:?}");
    let (graph, page) = given(|_| (504, vec![], "<html>gateway".into())).await;
    let text = chain(&page.unwrap_err());
    assert!(
        text.contains("504 with an HTML page") && text.contains("client-request-id"),
        "{text}"
    );
    assert!(graph.asked().len() > 2);
}

#[tokio::test]
async fn a_reset_is_a_reset_however_it_is_said() {
    let nested =
        json!({"error": {"code": "BadRequest", "innererror": {"innerError": {"code": "ResyncRequired"}}}});
    let location = "https://graph.microsoft.com/v1.0/users/delta?$deltatoken=";
    for (name, played) in [
        (
            "410 with Location",
            (410, vec![("location", location.to_owned())], String::new()),
        ),
        ("410 of any code", error(410, "Whatever")),
        ("400", error(400, "syncStateNotFound")),
        ("404, other case", error(404, "SyncStateNotFound")),
        ("nested", json(400, &nested)),
    ] {
        let with_location = name.contains("Location");
        let (graph, page) = given(move |_| played.clone()).await;
        let Err(SourceError::Reset {
            location: offered, ..
        }) = page
        else {
            panic!("{name}: {page:?}")
        };
        assert_eq!(offered.is_some(), with_location, "{name}");
        assert_eq!(graph.asked().len(), 1, "{name}: asked once");
    }
}

#[tokio::test]
async fn a_missing_permission_is_named_for_each_kind() {
    for (kind, permission) in [
        (ObjectKind::User, "User.Read.All"),
        (ObjectKind::Group, "GroupMember.Read.All"),
    ] {
        let graph = Graph::with_tokens(|_, _, _| {
            let mut played = error(403, "Authorization_RequestDenied");
            played.1.push(("request-id", "r-77".into()));
            played
        })
        .await;
        let refused = graph.source().page(kind, first(&["mail"])).await.unwrap_err();
        assert!(matches!(&refused, SourceError::Forbidden { hint, .. } if hint.contains(permission)));
        let text = refused.to_string();
        assert!(
            text.contains("Authorization_RequestDenied") && text.contains("request-id r-77"),
            "{text}"
        );
        assert!(!text.contains("select"), "{text}");
    }
}

//! Wire tests: the real client against servers on loopback that answer as services in the field do.

use crate::model::value::Attributes;
use std::sync::Mutex;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::Response;
use serde_json::json;

use super::*;
use crate::model::clock::SystemClock;
use crate::model::value::Value;
use crate::ports::NewResource;
use crate::ports::TargetDirectory;
use crate::ports::Traffic;
use crate::reconcile::operation::Change;
use crate::sandbox::limit::until_the_runtime_ends;
use crate::scim::learning::Witness;

/// Method, path with query, and body.
type Seen = (String, String, Json);
/// Status, headers and body of an answer.
type Said = (u16, Vec<(&'static str, &'static str)>, String);

fn said(status: u16, body: Json) -> Said {
    (
        status,
        vec![("content-type", "application/scim+json")],
        body.to_string(),
    )
}

struct World {
    target: ScimTarget,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl World {
    /// Returns the requests so far, except those for ServiceProviderConfig.
    fn seen(&self) -> Vec<Seen> {
        let seen = self.seen.lock().unwrap();
        seen.iter()
            .filter(|(_, path, _)| path != "/scim/v2/ServiceProviderConfig")
            .cloned()
            .collect()
    }

    fn lines(&self) -> Vec<String> {
        self.seen()
            .iter()
            .map(|(method, path, _)| format!("{method} {path}"))
            .collect()
    }
}

/// Starts a target that answers request number `n` (from 0, ServiceProviderConfig not counted) with `answer`.
async fn world(answer: impl Fn(usize, &Seen) -> Said + Send + Sync + 'static) -> World {
    let seen: Arc<Mutex<Vec<Seen>>> = Arc::default();
    let (log, answer) = (seen.clone(), Arc::new(answer));
    let app = Router::new().fallback(move |request: Request| {
        let (log, answer) = (log.clone(), answer.clone());
        async move {
            assert_eq!(request.headers()["authorization"], "Bearer t0p-secret");
            assert_eq!(
                request.headers()["accept"],
                "application/scim+json, application/json"
            );
            let (method, path) = (request.method().to_string(), request.uri().to_string());
            let kind = request.headers().get("content-type").cloned();
            let bytes = axum::body::to_bytes(request.into_body(), usize::MAX)
                .await
                .unwrap();
            assert!(bytes.is_empty() || kind.unwrap() == "application/scim+json");
            let one: Seen = (method, path, serde_json::from_slice(&bytes).unwrap_or_default());
            let number = {
                let mut log = log.lock().unwrap();
                log.push(one.clone());
                log.iter()
                    .filter(|seen| !seen.1.ends_with("/ServiceProviderConfig"))
                    .count()
                    .saturating_sub(1)
            };
            let (status, headers, body) = answer(number, &one);
            if status == 0 {
                tokio::time::sleep(Duration::from_secs(30)).await;
            }
            let mut response = Response::builder().status(status.max(200));
            for (name, value) in headers {
                response = response.header(name, value);
            }
            response.body(Body::from(body)).unwrap()
        }
    });
    until_the_runtime_ends();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/scim/v2/", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    World {
        target: ScimTarget::new(options(&url)).unwrap(),
        seen,
    }
}

fn options(url: &str) -> ScimOptions {
    ScimOptions {
        url: Url::parse(url).unwrap(),
        tokens: vec![Secret::new("t0p-secret".to_owned())],
        max_concurrency: 4,
        least_gap: None,
        request_timeout: Duration::from_millis(300),
        network: NetworkOptions::default(),
        retry: RetryPolicy {
            first: Duration::from_millis(5),
            longest: Duration::from_millis(20),
            budget: Duration::from_secs(3),
        },
        dialect: PinnedDialect::default(),
        clock: Arc::new(SystemClock),
    }
}

fn id(text: &str) -> TargetId {
    TargetId::new(text).unwrap()
}

fn rename() -> Patch {
    let changes = vec![Change {
        attribute: "displayName".into(),
        before: Value::Null,
        after: "N".into(),
    }];
    Patch {
        changes,
        held: Attributes::new(),
        add_members: vec![],
        remove_members: vec![],
        members_before: Default::default(),
    }
}

fn membership(add: &[&str], remove: &[&str]) -> Patch {
    let ids = |texts: &[&str]| texts.iter().map(|text| id(text)).collect();
    Patch {
        changes: vec![],
        held: Attributes::new(),
        add_members: ids(add),
        remove_members: ids(remove),
        members_before: Default::default(),
    }
}

const USER: ObjectKind = ObjectKind::User;
const GROUP: ObjectKind = ObjectKind::Group;

#[tokio::test]
async fn create_is_never_sent_twice_when_it_may_have_been_carried_out() {
    for (name, answer) in [
        ("500", (500, vec![], "<html>oops</html>".to_owned())),
        ("502", (502, vec![], String::new())),
        ("503 without Retry-After", (503, vec![], String::new())),
        ("no answer in time", (0, vec![], String::new())),
        ("201 without an id", said(201, json!({"userName": "a"}))),
        ("201 with nothing", (201, vec![], String::new())),
        (
            "a web page",
            (
                200,
                vec![("content-type", "text/html")],
                "<html>Sign in</html>".to_owned(),
            ),
        ),
    ] {
        let world = world(move |_, _| answer.clone()).await;
        let error = world
            .target
            .create(USER, json!({"userName": "a"}).into())
            .await
            .unwrap_err();
        assert!(error.maybe_done(), "{name}: {error:?}");
        assert_eq!(world.lines(), ["POST /scim/v2/Users"], "{name}");
        assert!(!format!("{error:?}").contains("t0p-secret"));
    }
}

#[tokio::test]
async fn create_goes_out_again_after_429_and_after_503_with_retry_after() {
    let world = world(|n, _| match n {
        0 => (429, vec![("retry-after", "0.05")], String::new()),
        1 => (503, vec![("retry-after", "0")], "busy".to_owned()),
        _ => said(201, json!({"id": "u-1", "userName": "A"})),
    })
    .await;
    assert_eq!(
        world
            .target
            .create(USER, json!({"userName": "a"}).into())
            .await
            .unwrap()
            .id,
        id("u-1")
    );
    assert_eq!(
        world.target.traffic(),
        Traffic {
            // Three of the create, and one that reads back what the first create did.
            requests: 4,
            throttled: 2,
            retries: 2
        }
    );
    assert_eq!(
        world.seen()[2].2["schemas"],
        json!(["urn:ietf:params:scim:schemas:core:2.0:User"])
    );
}

#[tokio::test]
async fn nobody_at_home_means_surely_not_done() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let target = ScimTarget::new(options(&url)).unwrap();
    let error = target.create(USER, json!({}).into()).await.unwrap_err();
    assert!(
        matches!(
            error,
            TargetError::Unavailable {
                maybe_done: false,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(!format!("{target:?} {:?}", options(&url)).contains("t0p-secret"));
}

#[tokio::test]
async fn retry_after_pauses_the_whole_target() {
    let world = world(|n, (_, path, _)| match n {
        0 => (429, vec![("retry-after", "0.4")], String::new()),
        _ => said(200, json!({"id": seen_id(path)})),
    })
    .await;
    let (one, two) = (id("u-1"), id("u-2"));
    let later = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let began = tokio::time::Instant::now();
        world.target.read(USER, &two).await.unwrap();
        began.elapsed()
    };
    let (first, waited) = tokio::join!(world.target.read(USER, &one), later);
    assert!(first.unwrap().is_some());
    assert!(
        waited >= Duration::from_millis(200),
        "the other request waited only {waited:?}"
    );
    assert_eq!(world.lines().len(), 3);
}

#[tokio::test]
async fn location_gives_the_id_where_the_body_is_empty_and_may_be_missing_else() {
    let world = world(|n, _| match n {
        0 => (201, vec![("location", "/scim/v2/Users/u%401")], String::new()),
        1 | 2 => said(200, json!({"id": "u@1", "userName": "a"})),
        _ => said(201, json!({"id": 42, "username": "A"})),
    })
    .await;
    let create = || world.target.create(USER, json!({"userName": "a"}).into());
    let made = create().await.unwrap();
    assert_eq!(made.id, id("u@1"));
    assert_eq!(
        world.lines()[..2],
        ["POST /scim/v2/Users", "GET /scim/v2/Users/u%401"],
        "what has no body is read back"
    );
    assert!(made.text.windows(8).any(|part| part == b"userName"));
    assert_eq!(create().await.unwrap().id, id("42"));
}

#[tokio::test]
async fn an_answer_about_somebody_else_leaves_the_outcome_unknown() {
    let world = world(|_, (method, path, _)| match method.as_str() {
        "POST" => said(201, json!({"id": "u-2", "userName": "b", "externalId": "e2"})),
        // A proxy that answers every request with the same person.
        _ if path.ends_with("u-2") => said(200, json!({"id": "u-2", "userName": "b", "title": "Head"})),
        _ => said(200, json!({"id": "u-2", "userName": "b", "title": "B"})),
    })
    .await;
    let sent = json!({"userName": "a", "externalId": "e1"});
    let error = world.target.create(USER, sent.into()).await.unwrap_err();
    assert!(
        error.maybe_done() && error.to_string().contains("another resource"),
        "{error:?}"
    );
    let error = world.target.read(USER, &id("u-1")).await.unwrap_err();
    assert!(
        !error.maybe_done() && error.to_string().contains("another resource"),
        "{error:?}"
    );
    let error = world
        .target
        .patch(USER, &id("u-1"), &titled("B"))
        .await
        .unwrap_err();
    assert!(error.maybe_done(), "{error:?}");
    let by_put = PinnedDialect {
        update: Some(crate::scim::dialect::Update::Put),
        ..PinnedDialect::default()
    };
    let address = world.target.addresses.collection(USER).as_str();
    let mut options = options(address.trim_end_matches("Users"));
    options.dialect = by_put;
    let target = ScimTarget::new(options).unwrap();
    let error = target.patch(USER, &id("u-1"), &titled("B")).await.unwrap_err();
    assert!(error.to_string().contains("another resource"), "{error:?}");
    assert!(
        !world.lines().iter().any(|line| line.starts_with("PUT")),
        "nothing is written from it"
    );
}

#[tokio::test]
async fn an_answer_that_repeats_the_token_is_malformed_however_it_is_written() {
    for body in [
        r#"{"id": "u-1", "userName": "a", "debug": "Bearer t0p-secret"}"#,
        r#"{"id": "u-1", "userName": "a", "debug": {"t0p\u002dsecret": 1}}"#,
    ] {
        let world = world(move |_, _| (200, Vec::new(), body.to_owned())).await;
        let error = world.target.read(USER, &id("u-1")).await.unwrap_err();
        assert!(error.to_string().contains("repeats the token"), "{body}: {error}");
        assert!(!format!("{error:?}").contains("t0p-secret"));
        let made = world.target.create(USER, json!({"userName": "a"}).into()).await;
        assert!(made.unwrap_err().maybe_done(), "{body}");
    }
}

fn titled(title: &str) -> Patch {
    Patch {
        changes: vec![Change {
            attribute: "title".into(),
            before: Value::Null,
            after: title.into(),
        }],
        held: Attributes::new(),
        add_members: Vec::new(),
        remove_members: Vec::new(),
        members_before: Default::default(),
    }
}

/// Returns the id at the end of a path.
fn seen_id(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or_default()
}

#[tokio::test]
async fn conflict_is_said_and_the_match_that_follows_uses_a_filter() {
    let world = world(|n, _| match n {
        0 => said(
            409,
            json!({"status": {"code": 409}, "scimType": "uniqueness", "detail": "taken"}),
        ),
        _ => said(
            200,
            json!({"totalresults": "1", "resources": [{"id": "u-1", "userName": "ADA@x"}]}),
        ),
    })
    .await;
    let error = world
        .target
        .create(USER, json!({"userName": "ada@x"}).into())
        .await
        .unwrap_err();
    assert!(matches!(error, TargetError::Conflict { .. }), "{error:?}");
    let found = world.target.find(USER, "userName", "a\"da@x").await.unwrap();
    assert_eq!(found[0].id, id("u-1"));
    assert_eq!(
        world.lines()[1],
        "GET /scim/v2/Users?filter=userName%20eq%20%22a%5C%22da%40x%22"
    );
}

#[tokio::test]
async fn an_empty_answer_is_absence_only_where_it_is_a_listing() {
    let world = world(|n, _| match n {
        0 => said(200, json!({"totalResults": 0})),
        1 => said(200, json!({"totalResults": 4})),
        2 => (404, vec![], String::new()),
        3 => said(400, json!({"scimType": "invalidFilter"})),
        _ => (200, vec![("content-type", "text/html")], "<html>".to_owned()),
    })
    .await;
    let find = || world.target.find(USER, "externalId", "x");
    assert_eq!(find().await.unwrap(), vec![]);
    assert!(matches!(find().await.unwrap_err(), TargetError::Malformed { .. }));
    assert!(matches!(
        find().await.unwrap_err(),
        TargetError::Refused { status: 404, .. }
    ));
    let refused = find().await.unwrap_err();
    assert!(
        refused.to_string().contains("invalidFilter") && !refused.to_string().contains("\"x\""),
        "{refused}"
    );
    let html = find().await.unwrap_err();
    assert!(
        html.hint().contains("url") && matches!(html, TargetError::Malformed { .. }),
        "{html:?}"
    );
}

#[tokio::test]
async fn delete_is_done_at_404_and_at_500_when_nothing_is_left() {
    let gone = world(|_, _| (404, vec![], "not here".to_owned())).await;
    gone.target.delete(USER, &id("u-1")).await.unwrap();
    let stumbling = world(|_, (method, ..)| {
        if method == "GET" {
            (404, vec![], String::new())
        } else {
            (500, vec![], String::new())
        }
    })
    .await;
    stumbling.target.delete(USER, &id("u-1")).await.unwrap();
    assert_eq!(
        stumbling.lines(),
        ["DELETE /scim/v2/Users/u-1", "GET /scim/v2/Users/u-1"]
    );
    let still_there = world(|n, (method, ..)| match (n, method.as_str()) {
        (_, "GET") => said(200, json!({"id": "u-1"})),
        (0, _) => (500, vec![], String::new()),
        _ => (204, vec![], String::new()),
    })
    .await;
    still_there.target.delete(USER, &id("u-1")).await.unwrap();
    assert_eq!(still_there.lines().len(), 3);
}

#[tokio::test]
async fn patch_is_repeated_after_a_stumble_and_says_what_is_missing_or_refused() {
    let world = world(|n, (_, path, _)| match n {
        _ if path.ends_with("ServiceProviderConfig") => (404, vec![], String::new()),
        0 => (500, vec![], String::new()),
        1 => (204, vec![], String::new()),
        2 => said(200, json!({"id": "u-1", "displayName": "N"})),
        // A 404 may be about what the request refers to: the resource is asked for.
        3 | 4 => (404, vec![], String::new()),
        5 => (401, vec![], "who?".to_owned()),
        _ => (403, vec![], String::new()),
    })
    .await;
    let (patch, user) = (rename(), id("u-1"));
    let send = || world.target.patch(USER, &user, &patch);
    let read_back = send().await.unwrap().unwrap();
    assert_eq!(read_back.body["displayName"], "N", "the first use is read back");
    assert!(matches!(send().await.unwrap_err(), TargetError::NotFound { .. }));
    assert!(matches!(
        send().await.unwrap_err(),
        TargetError::Unauthorized { .. }
    ));
    assert!(matches!(
        send().await.unwrap_err(),
        TargetError::Refused { status: 403, .. }
    ));
    assert_eq!(world.lines().len(), 7);
}

#[tokio::test]
async fn creates_of_a_shape_that_is_known_are_not_read_back_and_others_are() {
    let world = world(|_, (method, path, body)| match method.as_str() {
        _ if path.ends_with("ServiceProviderConfig") => (404, vec![], String::new()),
        "POST" => {
            let mut made = body.clone();
            made["id"] = "u-1".into();
            said(201, made)
        }
        _ => said(200, json!({"id": "u-1", "userName": "a", "title": "t"})),
    })
    .await;
    let (named, titled) = (json!({"userName": "a"}), json!({"userName": "a", "title": "t"}));
    let mut read_back = Vec::new();
    for (body, shape) in [
        (&named, 1),
        (&named, 1),
        (&named, 1),
        (&titled, 2),
        (&named, 1),
        (&titled, 2),
    ] {
        let before = world.lines().len();
        let body = NewResource::from(body.clone()).of_shape(shape);
        world.target.create(USER, body).await.unwrap();
        read_back.push(world.lines().len() - before > 1);
    }
    assert_eq!(read_back, [true, false, false, true, false, false]);
    // A use that is learned anew counts for shapes that were known.
    let witness = Witness::named("somebody");
    let experience = &world.target.experience;
    assert!(experience.note(|learned| learned.unseen("user created with title", &witness)));
    for (body, shape, expected) in [(&titled, 2, true), (&titled, 2, false), (&named, 1, false)] {
        let before = world.lines().len();
        let body = NewResource::from(body.clone()).of_shape(shape);
        world.target.create(USER, body).await.unwrap();
        assert_eq!(world.lines().len() - before > 1, expected, "{shape}");
    }
}

#[tokio::test]
async fn a_target_without_patch_gets_a_put_of_everything_it_had() {
    let world = world(|n, (method, path, _)| match method.as_str() {
        _ if path.ends_with("ServiceProviderConfig") => said(200, json!({"patch": {"supported": false}})),
        "GET" if n > 1 => said(200, json!({"id": "u-1", "displayName": "N"})),
        "GET" => said(
            200,
            json!({"id": "u-1", "displayName": "O", "urn:x:2.0:User": {"a": 1}}),
        ),
        _ => said(200, json!({"id": "u-1", "displayName": "N"})),
    })
    .await;
    let kept = world
        .target
        .patch(USER, &id("u-1"), &rename())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(kept.body["displayName"], "N");
    let put = &world.seen()[1];
    assert_eq!(
        (put.0.as_str(), &put.2),
        (
            "PUT",
            &json!({"id": "u-1", "displayName": "N", "urn:x:2.0:User": {"a": 1}})
        )
    );
}

#[tokio::test]
async fn the_configuration_knows_better_than_the_service_what_it_can_do() {
    let mut world = world(|_, (_, path, _)| match path {
        path if path.ends_with("ServiceProviderConfig") => said(200, json!({"patch": {"supported": false}})),
        _ => said(200, json!({"id": "u-1", "displayName": "N"})),
    })
    .await;
    let url = format!(
        "{}/",
        world.target.addresses.service("").as_str().trim_end_matches('/')
    );
    world.target = ScimTarget::new(ScimOptions {
        dialect: PinnedDialect {
            update: Some(crate::model::dialect::Update::Patch),
            op_case: Some(crate::model::dialect::OpCase::Capital),
            ..PinnedDialect::default()
        },
        ..options(&url)
    })
    .unwrap();
    world.target.patch(USER, &id("u-1"), &rename()).await.unwrap();
    let (method, _, body) = &world.seen()[0];
    assert_eq!(
        (method.as_str(), &body["Operations"][0]["op"]),
        ("PATCH", &json!("Replace"))
    );
}

#[tokio::test]
async fn capabilities_send_only_get_and_survive_their_absence() {
    let bare = world(|_, _| (404, vec![("content-type", "text/html")], "<html>".to_owned())).await;
    let capabilities = bare.target.capabilities().await.unwrap();
    assert!(capabilities.patch && capabilities.filter && capabilities.schemas.is_empty());
    bare.target.capabilities().await.unwrap();
    let seen = bare.seen.lock().unwrap();
    assert!(
        seen.len() == 2 && seen.iter().all(|(method, ..)| method == "GET"),
        "{seen:?}"
    );
}

mod listings_and_members;

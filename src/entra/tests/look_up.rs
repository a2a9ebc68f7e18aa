//! Questions about single objects, in batches (docs/design/graph.md, "Batching"; docs/design/evidence.md).

use std::collections::BTreeMap;

use super::*;
use crate::model::value::Value;

/// Plays each inner request by its URL; `before` counts the batches.
async fn answering(inner: impl Fn(&str, usize) -> (u16, Json, Json) + Send + Sync + 'static) -> Arc<Graph> {
    Graph::with_tokens(move |_, seen, before| {
        let requests = seen.json()["requests"].as_array().unwrap().clone();
        assert!(requests.len() <= 20 && seen.path == "/v1.0/$batch");
        let answer = |request: &Json| {
            let (status, headers, body) = inner(request["url"].as_str().unwrap(), before);
            json!({"id": request["id"], "status": status, "headers": headers, "body": body})
        };
        let responses: Vec<Json> = requests.iter().rev().map(answer).collect();
        json(200, &json!({"responses": responses}))
    })
    .await
}

fn not_found() -> (u16, Json, Json) {
    (
        404,
        json!({}),
        json!({"error": {"code": "Request_ResourceNotFound", "message": "m"}}),
    )
}

/// Builds Graph's answer for an object that does not exist.
fn not_found_named(number: u32) -> (u16, Json, Json) {
    let id = id(number);
    let message = format!(
        "Resource '{id}' does not exist or one of its queried reference-property objects are not present."
    );
    (
        404,
        json!({}),
        json!({"error": {"code": "Request_ResourceNotFound", "message": message}}),
    )
}

fn refusal(status: u16, code: &str) -> (u16, Json, Json) {
    (
        status,
        json!({"retry-after": "0.02"}),
        json!({"error": {"code": code}}),
    )
}

async fn look_up(graph: &Arc<Graph>, numbers: &[u32]) -> BTreeMap<SourceId, Existence> {
    let ids: Vec<_> = numbers.iter().map(|number| id(*number)).collect();
    let select = names(&["id", "mail", "department", "manager"]);
    let answers = graph
        .source()
        .look_up(ObjectKind::User, &ids, &select)
        .await
        .unwrap();
    let count = answers.len();
    let answers: BTreeMap<_, _> = answers.into_iter().collect();
    assert_eq!(answers.len(), count, "one entry for each id");
    answers
}

#[tokio::test]
async fn each_answer_proves_what_it_proves() {
    let graph = answering(|url, _| {
        let (deleted, number) = (url.contains("/deletedItems/"), id_of(url));
        match number {
            1 => (
                200,
                json!({}),
                json!({"id": id(1).to_string(), "mail": "a@b.example", "surprise": 1}),
            ),
            2 if deleted => (200, json!({}), json!({"id": id(2).to_string()})),
            4 => refusal(403, "Authorization_RequestDenied"),
            5 if deleted => refusal(403, "Authorization_RequestDenied"),
            6 => (404, json!({}), json!("<html>not here</html>")),
            7 => (404, json!({}), json!({"error": {"code": "UnknownError"}})),
            8 => (200, json!({}), json!({"id": id(1).to_string()})),
            9 => not_found_named(1),
            10 => not_found_named(10),
            _ => not_found(),
        }
    })
    .await;
    let answers = look_up(&graph, &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10]).await;
    let expected = [("mail", Value::text("a@b.example")), ("department", Value::Null)];
    let expected = expected
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value))
        .collect();
    assert_eq!(
        answers[&id(1)],
        Existence::Alive(expected),
        "selected and absent is null, the rest is not ours"
    );
    assert_eq!(answers[&id(2)], Existence::SoftDeleted);
    assert_eq!(answers[&id(3)], Existence::HardDeleted);
    assert_eq!(answers[&id(10)], Existence::HardDeleted);
    for number in 4..=9 {
        assert!(
            matches!(answers[&id(number)], Existence::Unknown(_)),
            "{number}: {:?}",
            answers[&id(number)]
        );
    }
}

/// Returns the number at the end of the id in an inner URL.
fn id_of(url: &str) -> u32 {
    let id = url.split('?').next().unwrap().rsplit('/').next().unwrap();
    id[id.len() - 12..].parse().unwrap()
}

#[tokio::test]
async fn batches_hold_twenty_and_name_each_object_once() {
    let graph = answering(|url, _| (200, json!({}), json!({"id": id(id_of(url)).to_string()}))).await;
    let numbers: Vec<u32> = (1..=45).chain([7, 8]).collect();
    assert_eq!(look_up(&graph, &numbers).await.len(), 45);
    let asked = graph.asked();
    assert_eq!(asked.len(), 3);
    let request = &asked[0].json()["requests"][0];
    assert_eq!(request["method"], "GET");
    assert!(
        request["url"]
            .as_str()
            .unwrap()
            .ends_with("?$select=id,mail,department"),
        "{request}"
    );
    assert_eq!(asked[0].header("content-type"), Some("application/json"));
}

#[tokio::test]
async fn what_is_throttled_inside_a_batch_is_asked_again_alone() {
    let graph = answering(|url, before| match (id_of(url), before) {
        (2, 0) => refusal(429, "TooManyRequests"),
        (number, _) => (200, json!({}), json!({"id": id(number).to_string()})),
    })
    .await;
    let answers = look_up(&graph, &[1, 2, 3]).await;
    assert!(
        answers
            .values()
            .all(|existence| matches!(existence, Existence::Alive(_))),
        "{answers:?}"
    );
    let sizes: Vec<_> = graph
        .asked()
        .iter()
        .map(|seen| seen.json()["requests"].as_array().unwrap().len())
        .collect();
    assert_eq!(sizes, [3, 1]);
}

#[tokio::test]
async fn what_is_throttled_inside_a_batch_is_not_asked_earlier_than_it_says() {
    let graph = answering(|url, before| match (id_of(url), before) {
        (2, 0) => (
            429,
            json!({"Retry-After": "0.2"}),
            json!({"error": {"code": "TooManyRequests"}}),
        ),
        (number, _) => (200, json!({}), json!({"id": id(number).to_string()})),
    })
    .await;
    let watch = crate::model::clock::Stopwatch::start();
    let answers = look_up(&graph, &[1, 2]).await;
    // On a machine that is too busy the budget is used up: then it was not asked again.
    let asked_again = matches!(answers[&id(2)], Existence::Alive(_));
    assert!(!asked_again || watch.elapsed() >= Duration::from_millis(200));
}

#[tokio::test]
async fn what_stays_throttled_is_unknown_and_the_rest_is_known() {
    let graph = answering(|url, _| match id_of(url) {
        2 => refusal(429, "TooManyRequests"),
        number => (200, json!({}), json!({"id": id(number).to_string()})),
    })
    .await;
    let answers = look_up(&graph, &[1, 2]).await;
    assert!(matches!(&answers[&id(1)], Existence::Alive(_)));
    assert!(
        matches!(&answers[&id(2)], Existence::Unknown(why) if why.contains("429")),
        "{answers:?}"
    );
}

#[tokio::test]
async fn an_answer_that_is_left_out_or_given_twice_proves_nothing() {
    let graph = Graph::with_tokens(|_, seen, _| {
        let url = seen.json()["requests"][0]["url"].as_str().unwrap().to_owned();
        let body = json!({"id": id(id_of(&url)).to_string()});
        let inner = json!({"id": "1", "status": 200, "body": body});
        json(
            200,
            &json!({"responses": [inner, inner, {"id": "77", "status": 404}]}),
        )
    })
    .await;
    let answers = look_up(&graph, &[1, 2]).await;
    assert!(
        answers
            .values()
            .all(|existence| matches!(existence, Existence::Unknown(_))),
        "{answers:?}"
    );
}

#[tokio::test]
async fn a_batch_that_failed_as_a_whole_is_an_error() {
    for (played, name) in [
        (error(403, "Authorization_RequestDenied"), "403"),
        (json(200, &json!({})), "no responses"),
    ] {
        let graph = Graph::with_tokens(move |_, _, _| played.clone()).await;
        let failed = graph.source().look_up(ObjectKind::Group, &[id(1)], &[]).await;
        assert!(failed.is_err(), "{name}: {failed:?}");
    }
    let graph = Graph::with_tokens(|_, _, _| panic!("asked")).await;
    assert_eq!(
        graph.source().look_up(ObjectKind::User, &[], &[]).await.unwrap(),
        []
    );
}

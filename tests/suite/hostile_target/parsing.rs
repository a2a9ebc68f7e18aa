//! Any answer of a service is read to an end, and no id is invented: the law of the fuzz target, on a corpus and on
//! generated answers.

#[path = "../../../fuzz/scim_law.rs"]
mod scim_law;

use proptest::prelude::*;
use serde_json::Value;
use serde_json::json;

use scim_law::check;

/// Answers as services in the field write them, and some that are none.
const CORPUS: &[&str] = &[
    "",
    "null",
    "[]",
    "{}",
    "<html><body>Sign in</body></html>",
    "{\"totalResults\":3}",
    "{\"totalResults\":\"3\",\"resources\":[{\"ID\":7},{\"id\":\"\"},{\"x\":1},null]}",
    "{\"totalResults\":-1,\"Resources\":{}}",
    "{\"Resources\":[{\"id\":1e400}]}",
    "{\"totalResults\":18446744073709551616,\"Resources\":[]}",
    "{\"id\":{\"value\":\"x\"}}",
    "{\"id\":\"\u{0}\"}",
    "{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:Error\"],\"status\":{\"code\":\"409\"}}",
    "{\"schemas\":[\"urn:ietf:params:scim:api:messages:2.0:Error\"],\"status\":{\"a\":{\"b\":{}}}}",
    "{\"detail\":\"t0p-secret-token\\n\\tt0p-secret-token\",\"scimType\":\"t0p-secret-token\"}",
    "{\"members\":[{\"value\":\"a\"},{\"Value\":\"a\"},{\"value\":3},\"a\"]}",
    "{\"attributes\":[{\"name\":1},{\"name\":\"a\",\"subAttributes\":{}}],\"id\":\"urn:u\"}",
    "{\"pagination\":{\"cursor\":\"TRUE\",\"maxPageSize\":\"x\"},\"filter\":[],\"patch\":null}",
];

#[test]
fn answers_as_seen_in_the_field_are_read_to_an_end() {
    for body in CORPUS {
        for status in [
            200, 201, 204, 301, 400, 401, 404, 409, 413, 429, 500, 501, 503, 599,
        ] {
            for location in [
                "",
                "/Users/a%40b",
                "Users//",
                "https://x.example/scim/v2/Users/%zz",
                "/a%zz/Users/a%40b?x=%zz",
                "%",
                "-1",
            ] {
                check(status, location, body.as_bytes());
                let half = body.len() / 2;
                check(status, location, &body.as_bytes()[..half]);
            }
        }
    }
}

/// What is not seen is written out, which makes it up to eight times as long: the limit of a line holds for what is shown.
#[test]
fn words_of_control_characters_stay_one_short_line() {
    let unseen = "\u{202e}\u{7f}".repeat(1_000);
    let bodies = [
        json!({"detail": unseen, "scimType": unseen}).to_string(),
        json!({"errors": [unseen]}).to_string(),
        unseen,
    ];
    for body in bodies {
        check(400, "", body.as_bytes());
    }
}

/// JSON as a service might write it: the names that the client looks for, and anything as their values.
fn answer() -> impl Strategy<Value = Value> {
    let name = prop::sample::select(vec![
        "id",
        "ID",
        "Resources",
        "resources",
        "totalResults",
        "nextCursor",
        "members",
        "value",
        "schemas",
        "status",
        "detail",
        "scimType",
        "userName",
        "active",
        "patch",
        "supported",
        "filter",
        "maxResults",
        "attributes",
        "name",
    ]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|number| json!(number)),
        ".{0,12}".prop_map(Value::from),
        Just(json!("urn:ietf:params:scim:api:messages:2.0:Error")),
    ];
    leaf.prop_recursive(4, 48, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((name.clone(), inner), 0..6).prop_map(|fields| {
                Value::Object(
                    fields
                        .into_iter()
                        .map(|(name, value)| (name.to_owned(), value))
                        .collect(),
                )
            }),
        ]
    })
}

proptest! {
    #[test]
    fn no_answer_makes_the_client_panic_or_invent_an_id(status in 100_u16..600, location in ".{0,30}", body in answer()) {
        check(status, &location, body.to_string().as_bytes());
    }

    #[test]
    fn no_bytes_make_the_client_panic(status in 100_u16..600, body in prop::collection::vec(any::<u8>(), 0..200)) {
        check(status, "/Users/x", &body);
    }
}

//! The reading of error bodies, as a table.

use super::*;

#[test]
fn codes_are_found_at_any_depth_and_in_any_spelling() {
    for (body, expected) in [
        (
            r#"{"error":{"code":"A","innerError":{"code":"B","innererror":{"code":"C"}}}}"#,
            "A/B/C",
        ),
        (r#"{"error":{"innererror":{"InnerError":{"code":"C"}}}}"#, "C"),
        (r#"{"error":{"code":"A","innerError":{"code":"A"}}}"#, "A"),
        (r#"{"error":{"code":7}}"#, ""),
        (r#"{"error":"invalid_client"}"#, ""),
        ("<html>", ""),
        ("", ""),
    ] {
        assert_eq!(codes(body.as_bytes()).join("/"), expected, "{body}");
    }
}

#[test]
fn a_reset_is_told_by_status_or_code() {
    for (status, code, expected) in [
        (410, "", true),
        (410, "Gone", true),
        (400, "syncStateNotFound", true),
        (404, "SYNCSTATENOTFOUND", true),
        (400, "resyncRequired", true),
        (503, "resyncRequired", false),
        (404, "Request_ResourceNotFound", false),
        (400, "BadRequest", false),
    ] {
        let status = StatusCode::from_u16(status).unwrap();
        assert_eq!(is_reset(status, &[code.to_owned()]), expected, "{status} {code}");
    }
}

#[test]
fn a_message_is_one_line_of_limited_length() {
    let line = shortened(&format!("\x1b[31mfirst\nsecond{}", "x".repeat(1000)));
    assert!(
        line.chars().count() <= SHOWN + 1 && !line.contains(char::is_control),
        "{line}"
    );
}

#[test]
fn an_error_keeps_its_request_as_fields() {
    let token = Secret::new("t0p-secret".to_owned());
    let headers = |id: &str| {
        [("request-id".parse().unwrap(), id.parse().unwrap())]
            .into_iter()
            .collect()
    };
    let answer = |id: &str| Answer {
        status: StatusCode::FORBIDDEN,
        headers: headers(id),
        body: bytes::Bytes::new(),
    };
    let asked = Asked {
        request: "GET /v1.0/users/delta at graph.example",
        method: "GET",
        path: "/v1.0/users/delta",
        client_request_id: "c-1",
        permission: "User.Read.All",
        not_found: "",
        kept_link: false,
        token: Some(&token),
    };
    let exchange = |id: &str| match asked.judge(&answer(id)) {
        Verdict::Final(error) => error.what().exchange().cloned().unwrap(),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        exchange("s-7"),
        Exchange {
            method: "GET",
            path: "/v1.0/users/delta".to_owned(),
            status: Some(403),
            request_id: Some("s-7".to_owned()),
        }
    );
    assert_eq!(
        exchange("t0p-secret").request_id,
        None,
        "an echo of the token is not kept"
    );
}

use bytes::Bytes;
use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use reqwest::header::HeaderName;
use serde_json::json;

use super::*;

fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Answer {
    let pair = |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
    Answer {
        status: StatusCode::from_u16(status).unwrap(),
        headers: headers.iter().map(pair).collect::<HeaderMap>(),
        body: Bytes::from(body.to_owned()),
    }
}

fn token() -> Secret {
    Secret::new("t0p-secret".to_owned())
}

fn asked(method: &'static str) -> Asked {
    Asked {
        method,
        path: "/Users/u-1".to_owned(),
        one_resource: method != "POST",
    }
}

#[test]
fn every_status_has_its_meaning() {
    for (method, status, headers, expected) in [
        ("POST", 400, &[][..], "Refused"),
        ("PATCH", 401, &[], "Unauthorized"),
        ("PATCH", 403, &[], "Refused"),
        ("PATCH", 404, &[], "NotFound"),
        ("POST", 404, &[], "Refused"),
        ("PATCH", 410, &[], "NotFound"),
        ("POST", 410, &[], "Refused"),
        ("POST", 409, &[], "Conflict"),
        ("PATCH", 409, &[], "Conflict"),
        ("PATCH", 412, &[], "Refused"),
        ("POST", 413, &[], "Refused"),
        ("POST", 422, &[], "Refused"),
        ("POST", 501, &[], "Refused"),
        ("POST", 302, &[], "Refused"),
        ("POST", 408, &[], "Unavailable maybe"),
        ("POST", 500, &[], "Unavailable maybe"),
        ("POST", 503, &[], "Unavailable maybe"),
        ("POST", 503, &[("retry-after", "5")], "Unavailable"),
        ("POST", 429, &[], "Unavailable"),
        ("GET", 502, &[], "Unavailable"),
    ] {
        let error = fault(
            &asked(method),
            status,
            &answer(status, headers, ""),
            &token(),
            Words::Kept,
        );
        let variant = format!("{error:?}").split([' ', '{']).next().unwrap().to_owned();
        let maybe = if error.maybe_done() { " maybe" } else { "" };
        assert_eq!(format!("{variant}{maybe}"), expected, "{method} {status}");
        assert!(!error.hint().is_empty());
    }
}

#[test]
fn what_the_body_says_is_kept_short_and_without_the_token() {
    let long = "x".repeat(5000);
    for (body, kind, expected) in [
        (
            json!({"scimType": "uniqueness", "detail": "taken", "status": "409"}).to_string(),
            "",
            "400 uniqueness: taken",
        ),
        (
            json!({"status": {"code": 400}, "message": "no"}).to_string(),
            "",
            "400: no",
        ),
        (
            "<html><body>Sign in</body></html>".to_owned(),
            "text/html",
            "400: a web page (HTML), not SCIM: <html><body>Sign in</body></html>",
        ),
        ("no\n such  thing".to_owned(), "text/plain", "400: no such thing"),
        (String::new(), "text/plain", "400 (request r-1)"),
        (
            "bad token t0p-secret!".to_owned(),
            "text/plain",
            "bad token [secret]!",
        ),
        (long, "text/plain", "…"),
    ] {
        let answer = answer(400, &[("content-type", kind), ("x-request-id", "r-1")], &body);
        let error = fault(&asked("PATCH"), 400, &answer, &token(), Words::Kept);
        let shown = error.to_string();
        assert!(shown.starts_with("PATCH /Users/u-1 answered 400"), "{shown}");
        assert!(
            shown.contains(expected) && shown.contains("(request r-1)"),
            "{shown}"
        );
        assert!(
            shown.len() < 500 && !format!("{error:?}").contains("t0p-secret"),
            "{shown}"
        );
    }
}

#[test]
fn a_request_id_that_repeats_the_token_does_not_show_it() {
    for name in ["x-request-id", "request-id", "cf-ray"] {
        let said = answer(400, &[(name, "id t0p-secret end")], "");
        let error = fault(&asked("POST"), 400, &said, &token(), Words::Kept);
        let text = format!("{error} {error:?}");
        assert!(
            text.contains("(request id") && !text.contains("t0p-secret"),
            "{text}"
        );
    }
}

#[test]
fn words_of_any_shape_are_kept_on_one_line_with_control_characters_escaped() {
    let nested = json!({"error": {"code": 400, "message": "no such\nunit"}});
    let long = json!({"errors": ["x".repeat(500)]});
    let first: String = long.to_string().chars().take(200).collect();
    for (body, expected) in [
        (
            nested.to_string(),
            r#": {"error":{"code":400,"message":"no such\nunit"}}"#.to_owned(),
        ),
        (
            json!({"errors": [{"message": "a"}, {"message": "b"}]}).to_string(),
            r#": {"errors":[{"message":"a"},{"message":"b"}]}"#.to_owned(),
        ),
        (
            json!({"Errors": {"userName": ["taken"]}}).to_string(),
            r#": {"Errors":{"userName":["taken"]}}"#.to_owned(),
        ),
        (
            json!({"detail": [{"loc": ["body"], "msg": "required"}]}).to_string(),
            r#": {"detail":[{"loc":["body"],"msg":"required"}]}"#.to_owned(),
        ),
        (
            json!({"detail": "", "Message": "said elsewhere"}).to_string(),
            ": said elsewhere".to_owned(),
        ),
        (json!(["one", "two"]).to_string(), r#": ["one","two"]"#.to_owned()),
        (json!("just words").to_string(), r#": "just words""#.to_owned()),
        (
            "\u{feff}{\"detail\":\"behind a mark\"}".to_owned(),
            ": behind a mark".to_owned(),
        ),
        (
            json!({"schemas": [ERROR_SCHEMA], "status": "400"}).to_string(),
            String::new(),
        ),
        (
            json!({"scimType": "uniqueness", "status": 400}).to_string(),
            " uniqueness".to_owned(),
        ),
        (
            json!({"detail": "red \u{1b}[31m\u{7} \u{9b}2J \u{202e}txt\u{2028}end"}).to_string(),
            ": red \\u{1b}[31m\\u{7} \\u{9b}2J \\u{202e}txt end".to_owned(),
        ),
        (
            "<!DOCTYPE html>\n<title>403 Forbidden</title>".to_owned(),
            ": a web page (HTML), not SCIM: <!DOCTYPE html> <title>403 Forbidden</title>".to_owned(),
        ),
        (
            r#"{"errors":["t0p\u002dsecret"]}"#.to_owned(),
            r#": {"errors":["[secret]"]}"#.to_owned(),
        ),
        (long.to_string(), format!(": {first}…")),
    ] {
        let error = fault(
            &asked("PATCH"),
            400,
            &answer(400, &[], &body),
            &token(),
            Words::Kept,
        );
        assert_eq!(
            error.to_string(),
            format!("PATCH /Users/u-1 answered 400{expected}"),
            "{body}"
        );
    }
    let bytes = Answer {
        body: Bytes::from_static(b"\xff\xfe no \x00"),
        ..answer(400, &[], "")
    };
    let error = fault(&asked("PATCH"), 400, &bytes, &token(), Words::Kept).to_string();
    assert!(error.ends_with("no \\u{0}") && !error.contains('\0'), "{error}");
}

#[test]
fn an_error_body_in_a_good_answer_is_an_error() {
    let ok = answer(200, &[], "");
    for (status, expected) in [
        (json!("409"), 409),
        (json!(404), 404),
        (json!({"code": "400"}), 400),
        (json!(null), 500),
    ] {
        let body = json!({"schemas": [ERROR_SCHEMA], "status": status});
        assert_eq!(status_of(&ok, Some(&body)), expected);
    }
    assert_eq!(status_of(&ok, Some(&json!({"id": "1", "status": "409"}))), 200);
    assert_eq!(status_of(&ok, None::<&serde_json::Value>), 200);
}

#[test]
fn without_words_an_error_keeps_status_and_kind_and_nothing_that_the_target_wrote() {
    for (body, expected) in [
        (
            r#"{"scimType":"INVALIDVALUE","detail":"cannot accept canary"}"#,
            " invalidValue (",
        ),
        (r#"{"scimType":"canary","detail":"canary"}"#, "400 ("),
        ("canary", "400 ("),
        ("", "400 ("),
    ] {
        let answer = answer(400, &[], body);
        let error = fault(&asked("PATCH"), 400, &answer, &token(), Words::LeftOut).to_string();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("canary"), "{error}");
    }
}

#[test]
fn an_error_keeps_its_request_as_fields() {
    let headers = [("x-request-id", "r-7 t0p-secret")];
    let error = fault(
        &asked("PATCH"),
        400,
        &answer(400, &headers, ""),
        &token(),
        Words::Kept,
    );
    let exchange = error.what().exchange().unwrap();
    assert_eq!(
        (exchange.method, exchange.path.as_str(), exchange.status),
        ("PATCH", "/Users/u-1", Some(400))
    );
    let id = exchange.request_id.as_deref().unwrap();
    assert!(id.starts_with("r-7") && !id.contains("t0p-secret"), "{id}");
    // The refusal of a part of the request still names that request.
    assert_eq!(error.to_refusal().what().exchange(), Some(exchange));
}

//! Sessions: a token is shown once, and a cookie stands for it until the logout, or until the token goes.

use std::fs;

use super::world::APPROVER;
use super::world::Door;
use super::world::OPERATOR;
use super::world::VIEWER;
use crate::wiring::stage::until;

#[test]
fn a_login_gives_a_cookie_that_no_script_and_no_other_site_gets() {
    let door = Door::new();
    let fields = format!("token={VIEWER}&next=%2Fjobs%2Fidmelon%2Fdrift");
    let answer = door.form("/session", "", &fields).is(303);
    let head = answer.head.to_lowercase();
    assert!(head.contains("location: /jobs/idmelon/drift"), "{head}");
    for word in ["path=/", "secure", "httponly", "samesite=strict"] {
        assert!(head.contains(&format!("; {word}")), "{word} in {head}");
    }
    assert!(!head.contains("domain="), "{head}");
    let page = door.ask("GET", "/", &door.login(VIEWER), None).is(200);
    assert!(
        page.body.contains("lookout") && page.body.contains("viewer"),
        "{}",
        page.body
    );
    assert!(!page.body.contains(VIEWER), "the token stands nowhere");
}

#[test]
fn a_login_leads_to_our_own_pages_only() {
    let door = Door::new();
    for next in [
        "%2F%2Fevil",
        "%2F%5Cevil",
        "https%3Aevil",
        "https%3A%2F%2Fevil%2F",
        "%2Fa%0D%0ASet-Cookie%3A%20a%3Db",
    ] {
        let answer = door
            .form(
                "/session",
                "X-Forwarded-Host: evil\r\n",
                &format!("token={VIEWER}&next={next}"),
            )
            .is(303);
        assert!(
            answer.head.to_lowercase().contains("location: /\r\n"),
            "{next}: {}",
            answer.head
        );
    }
}

#[test]
fn a_wrong_token_logs_nobody_in() {
    let door = Door::new();
    for fields in [
        "token=wrong-0123456789abcdef0123456789abcdef",
        "token=",
        "",
        "code=ffff",
        "token=a&token=b",
    ] {
        let answer = door.form("/session", "", fields).is(401);
        assert!(
            !answer.head.to_lowercase().contains("set-cookie"),
            "{fields}: {}",
            answer.head
        );
        assert!(answer.body.contains("Nobody has this token"), "{}", answer.body);
    }
    let json = door.ask(
        "POST",
        "/session",
        "",
        Some(&serde_json::json!({"token": VIEWER})),
    );
    json.is(403);
}

#[test]
fn a_session_ends_by_logout_and_with_its_token() {
    let door = Door::new();
    let session = door.login(OPERATOR);
    door.ask("GET", "/api/v1/jobs", &session, None).is(200);
    let gone = door.form("/session/end", &session, "").is(303);
    assert!(gone.head.contains("Max-Age=0"), "{}", gone.head);
    door.ask("GET", "/api/v1/jobs", &session, None).problem(401);
    let session = door.login(OPERATOR);
    fs::write(
        door.daemon.world.path("operator"),
        "renewed-0123456789abcdef0123456789abcdef",
    )
    .unwrap();
    door.reload();
    until("the session ends with its token", || {
        door.ask("GET", "/api/v1/jobs", &session, None).status == 401
    });
}

#[test]
fn a_link_from_another_site_ends_at_its_page() {
    let door = Door::new();
    let page = "/jobs/idmelon/withheld?reason=left%20the%20scope";
    let again = door
        .ask("GET", page, "Sec-Fetch-Site: cross-site\r\n", None)
        .is(200);
    assert!(again.body.contains("http-equiv=\"refresh\""), "{}", again.body);
    let login = door
        .ask("GET", page, "Sec-Fetch-Site: same-origin\r\n", None)
        .is(303);
    let head = login.head.to_lowercase();
    assert!(
        head.contains("location: /login?next=%2fjobs%2fidmelon%2fwithheld%3freason%3dleft%2520the%2520scope"),
        "{head}"
    );
}

#[test]
fn a_page_says_what_it_may_do_and_no_answer_is_kept() {
    let door = Door::new();
    let page = door.ask("GET", "/", &door.login(APPROVER), None).is(200);
    let head = page.head.to_lowercase();
    for part in [
        "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'",
        "require-trusted-types-for 'script'",
        "frame-ancestors 'none'",
        "cache-control: no-store",
        "x-content-type-options: nosniff",
        "cross-origin-opener-policy: same-origin",
        "referrer-policy: same-origin",
    ] {
        assert!(head.contains(part), "{part} in {head}");
    }
    assert!(!head.contains("unsafe-"), "{head}");
    assert!(
        !page.body.contains(" style=") && !page.body.contains("<style") && !page.body.contains(" onclick")
    );
    for name in ["style-", "live-", "icon-"] {
        let at = page.body.find(&format!("/assets/{name}")).expect(name);
        let path = page.body[at..].split('"').next().unwrap();
        let asset = door.ask("GET", path, "", None).is(200);
        assert!(asset.head.contains("immutable"), "{}", asset.head);
        door.ask("GET", &path.replace(name, "no-"), "", None).is(404);
    }
    for path in [
        "/assets/..%2f..%2fCargo.toml",
        "/assets/%2e%2e/x",
        "/assets//etc/passwd",
        "/assets/%00",
    ] {
        assert!(
            matches!(door.ask("GET", path, "", None).status, 404 | 400),
            "{path}"
        );
    }
}

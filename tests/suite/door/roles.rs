//! Every route, with every role and every way to show a token, or none. The routes are those that the description of the API
//! has: one without a row here fails.

use std::collections::BTreeMap;

use super::world::APPROVER;
use super::world::Door;
use super::world::OPERATOR;
use super::world::VIEWER;
use super::world::bearer;

/// Method, path and least role of each route.
const ROWS: &str = include_str!("roles.tsv");

/// How far a role reaches; nobody's is none.
fn rank(role: &str) -> usize {
    ["anybody", "viewer", "operator", "approver"]
        .iter()
        .position(|known| *known == role)
        .unwrap_or_else(|| panic!("{role} is no role"))
}

fn rows() -> BTreeMap<(String, String), String> {
    let row = |line: &str| {
        let mut parts = line.split('\t').map(str::to_owned);
        let mut part = || parts.next().expect(line);
        ((part(), part()), part())
    };
    ROWS.lines().map(row).collect()
}

/// The routes of the description, each with its role.
fn described(door: &Door) -> BTreeMap<(String, String), String> {
    let document = door.get("/api/v1/openapi.json").is(200).json();
    let mut all = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let role = operation["x-role"].as_str().unwrap_or("anybody");
            all.insert((method.to_uppercase(), path.clone()), role.to_owned());
        }
    }
    all
}

#[test]
fn every_route_has_a_row_and_is_open_to_those_of_its_role_only() {
    let door = Door::new();
    let rows = rows();
    assert_eq!(
        described(&door),
        rows,
        "tests/suite/door/roles.tsv has a row for each route"
    );
    let approver = door.login(APPROVER);
    let credentials = [
        ("none", String::new(), 0),
        ("wrong", bearer("wrong-0123456789abcdef0123456789abcdef"), 0),
        ("malformed", format!("Authorization: Bearer{APPROVER}\r\n"), 0),
        ("empty", bearer(""), 0),
        ("two", format!("{}{}", bearer(APPROVER), bearer(APPROVER)), 0),
        (
            "a cookie",
            format!("Cookie: token={APPROVER}; session={APPROVER}\r\n"),
            0,
        ),
        ("a session that never was", door.cookie(&"f".repeat(64)), 0),
        (
            "a session in two cookies",
            format!("{}{approver}", bare(&approver)),
            0,
        ),
        (
            "a session and a wrong token",
            format!("{approver}{}", bearer("wrong-0123456789abcdef0123456789abcdef")),
            0,
        ),
        ("a viewer's session", door.login(VIEWER), 1),
        ("an operator's session", door.login(OPERATOR), 2),
        ("an approver's session", approver.clone(), 3),
        ("a claim", "X-Melonsync-Claims: USER=root\r\n".to_owned(), 0),
        ("viewer", bearer(VIEWER), 1),
        ("operator", bearer(OPERATOR), 2),
        ("approver", bearer(APPROVER), 3),
    ];
    let check = |method: &str, path: &str, least: &str| {
        // A parameter that no route has: whoever may call it is told so, and nothing is done.
        let path = format!("{}?nothing=1", path.replace(['{', '}'], ""));
        for (name, headers, reach) in &credentials {
            let answer = door.ask(method, &path, headers, None);
            let expected = match rank(least) {
                needed if needed <= *reach => 400,
                _ if *reach == 0 => 401,
                _ => 403,
            };
            assert_eq!(answer.status, expected, "{method} {path} with {name}: {answer:?}");
        }
        // A browser sends the cookie for a page of another site too.
        let expected = if method == "GET" { 400 } else { 403 };
        if rank(least) > 0 {
            let answer = door.ask(method, &path, bare(&approver), None);
            assert_eq!(
                answer.status, expected,
                "{method} {path} without an origin: {answer:?}"
            );
        }
    };
    std::thread::scope(|scope| {
        for ((method, path), least) in &rows {
            scope.spawn(|| check(method, path, least));
        }
    });
    assert_eq!(door.daemon.world.tenant.request_count(), 0);
}

/// The cookie of a session alone, as a browser sends it for a page of another site.
fn bare(session: &str) -> &str {
    session.split("Origin").next().unwrap()
}

/// Method, path and least role of each page; a test beside the table of pages compares the two.
const PAGES: &str = include_str!("pages.tsv");

#[test]
fn every_page_is_open_to_those_of_its_role_only_and_the_rest_are_sent_to_the_login() {
    let door = Door::new();
    let (viewer, approver) = (door.login(VIEWER), door.login(APPROVER));
    let own = format!("Origin: http://127.0.0.1:{}\r\n", door.port);
    let credentials = [
        ("none", own.clone(), 0),
        (
            "wrong",
            format!("{own}{}", bearer("wrong-0123456789abcdef0123456789abcdef")),
            0,
        ),
        ("a session that never was", door.cookie(&"f".repeat(64)), 0),
        ("a viewer's session", viewer, 1),
        ("an operator's session", door.login(OPERATOR), 2),
        ("an approver's session", approver.clone(), 3),
        ("an approver's token", format!("{own}{}", bearer(APPROVER)), 3),
    ];
    for line in PAGES.lines() {
        let parts: Vec<&str> = line.split('\t').collect();
        let (method, least) = (parts[0], parts[2]);
        let path = format!("{}?nothing=1", parts[1].replace(['{', '}'], ""));
        for (name, headers, reach) in &credentials {
            let answer = door.ask(method, &path, headers, None);
            let shows_token = headers.contains("Authorization");
            let expected = match rank(least) {
                needed if needed <= *reach => 400,
                _ if *reach == 0 && method == "GET" && !shows_token => 303,
                _ if *reach == 0 => 401,
                _ => 403,
            };
            assert_eq!(answer.status, expected, "{method} {path} with {name}: {answer:?}");
        }
        if method == "POST" {
            for stranger in ["", "Origin: null\r\n", "Origin: http://evil\r\n"] {
                let answer = door.ask(method, &path, &format!("{}{stranger}", bare(&approver)), None);
                assert_eq!(answer.status, 403, "{method} {path} of {stranger:?}: {answer:?}");
            }
            let sibling = format!("{approver}Sec-Fetch-Site: same-site\r\n");
            assert_eq!(
                door.ask(method, &path, &sibling, None).status,
                403,
                "{method} {path}"
            );
        }
    }
    assert_eq!(door.daemon.world.tenant.request_count(), 0);
}

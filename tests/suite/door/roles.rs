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
    };
    std::thread::scope(|scope| {
        for ((method, path), least) in &rows {
            scope.spawn(|| check(method, path, least));
        }
    });
    assert_eq!(door.daemon.world.tenant.request_count(), 0);
}

//! Tables as CSV: what the page shows, whole, and no cell that a spreadsheet would run.

use std::collections::BTreeMap;

use super::pages::eventful;
use super::pages::read;
use super::world::Door;
use super::world::VIEWER;

/// The cells of a table, line by line.
fn cells(table: &str) -> Vec<Vec<String>> {
    table.lines().map(cells_of).collect()
}

fn cells_of(line: &str) -> Vec<String> {
    let (mut cells, mut cell, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if is_quoted && chars.peek() == Some(&'"') => cell.extend(chars.next()),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => cells.push(std::mem::take(&mut cell)),
            c => cell.push(c),
        }
    }
    cells.push(cell);
    cells
}

#[track_caller]
fn table(door: &Door, session: &str, path: &str) -> Vec<Vec<String>> {
    let answer = door
        .ask("GET", &format!("/jobs/idmelon/{path}"), session, None)
        .is(200);
    let head = answer.head.to_lowercase();
    assert!(head.contains("content-type: text/csv; charset=utf-8"), "{head}");
    assert!(
        head.contains("content-disposition: attachment; filename="),
        "{head}"
    );
    assert!(
        answer.body.lines().all(|line| line.starts_with('"')),
        "{path}: every cell is in quotes"
    );
    let lines = cells(&answer.body);
    for cell in lines.iter().flatten() {
        assert!(!cell.starts_with(['=', '+', '-', '@']), "{path}: {cell}");
        assert!(!cell.contains(['\u{202e}', '\u{1b}']), "{path}: {cell}");
    }
    assert!(
        lines.iter().all(|line| line.len() == lines[0].len()),
        "{path}: {lines:?}"
    );
    lines
}

#[test]
fn a_table_is_what_its_page_shows_and_no_cell_of_it_is_a_formula() {
    let (door, ids) = eventful("=HYPERLINK(\"http://evil\")\u{202e}\u{1b}");
    let session = door.login(VIEWER);
    let column = |lines: &[Vec<String>], name: &str| {
        let at = lines[0].iter().position(|head| head == name).unwrap();
        lines[1..].iter().map(|line| line[at].clone()).collect::<Vec<_>>()
    };
    let people = table(&door, &session, "objects.csv");
    let mut all = ids.clone();
    all.sort();
    assert_eq!(column(&people, "object"), all);
    assert_eq!(table(&door, &session, "objects.csv?kind=group").len(), 2);
    let held = table(&door, &session, "objects.csv?state=held&query=");
    assert_eq!(column(&held, "object"), [ids[9].clone()]);
    let withheld = table(&door, &session, "withheld.csv");
    assert!(withheld.len() > 3, "{withheld:?}");
    let names = column(&people, "object").into_iter().zip(column(&people, "name"));
    let names: BTreeMap<String, String> = names.collect();
    assert_eq!(
        column(&withheld, "name")[0],
        names[&column(&withheld, "object")[0]]
    );
    let drift = table(&door, &session, "drift.csv");
    assert_eq!(column(&drift, "object"), [ids[10].clone()]);
    assert_eq!(column(&drift, "attribute"), ["title"]);
    let escrow = table(&door, &session, "escrow.csv");
    assert_eq!(column(&escrow, "object"), [ids[8].clone()]);
    let history = table(&door, &session, "history.csv");
    let after = column(&history, "after");
    assert!(
        after
            .iter()
            .any(|cell| cell.starts_with("'=HYPERLINK(\"http://evil\")\\u{202e}")),
        "{after:?}"
    );
    let holds = table(&door, &session, "history.csv?operation=hold");
    assert_eq!(column(&holds, "object"), [ids[9].clone()]);
    assert!(column(&holds, "detail")[0].starts_with("leave it"), "{holds:?}");
    // The timeline has names beside ids.
    let timeline = read(&door.ask("GET", "/jobs/idmelon", &session, None).is(200).body);
    assert!(
        timeline.contains(&ids[9]) && timeline.contains(&names[&ids[9]]),
        "{timeline}"
    );
    for wrong in [
        "objects.csv?state=none",
        "history.csv?since=yesterday",
        "objects.csv?other=1",
    ] {
        door.ask("GET", &format!("/jobs/idmelon/{wrong}"), &session, None)
            .is(400);
    }
}

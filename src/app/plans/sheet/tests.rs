use super::*;
use crate::model::verb::Verb;
use crate::reconcile::operation::Change;
use crate::reconcile::operation::Reason;

fn hostile() -> Operation {
    Operation {
        verb: Verb::UpdateUser,
        kind: ObjectKind::User,
        source: SourceId::from_bytes([7; 16]),
        name: "<script>alert(1)</script>@corp".to_owned(),
        target: None,
        because: Reason::NotAsSent,
        changes: vec![Change {
            attribute: "title".into(),
            before: Value::text("a, \"b\""),
            after: Value::text("=HYPERLINK(\"x\")"),
        }],
        members: Vec::new(),
    }
}

#[test]
fn a_value_is_neither_markup_nor_a_formula() {
    let page = html(&hostile(), |_| None);
    assert!(
        !page.contains("<script") && page.contains("&lt;script&gt;"),
        "{page}"
    );
    assert_eq!(
        csv(&hostile()),
        "\"update_user\",\"07070707-0707-0707-0707-070707070707\",\"<script>alert(1)</script>@corp\",\"\",\
         \"the mapping comes to another value than was last sent\",\"title\",\"a, \"\"b\"\"\",\"'=HYPERLINK(\"\"x\"\")\"\n"
    );
}

#[test]
fn the_page_runs_its_own_script_alone() {
    let page = include_str!("../sheet.html");
    let policy = policy(page);
    assert!(
        page.contains("{{policy}}") && !policy.contains("unsafe"),
        "{policy}"
    );
    for (tag, directive) in [("style", "style-src"), ("script", "script-src")] {
        let begin = page.find(&format!("<{tag}>")).unwrap() + tag.len() + 2;
        let end = page.find(&format!("</{tag}>")).unwrap();
        let hash = STANDARD.encode(Sha256::digest(&page[begin..end]));
        assert!(
            page[begin..end].len() > 100 && !page[begin..end].contains("{{"),
            "{tag}"
        );
        assert!(
            policy.contains(&format!("{directive} 'sha256-{hash}'")),
            "{policy}"
        );
    }
    for inline in [" style=", " onclick=", " onload=", "javascript:"] {
        assert!(!page.contains(inline), "{inline} needs unsafe-inline");
    }
}

/// A table as a lenient reader has it: a quote opens a quoted part only at the beginning of a cell, and what follows its
/// end belongs to the cell.
fn read(table: &str, separator: char) -> Vec<Vec<String>> {
    let mut rows = vec![vec![String::new()]];
    let (mut quoted, mut begins) = (false, true);
    let mut chars = table.chars().peekable();
    while let Some(c) = chars.next() {
        let row = rows.last_mut().unwrap();
        let cell = row.last_mut().unwrap();
        match c {
            '"' if quoted && chars.peek() == Some(&'"') => {
                chars.next();
                cell.push('"');
            }
            '"' if quoted => quoted = false,
            '"' if begins => quoted = true,
            '\n' if !quoted => rows.push(vec![String::new()]),
            c if c == separator && !quoted => row.push(String::new()),
            c => cell.push(c),
        }
        begins = !quoted && (c == '\n' || c == separator);
    }
    rows.pop();
    rows
}

#[test]
fn no_cell_is_a_formula_whatever_it_is_split_at() {
    let formula = ['=', '+', '-', '@', '＝', '＋', '－', '＠'];
    let mut values = Vec::new();
    for sign in formula {
        for before in [
            "", ";", "\t", ",", "|", "\n", "\r\n", "\0", "\u{feff}", " ", "a;", "a\t", "a,", "\"", ";\"",
            "a;\" ", "\";\"", "x\n", "\u{a0}", ";;", "\u{ad}",
        ] {
            values.push(format!("{before}{sign}cmd|'/c calc'!A1"));
        }
    }
    for value in values {
        let mut operation = hostile();
        operation.name.clone_from(&value);
        operation.changes[0].after = Value::text(value.clone());
        let table = csv(&operation);
        for separator in [',', ';', '\t'] {
            let rows = read(&table, separator);
            assert_eq!(rows.len(), 1, "{value:?} breaks no line: {table}");
            for cell in &rows[0] {
                let first =
                    cell.trim_start_matches(|c: char| c.is_whitespace() || "\"\u{feff}\u{ad}\0".contains(c));
                assert!(
                    !first.starts_with(formula),
                    "{value:?} split at {separator:?}: {cell:?}"
                );
            }
            if separator == ',' {
                assert_eq!(rows[0].len(), 8, "{table}");
                let plain = |text: &str| text.replace('\'', "");
                assert_eq!(plain(&rows[0][7]), plain(&shown(&value)), "{value:?} can be read");
            }
        }
    }
}

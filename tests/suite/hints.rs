//! Hints are tried: each hint of the source stands in a list with the test that does what it says and sees the trouble
//! gone, or in the list of those that no test has tried so far, with the reason. A new hint in neither list fails.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

/// The beginning of a hint, and the test that does what it says.
const TRIED: &str = include_str!("hints/tried.tsv");

/// The beginning of a hint, and why no test does what it says.
const UNTRIED: &str = include_str!("hints/untried.tsv");

/// As many as are untried today, all of them about faults of the program itself: the number may only fall.
const MOST_UNTRIED: usize = 4;

/// As much of a hint as names it.
const KEY: usize = 60;

enum Token {
    Text(String),
    Char(char),
}

/// The string literals of a source, and everything else but comments, character by character.
fn tokens(source: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        if rest.starts_with("//") {
            rest = rest.find('\n').map_or("", |end| &rest[end..]);
        } else if let Some(raw) = rest.strip_prefix("r#\"") {
            let end = raw.find("\"#").unwrap_or(raw.len());
            tokens.push(Token::Text(raw[..end].to_owned()));
            rest = raw.get(end + 2..).unwrap_or("");
        } else if first == '"' {
            let (text, after) = literal(&rest[1..]);
            tokens.push(Token::Text(text));
            rest = after;
        } else if let Some(length) = char_literal(rest) {
            rest = &rest[length..];
        } else {
            tokens.push(Token::Char(first));
            rest = &rest[first.len_utf8()..];
        }
    }
    tokens
}

/// What a literal says, and what follows it.
fn literal(source: &str) -> (String, &str) {
    let mut text = String::new();
    let mut chars = source.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (text, &source[at + 1..]),
            '\\' => match chars.next() {
                Some((_, '\n')) => {
                    let left = chars.as_str();
                    let skipped = left.len() - left.trim_start().len();
                    while chars.as_str().len() > left.len() - skipped {
                        chars.next();
                    }
                }
                Some((_, 'n')) => text.push('\n'),
                Some((_, other)) => text.push(other),
                None => {}
            },
            c => text.push(c),
        }
    }
    (text, "")
}

fn char_literal(source: &str) -> Option<usize> {
    let inner = source.strip_prefix('\'')?;
    let escaped = inner.starts_with('\\');
    let end = if escaped {
        2 + inner.get(2..)?.find('\'')?
    } else {
        let first = inner.chars().next()?;
        inner[first.len_utf8()..]
            .starts_with('\'')
            .then_some(first.len_utf8())?
    };
    Some(end + 2)
}

/// How far a hint reaches from where it begins.
enum Reach {
    /// To the end of what these two enclose.
    Within(char, char),
    /// To the end of the field or statement.
    Field,
}

/// Where hints stand.
fn places(flat: &[char]) -> Vec<(usize, Reach, bool)> {
    let mut places = Vec::new();
    let starts = |at: usize, word: &str| {
        word.chars()
            .enumerate()
            .all(|(n, c)| flat.get(at + n) == Some(&c))
    };
    for at in 0..flat.len() {
        for call in [
            ".advise(",
            "AppError::usage(",
            "AppError::absent(",
            "AppError::conflict(",
            "AppError::failed(",
        ] {
            if starts(at, call) {
                let open = at + call.len() - 1;
                places.push((open, Reach::Within('(', ')'), call != ".advise("));
            }
        }
        for function in ["fn hint", "fn advice", "fn advise"] {
            if starts(at, function) {
                let body = (at..flat.len()).find(|n| matches!(flat[*n], '{' | ';'));
                if let Some(open) = body.filter(|open| flat[*open] == '{') {
                    places.push((open, Reach::Within('{', '}'), false));
                }
            }
        }
        for field in ["hint: ", "advice: ", "let hint = ", "let advice = "] {
            let value = flat.get(at + field.len());
            if starts(at, field) && value.is_some_and(|c| !c.is_uppercase() && *c != '&') {
                places.push((at + field.len(), Reach::Field, false));
            }
        }
    }
    places
}

fn texts(tokens: &[Token], from: usize, reach: &Reach) -> Vec<String> {
    let (mut depth, mut found) = (0_i32, Vec::new());
    for token in &tokens[from..] {
        match (token, reach) {
            (Token::Text(text), _) => found.push(text.clone()),
            (Token::Char(c), Reach::Within(open, close)) => {
                depth += i32::from(c == open) - i32::from(c == close);
                if depth == 0 {
                    return found;
                }
            }
            (Token::Char(c), Reach::Field) => {
                depth += i32::from("([{".contains(*c)) - i32::from(")]}".contains(*c));
                if depth < 0 || (depth == 0 && matches!(c, ',' | ';')) {
                    return found;
                }
            }
        }
    }
    found
}

fn hints_of(source: &str) -> Vec<String> {
    let source = source
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    let tokens = tokens(source);
    let flat: Vec<char> = tokens
        .iter()
        .map(|token| match token {
            Token::Text(_) => '\0',
            Token::Char(c) => *c,
        })
        .collect();
    let mut hints = Vec::new();
    for (from, reach, last) in places(&flat) {
        let mut found = texts(&tokens, from, &reach);
        if last && found.len() > 1 {
            found.drain(..found.len() - 1);
        }
        hints.extend(found);
    }
    hints.retain(|hint| hint.len() > 14 && hint.contains(' '));
    hints
}

fn key(hint: &str) -> String {
    let line = hint.replace('\n', " ");
    line.trim()
        .chars()
        .take(KEY)
        .collect::<String>()
        .trim_end()
        .to_owned()
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push(path);
        }
    }
}

fn sources(of: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join(of), &mut found);
    found
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            (path, text)
        })
        .collect()
}

/// Every hint of the program, by its beginning, with where it stands.
fn inventory() -> BTreeMap<String, PathBuf> {
    let mut hints = BTreeMap::new();
    for (path, text) in sources("src") {
        let name = path.display().to_string();
        if name.contains("/tests") || name.contains("/sandbox/") {
            continue;
        }
        for hint in hints_of(&text) {
            hints.insert(key(&hint), path.clone());
        }
    }
    hints
}

fn table(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter(|line| !line.is_empty());
    lines
        .map(|line| {
            let (hint, what) = line.split_once('\t').expect(line);
            (hint.to_owned(), what.to_owned())
        })
        .collect()
}

#[test]
fn every_hint_is_tried_or_said_to_be_untried() {
    let (tried, untried) = (table(TRIED), table(UNTRIED));
    let hints = inventory();
    let known = |hint: &String| tried.contains_key(hint) || untried.contains_key(hint);
    let new: Vec<String> = hints
        .iter()
        .filter(|(hint, _)| !known(hint))
        .map(|(hint, path)| format!("{}: {hint}", path.display()))
        .collect();
    assert!(
        new.is_empty(),
        "hints that no test tries (tests/suite/hints/tried.tsv):\n{}",
        new.join("\n")
    );
    let listed: BTreeSet<&String> = tried.keys().chain(untried.keys()).collect();
    let gone: Vec<_> = listed.iter().filter(|hint| !hints.contains_key(**hint)).collect();
    assert!(gone.is_empty(), "no hint any more: {gone:#?}");
    assert!(
        untried.len() <= MOST_UNTRIED,
        "{} hints are untried, {MOST_UNTRIED} were: try them",
        untried.len()
    );
}

#[test]
fn every_test_that_tries_a_hint_is_there() {
    let tests = [sources("tests/suite"), sources("src")].concat();
    for (hint, test) in table(TRIED) {
        let is = format!("fn {test}(");
        assert!(
            tests.iter().any(|(_, text)| text.contains(&is)),
            "no test {test}, which is said to try: {hint}"
        );
    }
}

#[test]
fn hints_are_found_where_they_stand() {
    let source = "fn hint(&self) -> &str { match self { A => \"do this at once\", B => \\\"x\\\" } }\n\
                  fn f() { g(AppError::usage(format!(\"no job `{name}` here\"), \"name one of the jobs\")); }\n\
                  let e = E { hint: \"look at it again\".to_owned(), what }; // hint: \"not this one here\"\n";
    let source = source.replace("\\\"x\\\"", "\"x\"");
    let found = hints_of(&source);
    for hint in ["do this at once", "name one of the jobs", "look at it again"] {
        assert!(found.iter().any(|one| one == hint), "{hint} is not in {found:?}");
    }
    assert_eq!(found.len(), 3, "{found:?}");
}

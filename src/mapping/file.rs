//! Mapping files: TOML with `[[user]]` and `[[group]]` rows.
//!
//! Promise: all problems of a file are reported at once, in the order of its lines; an unknown key is refused with the
//! nearest one that exists.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::model::id::ObjectKind;
use crate::model::value::Value;

use super::{
    diagnostic::{Problem, Problems, Span, excerpt, nearest},
    expression::Expression,
    names::{Names, Reference},
    path::TargetPath,
    rows::{Apply, Authority, Drift, Mapping, Row},
};

mod types;

const KEYS: [&str; 7] = [
    "target",
    "source",
    "matching",
    "apply",
    "default",
    "authority",
    "drift",
];

impl Mapping {
    /// Parses the text of a mapping file.
    ///
    /// # Errors
    /// Every problem in it, each with line, caret and suggestion.
    pub fn from_toml(file_name: &str, text: &str) -> Result<Self, Problems> {
        read(file_name, text)
    }
}

fn read(file_name: &str, text: &str) -> Result<Mapping, Problems> {
    let mut reader = Reader {
        file: file_name,
        text,
        problems: Vec::new(),
    };
    let (document, broken) = DeTable::parse_recoverable(text);
    for error in broken {
        let span = error.span().unwrap_or(0..0);
        reader.report(span, "", format!("not TOML: {}", error.message()), None);
    }
    let mut mapping = Mapping {
        name: file_name.to_owned(),
        user: Vec::new(),
        group: Vec::new(),
        places: Default::default(),
    };
    // A text that TOML itself could not read would only add follow-up problems.
    if reader.problems.is_empty() {
        for (key, value) in document.get_ref() {
            match key.get_ref().as_ref() {
                "user" => mapping.user = reader.rows(ObjectKind::User, value),
                "group" => mapping.group = reader.rows(ObjectKind::Group, value),
                other => {
                    let near = nearest(other, ["user", "group"]).unwrap_or("user");
                    let hint =
                        format!("rows are written as [[user]] and [[group]]; did you mean [[{near}]]?");
                    reader.report(key.span(), "", format!("unknown key `{other}`"), Some(&hint));
                }
            }
        }
        if reader.problems.is_empty() && mapping.user.is_empty() && mapping.group.is_empty() {
            reader.report(
                0..0,
                "",
                "the mapping has no rows".to_owned(),
                Some("write [[user]] and its target and source"),
            );
        }
    }
    if reader.problems.is_empty() {
        return Ok(mapping);
    }
    reader.problems.sort_by_key(|problem| problem.line);
    Err(Problems(reader.problems))
}

struct Reader<'t> {
    file: &'t str,
    text: &'t str,
    problems: Vec<Problem>,
}

/// A row with its place in the file, kept while rows are compared with each other.
struct Placed {
    row: Row,
    target_at: Range<usize>,
    matching_at: Range<usize>,
}

impl Reader<'_> {
    fn line(&self, at: usize) -> usize {
        let before = self.text.as_bytes().get(..at).unwrap_or(self.text.as_bytes());
        before.iter().filter(|byte| **byte == b'\n').count() + 1
    }

    fn report(&mut self, at: Range<usize>, place: &str, message: String, hint: Option<&str>) {
        let problem = Problem {
            file: self.file.to_owned(),
            line: self.line(at.start),
            place: place.to_owned(),
            message,
            excerpt: excerpt(self.text, Span::new(at.start, at.end), hint),
        };
        self.problems.push(problem);
    }

    fn rows(&mut self, kind: ObjectKind, value: &Spanned<DeValue<'_>>) -> Vec<Row> {
        let place = format!("[[{kind}]]");
        let DeValue::Array(entries) = value.get_ref() else {
            let hint = format!("write {place} with two brackets: a mapping has many rows");
            self.report(
                value.span(),
                &place,
                format!("`{kind}` is not a list of rows"),
                Some(&hint),
            );
            return Vec::new();
        };
        let before = self.problems.len();
        let mut placed = Vec::new();
        for entry in entries.iter() {
            match entry.get_ref() {
                DeValue::Table(table) => placed.extend(self.row(kind, table, entry.span())),
                _ => self.report(
                    entry.span(),
                    &place,
                    "a row is a table with target and source".to_owned(),
                    None,
                ),
            }
        }
        // Rows that failed would seem missing below.
        if before == self.problems.len() && !placed.is_empty() {
            self.together(kind, &placed, &value.span());
        }
        placed.into_iter().map(|placed| placed.row).collect()
    }

    fn row(&mut self, kind: ObjectKind, table: &DeTable<'_>, span: Range<usize>) -> Option<Placed> {
        let before = self.problems.len();
        let target_entry = entry(table, "target");
        let named = target_entry
            .and_then(|value| value.get_ref().as_str())
            .unwrap_or_default();
        let place = format!("[[{kind}]] {named}").trim_end().to_owned();

        self.known_keys(table, &place);
        let target = self.target(target_entry, &place, &span);
        let source = self.source(kind, table, &place, &span);
        let matching = self.matching(table, &place);
        let apply = self.choice(
            table,
            &place,
            "apply",
            &[("always", Apply::Always), ("create-only", Apply::CreateOnly)],
        );
        let authority = self.choice(
            table,
            &place,
            "authority",
            &[("source", Authority::Source), ("target", Authority::Target)],
        );
        let drift = self.choice(
            table,
            &place,
            "drift",
            &[("report", Drift::Report), ("heal", Drift::Heal)],
        );
        let default = self.default(table, &place);
        let (target, source) = (target?, source?);
        let reference = source.reference();
        let row = Row {
            target,
            source,
            matching,
            apply: apply.unwrap_or_default(),
            default,
            authority: authority.unwrap_or_default(),
            reference,
            drift,
        };
        self.alone(&row, table, &place, &span);
        let at = |key| entry(table, key).map_or_else(|| span.clone(), Spanned::span);
        (before == self.problems.len()).then(|| Placed {
            row,
            target_at: at("target"),
            matching_at: at("matching"),
        })
    }

    fn known_keys(&mut self, table: &DeTable<'_>, place: &str) {
        for (key, _) in table {
            let written = key.get_ref().as_ref();
            if !KEYS.contains(&written) {
                let hint = match nearest(written, KEYS) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("a row has the keys {}", KEYS.join(", ")),
                };
                self.report(key.span(), place, format!("unknown key `{written}`"), Some(&hint));
            }
        }
    }

    fn target(
        &mut self,
        value: Option<&Spanned<DeValue<'_>>>,
        place: &str,
        row: &Range<usize>,
    ) -> Option<TargetPath> {
        let Some(value) = value else {
            self.report(
                row.clone(),
                place,
                "the row has no target".to_owned(),
                Some("add target = \"…\""),
            );
            return None;
        };
        let text = self.string(value, place, "target")?;
        match text.parse() {
            Ok(path) => Some(path),
            Err(error) => {
                self.report(value.span(), place, error.to_string(), None);
                None
            }
        }
    }

    fn source(
        &mut self,
        kind: ObjectKind,
        table: &DeTable<'_>,
        place: &str,
        row: &Range<usize>,
    ) -> Option<Expression> {
        let Some(value) = entry(table, "source") else {
            self.report(
                row.clone(),
                place,
                "the row has no source".to_owned(),
                Some("add source = \"[mail]\""),
            );
            return None;
        };
        let text = self.string(value, place, "source")?;
        match Expression::parse(Names::Of(kind), text) {
            Ok(expression) => Some(expression),
            Err(error) => {
                let line = self.line(value.span().start);
                for problem in &error.diagnostics {
                    // The expression as the engine sees it: without TOML's own quotes and escapes.
                    self.problems.push(Problem {
                        file: self.file.to_owned(),
                        line,
                        place: place.to_owned(),
                        message: problem.message.clone(),
                        excerpt: problem.excerpt(text),
                    });
                }
                None
            }
        }
    }

    fn matching(&mut self, table: &DeTable<'_>, place: &str) -> Option<u8> {
        let value = entry(table, "matching")?;
        let number = match value.get_ref() {
            DeValue::Integer(number) => number.to_string().parse::<u8>().ok().filter(|number| *number > 0),
            _ => None,
        };
        if number.is_none() {
            let hint = "1 for the first matching attribute, 2 for the second";
            self.report(
                value.span(),
                place,
                "`matching` is a number from 1 to 255".to_owned(),
                Some(hint),
            );
        }
        number
    }

    fn choice<T: Copy>(
        &mut self,
        table: &DeTable<'_>,
        place: &str,
        key: &str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let value = entry(table, key)?;
        let text = self.string(value, place, key)?;
        if let Some((_, choice)) = choices.iter().find(|(name, _)| *name == text) {
            return Some(*choice);
        }
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let hint = match nearest(text, names.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("one of \"{}\"", names.join("\", \"")),
        };
        self.report(
            value.span(),
            place,
            format!("`{key}` cannot be \"{text}\""),
            Some(&hint),
        );
        None
    }

    fn default(&mut self, table: &DeTable<'_>, place: &str) -> Option<Value> {
        let value = entry(table, "default")?;
        match value.get_ref() {
            // An empty default means none: `default = ""`.
            DeValue::String(text) => (!text.is_empty()).then(|| Value::text(text.as_ref())),
            DeValue::Boolean(truth) => Some(Value::Bool(*truth)),
            DeValue::Integer(number) => Some(Value::text(number.as_str())),
            _ => {
                self.report(
                    value.span(),
                    place,
                    "`default` is a text, a boolean or a number".to_owned(),
                    None,
                );
                None
            }
        }
    }

    fn string<'v>(&mut self, value: &'v Spanned<DeValue<'_>>, place: &str, key: &str) -> Option<&'v str> {
        let text = value.get_ref().as_str();
        if text.is_none() {
            self.report(value.span(), place, format!("`{key}` is a text in quotes"), None);
        }
        text
    }

    /// Checks a row by itself, beyond each of its keys.
    fn alone(&mut self, row: &Row, table: &DeTable<'_>, place: &str, span: &Range<usize>) {
        let at = |key| entry(table, key).map_or_else(|| span.clone(), Spanned::span);
        let fits = match row.reference {
            Some(Reference::Manager) => row.target.is_manager() || row.target.urn().is_some(),
            Some(Reference::Members) => row.target.is_members(),
            None => !row.target.is_members(),
        };
        if !fits {
            let hint = "[members] goes to `members` and nothing else does; [manager] goes to the extension's `manager`";
            self.report(
                at("source"),
                place,
                "the target does not take this source".to_owned(),
                Some(hint),
            );
        }
        if row.reference.is_some() {
            for key in ["matching", "apply", "default", "authority"] {
                if entry(table, key).is_some() {
                    let message = format!("`{key}` has no meaning for a reference to other objects");
                    self.report(at(key), place, message, Some("remove the key"));
                }
            }
        }
        if let Some((message, hint)) = types::clash(row) {
            self.report(at("source"), place, message, Some(&hint));
        }
        if row.target.is_boolean() {
            let constant = row.source.constant().map(Value::text);
            let defaults = row.default.iter().map(|value| ("default", value));
            for (key, value) in constant.iter().map(|value| ("source", value)).chain(defaults) {
                if value.as_bool().is_none() {
                    let message = format!("`{}` takes True or False", row.target);
                    self.report(at(key), place, message, None);
                }
            }
        }
    }

    /// Checks what only all rows show: places named twice, matching, what SCIM requires.
    fn together(&mut self, kind: ObjectKind, placed: &[Placed], all: &Range<usize>) {
        for (index, one) in placed.iter().enumerate() {
            let place = format!("[[{kind}]] {}", one.row.target);
            let earlier = &placed[..index];
            if let Some(first) = earlier
                .iter()
                .find(|other| other.row.target.same_place(&one.row.target))
            {
                let hint = format!("line {} has it already", self.line(first.target_at.start));
                self.report(
                    one.target_at.clone(),
                    &place,
                    "two rows for one target".to_owned(),
                    Some(&hint),
                );
            }
            let twin = earlier
                .iter()
                .find(|o| o.row.matching.is_some() && o.row.matching == one.row.matching);
            if let Some(first) = twin {
                let hint = format!("`{}` has this precedence already", first.row.target);
                self.report(
                    one.matching_at.clone(),
                    &place,
                    "two rows with one precedence".to_owned(),
                    Some(&hint),
                );
            }
        }
        let needed = match kind {
            ObjectKind::User => "userName",
            ObjectKind::Group => "displayName",
        };
        let place = format!("[[{kind}]]");
        if !placed.iter().any(|placed| placed.row.target.is_core(needed)) {
            let message = format!("no row for `{needed}`, which every {kind} must have (RFC 7643 section 4)");
            self.report(all.clone(), &place, message, None);
        }
        if !placed.iter().any(|placed| placed.row.matching.is_some()) {
            let hint = format!("add `matching = 1` to the row of `{needed}`");
            self.report(
                all.clone(),
                &place,
                "no row is a matching attribute".to_owned(),
                Some(&hint),
            );
        }
    }
}

fn entry<'t, 'i>(table: &'t DeTable<'i>, key: &str) -> Option<&'t Spanned<DeValue<'i>>> {
    table
        .iter()
        .find(|(name, _)| name.get_ref().as_ref() == key)
        .map(|(_, value)| value)
}

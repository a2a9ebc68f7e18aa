//! Reading one table of the settings: each key is asked for by name and type, a problem is noted and reading goes on,
//! and a key that was never asked for is unknown.

use std::{cell::RefCell, collections::BTreeMap, io, path::Path, path::PathBuf};

use super::problem::{Place, Problem};
use super::tree::{Entry, Node, Origin, Raw, Table};

/// What every section needs: the file for places, the environment, and the list of problems.
pub(super) struct Context<'a> {
    pub(super) file: &'a str,
    /// The folder of the file: what relative paths are relative to.
    pub(super) folder: &'a Path,
    pub(super) text: &'a str,
    pub(super) env: &'a BTreeMap<String, String>,
    pub(super) problems: RefCell<Vec<Problem>>,
}

impl Context<'_> {
    /// Returns the path that is written so: a relative one is relative to the settings' folder, wherever the process runs.
    pub(super) fn path(&self, written: &str) -> PathBuf {
        self.folder.join(written)
    }

    pub(super) fn place(&self, origin: &Origin) -> Place {
        match origin {
            Origin::File(span) => Place::of_span(self.file, self.text, span.clone()),
            Origin::Env { name, .. } => Place::Variable(name.clone()),
        }
    }

    pub(super) fn report(&self, origin: &Origin, what: String, advice: impl Into<String>) {
        self.report_caused(origin, what, advice, None);
    }

    pub(super) fn report_caused(
        &self,
        origin: &Origin,
        what: String,
        advice: impl Into<String>,
        cause: Option<io::Error>,
    ) {
        let problem = Problem {
            what,
            place: self.place(origin),
            advice: advice.into(),
            cause,
        };
        self.problems.borrow_mut().push(problem);
    }
}

/// A key that exists.
#[derive(Clone)]
pub(super) struct Field<'a> {
    pub(super) context: &'a Context<'a>,
    /// The dotted path from the root.
    pub(super) path: String,
    pub(super) entry: &'a Entry,
}

impl<'a> Field<'a> {
    pub(super) const fn node(&self) -> &'a Node {
        &self.entry.node
    }

    /// Notes a problem with the value. Returns `None`, for `return field.bad(…)`.
    pub(super) fn bad<T>(&self, what: &str, advice: impl Into<String>) -> Option<T> {
        self.context
            .report(&self.node().origin, format!("`{}` {what}", self.path), advice);
        None
    }

    /// Notes a problem as [`Self::bad`] does, but marks the key: the value may be a secret.
    pub(super) fn bad_key<T>(&self, what: &str, advice: impl Into<String>) -> Option<T> {
        self.context
            .report(&self.entry.at, format!("`{}` {what}", self.path), advice);
        None
    }

    pub(super) fn wrong_type<T>(&self, wanted: &str, example: &str) -> Option<T> {
        let what = format!("must be {wanted}, not {}", self.node().raw.kind());
        let key = self.entry.key.as_str();
        self.bad(&what, format!("write it as in `{key} = {example}`"))
    }

    /// Reads a text. A variable's value is a text even where it looks like a number.
    pub(super) fn text(&self, example: &str) -> Option<&'a str> {
        match (&self.node().raw, &self.node().origin) {
            (Raw::Text(text), _) => Some(text),
            (Raw::Integer(_) | Raw::Float(_) | Raw::Bool(_) | Raw::Date(_), Origin::Env { raw, .. }) => {
                Some(raw)
            }
            _ => self.wrong_type("a text", &format!("\"{example}\"")),
        }
    }

    /// The elements of a list, or itself alone: for a key that takes one or several.
    pub(super) fn each(&self) -> Vec<Self> {
        match &self.node().raw {
            Raw::List => self
                .node()
                .items
                .iter()
                .map(|entry| Self {
                    context: self.context,
                    path: format!("{}{}", self.path, entry.key),
                    entry,
                })
                .collect(),
            _ => vec![self.clone()],
        }
    }

    /// Reads a path.
    pub(super) fn path_name(&self, example: &str) -> Option<PathBuf> {
        match self.text(example)? {
            "" => self.bad("is empty", "name a path"),
            written => Some(self.context.path(written)),
        }
    }

    /// Reads a table.
    pub(super) fn section(&self) -> Option<Section<'a>> {
        match &self.node().raw {
            Raw::Table(table) => Some(Section {
                context: self.context,
                path: self.path.clone(),
                at: self.entry.at.clone(),
                table: Some(table),
                asked: Vec::new(),
            }),
            _ => None,
        }
    }
}

/// One table, or the place where one could be.
pub(super) struct Section<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) path: String,
    pub(super) at: Origin,
    table: Option<&'a Table>,
    asked: Vec<&'static str>,
}

impl<'a> Section<'a> {
    pub(super) const fn root(context: &'a Context<'a>, table: &'a Table) -> Self {
        Self {
            context,
            path: String::new(),
            at: Origin::File(0..0),
            table: Some(table),
            asked: Vec::new(),
        }
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    /// Reads the key, if it is written.
    pub(super) fn get(&mut self, key: &'static str) -> Option<Field<'a>> {
        self.asked.push(key);
        let entry = self.table?.get(key)?;
        Some(Field {
            context: self.context,
            path: self.path_of(key),
            entry,
        })
    }

    /// Returns whether the key is written.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.is_some_and(|table| table.get(key).is_some())
    }

    /// Notes a problem of the table as a whole.
    pub(super) fn report(&self, what: &str, advice: impl Into<String>) {
        self.context
            .report(&self.at, format!("`{}` {what}", self.path), advice);
    }

    /// Reads the key, or notes a problem at the table's head.
    pub(super) fn required(&mut self, key: &'static str, example: &str) -> Option<Field<'a>> {
        let field = self.get(key);
        if field.is_none() {
            let path = self.path_of(key);
            let advice = format!("add `{key} = {example}` to [{}]", self.path);
            self.context
                .report(&self.at, format!("`{path}` is missing"), advice);
        }
        field
    }

    /// Reads the table under the key; an empty one where it is not written.
    pub(super) fn child(&mut self, key: &'static str) -> Self {
        let Some(field) = self.get(key) else {
            return self.absent(key, self.at.clone());
        };
        field.section().unwrap_or_else(|| {
            let what = format!("must be a table, not {}", field.node().raw.kind());
            let _: Option<()> = field.bad(&what, format!("write its keys under a line [{}]", field.path));
            self.absent(key, field.entry.at.clone())
        })
    }

    /// Builds a table that is not there: everything in it is absent, and a required key is missing at `at`.
    fn absent(&self, key: &str, at: Origin) -> Self {
        Section {
            context: self.context,
            path: self.path_of(key),
            at,
            table: None,
            asked: Vec::new(),
        }
    }

    /// Returns every entry, for a table whose keys the user names.
    pub(super) fn entries(&self) -> impl Iterator<Item = Field<'a>> {
        let field = |entry: &'a Entry| Field {
            context: self.context,
            path: self.path_of(&entry.key),
            entry,
        };
        self.table
            .map(|table| table.0.as_slice())
            .unwrap_or_default()
            .iter()
            .map(field)
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// Notes a problem for every key that was not asked for.
    pub(super) fn finish(self) {
        for field in self.entries() {
            let key = field.entry.key.as_str();
            if !self.asked.contains(&key) {
                let known = self.asked.join(", ");
                let advice = nearest(key, &self.asked).map_or_else(
                    || format!("take it out; known here: {known}"),
                    |near| format!("did you mean `{near}`?"),
                );
                self.context
                    .report(&field.entry.at, format!("unknown key `{}`", field.path), advice);
            }
        }
    }
}

/// Returns the known name that the text is probably meant to be: one edit away, or one in three letters.
pub(super) fn nearest<'k>(word: &str, known: &[&'k str]) -> Option<&'k str> {
    let word = word.to_lowercase().replace('-', "_");
    let distance = |candidate: &&str| strsim::damerau_levenshtein(&word, candidate);
    let best = known
        .iter()
        .copied()
        .min_by_key(|candidate| distance(&&**candidate))?;
    (distance(&best) <= (word.chars().count() / 3).max(1)).then_some(best)
}

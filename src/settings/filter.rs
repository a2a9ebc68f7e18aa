//! A scoping filter as a setting: its problems with the text, a caret and what to do.

use crate::mapping::Filter;
use crate::model::id::ObjectKind;

use super::problem::{Place, Problem};
use super::section::{Field, Section};
use super::tree::Origin;

/// Reads the filter under a key. Returns `None` where it is not written, or does not pass its checks.
pub(super) fn filter(section: &mut Section<'_>, key: &'static str, kind: ObjectKind) -> Option<Filter> {
    let field = section.get(key)?;
    let text = field.text("department EQUALS \"Sales\"")?;
    match Filter::parse(kind, text) {
        Ok(filter) => Some(filter),
        Err(error) => {
            let mut problems = field.context.problems.borrow_mut();
            problems.extend(error.diagnostics.iter().map(|diagnostic| Problem {
                what: format!("`{}`: {}\n{}", field.path, diagnostic.message, diagnostic.excerpt(text)),
                place: place(&field, text, diagnostic.span.start),
                advice: "correct the filter: docs/operations/scope.md lists its operators; without the key every object is in scope"
                    .to_owned(),
                cause: None,
            }));
            None
        }
    }
}

/// Returns the exact place in the file where the text stands there verbatim, else the value's place.
fn place(field: &Field<'_>, text: &str, at: usize) -> Place {
    let origin = &field.node().origin;
    if let Origin::File(span) = origin {
        let file = field.context.text;
        let inside = span.start + 1;
        if file.get(inside..inside + text.len()) == Some(text) {
            let exact = Origin::File(inside + at..inside + at);
            return field.context.place(&exact).without_line();
        }
    }
    field.context.place(origin).without_line()
}

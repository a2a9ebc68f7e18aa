//! Whether the mapping and the scope in force are those of Azure's job.

use std::collections::BTreeSet;

use crate::app::entra_job::evidence::Schema;
use crate::app::entra_job::evidence::Vouched;
use crate::app::entra_job::scope::ScopeCompared;
use crate::app::views::entra_verdict::Answer;

/// Returns the worse of the two answers, with what both are about.
pub(super) fn as_azure(schema: &Result<Schema, String>, vouched: &BTreeSet<Vouched>) -> (Answer, String) {
    match schema {
        Err(why) => (Answer::Unknown, why.clone()),
        Ok(schema) => {
            let (mapping, rows) = rows_are_same(schema, vouched.contains(&Vouched::Mapping));
            let (scope, range) = scope_is_same(schema, vouched.contains(&Vouched::Scope));
            (worse(mapping, scope), format!("{rows}; {range}"))
        }
    }
}

fn rows_are_same(schema: &Schema, vouched: bool) -> (Answer, String) {
    if schema.same && schema.left_out.is_empty() {
        let text = "the mapping in force is the one of Azure's schema as it is today";
        return (Answer::Yes, text.to_owned());
    }
    let mapping = if schema.same {
        "the mapping is the same"
    } else {
        "the mapping in force is another than Azure's schema makes"
    };
    let left = match schema.left_out.len() {
        0 => String::new(),
        count => format!(
            ", and {count} parts of it are not carried over: {}",
            schema.left_out.join(", ")
        ),
    };
    if vouched {
        return (Answer::Yes, format!("{mapping}{left}, confirmed by you"));
    }
    (Answer::No, format!("{mapping}{left}"))
}

fn scope_is_same(schema: &Schema, vouched: bool) -> (Answer, String) {
    let ScopeCompared { differs, unseen } = &schema.scope;
    let mut parts = Vec::new();
    if !differs.is_empty() {
        parts.push(format!("the scope differs in {}", differs.join(", ")));
    }
    if !unseen.is_empty() {
        parts.push(format!("Azure does not show {}", unseen.join(", ")));
    }
    let text = parts.join("; ");
    match (differs.is_empty(), unseen.is_empty()) {
        (true, true) => (Answer::Yes, "the scope is the same".to_owned()),
        _ if vouched => (Answer::Yes, format!("{text}, confirmed by you")),
        (false, _) => (Answer::No, text),
        (true, false) => (
            Answer::Unknown,
            format!("{text}: --confirm scope once you looked"),
        ),
    }
}

/// The worse of two answers.
const fn worse(one: Answer, other: Answer) -> Answer {
    match (one, other) {
        (Answer::No, _) | (_, Answer::No) => Answer::No,
        (Answer::Unknown, _) | (_, Answer::Unknown) => Answer::Unknown,
        (Answer::Yes, Answer::Yes) => Answer::Yes,
    }
}

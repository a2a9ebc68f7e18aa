//! What the target's `/Schemas` say of the mapping's rows, in plain words.

use super::Level;
use super::Lines;
use crate::mapping::Mapping;
use crate::model::id::ObjectKind;
use crate::model::shown::shown;
use crate::reconcile::schema_check::What;
use crate::reconcile::schema_check::compare;
use crate::reconcile::target_schema::Schemas;

/// A line for each row that the schemas do not go with, or one that says that all do.
pub(super) fn schema(schemas: &Schemas, mapping: &Mapping, kinds: &[ObjectKind], lines: &mut Lines) {
    if schemas.is_empty() {
        let text = "the target serves no /Schemas: what it does not take is learned from its answers";
        return lines.ok("schema", text);
    }
    let (mut rows, mut remarks) = (0, 0);
    for kind in kinds {
        rows += mapping.rows(*kind).len();
        for remark in compare(schemas, *kind, mapping.rows(*kind)) {
            remarks += 1;
            let (text, advice) = words(remark.what, *kind, &shown(&remark.path));
            lines.add(Level::Warn, "schema", text, advice);
        }
    }
    if remarks == 0 {
        lines.ok(
            "schema",
            format!("the target's schemas have nothing against the mapping's {rows} rows"),
        );
    }
}

fn words(what: What, kind: ObjectKind, path: &str) -> (String, String) {
    let sent =
        format!("it is sent all the same, because a {kind} cannot be made, found or disabled without it");
    let out = "its row is left out".to_owned();
    let elsewhere = "add it at the target, or take its row out of the mapping";
    let (text, advice) = match what {
        What::Unknown { sent: is_sent } => (
            format!(
                "the target's schema has no {kind} attribute `{path}`: {}",
                if is_sent { sent } else { out }
            ),
            elsewhere,
        ),
        What::ReadOnly { sent: is_sent } => (
            format!(
                "the target's schema calls the {kind} attribute `{path}` read-only: {}",
                if is_sent { sent } else { out }
            ),
            elsewhere,
        ),
        What::Immutable => (
            format!(
                "`{path}` of a {kind} can be set once, when it is made: a later change is refused, and waits alone (`melonsync escrow list`)"
            ),
            "write apply = \"create-only\" in its row where changes are not wanted",
        ),
        What::MayBeEmpty => (
            format!(
                "the target requires the {kind} attribute `{path}`, and the row may make nothing of it: such a {kind} is refused"
            ),
            "give the row a `default`, or a source that is never empty",
        ),
        What::NoRow => (
            format!(
                "the target requires the {kind} attribute `{path}`, and no row makes it: a {kind} may be refused"
            ),
            "add a row for it to the mapping",
        ),
        What::NotReturned => (
            format!(
                "the target does not show the {kind} attribute `{path}`: what was sent counts as kept, and no drift of it is found"
            ),
            "nothing, if that is meant so",
        ),
    };
    (text, advice.to_owned())
}

//! Type clashes of a row that can be found before there is any object: what can never fit, whatever the value is.

use crate::mapping::{
    ast::Node,
    functions::{Type, find},
    names::{Access, SourceAttribute},
    parse::parse,
    path::TargetPath,
    rows::Row,
};

/// The core attributes that hold several values (RFC 7643 sections 4.1.2 and 4.2); of an extension nothing is known.
const MULTI_VALUED: [&str; 10] = [
    "emails",
    "phoneNumbers",
    "ims",
    "photos",
    "addresses",
    "groups",
    "entitlements",
    "roles",
    "x509Certificates",
    "members",
];

/// Returns the problem, and what to do.
pub(super) fn clash(row: &Row) -> Option<(String, String)> {
    match &parse(row.source.text()).ok()?.node {
        Node::Attribute(name) => attribute(name, row.source.uses().first()?, &row.target),
        Node::Number(_) if row.target.is_boolean() => Some(needs_truth(&row.target, "a number")),
        Node::Call { name, .. } if row.target.is_boolean() && find(name)?.gives == Type::Integer => Some(
            needs_truth(&row.target, &format!("the number that `{name}` gives")),
        ),
        _ => None,
    }
}

fn attribute(name: &str, source: &SourceAttribute, target: &TargetPath) -> Option<(String, String)> {
    if source.is_list() && takes_one(target) {
        return Some((
            format!("[{name}] holds several values, and `{target}` takes one"),
            format!("make one of them, as in Join(\";\", [{name}])"),
        ));
    }
    let is_text =
        !(source.is_extension() || source.is_boolean() || matches!(source.access, Access::Reference(_)));
    if target.is_boolean() && is_text {
        return Some(needs_truth(target, &format!("the value of [{name}]")));
    }
    None
}

fn takes_one(target: &TargetPath) -> bool {
    let multi = MULTI_VALUED
        .iter()
        .any(|name| target.attribute().eq_ignore_ascii_case(name));
    target.urn().is_none() && (!multi || target.sub_attribute().is_some())
}

fn needs_truth(target: &TargetPath, what: &str) -> (String, String) {
    (
        format!("`{target}` takes True or False, and not {what}"),
        "compare it, as in IIF([…] = \"…\", \"True\", \"False\")".to_owned(),
    )
}

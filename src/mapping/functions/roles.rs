//! App roles: converts `[appRoleAssignments]` to the `roles` that a SCIM service takes (entra-docs,
//! customize-application-attributes.md, "Provisioning a role to a SCIM app").
//!
//! | function | gives | goes to |
//! | function | result | target |
//! | `SingleAppRoleAssignment` | one role's value | `roles[primary eq "True"].value` |
//! | `AppRoleAssignments` | the values of all | a multi-valued attribute of texts |
//! | `AppRoleAssignmentsComplex`, `AssertiveAppRoleAssignmentsComplex` | an element for each | `roles` |
//!
//! The two complex ones differ in Entra by their request (`add` or `replace`), not by what the user should hold. Entra
//! writes the former in two ways that contradict each other (elements in a create, JSON inside a text in a PATCH); here
//! both are the element that RFC 7643 section 4.1.2 describes.
//!
//! An assignment without a role ("Default Access"), or to a role without a value, yields nothing: a service knows roles
//! by their values. The order is that of the values, whatever order the source answers in.

use std::borrow::Cow;
use std::collections::BTreeMap;

use crate::model::value::Value;

use super::super::evaluate::Call;
use super::super::stop::Stop;
use super::Answer;

/// The `type` that Entra writes for every role.
const KIND: &str = "WindowsAzureActiveDirectoryRole";

/// Returns role values with their display names, each once.
fn held(call: &Call<'_>) -> Result<BTreeMap<String, Option<String>>, Stop> {
    let value = call.value(0)?;
    let elements = match &*value {
        Value::Null => &[],
        Value::List(elements) => elements.as_slice(),
        _ => {
            return Err(Stop::Failed(
                "appRoleAssignments is no list of app roles".to_owned(),
            ));
        }
    };
    let mut roles = BTreeMap::new();
    for element in elements {
        let Value::Map(role) = element else {
            return Err(Stop::Failed(
                "appRoleAssignments holds a value that is not an app role".to_owned(),
            ));
        };
        let text = |key| {
            role.get(key)
                .and_then(Value::as_str)
                .filter(|text| !text.is_empty())
        };
        if let Some(value) = text("value") {
            roles
                .entry(value.to_owned())
                .or_insert_with(|| text("displayName").map(str::to_owned));
        }
    }
    Ok(roles)
}

/// Returns the value of one role; of several the first by value, where Entra promises none in particular.
pub(super) fn single<'a>(call: &Call<'a>) -> Answer<'a> {
    let first = held(call)?.into_keys().next();
    Ok(Cow::Owned(first.map_or(Value::Null, Value::String)))
}

/// Returns the values of all roles.
pub(super) fn values<'a>(call: &Call<'a>) -> Answer<'a> {
    let values = held(call)?.into_keys().map(Value::String);
    Ok(Cow::Owned(Value::List(values.collect())))
}

/// Returns an element of `roles` for each role.
pub(super) fn complex<'a>(call: &Call<'a>) -> Answer<'a> {
    let element = |(value, display): (String, Option<String>)| {
        let mut element = BTreeMap::from([
            ("primary".to_owned(), Value::Bool(false)),
            ("type".to_owned(), Value::text(KIND)),
            ("value".to_owned(), Value::String(value)),
        ]);
        if let Some(display) = display {
            element.insert("display".to_owned(), Value::String(display));
        }
        Value::Map(element)
    };
    Ok(Cow::Owned(Value::List(
        held(call)?.into_iter().map(element).collect(),
    )))
}

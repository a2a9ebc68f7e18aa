//! Filters in the form of RFC 7644 section 3.4.2.2, from paths as a mapping writes them.

use serde_json::Value as Json;

use super::path::{PathError, TargetPath};

/// Builds the filter that finds resources whose attribute at `path` equals `value`. `emails[type eq "work"].value`
/// becomes `emails[type eq "work" and value eq "x"]`: Entra's own form, `emails[type eq "work"].value eq "x"`, is not
/// in the grammar.
///
/// # Errors
/// When the path cannot be read.
pub fn filter(path: &str, value: &str) -> Result<String, PathError> {
    let parsed = TargetPath::parse(path)?;
    // The escapes of a filter's text are those of JSON (RFC 7644 figure 1: compValue = JSON string).
    let value = Json::from(value);
    if !parsed.selects_element() {
        return Ok(format!("{} eq {value}", parsed.wire()));
    }
    let element = parsed.element();
    let open = element.trim_end_matches(']');
    Ok(format!(
        "{open} and {} eq {value}]",
        parsed.sub.as_deref().unwrap_or("value")
    ))
}

/// Builds the filter that finds resources whose attribute at `path` equals any of the values: terms joined by `or`.
///
/// # Errors
/// As [`filter`].
pub fn any_filter(path: &str, values: &[String]) -> Result<String, PathError> {
    let terms: Result<Vec<String>, PathError> = values.iter().map(|value| filter(path, value)).collect();
    Ok(terms?.join(" or "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_values_are_terms_of_one_filter() {
        let values = ["a@x".to_owned(), "b \"or\" c".to_owned()];
        assert_eq!(
            any_filter("userName", &values).unwrap(),
            r#"userName eq "a@x" or userName eq "b \"or\" c""#
        );
    }

    #[test]
    fn filters_follow_the_grammar_and_escape_their_value() {
        for (path, value, expected) in [
            ("userName", "ada@x", r#"userName eq "ada@x""#),
            ("displayName", r#"a "b" \c"#, r#"displayName eq "a \"b\" \\c""#),
            (
                r#"emails[type eq "work"].value"#,
                "a@x",
                r#"emails[type eq "work" and value eq "a@x"]"#,
            ),
            ("urn:x:2.0:User:code", "1", r#"urn:x:2.0:User:code eq "1""#),
        ] {
            assert_eq!(filter(path, value).unwrap(), expected);
        }
    }
}

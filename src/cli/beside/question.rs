//! What is asked of the daemon: a route of its API, with what belongs to it.

use reqwest::Method;
use serde::Serialize;
use url::form_urlencoded;

/// A question, a decision or an order.
pub(in crate::cli) struct Question {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Option<serde_json::Value>,
}

impl Question {
    /// Asks.
    pub(in crate::cli) fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::GET,
            path: path.into(),
            body: None,
        }
    }

    /// Decides, or orders.
    pub(in crate::cli) fn post(path: impl Into<String>, body: &impl Serialize) -> Self {
        Self {
            method: Method::POST,
            ..Self::with(path.into(), body)
        }
    }

    /// Takes away.
    pub(in crate::cli) fn delete(path: impl Into<String>, body: &impl Serialize) -> Self {
        Self {
            method: Method::DELETE,
            ..Self::with(path.into(), body)
        }
    }

    fn with(path: String, body: &impl Serialize) -> Self {
        let body = serde_json::to_value(body).expect("its keys are texts");
        Self {
            method: Method::POST,
            path,
            body: Some(body),
        }
    }

    /// With these parameters.
    pub(in crate::cli) fn asking(mut self, query: &[(&str, &str)]) -> Self {
        if !query.is_empty() {
            let mut text = form_urlencoded::Serializer::new(String::new());
            text.extend_pairs(query);
            let mark = if self.path.contains('?') { '&' } else { '?' };
            self.path = format!("{}{mark}{}", self.path, text.finish());
        }
        self
    }
}

/// A part of a path, whatever is in it.
pub(in crate::cli) fn part(text: &str) -> String {
    // A plus means a blank in a query only.
    form_urlencoded::byte_serialize(text.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_a_name_holds_stays_one_part_of_a_path() {
        for (name, expected) in [
            ("ada", "ada"),
            ("../x y/ä?#%", "..%2Fx%20y%2F%C3%A4%3F%23%25"),
            ("a+b", "a%2Bb"),
        ] {
            assert_eq!(part(name), expected);
        }
        let asked = Question::get("/jobs/a/withheld").asking(&[("object", "a&b=c"), ("reason", "x")]);
        assert_eq!(asked.path, "/jobs/a/withheld?object=a%26b%3Dc&reason=x");
    }
}

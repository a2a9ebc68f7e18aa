//! An attribute or a member that the target refused while the rest of its object was carried out: it waits alone, with
//! gaps of its own.

use serde::Deserialize;
use serde::Serialize;
use sha2::Digest;
use sha2::Sha256;

use super::clock::Timestamp;
use super::id::SourceId;
use super::id::TargetId;
use super::value::Value;

/// The text before and after a member's id, in the place of an attribute.
const MEMBER: (&str, &str) = ("members[value eq \"", "\"]");

/// One refused attribute or member of one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// The target path, as the mapping writes it; for a member, see [`Self::path_of`].
    pub attribute: String,
    /// The digest of the refused value: another value is tried at once.
    pub wanted: [u8; 16],
    /// The operation that it was part of, by its name.
    pub operation: String,
    /// The target's answer.
    pub error: String,
    /// What to do about it.
    pub hint: String,
    /// How often it was refused in succession.
    pub failures: u32,
    /// When it was first refused.
    pub since: Timestamp,
    /// When it is tried again; `None` if it is dropped, and not tried before something changes.
    pub next_try: Option<Timestamp>,
}

impl Refusal {
    /// Computes the digest of a value.
    #[must_use]
    pub fn digest(value: &Value) -> [u8; 16] {
        let digest = Sha256::digest(value.to_json().to_string().as_bytes());
        let mut short = [0; 16];
        short.copy_from_slice(&digest[..16]);
        short
    }

    /// Returns the path of a group's member.
    #[must_use]
    pub fn path_of(member: &SourceId) -> String {
        format!("{}{member}{}", MEMBER.0, MEMBER.1)
    }

    /// Returns the value wanted of a member: in the group, or out of it.
    #[must_use]
    pub fn membership(target: &TargetId, comes: bool) -> Value {
        Value::text(format!("{} {target}", if comes { "in" } else { "out" }))
    }

    /// Returns the member that was refused, if this is one.
    #[must_use]
    pub fn member(&self) -> Option<SourceId> {
        let id = self.attribute.strip_prefix(MEMBER.0)?.strip_suffix(MEMBER.1)?;
        id.parse().ok()
    }

    /// Returns true while this value need not be sent again.
    #[must_use]
    pub fn waits(&self, value: &Value, now: Timestamp) -> bool {
        self.wanted == Self::digest(value) && self.next_try.is_none_or(|at| at > now)
    }
}

/// Returns true where a refusal's text contains, as a word, this target path: its attribute, or the sub-attribute of a
/// single-valued one.
#[must_use]
pub fn names(text: &str, path: &str) -> bool {
    let said = text.split_once(" answered ").map_or(text, |(_, said)| said);
    let plain = path.split_once('[').map_or(path, |(attribute, _)| attribute);
    let plain = plain.rsplit_once(':').map_or(plain, |(_, attribute)| attribute);
    let name = plain.rsplit_once('.').map_or(plain, |(_, sub)| sub);
    let is_word = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$');
    said.split(|c: char| !is_word(c))
        .any(|word| word.eq_ignore_ascii_case(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_an_attribute_by_a_word_of_what_was_said() {
        for (text, path, named) in [
            ("PATCH /Users/title answered 400: no", "title", false),
            (
                "PATCH /Users/1 answered 400 mutability: userName is immutable",
                "userName",
                true,
            ),
            (
                "PATCH /Users/1 answered 400: Username cannot be changed",
                "userName",
                true,
            ),
            (
                "PATCH /Users/1 answered 400: subtitle is too long",
                "title",
                false,
            ),
            (
                "PATCH /Users/1 answered 400: `phoneNumbers[type eq \"fax\"]`",
                "phoneNumbers[type eq \"fax\"].value",
                true,
            ),
            (
                "PATCH /Users/1 answered 400: bad value",
                "phoneNumbers[type eq \"fax\"].value",
                false,
            ),
            (
                "PATCH /Users/1 answered 400: name.givenName",
                "name.givenName",
                true,
            ),
            ("PATCH /Users/1 answered 400: the name", "name.givenName", false),
            (
                "POST /Users answered 400: no such manager",
                "urn:x:2.0:User:manager",
                true,
            ),
        ] {
            assert_eq!(names(text, path), named, "{text} {path}");
        }
    }

    #[test]
    fn only_the_refused_value_waits_and_only_until_its_next_try() {
        let refusal = Refusal {
            attribute: "title".to_owned(),
            wanted: Refusal::digest(&"a".into()),
            operation: "update_user".to_owned(),
            error: String::new(),
            hint: String::new(),
            failures: 1,
            since: Timestamp(0),
            next_try: Some(Timestamp(10)),
        };
        assert!(refusal.waits(&"a".into(), Timestamp(9)));
        assert!(!refusal.waits(&"a".into(), Timestamp(10)), "its time has come");
        assert!(!refusal.waits(&"b".into(), Timestamp(9)), "another value");
        let dropped = Refusal {
            next_try: None,
            ..refusal
        };
        assert!(dropped.waits(&"a".into(), Timestamp(i64::MAX)));
    }
}

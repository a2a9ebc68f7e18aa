//! Attribute names: a Graph property, or a path at the target.
//!
//! The same hundred names occur in every object of a directory. Those known beforehand are a number into one list; they
//! cost no memory of their own, are compared as numbers, and are two bytes in the snapshot.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::ops::Deref;
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The name of an attribute; reads as a text.
#[derive(Clone)]
pub struct Name(Held);

#[derive(Clone)]
enum Held {
    /// A number into [`KNOWN`].
    Known(u16),
    /// Any other name.
    Other(Arc<str>),
}

impl Name {
    /// Returns the number of a known name. Part of the snapshot's format.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        match self.0 {
            Held::Known(code) => Some(code),
            Held::Other(_) => None,
        }
    }

    /// Returns the name with this number.
    #[must_use]
    pub fn from_code(code: u16) -> Option<Self> {
        (usize::from(code) < KNOWN.len()).then_some(Self(Held::Known(code)))
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Held::Known(code) => KNOWN[usize::from(*code)],
            Held::Other(text) => text,
        }
    }
}

impl From<&str> for Name {
    fn from(text: &str) -> Self {
        match INDEX.codes.get(text) {
            Some(code) => Self(Held::Known(*code)),
            None => Self(Held::Other(text.into())),
        }
    }
}

impl From<String> for Name {
    fn from(text: String) -> Self {
        text.as_str().into()
    }
}

impl From<&String> for Name {
    fn from(text: &String) -> Self {
        text.as_str().into()
    }
}

impl From<&Self> for Name {
    fn from(name: &Self) -> Self {
        name.clone()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.as_str().to_owned()
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        self
    }
}

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        self
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Held::Known(a), Held::Known(b)) => a == b,
            // A known name is never held as `Other`.
            (Held::Other(a), Held::Other(b)) => a == b,
            _ => false,
        }
    }
}

impl Eq for Name {}

impl PartialEq<str> for Name {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for Name {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialEq<String> for Name {
    fn eq(&self, other: &String) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<Name> for str {
    fn eq(&self, other: &Name) -> bool {
        self == other.as_str()
    }
}

impl PartialEq<Name> for String {
    fn eq(&self, other: &Name) -> bool {
        self == other.as_str()
    }
}

/// Orders names as their texts.
impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Held::Known(a), Held::Known(b)) => {
                INDEX.ranks[usize::from(*a)].cmp(&INDEX.ranks[usize::from(*b)])
            }
            _ => self.as_str().cmp(other),
        }
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl std::hash::Hash for Name {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

/// Serializes as a text, everywhere: only the snapshot's records use the numbers.
impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;
        impl serde::de::Visitor<'_> for Text {
            type Value = Name;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of an attribute")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Name, E> {
                Ok(text.into())
            }
        }
        deserializer.deserialize_str(Text)
    }
}

struct Index {
    codes: HashMap<&'static str, u16>,
    /// The rank of each known name in the order of the texts.
    ranks: Vec<u16>,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let codes: HashMap<&str, u16> = KNOWN.iter().copied().zip(0..).collect();
    let mut sorted = KNOWN.to_vec();
    sorted.sort_unstable();
    let mut ranks = vec![0; KNOWN.len()];
    for (rank, text) in (0..).zip(sorted) {
        ranks[usize::from(codes[text])] = rank;
    }
    Index { codes, ranks }
});

/// The names known beforehand: those of the presets, and Graph's properties of users and groups. Their numbers are part
/// of the snapshot's format: new names are appended, none is ever removed.
const KNOWN: &[&str] = &[
    // Graph properties
    "accountEnabled",
    "ageGroup",
    "businessPhones",
    "city",
    "classification",
    "companyName",
    "consentProvidedForMinor",
    "country",
    "createdDateTime",
    "creationType",
    "department",
    "description",
    "displayName",
    "employeeHireDate",
    "employeeId",
    "employeeLeaveDateTime",
    "employeeOrgData",
    "employeeType",
    "externalUserState",
    "externalUserStateChangeDateTime",
    "faxNumber",
    "givenName",
    "groupTypes",
    "id",
    "imAddresses",
    "jobTitle",
    "legalAgeGroupClassification",
    "mail",
    "mailEnabled",
    "mailNickname",
    "manager",
    "members",
    "membershipRule",
    "mobilePhone",
    "officeLocation",
    "onPremisesDistinguishedName",
    "onPremisesDomainName",
    "onPremisesExtensionAttributes",
    "onPremisesImmutableId",
    "onPremisesNetBiosName",
    "onPremisesSamAccountName",
    "onPremisesSecurityIdentifier",
    "onPremisesSyncEnabled",
    "onPremisesUserPrincipalName",
    "otherMails",
    "postalCode",
    "preferredLanguage",
    "proxyAddresses",
    "securityEnabled",
    "state",
    "streetAddress",
    "surname",
    "usageLocation",
    "userPrincipalName",
    "userType",
    "visibility",
    // Target paths of the presets
    "active",
    "externalId",
    "name.familyName",
    "name.formatted",
    "name.givenName",
    "title",
    "userName",
    "urn:ietf:params:scim:schemas:extension:IDmelon:2.0:User:immutable_id",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:employeeNumber",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager",
    r#"addresses[type eq "work"].country"#,
    r#"addresses[type eq "work"].formatted"#,
    r#"addresses[type eq "work"].locality"#,
    r#"addresses[type eq "work"].postalCode"#,
    r#"addresses[type eq "work"].region"#,
    r#"addresses[type eq "work"].streetAddress"#,
    r#"emails[type eq "work"].value"#,
    r#"phoneNumbers[type eq "fax"].value"#,
    r#"phoneNumbers[type eq "mobile"].value"#,
    r#"phoneNumbers[type eq "work"].value"#,
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_name_is_its_number_and_reads_as_its_text() {
        for (code, text) in (0..).zip(KNOWN) {
            let name = Name::from(*text);
            assert_eq!((name.code(), name.as_str()), (Some(code), *text));
            assert_eq!(Name::from_code(code), Some(name));
        }
        assert_eq!(INDEX.codes.len(), KNOWN.len(), "no name stands twice in the list");
        let last = u16::try_from(KNOWN.len()).unwrap();
        assert_eq!(Name::from_code(last), None);
    }

    #[test]
    fn names_are_ordered_as_their_texts_are() {
        let mut texts: Vec<&str> = KNOWN.to_vec();
        texts.extend(["", "a", "mail2", "zz", "urn:x"]);
        for a in &texts {
            for b in &texts {
                let (one, other) = (Name::from(*a), Name::from(*b));
                assert_eq!(one.cmp(&other), a.cmp(b), "{a} {b}");
                assert_eq!(one == other, a == b, "{a} {b}");
            }
        }
    }
}

//! Addresses at the target: joined without a double slash, ids and filters encoded.

use url::Url;

use crate::model::id::ObjectKind;
use crate::model::id::TargetId;
use crate::model::percent::encode_into;

/// The addresses of one service, parsed once.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// The base without a slash at its end, user information, query and fragment.
    base: String,
    users: Url,
    groups: Url,
}

/// Returns the last part of a collection's address.
#[must_use]
pub const fn collection(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::User => "Users",
        ObjectKind::Group => "Groups",
    }
}

impl Addresses {
    /// Builds the addresses below a base, with or without a slash at its end. A query (`?aadOptscim062020` of an Entra
    /// tenant URL) is dropped: such flags are for Entra, not for the service.
    ///
    /// # Errors
    /// When the base is not an http or https URL.
    pub fn new(base: &Url) -> Result<Self, url::ParseError> {
        let mut base = base.clone();
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(url::ParseError::RelativeUrlWithoutBase);
        }
        base.set_query(None);
        base.set_fragment(None);
        // Neither fails for a URL that has a host.
        let _ = base.set_username("");
        let _ = base.set_password(None);
        let base = base.as_str().trim_end_matches('/').to_owned();
        let under = |name: &str| Url::parse(&format!("{base}/{name}"));
        Ok(Self {
            users: under("Users")?,
            groups: under("Groups")?,
            base,
        })
    }

    /// Returns the address of `/Users` or `/Groups`.
    #[must_use]
    pub const fn collection(&self, kind: ObjectKind) -> &Url {
        match kind {
            ObjectKind::User => &self.users,
            ObjectKind::Group => &self.groups,
        }
    }

    /// Returns the address of one resource. Ids are opaque and may hold anything, so all but unreserved characters are
    /// encoded. Returns `None` where the result is not the collection and one segment more: a write to such an address
    /// would reach something else.
    #[must_use]
    pub fn resource(&self, kind: ObjectKind, id: &TargetId) -> Option<Url> {
        let mut text = String::with_capacity(self.base.len() + id.as_str().len() + 10);
        text.push_str(self.collection(kind).as_str());
        text.push('/');
        encode_into(&mut text, id.as_str());
        // A URL parser takes dots, and what it takes for dots, for steps: then the result differs from the text that
        // was written.
        Url::parse(&text)
            .ok()
            .filter(|url| !id.as_str().is_empty() && url.as_str() == text)
    }

    /// Returns a service address such as `/ServiceProviderConfig`.
    #[must_use]
    pub fn service(&self, name: &str) -> Url {
        Url::parse(&format!("{}/{name}", self.base)).unwrap_or_else(|_| self.users.clone())
    }
}

/// Sets a query of encoded pairs.
pub fn set_query(url: &mut Url, pairs: &[(&str, &str)]) {
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push('&');
        }
        text.push_str(name);
        text.push('=');
        encode_into(&mut text, value);
    }
    url.set_query(Some(&text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_double_slash_whatever_the_end_of_the_base() {
        for base in [
            "https://x.example/scim/v2",
            "https://x.example/scim/v2/",
            "https://u:p@x.example/scim/v2/?flag",
        ] {
            let addresses = Addresses::new(&Url::parse(base).unwrap()).unwrap();
            assert_eq!(
                addresses.collection(ObjectKind::User).as_str(),
                "https://x.example/scim/v2/Users",
                "{base}"
            );
            let id = TargetId::new("a/b c@d%").unwrap();
            let url = addresses.resource(ObjectKind::Group, &id).unwrap();
            assert_eq!(
                url.as_str(),
                "https://x.example/scim/v2/Groups/a%2Fb%20c%40d%25",
                "{base}"
            );
        }
        assert!(Addresses::new(&Url::parse("ftp://x.example/").unwrap()).is_err());
    }

    #[test]
    fn an_address_is_the_collection_and_one_segment_or_none() {
        let addresses = Addresses::new(&Url::parse("https://x.example/scim").unwrap()).unwrap();
        // As a store of an older version may hold it.
        let kept = |text: &str| serde_json::from_value::<TargetId>(text.into()).unwrap();
        for (id, address) in [
            ("..", None),
            (".", None),
            ("", None),
            ("%2e%2e", Some("https://x.example/scim/Users/%252e%252e")),
            ("../Groups", Some("https://x.example/scim/Users/..%2FGroups")),
        ] {
            let url = addresses.resource(ObjectKind::User, &kept(id));
            assert_eq!(url.as_ref().map(Url::as_str), address, "{id:?}");
        }
    }
}

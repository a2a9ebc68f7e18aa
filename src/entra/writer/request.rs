//! The requests that the writer can send, and no others.

use std::collections::BTreeSet;

use serde_json::Map;
use serde_json::Value as Json;
use serde_json::json;
use url::Url;

use crate::model::id::SourceId;
use crate::ports::MembershipWrite;
use crate::ports::UserWrite;

/// The address of one membership. It always ends in `/$ref`: without that, Graph deletes the member itself, if the app may.
#[derive(Debug, Clone, PartialEq, Eq)]
struct MembershipRef(String);

impl MembershipRef {
    fn of(group: SourceId, member: SourceId) -> Self {
        Self(format!("/groups/{group}/members/{member}/$ref"))
    }
}

/// One request of a batch.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Request {
    /// The user whom it is about.
    user: SourceId,
    what: Kind,
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    Set(Map<String, Json>),
    Join { group: SourceId, member: String },
    Leave(MembershipRef),
}

impl Request {
    /// Builds the request that sets properties of a user.
    pub(super) fn set(write: &UserWrite) -> Self {
        let properties = write.properties.iter();
        Self {
            user: write.user,
            what: Kind::Set(
                properties
                    .map(|(name, value)| (name.clone(), value.to_json()))
                    .collect(),
            ),
        }
    }

    /// Builds the request that adds or removes a member. `base`: Graph's root, which a reference begins with.
    pub(super) fn enrol(write: &MembershipWrite, base: &Url) -> Self {
        let root = base.as_str().trim_end_matches('/');
        Self {
            user: write.user,
            what: if write.add {
                Kind::Join {
                    group: write.group,
                    member: format!("{root}/directoryObjects/{}", write.user),
                }
            } else {
                Kind::Leave(MembershipRef::of(write.group, write.user))
            },
        }
    }

    pub(super) const fn method(&self) -> &'static str {
        match &self.what {
            Kind::Set(_) => "PATCH",
            Kind::Join { .. } => "POST",
            Kind::Leave(_) => "DELETE",
        }
    }

    /// Returns the address, relative to Graph's root.
    pub(super) fn path(&self) -> String {
        match &self.what {
            Kind::Set(_) => format!("/users/{}", self.user),
            Kind::Join { group, .. } => format!("/groups/{group}/members/$ref"),
            Kind::Leave(MembershipRef(path)) => path.clone(),
        }
    }

    /// Returns true where it adds a member, false where it removes one, nothing for any other request.
    pub(super) const fn adds(&self) -> Option<bool> {
        match &self.what {
            Kind::Set(_) => None,
            Kind::Join { .. } => Some(true),
            Kind::Leave(_) => Some(false),
        }
    }

    /// Returns the request as it stands in a batch under this number.
    pub(super) fn json(&self, number: usize) -> Json {
        let mut json = json!({"id": number.to_string(), "method": self.method(), "url": self.path()});
        let body = match &self.what {
            Kind::Set(properties) => Some(Json::Object(properties.clone())),
            Kind::Join { member, .. } => Some(json!({ "@odata.id": member })),
            Kind::Leave(_) => None,
        };
        if let Some(body) = body {
            json["headers"] = json!({"Content-Type": "application/json"});
            json["body"] = body;
        }
        json
    }
}

/// Divides requests into batches of at most so many, in their order. No two requests of one batch are about one user: their order
/// would be nobody's.
pub(super) fn batches(requests: &[Request], most: usize) -> Vec<&[Request]> {
    let (mut batches, mut from) = (Vec::new(), 0);
    let mut users = BTreeSet::new();
    for (at, request) in requests.iter().enumerate() {
        if at - from == most || users.contains(&request.user) {
            batches.push(&requests[from..at]);
            from = at;
            users.clear();
        }
        users.insert(request.user);
    }
    if from < requests.len() {
        batches.push(&requests[from..]);
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::value::Value;

    fn id(number: u8) -> SourceId {
        SourceId::from_bytes([number; 16])
    }

    fn set(user: u8) -> Request {
        Request::set(&UserWrite {
            user: id(user),
            properties: vec![("mobilePhone".to_owned(), Value::text("+49"))],
        })
    }

    #[test]
    fn a_membership_is_removed_only_by_its_reference() {
        let base = Url::parse("https://graph.microsoft.com/v1.0").unwrap();
        let write = MembershipWrite {
            group: id(1),
            user: id(2),
            add: false,
        };
        let leave = Request::enrol(&write, &base).json(1);
        assert_eq!(leave["method"], "DELETE");
        assert!(leave["url"].as_str().unwrap().ends_with("/$ref"));
        assert!(leave.get("body").is_none());
        let join = Request::enrol(&MembershipWrite { add: true, ..write }, &base).json(2);
        assert_eq!(
            join["body"]["@odata.id"],
            format!("https://graph.microsoft.com/v1.0/directoryObjects/{}", id(2))
        );
        assert_eq!(set(1).json(3)["method"], "PATCH");
    }

    #[test]
    fn a_batch_has_at_most_twenty_requests_and_one_of_each_user() {
        let many: Vec<Request> = (0..45).map(set).collect();
        let sizes = |requests: &[Request]| batches(requests, 20).iter().map(|b| b.len()).collect::<Vec<_>>();
        assert_eq!(sizes(&many), [20, 20, 5]);
        assert_eq!(sizes(&[set(1), set(2), set(1), set(1)]), [2, 1, 1]);
        assert!(sizes(&[]).is_empty());
    }
}

//! The source's objects: users and groups with the properties that were read, and references between them.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    clock::Timestamp,
    id::{ObjectKind, SourceId, TargetId},
    value::{Attributes, Value},
};

/// Counts the full rounds of one stream. An object that a newer complete round did not bring is *missing*, not gone.
pub type Generation = u32;

/// Graph's reason why an object is gone (docs/design/graph.md, "Shapes").
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Removed {
    /// `@removed.reason = "changed"`: soft-deleted, restorable for 30 days.
    SoftDeleted,
    /// `@removed.reason = "deleted"`: permanently gone.
    HardDeleted,
}

/// What is known of an object's life at the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Life {
    /// Read in the current generation, or changed since.
    Alive,
    /// Not brought by the last complete full round. That proves nothing: the object is asked for by its id.
    Missing,
    /// Asked for by its id, and the answer proved nothing (403, 5xx, a hidden object): kept, and reported as unknown.
    Unknown,
    /// A tombstone with positive evidence, kept until its operation is done, however long that is withheld.
    Gone(Removed),
}

/// One object of the source directory, as far as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceObject {
    /// User or group.
    pub kind: ObjectKind,
    /// Entra object id.
    pub id: SourceId,
    /// The values by Graph property name. A selected property that the source does not have is `Null`; a property that
    /// was never selected is absent: *unknown*, so nothing may be derived from it.
    pub attributes: Attributes,
    /// The manager, where `manager` is selected: `None` means that there is none.
    pub manager: Option<SourceId>,
    /// Alive, missing or gone.
    pub life: Life,
    /// When it was first known to be gone; `None` while it is not.
    pub gone_since: Option<Timestamp>,
    /// The full round that last brought this object.
    pub generation: Generation,
    /// The full round that last brought `manager`.
    pub manager_generation: Generation,
}

impl SourceObject {
    /// Returns a property that was read, or `None` when it is unknown.
    #[must_use]
    pub fn attribute(&self, graph_name: &str) -> Option<&Value> {
        self.attributes.get(graph_name)
    }

    /// Returns whether the source reports this account as enabled. Unknown or absent counts as enabled: no user is
    /// disabled for a property that was not read.
    #[must_use]
    pub fn account_enabled(&self) -> bool {
        self.attribute("accountEnabled")
            .and_then(Value::as_bool)
            .unwrap_or(true)
    }

    /// Returns the name that people know it by: UPN, else displayName, else the id.
    #[must_use]
    pub fn name(&self) -> String {
        ["userPrincipalName", "displayName"]
            .iter()
            .find_map(|key| self.attribute(key).and_then(Value::as_str))
            .map_or_else(|| self.id.to_string(), str::to_owned)
    }
}

/// The type of a group member, from `@odata.type`. Only users are sent to the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum MemberKind {
    /// `#microsoft.graph.user`.
    User,
    /// `#microsoft.graph.group`: a nested group.
    Group,
    /// Device, service principal, contact or a type that we do not know: counted as skipped, never waited for.
    Other,
}

/// One membership edge of a group at the source, and what was sent of it to the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The type of the member.
    pub kind: MemberKind,
    /// The full round of the groups stream that last brought this edge.
    pub generation: Generation,
    /// False when the source removed the member while the target still holds it.
    pub present: bool,
    /// The member's target id as sent into the target's group; `None` when the target does not hold it.
    pub sent: Option<TargetId>,
    /// True when the target's group held the member before we adopted the group: it stays when the group at the source
    /// goes.
    pub found: bool,
}

/// The target's side of a membership as the store holds it: a missing one and a sent one are written as an `Option`,
/// which was the type before.
#[derive(Serialize, Deserialize)]
enum Held<T> {
    No,
    Sent(T),
    Found(T),
}

/// The form of a membership for people and other programs.
#[derive(Serialize, Deserialize)]
struct Shown {
    kind: MemberKind,
    generation: Generation,
    present: bool,
    sent: Option<TargetId>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    found: bool,
}

impl Serialize for Membership {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self {
            kind,
            generation,
            present,
            sent,
            found,
        } = self;
        if serializer.is_human_readable() {
            return Shown {
                kind: *kind,
                generation: *generation,
                present: *present,
                sent: sent.clone(),
                found: *found,
            }
            .serialize(serializer);
        }
        let held = match sent {
            None => Held::No,
            Some(sent) if *found => Held::Found(sent),
            Some(sent) => Held::Sent(sent),
        };
        (kind, generation, present, held).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Membership {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let shown = Shown::deserialize(deserializer)?;
            return Ok(Self {
                kind: shown.kind,
                generation: shown.generation,
                present: shown.present,
                sent: shown.sent,
                found: shown.found,
            });
        }
        let (kind, generation, present, held) = Deserialize::deserialize(deserializer)?;
        let (sent, found) = match held {
            Held::No => (None, false),
            Held::Sent(sent) => (Some(sent), false),
            Held::Found(sent) => (Some(sent), true),
        };
        Ok(Self {
            kind,
            generation,
            present,
            sent,
            found,
        })
    }
}

/// One entry of `manager@delta` or `members@delta`: always an increment, never a replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReferenceChange {
    /// The object referred to.
    pub id: SourceId,
    /// Its type.
    pub kind: MemberKind,
    /// True for an `@removed` entry, whatever its reason.
    pub removed: bool,
}

/// One object as a delta page brings it, with nothing but the page's content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeltaObject {
    /// User or group.
    pub kind: ObjectKind,
    /// Entra object id.
    pub id: SourceId,
    /// The properties on the page; `Null` clears one. A property that is not on the page is absent here too.
    pub attributes: Attributes,
    /// `@removed` with its reason.
    pub removed: Option<Removed>,
    /// `manager@delta`, in page order; removals are to be applied before additions.
    pub manager: Vec<ReferenceChange>,
    /// `members@delta`, in page order.
    pub members: Vec<ReferenceChange>,
}

/// The proof that asking for one object by id gave (docs/design/evidence.md).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Existence {
    /// `/users/{id}` answered 200: the object lives, and these are its selected properties (absent ones are null).
    Alive(Attributes),
    /// Found among the deleted items: soft-deleted.
    SoftDeleted,
    /// 404 on both: hard-deleted.
    HardDeleted,
    /// Any other answer: it proves nothing. The text describes the answer.
    Unknown(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_membership_is_written_as_before_and_what_was_found_is_more() {
        /// The layout of earlier stores.
        #[derive(Serialize)]
        struct Before {
            kind: MemberKind,
            generation: Generation,
            present: bool,
            sent: Option<TargetId>,
        }
        for (sent, found) in [
            (None, false),
            (TargetId::new("u1"), false),
            (TargetId::new("u1"), true),
        ] {
            let edge = Membership {
                kind: MemberKind::User,
                generation: 300,
                present: true,
                sent: sent.clone(),
                found,
            };
            let bytes = postcard::to_stdvec(&edge).expect("it is written");
            let read: Membership = postcard::from_bytes(&bytes).expect("it is read");
            assert_eq!(read, edge);
            let text = serde_json::to_string(&edge).expect("it is shown");
            assert_eq!(
                serde_json::from_str::<Membership>(&text).expect("it is imported"),
                edge
            );
            let before = Before {
                kind: edge.kind,
                generation: edge.generation,
                present: edge.present,
                sent,
            };
            let old = postcard::to_stdvec(&before).expect("it is written");
            assert_eq!(old == bytes, !found);
            let old = serde_json::to_string(&before).expect("it is shown");
            assert_eq!(old == text, !found, "{text}");
        }
    }
}

//! What is sent to a target, and its answers.

use std::sync::Arc;

use bytes::Bytes;

use crate::mapping::TargetPath;
use crate::model::id::TargetId;
use crate::model::value::Attributes;
use crate::reconcile::operation::Change;

/// A SCIM resource as the target wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resource {
    /// Its `id`.
    pub id: TargetId,
    /// The whole body; never round-tripped through a typed struct, which would drop unknown extensions.
    pub body: serde_json::Value,
}

/// A resource that is to be created, as it is sent: most are sent as they are, without being parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewResource {
    text: Bytes,
    lists_extensions: Option<bool>,
    shape: Option<u64>,
    keys: Arc<[TargetPath]>,
}

impl NewResource {
    /// Wraps the JSON text of a resource; `lists_extensions`: whether its `schemas` list all extensions that it uses,
    /// or else only Entra's own.
    #[must_use]
    pub fn new(text: impl Into<Bytes>, lists_extensions: bool) -> Self {
        Self {
            text: text.into(),
            lists_extensions: Some(lists_extensions),
            shape: None,
            keys: Arc::default(),
        }
    }

    /// Adds the paths that tell it from others, beside externalId: see [`crate::reconcile::answer`].
    #[must_use]
    pub fn matched_by(self, keys: Arc<[TargetPath]>) -> Self {
        Self { keys, ..self }
    }

    /// See [`Self::matched_by`].
    #[must_use]
    pub fn keys(&self) -> &[TargetPath] {
        &self.keys
    }

    /// Adds a number that only resources with the same attributes have.
    #[must_use]
    pub fn of_shape(self, shape: u64) -> Self {
        Self {
            shape: Some(shape),
            ..self
        }
    }

    /// See [`Self::of_shape`]; `None` where it was not set.
    #[must_use]
    pub const fn shape(&self) -> Option<u64> {
        self.shape
    }

    /// Returns the text as it is sent.
    #[must_use]
    pub const fn text(&self) -> &Bytes {
        &self.text
    }

    /// Returns what `schemas` list, where that is known: see [`Self::new`].
    #[must_use]
    pub const fn lists_extensions(&self) -> Option<bool> {
        self.lists_extensions
    }

    /// Parses the text.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.text).unwrap_or_default()
    }
}

impl From<serde_json::Value> for NewResource {
    fn from(body: serde_json::Value) -> Self {
        Self {
            text: body.to_string().into(),
            lists_extensions: None,
            shape: None,
            keys: Arc::default(),
        }
    }
}

/// A resource that was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Created {
    /// Its `id`.
    pub id: TargetId,
    /// The whole resource, as the target wrote it.
    pub text: Bytes,
    /// True where the target answers that it existed before: 200 in the place of 201 (RFC 7644 section 3.3).
    pub there: bool,
}

impl From<Resource> for Created {
    fn from(resource: Resource) -> Self {
        Self {
            id: resource.id,
            text: resource.body.to_string().into(),
            there: false,
        }
    }
}

/// The members that were put into a group before a change of it, as far as we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MembersBefore {
    /// The number that was sent and accepted.
    pub sent: u64,
    /// True for a group that we created, and whose members are ours to write.
    pub ours: bool,
}

/// One change of a resource, in our terms; the dialect decides its wire form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patch {
    /// The attribute changes; `after = Null` removes. A manager's value is a target id.
    pub changes: Vec<Change>,
    /// The mapped attributes that the target holds, as far as known: they show whether a multi-valued element exists.
    pub held: Attributes,
    /// Members to add.
    pub add_members: Vec<TargetId>,
    /// Members to remove.
    pub remove_members: Vec<TargetId>,
    /// The members that were put into the group before.
    pub members_before: MembersBefore,
}

impl Patch {
    /// Returns true where it takes access away from a user.
    #[must_use]
    pub fn disables(&self) -> bool {
        let disables = |change: &Change| {
            change.attribute.eq_ignore_ascii_case("active") && change.after.as_bool() == Some(false)
        };
        self.changes.iter().any(disables)
    }
}

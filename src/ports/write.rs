//! What goes out to a target, and what comes back of it.

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

/// A resource that is to be created, as it goes out: most are sent as they are, and nobody looks into them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewResource {
    text: Bytes,
    lists_extensions: Option<bool>,
    shape: Option<u64>,
    keys: Arc<[TargetPath]>,
}

impl NewResource {
    /// The JSON text of a resource; whether its `schemas` list all extensions that it uses, or else only Entra's own.
    #[must_use]
    pub fn new(text: impl Into<Bytes>, lists_extensions: bool) -> Self {
        Self {
            text: text.into(),
            lists_extensions: Some(lists_extensions),
            shape: None,
            keys: Arc::default(),
        }
    }

    /// The same, with the paths that tell it from others, beside externalId: see [`crate::reconcile::answer`].
    #[must_use]
    pub fn matched_by(self, keys: Arc<[TargetPath]>) -> Self {
        Self { keys, ..self }
    }

    /// See [`Self::matched_by`].
    #[must_use]
    pub fn keys(&self) -> &[TargetPath] {
        &self.keys
    }

    /// The same, with a number that only resources with the same attributes have.
    #[must_use]
    pub fn of_shape(self, shape: u64) -> Self {
        Self {
            shape: Some(shape),
            ..self
        }
    }

    /// See [`Self::of_shape`]; `None` where nobody said.
    #[must_use]
    pub const fn shape(&self) -> Option<u64> {
        self.shape
    }

    /// As it goes out.
    #[must_use]
    pub const fn text(&self) -> &Bytes {
        &self.text
    }

    /// What `schemas` list, where that is known: see [`Self::new`].
    #[must_use]
    pub const fn lists_extensions(&self) -> Option<bool> {
        self.lists_extensions
    }

    /// What it holds.
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
    /// The whole of it, as the target wrote it.
    pub text: Bytes,
    /// True where the target says that it was there before: 200 in the place of 201 (RFC 7644 section 3.3).
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

/// Who was put into a group before a change of it, as far as we know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MembersBefore {
    /// How many were sent and accepted.
    pub sent: u64,
    /// True for a group that we made, and whose members are ours to write.
    pub ours: bool,
}

/// One PATCH, in our terms; the dialect decides its wire form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patch {
    /// Attribute changes; `after = Null` removes. A manager's value is a target id.
    pub changes: Vec<Change>,
    /// What the target holds of the mapped attributes, as far as known: says whether a multi-valued element exists.
    pub held: Attributes,
    /// Members to add.
    pub add_members: Vec<TargetId>,
    /// Members to remove.
    pub remove_members: Vec<TargetId>,
    /// Who was put into the group before.
    pub members_before: MembersBefore,
}

impl Patch {
    /// True where it takes access away from a user.
    #[must_use]
    pub fn disables(&self) -> bool {
        let disables = |change: &Change| {
            change.attribute.eq_ignore_ascii_case("active") && change.after.as_bool() == Some(false)
        };
        self.changes.iter().any(disables)
    }
}

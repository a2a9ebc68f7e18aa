//! A resource as the target answered it. What is answered to a create is kept as it came: it is only compared with what was
//! sent, and mostly equals it.

use std::borrow::Cow;
use std::cell::OnceCell;

use bytes::Bytes;
use serde_json::Value as Json;

use crate::mapping::BorrowedResource;
use crate::mapping::TargetPath;
use crate::mapping::plainly_holds;
use crate::mapping::read_path;
use crate::model::value::Value;

/// A resource.
#[derive(Debug)]
pub(in crate::engine) enum Answered {
    /// Read already.
    Tree(Json),
    /// As it came.
    Text(Bytes),
}

impl Answered {
    /// What it holds; null for a text that is no JSON.
    pub(in crate::engine) fn tree(&self) -> Cow<'_, Json> {
        match self {
            Self::Tree(tree) => Cow::Borrowed(tree),
            Self::Text(text) => Cow::Owned(serde_json::from_slice(text).unwrap_or_default()),
        }
    }
}

/// A resource that many values are compared with. It is read whole only once one of them differs.
pub(in crate::engine) struct Comparing<'a> {
    answered: &'a Answered,
    borrowed: Option<BorrowedResource<'a>>,
    tree: OnceCell<Cow<'a, Json>>,
}

impl<'a> Comparing<'a> {
    pub(in crate::engine) fn with(answered: &'a Answered) -> Self {
        let borrowed = match answered {
            Answered::Tree(_) => None,
            Answered::Text(text) => BorrowedResource::read(text),
        };
        Self {
            answered,
            borrowed,
            tree: OnceCell::new(),
        }
    }

    /// See [`plainly_holds`].
    pub(in crate::engine) fn plainly_holds(&self, path: &TargetPath, value: &Value) -> bool {
        match (self.answered, &self.borrowed) {
            (Answered::Tree(tree), _) => plainly_holds(tree, path, value),
            (_, Some(borrowed)) => borrowed.plainly_holds(path, value),
            (Answered::Text(_), None) => false,
        }
    }

    /// See [`read_path`].
    pub(in crate::engine) fn read(&self, path: &TargetPath) -> Option<Value> {
        read_path(self.tree.get_or_init(|| self.answered.tree()), path)
    }
}

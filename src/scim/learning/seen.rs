//! What was seen of uses and of attributes: read back as right, accepted and not carried out, not kept, refused.

use std::collections::BTreeSet;

use super::ENOUGH;
use super::Learned;
use super::Witness;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::reconcile::operation::Change;
use crate::scim::dialect::Clearing;
use crate::scim::dialect::attribute_key;

/// Returns the key of a change: setting and clearing are two.
fn shown_key(kind: ObjectKind, change: &Change) -> String {
    let key = attribute_key(kind, &change.attribute);
    if change.after.is_unassigned() {
        format!("{key} cleared")
    } else {
        key
    }
}

impl Learned {
    /// Returns true when this use of the forms in force was read back as right.
    #[must_use]
    pub fn is_seen(&self, usage: &str) -> bool {
        self.proven.contains(usage)
    }

    /// Notes that a use was read back as right. Returns true where that was new.
    pub fn seen(&mut self, usage: &str) -> bool {
        self.silent.remove(usage);
        self.proven.insert(usage.to_owned())
    }

    /// Notes that a use was answered with 2xx and not carried out. Returns true where that was new for this use.
    pub fn unseen(&mut self, usage: &str, witness: &Witness) -> bool {
        self.proven.remove(usage);
        let told = self.silent.entry(usage.to_owned()).or_default();
        let news = told.is_empty();
        if told.len() < ENOUGH {
            told.insert(witness.clone());
        }
        news
    }

    /// Notes that a change of an attribute was read back as right. Returns true where that was new.
    pub fn showed(&mut self, kind: ObjectKind, change: &Change) -> bool {
        self.shown.insert(shown_key(kind, change))
    }

    /// Returns true where such a change was seen to work before.
    #[must_use]
    pub fn is_shown(&self, kind: ObjectKind, change: &Change) -> bool {
        self.shown.contains(&shown_key(kind, change))
    }

    /// Notes that a created resource holds an attribute. Returns true where that was new.
    pub fn holds_created(&mut self, kind: ObjectKind, path: &str) -> bool {
        self.created.insert(attribute_key(kind, path).to_lowercase())
    }

    /// Returns true for an attribute that was seen at this target, by a change or a create.
    #[must_use]
    pub fn is_known_here(&self, kind: ObjectKind, change: &Change) -> bool {
        let path = change.attribute.as_str();
        let plain = path.split_once('[').map_or(path, |(attribute, _)| attribute);
        self.is_shown(kind, change) || self.created.contains(&attribute_key(kind, plain).to_lowercase())
    }

    /// Notes that a PUT wrote what a PATCH did not. Returns true where that makes it learned.
    pub fn written_by_put(&mut self, kind: ObjectKind, path: &str, witness: &Witness) -> bool {
        let told = self.puts.entry(attribute_key(kind, path)).or_default();
        let before = told.len();
        if before < ENOUGH {
            told.insert(witness.clone());
        }
        before < ENOUGH && told.len() >= ENOUGH
    }

    /// Notes that an attribute was accepted and is shown nowhere. Returns true where that was new.
    pub fn not_kept(&mut self, kind: ObjectKind, path: &str, now: Timestamp) -> bool {
        self.unkept.insert(attribute_key(kind, path), now).is_none()
    }

    /// Returns true where it is known that the target does not keep this attribute, or never shows it.
    #[must_use]
    pub fn is_unkept(&self, kind: ObjectKind, path: &str) -> bool {
        !self.unkept.is_empty() && self.unkept.contains_key(&attribute_key(kind, path))
    }

    /// Notes that an attribute was cleared in this way after its removal was refused. Returns true where that makes the
    /// way learned.
    pub fn cleared(&mut self, path: &str, way: Clearing, witness: &Witness) -> bool {
        let ways = self.clearings.entry(path.to_owned()).or_default();
        let told = ways.entry(way).or_default();
        if told.len() >= ENOUGH {
            return false;
        }
        told.insert(witness.clone());
        let learned = told.len() >= ENOUGH;
        if learned {
            ways.retain(|other, _| *other == way);
        }
        learned
    }

    /// Notes that an attribute was refused in a request of its own.
    pub fn refused(&mut self, path: &str, witness: &Witness) {
        let told = self.refused.entry(path.to_owned()).or_default();
        if told.len() < ENOUGH {
            told.insert(witness.clone());
        }
    }

    /// Notes that an attribute was accepted. Returns true where that was new.
    pub fn taken(&mut self, path: &str) -> bool {
        !self.refused.is_empty() && self.refused.remove(path).is_some()
    }

    /// Returns true for an attribute that was refused for three objects in succession.
    #[must_use]
    pub fn is_refused(&self, path: &str) -> bool {
        self.refused.get(path).is_some_and(|told| told.len() >= ENOUGH)
    }

    /// Returns the number of objects, up to three, for which a use was answered with 2xx and not carried out since it
    /// was last seen to work.
    #[must_use]
    pub fn silent_for(&self, usage: &str) -> usize {
        self.silent.get(usage).map_or(0, BTreeSet::len)
    }

    /// Notes that a use did harm: it is not made again under this configuration.
    pub fn bar(&mut self, usage: &str, now: Timestamp) {
        self.barred.insert(usage.to_owned(), now);
    }

    /// Returns true when a use did harm.
    #[must_use]
    pub fn is_barred(&self, usage: &str) -> bool {
        self.barred.contains_key(usage)
    }
}

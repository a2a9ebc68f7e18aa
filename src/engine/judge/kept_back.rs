//! What is kept back from the target, as a cycle knows it: holds, releases, a pause, and who an admin named.

use std::collections::BTreeSet;
use std::collections::HashMap;
use std::sync::Arc;

use crate::engine::work::empties;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::verb::Act;
use crate::model::verb::GuardClass;
use crate::reconcile::guard::Class;
use crate::reconcile::guard::changes_identity;
use crate::reconcile::operation::Operation;
use crate::reconcile::operation::Verb;
use crate::snapshot::kept_back::Hold;
use crate::snapshot::kept_back::Pause;
use crate::snapshot::kept_back::Withheld;
use crate::snapshot::kept_back::WithheldKey;

/// What a cycle was told to keep back, and what to let through. Clones share it.
#[derive(Debug, Clone, Default)]
pub(in crate::engine) struct KeptBack {
    pub(in crate::engine) holds: Arc<HashMap<(ObjectKind, SourceId), Vec<Hold>>>,
    pub(in crate::engine) released: Arc<HashMap<WithheldKey, Withheld>>,
    pub(in crate::engine) pause: Option<Pause>,
    /// Users whom an admin named, few enough to be disabled although the guard is closed.
    pub(in crate::engine) named: BTreeSet<SourceId>,
}

/// What became of an operation that the guard would hold back, until the batch is recorded.
#[derive(Debug)]
pub(in crate::engine) enum Met {
    /// Withheld.
    Withheld(Box<Withheld>),
    /// Let through by a release.
    Released,
}

impl KeptBack {
    /// The hold on the whole object.
    pub(in crate::engine) fn whole(&self, kind: ObjectKind, id: SourceId) -> Option<&Hold> {
        self.of(kind, id).find(|hold| hold.attribute.is_none())
    }

    /// The hold on one attribute.
    pub(in crate::engine) fn attribute(&self, kind: ObjectKind, id: SourceId, path: &str) -> Option<&Hold> {
        let named = |hold: &&Hold| {
            let held = hold.attribute.as_deref();
            held.is_some_and(|held| held.eq_ignore_ascii_case(path))
        };
        self.of(kind, id).find(named)
    }

    fn of(&self, kind: ObjectKind, id: SourceId) -> impl Iterator<Item = &Hold> {
        self.holds.get(&(kind, id)).into_iter().flatten()
    }

    /// True while removals are paused.
    pub(in crate::engine) const fn removals_paused(&self) -> bool {
        self.pause.is_some()
    }

    /// The release that lets an operation of this verb through.
    pub(in crate::engine) fn released(&self, key: &WithheldKey, verb: Verb) -> Option<&Withheld> {
        self.released.get(key).filter(|entry| entry.verb == verb)
    }

    /// True for an adoption that needs no review, or that a person let through: of this very resource.
    pub(in crate::engine) fn lets_link(&self, operation: &Operation) -> bool {
        let key = (operation.kind, operation.source, Class::Adoption);
        let released = || self.released.get(&key);
        operation
            .alike()
            .is_none_or(|alike| released().is_some_and(|entry| entry.is_about(operation.verb, Some(alike))))
    }

    /// True for a removal that goes although the guard is closed: a person released it, or named the user.
    pub(in crate::engine) fn lets_through(&self, kind: ObjectKind, id: SourceId, verb: Verb) -> bool {
        let named = verb.act() == Act::Disable && self.named.contains(&id);
        !self.removals_paused() && (named || self.released(&(kind, id, Class::Removal), verb).is_some())
    }

    /// True for a member whose own removal goes although the guard is closed: that very removal, or where it has none (any more),
    /// a disable.
    pub(in crate::engine) fn lets_member_through(&self, member: SourceId, removal: Option<Verb>) -> bool {
        self.lets_through(ObjectKind::User, member, removal.unwrap_or_else(Verb::disable))
    }

    /// The releases that these operations use up.
    pub(in crate::engine) fn used_by(&self, run: &[Operation]) -> Vec<WithheldKey> {
        let of = |operation: &Operation| {
            let mut classes = vec![class_of(operation)];
            classes.push(changes_identity(operation).then_some(Class::Identity));
            let (kind, id) = (operation.kind, operation.source);
            classes.into_iter().flatten().map(move |class| (kind, id, class))
        };
        run.iter()
            .flat_map(of)
            .filter(|key| self.released.contains_key(key))
            .collect()
    }
}

/// The class by which an operation as such is withheld; an update is none.
pub(in crate::engine) const fn class_of(operation: &Operation) -> Option<Class> {
    match operation.verb.guard_class() {
        GuardClass::Removal => Some(Class::Removal),
        GuardClass::Members if empties(operation) => Some(Class::Removal),
        GuardClass::Members => Some(Class::Members),
        GuardClass::Create => Some(Class::Create),
        GuardClass::Adoption if operation.alike().is_some() => Some(Class::Adoption),
        GuardClass::Adoption | GuardClass::Changes | GuardClass::Free | GuardClass::LetGo => None,
        GuardClass::WriteBack => Some(Class::WriteBack),
        GuardClass::Join => Some(Class::Join),
        GuardClass::Leave => Some(Class::Leave),
        // Nothing lets it through, so there is nothing to keep for a person to release.
        GuardClass::Unknown => None,
    }
}

/// What a pause says, for people.
pub(in crate::engine) fn paused(pause: &Pause) -> String {
    let what = if pause.removals_only {
        "removals are"
    } else {
        "the job is"
    };
    let until = pause
        .until
        .map_or_else(String::new, |until| format!(" until {until}"));
    let comment = pause
        .comment
        .as_ref()
        .map_or_else(String::new, |comment| format!(" ({comment})"));
    format!(
        "{what} paused by {} since {}{until}{comment}: `melonsync resume` lets it go on",
        pause.actor, pause.since
    )
}

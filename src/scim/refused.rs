//! A refused bundle of attributes is split: what the target accepts is sent, and each attribute that it refuses is
//! named and waits alone.
//!
//! Promises: `active` is never held up by another attribute; a refusal that names an attribute is checked by sending
//! that one alone; where nothing at all is accepted, the resource is refused, and not a part of it. Everything here may
//! be sent twice, because attributes are set.

use std::collections::VecDeque;

use super::client::ScimTarget;
use super::dialect::Clearing;
use super::dialect::Dialect;
use super::dialect::Update;
use super::learning::ENOUGH;
use super::learning::Witness;
use super::miss::Miss;
use super::path::TargetPath;
use crate::mapping;
use crate::model::id::ObjectKind;
use crate::model::id::TargetId;
use crate::model::refusal::names;
use crate::ports::Patch;
use crate::ports::RefusedPart;
use crate::ports::Resource;
use crate::ports::TargetDirectory;
use crate::ports::TargetError;
use crate::reconcile::operation::Change;
use crate::reconcile::target_schema::Knowledge;
use crate::reconcile::target_schema::Mutability;
use crate::reconcile::target_schema::knowledge;

/// The outcome of a bundle of attributes.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// The resource as it was answered last.
    pub(super) last: Option<Resource>,
    /// The parts that the target refuses.
    pub(super) refused: Vec<RefusedPart>,
}

/// A bundle that is being split.
struct Split<'s> {
    kind: ObjectKind,
    id: &'s TargetId,
    dialect: &'s Dialect,
    /// What is left to be sent; its `held` follows what was accepted.
    patch: Patch,
    taken: Taken,
    /// True if some of it was carried out.
    any: bool,
}

impl ScimTarget {
    /// Changes as many attributes as the target accepts.
    pub(super) async fn change_what_is_taken(
        &self,
        kind: ObjectKind,
        id: &TargetId,
        patch: &Patch,
        dialect: &Dialect,
    ) -> Result<Taken, TargetError> {
        let (apart, together): (Vec<Change>, Vec<Change>) = patch
            .changes
            .iter()
            .cloned()
            .partition(|change| patch.changes.len() > 1 && self.goes_apart(kind, change));
        let mut split = Split {
            kind,
            id,
            dialect,
            patch: patch.clone(),
            taken: Taken::default(),
            any: false,
        };
        if !together.is_empty() {
            match self.change_together(&mut split, &together).await {
                Ok(()) => {}
                Err(error) => {
                    let error = self.about_a_part(kind, id, error).await?;
                    if self.experience.splits_in_vain() {
                        return Err(error);
                    }
                    let broken = is_broken(&error);
                    let done = self.change_in_parts(&mut split, &together, error).await;
                    self.experience.note_split(split.any);
                    if !(broken && !split.any && self.put_what_breaks(&mut split, &together).await) {
                        done?;
                    }
                }
            }
        }
        for change in &apart {
            self.change_alone(&mut split, change, None).await?;
        }
        let witness = Witness::of(kind, id);
        let taken = split.outcome()?;
        for part in taken.refused.iter().filter(|part| part.holds.is_none()) {
            self.experience
                .add(|learned| learned.refused(part.attribute.as_str(), &witness));
        }
        Ok(taken)
    }

    /// Returns true for a change that is sent alone from the start: an attribute that a schema calls immutable, or
    /// required where it is cleared, or that was refused for three objects.
    fn goes_apart(&self, kind: ObjectKind, change: &Change) -> bool {
        let path = change.attribute.to_string();
        if change.attribute.eq_ignore_ascii_case("active") {
            return false;
        }
        if self.experience.ask(|learned| learned.is_refused(&path)) {
            return true;
        }
        let Ok(path) = path.parse::<mapping::TargetPath>() else {
            return true;
        };
        let Some(capabilities) = self.known_capabilities() else {
            return false;
        };
        match knowledge(&capabilities.schemas, kind, &path) {
            Knowledge::Known(said) => {
                let clears = change.after.is_unassigned();
                (said.mutability == Mutability::Immutable && !change.before.is_unassigned())
                    || (said.required && clears)
            }
            Knowledge::Unknown | Knowledge::Unsaid => false,
        }
    }

    /// Returns the error as `Err` if it is about the resource, the target or the credential, and as `Ok` if it may be
    /// about a part of the request, such as a 404 for a resource that is there.
    pub(super) async fn about_a_part(
        &self,
        kind: ObjectKind,
        id: &TargetId,
        error: TargetError,
    ) -> Result<TargetError, TargetError> {
        match error {
            TargetError::Refused { status, .. } if may_be_of_a_part(status) => Ok(error),
            TargetError::Conflict { .. } => Ok(error),
            // One record may break while it can be read, and others are written.
            TargetError::Unavailable { .. } if is_broken(&error) => match self.read(kind, id).await {
                Ok(Some(_)) => Ok(error),
                Ok(None) | Err(_) => Err(error),
            },
            TargetError::NotFound { what } => match self.read(kind, id).await {
                Ok(Some(_)) => Ok(TargetError::Refused {
                    what,
                    status: 404,
                    hint: "the resource exists, but something that the request refers to does not".to_owned(),
                }),
                _ => Err(TargetError::NotFound { what }),
            },
            error => Err(error),
        }
    }

    /// Sends once by PUT what breaks by PATCH in each part of it. Returns true where that succeeded.
    async fn put_what_breaks(&self, split: &mut Split<'_>, changes: &[Change]) -> bool {
        if split.dialect.update == Update::Put || self.keeps_to_patch() {
            return false;
        }
        let put = Dialect {
            update: Update::Put,
            ..split.dialect.clone()
        };
        let patch = Patch {
            changes: changes.to_vec(),
            ..split.patch.clone()
        };
        let Ok(answered) = self.attempt(split.kind, split.id, &patch, &put, true).await else {
            return false;
        };
        split.taken.refused.clear();
        split.took(changes, answered);
        self.experience.note_split(true);
        true
    }

    async fn change_together(&self, split: &mut Split<'_>, changes: &[Change]) -> Result<(), TargetError> {
        let patch = Patch {
            changes: changes.to_vec(),
            ..split.patch.clone()
        };
        let answered = match self
            .change_attributes(split.kind, split.id, &patch, split.dialect)
            .await
        {
            // The others are done, and these are known: no split would find out more.
            Err(TargetError::Partly { refused, rest, .. }) => {
                let kept = |change: &&Change| !refused.iter().any(|part| part.attribute == change.attribute);
                let kept: Vec<Change> = changes.iter().filter(kept).cloned().collect();
                self.note_taken(&kept);
                split.took(&kept, rest.map(|rest| *rest));
                split.taken.refused.extend(refused);
                return Ok(());
            }
            answered => answered?,
        };
        self.experience.note_split(true);
        self.note_taken(changes);
        split.took(changes, answered);
        Ok(())
    }

    fn note_taken(&self, changes: &[Change]) {
        self.experience.note(|learned| {
            let taken = |change: &Change| learned.taken(change.attribute.as_str());
            changes.iter().map(taken).fold(false, |news, one| news | one)
        });
    }

    /// Sends a refused bundle in parts: `active` first, then what the refusal does not name, then each attribute that
    /// it names; without a name the bundle is halved.
    async fn change_in_parts(
        &self,
        split: &mut Split<'_>,
        changes: &[Change],
        error: TargetError,
    ) -> Result<(), TargetError> {
        if let [one] = changes {
            return self.change_alone(split, one, Some(error)).await;
        }
        let text = error.to_string();
        let is_active = |change: &&Change| change.attribute.eq_ignore_ascii_case("active");
        let (active, others): (Vec<&Change>, Vec<&Change>) = changes.iter().partition(is_active);
        let (named, rest): (Vec<&Change>, Vec<&Change>) = others
            .into_iter()
            .partition(|change| names(&text, &change.attribute));
        let own = |changes: &[&Change]| -> Vec<Change> { changes.iter().map(|one| (*one).clone()).collect() };
        for change in own(&active) {
            self.change_alone(split, &change, None).await?;
        }
        let mut groups: VecDeque<Vec<Change>> = VecDeque::new();
        if named.is_empty() && active.is_empty() {
            halve(own(&rest), &mut groups);
        } else if !rest.is_empty() {
            groups.push_back(own(&rest));
        }
        while let Some(group) = groups.pop_front() {
            if let [one] = group.as_slice() {
                self.change_alone(split, one, None).await?;
                continue;
            }
            if let Err(error) = self.change_together(split, &group).await {
                self.about_a_part(split.kind, split.id, error).await?;
                halve(group, &mut groups);
            }
        }
        for change in own(&named) {
            self.change_alone(split, &change, None).await?;
        }
        if split.any {
            return Ok(());
        }
        Err(error)
    }

    /// Sends one attribute in a request of its own; `refused` where that was done already. An attribute to be cleared
    /// is cleared in other ways where one is refused.
    async fn change_alone(
        &self,
        split: &mut Split<'_>,
        change: &Change,
        refused: Option<TargetError>,
    ) -> Result<(), TargetError> {
        let changes = std::slice::from_ref(change);
        let error = match refused {
            Some(error) => error,
            None => match self.change_together(split, changes).await {
                Ok(()) => return Ok(()),
                Err(error) => self.about_a_part(split.kind, split.id, error).await?,
            },
        };
        if change.after.is_unassigned() && self.clear_otherwise(split, change).await? {
            return Ok(());
        }
        split.taken.refused.push(RefusedPart {
            attribute: change.attribute.clone(),
            error,
            holds: None,
        });
        Ok(())
    }

    /// Clears an attribute in the other ways: replaced with null, with an empty value, left out of a PUT. Returns true
    /// where one was read back as done.
    async fn clear_otherwise(&self, split: &mut Split<'_>, change: &Change) -> Result<bool, TargetError> {
        let Ok(path) = TargetPath::parse(&change.attribute) else {
            return Ok(false);
        };
        let patch = Patch {
            changes: vec![change.clone()],
            ..split.patch.clone()
        };
        let (now, witness) = (split.dialect.clearing(&path), Witness::of(split.kind, split.id));
        for form in Clearing::ALL.into_iter().filter(|form| *form != now) {
            let mut other = split.dialect.clone();
            other.clearings.insert(path.wire(), form);
            if form == Clearing::Put {
                if split.dialect.update == Update::Put || self.keeps_to_patch() {
                    continue;
                }
                other.update = Update::Put;
            }
            match self.attempt(split.kind, split.id, &patch, &other, true).await {
                Ok(answered) => {
                    let learned = self
                        .experience
                        .add(|learned| learned.cleared(&path.wire(), form, &witness));
                    if learned {
                        self.experience.say(format!(
                            "learned that this target clears `{}` by {}: its removal was refused for {ENOUGH} objects",
                            change.attribute,
                            form.words()
                        ));
                    }
                    split.took(std::slice::from_ref(change), answered);
                    return Ok(true);
                }
                Err(Miss::Refused(..) | Miss::Silent(..) | Miss::Failed(TargetError::Partly { .. })) => {}
                Err(Miss::Failed(error)) => {
                    self.about_a_part(split.kind, split.id, error).await?;
                }
            }
        }
        Ok(false)
    }
}

impl Split<'_> {
    fn took(&mut self, changes: &[Change], answered: Option<Resource>) {
        self.any |= !changes.is_empty();
        // Later requests find the elements that were made, and not those that were removed.
        for change in changes {
            if change.after.is_unassigned() {
                self.patch.held.remove(change.attribute.as_str());
            } else {
                self.patch
                    .held
                    .insert(change.attribute.clone(), change.after.clone());
            }
        }
        if answered.is_some() {
            self.taken.last = answered;
        }
    }

    /// Decides what is reported of the bundle. A refusal of `active`, and a name that another resource has, are the
    /// outcome of the whole operation: the first takes access away, and the second may be free again in this cycle.
    fn outcome(mut self) -> Result<Taken, TargetError> {
        let first = |part: &RefusedPart| {
            part.attribute.eq_ignore_ascii_case("active")
                || matches!(part.error, TargetError::Conflict { .. })
        };
        if let Some(at) = self.taken.refused.iter().position(first) {
            return Err(self.taken.refused.swap_remove(at).error);
        }
        // A value that was answered with 2xx and not kept is the attribute's fault, whatever happened to others.
        let refused = self.taken.refused.iter().any(|part| part.holds.is_none());
        if !self.any && refused {
            // Nothing shows whether the cause is the attributes or the resource.
            return Err(self.taken.refused.swap_remove(0).error);
        }
        Ok(self.taken)
    }
}

/// Returns true for a 500: the server broke at this request.
const fn is_broken(error: &TargetError) -> bool {
    matches!(error, TargetError::Unavailable { status: 500, .. })
}

/// Returns true for statuses that a part of a request may cause; 0 is a path that cannot be written.
const fn may_be_of_a_part(status: u16) -> bool {
    matches!(status, 0 | 400 | 402..=412 | 414..=428 | 430..=499 | 501)
}

fn halve(mut group: Vec<Change>, groups: &mut VecDeque<Vec<Change>>) {
    let half = group.split_off(group.len() / 2);
    groups.extend([group, half].into_iter().filter(|part| !part.is_empty()));
}

//! Whether the target kept what it answered with 2xx: what a read-back must show, one PUT where no PATCH worked, and
//! what is left.
//!
//! Promises: a value that a read-back shows unchanged is never taken for done; a value that no read-back ever showed is
//! not reported as undone.

use super::change::partly;
use super::client::ScimTarget;
use super::dialect::Dialect;
use super::dialect::Update;
use super::learning::ENOUGH;
use super::learning::Witness;
use super::miss::Miss;
use super::miss::not_carried_out;
use super::refused::Taken;
use super::usage;
use crate::mapping::TargetPath;
use crate::mapping::read_path;
use crate::model::id::ObjectKind;
use crate::model::id::TargetId;
use crate::model::name::Name;
use crate::ports::Disposition;
use crate::ports::Patch;
use crate::ports::RefusedPart;
use crate::ports::Resource;
use crate::ports::TargetError;
use crate::reconcile::operation::Change;
use crate::reconcile::target_schema::Knowledge;
use crate::reconcile::target_schema::Mutability;
use crate::reconcile::target_schema::knowledge;

impl ScimTarget {
    /// Returns true where the patch sets, or clears, an attribute in a way that was never seen to work. Without an
    /// answer to compare with, the first change of each is read back.
    pub(super) fn is_first(&self, kind: ObjectKind, patch: &Patch) -> bool {
        let first = |change: &Change| {
            let path = change.attribute.parse::<TargetPath>();
            let shows = path.is_ok_and(|path| self.shows_attribute(kind, &path));
            shows && !self.experience.ask(|learned| learned.is_shown(kind, change))
        };
        patch.changes.iter().any(first)
    }

    /// Notes what an answer, or a read-back, shows as done.
    pub(super) fn note_shown(&self, kind: ObjectKind, patch: &Patch, seen: bool, undone: &[String]) {
        if !seen {
            return;
        }
        self.experience.note(|learned| {
            let mut news = false;
            for change in &patch.changes {
                let done = !undone.iter().any(|path| *path == *change.attribute);
                news |= done && !learned.is_shown(kind, change) && learned.showed(kind, change);
            }
            news
        });
    }

    /// Returns the changes that a resource does not show, except those that it never shows.
    pub(super) fn undone(&self, kind: ObjectKind, changes: &[Change], found: &Resource) -> Vec<String> {
        let shows = |change: &&Change| {
            let path = change.attribute.parse::<TargetPath>();
            path.is_ok_and(|path| self.shows_attribute(kind, &path))
        };
        let undone = usage::not_done(changes, &found.body).into_iter();
        undone
            .filter(shows)
            .map(|change| change.attribute.to_string())
            .collect()
    }

    /// See [`TargetDirectory::shows`].
    pub(super) fn shows_attribute(&self, kind: ObjectKind, path: &TargetPath) -> bool {
        let said = self
            .known_capabilities()
            .map(|capabilities| knowledge(&capabilities.schemas, kind, path));
        let hidden = match said {
            Some(Knowledge::Known(said)) => !said.returned || said.mutability == Mutability::WriteOnly,
            Some(Knowledge::Unknown | Knowledge::Unsaid) | None => false,
        };
        !hidden
            && !self
                .experience
                .ask(|learned| learned.is_unkept(kind, path.as_str()))
    }

    /// Sends one PUT of this object from a fresh read, after each form of PATCH was answered with 2xx and not carried
    /// out.
    pub(super) async fn by_put(
        &self,
        kind: ObjectKind,
        id: &TargetId,
        patch: &Patch,
        dialect: &Dialect,
        (found, undone): (Resource, Vec<String>),
    ) -> Result<Option<Resource>, TargetError> {
        let witness = Witness::of(kind, id);
        if dialect.update == Update::Put || dialect.goes_by_put(kind, patch) || self.keeps_to_patch() {
            return self.unkept(kind, found, &undone, patch, &witness);
        }
        let put = Dialect {
            update: Update::Put,
            ..dialect.clone()
        };
        match self.attempt(kind, &found.id, patch, &put, true).await {
            Ok(done) => {
                self.learn_put(kind, &undone, &witness);
                Ok(done)
            }
            Err(Miss::Silent(after, still)) => {
                let done: Vec<String> = undone
                    .iter()
                    .filter(|path| !still.contains(path))
                    .cloned()
                    .collect();
                self.learn_put(kind, &done, &witness);
                self.unkept(kind, *after, &still, patch, &witness)
            }
            Err(Miss::Failed(error)) if error.disposition() == Disposition::Quarantine => Err(error),
            // The service has no PUT, or not for this.
            Err(Miss::Refused(..) | Miss::Failed(_)) => self.unkept(kind, found, &undone, patch, &witness),
        }
    }

    pub(super) fn learn_put(&self, kind: ObjectKind, paths: &[String], witness: &Witness) {
        for path in paths {
            if self
                .experience
                .add(|learned| learned.written_by_put(kind, path, witness))
            {
                let word = kind.word();
                self.experience.say(format!(
                    "learned that this target writes the {word} attribute `{path}` by PUT: its PATCH was answered 2xx and not \
                     carried out for {ENOUGH} objects"
                ));
            }
        }
    }

    /// Reports a PATCH that is answered with 2xx and not carried out. `told`: for several objects.
    fn say_not_carried_out(&self, kind: ObjectKind, path: &Name, usage: &str, told: bool) {
        let (word, habit) = (
            kind.word(),
            if told { ", for three objects and more" } else { "" },
        );
        self.experience.say(format!(
            "the target answers 2xx to a PATCH of the {word} attribute `{path}` ({usage}) and does not carry it \
             out{habit}; set dialect = {{ update = \"put\" }} under the job's [target]"
        ));
    }

    /// Learns and reports that an attribute is accepted and not kept, or never shown.
    fn say_not_kept(&self, kind: ObjectKind, path: &Name) {
        let (now, word) = (self.experience.now(), kind.word());
        self.experience.add(|learned| learned.not_kept(kind, path, now));
        self.experience.say(format!(
            "the target answers 2xx to the {word} attribute `{path}` and does not keep it, or never shows it; take its row \
             out of the mapping, or have it added at the target"
        ));
    }

    /// Judges changes that were answered with 2xx and are in no form there. `active` is a failure. A value that no
    /// reading ever showed is not known to be kept: that is reported once. Any other attribute of this object is named,
    /// with the value that the target holds instead, and waits alone.
    pub(super) fn unkept(
        &self,
        kind: ObjectKind,
        found: Resource,
        undone: &[String],
        patch: &Patch,
        witness: &Witness,
    ) -> Result<Option<Resource>, TargetError> {
        let mut stays = Vec::new();
        for (change, usage) in usage::each(patch) {
            let path = &change.attribute;
            if !undone.iter().any(|undone| *undone == **path) {
                continue;
            }
            let (known, told) = self.experience.add(|learned| {
                let known = learned.is_seen(usage);
                learned.unseen(usage, witness);
                let told = learned.silent_for(usage) >= ENOUGH;
                if known {
                    // Others of its kind are kept: the cause is this attribute, and not the form.
                    learned.seen(usage);
                }
                (known, told)
            });
            let holds = path
                .parse::<TargetPath>()
                .ok()
                .and_then(|path| read_path(&found.body, &path))
                .filter(|held| !held.is_unassigned());
            let shown = self.experience.ask(|learned| learned.is_known_here(kind, change));
            if path.eq_ignore_ascii_case("active") {
                let what = format!("`{path}` is as it was");
                return Err(not_carried_out(kind, &found.id, &what));
            }
            if holds.is_some() || shown {
                if !known {
                    self.say_not_carried_out(kind, path, usage, told);
                }
                stays.push(RefusedPart {
                    attribute: path.clone(),
                    error: not_kept(kind, &found.id, path),
                    holds: Some(holds.unwrap_or_default()),
                });
                continue;
            }
            self.say_not_kept(kind, path);
        }
        if stays.is_empty() {
            return Ok(Some(found));
        }
        partly(
            Taken {
                last: Some(found),
                refused: stays,
            },
            Vec::new(),
        )
    }
}

/// Builds the error for an attribute that was answered with 2xx in each form and is unchanged.
fn not_kept(kind: ObjectKind, id: &TargetId, path: &str) -> TargetError {
    let word = kind.word();
    TargetError::Refused {
        what: format!(
            "the change of `{path}` of {word} {id} was answered 2xx and not kept, neither by PATCH nor by PUT"
        )
        .into(),
        status: 200,
        hint: format!(
            "check whether `{path}` of this {word} is locked at the target, or set apply = \"create-only\" in its mapping row; it \
             is tried again with growing gaps"
        ),
    }
}

//! A change in one form, and in others where that one fails: each is read back on its first uses.

use super::change::moves;
use super::client::ScimTarget;
use super::dialect::Aspect;
use super::dialect::Dialect;
use super::dialect::Update;
use super::learning::Failing;
use super::learning::Learned;
use super::learning::Witness;
use super::miss::Miss;
use super::usage;
use crate::model::id::ObjectKind;
use crate::model::id::TargetId;
use crate::ports::Patch;
use crate::ports::Resource;
use crate::ports::TargetDirectory;
use crate::ports::TargetError;

impl ScimTarget {
    /// Tries one form once, and reads back the result where that form is new (`always` for another form than the one in
    /// force), or where the answer itself contradicts the change.
    pub(super) async fn attempt(
        &self,
        kind: ObjectKind,
        id: &TargetId,
        patch: &Patch,
        dialect: &Dialect,
        always: bool,
    ) -> Result<Option<Resource>, Miss> {
        let usages = usage::usages(kind, patch);
        let is_new = || {
            let unseen = |learned: &Learned| usages.iter().any(|usage| !learned.is_seen(usage));
            self.experience.ask(unseen)
        };
        // The first use goes alone: once it was read back as right, the waiting ones need not be read back too.
        let mut turn = None;
        if !always && is_new() {
            turn = Some(self.experience.first_change.lock().await);
            if !is_new() {
                turn = None;
            }
        }
        let last = self.send(kind, id, patch, dialect).await.map_err(Miss::of)?;
        let is_new = turn.is_some() || is_new() || (last.is_none() && self.is_first(kind, patch));
        let doubtful = last
            .as_ref()
            .is_some_and(|last| last.id == *id && !self.undone(kind, &patch.changes, last).is_empty());
        if !always && !is_new && !doubtful {
            self.note_shown(kind, patch, last.is_some(), &[]);
            return Ok(last);
        }
        let Some(mut found) = self.look_again(kind, id, patch, last.as_ref()).await else {
            return Ok(last); // the change is done; the next reading reports the result
        };
        let mut undone = self.undone(kind, &patch.changes, &found);
        // Twice, where the change is not there: what answers reads may lag behind what takes writes.
        if !undone.is_empty()
            && let Some(again) = self.look_again(kind, id, patch, last.as_ref()).await
        {
            undone = self.undone(kind, &patch.changes, &again);
            found = again;
        }
        let stays = found.id == *id;
        self.note_shown(kind, patch, true, &undone);
        self.experience.note(|learned| {
            let mut news = false;
            for (change, usage) in usage::each(patch) {
                let done = !undone.contains(&change.attribute.to_string());
                news |= done && learned.seen(usage);
            }
            let whole = patch.changes.len() > 1 && undone.is_empty();
            news |= whole && learned.seen(usage::SEVERAL);
            news | (stays && usage::renames(kind, &patch.changes) && learned.seen(usage::RENAMED))
        });
        if undone.is_empty() {
            Ok(Some(found))
        } else {
            Err(Miss::Silent(Box::new(found), undone))
        }
    }

    /// Reads a resource back. One that a rename has moved is found by its new id, or by its new name. Returns `None`
    /// where it cannot be found now.
    pub(super) async fn look_again(
        &self,
        kind: ObjectKind,
        id: &TargetId,
        patch: &Patch,
        answer: Option<&Resource>,
    ) -> Option<Resource> {
        let id = answer.map_or(id, |answer| &answer.id);
        if let Some(found) = self.read(kind, id).await.ok()? {
            return Some(found);
        }
        let name = patch
            .changes
            .iter()
            .find(|change| change.attribute.eq_ignore_ascii_case("userName"))?;
        let found = self.find(kind, "userName", name.after.as_str()?).await.ok()?;
        match found.as_slice() {
            // A filter that is ignored finds some user, too.
            [one] if moves(kind, patch, one) => Some(one.clone()),
            _ => None,
        }
    }

    /// Tries the other forms that may be meant, one after the other, and then all together, as Entra's older form.
    pub(super) async fn in_another_form(
        &self,
        kind: ObjectKind,
        id: &TargetId,
        patch: &Patch,
        dialect: &Dialect,
        miss: Miss,
    ) -> Result<Option<Resource>, TargetError> {
        let (witness, alone) = (Witness::of(kind, id), patch.changes.len() == 1);
        let (mut tried, mut unsupported) = (Vec::new(), None);
        for aspect in self.suspects(patch, &miss) {
            let how = of_aspect(miss.how(), aspect, alone);
            for form in self
                .experience
                .add(|learned| learned.failed(aspect, dialect.form(aspect), &witness, how))
            {
                let other = dialect.clone().with(aspect, form);
                match self.attempt(kind, id, patch, &other, true).await {
                    Ok(done) => {
                        self.helped(&[(aspect, form)], &witness);
                        return Ok(done);
                    }
                    Err(Miss::Failed(error)) => return Err(error),
                    // Another refusal: the form may be right, and something else is not supported.
                    Err(Miss::Refused(error, 501)) if miss.how() != Failing::Refused(501) => {
                        unsupported = Some((other, error));
                    }
                    Err(_) => self
                        .experience
                        .add(|learned| learned.futile(aspect, form, &witness)),
                }
                tried.push((aspect, form));
            }
        }
        if tried.len() > 1 {
            let together = tried.iter().fold(dialect.clone(), |dialect, (aspect, form)| {
                dialect.with(*aspect, *form)
            });
            match self.attempt(kind, id, patch, &together, true).await {
                Ok(done) => {
                    self.helped(&tried, &witness);
                    return Ok(done);
                }
                Err(Miss::Failed(error)) => return Err(error),
                Err(_) => {}
            }
        }
        if let Some((other, error)) = unsupported {
            return self.without_patch(kind, id, patch, &other, error).await;
        }
        match miss {
            Miss::Refused(error, 501) if dialect.update == Update::Patch => {
                self.without_patch(kind, id, patch, dialect, error).await
            }
            Miss::Refused(error, _) | Miss::Failed(error) => Err(error),
            Miss::Silent(found, undone) => self.by_put(kind, id, patch, dialect, (*found, undone)).await,
        }
    }

    /// Returns the aspects that a failure may be about.
    fn suspects(&self, patch: &Patch, miss: &Miss) -> Vec<Aspect> {
        match miss {
            Miss::Silent(_, undone) => {
                let concerned = usage::each(patch).into_iter();
                let concerned =
                    concerned.filter(|(change, _)| undone.contains(&change.attribute.to_string()));
                usage::aspects(concerned.map(|(_, usage)| usage))
            }
            _ => {
                let mut suspects = usage::aspects(usage::each(patch).into_iter().map(|(_, usage)| usage));
                suspects.push(Aspect::OpCase);
                suspects
            }
        }
    }

    pub(super) fn helped(&self, forms: &[(Aspect, usize)], witness: &Witness) {
        let now = self.experience.now();
        for (aspect, form) in forms {
            let finding = self
                .experience
                .add(|learned| learned.helped(*aspect, *form, witness, now));
            finding
                .into_iter()
                .for_each(|finding| self.experience.say(finding));
        }
    }

    /// Handles a 501, which means that this PATCH is not supported: this object gets a PUT from a fresh read. Only
    /// where no PATCH was ever seen to work is that learned for all objects.
    async fn without_patch(
        &self,
        kind: ObjectKind,
        id: &TargetId,
        patch: &Patch,
        dialect: &Dialect,
        error: TargetError,
    ) -> Result<Option<Resource>, TargetError> {
        let (aspect, form, witness) = (Aspect::Update, Update::Put as usize, Witness::of(kind, id));
        let pinned = self.experience.ask(|learned| learned.is_pinned(aspect));
        if pinned {
            return Err(error);
        }
        let learns = self.experience.add(|learned| {
            let others = learned.failed(aspect, dialect.form(aspect), &witness, Failing::Refused(501));
            !learned.is_proven(aspect) && others.contains(&form)
        });
        let other = dialect.clone().with(aspect, form);
        match self.attempt(kind, id, patch, &other, true).await {
            Ok(done) => {
                if learns {
                    self.helped(&[(aspect, form)], &witness);
                }
                Ok(done)
            }
            Err(Miss::Silent(found, undone)) => self.unkept(kind, *found, &undone, patch, &witness),
            Err(Miss::Failed(error) | Miss::Refused(error, _)) => Err(error),
        }
    }
}

/// How a form failed in one aspect. `alone`: little else was in the request. Any refusal could be about the case of `op`.
fn of_aspect(how: Failing, aspect: Aspect, alone: bool) -> Failing {
    match how {
        Failing::Refused(status) if alone && aspect != Aspect::OpCase => Failing::Alone(status),
        how => how,
    }
}

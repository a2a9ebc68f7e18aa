//! Changing a resource: in the form in force, read back on its first uses, and in another form where that one fails.
//!
//! Promises: a form is trusted only after a read-back showed what it did. A change of `active` that the target answered
//! with 2xx and did not carry out is a failure, whatever else happened; other values that it does not keep are reported
//! and recorded as they are. Everything here may be sent again. Members are changed in [`super::members`].

use super::client::ScimTarget;
use super::client::asked_one;
use super::client::unwritable;
use super::dialect::Aspect;
use super::dialect::Dialect;
use super::dialect::MemberRemoval;
use super::dialect::Update;
use super::learning::Learned;
use super::learning::Witness;
use super::membership::TakenMembers;
use super::miss::Miss;
use super::patch::compile;
use super::refused::Taken;
use super::replace::Put;
use super::usage;
use crate::model::id::ObjectKind;
use crate::model::id::TargetId;
use crate::ports::Patch;
use crate::ports::RefusedMember;
use crate::ports::Resource;
use crate::ports::TargetError;
use crate::ports::all_refused;
use crate::reconcile::answer;

impl ScimTarget {
    /// Carries out a patch: attributes and members together where every form in it was seen to work, else apart.
    pub(super) async fn change(
        &self,
        kind: ObjectKind,
        id: &TargetId,
        patch: &Patch,
    ) -> Result<Option<Resource>, TargetError> {
        self.finish_trial().await?;
        let done = self.change_in(kind, id, patch).await;
        self.experience.keep().await;
        done
    }

    /// Returns the dialect in force. A service that announces no PATCH gets PUT, unless the configuration overrides
    /// that.
    pub(super) async fn dialect(&self) -> Result<Dialect, TargetError> {
        let mut dialect = self.experience.dialect();
        let named = self.experience.ask(|learned| learned.is_pinned(Aspect::Update));
        if !named && !self.advertised().await?.patch {
            dialect.update = Update::Put;
        }
        Ok(dialect)
    }

    async fn change_in(
        &self,
        kind: ObjectKind,
        id: &TargetId,
        patch: &Patch,
    ) -> Result<Option<Resource>, TargetError> {
        let dialect = self.dialect().await?;
        let (attributes, members) = apart(patch);
        if members.add_members.is_empty() && members.remove_members.is_empty() {
            return partly(
                self.change_what_is_taken(kind, id, &attributes, &dialect).await?,
                Vec::new(),
            );
        }
        let mut known = None;
        if self.trusts(kind, patch) {
            match self.send(kind, id, patch, &dialect).await {
                Ok(last) => {
                    self.ask_for_leavers(kind, id, &patch.remove_members).await?;
                    return Ok(last);
                }
                Err(error) => {
                    // A refusal may be about a form or a part: attributes and members are then tried apart.
                    let error = self.about_members(kind, id, error).await?;
                    known = patch.changes.is_empty().then_some(error);
                }
            }
        }
        let taken = self.change_what_is_taken(kind, id, &attributes, &dialect).await;
        // Members do not wait for an attribute that is refused.
        if let Err(error) = &taken
            && !matches!(error, TargetError::Refused { .. } | TargetError::Conflict { .. })
        {
            return partly(taken?, Vec::new());
        }
        let moved = self.change_members(kind, id, &members, &dialect, known).await;
        let taken = match (taken, &moved) {
            (Ok(taken), _) => taken,
            (Err(error @ TargetError::Refused { .. }), Ok(_)) => Taken {
                last: None,
                refused: all_refused(&attributes, &error),
            },
            (Err(error), _) => return Err(error),
        };
        let moved = match moved {
            Ok(moved) => moved,
            Err(error) => self.all_members_refused(&attributes, &members, error)?,
        };
        let last = moved.last.or(taken.last);
        partly(Taken { last, ..taken }, moved.refused)
    }

    /// Turns a refusal of all members into the outcome: it is the group's refusal, unless it names one member, or the
    /// group took its attributes.
    fn all_members_refused(
        &self,
        attributes: &Patch,
        members: &Patch,
        error: TargetError,
    ) -> Result<TakenMembers, TargetError> {
        let named: Vec<TargetId> = [&members.remove_members, &members.add_members]
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        let refused = matches!(error, TargetError::Refused { status, .. } if status != 0);
        if !refused || (named.len() > 1 && attributes.changes.is_empty()) {
            return Err(error);
        }
        Ok(TakenMembers {
            last: None,
            refused: RefusedMember::all(&named, &error),
        })
    }

    /// Returns true when each form in this patch was read back as right before.
    fn trusts(&self, kind: ObjectKind, patch: &Patch) -> bool {
        let seen = |learned: &Learned| {
            let usages = usage::usages(kind, patch);
            usages.iter().all(|usage| learned.is_seen(usage))
        };
        self.experience.ask(seen) && self.trusts_members(patch)
    }

    /// Returns true when the forms of adding and removing members in this patch were read back as right before.
    pub(super) fn trusts_members(&self, patch: &Patch) -> bool {
        self.experience.ask(|learned| {
            (patch.add_members.is_empty() || learned.is_seen(usage::MEMBERS_ADDED))
                && (patch.remove_members.is_empty() || learned.is_seen(usage::MEMBERS_REMOVED))
        })
    }

    /// Sends a patch as it is: in PATCHes, the members in chunks that are halved where they are too large, or in one
    /// PUT.
    pub(super) async fn send(
        &self,
        kind: ObjectKind,
        id: &TargetId,
        patch: &Patch,
        dialect: &Dialect,
    ) -> Result<Option<Resource>, TargetError> {
        let removes_by_put = dialect.member_removal == MemberRemoval::Put && !patch.remove_members.is_empty();
        let mut by_put_alone = false;
        if dialect.update == Update::Put || removes_by_put || dialect.goes_by_put(kind, patch) {
            match self.put(kind, id, patch, dialect).await? {
                Put::Sent(answer) => return self.about("PUT", kind, id, patch, answer).await,
                // PATCH loses no member. A service that announces no PATCH is not asked.
                Put::NotWhole
                    if self.advertised().await?.patch
                        && !removes_by_put
                        && !dialect.goes_by_put(kind, patch) =>
                {
                    by_put_alone = true;
                }
                Put::NotWhole => return Err(not_whole(id)),
            }
        }
        let mut room = dialect.members_per_patch.max(1);
        let members = patch.add_members.len() + patch.remove_members.len();
        let mut refused = false;
        loop {
            let dialect = Dialect {
                members_per_patch: room,
                ..dialect.clone()
            };
            match self.send_bodies(kind, id, patch, &dialect).await {
                Err(TargetError::Refused { status: 413, .. }) if room.min(members) > 1 => {
                    room = room.min(members) / 2;
                    refused = true;
                }
                Ok(last) => {
                    if refused {
                        self.learn_room(kind, id, room);
                    }
                    return self.about("PATCH", kind, id, patch, last).await;
                }
                // It announces a PATCH that it does not have.
                Err(TargetError::Refused {
                    status: 405 | 501, ..
                }) if by_put_alone => {
                    return Err(not_whole(id));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Sends the requests that a patch is in this form, until one is refused. Returns the last answer.
    async fn send_bodies(
        &self,
        kind: ObjectKind,
        id: &TargetId,
        patch: &Patch,
        dialect: &Dialect,
    ) -> Result<Option<Resource>, TargetError> {
        let bodies =
            compile(patch, dialect).map_err(|error| unwritable(&asked_one("PATCH", kind, id), &error))?;
        let no_members = patch.add_members.is_empty() && patch.remove_members.is_empty();
        let mut last = None;
        for (at, body) in bodies.iter().enumerate() {
            let without_members = kind == ObjectKind::Group && (no_members || at + 1 < bodies.len());
            last = self.send_patch(kind, id, body, without_members).await?;
        }
        Ok(last)
    }

    /// Learns that so many members in one PATCH are taken, where more were refused.
    fn learn_room(&self, kind: ObjectKind, id: &TargetId, room: usize) {
        let (witness, now) = (Witness::of(kind, id), self.experience.now());
        let learned = self
            .experience
            .add(|learned| learned.too_large(room, &witness, now));
        learned
            .into_iter()
            .for_each(|finding| self.experience.say(finding));
    }

    /// Returns the resource of a change's answer, if it is the one that was changed. An answer about another resource
    /// proves nothing, and the resource is read instead.
    async fn about(
        &self,
        method: &'static str,
        kind: ObjectKind,
        id: &TargetId,
        patch: &Patch,
        last: Option<Resource>,
    ) -> Result<Option<Resource>, TargetError> {
        match last {
            Some(other) if !other.id.is(id) && !moves(kind, patch, &other) => {
                let found = self.look_again(kind, id, patch, None).await;
                found.map(Some).ok_or_else(|| {
                    let asked = asked_one(method, kind, id);
                    TargetError::Malformed {
                        what: format!(
                            "{method} {} was answered with another resource than was changed, and cannot be read back",
                            asked.path
                        ).into(),
                        hint: "the next cycle reads it back; if this stays, look for a proxy or cache that mixes answers up"
                            .to_owned(),
                        maybe_done: true,
                    }
                })
            }
            last => Ok(last),
        }
    }

    pub(super) async fn change_attributes(
        &self,
        kind: ObjectKind,
        id: &TargetId,
        patch: &Patch,
        dialect: &Dialect,
    ) -> Result<Option<Resource>, TargetError> {
        match self.attempt(kind, id, patch, dialect, false).await {
            Ok(done) => {
                self.experience.note(|learned| {
                    let worked = |aspect| learned.worked(aspect);
                    let aspects = usage::aspects(usage::usages(kind, patch)).into_iter();
                    aspects
                        .chain([Aspect::OpCase, Aspect::Update])
                        .map(worked)
                        .fold(false, |a, b| a | b)
                });
                Ok(done)
            }
            Err(Miss::Failed(error)) => Err(error),
            Err(miss) => self.in_another_form(kind, id, patch, dialect, miss).await,
        }
    }
}

/// Returns true where this is the changed user under the id that came with its new name.
pub(super) fn moves(kind: ObjectKind, patch: &Patch, found: &Resource) -> bool {
    let sent = |path: &str| {
        let mut changes = patch.changes.iter();
        let change = changes.find(|change| change.attribute.eq_ignore_ascii_case(path));
        change.map(|change| change.after.clone()).or_else(|| {
            // Only what is changed can have moved it.
            let held = patch
                .held
                .get(path)
                .filter(|_| !path.eq_ignore_ascii_case("userName"));
            held.cloned()
        })
    };
    kind == ObjectKind::User && answer::is_moved(sent, &found.body)
}

/// Turns what was taken into an answer; an error where something was refused.
pub(super) fn partly(taken: Taken, members: Vec<RefusedMember>) -> Result<Option<Resource>, TargetError> {
    if taken.refused.is_empty() && members.is_empty() {
        return Ok(taken.last);
    }
    let named = taken.refused.iter().map(|part| format!("`{}`", part.attribute));
    let mut names: Vec<String> = named.collect();
    if let Some(first) = members.first() {
        let others = match members.len() {
            1 => String::new(),
            count => format!(" and {} more", count - 1),
        };
        names.push(format!("member {}{others}", first.member));
    }
    Err(TargetError::Partly {
        what: format!("{} refused, and the rest was carried out", names.join(", ")).into(),
        rest: taken.last.map(Box::new),
        refused: taken.refused,
        members,
    })
}

/// Builds the error for a group that cannot be changed by PUT, because that would remove members that no reading shows.
fn not_whole(id: &TargetId) -> TargetError {
    TargetError::Refused {
        what: format!(
            "PUT /Groups/{id} was not sent: the target does not show all members of the group, and a PUT would remove the others"
        ).into(),
        status: 0,
        hint: "have the target take PATCH for groups, or show their members; dialect = { update = \"patch\" } under the job's \
               [target] uses PATCH"
            .to_owned(),
    }
}

/// Splits a patch into its attributes and its members.
fn apart(patch: &Patch) -> (Patch, Patch) {
    let attributes = Patch {
        add_members: Vec::new(),
        remove_members: Vec::new(),
        ..patch.clone()
    };
    let members = Patch {
        changes: Vec::new(),
        held: Default::default(),
        ..patch.clone()
    };
    (attributes, members)
}

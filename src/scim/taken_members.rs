//! Members of a group, as many as the target takes: a refused bundle is split, the good members are sent, and each
//! refused one is named.
//!
//! Promises: one refused member holds up no other; a member that is out already counts as removed; where no member is
//! taken, the group is refused, after a few requests. Everything here may be sent twice: a member that is in stays in,
//! and one that is out stays out.

use super::client::ScimTarget;
use super::dialect::Dialect;
use super::membership::Held;
use super::membership::TakenMembers;
use super::membership::Used;
use super::membership::Way;
use super::membership::shows_the_form;
use super::miss::not_carried_out;
use super::splitting::Splitting;
use super::usage;
use crate::model::id::ObjectKind;
use crate::model::id::TargetId;
use crate::model::refusal::names;
use crate::ports::Patch;
use crate::ports::RefusedMember;
use crate::ports::TargetDirectory;
use crate::ports::TargetError;
use crate::reconcile::members_of;
use crate::reconcile::shown_members::ShownMembers;

/// Only groups have members.
const GROUP: ObjectKind = ObjectKind::Group;

impl ScimTarget {
    /// Changes members by forms that were seen to work, after their bundle was refused. Returns `None` where no member
    /// was taken, so that the form may be the cause after all. `known`: the refusal, where it was of these members and
    /// nothing else.
    pub(super) async fn change_taken_members(
        &self,
        id: &TargetId,
        members: &Patch,
        dialect: &Dialect,
        known: Option<TargetError>,
    ) -> Result<Option<TakenMembers>, TargetError> {
        if self.experience.splits_members_in_vain() {
            return Ok(None);
        }
        let both = !(members.add_members.is_empty() || members.remove_members.is_empty());
        let mut known = known.filter(|_| !both);
        let (mut all, mut any) = (TakenMembers::default(), false);
        for way in [Way::Out, Way::In] {
            let named = way.of(members).to_vec();
            if named.is_empty() {
                continue;
            }
            let patch = way.patch(named, members.members_before);
            let taken = self.send_as_many(id, way, &patch, dialect, known.take());
            let taken = taken.await?;
            match taken {
                Ok(taken) => {
                    any = true;
                    all.last = taken.last.or(all.last);
                    all.refused.extend(taken.refused);
                }
                Err(error) => all.refused.extend(RefusedMember::all(way.of(members), &error)),
            }
        }
        self.experience.note_member_split(any);
        Ok(any.then_some(all))
    }

    /// Sends members that go one way, together and then in parts. The inner error is a refusal of all of them.
    async fn send_as_many(
        &self,
        id: &TargetId,
        way: Way,
        patch: &Patch,
        dialect: &Dialect,
        known: Option<TargetError>,
    ) -> Result<Result<TakenMembers, TargetError>, TargetError> {
        let sent = match known {
            Some(error) => Err(error),
            None => self.send(GROUP, id, patch, dialect).await,
        };
        let first = match sent {
            Ok(last) => {
                let refused = Vec::new();
                return Ok(Ok(TakenMembers { last, refused }));
            }
            Err(error) => self.about_members(GROUP, id, error).await?,
        };
        if let [_] = way.of(patch) {
            let last = None;
            return Ok(if self.is_so_already(id, way, way.of(patch), &first).await? {
                Ok(TakenMembers {
                    last,
                    refused: Vec::new(),
                })
            } else {
                Err(first)
            });
        }
        let (mut splitting, mut last) = (Splitting::of(way.of(patch).to_vec()), None);
        while let Some(part) = splitting.next_bundle() {
            let sent = way.patch(part.clone(), patch.members_before);
            match self.send(GROUP, id, &sent, dialect).await {
                Ok(answered) => {
                    last = answered.or(last);
                    splitting.taken();
                }
                Err(error) => {
                    let error = self.about_members(GROUP, id, error).await?;
                    if self.is_so_already(id, way, &part, &error).await? {
                        splitting.taken();
                    } else {
                        splitting.refused(part, error);
                    }
                }
            }
        }
        Ok(match splitting.outcome() {
            Some((refused, left)) => {
                let refused = with_the_rest(refused, &left);
                Ok(TakenMembers { last, refused })
            }
            None => Err(first),
        })
    }

    /// Uses a form once, watched; where it was refused or done in part, uses it for parts, until one shows what the
    /// form does.
    pub(super) async fn use_in_parts(
        &self,
        id: &TargetId,
        way: Way,
        patch: &Patch,
        before: &ShownMembers,
        dialect: &Dialect,
    ) -> Result<(Used, Held), TargetError> {
        let (used, mut now) = self.use_once(GROUP, id, patch, before, dialect).await?;
        let (named, mut shown) = (way.of(patch), false);
        let (rest, error, status) = match used {
            Used::Refused(error, status)
                if named.len() > 1 && status != 0 && !self.experience.splits_members_in_vain() =>
            {
                (named.to_vec(), error, status)
            }
            Used::Silent => {
                let undone = way.undone(named, before, &now.1);
                shown = undone.len() < named.len();
                if !shown {
                    return Ok((Used::Silent, now));
                }
                (undone, left_undone(GROUP, id, way), 200)
            }
            used => return Ok((used, now)),
        };
        let mut splitting = Splitting::of(rest.clone());
        while let Some(part) = splitting.next_bundle() {
            let sent = way.patch(part.clone(), patch.members_before);
            let refusal = if shown {
                match self.send(GROUP, id, &sent, dialect).await {
                    Ok(_) => None,
                    Err(error) => Some(self.about_members(GROUP, id, error).await?),
                }
            } else {
                let (used, after) = self.use_once(GROUP, id, &sent, &now.1, dialect).await?;
                shown |= matches!(used, Used::Right) && shows_the_form(way, &part, &now.1);
                now = after;
                match used {
                    Used::Right => None,
                    Used::Harmful => return Ok((Used::Harmful, now)),
                    Used::Silent | Used::InPart(_) => Some(left_undone(GROUP, id, way)),
                    Used::Refused(error, _) => Some(error),
                }
            };
            match refusal {
                None => splitting.taken(),
                Some(error) if self.is_so_already(id, way, &part, &error).await? => splitting.taken(),
                Some(error) => splitting.refused(part, error),
            }
        }
        self.experience.note_member_split(shown);
        if !shown {
            return Ok((Used::Refused(error, status), now));
        }
        let outcome = splitting.outcome();
        let some = outcome.map(|(refused, left)| with_the_rest(refused, &left));
        let refused = some.unwrap_or_else(|| RefusedMember::all(&rest, &error));
        Ok((Used::InPart(refused), self.held(GROUP, id).await?))
    }

    /// Returns the error as `Err` if it is about the group, the target or the credential, and as `Ok` if it may be
    /// about some of the members of a request.
    pub(super) async fn about_members(
        &self,
        kind: ObjectKind,
        id: &TargetId,
        error: TargetError,
    ) -> Result<TargetError, TargetError> {
        match error {
            // Not sent at all, or refused for its form in a way that no other members would change.
            TargetError::Refused { status: 0, .. } => Err(error),
            // A 500 for one request, while others are answered.
            TargetError::Unavailable { status: 500, .. } => Ok(error),
            // A group has no value of its own that another resource could hold here.
            error @ TargetError::Conflict { .. } => Ok(error.to_refusal()),
            error => self.about_a_part(kind, id, error).await,
        }
    }

    /// Returns true for a refused member that is where it was to be: removing what is not there counts as done, and so
    /// does adding what is. Where a group does not show it, the answer proves it, in a form that was seen to work.
    pub(super) async fn is_so_already(
        &self,
        id: &TargetId,
        way: Way,
        part: &[TargetId],
        error: &TargetError,
    ) -> Result<bool, TargetError> {
        let ([member], TargetError::Refused { status, .. }) = (part, error) else {
            return Ok(false);
        };
        let Some(group) = self.read(ObjectKind::Group, id).await? else {
            return Ok(false);
        };
        let shown = members_of(&group.body);
        if shown.holds(member) || shown.lacks(member) {
            return Ok(shown.holds(member) == (way == Way::In));
        }
        let (says_so, usage) = match way {
            Way::In => (*status == 409, usage::MEMBERS_ADDED),
            Way::Out => (
                *status == 404 || names(&error.to_string(), "noTarget"),
                usage::MEMBERS_REMOVED,
            ),
        };
        if !says_so || !self.experience.ask(|learned| learned.is_seen(usage)) {
            return Ok(false);
        }
        let told = self.is_in(id, member).await?;
        Ok(told.is_none_or(|is_in| is_in == (way == Way::In)))
    }
}

fn left_undone(kind: ObjectKind, id: &TargetId, way: Way) -> TargetError {
    let what = match way {
        Way::In => "the added member is not in it",
        Way::Out => "the removed member is still in it",
    };
    not_carried_out(kind, id, what)
}

/// Returns the refused members, with those not tried any more because of them.
pub(super) fn with_the_rest(mut refused: Vec<RefusedMember>, left: &[TargetId]) -> Vec<RefusedMember> {
    if let Some(last) = refused.last() {
        let error = last.error.to_refusal();
        let hint = error.hint().to_owned();
        let error = TargetError::Refused {
            what: format!(
                "not tried, because {} of the same group were refused one by one; the last of them: {error}",
                refused.len()
            )
            .into(),
            status: 0,
            hint,
        };
        refused.extend(RefusedMember::all(left, &error));
    }
    refused
}

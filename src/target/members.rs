//! Taking members out of a group where the target refuses `members[value eq "x"]`.
//!
//! The next form is the value array, and it is dangerous: a server that follows the RFC ignores the values and removes
//! everybody (RFC 7644 section 3.5.2.2). So each use is read back; if more than the named ones went, they are put back
//! at once and the form is never used again. The last form is a PUT of the group from a fresh read.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use serde_json::Value as Json;

use super::client::{ScimTarget, unwritable};
use super::dialect::{Dialect, MemberRemoval};
use super::fault::Asked;
use super::patch::compile;
use super::resource::field;
use crate::model::id::ObjectKind;
use crate::model::id::TargetId;
use crate::ports::Patch;
use crate::ports::Resource;
use crate::ports::TargetDirectory;
use crate::ports::TargetError;

/// Groups that must refuse a form before it is no longer tried: one may be odd, three are a habit (DESIGN section 6).
const ENOUGH: usize = 3;

/// What was learned about member removal.
#[derive(Debug, Default)]
pub struct Removal {
    refused_by: Mutex<BTreeSet<TargetId>>,
    array_is_unsafe: AtomicBool,
}

impl Removal {
    /// True when the path form was refused for so many groups, and another form worked there, that it is not tried.
    #[must_use]
    pub fn path_is_refused(&self) -> bool {
        self.refused_by
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
            >= ENOUGH
    }

    fn another_form_worked(&self, group: &TargetId) {
        self.refused_by
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(group.clone());
    }
}

impl ScimTarget {
    /// True when an error may be about the form of a member removal.
    pub(super) fn may_be_the_form(&self, error: &TargetError) -> bool {
        self.dialect.member_removal == MemberRemoval::Path
            && matches!(
                error,
                TargetError::Refused {
                    status: 400 | 501,
                    ..
                }
            )
    }

    /// Carries out a patch whose removals the target refused by path.
    pub(super) async fn remove_in_another_form(
        &self,
        kind: ObjectKind,
        id: &TargetId,
        patch: &Patch,
    ) -> Result<Option<Resource>, TargetError> {
        let rest = Patch {
            remove_members: Vec::new(),
            ..patch.clone()
        };
        self.compiled(kind, id, &rest, &self.dialect).await?;
        let before = self.members(kind, id).await?;
        let named: Vec<TargetId> = patch
            .remove_members
            .iter()
            .filter(|id| before.contains(*id))
            .cloned()
            .collect();
        if named.is_empty() {
            return self.read(kind, id).await; // some servers refuse to remove who is not there
        }
        let some_were_gone = patch.remove_members.iter().any(|id| !before.contains(id));
        let removal = members_only(Vec::new(), named);
        // Perhaps it was not the form: a path to a member who is not there is refused by some (`noTarget`).
        if some_were_gone && !self.removal.path_is_refused() {
            match self.compiled(kind, id, &removal, &self.dialect).await {
                Err(error) if self.may_be_the_form(&error) => {}
                Err(error) => return Err(error),
                Ok(()) => return self.read(kind, id).await,
            }
        }
        if !self.removal.array_is_unsafe.load(Relaxed) && self.by_array(kind, id, &removal, &before).await? {
            self.removal.another_form_worked(id);
            return self.read(kind, id).await;
        }
        let put = self.put(kind, id, &removal).await?;
        self.removal.another_form_worked(id);
        Ok(put)
    }

    /// True when the named members, and only they, went.
    async fn by_array(
        &self,
        kind: ObjectKind,
        id: &TargetId,
        removal: &Patch,
        before: &BTreeSet<TargetId>,
    ) -> Result<bool, TargetError> {
        let dialect = Dialect {
            member_removal: MemberRemoval::ValueArray,
            ..self.dialect.clone()
        };
        match self.compiled(kind, id, removal, &dialect).await {
            Ok(()) => {}
            Err(TargetError::Refused { .. }) => return Ok(false),
            Err(error) => return Err(error),
        }
        let after = self.members(kind, id).await?;
        let named: BTreeSet<&TargetId> = removal.remove_members.iter().collect();
        let lost: Vec<TargetId> = before
            .iter()
            .filter(|id| !named.contains(id) && !after.contains(*id))
            .cloned()
            .collect();
        if !lost.is_empty() {
            self.removal.array_is_unsafe.store(true, Relaxed);
            tracing::warn!(
                target.id = id.as_str(),
                members.restored = lost.len(),
                "The target removed more members of group {id} than were named; they are put back, and this form is not used again"
            );
            self.compiled(kind, id, &members_only(lost, Vec::new()), &self.dialect)
                .await?;
        }
        Ok(!removal.remove_members.iter().any(|id| after.contains(id)))
    }

    async fn compiled(
        &self,
        kind: ObjectKind,
        id: &TargetId,
        patch: &Patch,
        dialect: &Dialect,
    ) -> Result<(), TargetError> {
        let asked = || Asked {
            method: "PATCH",
            path: format!("/{}/{id}", super::urls::collection(kind)),
            one_resource: true,
        };
        for body in compile(patch, dialect).map_err(|error| unwritable(&asked(), &error))? {
            self.send_patch(kind, id, &body, kind == ObjectKind::Group)
                .await?;
        }
        Ok(())
    }

    async fn members(&self, kind: ObjectKind, id: &TargetId) -> Result<BTreeSet<TargetId>, TargetError> {
        let Some(group) = self.read(kind, id).await? else {
            return Err(TargetError::NotFound {
                what: format!("group {id} is gone at the target"),
            });
        };
        let members = group
            .body
            .as_object()
            .and_then(|group| field(group, "members"))
            .and_then(Json::as_array);
        let value = |member: &Json| TargetId::new(field(member.as_object()?, "value")?.as_str()?);
        Ok(members.into_iter().flatten().filter_map(value).collect())
    }
}

fn members_only(add_members: Vec<TargetId>, remove_members: Vec<TargetId>) -> Patch {
    Patch {
        changes: Vec::new(),
        held: Default::default(),
        add_members,
        remove_members,
    }
}

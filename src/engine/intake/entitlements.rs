//! Who is assigned, by the list that was read last, worked out when a user is planned (docs/design/evidence.md).

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use crate::model::assignment::AppRole;
use crate::model::assignment::RoleId;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::ports::StoreError;
use crate::reconcile::scope::assignment::Entitlement;
use crate::reconcile::scope::assignment::Nesting;
use crate::reconcile::scope::assignment::reachable;
use crate::snapshot::assignments::groups_of;
use crate::snapshot::assignments::is_gone;
use crate::snapshot::assignments::own_roles;
use crate::snapshot::pages::Pages;
use crate::snapshot::read::Reads;

/// Groups of which the assignments are remembered within a cycle, so that memory stays bounded.
const REMEMBERED: usize = 10_000;

/// An assigned group with its roles, reached from the group that somebody is in.
type Grant = (SourceId, Vec<RoleId>);

/// Works out who is assigned, and with which roles. Clones share what they remember; good for one cycle, because the list
/// and the memberships do not move after they were read.
#[derive(Debug, Clone, Default)]
pub struct Entitlements {
    /// False where no whole list was ever read: then nothing is derived.
    pub known: bool,
    /// The roles that the application defines.
    pub roles: Arc<Vec<AppRole>>,
    /// What nested groups count for.
    pub nesting: Nesting,
    /// An assigned group of whose members the application sees none, because they are hidden from it: they are unknown,
    /// so nobody leaves the scope. Looked for where there is work.
    pub hidden: Option<SourceId>,
    pub(in crate::engine) through: Arc<Mutex<HashMap<SourceId, Arc<Vec<Grant>>>>>,
}

impl Entitlements {
    /// How a user or group stands to the application; `None` where that is not known.
    ///
    /// # Errors
    /// As the store.
    pub fn of(
        &self,
        reads: &impl Reads,
        kind: ObjectKind,
        id: &SourceId,
    ) -> Result<Option<Entitlement>, StoreError> {
        if !self.known {
            return Ok(None);
        }
        let own = own_roles(reads, kind, id)?;
        let mut grants = Vec::new();
        self.each_grant(reads, kind, id, &mut |of_group| {
            grants.push(of_group);
            true
        })?;
        let groups = grants.iter().flat_map(|grants| grants.iter());
        let groups = groups.map(|(group, roles)| (*group, roles.as_slice()));
        Ok(Some(Entitlement::new(own.as_deref(), groups)))
    }

    /// Whether a user or group is assigned in any way: as [`Self::of`], but asked of everybody, so the first way is enough.
    ///
    /// # Errors
    /// As the store.
    pub fn is_assigned(
        &self,
        reads: &impl Reads,
        kind: ObjectKind,
        id: &SourceId,
    ) -> Result<Option<bool>, StoreError> {
        if !self.known {
            return Ok(None);
        }
        let mut assigned = own_roles(reads, kind, id)?.is_some();
        if !assigned {
            self.each_grant(reads, kind, id, &mut |_| {
                assigned = true;
                false
            })?;
        }
        Ok(Some(assigned))
    }

    /// Shows what each group that holds a user grants, for as long as `show` says go on. Only assigned groups are in scope
    /// as groups; groups in them are not (how-provisioning-works.md).
    fn each_grant(
        &self,
        reads: &impl Reads,
        kind: ObjectKind,
        id: &SourceId,
        show: &mut dyn FnMut(Arc<Vec<Grant>>) -> bool,
    ) -> Result<(), StoreError> {
        if kind == ObjectKind::Group {
            return Ok(());
        }
        let mut pages = Pages::fixed(|by: &(ObjectKind, SourceId)| *by);
        while let Some(page) = pages.next_page(|after, limit| reads.referrers(id, after.copied(), limit))? {
            for (_, group) in page.iter().filter(|(by, _)| *by == ObjectKind::Group) {
                let grants = self.through(reads, *group)?;
                let counts = !grants.is_empty() && reads.edge(group, id)?.is_some_and(|edge| edge.present);
                if counts && !show(grants) {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// The assigned groups that count for the members of this one; none where it is gone.
    fn through(&self, reads: &impl Reads, group: SourceId) -> Result<Arc<Vec<Grant>>, StoreError> {
        let held = |through: &Mutex<HashMap<_, Arc<Vec<Grant>>>>| {
            let through = through.lock().unwrap_or_else(PoisonError::into_inner);
            through.get(&group).cloned()
        };
        if let Some(grants) = held(&self.through) {
            return Ok(grants);
        }
        let counted = match (is_gone(reads, &group)?, self.nesting.scope) {
            (true, _) => Vec::new(),
            (false, true) => reachable(group, |group| groups_of(reads, &group))?,
            (false, false) => vec![group],
        };
        let mut grants = Vec::new();
        for group in counted {
            if let Some(roles) = own_roles(reads, ObjectKind::Group, &group)? {
                grants.push((group, roles));
            }
        }
        let grants = Arc::new(grants);
        let mut through = self.through.lock().unwrap_or_else(PoisonError::into_inner);
        if through.len() >= REMEMBERED {
            through.clear();
        }
        through.insert(group, Arc::clone(&grants));
        Ok(grants)
    }
}

/// What reading the list came to in this cycle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Listing {
    /// Nobody asked for it.
    #[default]
    NotNeeded,
    /// Read whole.
    Whole,
    /// Not read whole: the one before is in force, and nobody leaves the scope through it.
    Kept,
}

//! Who is assigned to the enterprise application: the list is read whole in each cycle, and the last whole one stays in
//! force where that fails (docs/design/evidence.md). What it comes to for one user is worked out when that user is planned.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;

use tracing::info;
use tracing::warn;

use super::cycle::Cycle;
use super::cycle::CycleError;
use super::cycle::chain;
use super::job::Job;
use crate::model::assignment::AppRole;
use crate::model::assignment::AssignmentList;
use crate::model::assignment::RoleId;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::ports::Disposition;
use crate::ports::Durability;
use crate::ports::SourceError;
use crate::ports::StoreError;
use crate::reconcile::assignment::Entitlement;
use crate::reconcile::assignment::Nesting;
use crate::reconcile::assignment::reachable;
use crate::reconcile::guard;
use crate::reconcile::guard::Approval;
use crate::snapshot::assignments::groups_of;
use crate::snapshot::assignments::hidden_group;
use crate::snapshot::assignments::is_gone;
use crate::snapshot::assignments::listed;
use crate::snapshot::assignments::own_roles;
use crate::snapshot::read::PAGE;
use crate::snapshot::read::Reads;
use crate::snapshot::state::{BASELINE, StateReads};

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
    through: Arc<Mutex<HashMap<SourceId, Arc<Vec<Grant>>>>>,
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
        let mut after = None;
        loop {
            let page = reads.referrers(id, after, PAGE)?;
            for (_, group) in page.iter().filter(|(by, _)| *by == ObjectKind::Group) {
                let grants = self.through(reads, *group)?;
                let counts = !grants.is_empty() && reads.edge(group, id)?.is_some_and(|edge| edge.present);
                if counts && !show(grants) {
                    return Ok(());
                }
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some(*last),
                _ => return Ok(()),
            }
        }
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

impl Cycle<'_> {
    /// Reads the list, after the streams, so that whom it names is known by then.
    pub(super) async fn pull_assignments(&mut self) -> Result<(), CycleError> {
        let Some(application) = self.job.assignments_of() else {
            return Ok(());
        };
        let before = self.store(listed).await?;
        match read(self.job, application).await {
            Ok((list, roles)) => {
                let nesting = self.job.assigning.nesting;
                let moved = self
                    .store(move |snapshot| snapshot.store_assignments(application, &list, roles, nesting))
                    .await?;
                info!(
                    moved,
                    "The assignment list is read whole; {moved} users and groups stand differently in it"
                );
                self.listing = Listing::Whole;
            }
            Err(error) => {
                let held = before.is_some_and(|listed| listed.application == application);
                let stops = error.disposition() == Disposition::Quarantine;
                if stops || !held {
                    return Err(CycleError::Source(error));
                }
                let text = format!(
                    "The assignment list was not read whole, so the last one stays in force: {}",
                    chain(&error)
                );
                if self.standing.is_news(&text) {
                    warn!("{text}");
                }
                self.order.watcher.finding(&format!(
                    "the assignment list was not read whole, so the last one stays in force: {}; {}",
                    chain(&error),
                    error.hint()
                ));
                self.findings += 1;
                self.listing = Listing::Kept;
            }
        }
        self.recall_assignments().await
    }

    /// Takes the last whole list that was read for who is assigned.
    pub(super) async fn recall_assignments(&mut self) -> Result<(), CycleError> {
        let nesting = self.job.assigning.nesting;
        let (now, hidden) = self
            .store(move |snapshot| {
                let counts = snapshot.counts()?;
                let work = counts.dirty_users + counts.dirty_groups > 0;
                let hidden = if work {
                    hidden_group(snapshot, nesting)?
                } else {
                    None
                };
                Ok((listed(snapshot)?, hidden))
            })
            .await?;
        self.entitlements = Entitlements {
            known: now.is_some(),
            hidden,
            roles: Arc::new(now.map(|listed| listed.roles).unwrap_or_default()),
            nesting,
            ..Entitlements::default()
        };
        Ok(())
    }

    /// The guard's word where the list is far shorter than it was (docs/design/cycle.md, "The guard").
    pub(super) async fn short_list(&self) -> Result<Option<Approval>, CycleError> {
        if self.job.assignments_of().is_none() || self.order.allow_deletions.is_some() {
            return Ok(None);
        }
        self.store(|snapshot| {
            let now = listed(snapshot)?.map_or(0, |listed| listed.principals);
            Ok(guard::short_list(now, baseline(snapshot)?))
        })
        .await
    }

    /// At the end of a cycle that writes: once nobody is on the way out any more, this list is what the next one is
    /// compared with. A longer one is so at once.
    pub(super) async fn settle_assignments(&mut self) -> Result<(), CycleError> {
        self.report_hidden();
        if self.listing != Listing::Whole || !self.applies() {
            return Ok(());
        }
        let settled = self.leaving == 0 && self.summary.withheld.count == 0;
        self.store(move |snapshot| {
            let now = listed(snapshot)?.map_or(0, |listed| listed.principals);
            let before = baseline(snapshot)?;
            if now == before || (now < before && !settled) {
                return Ok(());
            }
            let mut tx = snapshot.tx()?;
            tx.put_state(&BASELINE, &now);
            tx.commit(Durability::Lazy)
        })
        .await
    }
}

impl Cycle<'_> {
    /// Says why those who seem to leave do not, where that does not end by itself.
    fn report_hidden(&mut self) {
        let Some(group) = self.entitlements.hidden.filter(|_| self.leaving > 0) else {
            return;
        };
        let text = format!("The members of the assigned group {group} are hidden from the application");
        if self.standing.is_news(&text) {
            warn!(object = %group, finding = "hidden_members", "{text}");
        }
        self.order.watcher.finding(&format!(
            "the members of the assigned group {group} are hidden from the application, so nobody leaves the scope; grant it \
             Member.Read.Hidden, or take the assignment away"
        ));
        self.findings += 1;
    }
}

fn baseline(reads: &impl Reads) -> Result<u64, StoreError> {
    Ok(reads.state(&BASELINE)?.unwrap_or(0))
}

/// The list, and the roles where the mapping sends them: those first, so that a role that an assignment names is known.
async fn read(job: &Job, application: SourceId) -> Result<(AssignmentList, Vec<AppRole>), SourceError> {
    let roles = if job.sends_roles() {
        job.source.app_roles(application).await?
    } else {
        Vec::new()
    };
    Ok((job.source.assignments(application).await?, roles))
}

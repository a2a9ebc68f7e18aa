//! Who is assigned to the enterprise application: the list is read whole in each cycle, and the last whole one stays in
//! force where that fails (docs/design/evidence.md). What it comes to for one user is worked out when that user is planned.

use std::sync::Arc;

use tracing::info;
use tracing::warn;

use crate::engine::error::CycleError;
use crate::engine::error::chain;
use crate::engine::intake::Intake;
use crate::engine::intake::entitlements::Entitlements;
use crate::engine::intake::entitlements::Listing;
use crate::engine::job::Job;
use crate::engine::run::Run;
use crate::model::assignment::AppRole;
use crate::model::assignment::AssignmentList;
use crate::model::id::SourceId;
use crate::ports::Disposition;
use crate::ports::Durability;
use crate::ports::SourceError;
use crate::ports::StoreError;
use crate::reconcile::guard;
use crate::reconcile::guard::Approval;
use crate::snapshot::assignments::hidden_group;
use crate::snapshot::assignments::listed;
use crate::snapshot::read::Reads;
use crate::snapshot::state::{BASELINE, StateReads};

impl Intake {
    /// Reads the list, after the streams, so that whom it names is known by then.
    pub(in crate::engine) async fn pull_assignments(&mut self, run: &mut Run<'_>) -> Result<(), CycleError> {
        let Some(application) = run.job.assignments_of() else {
            return Ok(());
        };
        let before = run.store(listed).await?;
        match read(run.job, application).await {
            Ok((list, roles)) => {
                let nesting = run.job.assigning.nesting;
                let moved = run
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
                if run.warnings.is_news(&text) {
                    warn!("{text}");
                }
                run.order.watcher.finding(&format!(
                    "the assignment list was not read whole, so the last one stays in force: {}; {}",
                    chain(&error),
                    error.hint()
                ));
                run.left.findings += 1;
                self.listing = Listing::Kept;
            }
        }
        self.recall_assignments(run).await
    }

    /// Takes the last whole list that was read for who is assigned.
    pub(in crate::engine) async fn recall_assignments(&mut self, run: &Run<'_>) -> Result<(), CycleError> {
        let nesting = run.job.assigning.nesting;
        let (now, hidden) = run
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

    /// At the end of a cycle that writes: once nobody is on the way out any more, this list is what the next one is
    /// compared with. A longer one is so at once.
    pub(in crate::engine) async fn settle_assignments(
        &mut self,
        run: &mut Run<'_>,
    ) -> Result<(), CycleError> {
        self.report_hidden(run);
        if self.listing != Listing::Whole {
            return Ok(());
        }
        let settled = run.left.leaving == 0 && run.summary.withheld.count == 0;
        run.keep(move |snapshot| {
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

    /// Says why those who seem to leave do not, where that does not end by itself.
    fn report_hidden(&mut self, run: &mut Run<'_>) {
        let Some(group) = self.entitlements.hidden.filter(|_| run.left.leaving > 0) else {
            return;
        };
        let text = format!("The members of the assigned group {group} are hidden from the application");
        if run.warnings.is_news(&text) {
            warn!(object = %group, finding = "hidden_members", "{text}");
        }
        run.order.watcher.finding(&format!(
            "the members of the assigned group {group} are hidden from the application, so nobody leaves the scope; grant it \
             Member.Read.Hidden, or take the assignment away"
        ));
        run.left.findings += 1;
    }
}

/// The guard's word where the list is far shorter than it was (docs/design/cycle.md, "The guard").
pub(in crate::engine) async fn short_list(run: &Run<'_>) -> Result<Option<Approval>, CycleError> {
    if run.job.assignments_of().is_none() || run.order.allow_deletions.is_some() {
        return Ok(None);
    }
    run.store(|snapshot| {
        let now = listed(snapshot)?.map_or(0, |listed| listed.principals);
        Ok(guard::short_list(now, baseline(snapshot)?))
    })
    .await
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

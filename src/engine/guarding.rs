//! The first planning pass: finds every removal before anything is sent, and asks the guard.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tracing::warn;

use super::cycle::Cycle;
use super::cycle::CycleError;
use super::passes::Rules;
use super::readings::keys_of;
use super::undo::keep_holds;
use super::views::Context;
use super::views::view;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::reconcile::guard;
use crate::reconcile::guard::Approval;
use crate::reconcile::guard::Asked;
use crate::reconcile::guard::Sent;
use crate::reconcile::guard::Totals;
use crate::reconcile::operation::Operation;
use crate::reconcile::operation::Reason;
use crate::reconcile::operation::Verb;
use crate::snapshot::read::PAGE;
use crate::snapshot::read::Reads;
use crate::snapshot::store::Snapshot;
use crate::snapshot::transfer::RESTORED;
use crate::snapshot::tx::Tx;

/// A removal that the first pass found, as the store keeps it until the cycle is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// Disable or delete.
    pub verb: Verb,
}

/// Removals sent at one moment: what the guard window is counted from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SentAt {
    at: Timestamp,
    sent: Sent,
}

const SENT_REMOVALS: &str = "sent_removals";

impl Cycle<'_> {
    /// Counts what is to be removed, and asks the guard for its word.
    pub(super) async fn guard(&mut self) -> Result<(), CycleError> {
        self.order.watcher.progress("planning removals", 0, None);
        let window = self.job.policy.guard_window;
        let now = self.now;
        self.sent = self
            .store(move |snapshot| sent_within(snapshot, now, window))
            .await?;
        let mut asked = Asked::default();
        for kind in self.job.managed.clone() {
            if self.stopped.contains(&kind) {
                continue;
            }
            let counts = self.store(Snapshot::counts).await?;
            // Without links and without candidates nothing at the target can be taken away.
            if counts.linked(kind) == 0 && !self.has_readings(kind).await? {
                continue;
            }
            let (rules, context) = (self.rules(), self.context(kind, false));
            let found = self
                .store(move |snapshot| find_removals(snapshot, kind, &rules, &context))
                .await?;
            match kind {
                ObjectKind::User => asked.users = found,
                ObjectKind::Group => asked.groups = found,
            }
        }
        self.removals = !(asked.users.is_empty() && asked.groups.is_empty());
        let counts = self.store(Snapshot::counts).await?;
        let totals = Totals {
            linked_users: counts.linked_users,
            linked_groups: counts.linked_groups,
            alive_users: counts.alive_users,
            alive_groups: counts.alive_groups,
        };
        let mut approvals = guard::approve(
            &asked,
            &self.sent,
            totals,
            &self.job.policy,
            self.order.allow_deletions,
        );
        self.restored = self
            .store(|snapshot| Ok(snapshot.meta(RESTORED)?.is_some()))
            .await?;
        let short_list = self.short_list().await?;
        if let Some(why) = self.restored_word().or(short_list) {
            approvals.users = why.clone();
            approvals.groups = why;
        }
        for (kind, word) in [("users", &approvals.users), ("groups", &approvals.groups)] {
            if let Some(why) = word.withheld() {
                warn!(kind, "Removals of {kind} are withheld: {why}");
            }
        }
        self.approvals = Some(approvals);
        Ok(())
    }

    /// A restored snapshot is older than the target: what looks like a leaver may be somebody who came since.
    /// Removals wait until a person lets them through (DESIGN section 7).
    pub(super) fn restored_word(&self) -> Option<Approval> {
        (self.restored && self.order.allow_deletions.is_none()).then(|| {
            Approval::Withheld(
                "the snapshot was restored from a backup: check the removals with `melonsync plan`, then let them \
                 through with `melonsync sync --allow-deletions N`"
                    .to_owned(),
            )
        })
    }

    async fn has_readings(&self, kind: ObjectKind) -> Result<bool, CycleError> {
        self.store(move |snapshot| {
            Ok(!snapshot
                .scan_readings::<super::readings::StoredReading>(kind, None, 1)?
                .is_empty())
        })
        .await
    }
}

/// Plans every dirty object of a kind for its removals only, keeps them, and counts them by reason.
fn find_removals(
    snapshot: &Snapshot,
    kind: ObjectKind,
    rules: &Rules,
    context: &Context,
) -> Result<BTreeMap<&'static str, u64>, StoreError> {
    let planner = rules.planner(true);
    let mut asked = BTreeMap::new();
    let mut after = None;
    loop {
        let page = snapshot.dirty(kind, after.as_ref(), PAGE)?;
        let Some((last, _)) = page.last() else {
            return Ok(asked);
        };
        after = Some(*last);
        let mut tx = snapshot.tx()?;
        for (id, _) in &page {
            let Some(view) = view(snapshot, context, kind, *id, &|view| keys_of(&planner, view))? else {
                continue;
            };
            let mut plan = planner.plan(&view);
            if context.holds {
                keep_holds(snapshot, &view, &mut plan)?;
            }
            if let Some(operation) = plan.operations.iter().find(|operation| is_counted(operation)) {
                *asked.entry(operation.because.label()).or_default() += 1;
                tx.put_removal(kind, id, &Removal { verb: operation.verb });
            }
        }
        if !tx.is_empty() {
            tx.commit(Durability::Lazy)?;
        }
    }
}

/// True for what the guard counts as a removal of the object itself: an emptied group counts as deleted.
fn is_counted(operation: &Operation) -> bool {
    operation.removes_user() || operation.verb == Verb::DeleteGroup || empties(operation)
}

/// True for a group that is emptied because it is gone at the source, or not ours any more.
pub(super) const fn empties(operation: &Operation) -> bool {
    matches!(operation.verb, Verb::RemoveMember)
        && matches!(
            operation.because,
            Reason::SoftDeleted | Reason::HardDeleted | Reason::OutOfScope { .. }
        )
}

fn sent_log(reads: &impl Reads) -> Result<Vec<SentAt>, StoreError> {
    let bytes = reads.meta(SENT_REMOVALS)?;
    Ok(bytes
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default())
}

/// What was sent within the window before `now`.
pub(super) fn sent_within(snapshot: &Snapshot, now: Timestamp, window: Duration) -> Result<Sent, StoreError> {
    let since = now.minus(window);
    let mut sum = Sent::default();
    for entry in sent_log(snapshot)?.into_iter().filter(|entry| entry.at >= since) {
        sum.users += entry.sent.users;
        sum.groups += entry.sent.groups;
        for (group, count) in entry.sent.members {
            *sum.members.entry(group).or_default() += count;
        }
    }
    Ok(sum)
}

/// Adds what was sent to the log that the window is counted from, in the transaction that records it; what
/// is older than the window goes.
pub(super) fn remember_sent(
    tx: &mut Tx<'_>,
    at: Timestamp,
    window: Duration,
    users: u64,
    groups: u64,
    members: BTreeMap<SourceId, u64>,
) -> Result<(), StoreError> {
    if users == 0 && groups == 0 && members.is_empty() {
        return Ok(());
    }
    let since = at.minus(window);
    let mut log: Vec<SentAt> = sent_log(tx)?
        .into_iter()
        .filter(|entry| entry.at >= since)
        .collect();
    log.push(SentAt {
        at,
        sent: Sent {
            users,
            groups,
            members,
        },
    });
    let bytes = serde_json::to_vec(&log).unwrap_or_default();
    tx.put_meta(SENT_REMOVALS, bytes);
    Ok(())
}

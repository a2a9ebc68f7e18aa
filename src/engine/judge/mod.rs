//! The first planning pass: counts what the guard judges before anything is sent, and asks it.

pub(super) mod admit;
pub(super) mod kept_back;
pub(super) mod window;
pub(super) mod withhold;

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use tracing::warn;

use super::context::Context;
use super::error::CycleError;
use super::intake::assigned::short_list;
use super::judge::kept_back::KeptBack;
use super::judge::kept_back::Met;
use super::judge::kept_back::paused;
use super::judge::window::sent_within;
use super::parallel::in_parallel;
use super::rules::Rules;
use super::rules::keep_holds;
use super::rules::keys_of;
use super::run::Run;
use super::views::view_of;
use super::work::Removal;
use super::work::empties;
use super::work::is_active;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::link::Link;
use crate::model::object::Life;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::reconcile::forward::plan::ObjectPlan;
use crate::reconcile::forward::plan::Planner;
use crate::reconcile::forward::unique_values::UniqueValues;
use crate::reconcile::guard;
use crate::reconcile::guard::Allowed;
use crate::reconcile::guard::Approval;
use crate::reconcile::guard::Approvals;
use crate::reconcile::guard::Asked;
use crate::reconcile::guard::Class;
use crate::reconcile::guard::Sent;
use crate::reconcile::guard::Totals;
use crate::reconcile::operation::Change;
use crate::reconcile::operation::Operation;
use crate::reconcile::operation::Verb;
use crate::reconcile::scope::Standing;
use crate::snapshot::kept_back::WithheldKey;
use crate::snapshot::pages::Pages;
use crate::snapshot::read::Reads;
use crate::snapshot::record::DirtyCause;
use crate::snapshot::state::RESTORED;
use crate::snapshot::state::StateReads;
use crate::snapshot::store::Snapshot;

/// What is sent and what is kept back: the guard's word, and that of people.
#[derive(Debug, Default)]
pub(super) struct Judge {
    /// The guard's word.
    pub(super) approvals: Option<Approvals>,
    /// What people keep back or let through.
    pub(super) kept_back: KeptBack,
    /// What this batch met of withheld and released operations.
    pub(super) met: Vec<(WithheldKey, Met)>,
    /// What the guard has counted so far.
    pub(super) asked: Asked,
    /// What was sent within the guard window before this cycle.
    pub(super) sent: Sent,
    /// Users whom an admin named, few enough to go through a closed guard; and those of them of whom the hour allows no more, with why.
    chosen: BTreeSet<SourceId>,
    over: Option<(BTreeSet<SourceId>, String)>,
    /// True while the snapshot is one that was restored, and nobody has let its removals through.
    restored: bool,
}

impl Judge {
    /// Reads what was sent within the guard window.
    pub(super) async fn read_window(&mut self, run: &Run<'_>) -> Result<(), CycleError> {
        let (now, window) = (run.now, run.job.policy.guard_window);
        self.sent = run
            .store(move |snapshot| sent_within(snapshot, now, window))
            .await?;
        Ok(())
    }

    /// Begins to count, with what was sent within the guard window.
    pub(super) async fn begin(&mut self, run: &Run<'_>) -> Result<(), CycleError> {
        self.asked = Asked::default();
        self.read_window(run).await
    }

    /// Counts what the dirty objects of a kind ask for. Returns who gives a name up, and who wants one.
    pub(super) async fn count(
        &mut self,
        run: &Run<'_>,
        kind: ObjectKind,
        rules: Rules,
        context: Context,
    ) -> Result<UniqueValues, CycleError> {
        let kept_back = self.kept_back.clone();
        let found = run
            .store(move |snapshot| find_counted(snapshot, kind, &rules, &context, &kept_back))
            .await?;
        self.asked.identities += found.identities;
        self.asked.creates += found.creates;
        match kind {
            ObjectKind::User => self.asked.users = found.removals,
            ObjectKind::Group => self.asked.groups = found.removals,
        }
        Ok(found.values)
    }

    /// Asks the guard for its word on the operations of an undo.
    pub(super) async fn judge_undo<'o>(
        &mut self,
        run: &Run<'_>,
        operations: impl Iterator<Item = &'o Operation>,
    ) -> Result<(), CycleError> {
        for operation in operations {
            if operation.removes_user() {
                *self.asked.users.entry(operation.because.label()).or_default() += 1;
            } else if operation.verb.deletes() {
                *self.asked.groups.entry(operation.because.label()).or_default() += 1;
            }
            self.asked.identities += u64::from(guard::changes_identity(operation));
            self.asked.creates += u64::from(operation.verb.creates());
        }
        self.read_window(run).await?;
        self.judge(run).await
    }

    /// Asks the guard for its word on what was counted so far in this cycle.
    pub(super) async fn judge(&mut self, run: &Run<'_>) -> Result<(), CycleError> {
        let counts = run.store(Snapshot::counts).await?;
        let totals = Totals {
            linked_users: counts.linked_users,
            linked_groups: counts.linked_groups,
            alive_users: counts.alive_users,
            alive_groups: counts.alive_groups,
        };
        let mut approvals = guard::approve(
            &self.asked,
            &self.sent,
            totals,
            &run.job.policy,
            Allowed {
                deletions: run.order.allow_deletions,
                creations: run.order.allow_creations,
            },
        );
        self.restored = run.store(|snapshot| snapshot.has_state(&RESTORED)).await?;
        // An undo takes back what was done, whatever the source's lists say by now.
        let short_list = if run.undoes { None } else { short_list(run).await? };
        if let Some(why) = self.standing_word(run).or(short_list) {
            approvals.users = why.clone();
            approvals.members = why.clone();
            approvals.groups = why;
        }
        self.warn_of(run, &approvals);
        if let Some(before) = &self.approvals {
            keep_withheld(&mut approvals, before);
        }
        self.approvals = Some(approvals);
        self.let_named(run).await
    }

    /// Warns of what is withheld. A word on what nothing asks for withholds nothing.
    fn warn_of(&self, run: &Run<'_>, approvals: &Approvals) {
        let asked = &self.asked;
        for (kind, word, due) in [
            ("Removals of users", &approvals.users, asked.users.values().sum()),
            (
                "Removals of groups",
                &approvals.groups,
                asked.groups.values().sum(),
            ),
            ("Changes of identity", &approvals.identities, asked.identities),
            ("Creates", &approvals.creates, asked.creates),
        ] {
            if let (Some(why), 1_u64..) = (word.withheld(), due)
                && !run.undoes
            {
                let text = format!("{kind} are withheld: {why}");
                if run.warnings.is_news(&text) {
                    warn!(kind, "{text}");
                }
            }
        }
    }

    /// The guard's word on creates.
    pub(super) fn on_creates(&self) -> Approval {
        let approvals = self.approvals.as_ref();
        approvals.map_or_else(not_asked, |approvals| approvals.creates.clone())
    }

    /// The guard's word on changes of who somebody is.
    pub(super) fn on_identities(&self) -> Approval {
        let approvals = self.approvals.as_ref();
        approvals.map_or_else(not_asked, |approvals| approvals.identities.clone())
    }

    /// What holds all removals back, whatever their number: a pause, or a restored snapshot.
    pub(super) fn standing_word(&self, run: &Run<'_>) -> Option<Approval> {
        let pause = self.kept_back.pause.as_ref();
        pause
            .map(|pause| Approval::Withheld(paused(pause)))
            .or_else(|| self.restored_word(run))
    }

    /// A restored snapshot is older than the target: what looks like a leaver may be somebody who came since.
    /// Removals wait until a person lets them through (docs/design/failures.md).
    fn restored_word(&self, run: &Run<'_>) -> Option<Approval> {
        (self.restored && run.order.allow_deletions.is_none()).then(|| {
            Approval::Withheld(
                "the snapshot was restored from a backup: check the removals with `melonsync plan`, then let them \
                 through with `melonsync resume`, or `melonsync sync --allow-deletions N`"
                    .to_owned(),
            )
        })
    }

    /// The guard's word on removals of a kind.
    pub(super) fn approval(&self, kind: ObjectKind) -> Approval {
        let approvals = self.approvals.as_ref();
        let word = approvals.map(|approvals| match kind {
            ObjectKind::User => approvals.users.clone(),
            ObjectKind::Group => approvals.groups.clone(),
        });
        word.unwrap_or_else(not_asked)
    }
}

/// A second verdict within a cycle may only add to what is withheld: the first was already reported, and percentages now divide
/// by a larger total.
fn keep_withheld(approvals: &mut Approvals, before: &Approvals) {
    for (word, before) in [
        (&mut approvals.users, &before.users),
        (&mut approvals.groups, &before.groups),
        (&mut approvals.identities, &before.identities),
        (&mut approvals.creates, &before.creates),
        (&mut approvals.members, &before.members),
    ] {
        if before.withheld().is_some() && word.withheld().is_none() {
            word.clone_from(before);
        }
    }
}

/// The word while there is none.
fn not_asked() -> Approval {
    Approval::Withheld("the guard was not asked".to_owned())
}

/// What the first pass found of one kind.
#[derive(Debug, Default)]
struct Found {
    /// Removals that are neither held nor released, by reason.
    removals: BTreeMap<&'static str, u64>,
    identities: u64,
    creates: u64,
    /// Who gives a name up, and who wants one.
    values: UniqueValues,
}

/// Plans every dirty object of a kind only to be counted; removals are kept for their passes. What is on hold is not
/// asked for, and what was released is not counted again.
fn find_counted(
    snapshot: &Snapshot,
    kind: ObjectKind,
    rules: &Rules,
    context: &Context,
    kept_back: &KeptBack,
) -> Result<Found, StoreError> {
    let planner = rules.planner(true);
    let counted = rules.only_counted();
    let of_counted = counted.planner(true);
    let mut found = Found::default();
    let mut pages = Pages::growing(|(id, _): &(SourceId, DirtyCause)| *id);
    while let Some(page) = pages.next_page(|after, limit| snapshot.dirty(kind, after, limit))? {
        let ids = page.iter().map(|(id, _)| *id);
        let ids: Vec<SourceId> = ids.filter(|id| kept_back.whole(kind, *id).is_none()).collect();
        let plans = in_parallel(&ids, !context.releases, |ids| {
            counted_among(snapshot, kind, ids, context, (&planner, &of_counted))
        })?;
        let mut tx = snapshot.tx()?;
        for (plan, link) in plans.into_iter().flatten() {
            if let Some(removal) = found.count(&plan, link.as_ref(), kept_back) {
                tx.put_removal(kind, &plan.source, &removal);
            }
        }
        if !tx.is_empty() {
            tx.commit(Durability::Lazy)?;
        }
    }
    Ok(found)
}

impl Found {
    /// Counts what a plan asks for; its removal, where it has one that is not held.
    fn count(&mut self, plan: &ObjectPlan, link: Option<&Link>, kept_back: &KeptBack) -> Option<Removal> {
        let (kind, id) = (plan.kind, plan.source);
        let released = |class, verb| kept_back.released(&(kind, id, class), verb).is_some();
        self.values.note(plan, link);
        // What follows an adoption that waits for its review is not asked for before.
        if !plan
            .operations
            .iter()
            .all(|operation| kept_back.lets_link(operation))
        {
            return None;
        }
        for operation in &plan.operations {
            let creates = operation.verb.creates();
            let update = Verb::update(kind);
            let renames = guard::changes_identity(operation) && !released(Class::Identity, update);
            self.identities += u64::from(renames);
            self.creates += u64::from(creates && !released(Class::Create, operation.verb));
        }
        let removal = plan.operations.iter().find(|operation| is_counted(operation));
        let operation = removal.filter(|operation| !is_active_held(kept_back, operation))?;
        if !released(Class::Removal, operation.verb) {
            *self.removals.entry(operation.because.label()).or_default() += 1;
        }
        Some(Removal { verb: operation.verb })
    }
}

/// The plans among these objects that have operations, each with the link before it. The second planner knows only the
/// rows that the guard counts: of an object that stays, no other matters.
fn counted_among(
    snapshot: &Snapshot,
    kind: ObjectKind,
    ids: &[SourceId],
    context: &Context,
    (planner, of_counted): (&Planner<'_>, &Planner<'_>),
) -> Result<Vec<(ObjectPlan, Option<Link>)>, StoreError> {
    let mut plans = Vec::new();
    let mut forecasts = context.forecasts_of(snapshot, kind, ids)?;
    for (id, bytes) in ids.iter().zip(snapshot.raw_objects(kind, ids)?) {
        let Some(bytes) = bytes else { continue };
        let forecast = forecasts.remove(id).unwrap_or_default();
        let record = snapshot.decode_record(kind, *id, &bytes)?;
        let view = view_of(snapshot, context, record, &forecast, &|view| {
            keys_of(planner, view)
        })?;
        if kind == ObjectKind::User && view.link.is_some() && context.rehires.is_leaver(*id) {
            continue;
        }
        let stays = view.link.is_some()
            && view.object.life == Life::Alive
            && matches!(view.scope, Standing::In | Standing::Leaving { .. });
        let mut plan = if stays {
            of_counted.plan(&view)
        } else {
            planner.plan(&view)
        };
        if context.filled.holds {
            keep_holds(snapshot, &view, &mut plan)?;
        }
        if !plan.operations.is_empty() {
            plans.push((plan, view.link));
        }
    }
    Ok(plans)
}

/// A user who is to be disabled, found in the middle of a cycle.
pub(super) struct Leaver {
    pub(super) id: SourceId,
    /// The word for why.
    pub(super) reason: &'static str,
    /// False where it was counted before, or was let through.
    pub(super) counts: bool,
}

/// Who of these linked users is to be disabled. Each is noted as a removal, as the first pass does.
pub(super) fn leavers(
    snapshot: &Snapshot,
    ids: &[SourceId],
    rules: &Rules,
    context: &Context,
    kept_back: &KeptBack,
) -> Result<Vec<Leaver>, StoreError> {
    let kind = ObjectKind::User;
    let ids: Vec<SourceId> = ids
        .iter()
        .copied()
        .filter(|id| kept_back.whole(kind, *id).is_none())
        .collect();
    let planner = rules.planner(true);
    let counted = rules.only_counted();
    let of_counted = counted.planner(true);
    let mut found = Vec::new();
    let mut tx = snapshot.tx()?;
    for (plan, link) in counted_among(snapshot, kind, &ids, context, (&planner, &of_counted))? {
        let disable = plan
            .operations
            .iter()
            .find(|operation| operation.verb == Verb::DisableUser);
        let Some(disable) = disable.filter(|disable| link.is_some() && !is_active_held(kept_back, disable))
        else {
            continue;
        };
        let id = plan.source;
        let known = snapshot.removal::<Removal>(kind, &id)?.is_some();
        let through = kept_back
            .released(&(kind, id, Class::Removal), disable.verb)
            .is_some();
        tx.put_removal(kind, &id, &Removal { verb: disable.verb });
        found.push(Leaver {
            id,
            reason: disable.because.label(),
            counts: !(known || through),
        });
    }
    if !tx.is_empty() {
        tx.commit(Durability::Lazy)?;
    }
    Ok(found)
}

/// True for a disable of a user whose `active` is on hold.
fn is_active_held(kept_back: &KeptBack, operation: &Operation) -> bool {
    let held = |change: &Change| {
        let (kind, id) = (operation.kind, operation.source);
        is_active(change) && kept_back.attribute(kind, id, &change.attribute).is_some()
    };
    operation.verb == Verb::DisableUser && operation.changes.iter().any(held)
}

/// True for what the guard counts as a removal of the object itself: an emptied group counts as deleted.
fn is_counted(operation: &Operation) -> bool {
    operation.removes_user() || operation.verb == Verb::DeleteGroup || empties(operation)
}

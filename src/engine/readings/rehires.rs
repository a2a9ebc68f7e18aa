//! Rehires (`rehire_by`): a new object takes over the link of a deleted or disabled one with the same value.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::sync::Arc;

use crate::engine::context::Rehires;
use crate::engine::error::CycleError;
use crate::engine::readings::Given;
use crate::engine::readings::Readings;
use crate::engine::readings::stored::keep_readings;
use crate::engine::rules::keys_of;
use crate::engine::run::Run;
use crate::engine::tables::each_dirty;
use crate::engine::tables::each_record;
use crate::engine::views::view;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::object::Life;
use crate::model::object::MemberKind;
use crate::model::object::Membership;
use crate::ports::StoreError;
use crate::reconcile::forward::matching::beside;
use crate::reconcile::forward::matching::fold;
use crate::reconcile::forward::view::ObjectView;
use crate::reconcile::forward::view::TargetReading;
use crate::snapshot::pages::Pages;
use crate::snapshot::read::Reads;
use crate::snapshot::record::DirtyCause;
use crate::snapshot::record::Record;
use crate::snapshot::tx::Tx;

/// Newcomers and leavers of one value.
#[derive(Default)]
struct Same {
    newcomers: Vec<SourceId>,
    leavers: Vec<(SourceId, TargetId)>,
}

impl Readings {
    /// Pairs newcomers with leavers of the same value, and reads the resources that they take over. Where one of the
    /// two sides is not alone, nobody takes anything over: a note says so.
    pub(in crate::engine) async fn find_rehires(
        &mut self,
        run: &Run<'_>,
        given: &Given<'_>,
    ) -> Result<(), CycleError> {
        let kind = ObjectKind::User;
        let Some(by) = run.job.policy.rehire_by.clone() else {
            return Ok(());
        };
        if !run.job.managed.contains(&kind)
            || given.intake.stopped.contains(&kind)
            || !self.absence.contains_key(&kind)
        {
            return Ok(());
        }
        let mut pairs = HashMap::new();
        for (_, same) in of_same_value(run, given, &by).await? {
            match (same.newcomers.as_slice(), same.leavers.as_slice()) {
                (_, []) => {}
                ([newcomer], [(leaver, target)]) => {
                    let held = |id| given.kept_back.whole(kind, id).is_some();
                    // A leaver waits only for somebody whose turn comes in this cycle.
                    if held(*newcomer) || held(*leaver) || !given.intake.may_plan(run, kind, *newcomer) {
                        continue;
                    }
                    if let Some((other, by_name)) = self.beside(run, given, *newcomer, target).await? {
                        run.order.watcher.finding(&format!(
                            "user {newcomer} has the {by} of user {leaver}, and the {by_name} of resource {other}: it does not take resource {target} \
                             over; remove or rename all but one of them at the target"
                        ));
                        continue;
                    }
                    let read = run.job.target.read(kind, target).await;
                    if let Some(resource) = read.map_err(CycleError::Target)? {
                        let paths = run.key_paths(kind);
                        run.store(move |snapshot| keep_readings(snapshot, kind, &[resource], &paths))
                            .await?;
                        pairs.insert(*newcomer, (*leaver, target.clone()));
                    }
                }
                (newcomers, leavers) => run.order.watcher.finding(&format!(
                    "{} new and {} deleted or disabled users have the same {by} ({}): nobody takes a link over",
                    newcomers.len(),
                    leavers.len(),
                    newcomers[0]
                )),
            }
        }
        self.rehires = Rehires(Arc::new(pairs));
        Ok(())
    }

    /// Another resource that bears the newcomer's name, and by which attribute. Who has one already takes none over, and the
    /// leaver does not wait.
    async fn beside(
        &self,
        run: &Run<'_>,
        given: &Given<'_>,
        newcomer: SourceId,
        taken: &TargetId,
    ) -> Result<Option<(TargetId, String)>, CycleError> {
        let kind = ObjectKind::User;
        let (rules, context, taken) = (
            self.rules(run),
            self.context(run, given, kind, false).await?,
            taken.clone(),
        );
        run.store(move |snapshot| {
            let planner = rules.planner(true);
            let keys_of = |view: &ObjectView| keys_of(&planner, view);
            let Some(view) = view(snapshot, &context, kind, newcomer, &keys_of)? else {
                return Ok(None);
            };
            let keys = planner.match_keys(&view).unwrap_or_default();
            let TargetReading::Candidates { found, .. } = &view.target else {
                return Ok(None);
            };
            let other = beside(&taken, &keys, found);
            Ok(other.map(|(other, key)| (other.id.clone(), key.path.as_str().to_owned())))
        })
        .await
    }
}

/// Values that dirty users without a link have, with all who have them.
async fn of_same_value(
    run: &Run<'_>,
    given: &Given<'_>,
    by: &str,
) -> Result<BTreeMap<String, Same>, CycleError> {
    let (by, scope) = (by.to_owned(), given.intake.scoping(run));
    run.store(move |snapshot| {
        let value = |record: &Record| {
            let value = record.object.attribute(&by)?;
            (!value.is_unassigned()).then(|| fold(value))
        };
        let mut all: BTreeMap<String, Same> = BTreeMap::new();
        each_dirty(snapshot, ObjectKind::User, |id, _| {
            if let Some(record) = snapshot.record(ObjectKind::User, &id)?
                && record.link.is_none()
                && record.object.life == Life::Alive
                // Two who are both disabled would take it from each other for ever.
                && record.object.account_enabled()
                && scope.takes(snapshot, &record)?
                && let Some(value) = value(&record)
            {
                all.entry(value).or_default().newcomers.push(id);
            }
            Ok(())
        })?;
        if all.is_empty() || snapshot.counts()?.linked_users == 0 {
            return Ok(BTreeMap::new());
        }
        each_record(snapshot, ObjectKind::User, |record| {
            let disabled = record.object.life == Life::Alive && !record.object.account_enabled();
            if let Some(link) = record.link.as_ref().filter(|_| record.is_gone() || disabled)
                && let Some(same) = value(record).and_then(|value| all.get_mut(&value))
            {
                same.leavers.push((record.object.id, link.target.clone()));
            }
            Ok(())
        })?;
        Ok(all)
    })
    .await
}

/// Takes a leaver's link away, and hands what was sent of its memberships to the newcomer: the resource is in those
/// groups still.
pub(in crate::engine) fn hand_over(
    tx: &mut Tx<'_>,
    leaver: &SourceId,
    newcomer: &SourceId,
) -> Result<(), StoreError> {
    let Some(mut record) = tx.record(ObjectKind::User, leaver)? else {
        return Ok(());
    };
    record.link = None;
    tx.put_record(&record)?;
    tx.mark_dirty(ObjectKind::User, leaver, DirtyCause::TARGET)?;
    let mut pages = Pages::fixed(|by: &(ObjectKind, SourceId)| *by);
    while let Some(page) = pages.next_page(|after, limit| tx.referrers(leaver, after.copied(), limit))? {
        for (kind, by) in &page {
            if *kind == ObjectKind::Group {
                hand_over_membership(tx, by, leaver, newcomer)?;
            }
        }
    }
    tx.mark_referrers_dirty(leaver)?;
    Ok(())
}

fn hand_over_membership(
    tx: &mut Tx<'_>,
    group: &SourceId,
    leaver: &SourceId,
    newcomer: &SourceId,
) -> Result<(), StoreError> {
    let Some(edge) = tx.edge(group, leaver)? else {
        return Ok(());
    };
    let Some(sent) = edge.sent.clone() else {
        return Ok(());
    };
    let found = edge.found;
    if edge.present {
        tx.put_edge(group, leaver, &Membership { sent: None, ..edge })?;
    } else {
        tx.delete_edge(group, leaver)?;
    }
    let theirs = tx.edge(group, newcomer)?.unwrap_or(Membership {
        kind: MemberKind::User,
        generation: 0,
        present: false,
        sent: None,
        found: false,
    });
    tx.put_edge(
        group,
        newcomer,
        &Membership {
            sent: Some(sent),
            found,
            ..theirs
        },
    )?;
    tx.mark_dirty(ObjectKind::Group, group, DirtyCause::REFERENCE)
}

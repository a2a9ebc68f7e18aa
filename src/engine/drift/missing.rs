//! Linked objects whose resource is gone at the target: created again where that is to be put right, else reported.

use std::sync::Arc;

use crate::engine::error::CycleError;
use crate::engine::readings::Given;
use crate::engine::readings::Readings;
use crate::engine::run::Run;
use crate::engine::views::view;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::object::Life;
use crate::ports::Durability;
use crate::snapshot::drift::Row;
use crate::snapshot::read::Reads;
use crate::snapshot::scope::ScopeEntry;
use crate::snapshot::scope::ScopeReads;

impl Readings {
    /// Asks for the members that a group lost: a service takes whoever is deleted out of groups.
    pub(super) async fn find_lacking(
        &mut self,
        run: &mut Run<'_>,
        given: &Given<'_>,
        members: Vec<SourceId>,
    ) -> Result<(), CycleError> {
        let kind = ObjectKind::User;
        for id in members {
            let brief = run.store(move |snapshot| snapshot.brief(kind, &id)).await?;
            let Some(target) = brief.and_then(|brief| brief.target) else {
                continue;
            };
            if self.drift.missing_users.contains(&id) || self.drift.heals.contains(&(kind, id)) {
                continue;
            }
            let read = run.job.target.read(kind, &target).await;
            if read.map_err(CycleError::Target)?.is_none() {
                self.note_missing(run, kind, id, target, false).await?;
            }
        }
        self.miss_the_changed(run, given).await
    }

    /// A reading of the target, and no request of ours, finds that the resource of a linked object is gone: that is drift, and
    /// `drift.missing` is about it alone. It is created again where the policy heals that, or where somebody asked for this
    /// object; else it is reported, and keeps its link until something that the source wants of it is planned: then there is
    /// nothing to change, and it is planned as one without a link ([`Self::lose`]). So it is at once where our own request
    /// was answered 404: then the source wanted something already. Of an object that is gone itself, or not ours, nothing is
    /// missing.
    pub(in crate::engine) async fn note_missing(
        &mut self,
        run: &mut Run<'_>,
        kind: ObjectKind,
        id: SourceId,
        target: TargetId,
        by_hand: bool,
    ) -> Result<(), CycleError> {
        let heals = by_hand || (run.job.policy.create && run.drift_policy().heals_missing());
        let mut row = Row::new(target, run.now);
        row.missing = true;
        let looks = !run.applies();
        let found = run
            .store(move |snapshot| {
                let brief = snapshot.brief(kind, &id)?;
                // Of a resource that is no longer its own nothing is missing.
                if brief.as_ref().and_then(|brief| brief.target.as_ref()) != Some(&row.target) {
                    return Ok(None);
                }
                let is_gone = brief.is_some_and(|brief| matches!(brief.head.life, Life::Gone(_)));
                let is_ours = snapshot.scope_entry_in(looks, kind, &id)? != Some(ScopeEntry::Out);
                let is_missing = is_ours && !is_gone;
                if is_missing {
                    let before = snapshot.drift(kind, &id)?;
                    row.pending = heals && (!looks || before.is_some_and(|before| before.pending));
                    let mut tx = snapshot.tx()?;
                    tx.put_drift(kind, &id, &row)?;
                    tx.commit(Durability::Lazy)?;
                }
                Ok(Some((is_gone, is_missing)))
            })
            .await?;
        let Some((is_gone, is_missing)) = found else {
            return Ok(());
        };
        if is_missing {
            run.summary.drift.missing += 1;
            if heals {
                self.drift.heals.insert((kind, id));
            } else {
                self.drift.missing.push((kind, id));
                if kind == ObjectKind::User {
                    Arc::make_mut(&mut self.drift.missing_users).insert(id);
                }
            }
        }
        if is_gone || (is_missing && heals) || by_hand {
            self.lose(run, kind, id).await?;
        }
        Ok(())
    }

    /// Of the objects whose resource is gone, those that the source changed have to be created again all the same:
    /// there is nothing that could be changed.
    pub(super) async fn miss_the_changed(
        &mut self,
        run: &Run<'_>,
        given: &Given<'_>,
    ) -> Result<(), CycleError> {
        for (kind, id) in std::mem::take(&mut self.drift.missing) {
            let (rules, context) = (self.rules(run), self.context(run, given, kind, true).await?);
            let changed = run
                .store(move |snapshot| {
                    let view = view(snapshot, &context, kind, id, &|_| Vec::new())?;
                    Ok(view.is_some_and(|view| !rules.planner(true).plan(&view).operations.is_empty()))
                })
                .await?;
            if changed {
                Arc::make_mut(&mut self.drift.missing_users).remove(&id);
                self.lose(run, kind, id).await?;
            }
        }
        Ok(())
    }
}

//! Readings of the target that matching needs: a listing, or one question for each object.
//!
//! A listing goes to the store page by page, so memory stays bounded, and is matched locally. What an empty
//! answer proves is decided here, once for each type (docs/design/matching.md).

use std::collections::BTreeMap;
use std::collections::HashSet;

use futures::StreamExt;
use futures::stream;
use tracing::info;
use tracing::warn;

use super::ask::AT_A_TIME;
use super::context::Context;
use super::cycle::Cycle;
use super::error::CycleError;
use super::forecast::Forecast;
use super::forecast::forecast_of;
use super::job::Extent;
use super::leaving::Leaving;
use super::linking::unlink;
use super::rules::Rules;
use super::rules::keys_of;
use super::standing::Fact;
use super::stored::StoredReading;
use super::tables::each_dirty_object;
use super::tables::each_record;
use super::views::view;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::object::Life;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::reconcile::policy::Policy;
use crate::reconcile::target_schema::judged;
use crate::reconcile::view::Absence;
use crate::reconcile::view::ObjectView;
use crate::snapshot::filled::Filled;
use crate::snapshot::filled::has_forecasts;
use crate::snapshot::filled::has_readings;
use crate::snapshot::pages::Pages;
use crate::snapshot::read::Reads;
use crate::snapshot::record::DirtyCause;
use crate::snapshot::store::Snapshot;

impl Cycle<'_> {
    /// Reads what matching needs, and in a full cycle everything.
    pub(super) async fn read_target(&mut self) -> Result<(), CycleError> {
        self.read_chosen().await?;
        self.read_due().await?;
        for kind in self.run.job.managed.clone() {
            if self.intake.stopped.contains(&kind) {
                continue;
            }
            self.run.order.watcher.progress("reading the target", 0, None);
            let most = self.most_worth_asking(kind).await?;
            let waiting = self.unlinked(kind, most).await?;
            if self.run.order.extent.lists_target() {
                let absence = self.list(kind).await?;
                match &absence {
                    Absence::Proven(_) => {
                        self.find_missing(kind).await?;
                        self.drift.whole.insert(kind);
                    }
                    Absence::Unproven(why) => self.run.order.watcher.finding(&format!(
                        "no drift was looked for among {kind}s, because {why}: make the target's listing whole"
                    )),
                }
                self.absence.insert(kind, absence);
            } else if !waiting.is_empty() {
                let absence = self.look_for(kind, &waiting).await?;
                self.absence.insert(kind, absence);
            }
            self.stake_claims(kind).await?;
        }
        self.drift.lost.clear();
        self.find_rehires().await
    }

    /// Looks for those who were found to have no resource after the others were looked for. In a whole listing everybody was.
    pub(super) async fn look_for_lost(&mut self) -> Result<(), CycleError> {
        let lost = std::mem::take(&mut self.drift.lost);
        for kind in self.run.job.managed.clone() {
            let ids: Vec<SourceId> = lost
                .iter()
                .filter(|(of, _)| *of == kind)
                .map(|(_, id)| *id)
                .collect();
            if !ids.is_empty() && !self.listed.contains(&kind) {
                self.look_again(kind, &ids).await?;
                self.stake_claims(kind).await?;
            }
        }
        Ok(())
    }

    /// Asks the target once what it can do, and leaves out what its schemas do not know: a finding, no failure.
    pub(super) async fn prepare_target(&mut self) -> Result<(), CycleError> {
        self.recall_dialect().await?;
        let capabilities = self
            .run
            .job
            .target
            .capabilities()
            .await
            .map_err(CycleError::Target)?;
        for kind in self.run.job.managed.clone() {
            for row in self.run.job.mapping.rows(kind) {
                let Some(why) = judged(&capabilities.schemas, kind, row) else {
                    continue;
                };
                let path = row.target.as_str();
                let text = format!("The target's schema {why} {kind} attribute {path}: it is left out");
                if self.run.warnings.is_news(&text) {
                    warn!(attribute = path, "{text}");
                }
                self.run.order.watcher.finding(&format!(
                    "the target's schema {why} {kind} attribute `{path}`, so it is left out; \
                     add it at the target, or take its row out of the mapping"
                ));
                self.unsupported.insert(kind, path);
            }
        }
        Ok(())
    }

    /// The resources of the objects that an admin named, as they are now; one that is gone is noted as lost. What is only
    /// explained is not named: it is planned by what the next cycle will know, not by what reading it now would tell.
    async fn read_chosen(&mut self) -> Result<(), CycleError> {
        if self.run.order.extent == Extent::Explain {
            return Ok(());
        }
        for (kind, id) in self.intake.focus.clone().into_iter().flatten() {
            let link = self
                .run
                .store(move |snapshot| Ok(snapshot.record(kind, &id)?.and_then(|record| record.link)))
                .await?;
            let Some(target) = link.map(|link| link.target) else {
                continue;
            };
            let read = self.run.job.target.read(kind, &target).await;
            match read.map_err(CycleError::Target)? {
                Some(resource) => self.keep_reading(kind, id, resource).await?,
                None => self.note_missing(kind, id, target, true).await?,
            }
        }
        Ok(())
    }

    /// Objects to be matched, at most one more than `most`: beyond it the number does not matter.
    async fn unlinked(&self, kind: ObjectKind, most: usize) -> Result<Vec<SourceId>, CycleError> {
        let scope = self.intake.scoping(&self.run);
        let focus = self.intake.focus.clone();
        self.run
            .store(move |snapshot| {
                let mut waiting = Vec::new();
                let (counts, forecasts) = (snapshot.counts()?, has_forecasts(snapshot)?);
                if !forecasts && counts.alive(kind) == counts.linked_alive(kind) {
                    return Ok(waiting);
                }
                each_dirty_object(snapshot, kind, |id, _, bytes| {
                    // Of what is not planned in this cycle, nothing need be known.
                    if focus.as_ref().is_some_and(|focus| !focus.contains(&(kind, id))) {
                        return Ok(true);
                    }
                    let brief = snapshot.decode_brief(kind, id, bytes)?;
                    let lost = forecasts && forecast_of(snapshot, kind, &id)?.lost;
                    if brief.head.life == Life::Alive
                        && (brief.target.is_none() || lost)
                        && let record = snapshot.decode_record(kind, id, bytes)?
                        && scope.takes(snapshot, &record)?
                    {
                        waiting.push(id);
                    }
                    Ok(waiting.len() <= most)
                })?;
                Ok(waiting)
            })
            .await
    }

    /// Linked objects that a complete listing did not bring: each is asked for once, and marked as lost.
    async fn find_missing(&mut self, kind: ObjectKind) -> Result<(), CycleError> {
        let suspects = self
            .run
            .store(move |snapshot| {
                let mut suspects = Vec::new();
                each_record(snapshot, kind, |record| {
                    if let Some(link) = &record.link
                        && snapshot.reading::<StoredReading>(kind, &link.target)?.is_none()
                    {
                        suspects.push((record.object.id, link.target.clone()));
                    }
                    Ok(())
                })?;
                Ok(suspects)
            })
            .await?;
        for part in suspects.chunks(AT_A_TIME) {
            self.run.check_stop()?;
            let directory = &self.run.job.target;
            let answers: Vec<_> = stream::iter(part.iter().cloned())
                .map(|(id, target)| async move {
                    let read = directory.read(kind, &target).await;
                    (id, target, read)
                })
                .buffered(self.run.job.max_concurrency.max(1))
                .collect()
                .await;
            for (id, target, read) in answers {
                if read.map_err(CycleError::Target)?.is_none() {
                    info!(object = %id, target = %target, "The resource of {kind} {id} is gone at the target");
                    self.note_missing(kind, id, target, false).await?;
                }
            }
        }
        Ok(())
    }

    /// The resource of a linked object is gone, whatever found it, and is not only to be reported: the object is planned as
    /// one without a link, in this cycle and in every later one. A cycle that may not write keeps that to itself.
    pub(super) async fn lose(&mut self, kind: ObjectKind, id: SourceId) -> Result<(), CycleError> {
        self.drift.losses = true;
        self.drift.lost.insert((kind, id));
        let (applies, cause) = (self.run.applies(), self.run.found_at_target());
        self.run
            .store(move |snapshot| {
                let mut tx = snapshot.tx()?;
                tx.put_forecast(
                    kind,
                    &id,
                    &Forecast {
                        lost: true,
                        ..Forecast::default()
                    },
                );
                if applies && let Some(record) = tx.record(kind, &id)?.filter(|record| record.link.is_some())
                {
                    unlink(&mut tx, record)?;
                    tx.delete_drift(kind, &id);
                    tx.mark_referrers_dirty(&id)?;
                    tx.mark_holders(&id)?;
                }
                if !applies {
                    tx.show_referrers(&id)?;
                }
                tx.mark_dirty(kind, &id, cause)?;
                tx.commit(Durability::Lazy)
            })
            .await
    }

    /// Notes on each reading which objects without a link match it: two of them is a finding on both.
    async fn stake_claims(&mut self, kind: ObjectKind) -> Result<(), CycleError> {
        if !self.absence.contains_key(&kind) {
            return Ok(());
        }
        let (rules, context) = (self.rules(), self.context(kind, false).await?);
        self.run
            .store(move |snapshot| stake_claims(snapshot, kind, &rules, &context))
            .await
    }

    /// What the views of a batch have in common.
    pub(super) async fn context(&self, kind: ObjectKind, references: bool) -> Result<Context, CycleError> {
        Ok(Context {
            absence: self.absence.get(&kind).cloned(),
            scope: self.intake.scoping(&self.run),
            standing: self.run.standing.clone(),
            references,
            filled: self.run.store(move |snapshot| Filled::of(snapshot, kind)).await?,
            losses: self.drift.losses,
            entitlements: self.intake.entitlements.clone(),
            sends_roles: kind == ObjectKind::User && self.run.job.sends_roles(),
            flattens: kind == ObjectKind::Group && self.run.job.assigning.nesting.members,
            releases: self.run.applies(),
            observed: self.drift.is_looked_for(kind),
            missing: std::sync::Arc::clone(&self.drift.missing_users),
            freed: self.names.freed_targets.clone(),
            rehires: self.rehires.clone(),
            leaving: self.leaving(),
        })
    }
}

fn stake_claims(
    snapshot: &Snapshot,
    kind: ObjectKind,
    rules: &Rules,
    context: &Context,
) -> Result<(), StoreError> {
    if !has_readings(snapshot, kind)? {
        return Ok(());
    }
    let planner = rules.planner(true);
    let keys = |view: &ObjectView| keys_of(&planner, view);
    let mut pages = Pages::growing(|(id, _): &(SourceId, DirtyCause)| *id);
    while let Some(page) = pages.next_page(|after, limit| snapshot.dirty(kind, after, limit))? {
        let mut claims: BTreeMap<TargetId, Vec<SourceId>> = BTreeMap::new();
        for (id, _) in &page {
            let Some(view) = view(snapshot, context, kind, *id, &keys)? else {
                continue;
            };
            if view.link.is_some() || view.object.life != Life::Alive {
                continue;
            }
            for (path, value) in keys(&view) {
                for target in snapshot.readings_by(kind, &path, &value)? {
                    claims.entry(target).or_default().push(*id);
                }
            }
        }
        add_claims(snapshot, kind, claims)?;
    }
    Ok(())
}

fn add_claims(
    snapshot: &Snapshot,
    kind: ObjectKind,
    claims: BTreeMap<TargetId, Vec<SourceId>>,
) -> Result<(), StoreError> {
    let mut tx = snapshot.tx()?;
    for (target, by) in claims {
        if let Some(mut reading) = tx.reading::<StoredReading>(kind, &target)? {
            reading.claims.extend(by);
            tx.put_reading(kind, &target, &reading, &[]);
        }
    }
    if tx.is_empty() {
        Ok(())
    } else {
        tx.commit(Durability::Lazy)
    }
}

impl Cycle<'_> {
    /// Known once the guard was asked; before that, nothing is decided about anybody.
    pub(super) fn leaving(&self) -> Option<Leaving> {
        self.judge.approvals.as_ref()?;
        let Policy {
            on_soft_delete,
            on_hard_delete,
            on_out_of_scope,
            ..
        } = self.run.job.policy;
        Some(Leaving {
            on_soft_delete,
            on_hard_delete,
            on_out_of_scope,
            closed: self.judge.approval(ObjectKind::User).withheld().is_some(),
            kept_back: self.judge.kept_back.clone(),
            // What is only explained is so by what a whole cycle does.
            focus: self
                .intake
                .focus
                .clone()
                .filter(|_| self.run.order.extent != Extent::Explain),
            left_out: self.left_out(),
            manager: self.run.manager_path(),
        })
    }

    /// Users who are not planned in this cycle, whoever is chosen.
    fn left_out(&self) -> HashSet<SourceId> {
        let kind = ObjectKind::User;
        let facts = [Fact::Failed, Fact::Late, Fact::InEscrow, Fact::InPart];
        let all = facts.into_iter().flat_map(|fact| self.run.standing.all(fact));
        all.filter(|(of, id)| *of == kind && !self.intake.is_free(&self.run, kind, *id))
            .map(|(_, id)| id)
            .collect()
    }
}

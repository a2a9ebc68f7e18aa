//! Readings of the target that matching needs: a listing, or one question for each object.
//!
//! A listing goes to the store page by page, so memory stays bounded, and is matched locally. What an empty
//! answer proves is decided here, once for each type (docs/design/matching.md).

pub mod ask;
pub mod dialect;
pub(super) mod list;
pub(super) mod questions;
pub mod refresh;
pub(super) mod refused_members;
pub(super) mod rehires;
pub mod stored;

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::collections::HashSet;
use std::sync::Arc;

use futures::StreamExt;
use futures::stream;
use tracing::info;
use tracing::warn;

use super::context::Context;
use super::context::Rehires;
use super::error::CycleError;
use super::forecast::Forecast;
use super::forecast::forecast_of;
use super::intake::Intake;
use super::job::Extent;
use super::judge::kept_back::KeptBack;
use super::leaving::Leaving;
use super::linking::unlink;
use super::notes::Due;
use super::notes::Looked;
use super::readings::ask::AT_A_TIME;
use super::readings::dialect::recall_dialect;
use super::readings::questions::most_worth_asking;
use super::readings::stored::StoredReading;
use super::rules::Rules;
use super::rules::keys_of;
use super::run::Run;
use super::tables::each_dirty_object;
use super::tables::each_record;
use super::views::view;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::object::Life;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::reconcile::forward::plan::Planner;
use crate::reconcile::forward::view::Absence;
use crate::reconcile::forward::view::ObjectView;
use crate::reconcile::policy::Policy;
use crate::reconcile::target_schema::Unsupported;
use crate::reconcile::target_schema::judged;
use crate::snapshot::filled::Filled;
use crate::snapshot::filled::has_forecasts;
use crate::snapshot::filled::has_readings;
use crate::snapshot::pages::Pages;
use crate::snapshot::read::Reads;
use crate::snapshot::record::DirtyCause;
use crate::snapshot::store::Snapshot;

/// What the target was read to hold, and what that proves.
#[derive(Debug, Default)]
pub(super) struct Readings {
    /// Target paths that the target's schema does not take, by kind.
    pub(super) unsupported: Unsupported,
    /// Types of which the target was listed in this cycle, after the last open create was due.
    pub(super) listed: BTreeSet<ObjectKind>,
    /// What a missing match proves, by type, once the target was read.
    pub(super) absence: BTreeMap<ObjectKind, Absence>,
    /// Linked resources to be read again.
    pub(super) due: Due,
    /// Who takes over whose resource.
    pub(super) rehires: Rehires,
    /// What was compared with what was left at the target.
    pub(super) drift: Looked,
}

/// What phases before this one found.
pub(super) struct Given<'a> {
    pub(super) intake: &'a Intake,
    pub(super) kept_back: &'a KeptBack,
    /// Whose removal is carried out, once the guard was asked.
    pub(super) leaving: Option<&'a Leaving>,
}

impl Readings {
    /// Reads what matching needs, and in a full cycle everything.
    pub(super) async fn read_target(
        &mut self,
        run: &mut Run<'_>,
        given: &Given<'_>,
    ) -> Result<(), CycleError> {
        self.read_chosen(run, given).await?;
        self.read_due(run).await?;
        for kind in run.job.managed.clone() {
            if given.intake.stopped.contains(&kind) {
                continue;
            }
            run.order.watcher.progress("reading the target", 0, None);
            let most = most_worth_asking(run, kind).await?;
            let waiting = unlinked(run, given, kind, most).await?;
            if run.order.extent.lists_target() {
                let absence = self.list(run, kind).await?;
                match &absence {
                    Absence::Proven(_) => {
                        self.find_missing(run, kind).await?;
                        self.drift.whole.insert(kind);
                    }
                    Absence::Unproven(why) => run.order.watcher.finding(&format!(
                        "no drift was looked for among {kind}s, because {why}: make the target's listing whole"
                    )),
                }
                self.absence.insert(kind, absence);
            } else if !waiting.is_empty() {
                let absence = self.look_for(run, given, kind, &waiting).await?;
                self.absence.insert(kind, absence);
            }
            self.stake_claims(run, given, kind).await?;
        }
        self.drift.lost.clear();
        self.find_rehires(run, given).await
    }

    /// Looks for those who were found to have no resource after the others were looked for. In a whole listing everybody was.
    pub(super) async fn look_for_lost(&mut self, run: &Run<'_>, given: &Given<'_>) -> Result<(), CycleError> {
        let lost = std::mem::take(&mut self.drift.lost);
        for kind in run.job.managed.clone() {
            let ids: Vec<SourceId> = lost
                .iter()
                .filter(|(of, _)| *of == kind)
                .map(|(_, id)| *id)
                .collect();
            if !ids.is_empty() && !self.listed.contains(&kind) {
                self.look_again(run, given, kind, &ids).await?;
                self.stake_claims(run, given, kind).await?;
            }
        }
        Ok(())
    }

    /// Asks the target once what it can do, and leaves out what its schemas do not know: a finding, no failure.
    pub(super) async fn prepare_target(&mut self, run: &Run<'_>) -> Result<(), CycleError> {
        recall_dialect(run).await?;
        let capabilities = run.job.target.capabilities().await.map_err(CycleError::Target)?;
        for kind in run.job.managed.clone() {
            for row in run.job.mapping.rows(kind) {
                let Some(why) = judged(&capabilities.schemas, kind, row) else {
                    continue;
                };
                let path = row.target.as_str();
                let text = format!("The target's schema {why} {kind} attribute {path}: it is left out");
                if run.warnings.is_news(&text) {
                    warn!(attribute = path, "{text}");
                }
                run.order.watcher.finding(&format!(
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
    async fn read_chosen(&mut self, run: &mut Run<'_>, given: &Given<'_>) -> Result<(), CycleError> {
        if run.order.extent == Extent::Explain {
            return Ok(());
        }
        for (kind, id) in given.intake.focus.clone().into_iter().flatten() {
            let link = run
                .store(move |snapshot| Ok(snapshot.record(kind, &id)?.and_then(|record| record.link)))
                .await?;
            let Some(target) = link.map(|link| link.target) else {
                continue;
            };
            let read = run.job.target.read(kind, &target).await;
            match read.map_err(CycleError::Target)? {
                Some(resource) => self.keep_reading(run, kind, id, resource).await?,
                None => self.note_missing(run, kind, id, target, true).await?,
            }
        }
        Ok(())
    }

    /// Linked objects that a complete listing did not bring: each is asked for once, and marked as lost.
    async fn find_missing(&mut self, run: &mut Run<'_>, kind: ObjectKind) -> Result<(), CycleError> {
        let suspects = run
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
            run.check_stop()?;
            let directory = &run.job.target;
            let answers: Vec<_> = stream::iter(part.iter().cloned())
                .map(|(id, target)| async move {
                    let read = directory.read(kind, &target).await;
                    (id, target, read)
                })
                .buffered(run.job.max_concurrency.max(1))
                .collect()
                .await;
            for (id, target, read) in answers {
                if read.map_err(CycleError::Target)?.is_none() {
                    info!(object = %id, target = %target, "The resource of {kind} {id} is gone at the target");
                    self.note_missing(run, kind, id, target, false).await?;
                }
            }
        }
        Ok(())
    }

    /// The resource of a linked object is gone, whatever found it, and is not only to be reported: the object is planned as
    /// one without a link, in this cycle and in every later one. A cycle that may not write keeps that to itself.
    pub(super) async fn lose(
        &mut self,
        run: &Run<'_>,
        kind: ObjectKind,
        id: SourceId,
    ) -> Result<(), CycleError> {
        self.drift.losses = true;
        self.drift.lost.insert((kind, id));
        let (applies, cause) = (run.applies(), run.found_at_target());
        run.store(move |snapshot| {
            let mut tx = snapshot.tx()?;
            tx.put_forecast(
                kind,
                &id,
                &Forecast {
                    lost: true,
                    ..Forecast::default()
                },
            );
            if applies && let Some(record) = tx.record(kind, &id)?.filter(|record| record.link.is_some()) {
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
    async fn stake_claims(
        &mut self,
        run: &Run<'_>,
        given: &Given<'_>,
        kind: ObjectKind,
    ) -> Result<(), CycleError> {
        if !self.absence.contains_key(&kind) {
            return Ok(());
        }
        let (rules, context) = (self.rules(run), self.context(run, given, kind, false).await?);
        run.store(move |snapshot| stake_claims(snapshot, kind, &rules, &context))
            .await
    }

    /// What the views of a batch have in common.
    pub(super) async fn context(
        &self,
        run: &Run<'_>,
        given: &Given<'_>,
        kind: ObjectKind,
        references: bool,
    ) -> Result<Context, CycleError> {
        Ok(Context {
            absence: self.absence.get(&kind).cloned(),
            scope: given.intake.scoping(run),
            standing: run.standing.clone(),
            references,
            filled: run.store(move |snapshot| Filled::of(snapshot, kind)).await?,
            losses: self.drift.losses,
            entitlements: given.intake.entitlements.clone(),
            sends_roles: kind == ObjectKind::User && run.job.sends_roles(),
            flattens: kind == ObjectKind::Group && run.job.assigning.nesting.members,
            releases: run.applies(),
            observed: self.drift.is_looked_for(kind),
            missing: std::sync::Arc::clone(&self.drift.missing_users),
            freed: HashSet::new(),
            rehires: self.rehires.clone(),
            leaving: given.leaving.cloned(),
        })
    }

    pub(super) fn rules(&self, run: &Run<'_>) -> Rules {
        Rules {
            mapping: Arc::clone(&run.job.mapping),
            context: run.context.clone(),
            policy: Policy {
                drift: run.drift_policy(),
                ..run.job.policy.clone()
            },
            unsupported: self.unsupported.clone(),
            now: run.now,
            forced: matches!(run.order.extent, Extent::Objects { .. }),
        }
    }

    /// The planner of this cycle. `settle`: nothing is waited for any more.
    pub(super) fn planner<'a>(&'a self, run: &'a Run<'_>, settle: bool) -> Planner<'a> {
        Planner {
            mapping: &run.job.mapping,
            context: &run.context,
            policy: &run.job.policy,
            unsupported: &self.unsupported,
            now: run.now,
            forced: matches!(run.order.extent, Extent::Objects { .. }),
            settle_references: settle,
        }
    }
}

/// Objects to be matched, at most one more than `most`: beyond it the number does not matter.
async fn unlinked(
    run: &Run<'_>,
    given: &Given<'_>,
    kind: ObjectKind,
    most: usize,
) -> Result<Vec<SourceId>, CycleError> {
    let scope = given.intake.scoping(run);
    let focus = given.intake.focus.clone();
    run.store(move |snapshot| {
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

//! Drift: what the target was read to hold, compared with what was left there, before anything is planned.
//!
//! What is found goes into rows of the store, into the cycle's summary, and, where the policy heals it, into dirty
//! marks: the same planner then plans the heal from the same reading, the guard counts it, and apply sends it.
//! Nothing is sent here but GET.

use std::sync::Arc;

use crate::engine::context::Context;
use crate::engine::drift::keep::Compared;
use crate::engine::drift::keep::Keeping;
use crate::engine::drift::unmanaged::find_unmanaged;
use crate::engine::error::CycleError;
use crate::engine::job::Extent;
use crate::engine::parallel::in_parallel;
use crate::engine::readings::Given;
use crate::engine::readings::Readings;
use crate::engine::readings::stored::StoredReading;
use crate::engine::rules::Rules;
use crate::engine::run::Run;
use crate::engine::views::view_of;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::reconcile::forward::view::ObjectView;
use crate::reconcile::forward::view::TargetReading;
use crate::reconcile::members_of;
use crate::reconcile::shown_members::asks_for_members;
use crate::snapshot::drift::has_drift;
use crate::snapshot::pages::Pages;
use crate::snapshot::read::PAGE;
use crate::snapshot::read::Reads;
use crate::snapshot::record::Brief;
use crate::snapshot::state::LISTED_AT;
use crate::snapshot::store::Snapshot;

impl Readings {
    /// Compares everything that was read with what was left there.
    pub(in crate::engine) async fn find_drift(
        &mut self,
        run: &mut Run<'_>,
        given: &Given<'_>,
    ) -> Result<(), CycleError> {
        for kind in self.drift.whole.clone() {
            self.compare_all(run, given, kind).await?;
            find_unmanaged(run, kind).await?;
        }
        self.miss_the_changed(run, given).await?;
        let mut read = self.drift.read.clone();
        read.sort_unstable();
        for kind in [ObjectKind::User, ObjectKind::Group] {
            let ids: Vec<SourceId> = read
                .iter()
                .filter(|(of, _)| *of == kind)
                .map(|(_, id)| *id)
                .collect();
            for page in ids.chunks(PAGE) {
                self.compare(run, given, kind, page.to_vec()).await?;
            }
        }
        if !self.drift.whole.is_empty() && self.drift.whole == run.job.managed {
            self.note_all_read(run).await?;
            let at = run.now.to_string();
            run.store(move |snapshot| {
                let mut tx = snapshot.tx()?;
                tx.put_state(&LISTED_AT, &at);
                tx.commit(Durability::Lazy)
            })
            .await?;
        }
        self.look_for_lost(run, given).await?;
        self.tell_of_another_writer(run).await
    }

    async fn compare_all(
        &mut self,
        run: &mut Run<'_>,
        given: &Given<'_>,
        kind: ObjectKind,
    ) -> Result<(), CycleError> {
        let mut pages = Pages::growing(|(id, _): &(SourceId, Brief)| *id);
        loop {
            run.check_stop()?;
            let read = run
                .store(move |snapshot| {
                    let page = pages.next_page(|after, limit| snapshot.scan_briefs(kind, after, limit))?;
                    Ok(page.map(|page| (page, pages)))
                })
                .await?;
            let Some((page, rest)) = read else {
                return Ok(());
            };
            pages = rest;
            let linked = page.iter().filter(|(_, brief)| brief.target.is_some());
            self.compare(run, given, kind, linked.map(|(id, _)| *id).collect())
                .await?;
        }
    }

    /// Compares these objects. A group is looked at twice where something tells against the first look: it shows no
    /// members at all, or not all of them, and services may leave them out of listings; or it lacks some, who may be gone
    /// themselves.
    async fn compare(
        &mut self,
        run: &mut Run<'_>,
        given: &Given<'_>,
        kind: ObjectKind,
        ids: Vec<SourceId>,
    ) -> Result<(), CycleError> {
        if ids.is_empty() {
            return Ok(());
        }
        let listed = run.order.extent.lists_target();
        for doubt in self.compare_read(run, given, kind, ids, Sure::NOTHING).await? {
            run.check_stop()?;
            let doubts = if listed || doubt.lacking.is_empty() {
                read_by_itself(run, kind, &doubt.target).await?;
                self.compare_read(run, given, kind, vec![doubt.id], Sure::SHOWN)
                    .await?
            } else {
                vec![doubt]
            };
            for doubt in doubts {
                self.find_lacking(run, given, doubt.lacking).await?;
                self.compare_read(run, given, kind, vec![doubt.id], Sure::ALL)
                    .await?;
            }
        }
        Ok(())
    }

    /// Compares, and keeps what is found. Who is to be read by itself first.
    async fn compare_read(
        &mut self,
        run: &mut Run<'_>,
        given: &Given<'_>,
        kind: ObjectKind,
        ids: Vec<SourceId>,
        sure: Sure,
    ) -> Result<Vec<Doubt>, CycleError> {
        let (rules, context) = (self.rules(run), self.context(run, given, kind, true).await?);
        let sure = Sure {
            members_there: sure.members_there || self.drift.whole.contains(&ObjectKind::User),
            ..sure
        };
        let (now, applies, mark) = (run.now, run.applies(), run.found_at_target());
        let fills = run.order.apply || matches!(run.order.extent, Extent::Drift { .. });
        let comparing = Comparing {
            rules,
            context,
            sure,
            listed: run.order.extent.lists_target(),
        };
        let mapping = Arc::clone(&run.job.mapping);
        let found = run
            .store(move |snapshot| {
                let mut found = Found::default();
                for part in in_parallel(&ids, !comparing.context.releases, |ids| {
                    comparing.compare(snapshot, kind, ids)
                })? {
                    found.compared.extend(part.compared);
                    found.again.extend(part.again);
                }
                let keeping = Keeping {
                    now,
                    applies,
                    mark,
                    fills,
                    rows: has_drift(snapshot)?,
                };
                let mut tx = snapshot.tx()?;
                for one in &found.compared {
                    keeping.keep(&mut tx, &mapping, kind, one)?;
                }
                if !tx.is_empty() {
                    tx.commit(Durability::Lazy)?;
                }
                Ok(found)
            })
            .await?;
        for one in found.compared {
            self.count_drift(run, kind, one);
        }
        Ok(found.again)
    }
}

/// Replaces what a listing brought by the resource itself.
async fn read_by_itself(run: &Run<'_>, kind: ObjectKind, target: &TargetId) -> Result<(), CycleError> {
    let read = run.job.target.read(kind, target).await;
    let Some(resource) = read.map_err(CycleError::Target)? else {
        return Ok(());
    };
    run.store(move |snapshot| {
        let mut tx = snapshot.tx()?;
        if let Some(mut reading) = tx.reading::<StoredReading>(kind, &resource.id)? {
            reading.replace(&resource.body);
            tx.put_reading(kind, &resource.id, &reading, &[]);
        }
        tx.commit(Durability::Lazy)
    })
    .await
}

#[derive(Default)]
struct Found {
    compared: Vec<Compared>,
    again: Vec<Doubt>,
}

/// A group to be looked at twice.
struct Doubt {
    id: SourceId,
    target: TargetId,
    /// Members that may be gone themselves; none where it shows no members at all.
    lacking: Vec<SourceId>,
}

/// What needs no second look.
#[derive(Clone, Copy)]
struct Sure {
    /// Groups show their members.
    members_shown: bool,
    /// It is known which users are gone.
    members_there: bool,
}

impl Sure {
    const NOTHING: Self = Self {
        members_shown: false,
        members_there: false,
    };
    /// The group was read by itself.
    const SHOWN: Self = Self {
        members_shown: true,
        members_there: false,
    };
    const ALL: Self = Self {
        members_shown: true,
        members_there: true,
    };
}

/// As many lost members are asked for one by one; of a group that lost more, the first.
const ASKED: usize = 100;

/// What objects are compared by.
struct Comparing {
    rules: Rules,
    context: Context,
    sure: Sure,
    /// The target was listed.
    listed: bool,
}

impl Comparing {
    /// Compares these objects.
    fn compare(&self, snapshot: &Snapshot, kind: ObjectKind, ids: &[SourceId]) -> Result<Found, StoreError> {
        let Self {
            rules,
            context,
            sure,
            listed,
        } = self;
        let planner = rules.planner(true);
        let mut found = Found::default();
        let mut forecasts = context.forecasts_of(snapshot, kind, ids)?;
        for (id, bytes) in ids.iter().zip(snapshot.raw_objects(kind, ids)?) {
            let Some(bytes) = bytes else { continue };
            let forecast = forecasts.remove(id).unwrap_or_default();
            let record = snapshot.decode_record(kind, *id, &bytes)?;
            let view = view_of(snapshot, context, record, &forecast, &|_| Vec::new())?;
            let (Some(link), TargetReading::Held(body)) = (&view.link, &view.target) else {
                continue;
            };
            let target = link.target.clone();
            let mut doubt = Doubt {
                id: *id,
                target: target.clone(),
                lacking: Vec::new(),
            };
            if !sure.members_shown && hides_members(&view, body) {
                found.again.push(doubt);
                continue;
            }
            let drift = planner.drift(&view);
            let doubtful = !sure.members_there || (*listed && !sure.members_shown);
            if doubtful && !drift.lacking.is_empty() {
                doubt.lacking = drift.lacking.into_iter().take(ASKED).collect();
                found.again.push(doubt);
                continue;
            }
            found.compared.push(Compared {
                id: *id,
                target,
                drift,
            });
        }
        Ok(found)
    }
}

/// True for a group that members were sent into, and whose reading has no members at all, but may have by itself.
fn hides_members(view: &ObjectView, body: &serde_json::Value) -> bool {
    let bare = asks_for_members(body) || (body.get("members").is_none() && members_of(body).whole);
    bare && view.members.iter().any(|member| member.sent.is_some())
}

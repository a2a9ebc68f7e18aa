//! Drift: what the target was read to hold, compared with what was left there, before anything is planned.
//!
//! What is found goes into rows of the store, into the cycle's summary, and, where the policy heals it, into dirty
//! marks: the same planner then plans the heal from the same reading, the guard counts it, and apply sends it.
//! Nothing is sent here but GET.

use std::sync::Arc;

use crate::engine::context::Context;
use crate::engine::drift::another_writer;
use crate::engine::error::CycleError;
use crate::engine::job::Extent;
use crate::engine::notes::Suspect;
use crate::engine::parallel::in_parallel;
use crate::engine::readings::Given;
use crate::engine::readings::Readings;
use crate::engine::readings::stored::StoredReading;
use crate::engine::rules::Rules;
use crate::engine::run::Run;
use crate::engine::views::view;
use crate::engine::views::view_of;
use crate::mapping::Mapping;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::link::Kept;
use crate::model::object::Life;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::reconcile::drift::Drift;
use crate::reconcile::explain;
use crate::reconcile::forward::view::ObjectView;
use crate::reconcile::forward::view::TargetReading;
use crate::reconcile::members_of;
use crate::reconcile::operation::Change;
use crate::reconcile::policy::Unmanaged;
use crate::reconcile::shown_members::asks_for_members;
use crate::snapshot::drift::Attribute;
use crate::snapshot::drift::Members;
use crate::snapshot::drift::Row;
use crate::snapshot::drift::Stranger;
use crate::snapshot::drift::has_drift;
use crate::snapshot::pages::Pages;
use crate::snapshot::read::PAGE;
use crate::snapshot::read::Reads;
use crate::snapshot::record::DirtyCause;
use crate::snapshot::scope::ScopeEntry;
use crate::snapshot::scope::ScopeReads;
use crate::snapshot::state::LISTED_AT;
use crate::snapshot::store::Snapshot;
use crate::snapshot::tx::Tx;

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
        let mut after = None;
        loop {
            run.check_stop()?;
            let page = run
                .store(move |snapshot| snapshot.scan_briefs(kind, after.as_ref(), PAGE))
                .await?;
            let Some((last, _)) = page.last() else {
                return Ok(());
            };
            after = Some(*last);
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

    /// Asks for the members that a group lost: a service takes whoever is deleted out of groups.
    async fn find_lacking(
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
        let listed = run.order.extent.lists_target();
        let mapping = Arc::clone(&run.job.mapping);
        let found = run
            .store(move |snapshot| {
                let mut found = Found::default();
                for part in in_parallel(&ids, !context.releases, |ids| {
                    compare_part(snapshot, kind, ids, &rules, &context, sure, listed)
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

    fn count_drift(&mut self, run: &mut Run<'_>, kind: ObjectKind, one: Compared) {
        let drift = one.drift;
        let counts = &mut run.summary.drift;
        counts.modified += u64::from(!drift.attributes.is_empty());
        counts.membership += u64::from(!(drift.lacking.is_empty() && drift.extra.is_empty()));
        counts.orphaned += u64::from(drift.orphaned);
        if drift.heals() {
            self.drift.heals.insert((kind, one.id));
        }
        for change in drift.foreign {
            if self.drift.suspects.len() < another_writer::ASKED {
                self.drift.suspects.push(Suspect {
                    kind,
                    id: one.id,
                    attribute: change.attribute,
                    value: change.after,
                });
            } else {
                self.drift.more_suspects += 1;
            }
        }
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
                    tx.put_drift(kind, &id, &row);
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
    async fn miss_the_changed(&mut self, run: &Run<'_>, given: &Given<'_>) -> Result<(), CycleError> {
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

/// Resources in a whole listing that nobody is linked to, and nobody is about to adopt. Never touched.
async fn find_unmanaged(run: &mut Run<'_>, kind: ObjectKind) -> Result<(), CycleError> {
    let (report, now) = (run.job.policy.unmanaged == Unmanaged::Report, run.now);
    let count = run
        .store(move |snapshot| {
            snapshot.clear_strangers(kind)?;
            if report {
                note_strangers(snapshot, kind, now)
            } else {
                Ok(0)
            }
        })
        .await?;
    run.summary.drift.unmanaged += count;
    Ok(())
}

/// One object that was compared.
struct Compared {
    id: SourceId,
    target: TargetId,
    drift: Drift,
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

fn compare_part(
    snapshot: &Snapshot,
    kind: ObjectKind,
    ids: &[SourceId],
    rules: &Rules,
    context: &Context,
    sure: Sure,
    listed: bool,
) -> Result<Found, StoreError> {
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
        let doubtful = !sure.members_there || (listed && !sure.members_shown);
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

/// True for a group that members were sent into, and whose reading has no members at all, but may have by itself.
fn hides_members(view: &ObjectView, body: &serde_json::Value) -> bool {
    let bare = asks_for_members(body) || (body.get("members").is_none() && members_of(body).whole);
    bare && view.members.iter().any(|member| member.sent.is_some())
}

/// How what is found is kept.
#[derive(Clone, Copy)]
struct Keeping {
    now: Timestamp,
    /// False in a cycle that only looks: it promises nothing for a later one.
    applies: bool,
    /// The mark of what is to be put right.
    mark: DirtyCause,
    /// Whether what the target kept is filled in: a plan stores nothing of a link.
    fills: bool,
    /// False while the store has no rows at all.
    rows: bool,
}

impl Keeping {
    fn keep(
        self,
        tx: &mut Tx<'_>,
        mapping: &Mapping,
        kind: ObjectKind,
        one: &Compared,
    ) -> Result<(), StoreError> {
        let before = if self.rows { tx.drift(kind, &one.id)? } else { None };
        if !one.drift.is_none() || before.is_some() {
            let row = self.row(mapping, kind, one, before);
            tx.put_drift(kind, &one.id, &row);
        }
        if one.drift.heals() {
            tx.mark_dirty(kind, &one.id, self.mark)?;
        }
        if self.fills && !one.drift.filled.is_empty() {
            fill(tx, kind, one)?;
        }
        Ok(())
    }

    fn row(self, mapping: &Mapping, kind: ObjectKind, one: &Compared, before: Option<Row>) -> Row {
        let drift = &one.drift;
        let mut row = Row::new(one.target.clone(), self.now);
        row.orphaned = drift.orphaned;
        row.attributes = drift
            .attributes
            .iter()
            .map(|found| {
                let change = Change {
                    attribute: found.attribute.clone(),
                    before: found.held.clone(),
                    after: found.wanted.clone(),
                };
                attribute(mapping, kind, change, found.conflict)
            })
            .collect();
        row.lacking = Members::of(drift.lacking.clone());
        row.extra = Members::of(drift.extra.clone());
        row.pending = drift.heals() && (self.applies || before.as_ref().is_some_and(|before| before.pending));
        row.not_kept_members = drift.not_kept.iter().copied().collect();
        // Still as the target made it: had it moved, it would be drift again.
        let moved = |name| {
            row.attributes
                .iter()
                .any(|found: &Attribute| found.attribute == name)
        };
        row.not_kept = before.map(|before| before.not_kept).unwrap_or_default();
        row.not_kept.retain(|held| !moved(held.attribute.clone()));
        row
    }
}

/// One attribute as it is kept, from what is held to what is wanted: values that the mapping hides stay hidden.
pub(in crate::engine) fn attribute(
    mapping: &Mapping,
    kind: ObjectKind,
    found: Change,
    conflict: bool,
) -> Attribute {
    let shown = explain::redacted_changes(mapping, kind, vec![found]).remove(0);
    Attribute {
        attribute: shown.attribute,
        held: shown.before,
        wanted: shown.after,
        conflict,
    }
}

/// Keeps what the target was found to have kept of what was sent.
fn fill(tx: &mut Tx<'_>, kind: ObjectKind, one: &Compared) -> Result<(), StoreError> {
    let Some(mut record) = tx.record(kind, &one.id)? else {
        return Ok(());
    };
    if let Some(link) = &mut record.link {
        for (name, value) in &one.drift.filled {
            match value {
                None => link.kept.remove::<str>(name),
                Some(value) => link.kept.insert(name.clone(), Kept::Other(value.clone())),
            };
        }
    }
    tx.put_record(&record)
}

fn note_strangers(snapshot: &Snapshot, kind: ObjectKind, now: Timestamp) -> Result<u64, StoreError> {
    let mut count = 0;
    let mut pages = Pages::growing(|(target, _): &(TargetId, StoredReading)| target.clone());
    while let Some(page) = pages.next_page(|after, limit| snapshot.scan_readings(kind, after, limit))? {
        let mut tx = snapshot.tx()?;
        for (target, reading) in &page {
            if !reading.claims.is_empty() || snapshot.owner(kind, target)?.is_some() {
                continue;
            }
            let body = reading.body();
            let name = ["userName", "displayName"]
                .iter()
                .find_map(|name| body.get(name)?.as_str());
            let name = name.map(str::to_owned);
            tx.put_stranger(kind, target, &Stranger { name, seen: now });
            count += 1;
        }
        tx.commit(Durability::Lazy)?;
    }
    Ok(count)
}

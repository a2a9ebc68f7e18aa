//! Access is taken away first, also in the middle of a long cycle (docs/design/cycle.md, "Applying"): between two batches the users'
//! delta is looked at again, and disables found there are counted, judged and sent before the cycle goes on.
//!
//! Whoever is met that way is left alone otherwise until the next cycle: the guard, the target's readings and the proofs of
//! absence of this one do not know them. Deletes wait for it too: it asks for each object once more first.
//! Crash in the middle: the pages are stored as any page is, and whoever is on them is dirty.

use std::collections::BTreeSet;
use std::time::Duration;

use tracing::debug;
use tracing::info;

use super::batch::batch;
use super::error::CycleError;
use super::intake::Intake;
use super::job::Extent;
use super::judge::leavers;
use super::notes::Overtaking;
use super::open::open_writes;
use super::phases::Phases;
use super::run::Run;
use super::standing::Fact;
use super::tables::each_dirty_object;
use super::work::Pass;
use super::work::Step;
use crate::model::clock::Timestamp;
use crate::model::cursor::Cursor;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::ports::DeltaPage;
use crate::ports::Durability;
use crate::ports::NextPage;
use crate::ports::PageRequest;
use crate::ports::StoreError;
use crate::snapshot::page::apply_page;
use crate::snapshot::read::Reads;
use crate::snapshot::round::begin_delta;
use crate::snapshot::store::Snapshot;

/// Between two looks. One request, nearly always answered by an empty page: four a minute are nothing beside Graph's limits,
/// and Graph itself may take longer to show a change (`reference` of its delta query: "replication delays").
const GAP: Duration = Duration::from_secs(15);

/// As many pages as one look reads; what is longer is no handful of leavers but a round, and a cycle's business.
const PAGES: usize = 20;

/// Sends what takes access away and was not known, or could not be sent, when the cycle began.
pub(super) async fn overtake(run: &mut Run<'_>, phases: &mut Phases) -> Result<(), CycleError> {
    let user = ObjectKind::User;
    let whole = !run.order.extent.is_partial() && run.order.extent != Extent::Explain;
    if !(whole && may_disable(run, &phases.intake)) {
        return Ok(());
    }
    disable_unreached(run, phases).await?;
    let now = run.job.clock.now();
    if phases.overtaking.blind || now.since(phases.overtaking.looked) < GAP {
        return Ok(());
    }
    phases.overtaking.looked = now;
    let touched = glance(run, &mut phases.overtaking).await?;
    if touched.is_empty() {
        return Ok(());
    }
    disable_among(run, phases, touched.clone(), "while the cycle runs").await?;
    let touched = touched.into_iter().map(|id| (user, id));
    for key in touched {
        run.standing.note(key, Fact::Late);
        run.standing.note(key, Fact::HeldUp);
    }
    Ok(())
}

/// True where users may be disabled beside what this cycle was planned to do.
fn may_disable(run: &Run<'_>, intake: &Intake) -> bool {
    let user = ObjectKind::User;
    let managed = run.job.managed.contains(&user) && !intake.stopped.contains(&user);
    managed && run.order.only.is_none() && run.applies()
}

/// Nobody's disable waits for another object's request: while those without an answer may still be under way, users who
/// lost access and have none are disabled.
pub(super) async fn disable_meanwhile(run: &mut Run<'_>, phases: &mut Phases) -> Result<(), CycleError> {
    let user = ObjectKind::User;
    if run.undoes || phases.overtaking.disabled_meanwhile || !may_disable(run, &phases.intake) {
        return Ok(());
    }
    phases.overtaking.disabled_meanwhile = true;
    let (focus, standing) = (phases.intake.focus.clone(), run.standing.clone());
    let ids = run
        .store(move |snapshot| {
            let writes = open_writes(snapshot)?;
            let open: BTreeSet<_> = writes.iter().map(|write| (write.kind, write.id)).collect();
            // A resource that a request without an answer may have given to somebody else is not the leaver's for certain.
            let taken: BTreeSet<_> = writes.iter().filter_map(|write| write.adopts.as_ref()).collect();
            let mut ids = Vec::new();
            each_dirty_object(snapshot, user, |id, _, bytes| {
                let key = (user, id);
                let chosen = focus.as_ref().is_none_or(|focus| focus.contains(&key));
                if chosen
                    && !open.contains(&key)
                    && !standing.is(key, Fact::InEscrow)
                    && let Some(target) = snapshot.decode_brief(user, id, bytes)?.target
                    && !taken.contains(&target)
                {
                    ids.push(id);
                }
                Ok(true)
            })?;
            Ok(ids)
        })
        .await?;
    phases.judge.read_window(run).await?;
    disable_among(run, phases, ids, "and do not wait for requests without an answer").await
}

/// Disables those of these linked users who are to be disabled, as far as the guard approves it.
pub(super) async fn disable_among(
    run: &mut Run<'_>,
    phases: &mut Phases,
    ids: Vec<SourceId>,
    when: &str,
) -> Result<(), CycleError> {
    let user = ObjectKind::User;
    let (rules, context, kept_back) = (
        phases.readings.rules(run),
        phases.context(run, user, false).await?,
        phases.judge.kept_back.clone(),
    );
    let found = run
        .store(move |snapshot| leavers(snapshot, &ids, &rules, &context, &kept_back))
        .await?;
    if found.is_empty() {
        return Ok(());
    }
    info!(
        found = found.len(),
        "{} users lost access {when}: they go first",
        found.len()
    );
    for leaver in found.iter().filter(|leaver| leaver.counts) {
        *phases.judge.asked.users.entry(leaver.reason).or_default() += 1;
    }
    phases.judge.judge(run).await?;
    let ids = found.iter().map(|leaver| leaver.id).collect();
    run.overtaking = true;
    let done = batch(run, phases, Step::settled(user, Pass::Disables), ids).await;
    run.overtaking = false;
    done.map(drop)
}

/// Disables that the target did not answer, once it answers again.
async fn disable_unreached(run: &mut Run<'_>, phases: &mut Phases) -> Result<(), CycleError> {
    if run.standing.count(Fact::Unreached) == 0 || phases.failures.troubles.in_a_row > 0 {
        return Ok(());
    }
    let unreached = run.standing.drain(Fact::Unreached);
    let ids: Vec<SourceId> = unreached.into_iter().map(|(_, id)| id).collect();
    for id in &ids {
        run.standing.take_back((ObjectKind::User, *id), Fact::Failed);
        let text = id.to_string();
        run.summary
            .failed
            .retain(|failure| failure.object != text || failure.operation != "disable_user");
    }
    batch(run, phases, Step::settled(ObjectKind::User, Pass::Disables), ids)
        .await
        .map(drop)
}

/// What changed of users since they were read, stored; whom. Read to its end before any of it is stored: nothing is
/// planned on a part of a round. A source that does not answer now is the next cycle's to tell of.
async fn glance(run: &mut Run<'_>, overtaking: &mut Overtaking) -> Result<Vec<SourceId>, CycleError> {
    let kind = ObjectKind::User;
    let stream = run.store(move |snapshot| snapshot.stream(kind)).await?;
    let Cursor::Following { delta_link } = stream.cursor else {
        return Ok(Vec::new());
    };
    let Some(pages) = whole_round(run, delta_link).await else {
        overtaking.blind = true;
        return Ok(Vec::new());
    };
    if pages.iter().all(|page| page.objects.is_empty()) {
        return Ok(Vec::new());
    }
    for page in &pages {
        run.summary.read(kind, page.objects.len() as u64);
    }
    let now = run.job.clock.now();
    run.store(move |snapshot| keep_round(snapshot, kind, pages, now))
        .await
}

/// The pages of a round, to its end. `None` where it has none that one look reads, or the source does not answer.
async fn whole_round(run: &Run<'_>, delta_link: String) -> Option<Vec<DeltaPage>> {
    let (mut pages, mut link) = (Vec::<DeltaPage>::new(), delta_link);
    loop {
        let request = PageRequest::Follow { link, minimal: true };
        match run.job.source.page(ObjectKind::User, request).await {
            Ok(page) => {
                let next = page.next.clone();
                pages.push(page);
                match next {
                    NextPage::Complete { .. } => return Some(pages),
                    NextPage::More { next_link } if pages.len() < PAGES => link = next_link,
                    NextPage::More { .. } => return None,
                }
            }
            Err(error) => {
                debug!("The source was not looked at again in this cycle: {error}");
                return None;
            }
        }
    }
}

/// Stores the pages of a round. Returns whom they changed.
fn keep_round(
    snapshot: &Snapshot,
    kind: ObjectKind,
    pages: Vec<DeltaPage>,
    now: Timestamp,
) -> Result<Vec<SourceId>, StoreError> {
    let on_pages = pages.iter().flat_map(|page| &page.objects);
    let mut ids: Vec<SourceId> = on_pages.map(|object| object.id).collect();
    ids.sort_unstable();
    ids.dedup();
    let before = ids
        .iter()
        .map(|id| snapshot.record(kind, id))
        .collect::<Result<Vec<_>, _>>()?;
    let mut tx = snapshot.tx()?;
    begin_delta(&mut tx, kind, now)?;
    tx.commit(Durability::Lazy)?;
    for page in pages {
        let mut tx = snapshot.tx()?;
        apply_page(&mut tx, kind, page, now)?;
        tx.commit(Durability::Synced)?;
    }
    let mut touched = Vec::new();
    for (id, before) in ids.into_iter().zip(before) {
        if snapshot.record(kind, &id)? != before {
            touched.push(id);
        }
    }
    Ok(touched)
}

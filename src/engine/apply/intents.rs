//! Open creates: sent, with an outcome that was never recorded. Resolved before anything else happens to
//! their objects, by the values as they were sent, never by a second POST (docs/design/cycle.md, "Creates and crashes").

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use tracing::warn;

use crate::engine::apply::open_writes::take_members;
use crate::engine::audit::Clerk;
use crate::engine::error::CycleError;
use crate::engine::open::forget_answered;
use crate::engine::open::last_unanswered;
use crate::engine::open::note_members;
use crate::engine::readings::Readings;
use crate::engine::readings::stored::StoredReading;
use crate::engine::run::Run;
use crate::engine::standing::Fact;
use crate::mapping::Mapping;
use crate::mapping::Reference;
use crate::mapping::TargetPath;
use crate::mapping::read_path;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::link::Intent;
use crate::model::link::Kept;
use crate::model::link::Link;
use crate::model::link::LinkOrigin;
use crate::model::name::Name;
use crate::model::object::Life;
use crate::model::value::Attributes;
use crate::model::value::Value;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::reconcile::forward::matching::EXTERNAL_ID;
use crate::reconcile::forward::matching::Key;
use crate::reconcile::forward::matching::fold;
use crate::reconcile::forward::view::Absence;
use crate::reconcile::members_of;
use crate::reconcile::operation::Change;
use crate::reconcile::operation::Verb;
use crate::snapshot::history::NewEntry;
use crate::snapshot::pages::Pages;
use crate::snapshot::read::ObjectIntent;
use crate::snapshot::read::Reads;
use crate::snapshot::record::DirtyCause;
use crate::snapshot::record::Record;
use crate::snapshot::store::Snapshot;
use crate::snapshot::tx::Tx;

/// What became of an open create.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Resolution {
    /// It went through: this is its resource.
    Found(TargetId),
    /// It did not: absence is proven.
    Absent,
    /// Neither can be told, and why: it stays open.
    Open(String),
}

/// Open creates that are to be resolved.
pub(in crate::engine) struct OpenCreates {
    intents: Vec<ObjectIntent>,
    /// When the last of them was sent that may still be under way at the target.
    pub(in crate::engine) latest: Option<Timestamp>,
}

impl OpenCreates {
    /// Returns how many there are.
    pub(in crate::engine) const fn count(&self) -> usize {
        self.intents.len()
    }
}

/// Notes which objects have an open create. Returns those that this cycle resolves: one that only plans leaves them, and reports
/// that for each object.
pub(in crate::engine) async fn open_creates(run: &mut Run<'_>) -> Result<Option<OpenCreates>, CycleError> {
    let batches = run.store(|snapshot| snapshot.intents()).await?;
    let intents: Vec<ObjectIntent> = batches.into_iter().flat_map(|(_, entries)| entries).collect();
    for (kind, id, _) in &intents {
        run.standing.note((*kind, *id), Fact::CreateOpen);
    }
    if intents.is_empty() || !run.applies() {
        return Ok(None);
    }
    // The intents of a batch are as old as the batch; its creates are sent until they are a timeout old.
    let all = intents.clone();
    let latest = run.store(move |snapshot| last_unanswered(snapshot, &all)).await?;
    let latest = latest.map(|at| at.plus(run.job.request_timeout));
    Ok(Some(OpenCreates { intents, latest }))
}

/// Resolves open creates, once none of them can be under way any more.
pub(in crate::engine) async fn settle_creates(
    run: &mut Run<'_>,
    readings: &mut Readings,
    open: OpenCreates,
) -> Result<(), CycleError> {
    for kind in [ObjectKind::User, ObjectKind::Group] {
        let mine = open.intents.iter().filter(|(of, _, _)| *of == kind);
        let mine: Vec<ObjectIntent> = mine.cloned().collect();
        if !mine.is_empty() {
            settle_kind(run, readings, kind, mine).await?;
        }
    }
    Ok(())
}

async fn settle_kind(
    run: &mut Run<'_>,
    readings: &mut Readings,
    kind: ObjectKind,
    intents: Vec<ObjectIntent>,
) -> Result<(), CycleError> {
    // A listing read before the timeout had passed may lack what was created since.
    run.store(move |snapshot| snapshot.clear_readings(kind)).await?;
    let wanted: Vec<Vec<Key>> = intents.iter().map(|(_, id, intent)| keys(*id, intent)).collect();
    let absence = readings.look_up(run, kind, &wanted).await?;
    let mut resolved: BTreeMap<SourceId, Resolution> = BTreeMap::new();
    for (_, id, intent) in &intents {
        let (keys, id, absence) = (keys(*id, intent), *id, absence.clone());
        let resolution = run
            .store(move |snapshot| resolve(snapshot, kind, id, &keys, &absence))
            .await?;
        if let Resolution::Open(why) = &resolution {
            warn!(object = %id, "Whether {kind} {id} was created is unknown: {why}");
            let hint = "look for it at the target; the next cycle asks again";
            run.summary.fail(
                id,
                "create",
                format!("an earlier create was sent, and {why}"),
                hint.to_owned(),
            );
        }
        resolved.insert(id, resolution);
    }
    for (id, resolution) in &resolved {
        if !matches!(resolution, Resolution::Open(_)) {
            run.standing.take_back((kind, *id), Fact::CreateOpen);
        }
    }
    readings.absence.insert(kind, absence);
    let mapping = std::sync::Arc::clone(&run.job.mapping);
    let users_open = run.standing.count_of(ObjectKind::User, Fact::CreateOpen) > 0;
    let clerk = Clerk::new(run.job, run.order, run.now);
    run.store(move |snapshot| {
        let settled = Settled {
            kind,
            intents: &intents,
            resolved: &resolved,
            users_open,
        };
        record(snapshot, &mapping, &settled, &clerk)
    })
    .await
}

/// The values as they were sent: externalId, then the matching attributes.
fn keys(id: SourceId, intent: &Intent) -> Vec<Key> {
    let external = intent.external_id.clone().unwrap_or_else(|| id.to_string());
    let mut keys = Vec::new();
    if let Ok(path) = "externalId".parse::<TargetPath>() {
        keys.push(Key {
            path,
            value: Value::text(external),
        });
    }
    keys.extend(intent.matching.iter().filter_map(|(path, value)| {
        Some(Key {
            path: path.parse().ok()?,
            value: value.clone(),
        })
    }));
    keys
}

/// Looks for the resource among the readings. One that belongs to somebody else is none.
fn resolve(
    snapshot: &Snapshot,
    kind: ObjectKind,
    id: SourceId,
    keys: &[Key],
    absence: &Absence,
) -> Result<Resolution, StoreError> {
    let mut nameless = None;
    for key in keys {
        let mut found = BTreeSet::new();
        for target in snapshot.readings_by(kind, key.path.as_str(), &fold(&key.value))? {
            match is_of(snapshot, (kind, &id), &target, keys)? {
                Some(true) => drop(found.insert(target)),
                Some(false) => {}
                None => nameless = Some(target),
            }
        }
        let mut found = found.into_iter();
        match (found.next(), found.next()) {
            (Some(one), None) => return Ok(Resolution::Found(one)),
            (Some(_), Some(_)) => {
                return Ok(Resolution::Open(format!(
                    "several resources have its {}",
                    key.path.as_str()
                )));
            }
            (None, _) => {}
        }
    }
    if let Some(target) = nameless {
        return Ok(Resolution::Open(format!(
            "resource {target} has its name and does not say whose it is"
        )));
    }
    Ok(match absence {
        Absence::Proven(_) => Resolution::Absent,
        Absence::Unproven(why) => Resolution::Open(why.clone()),
    })
}

/// Whether a resource that has one of the values is what the create of this object made; `None` where that cannot be told.
///
/// By the externalId that it carries: another one than was sent is somebody else's, whatever the name. Without any it was made at a
/// service that keeps none, or by another hand. It counts as made by the create of somebody who is there, who would adopt it by its
/// name anyway. Of somebody who is gone it would be disabled or deleted next: that cannot be told.
fn is_of(
    snapshot: &Snapshot,
    (kind, id): (ObjectKind, &SourceId),
    target: &TargetId,
    keys: &[Key],
) -> Result<Option<bool>, StoreError> {
    if snapshot.owner(kind, target)?.is_some_and(|owner| owner != *id) {
        return Ok(Some(false));
    }
    let Some(reading) = snapshot.reading::<StoredReading>(kind, target)? else {
        return Ok(Some(true));
    };
    let held = Value::from_json(&reading.body()[EXTERNAL_ID]);
    if !held.is_unassigned() {
        let sent = keys.first().map(|key| fold(&key.value));
        return Ok(Some(Some(fold(&held)) == sent));
    }
    if let Some(keeps) = keeps_external_id(snapshot, kind)? {
        return Ok(Some(!keeps));
    }
    let brief = snapshot.brief(kind, id)?;
    Ok(brief
        .is_some_and(|brief| brief.head.life == Life::Alive)
        .then_some(true))
}

/// Whether the service keeps the externalIds that are sent, as those of other resources show; `None` where none does. One that it
/// kept decides: others may have been emptied since.
fn keeps_external_id(snapshot: &Snapshot, kind: ObjectKind) -> Result<Option<bool>, StoreError> {
    let mut seen = None;
    let mut pages = Pages::growing(|record: &Record| record.object.id);
    while let Some(page) = pages.next_page(|after, limit| snapshot.scan_records(kind, after, limit))? {
        let links = page.iter().filter_map(|record| record.link.as_ref());
        for link in links.filter(|link| has_external_id(link)) {
            match link.kept.get(EXTERNAL_ID) {
                None => return Ok(Some(true)),
                Some(Kept::Other(value)) if value.is_unassigned() => seen = Some(false),
                Some(Kept::AsSent | Kept::Other(_) | Kept::Unknown) => {}
            }
        }
    }
    Ok(seen)
}

fn has_external_id(link: &Link) -> bool {
    let sent = link.sent.get(EXTERNAL_ID);
    sent.is_some_and(|value| !value.is_unassigned())
}

/// Open creates of a kind, and what became of them.
struct Settled<'a> {
    kind: ObjectKind,
    intents: &'a [ObjectIntent],
    resolved: &'a BTreeMap<SourceId, Resolution>,
    /// True while there are users with an open create.
    users_open: bool,
}

/// Links what was found, with the entry that the interrupted cycle could not write, and closes the intents.
fn record(
    snapshot: &Snapshot,
    mapping: &Mapping,
    settled: &Settled<'_>,
    clerk: &Clerk,
) -> Result<(), StoreError> {
    let Settled {
        kind,
        intents,
        resolved,
        users_open,
    } = *settled;
    let mut tx = snapshot.tx()?;
    let mut history = Vec::new();
    for (_, id, intent) in intents {
        if let Some(Resolution::Found(target)) = resolved.get(id)
            && let Some(record) = tx.record(kind, id)?
        {
            history.extend(link_found(
                &mut tx,
                mapping,
                record,
                (target, intent.sent_at),
                clerk,
            )?);
            if kind == ObjectKind::Group && users_open {
                note_members(&mut tx, *id, intent.sent_at)?;
            }
        }
    }
    for (batch, entries) in tx.intents()? {
        let is_settled = |id: &SourceId| {
            resolved
                .get(id)
                .is_some_and(|resolution| !matches!(resolution, Resolution::Open(_)))
        };
        let left: Vec<&ObjectIntent> = entries
            .iter()
            .filter(|(of, id, _)| *of != kind || !is_settled(id))
            .collect();
        if left.len() != entries.len() {
            tx.replace_intents(batch, &left);
        }
    }
    if tx.intents()?.is_empty() {
        forget_answered(&mut tx);
    }
    if !history.is_empty() {
        tx.append_history(history);
    }
    tx.commit(Durability::Synced)
}

/// Links an object with the resource that its create was found to have made, at the time when it was sent. Returns the entries
/// that the interrupted cycle could not write.
fn link_found(
    tx: &mut Tx<'_>,
    mapping: &Mapping,
    record: Record,
    (target, since): (&TargetId, Timestamp),
    clerk: &Clerk,
) -> Result<Vec<NewEntry>, StoreError> {
    let mut record = record;
    let (kind, id) = (record.object.kind, record.object.id);
    let sent = sent_into(&*tx, mapping, kind, target)?;
    let mut history = vec![clerk.found(Verb::create(kind), (kind, id), target, changes_of(&sent))];
    record.link = Some(Link {
        target: target.clone(),
        origin: LinkOrigin::Created,
        since,
        sent,
        kept: BTreeMap::new(),
    });
    tx.put_record(&record)?;
    tx.mark_dirty(kind, &id, DirtyCause::TARGET)?;
    tx.mark_referrers_dirty(&id)?;
    tx.mark_holders(&id)?;
    if kind == ObjectKind::Group
        && let Some(reading) = tx.reading::<StoredReading>(kind, target)?
    {
        let moved = take_members(tx, &id, &members_of(&reading.body()), |_| false)?;
        history.extend(clerk.members(Verb::member(true), id, target, &moved.added));
    }
    Ok(history)
}

fn changes_of(sent: &Attributes) -> Vec<Change> {
    let change = |(attribute, after): (&Name, &Value)| Change {
        attribute: attribute.clone(),
        before: Value::Null,
        after: after.clone(),
    };
    sent.iter().map(change).collect()
}

/// What the found resource holds at the mapped paths: we made it, so that is what was sent, as it was kept.
fn sent_into(
    reads: &impl Reads,
    mapping: &Mapping,
    kind: ObjectKind,
    target: &TargetId,
) -> Result<Attributes, StoreError> {
    let Some(reading) = reads.reading::<StoredReading>(kind, target)? else {
        return Ok(Attributes::new());
    };
    let body = reading.body();
    let rows = mapping
        .rows(kind)
        .iter()
        .filter(|row| row.reference != Some(Reference::Members));
    Ok(rows
        .filter_map(|row| Some((row.target.as_str().to_owned(), read_path(&body, &row.target)?)))
        .collect())
}

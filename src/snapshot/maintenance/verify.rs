//! The self-check of `melonsync state verify`: every record decodes, and what is stored twice agrees.

use crate::model::assignment::RoleId;
use crate::model::id::ObjectKind;
use crate::model::object::Membership;
use crate::model::refusal::Refusal;
use crate::ports::StoreError;
use crate::ports::Table;
use crate::reconcile::observe::Watched;

use crate::snapshot::assignments;
use crate::snapshot::cells;
use crate::snapshot::counts::Counts;
use crate::snapshot::counts::Facts;
use crate::snapshot::drift;
use crate::snapshot::enrolments;
use crate::snapshot::escrow::Escrowed;
use crate::snapshot::kept_back;
use crate::snapshot::keys;
use crate::snapshot::observed;
use crate::snapshot::quarantine;
use crate::snapshot::read::ObjectIntent;
use crate::snapshot::read::Reads;
use crate::snapshot::record;
use crate::snapshot::record::Mark;
use crate::snapshot::record::Record;
use crate::snapshot::state;
use crate::snapshot::state::StateReads;
use crate::snapshot::store::Snapshot;

/// The most findings that are listed; the rest is counted.
const SHOWN: usize = 100;

/// The findings of the self-check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The counters, from the records themselves.
    pub counts: Counts,
    /// The number of history entries.
    pub history: u64,
    /// The faults found, as texts; at most a hundred.
    pub findings: Vec<String>,
    /// The number of all findings.
    pub total: u64,
}

impl Report {
    /// Returns true when nothing is wrong.
    #[must_use]
    pub const fn is_clean(&self) -> bool {
        self.total == 0
    }

    fn add(&mut self, finding: String) {
        self.total += 1;
        if self.findings.len() < SHOWN {
            self.findings.push(finding);
        }
    }
}

/// Checks a snapshot, a page at a time; changes nothing.
///
/// # Errors
/// When the engine below cannot read on; everything else is a finding.
pub fn verify(snapshot: &Snapshot) -> Result<Report, StoreError> {
    let mut report = Report::default();
    each(snapshot, Table::Objects, |key, value| {
        check_object(snapshot, key, value, &mut report)
    })?;
    each(snapshot, Table::Owners, |key, value| {
        check_owner(snapshot, key, value, &mut report)
    })?;
    each(snapshot, Table::Edges, |key, value| {
        check_edge(snapshot, key, value, &mut report)
    })?;
    each(snapshot, Table::Referrers, |key, _| {
        check_referrer(snapshot, key, &mut report)
    })?;
    each(snapshot, Table::Dirty, |key, value| {
        match (keys::parse_object(key), Mark::decode(value)) {
            (Some((kind, _)), Some(_)) => report.counts.count_dirty(kind, true),
            _ => report.add("a dirty mark does not decode".to_owned()),
        }
        Ok(())
    })?;
    check_rest(snapshot, &mut report)?;
    check_meta(snapshot, &mut report)?;
    for finding in snapshot
        .verify_chain()?
        .into_iter()
        .chain(snapshot.verify_marks()?)
    {
        report.add(finding);
    }
    report.history = snapshot.history_head()?.next;
    let kept = snapshot.counts()?;
    if kept != report.counts {
        report.add(format!(
            "the counters are wrong: {kept:?} are kept, {:?} are there",
            report.counts
        ));
    }
    Ok(report)
}

/// Checks the tables whose entries stand alone.
fn check_rest(snapshot: &Snapshot, report: &mut Report) -> Result<(), StoreError> {
    each(snapshot, Table::Assignments, |key, value| {
        if keys::parse_object(key).is_none() || record::decode::<Vec<RoleId>>(value).is_err() {
            report.add("an entry of the assignment list does not decode".to_owned());
        }
        Ok(())
    })?;
    each(snapshot, Table::Drift, |key, value| {
        if !drift::is_sound(key, value) {
            report.add("an entry of the drift found does not decode".to_owned());
        }
        Ok(())
    })?;
    each(snapshot, Table::Escrow, |key, value| {
        if keys::parse_object(key).is_none() || record::decode::<Escrowed>(value).is_err() {
            report.add("an entry in escrow does not decode".to_owned());
        }
        Ok(())
    })?;
    each(snapshot, Table::Refused, |key, value| {
        if keys::parse_object(key).is_none() || record::decode::<Vec<Refusal>>(value).is_err() {
            report.add("refused attributes that do not decode".to_owned());
        }
        Ok(())
    })?;
    each(snapshot, Table::Cells, |key, value| {
        if !cells::is_sound(key, value) {
            report.add("what is remembered of values that are written back does not decode".to_owned());
        }
        Ok(())
    })?;
    each(snapshot, Table::Observed, |key, value| {
        if keys::parse_object(key).is_none() || record::decode::<Watched>(value).is_err() {
            report.add("what was observed of an object does not decode".to_owned());
        }
        Ok(())
    })?;
    each(snapshot, Table::KeptBack, |key, value| {
        if let Err(error) = kept_back::line(key, value) {
            report.add(format!("a withheld operation or a hold: {error}"));
        }
        Ok(())
    })?;
    each(snapshot, Table::Enrolments, |key, value| {
        if let Err(error) = enrolments::line(key, value) {
            report.add(format!("what is remembered of the enrolled group: {error}"));
        }
        Ok(())
    })?;
    each(snapshot, Table::Intents, |key, value| {
        if keys::parse_number(key).is_none() || record::decode::<Vec<ObjectIntent>>(value).is_err() {
            report.add("a batch of create-intents does not decode".to_owned());
        }
        Ok(())
    })
}

/// Shows every entry of a table.
pub(super) fn each(
    snapshot: &Snapshot,
    table: Table,
    show: impl FnMut(&[u8], &[u8]) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    snapshot.each_raw(table, &[], show)
}

fn check_object(
    snapshot: &Snapshot,
    key: &[u8],
    value: &[u8],
    report: &mut Report,
) -> Result<(), StoreError> {
    let Some((kind, id)) = keys::parse_object(key) else {
        report.add("an object's key does not decode".to_owned());
        return Ok(());
    };
    let record: Record = match Record::decode(kind, id, value) {
        Ok(record) => record,
        Err(error) => {
            report.add(format!("{kind} {id}: {error}"));
            return Ok(());
        }
    };
    report.counts.count_record(kind, &Facts::of(&record), true);
    if let Some(link) = &record.link
        && snapshot.owner(kind, &link.target)? != Some(id)
    {
        report.add(format!(
            "{kind} {id}: its resource {} does not know it as its owner",
            link.target
        ));
    }
    if let Some(manager) = record.object.manager {
        let key = keys::referrer(&manager, ObjectKind::User, &id);
        if snapshot.raw(Table::Referrers, &key)?.is_none() {
            report.add(format!(
                "user {id}: its manager {manager} does not know it as a report"
            ));
        }
    }
    Ok(())
}

fn check_owner(snapshot: &Snapshot, key: &[u8], value: &[u8], report: &mut Report) -> Result<(), StoreError> {
    let (Some((kind, target)), Some(id)) = (keys::parse_resource(key), keys::parse_id(value)) else {
        report.add("the owner of a resource does not decode".to_owned());
        return Ok(());
    };
    let Ok(record) = snapshot.record(kind, &id) else {
        return Ok(());
    }; // reported with the object
    let linked = record
        .and_then(|record| record.link)
        .is_some_and(|link| link.target == target);
    if !linked {
        report.add(format!(
            "resource {target} belongs to {kind} {id}, which is not linked with it"
        ));
    }
    Ok(())
}

fn check_edge(snapshot: &Snapshot, key: &[u8], value: &[u8], report: &mut Report) -> Result<(), StoreError> {
    report.counts.count_edge(true);
    let (Some((group, member)), Ok(_)) = (keys::parse_edge(key), record::decode::<Membership>(value)) else {
        report.add("a membership does not decode".to_owned());
        return Ok(());
    };
    let key = keys::referrer(&member, ObjectKind::Group, &group);
    if snapshot.raw(Table::Referrers, &key)?.is_none() {
        report.add(format!(
            "group {group}: no reference is stored for its member {member}"
        ));
    }
    Ok(())
}

fn check_referrer(snapshot: &Snapshot, key: &[u8], report: &mut Report) -> Result<(), StoreError> {
    let Some((referred, kind, by)) = keys::parse_referrer(key) else {
        report.add("a reference does not decode".to_owned());
        return Ok(());
    };
    let refers = match kind {
        ObjectKind::Group => snapshot.raw(Table::Edges, &keys::edge(&by, &referred))?.is_some(),
        ObjectKind::User => match snapshot.record(kind, &by) {
            Ok(record) => record.is_some_and(|record| record.object.manager == Some(referred)),
            Err(_) => true, // reported with the object
        },
    };
    if !refers {
        report.add(format!(
            "{kind} {by} is recorded as referring to {referred}, but does not"
        ));
    }
    Ok(())
}

fn check_meta(snapshot: &Snapshot, report: &mut Report) -> Result<(), StoreError> {
    let mut decodes = |what: &str, read: Result<(), StoreError>| match read {
        Err(StoreError::Damaged { what: error, .. }) => {
            report.add(format!("{what}: {error}"));
            Ok(())
        }
        other => other,
    };
    for kind in [ObjectKind::User, ObjectKind::Group] {
        decodes(&format!("the stream of {kind}s"), snapshot.stream(kind).map(drop))?;
        decodes(
            &format!("the end of the round of {kind}s"),
            snapshot.finishing(kind).map(drop),
        )?;
    }
    decodes("the binding", snapshot.binding().map(drop))?;
    decodes(
        "the summaries of cycles",
        snapshot.cycles(crate::snapshot::work::CYCLES_KEPT).map(drop),
    )?;
    check_state(snapshot, report)
}

/// Checks every value that is stored under a name.
fn check_state(snapshot: &Snapshot, report: &mut Report) -> Result<(), StoreError> {
    let mut one = |read: Result<(), StoreError>| match read {
        Err(StoreError::Damaged { what, .. }) => {
            report.add(what);
            Ok(())
        }
        other => other,
    };
    one(snapshot.state(&state::SENT_REMOVALS).map(drop))?;
    one(snapshot.state(&state::NAMED).map(drop))?;
    one(snapshot.state(&state::OPEN_WRITES).map(drop))?;
    one(snapshot.state(&state::ANSWERED_CREATES).map(drop))?;
    one(snapshot.state(&state::ANOTHER_WRITER).map(drop))?;
    one(snapshot.state(&state::STANDING).map(drop))?;
    one(snapshot.state(&quarantine::QUARANTINE).map(drop))?;
    one(snapshot.state(&kept_back::PAUSE).map(drop))?;
    one(snapshot.state(&enrolments::GROUP).map(drop))?;
    for text in state::TEXTS {
        one(snapshot.state(&text).map(drop))?;
    }
    for mark in [state::INITIAL_DONE, state::INCOMPLETE] {
        one(snapshot.state(&mark).map(drop))?;
    }
    one(snapshot.state(&observed::OBSERVATION).map(drop))?;
    one(snapshot.state(&state::NOTICES).map(drop))?;
    one(snapshot.state(&state::TAKEN).map(drop))?;
    one(snapshot.state(&state::ASKED_AT).map(drop))?;
    one(snapshot.state(&state::SWEEP).map(drop))?;
    one(snapshot.state(&cells::WAY_BACK).map(drop))?;
    one(snapshot.state(&assignments::ASSIGNMENTS).map(drop))?;
    one(snapshot.state(&assignments::WATCH).map(drop))?;
    one(snapshot.state(&state::BASELINE).map(drop))?;
    one(snapshot.state(&state::SEED).map(drop))?;
    for kind in [ObjectKind::User, ObjectKind::Group] {
        one(snapshot.state(&state::target_size(kind)).map(drop))?;
    }
    let pins = keys::meta::free(state::PRESET_PIN.name());
    for (key, _) in snapshot.raw_scan(Table::Meta, &pins, None, usize::MAX)? {
        let preset = String::from_utf8_lossy(&key[pins.len()..]);
        one(snapshot.state_under(&state::PRESET_PIN, &preset).map(drop))?;
    }
    each(snapshot, Table::Meta, |key, value| {
        one(snapshot.check_look(key, value))
    })?;
    match snapshot.all_undone() {
        Ok(all) => all
            .iter()
            .try_for_each(|(kind, id)| one(snapshot.undone(*kind, id).map(drop))),
        Err(error) => one(Err(error)),
    }
}

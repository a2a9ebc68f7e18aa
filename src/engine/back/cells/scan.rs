//! Everybody who is linked, compared with one complete reading of the target.

use std::collections::BTreeSet;

use super::findings::Tally;
use super::person::KIND;
use super::person::Person;
use super::person::Reading;
use crate::engine::back::WrittenBack;
use crate::engine::readings::stored::StoredReading;
use crate::mapping::read_path;
use crate::model::id::SourceId;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::reconcile::back::decide::Step;
use crate::snapshot::cells::CellReads;
use crate::snapshot::pages::Pages;
use crate::snapshot::read::Reads;
use crate::snapshot::record::Record;
use crate::snapshot::store::Snapshot;

/// What a reading came to.
#[derive(Default)]
pub(super) struct Scanned {
    /// Users of whom something is to be written, or looked at, with the properties that it is about.
    pub(super) due: Vec<(Person, BTreeSet<String>)>,
    /// Users of whom something waits for a person.
    pub(super) waiting: Vec<Person>,
    /// What a person should know of all others.
    pub(super) tally: Tally,
}

/// Returns the properties of which somebody's value is read at the target, beside those that are known to be readable.
pub(super) fn readable(
    snapshot: &Snapshot,
    ways: &[WrittenBack],
    known: &BTreeSet<String>,
) -> Result<BTreeSet<String>, StoreError> {
    let mut readable = known.clone();
    let mut pages = Pages::fixed(|record: &Record| record.object.id);
    while let Some(page) = pages.next_page(|after, limit| snapshot.scan_records(KIND, after, limit))? {
        if ways.iter().all(|way| readable.contains(&way.property)) {
            break;
        }
        for link in page.iter().filter_map(|record| record.link.as_ref()) {
            let Some(read) = snapshot.reading::<StoredReading>(KIND, &link.target)? else {
                continue;
            };
            let body = read.body();
            let holds = |way: &&WrittenBack| {
                let value = read_path(&body, &way.path);
                value.is_some_and(|value| !way.rules.compare.is_empty(&value))
            };
            readable.extend(ways.iter().filter(holds).map(|way| way.property.clone()));
        }
    }
    Ok(readable)
}

/// Decides every cell by what is known, and keeps (with `keeps`) what came to nothing. What is to be sent is not decided before
/// Entra was asked.
pub(super) fn scan(
    snapshot: &Snapshot,
    ways: &[WrittenBack],
    reading: &Reading,
    keeps: bool,
) -> Result<Scanned, StoreError> {
    let mut scanned = Scanned::default();
    let mut pages = Pages::fixed(|record: &Record| record.object.id);
    while let Some(page) = pages.next_page(|after, limit| snapshot.scan_records(KIND, after, limit))? {
        let mut tx = snapshot.tx()?;
        for record in &page {
            let before = snapshot.cells(&record.object.id)?;
            let Some(mut person) = Person::of(snapshot, record, ways, reading)? else {
                if before.is_some() && keeps {
                    tx.delete_cells(&record.object.id);
                }
                continue;
            };
            let due = decide_all(&mut person, ways, reading);
            if keeps
                && before.as_ref() != Some(&person.row)
                && (before.is_some() || !person.row.cells.is_empty())
            {
                tx.put_cells(&person.id, &person.row);
            }
            scanned.sort(person, due);
        }
        if !tx.is_empty() {
            tx.commit(Durability::Lazy)?;
        }
    }
    if keeps {
        forget_others(snapshot)?;
    }
    Ok(scanned)
}

/// Decides each attribute of a user. Returns those that Entra is to be asked about.
fn decide_all(person: &mut Person, ways: &[WrittenBack], reading: &Reading) -> BTreeSet<String> {
    let mut due = BTreeSet::new();
    for way in ways {
        let decision = person.decide(way, reading);
        match decision.step {
            Step::Nothing(_) => person.keep(&way.property, &decision, reading.now),
            Step::Look | Step::Write(_) | Step::Clear(_) => {
                due.insert(way.property.clone());
            }
        }
    }
    // What is not written back any more is not remembered.
    let written = |property: &String| ways.iter().any(|way| way.property == *property);
    person.row.cells.retain(|property, _| written(property));
    due
}

impl Scanned {
    fn sort(&mut self, person: Person, due: BTreeSet<String>) {
        if !due.is_empty() {
            return self.due.push((person, due));
        }
        self.settle(person);
    }

    /// Takes a user of whom nothing more is to be asked.
    pub(super) fn settle(&mut self, person: Person) {
        self.tally.add(person.id, &person.row);
        let mut cells = person.row.cells.values();
        if cells.any(|kept| super::person::is_for_a_person(&kept.cell)) {
            self.waiting.push(person);
        }
    }
}

/// Deletes the cells of whoever is no user of the snapshot any more.
fn forget_others(snapshot: &Snapshot) -> Result<(), StoreError> {
    let mut gone: Vec<SourceId> = Vec::new();
    snapshot.each_cells(|id, _| {
        if snapshot.read_brief(KIND, &id)?.is_none() {
            gone.push(id);
        }
        Ok(())
    })?;
    let mut tx = snapshot.tx()?;
    gone.iter().for_each(|id| tx.delete_cells(id));
    if tx.is_empty() {
        return Ok(());
    }
    tx.commit(Durability::Lazy)
}

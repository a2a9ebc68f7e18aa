//! A user as this reading knows them: how they stand, and what both sides hold of each attribute that is written back.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::engine::back::WrittenBack;
use crate::engine::intake::scoping::Scoping;
use crate::engine::judge::kept_back::KeptBack;
use crate::engine::readings::stored::StoredReading;
use crate::mapping::TargetPath;
use crate::mapping::read_path;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::object::Life;
use crate::model::value::Attributes;
use crate::model::value::Value;
use crate::ports::StoreError;
use crate::reconcile::back::cell::Cell;
use crate::reconcile::back::cell::Held;
use crate::reconcile::back::cell::ReadingId;
use crate::reconcile::back::cell::Writable;
use crate::reconcile::back::decide::Decision;
use crate::reconcile::back::decide::OnConflict;
use crate::reconcile::back::decide::Quiet;
use crate::reconcile::back::decide::Rules;
use crate::reconcile::back::decide::Sight;
use crate::reconcile::back::decide::Standing;
use crate::reconcile::back::decide::Step;
use crate::reconcile::back::decide::decide;
use crate::reconcile::back::echo::FromEntra;
use crate::reconcile::back::finding::Finding;
use crate::reconcile::guard::Class;
use crate::reconcile::operation::Verb;
use crate::reconcile::scope;
use crate::snapshot::cells::CellReads;
use crate::snapshot::cells::KeptCell;
use crate::snapshot::cells::UserCells;
use crate::snapshot::kept_back::WithheldKey;
use crate::snapshot::read::Reads;
use crate::snapshot::record::Record;
use crate::snapshot::scope::ScopeEntry;
use crate::snapshot::scope::ScopeReads;
use crate::snapshot::store::Snapshot;

/// The kind of whoever has cells.
pub(super) const KIND: ObjectKind = ObjectKind::User;
/// Whether an account is enabled, and whether it is mastered on premises: what is asked for beside the attributes.
pub(super) const ENABLED: &str = "accountEnabled";
/// See [`ENABLED`].
pub(super) const SYNCED: &str = "onPremisesSyncEnabled";

/// One complete reading of the target, and the rules that it is judged by.
#[derive(Clone)]
pub(super) struct Reading {
    /// Its number.
    pub(super) id: ReadingId,
    /// When it was.
    pub(super) now: Timestamp,
    /// The moment up to which the stream of users was read to its end.
    pub(super) source_read: Option<Timestamp>,
    /// The properties of which somebody's value was read at the target, in this reading or an earlier one.
    pub(super) readable: BTreeSet<String>,
    /// True while a person keeps the whole job from writing.
    pub(super) paused: bool,
    /// What people keep back or let through.
    pub(super) kept_back: KeptBack,
    /// Names that are never touched.
    pub(super) protect: Vec<String>,
    /// Users with an entry in escrow.
    pub(super) in_escrow: BTreeSet<SourceId>,
    /// Who is in scope by what was read of them last, which may be by a cycle that only planned.
    pub(super) scope: Scoping,
}

/// The key under which what is withheld of a user's write-back stands.
pub(super) const fn withheld_key(id: SourceId) -> WithheldKey {
    (KIND, id, Class::WriteBack)
}

impl Reading {
    /// Returns true where a person let through what was withheld of this user.
    pub(super) fn released(&self, id: SourceId) -> bool {
        let key = withheld_key(id);
        self.kept_back.released(&key, Verb::write_back()).is_some()
    }

    fn protects(&self, record: &Record) -> bool {
        let sent = record.link.as_ref().map(|link| &link.sent);
        let named = |attributes: &Attributes, name: &str| {
            let value = attributes.get(name).and_then(Value::as_str);
            value.is_some_and(|value| self.is_protected(value))
        };
        let at_source = ["userPrincipalName", "mail", "displayName"];
        let at_target = ["userName", "displayName"];
        self.is_protected(&record.object.id.to_string())
            || at_source
                .iter()
                .any(|name| named(&record.object.attributes, name))
            || at_target
                .iter()
                .any(|name| sent.is_some_and(|sent| named(sent, name)))
    }

    fn is_protected(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        self.protect
            .iter()
            .any(|protected| protected.to_lowercase() == name)
    }
}

/// A linked user.
pub(super) struct Person {
    pub(super) id: SourceId,
    /// The name that people know them by.
    pub(super) name: String,
    pub(super) target: TargetId,
    pub(super) standing: Standing,
    /// True where the user is active at the target.
    active: bool,
    pub(super) writable: Writable,
    /// What is remembered.
    pub(super) row: UserCells,
    /// What the target was read to hold, by property.
    targets: BTreeMap<String, Value>,
    /// What Entra holds, by property.
    sources: BTreeMap<String, Value>,
    /// True once Entra was asked for it just now.
    looked: bool,
}

impl Person {
    /// Puts together what is known of a linked user. Returns `None` for a user without a link.
    pub(super) fn of(
        snapshot: &Snapshot,
        record: &Record,
        ways: &[WrittenBack],
        reading: &Reading,
    ) -> Result<Option<Self>, StoreError> {
        let Some(link) = &record.link else { return Ok(None) };
        let (object, target) = (&record.object, link.target.clone());
        let fresh = || UserCells {
            target: target.clone(),
            cells: BTreeMap::new(),
        };
        let kept = snapshot.cells(&object.id)?;
        let row = kept.map_or_else(fresh, |kept| of_resource(kept, &target));
        let read = snapshot.reading::<StoredReading>(KIND, &target)?;
        let body = read.as_ref().map(StoredReading::body);
        let written = read.as_ref().map(StoredReading::written).unwrap_or_default();
        let told = |way: &&WrittenBack| !written.iter().any(|name| name == way.path.name());
        let targets = ways.iter().filter(told).filter_map(|way| {
            let value = read_path(body.as_ref()?, &way.path).unwrap_or_default();
            Some((way.property.clone(), value))
        });
        Ok(Some(Self {
            id: object.id,
            name: object.name(),
            standing: standing(snapshot, record, reading)?,
            active: body.as_ref().is_none_or(is_active),
            writable: writable(&object.attributes),
            row,
            targets: targets.collect(),
            sources: sources(&object.attributes, ways),
            looked: false,
            target,
        }))
    }

    /// Takes what Entra was just asked for: its answer is the user's standing by now.
    pub(super) fn look(&mut self, attributes: &Attributes, ways: &[WrittenBack]) {
        self.sources = sources(attributes, ways);
        self.writable = writable(attributes);
        self.looked = true;
        let disabled = attributes.get(ENABLED).and_then(Value::as_bool) == Some(false);
        if disabled {
            self.standing = Standing::Left;
        }
    }

    /// Returns what Entra holds of a property, where it was read.
    pub(super) fn source(&self, property: &str) -> Option<&Value> {
        self.sources.get(property)
    }

    /// Decides one attribute, without changing what is remembered.
    pub(super) fn decide(&self, way: &WrittenBack, reading: &Reading) -> Decision {
        let kept = self.row.cells.get(&way.property);
        let mut cell = kept.map_or_else(Cell::default, |kept| kept.cell.clone());
        let mut rules = way.rules;
        if reading.released(self.id) && is_for_a_person(&cell) {
            cell = cell.released();
            rules = Rules {
                on_conflict: OnConflict::Authority,
                ..rules
            };
        }
        let held = |path: &str| reading.kept_back.attribute(KIND, self.id, path).is_some();
        let standing = match self.standing {
            Standing::Complete if held(way.path.as_str()) || held(&way.property) => Standing::KeptBack,
            standing => standing,
        };
        let sight = Sight {
            standing,
            source: FromEntra {
                value: self.sources.get(&way.property),
                looked: self.looked,
                as_of: reading.source_read,
            },
            target: self.targets.get(&way.property),
            reading: reading.id,
            readable: reading.readable.contains(&way.property),
            active: self.active,
            writable: self.writable,
            now: reading.now,
        };
        decide(&cell, &sight, &rules)
    }

    /// Remembers a cell as it was decided.
    pub(super) fn keep(&mut self, property: &str, decision: &Decision, now: Timestamp) {
        let before = self.row.cells.get(property);
        let kept = kept(before, decision, now);
        if kept.cell == Cell::default() {
            self.row.cells.remove(property);
        } else {
            self.row.cells.insert(property.to_owned(), kept);
        }
    }
}

/// Returns the cells of a user for this resource: those of another one are forgotten.
fn of_resource(kept: UserCells, target: &TargetId) -> UserCells {
    if kept.target == *target {
        return kept;
    }
    let cells = kept.cells.into_iter();
    let forgotten = cells.map(|(property, kept)| (property, kept.forgotten()));
    UserCells {
        target: target.clone(),
        cells: forgotten
            .filter(|(_, kept)| kept.cell != Cell::default())
            .collect(),
    }
}

/// Returns what is kept of a cell after a decision.
pub(super) fn kept(before: Option<&KeptCell>, decision: &Decision, now: Timestamp) -> KeptCell {
    let cell = decision.cell.clone();
    let is_first = before.is_none_or(|before| before.cell.base.is_none());
    let last = decision.findings.last().copied();
    let lasting = before.and_then(|before| before.finding);
    let ended = match (&decision.step, lasting) {
        // A write that is decided may never be carried, where the target moves back before it is.
        (Step::Nothing(Quiet::InStep | Quiet::Left), _) => true,
        (_, Some((Finding::Conflict | Finding::TwoWriters, _))) => !is_for_a_person(&cell),
        _ => false,
    };
    let same_base = before.filter(|before| before.cell.base == cell.base);
    let mut found = decision.findings.iter().rev().copied();
    let of_new = found.find(|found| found.is_of_base()).map(|found| (found, now));
    let of_base = same_base.map_or(of_new, |before| before.of_base);
    let is_unchanged = decision.step == Step::Nothing(Quiet::Unchanged);
    let finding = match last {
        Some(found) if lasting.is_some_and(|(before, _)| before == found) => lasting,
        Some(found) => Some((found, now)),
        None => lasting.filter(|_| !ended).or(of_base.filter(|_| is_unchanged)),
    };
    KeptCell {
        cell,
        since: before.filter(|_| !is_first).map_or(now, |before| before.since),
        finding,
        of_base,
    }
}

/// Returns true for a cell that waits until a person decides.
pub(super) const fn is_for_a_person(cell: &Cell) -> bool {
    matches!(cell.held, Some(Held::Conflict | Held::TwoWriters))
}

fn standing(snapshot: &Snapshot, record: &Record, reading: &Reading) -> Result<Standing, StoreError> {
    let object = &record.object;
    let gone = match object.life {
        Life::Alive => false,
        Life::Gone(_) => true,
        // Whether it lives is not known.
        Life::Missing | Life::Unknown => return Ok(Standing::Incomplete),
    };
    let entry = snapshot.scope_entry(KIND, &object.id)?;
    if gone || entry == Some(ScopeEntry::Out) || !object.account_enabled() {
        return Ok(Standing::Left);
    }
    // Whoever is on the way out by what is known is not written to meanwhile: the next cycle settles it.
    let leaves = reading.scope.divides(KIND)
        && !matches!(reading.scope.decide(snapshot, record)?, scope::Decision::InScope);
    if leaves || entry.is_some() || reading.in_escrow.contains(&object.id) {
        return Ok(Standing::Incomplete);
    }
    let held = reading.kept_back.whole(KIND, object.id).is_some();
    if held || reading.paused || reading.protects(record) {
        return Ok(Standing::KeptBack);
    }
    Ok(Standing::Complete)
}

fn sources(attributes: &Attributes, ways: &[WrittenBack]) -> BTreeMap<String, Value> {
    let value = |way: &WrittenBack| {
        let value = attributes.get(way.property.as_str())?;
        Some((way.property.clone(), value.clone()))
    };
    ways.iter().filter_map(value).collect()
}

fn writable(attributes: &Attributes) -> Writable {
    Writable {
        synced: attributes
            .get(SYNCED)
            .map(|value| value.as_bool().unwrap_or(false)),
        ..Writable::default()
    }
}

/// Returns true for a resource that is active, or does not say.
fn is_active(body: &Json) -> bool {
    read_path(body, TargetPath::active()) != Some(Value::Bool(false))
}

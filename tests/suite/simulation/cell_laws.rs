//! The laws of values that are carried back (docs/design/write-back.md, "Laws"), judged at each write that reaches Entra, at the end of
//! each cycle, and once all is quiet.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use melonsync::model::clock::Timestamp;
use melonsync::model::id::ObjectKind;
use melonsync::model::id::SourceId;
use melonsync::ports::Sent;
use melonsync::ports::UserWrite;
use melonsync::reconcile::guard::Class;
use melonsync::snapshot::cells::CellReads;
use melonsync::snapshot::cells::UserCells;
use melonsync::snapshot::kept_back::KeptBackReads;
use melonsync::snapshot::kept_back::WithheldKey;
use melonsync::snapshot::store::Snapshot;

use super::cells::PROPERTY;
use super::directory::Life;
use super::judge::Judge;
use super::site::Inner;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// A write that is not seen is sent once more after two looks, a quarter of an hour apart.
const LOOKED_FOR: Duration = Duration::from_secs(30 * 60);
/// The most writes of one cell within a day.
const MOST_A_DAY: usize = 6;

/// What became of one cell so far.
#[derive(Debug, Default)]
struct Course {
    /// How often somebody edited it at the target.
    edits: u64,
    /// Writes that Entra may have carried out.
    sent: u64,
    /// Writes that may be sent once more: nobody knows whether they were carried out, or that they were was forgotten.
    again: u64,
    /// When they were sent.
    at: Vec<Timestamp>,
    /// Every value that the target held.
    held: BTreeSet<String>,
    /// The last write: its value, when it was sent, and how often the cell had been edited then.
    last: Option<(String, Timestamp, u64)>,
    /// In which cycles a listing showed it empty since it last showed a value; `None` where it never showed one.
    empty: Option<Vec<(u64, Timestamp)>>,
    /// Every listing that showed it empty: after a power cut nobody remembers what was shown between them.
    ever_empty: Vec<(u64, Timestamp)>,
    /// The last cycle in which a listing showed a value.
    valued: u64,
}

impl Course {
    fn note(&mut self, write: &UserWrite, now: Timestamp) {
        let values = write.properties.iter().map(|(_, value)| value.as_str());
        let value = values.map(Option::unwrap_or_default).collect();
        self.last = Some((value, now, self.edits));
    }
}

/// What the laws go by.
#[derive(Debug, Default)]
pub struct CellLaws {
    pub clear_after: Duration,
    pub most_clears: u64,
    now_ms: i64,
    cycle: u64,
    cells: BTreeMap<SourceId, Course>,
    /// Somebody's value was listed in the cycle under way; and in one that came to its end.
    lists_value: bool,
    reads: bool,
    readable: bool,
    clears: u64,
    ledger: Vec<(Timestamp, u64)>,
}

impl CellLaws {
    /// A cycle begins. `reads`: what it lists of the target is taken for the way back.
    pub fn begin(&mut self, now: Timestamp, reads: bool) {
        (self.now_ms, self.clears, self.lists_value, self.reads) = (now.0, 0, false, reads);
        self.cycle += 1;
    }

    const fn now(&self) -> Timestamp {
        Timestamp(self.now_ms)
    }

    fn of(&mut self, user: SourceId) -> &mut Course {
        self.cells.entry(user).or_default()
    }

    // ------------------------------------------------------------------------------------ what is said

    /// The target holds a value for somebody.
    pub fn holds(&mut self, user: SourceId, value: &str) {
        self.of(user).held.insert(value.to_owned());
    }

    pub fn edited(&mut self, user: SourceId, value: &str) {
        self.of(user).edits += 1;
        self.holds(user, value);
    }

    /// A listing of the target shows what it holds.
    pub fn listed(&mut self, user: SourceId, value: &str) {
        let (cycle, now) = (self.cycle, self.now());
        self.lists_value |= self.reads && !value.is_empty();
        let cell = self.of(user);
        if value.is_empty() {
            cell.ever_empty.push((cycle, now));
        } else {
            cell.valued = cycle;
        }
        match &mut cell.empty {
            seen if !value.is_empty() => *seen = Some(Vec::new()),
            Some(cycles) if cycles.last().is_none_or(|(last, _)| *last != cycle) => cycles.push((cycle, now)),
            Some(_) | None => {}
        }
    }

    // --------------------------------------------------------------------------------- what is written

    /// Judges a write that reaches Entra.
    pub fn written(&mut self, write: &UserWrite, judge: &Judge) -> Vec<String> {
        let user = write.user;
        let said = judge.said_of(&user);
        let (now, after) = (self.now(), self.clear_after);
        let cell = self.of(user);
        let mut found = Vec::new();
        let mut object = |broken: bool, what: &str| {
            if broken {
                found.push(format!("{write:?} {what}: {said:?}, {cell:?}"));
            }
        };
        let away = said.gone.is_some() || said.enabled == Some(false) || said.elsewhere;
        object(judge.planning, "was sent by a cycle that only plans");
        object(away && !said.unsure, "is of somebody who left");
        for (_, value) in &write.properties {
            let text = value.as_str().unwrap_or_default();
            object(!cell.held.contains(text), "was never at the target");
            let cycles = cell.empty.as_deref().unwrap_or_default();
            let proven = cycles.len() > 1 && cycles.first().is_some_and(|(_, at)| now.since(*at) >= after);
            let again = cell.last.as_ref().is_some_and(|(last, at, edits)| {
                let at_once = now >= *at && now.since(*at) < LOOKED_FOR;
                last == text && *edits == cell.edits && at_once
            });
            object(again, "was sent once more without two looks");
            object(
                text.is_empty() && !proven,
                "clears, and no two listings after a value show that there is none",
            );
        }
        found
    }

    /// Counts what was sent, as it was answered.
    pub fn answered(&mut self, write: &UserWrite, answer: &Sent) {
        let now = self.now();
        let cell = self.of(write.user);
        match answer {
            Sent::NotYet(_) | Sent::Refused { .. } => return,
            Sent::Unanswered(_) => cell.again += 1,
            Sent::Done | Sent::AlreadySo => {}
        }
        cell.sent += 1;
        cell.at.push(now);
        cell.note(write, now);
        let clears = write.properties.iter().filter(|(_, value)| value.is_null());
        self.clears += clears.count() as u64;
    }

    /// It was stored as open, and the process died.
    pub fn may_be_sent_again(&mut self, write: &UserWrite) {
        let now = self.now();
        let cell = self.of(write.user);
        cell.note(write, now);
        cell.sent += 1;
        cell.again += 1;
    }

    // ------------------------------------------------------------------------------------ how it ended

    /// What must hold after any cycle that came to its end.
    pub fn end(&mut self, window: Duration) -> Vec<String> {
        let now = self.now();
        self.readable |= self.lists_value;
        let mut found = Vec::new();
        for (user, cell) in &self.cells {
            if cell.sent > cell.edits + cell.again {
                found.push(format!(
                    "{user} was edited {} times at the target, and written {} times, {} of them without an answer",
                    cell.edits, cell.sent, cell.again
                ));
            }
            let today = |at: &&Timestamp| **at <= now && now.since(**at) < DAY;
            if cell.at.iter().filter(today).count() > MOST_A_DAY {
                found.push(format!(
                    "{user} was written more than {MOST_A_DAY} times within a day"
                ));
            }
        }
        let since = now.minus(window);
        let earlier = self.ledger.iter().filter(|(at, _)| *at >= since);
        let before: u64 = earlier.map(|(_, clears)| clears).sum();
        if self.clears > 0 && self.clears + before > self.most_clears {
            found.push(format!(
                "{} values were cleared, and {before} within the window before: the guard lets {} through",
                self.clears, self.most_clears
            ));
        }
        self.ledger.push((now, self.clears));
        found
    }

    pub fn forget_counts(&mut self) {
        self.ledger.clear();
    }

    /// The cycle broke off: what it listed of values is no reading.
    pub fn broke_off(&mut self) {
        let cycle = self.cycle;
        for cell in self.cells.values_mut().filter(|cell| cell.valued == cycle) {
            cell.empty = Some(cell.ever_empty.clone());
        }
    }

    /// The process died. Of what was answered last nobody knows whether it was recorded; after a power cut of nothing.
    pub fn died(&mut self, power: bool) {
        self.forget_counts();
        self.broke_off();
        self.readable &= !power;
        let now = self.now();
        for cell in self.cells.values_mut() {
            if power && cell.empty.is_some() {
                cell.empty = Some(cell.ever_empty.clone());
            }
            let this_cycle = cell.at.last().is_some_and(|at| *at == now);
            if cell.sent > 0 && (power || this_cycle) {
                cell.again += 1;
            }
        }
    }
}

/// What is found of edits in Entra.
const OF_ENTRA: [&str; 2] = ["source_edited_target_owned", "edit_beats_clear"];

/// What the store says of each value: a finding, a hold, or that it waits for a person.
pub fn told(snapshot: &Snapshot) -> BTreeMap<SourceId, BTreeSet<&'static str>> {
    let mut told: BTreeMap<SourceId, BTreeSet<&'static str>> = BTreeMap::new();
    let withheld = |key: WithheldKey, _| {
        if key.2 == Class::WriteBack {
            told.entry(key.1).or_default().insert("withheld");
        }
        Ok(())
    };
    snapshot.each_withheld(withheld).unwrap();
    let cells = |user, row: UserCells| {
        for kept in row.cells.values() {
            let held = kept.cell.held.as_ref().map(|_| "held");
            let found = kept.finding.map(|(finding, _)| finding.code());
            told.entry(user)
                .or_default()
                .extend(held.into_iter().chain(found));
        }
        Ok(())
    };
    snapshot.each_cells(cells).unwrap();
    told
}

impl Inner {
    /// Every value that differs and of which nothing says why, once all is quiet.
    pub fn cells_differ(&self, told: &BTreeMap<SourceId, BTreeSet<&'static str>>) -> Vec<String> {
        let mut found = Vec::new();
        // Whoever has a value that the target never keeps is in escrow, and nothing is derived of them.
        let not_kept: BTreeSet<SourceId> = self.judge.not_kept.iter().map(|(user, _)| *user).collect();
        // Where nobody's value was ever read, an empty one says nothing.
        let readable = self.cells.laws.readable;
        for user in self.directory.ids(ObjectKind::User, Life::Live) {
            let Some(entity) = self.directory.now(&user) else {
                continue;
            };
            let held = self.service.owned_by(&user);
            let [(_, held)] = held[..] else { continue };
            let (here, there) = (entity.text(PROPERTY), &held.nick);
            let says = told.get(&user).into_iter().flatten();
            // Where nobody edits in Entra, nothing may be laid upon an edit there.
            let mut says = says.filter(|code| !self.cells.only_target || !OF_ENTRA.contains(code));
            let excused =
                says.next().is_some() || not_kept.contains(&user) || (there.is_empty() && !readable);
            if entity.enabled() && entity.in_scope() && here != there && !excused {
                found.push(format!(
                    "{user} has {here:?} in Entra and {there:?} at the target, and nothing says why: {:?}",
                    told.get(&user)
                ));
            }
        }
        found
    }
}

//! The beginning of a cycle: what the last one left in its scratch tables goes, and everything is marked where the rules changed.

use std::collections::BTreeSet;

use super::error::CycleError;
use super::escrow::Escrow;
use super::job::Extent;
use super::run::Run;
use super::summary::Kind;
use crate::model::clock::Timestamp;
use crate::model::cursor::Cursor;
use crate::model::id::ObjectKind;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::snapshot::assignments::Watch;
use crate::snapshot::read::Reads;
use crate::snapshot::record::DirtyCause;
use crate::snapshot::state::CARRIED_OUT;
use crate::snapshot::state::FINGERPRINT;
use crate::snapshot::state::INCOMPLETE;
use crate::snapshot::state::INITIAL_DONE;
use crate::snapshot::state::StateReads;
use crate::snapshot::store::Snapshot;

/// What a cycle begins with.
struct Beginning {
    fingerprint: String,
    watch: Watch,
    managed: BTreeSet<ObjectKind>,
    now: Timestamp,
    /// Every object is looked at.
    all: bool,
    /// The source is read anew.
    restart: bool,
    /// What only looks leaves marks that wake nobody in escrow, and does not take a changed config for carried over.
    looks: bool,
}

/// What is other than in the last cycle.
struct Changed {
    rules: bool,
    /// Who is counted as assigned.
    watch: bool,
    /// The fingerprint of the rules by which everything was marked last.
    before: Option<String>,
}

/// What is reported of a change: its words, and how many users and groups are looked at again.
type Announced = Option<(String, u64, u64)>;

/// Clears what the last cycle left in its scratch tables, and marks everything when the rules changed.
pub(super) async fn begin(run: &mut Run<'_>, escrow: &mut Escrow) -> Result<(), CycleError> {
    let first = run
        .store(|snapshot| Ok(!snapshot.has_state(&INITIAL_DONE)?))
        .await?;
    if first && run.order.extent == Extent::Changes {
        run.summary.kind = Kind::Initial;
    }
    let beginning = Beginning::of(run);
    let looks = beginning.looks;
    let (again, announced) = run
        .store(move |snapshot| {
            beginning.clear(snapshot)?;
            let changed = beginning.mark(snapshot)?;
            beginning.follow(snapshot, &changed)?;
            let again = changed.rules || beginning.all;
            Ok((again, beginning.announce(snapshot, changed)?))
        })
        .await?;
    escrow.retries = looks && again;
    if let Some((what, users, groups)) = announced {
        run.order.watcher.finding(&format!(
            "{what} changed since the last cycle: {users} users and {groups} groups are looked at again; links stay"
        ));
    }
    Ok(())
}

impl Beginning {
    fn of(run: &Run<'_>) -> Self {
        let extent = &run.order.extent;
        Self {
            fingerprint: run.job.fingerprint.clone(),
            watch: Watch {
                assigned: run.job.assignments_of().is_some(),
                nesting: run.job.assigning.nesting,
            },
            managed: run.job.managed.clone(),
            now: run.now,
            all: matches!(extent, Extent::All | Extent::Full | Extent::Restart),
            restart: *extent == Extent::Restart,
            looks: !run.order.apply,
        }
    }

    /// Clears the scratch tables.
    fn clear(&self, snapshot: &Snapshot) -> Result<(), StoreError> {
        snapshot.give_back_looks()?;
        snapshot.mark_due_looks(self.now)?;
        snapshot.clear_forecast()?;
        snapshot.clear_removals()?;
        snapshot.clear_scope_seen()?;
        for kind in [ObjectKind::User, ObjectKind::Group] {
            snapshot.clear_readings(kind)?;
        }
        Ok(())
    }

    /// Marks everything where the rules changed, or where everything is to be looked at.
    fn mark(&self, snapshot: &Snapshot) -> Result<Changed, StoreError> {
        let mut tx = snapshot.tx()?;
        let watch = tx.put_watch(self.watch)?;
        tx.commit(Durability::Lazy)?;
        let before = snapshot.state(&FINGERPRINT)?;
        let differs = |held: &String| *held != self.fingerprint;
        let rules = watch || before.as_ref().is_some_and(differs);
        if rules || self.all {
            let cause = match (self.looks, self.all) {
                (true, _) => DirtyCause::LOOK,
                (false, true) => DirtyCause::MANUAL,
                (false, false) => DirtyCause::CONFIG,
            };
            let held = before.as_deref().filter(|_| rules);
            let facts = held.map(|held| parts_changed(held, &self.fingerprint));
            let cause = cause.and(facts.unwrap_or_default());
            for kind in [ObjectKind::User, ObjectKind::Group] {
                snapshot.mark_all_dirty(kind, cause)?;
            }
        }
        Ok(Changed { rules, watch, before })
    }

    /// What follows from changed rules beyond the marks: what was refused is tried again, and the source is read anew where it
    /// is to be, or where objects were forgotten while the rules left them out.
    fn follow(&self, snapshot: &Snapshot, changed: &Changed) -> Result<(), StoreError> {
        if changed.rules {
            let mut tx = snapshot.tx()?;
            tx.hasten_refusals()?;
            if !tx.is_empty() {
                tx.commit(Durability::Lazy)?;
            }
        }
        let lacks = changed.rules && snapshot.has_state(&INCOMPLETE)?;
        let mut tx = snapshot.tx()?;
        if lacks {
            tx.delete_state(&INCOMPLETE);
        }
        if self.restart || lacks {
            for kind in [ObjectKind::User, ObjectKind::Group] {
                let mut stream = snapshot.stream(kind)?;
                stream.cursor = Cursor::Start;
                tx.put_stream(kind, &stream);
            }
        }
        let before = changed.before.as_ref();
        if !(self.looks && before.is_some()) && before != Some(&self.fingerprint) {
            tx.put_state(&FINGERPRINT, &self.fingerprint);
        }
        if !tx.is_empty() {
            tx.commit(Durability::Lazy)?;
        }
        Ok(())
    }

    /// Compares with the rules of the last `sync`, so that a change is reported in every `plan` until the next one.
    fn announce(&self, snapshot: &Snapshot, changed: Changed) -> Result<Announced, StoreError> {
        let before = snapshot.state(&CARRIED_OUT)?.or(changed.before);
        let what = before.and_then(|before| what_changed(&before, &self.fingerprint));
        let what = what.or_else(|| changed.watch.then(|| "the scope".to_owned()));
        let counts = snapshot.counts()?;
        let count = |kind| {
            if self.managed.contains(&kind) {
                counts.objects(kind)
            } else {
                0
            }
        };
        let (users, groups) = (count(ObjectKind::User), count(ObjectKind::Group));
        Ok(what
            .filter(|_| users + groups > 0)
            .map(|what| (what, users, groups)))
    }
}

/// Which of mapping, scope and policy differ, in words; `None` where none does. A fingerprint has a part for each, but
/// those of older snapshots.
fn what_changed(before: &str, now: &str) -> Option<String> {
    if before == now {
        return None;
    }
    let parts = |print: &str| print.split('-').map(str::to_owned).collect::<Vec<String>>();
    let names = ["the mapping", "the scope", "the policy"];
    let (before, now) = (parts(before), parts(now));
    if before.len() != names.len() || now.len() != names.len() {
        return Some("mapping, scope or policy".to_owned());
    }
    let differ = names.iter().zip(before.iter().zip(&now));
    let differ: Vec<&str> = differ
        .filter(|(_, (before, now))| before != now)
        .map(|(name, _)| *name)
        .collect();
    Some(differ.join(" and "))
}

/// The same as facts for the reasons of what follows from it. What else made everything dirty (who is counted as
/// assigned) is a rule of the scope.
fn parts_changed(before: &str, now: &str) -> DirtyCause {
    let parts = [
        ("the mapping", DirtyCause::MAPPING),
        ("the scope", DirtyCause::RULES),
        ("the policy", DirtyCause::POLICY),
    ];
    let all = DirtyCause::MAPPING.and(DirtyCause::RULES).and(DirtyCause::POLICY);
    let Some(words) = what_changed(before, now) else {
        return DirtyCause::RULES;
    };
    let named = parts.iter().filter(|(word, _)| words.contains(word));
    let named = named.fold(DirtyCause::default(), |facts, (_, fact)| facts.and(*fact));
    if named == DirtyCause::default() {
        all
    } else {
        named
    }
}

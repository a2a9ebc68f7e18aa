//! What a client learned of its target, in one place: shared by all requests in flight, stored through the port, and
//! reported.

use std::collections::BTreeSet;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use super::dialect::Dialect;
use super::dialect::PinnedDialect;
use super::learning::Learned;
use crate::model::clock::Clock;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::ports::Durability;
use crate::ports::Memory;
use crate::ports::TargetError;

/// The most shapes that are remembered. Bounds memory: a mapping makes few, but each attribute that only some objects
/// have doubles them.
const MOST_SHAPES: usize = 1024;

/// What was learned, and where it is stored.
#[derive(Debug)]
pub struct Experience {
    pinned: PinnedDialect,
    clock: Arc<dyn Clock>,
    learned: Mutex<Learned>,
    changed: AtomicBool,
    memory: tokio::sync::Mutex<Option<Arc<dyn Memory>>>,
    findings: Mutex<Findings>,
    /// The uses that are being read back just now: one read is enough for all that are in flight.
    claimed: Mutex<BTreeSet<String>>,
    /// The shapes of resources of which every use is known, until something else is learned. Checked for each create,
    /// whose text then need not be parsed.
    shapes: Mutex<HashSet<(ObjectKind, u64)>>,
    /// True if a first use that was interrupted could not be repaired in this cycle.
    gave_up: AtomicBool,
    /// The number of successive bundles that were split in vain: see [`Self::splits_in_vain`].
    vain_splits: AtomicU32,
    /// The same for bundles of members.
    vain_member_splits: AtomicU32,
    /// One first use at a time of a form that could remove members: the next one knows what it taught.
    pub(super) first_use: tokio::sync::Mutex<()>,
    /// One first change of a kind of attribute at a time.
    pub(super) first_change: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Findings {
    new: Vec<String>,
    said: BTreeSet<String>,
}

impl Experience {
    /// Starts with nothing learned.
    #[must_use]
    pub fn new(pinned: PinnedDialect, clock: Arc<dyn Clock>) -> Self {
        let mut learned = Learned::default();
        learned.under(&pinned);
        Self {
            pinned,
            clock,
            learned: Mutex::new(learned),
            changed: AtomicBool::new(false),
            memory: tokio::sync::Mutex::default(),
            findings: Mutex::default(),
            claimed: Mutex::default(),
            shapes: Mutex::default(),
            gave_up: AtomicBool::new(false),
            vain_splits: AtomicU32::new(0),
            vain_member_splits: AtomicU32::new(0),
            first_use: tokio::sync::Mutex::default(),
            first_change: tokio::sync::Mutex::default(),
        }
    }

    fn learned(&self) -> MutexGuard<'_, Learned> {
        self.learned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Restores what an earlier process stored, unless this one has it already.
    pub async fn recall(&self, kept: Option<String>, memory: Arc<dyn Memory>) {
        self.gave_up.store(false, Ordering::Relaxed);
        // Another cycle: what was refused for a while may be taken.
        self.vain_splits.store(0, Ordering::Relaxed);
        self.vain_member_splits.store(0, Ordering::Relaxed);
        let mut held = self.memory.lock().await;
        if held.replace(memory).is_some() {
            return;
        }
        let Some(kept) = kept else { return };
        match serde_json::from_str::<Learned>(&kept) {
            Ok(mut kept) => {
                kept.under(&self.pinned);
                *self.learned() = kept;
                self.shapes().clear();
            }
            Err(error) => tracing::warn!(
                "What was learned of the target's dialect cannot be read, and is learned again: {error}"
            ),
        }
    }

    /// Notes a bundle of attributes that was split, and whether anything of it was taken.
    pub fn note_split(&self, taken: bool) {
        note_in(&self.vain_splits, taken);
    }

    /// Returns true where no part of the last refused bundles was taken: splitting costs two requests an attribute.
    pub fn splits_in_vain(&self) -> bool {
        is_vain(&self.vain_splits)
    }

    /// Notes a split bundle of members, as [`Self::note_split`] does for attributes.
    pub fn note_member_split(&self, taken: bool) {
        note_in(&self.vain_member_splits, taken);
    }

    /// Returns for bundles of members what [`Self::splits_in_vain`] returns for attributes.
    pub fn splits_members_in_vain(&self) -> bool {
        is_vain(&self.vain_member_splits)
    }

    /// Leaves a first use that was interrupted to the next cycle.
    pub fn give_up(&self) {
        self.gave_up.store(true, Ordering::Relaxed);
    }

    /// Returns true where a first use was left to the next cycle.
    pub fn gave_up(&self) -> bool {
        self.gave_up.load(Ordering::Relaxed)
    }

    /// Returns the dialect in force.
    pub fn dialect(&self) -> Dialect {
        self.learned().dialect()
    }

    /// Looks something up.
    pub fn ask<T>(&self, look: impl FnOnce(&Learned) -> T) -> T {
        look(&self.learned())
    }

    /// Adds evidence that is always news.
    pub fn add<T>(&self, add: impl FnOnce(&mut Learned) -> T) -> T {
        self.changed.store(true, Ordering::Relaxed);
        let mut learned = self.learned();
        let added = add(&mut learned);
        self.shapes().clear();
        added
    }

    /// Adds evidence that may be known already: `add` returns whether it was new.
    pub fn note(&self, add: impl FnOnce(&mut Learned) -> bool) -> bool {
        let mut learned = self.learned();
        let news = add(&mut learned);
        if news {
            self.changed.store(true, Ordering::Relaxed);
            self.shapes().clear();
        }
        news
    }

    /// Returns the unknown uses of a create of this shape. Where there are none, its shape is remembered, and the next
    /// create of it is not parsed.
    pub fn new_uses(
        &self,
        kind: ObjectKind,
        shape: Option<u64>,
        look: impl FnOnce(&Learned) -> BTreeSet<String>,
    ) -> BTreeSet<String> {
        if shape.is_some_and(|shape| self.shapes().contains(&(kind, shape))) {
            return BTreeSet::new();
        }
        // Held, so that nothing else is learned between the look and what is remembered of it.
        let learned = self.learned();
        let uses = look(&learned);
        if let (true, Some(shape)) = (uses.is_empty(), shape) {
            let mut shapes = self.shapes();
            if shapes.len() >= MOST_SHAPES {
                shapes.clear();
            }
            shapes.insert((kind, shape));
        }
        uses
    }

    fn shapes(&self) -> MutexGuard<'_, HashSet<(ObjectKind, u64)>> {
        self.shapes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims those of these uses that were not read back and are not being read back: they are the caller's.
    pub fn claim(&self, uses: BTreeSet<String>) -> BTreeSet<String> {
        let learned = self.learned();
        let mut claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        let free = |usage: &String| !learned.is_seen(usage) && !claimed.contains(usage);
        let mine: BTreeSet<String> = uses.into_iter().filter(free).collect();
        claimed.extend(mine.iter().cloned());
        mine
    }

    /// Ends a claim.
    pub fn release(&self, uses: &BTreeSet<String>) {
        let mut claimed = self.claimed.lock().unwrap_or_else(PoisonError::into_inner);
        claimed.retain(|usage| !uses.contains(usage));
    }

    /// Reports a finding about the target, once in the life of this client.
    pub fn say(&self, finding: String) {
        let mut findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
        if findings.said.insert(finding.clone()) {
            findings.new.push(finding);
        }
    }

    /// Returns the findings since the last call.
    pub fn take_findings(&self) -> Vec<String> {
        let mut findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut findings.new)
    }

    /// Returns the current time.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Stores what changed. A failure costs only that it is learned again, and is logged.
    pub async fn keep(&self) {
        if self.changed.load(Ordering::Relaxed)
            && let Err(error) = self.write(Durability::Lazy).await
        {
            tracing::warn!("What was learned about the target could not be stored: {error}");
        }
    }

    /// Stores everything, on disk when it returns: before something is tried that a crash must not leave half done.
    ///
    /// # Errors
    /// When the snapshot cannot store it.
    pub async fn keep_durably(&self) -> Result<(), TargetError> {
        self.write(Durability::Synced)
            .await
            .map_err(|error| TargetError::Unavailable {
                what: format!("the first use of a form was not tried: {error}").into(),
                status: 0,
                hint: error.hint(),
                maybe_done: false,
                cause: Some(Box::new(error)),
            })
    }

    async fn write(&self, durability: Durability) -> Result<(), crate::ports::StoreError> {
        // Held while writing, so that an older state never overwrites a newer one.
        let memory = self.memory.lock().await;
        let Some(memory) = memory.as_ref() else {
            return Ok(());
        };
        self.changed.store(false, Ordering::Relaxed);
        // Numbers, texts and maps with text keys: serde_json fails only for other keys.
        let text = serde_json::to_string(&*self.learned()).expect("what was learned is always written");
        memory.keep(text, durability).await
    }
}

fn note_in(vain: &AtomicU32, taken: bool) {
    if taken {
        vain.store(0, Ordering::Relaxed);
    } else {
        vain.fetch_add(1, Ordering::Relaxed);
    }
}

fn is_vain(vain: &AtomicU32) -> bool {
    vain.load(Ordering::Relaxed) >= super::learning::ENOUGH as u32
}

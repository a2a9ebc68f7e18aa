//! What a client learned of its target, in one place: shared by all requests in flight, kept through the port, and told.

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

/// Shapes that are remembered. Bounds memory: a mapping makes few, but each attribute that some have and some lack doubles them.
const MOST_SHAPES: usize = 1024;

/// What was learned, and who keeps it.
#[derive(Debug)]
pub struct Experience {
    pinned: PinnedDialect,
    clock: Arc<dyn Clock>,
    learned: Mutex<Learned>,
    changed: AtomicBool,
    memory: tokio::sync::Mutex<Option<Arc<dyn Memory>>>,
    findings: Mutex<Findings>,
    /// Uses that are being read back just now: one read is enough for all that are in flight.
    claimed: Mutex<BTreeSet<String>>,
    /// Shapes of resources of which every use is known, until something else is learned. Asked for each create, whose text is
    /// then not looked into.
    shapes: Mutex<HashSet<(ObjectKind, u64)>>,
    /// A first use that was cut short could not be put right in this cycle.
    gave_up: AtomicBool,
    /// Bundles in a row that were split in vain: see [`Self::splits_in_vain`].
    vain_splits: AtomicU32,
    /// The same of bundles of members.
    vain_member_splits: AtomicU32,
    /// One first use of a form that could take members away at a time: the next one knows what it taught.
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
    /// Nothing learned yet.
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

    /// Takes up what an earlier process kept, unless this one knows it already.
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

    /// True where of the last bundles that were refused no part was taken: splitting costs two requests an attribute.
    pub fn splits_in_vain(&self) -> bool {
        is_vain(&self.vain_splits)
    }

    /// The same as [`Self::note_split`], of a bundle of members.
    pub fn note_member_split(&self, taken: bool) {
        note_in(&self.vain_member_splits, taken);
    }

    /// The same as [`Self::splits_in_vain`], of bundles of members.
    pub fn splits_members_in_vain(&self) -> bool {
        is_vain(&self.vain_member_splits)
    }

    /// Leaves a first use that was cut short to the next cycle.
    pub fn give_up(&self) {
        self.gave_up.store(true, Ordering::Relaxed);
    }

    /// True where that was done.
    pub fn gave_up(&self) -> bool {
        self.gave_up.load(Ordering::Relaxed)
    }

    /// The dialect in force.
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

    /// Adds what may be known already: `add` says whether it was news.
    pub fn note(&self, add: impl FnOnce(&mut Learned) -> bool) -> bool {
        let mut learned = self.learned();
        let news = add(&mut learned);
        if news {
            self.changed.store(true, Ordering::Relaxed);
            self.shapes().clear();
        }
        news
    }

    /// The uses of a create of this shape that are not known; with none, its shape is remembered, and the next one of it is not
    /// looked at.
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

    /// Those of these uses that nobody has read back, or is reading back: they are the caller's.
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

    /// Says something about the target, once in the life of this client.
    pub fn say(&self, finding: String) {
        let mut findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
        if findings.said.insert(finding.clone()) {
            findings.new.push(finding);
        }
    }

    /// What there is to say since the last time.
    pub fn take_findings(&self) -> Vec<String> {
        let mut findings = self.findings.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut findings.new)
    }

    /// Now.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Keeps what changed. A failure costs only that it is learned again, and is logged.
    pub async fn keep(&self) {
        if self.changed.load(Ordering::Relaxed)
            && let Err(error) = self.write(Durability::Lazy).await
        {
            tracing::warn!("What was learned of the target could not be kept: {error}");
        }
    }

    /// Keeps everything, on disk when it returns: before something is tried that a crash must not leave half done.
    ///
    /// # Errors
    /// When the snapshot does not take it.
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

//! What source, target and store have in common: the dice, the weather, the judge, and the moment at which the process
//! dies.

use std::future::pending;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::time::Duration;

use futures::FutureExt;
use melonsync::model::clock::Clock;
use melonsync::model::clock::Timestamp;
use melonsync::ports::Durability;
use melonsync::ports::KeyValue;
use melonsync::ports::SnapshotStore;
use melonsync::ports::StoreError;
use melonsync::ports::Table;
use melonsync::ports::WriteBatch;
use melonsync::snapshot::kv::memory::MemoryStore;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::cells::Cells;
use super::dice::Dice;
use super::directory::Directory;
use super::enrolment::Enrolment;
use super::graph::Rounds;
use super::judge::Judge;
use super::service::Service;
use super::trace::Trace;
use super::weather::Weather;

/// Everything outside the process. Locked for moments only, never over an await.
pub struct Site(Mutex<Inner>, Notify);

pub struct Inner {
    /// As the process reads it.
    pub clock: Arc<dyn Clock>,
    /// Which changes had happened when: a replica may be behind.
    pub moments: Vec<(Timestamp, u64)>,
    pub dice: Dice,
    /// A stream beside it, for what came to the worlds later.
    pub apart: Dice,
    /// And one for the ways of odd services.
    pub odd: Dice,
    /// What the way back sees.
    pub enrolment: Enrolment,
    pub cells: Cells,
    pub weather: Weather,
    pub directory: Directory,
    pub rounds: Rounds,
    pub service: Service,
    pub judge: Judge,
    pub trace: Trace,
    /// So many steps from now the process dies.
    pub dies_in: Option<u64>,
    /// So many steps from now somebody asks the cycle to stop.
    pub stops_in: Option<(u64, CancellationToken)>,
    pub dead: bool,
    /// Nothing changes any more.
    pub quiet: bool,
    /// What the cycle under way asked of the world and of its store so far.
    pub steps: u64,
}

/// More than any cycle of a world this small takes: one that does not end is found by it.
pub const MOST_STEPS: u64 = 60_000;

impl Site {
    pub fn new(inner: Inner) -> Arc<Self> {
        Arc::new(Self(Mutex::new(inner), Notify::new()))
    }

    pub fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    /// A moment at which the process may die: then it never comes back from here. Time passes.
    pub async fn step(&self) {
        let (alive, latency) = {
            let mut inner = self.lock();
            (inner.step(), inner.latency())
        };
        if !alive {
            self.1.notify_one();
            pending::<()>().await;
        }
        tokio::time::sleep(latency).await;
        if self.lock().dead {
            pending::<()>().await;
        }
    }

    /// The process was started again.
    pub fn forget_death(&self) {
        while self.1.notified().now_or_never().is_some() {}
    }

    /// Comes back when the process is dead.
    pub async fn death(&self) {
        self.1.notified().await;
    }
}

impl Inner {
    /// Counts what the cycle under way asks for; false once that is more than any cycle that ends asks for.
    fn counts(&mut self) -> bool {
        self.steps += 1;
        if self.steps == MOST_STEPS {
            self.judge.found.push(format!(
                "a cycle took {MOST_STEPS} steps, and did not come to an end"
            ));
        }
        self.steps < MOST_STEPS
    }

    /// False once the process is dead.
    pub fn step(&mut self) -> bool {
        if let Some((left, token)) = &mut self.stops_in {
            if *left == 0 {
                token.cancel();
                self.stops_in = None;
            } else {
                *left -= 1;
            }
        }
        match &mut self.dies_in {
            Some(0) => self.dead = true,
            Some(left) => *left -= 1,
            None => {}
        }
        !self.dead
    }

    fn latency(&mut self) -> Duration {
        let most = self.weather.latency_ms;
        Duration::from_millis(self.dice.between(1, most.max(1)))
    }
}

/// The store of a process that may die at any commit, before or after it was carried out.
#[derive(Clone)]
pub struct MortalStore {
    pub site: Arc<Site>,
    pub memory: MemoryStore,
}

impl std::fmt::Debug for MortalStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MortalStore")
    }
}

impl MortalStore {
    fn alive(&self) -> Result<(), StoreError> {
        let mut inner = self.site.lock();
        if inner.dead {
            Err(failed("the process is dead"))
        } else if inner.counts() {
            Ok(())
        } else {
            Err(failed("the cycle does not end"))
        }
    }
}

fn failed(why: &str) -> StoreError {
    StoreError::Io {
        action: "go on".to_owned(),
        path: "memory".to_owned(),
        cause: why.into(),
    }
}

impl SnapshotStore for MortalStore {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.alive()?;
        self.memory.get(table, key)
    }

    fn scan(
        &self,
        table: Table,
        prefix: &[u8],
        after: Option<&[u8]>,
        limit: usize,
    ) -> Result<Vec<KeyValue>, StoreError> {
        self.alive()?;
        self.memory.scan(table, prefix, after, limit)
    }

    fn commit(&self, batch: WriteBatch, durability: Durability) -> Result<(), StoreError> {
        let mut inner = self.site.lock();
        if inner.dead {
            return Err(failed("the process is dead"));
        }
        let dies = !inner.step();
        let done = !dies || inner.dice.chance(50);
        if done {
            self.memory.commit(batch, durability)?;
        }
        if dies {
            self.site.1.notify_one();
            return Err(failed("the process is dead"));
        }
        Ok(())
    }

    fn sync(&self) -> Result<(), StoreError> {
        self.alive()?;
        self.memory.sync()
    }

    fn blocks(&self) -> bool {
        false
    }

    fn size_on_disk(&self) -> Result<u64, StoreError> {
        Ok(0)
    }
}

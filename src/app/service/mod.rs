//! The daemon as a service: every job of the settings with a worker of its own, one state folder, and those who ask.
//!
//! Guarantees: a job that cannot start is a state, and the others run; settings that are no good change nothing; a stop
//! ends what is in flight and records it. After a crash the next start goes on from the snapshots, as every command does;
//! orders that waited are gone, and whoever waited for them sees the connection end.

mod again;
pub mod answer;
mod asked;
mod beside;
mod counted;
pub mod events;
mod load;
mod notices;
pub mod order;
mod queue;
mod refusals;
pub mod request;
mod running;
mod state;
mod ticks;
pub mod track;
mod worker;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::sync::RwLock;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::access::Access;
use super::access::sessions::Sessions;
use super::actor::Actor;
use super::desk::Desk;
use super::error::AppError;
use super::install;
use super::notices::receivers;
use super::rules::Rules;
use super::site::Site;
use crate::model::clock::Clock;
use crate::model::clock::SystemClock;
use crate::model::clock::Timestamp;
use crate::model::id::CycleId;
use crate::notify::queue::Tally;
use crate::ports::Holder;
use crate::settings::Settings;
use answer::Ticket;
use events::Events;
use load::Loaded;
use order::Ask;
use track::Track;
use worker::Worker;

pub(in crate::app) use counted::Sent;
pub(in crate::app) use counted::Told;
pub use load::Ready;
pub use load::credentials_of;
pub use queue::MOST_WAITING;
pub use state::CycleState;
pub use state::JobState;
pub use state::OrderState;

/// Resolves when the doors are closed.
pub type Closed = tokio::sync::oneshot::Receiver<()>;

/// Opens the doors that people and programs come in by. They close when the token is cancelled, once those who came in are
/// served.
pub type OpenDoors = fn(Arc<Service>, CancellationToken) -> Result<Closed, AppError>;

/// The daemon.
pub struct Service {
    site: Site,
    workers: Mutex<BTreeMap<String, Arc<Worker>>>,
    tasks: Mutex<JoinSet<()>>,
    events: Arc<Events>,
    access: RwLock<Arc<Access>>,
    /// Who is told, by the settings in force.
    receivers: watch::Sender<Arc<Vec<receivers::Ready>>>,
    /// The same as they are told, with what became of it.
    tallies: Mutex<Vec<(receivers::Ready, Tally)>>,
    sessions: Sessions,
    /// True in the demo.
    tour: AtomicBool,
    /// Since when it is there.
    begun: Timestamp,
    /// True once every worker was let begin.
    started: AtomicBool,
    /// Ends the cycles under way between two requests, and everything else.
    stop: CancellationToken,
}

impl Service {
    /// Has the dashboard say what to try: this is the demo.
    pub fn show_tour(&self) {
        self.tour.store(true, Ordering::Relaxed);
    }

    /// True in the demo.
    #[must_use]
    pub fn shows_tour(&self) -> bool {
        self.tour.load(Ordering::Relaxed)
    }

    /// Reads the settings and takes the state folder, then puts the jobs together. An error where the settings are no good,
    /// another process holds the folder, or not one enabled job can run.
    pub fn prepare(config: &Path, take_back: bool, stop: CancellationToken) -> Result<Self, AppError> {
        let (settings, secrets) = load::read(config)?;
        let access = Access::read(&settings)?;
        let receivers = Arc::new(receivers::ready(&settings)?);
        let site = Site::hold(config, settings.clone(), Some(&role(&settings)))?;
        let service = Self {
            site,
            workers: Mutex::default(),
            tasks: Mutex::default(),
            events: Arc::default(),
            access: RwLock::new(Arc::new(access)),
            receivers: watch::Sender::new(receivers),
            tallies: Mutex::default(),
            sessions: Sessions::default(),
            tour: AtomicBool::new(false),
            begun: SystemClock.now(),
            started: AtomicBool::new(false),
            stop,
        };
        let loaded = service.load(&settings, take_back)?;
        if let Some(problem) = load::nothing_runs(loaded.values(), secrets) {
            return Err(problem);
        }
        let mut workers = service.workers();
        for (name, loaded) in loaded {
            loaded.report(&name);
            let worker = Worker::new(&name, loaded, Arc::clone(&service.events));
            workers.insert(name, Arc::new(worker));
        }
        drop(workers);
        Ok(service)
    }

    /// Lets every worker begin, and tells the receivers of the settings.
    pub fn start(self: &Arc<Self>) {
        let workers = self.workers();
        let ready = |worker: &&Arc<Worker>| matches!(worker.loaded(), Loaded::Ready(_));
        let jobs = workers.values().filter(ready).count();
        info!(jobs, "Running {jobs} jobs");
        for worker in workers.values() {
            self.employ(Arc::clone(worker));
        }
        drop(workers);
        self.started.store(true, Ordering::Release);
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.spawn(notices::tell(Arc::clone(self), self.stop.clone()));
    }

    /// What the daemon waits for before it does what it is there for; empty once it does. The store is open, and the doors are
    /// bound, before anybody can ask.
    #[must_use]
    pub fn waits_for(&self) -> Vec<&'static str> {
        let mut latches = Vec::new();
        if !self.started.load(Ordering::Acquire) {
            latches.push("schedules");
        }
        if self.stop.is_cancelled() {
            latches.push("stopping");
        }
        latches
    }

    /// Who may come in over the network, by the settings in force.
    #[must_use]
    pub fn access(&self) -> Arc<Access> {
        Arc::clone(&self.access.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Who is logged in at the dashboard.
    pub const fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// The installation that the daemon holds.
    #[must_use]
    pub const fn site(&self) -> &Site {
        &self.site
    }

    /// The longest time that a request of a job may take.
    #[must_use]
    pub fn longest_request(&self) -> Duration {
        let settings = self.site.settings();
        let longest = settings.jobs.values().map(|job| job.target.request_timeout).max();
        longest.unwrap_or_default()
    }

    /// What happens.
    #[must_use]
    pub const fn events(&self) -> &Arc<Events> {
        &self.events
    }

    /// What was counted of a job: by its worker, since the daemon began, and by the clients of both sides, since its settings were
    /// read.
    pub(in crate::app) fn told(&self, job: &str) -> Result<Told, AppError> {
        let worker = self.worker(job)?;
        Ok(Told::of(&worker.counted, &worker.loaded()))
    }

    /// Cancelled when the daemon stops.
    #[must_use]
    pub const fn stop(&self) -> &CancellationToken {
        &self.stop
    }

    /// Reads the settings again. Good ones take effect after the cycles under way, and orders that wait stay; others are an
    /// error, and the old ones stay.
    pub fn reload(&self) -> Result<(), AppError> {
        let (settings, _) = load::read(self.site.config())?;
        let receivers = Arc::new(receivers::ready(&settings)?);
        let before = self.site.settings();
        if settings.state.path != before.state.path || settings.state.store != before.state.store {
            return Err(AppError::usage(
                "the state folder cannot change while the daemon runs",
                "restart the daemon to use another state folder",
            ));
        }
        let access = Access::read(&settings)?;
        if access.listen != self.access().listen {
            return Err(AppError::usage(
                "the address of the API cannot change while the daemon runs",
                "restart the daemon to serve at another address",
            ));
        }
        let loaded = self.load(&settings, false)?;
        let mut workers = self.workers();
        for (name, now) in &loaded {
            let ran = workers.get(name).map(|worker| worker.loaded());
            if let (Some(Loaded::Ready(_)), Loaded::Broken(error)) = (ran, now) {
                return Err(error.clone());
            }
        }
        self.site.renew(settings);
        *self.access.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(access);
        self.receivers.send_replace(receivers);
        workers.retain(|name, worker| {
            let stays = loaded.contains_key(name);
            if !stays {
                worker.retired.cancel();
            }
            stays
        });
        for (name, loaded) in loaded {
            loaded.report(&name);
            match workers.get(&name) {
                Some(worker) => worker.load(loaded),
                None => {
                    let worker = Arc::new(Worker::new(&name, loaded, Arc::clone(&self.events)));
                    self.employ(Arc::clone(&worker));
                    workers.insert(name, worker);
                }
            }
        }
        Ok(())
    }

    /// The desk of a job, for one who asks or decides. A job that cannot run can still be asked about.
    pub fn desk(&self, job: &str, actor: Actor) -> Result<Desk, AppError> {
        match self.worker(job)?.loaded() {
            Loaded::Ready(ready) => Ok(Desk::of(&ready.job, &self.site, actor)),
            Loaded::Off | Loaded::Broken(_) => Desk::at(&self.site, job, actor),
        }
    }

    /// The job that is named, or the only one.
    pub fn choose(&self, job: Option<&str>) -> Result<String, AppError> {
        let settings = self.site.settings();
        install::choose(&settings, job).map(|(name, _)| name.to_owned())
    }

    /// Waits until no cycle of the job runs. None begins for as long as this is held.
    pub async fn alone(&self, job: &str) -> Result<OwnedMutexGuard<()>, AppError> {
        Ok(self.worker(job)?.alone().await)
    }

    /// A job that can run; one that is not enabled is put together for it.
    pub fn ready(&self, job: &str) -> Result<Arc<Ready>, AppError> {
        let worker = self.worker(job)?;
        match worker.loaded() {
            Loaded::Ready(ready) => Ok(ready),
            Loaded::Broken(error) => Err(error),
            Loaded::Off => {
                let settings = self.site.settings();
                let (name, job) = install::choose(&settings, Some(job))?;
                let audit = install::audit(&settings, false)?;
                let ready = load::assemble(&self.site, &settings, (name, job), audit.as_ref(), false)?;
                let ready = Arc::new(ready);
                worker.load(Loaded::Ready(Arc::clone(&ready)));
                Ok(ready)
            }
        }
    }

    /// Takes an order for a job, or joins it with the same one that waits.
    pub fn order(&self, job: &str, ask: Ask) -> Result<(Ticket, Arc<Track>), AppError> {
        let ready = self.ready(job)?;
        install::at_home(self.site.folder(), job, false)?;
        order::admit(&ask, Rules::of(&self.site.settings()), &ready.job.snapshot)?;
        self.worker(job)?.take(ask, mode(ready.job.enforce), &self.stop)
    }

    /// Refuses an order of somebody whose own settings of the job come to something else than the daemon's
    /// ([`install::digest`]): what they expect of it may not be what it does.
    pub fn same_settings(&self, job: &str, theirs: Option<&str>) -> Result<(), AppError> {
        let Some(theirs) = theirs else { return Ok(()) };
        let settings = self.site.settings();
        let (name, of_job) = install::choose(&settings, Some(job))?;
        let mapping = match self.worker(name)?.loaded() {
            Loaded::Ready(ready) => Some(Arc::clone(&ready.job.mapping)),
            Loaded::Off | Loaded::Broken(_) => None,
        };
        if install::digest(self.site.config(), name, of_job, mapping.as_deref())? == theirs {
            return Ok(());
        }
        Err(refusals::other_settings(name))
    }

    /// The order or cycle of this id, as long as it is remembered.
    #[must_use]
    pub fn track(&self, cycle: CycleId) -> Option<Arc<Track>> {
        self.workers().values().find_map(|worker| worker.track(cycle))
    }

    /// Stops an order that waits or runs. `mine`: only for one of those who asked for it. Returns false where others still
    /// want it, or it is over.
    pub fn cancel(&self, cycle: CycleId, mine: bool, actor: &str) -> bool {
        self.workers()
            .values()
            .any(|worker| worker.cancel(cycle, mine, actor))
    }

    /// What each job does now, by name.
    #[must_use]
    pub fn jobs(&self) -> Vec<JobState> {
        let workers = self.workers();
        workers
            .iter()
            .map(|(name, worker)| state::of(name, worker.seen()))
            .collect()
    }

    /// Waits until every worker has ended. The stop is the caller's.
    pub async fn ended(&self) {
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        while tasks.join_next().await.is_some() {}
    }

    fn workers(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Worker>>> {
        self.workers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn worker(&self, job: &str) -> Result<Arc<Worker>, AppError> {
        let settings = self.site.settings();
        let (name, _) = install::choose(&settings, Some(job))?;
        let found = self.workers().get(name).cloned();
        Ok(found.expect("each job of the settings has a worker"))
    }

    fn employ(&self, worker: Arc<Worker>) {
        let stop = self.stop.clone();
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.spawn(async move { worker.work(stop).await });
    }

    /// Every job of the settings, put together as far as it can be.
    fn load(&self, settings: &Settings, take_back: bool) -> Result<BTreeMap<String, Loaded>, AppError> {
        let audit = install::audit(settings, false)?;
        let of = |(name, job): (&String, &crate::settings::job::Job)| {
            let loaded = if job.enabled {
                match load::assemble(&self.site, settings, (name, job), audit.as_ref(), take_back) {
                    Ok(ready) => Loaded::Ready(Arc::new(ready)),
                    Err(error) => Loaded::Broken(error),
                }
            } else {
                Loaded::Off
            };
            (name.clone(), loaded)
        };
        Ok(settings.jobs.iter().map(of).collect())
    }
}

/// What the daemon says of itself to whoever finds the state folder taken.
fn role(settings: &Settings) -> String {
    let enabled = settings.jobs.iter().filter(|(_, job)| job.enabled);
    let names: Vec<&str> = enabled.map(|(name, _)| name.as_str()).collect();
    let (since, jobs) = (SystemClock.now(), names.join(" "));
    format!("{} since {since}, jobs {jobs}", Holder::DAEMON)
}

const fn mode(enforce: bool) -> &'static str {
    if enforce { "enforce" } else { "observe" }
}

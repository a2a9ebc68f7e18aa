//! The one who works for a job: its schedule, and the orders before it, one cycle at a time.
//!
//! An order goes before the schedule, and whoever came back unchanged from the source is looked at again between. What falls due while a cycle runs is skipped: the next one does it. New settings are
//! taken between two cycles; orders that wait stay. A cycle that breaks (a panic) ends itself alone.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::OwnedMutexGuard;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::info;
use uuid::Uuid;

use super::again::Again;
use super::again::Due;
use super::answer::Done;
use super::answer::Ticket;
use super::counted::Counted;
use super::events::Events;
use super::events::Happening;
use super::load::Loaded;
use super::load::Ready;
use super::mode;
use super::order::Ask;
use super::order::Work;
use super::queue::Queue;
use super::refusals::broke;
use super::refusals::cancelled;
use super::refusals::full;
use super::refusals::log;
use super::refusals::stopping;
use super::running;
use super::ticks;
use super::track::Standing;
use super::track::Track;
use crate::app::error::AppError;
use crate::engine::job::Extent;
use crate::engine::job::Job;
use crate::engine::schedule;
use crate::engine::schedule::Past;
use crate::model::clock::Timestamp;
use crate::model::id::CycleId;

/// A cycle that gave way to named people goes on so long before it does again, at least.
const FIRST_GAP: Duration = Duration::from_secs(2);

/// As many plans can be fetched after they were made.
const PLANS_KEPT: usize = 4;

/// As many ended orders are remembered for those who ask later.
const ENDED_KEPT: usize = 100;

/// A job's worker.
pub(super) struct Worker {
    name: String,
    loaded: watch::Sender<Loaded>,
    /// The job is in the settings no more.
    pub(super) retired: CancellationToken,
    desk: Mutex<Desk>,
    /// Held by the cycle under way.
    cycle: Arc<tokio::sync::Mutex<()>>,
    /// Rung for each order.
    bell: Notify,
    events: Arc<Events>,
    /// What its cycles did.
    pub(super) counted: Counted,
}

/// What lies on the worker's desk.
#[derive(Default)]
struct Desk {
    queue: Queue,
    /// What is carried out, last; before it what gave way to it.
    running: Vec<Arc<Track>>,
    ended: VecDeque<Arc<Track>>,
    next: Option<Timestamp>,
    /// The cycles before; none before the worker begins.
    past: Option<Past>,
    /// Who came back unchanged, and is looked at again.
    again: Again,
    /// It takes nothing more.
    closed: bool,
}

/// What is seen of a worker.
pub(super) struct Seen {
    pub(super) loaded: Loaded,
    pub(super) running: Option<Arc<Track>>,
    pub(super) waiting: Vec<Arc<Track>>,
    pub(super) next: Option<Timestamp>,
}

impl Worker {
    pub(super) fn new(name: &str, loaded: Loaded, events: Arc<Events>) -> Self {
        Self {
            name: name.to_owned(),
            loaded: watch::Sender::new(loaded),
            retired: CancellationToken::new(),
            desk: Mutex::default(),
            cycle: Arc::default(),
            bell: Notify::new(),
            events,
            counted: Counted::default(),
        }
    }

    /// Waits until no cycle runs; none begins for as long as this is held.
    pub(super) async fn alone(&self) -> OwnedMutexGuard<()> {
        Arc::clone(&self.cycle).lock_owned().await
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the job of other settings in force, from the next cycle on.
    pub(super) fn load(&self, loaded: Loaded) {
        self.loaded.send_replace(loaded);
    }

    pub(super) fn loaded(&self) -> Loaded {
        self.loaded.borrow().clone()
    }

    pub(super) fn seen(&self) -> Seen {
        let desk = self.desk();
        Seen {
            loaded: self.loaded(),
            running: desk.running.last().cloned(),
            waiting: desk.queue.waiting().to_vec(),
            next: desk.next,
        }
    }

    /// Takes an order, or joins it with the same one that waits.
    pub(super) fn take(
        &self,
        ask: Ask,
        mode: &str,
        stop: &CancellationToken,
    ) -> Result<(Ticket, Arc<Track>), AppError> {
        let mut desk = self.desk();
        if desk.closed {
            return Err(stopping());
        }
        let urgent = ask.work.is_urgent();
        let gives_way = |track: &Arc<Track>| urgent && track.ask.work.gives_way();
        let ahead = usize::from(desk.running.last().is_some_and(|track| !gives_way(track)));
        let ticket = |track: &Track, place: usize, joined| Ticket {
            cycle: track.cycle.to_string(),
            place: place + ahead,
            joined,
            mode: mode.to_owned(),
        };
        if let Some((place, track, all)) = desk.queue.same(&ask) {
            track.join(all);
            return Ok((ticket(track, place, true), Arc::clone(track)));
        }
        let id = CycleId(Uuid::now_v7());
        let track = Arc::new(Track::new(
            id,
            &self.name,
            ask,
            stop.child_token(),
            Arc::clone(&self.events),
        ));
        let place = desk.queue.push(Arc::clone(&track)).ok_or_else(full)?;
        let ticket = ticket(&track, place, false);
        track.happened(Happening::Accepted(ticket.clone()));
        drop(desk);
        self.bell.notify_one();
        Ok((ticket, track))
    }

    /// The order or cycle of this id, as long as it is remembered.
    pub(super) fn track(&self, cycle: CycleId) -> Option<Arc<Track>> {
        let desk = self.desk();
        let all = desk
            .queue
            .waiting()
            .iter()
            .chain(&desk.running)
            .chain(&desk.ended);
        all.into_iter().find(|track| track.cycle == cycle).cloned()
    }

    /// Stops an order that waits or runs. `mine`: only for one of those who asked for it. Returns false where others still
    /// want it, or it has ended.
    pub(super) fn cancel(&self, cycle: CycleId, mine: bool, actor: &str) -> bool {
        let mut desk = self.desk();
        let of = |track: &Arc<Track>| track.cycle == cycle;
        let found = desk
            .queue
            .waiting()
            .iter()
            .chain(&desk.running)
            .find(|track| of(track));
        let Some(track) = found.cloned() else { return false };
        if mine && !track.leave() {
            return false;
        }
        if desk.queue.remove(cycle).is_some() {
            track.end(Done::failed(cancelled(actor)));
            desk.remember(track);
        } else {
            track.stopping(actor);
        }
        true
    }

    /// Works until it is told to stop or is retired. `stop` ends a cycle under way between two requests.
    pub(super) async fn work(&self, stop: CancellationToken) {
        let mut loaded = self.loaded.subscribe();
        // Stopped when it was loaded: what was changed since may be what it stopped for.
        let mut at_once = true;
        while !stop.is_cancelled() && !self.retired.is_cancelled() {
            let now = loaded.borrow_and_update().clone();
            let Loaded::Ready(ready) = now else {
                self.refuse_all(&now);
                tokio::select! {
                    _ = loaded.changed() => at_once = true,
                    () = self.bell.notified() => {}
                    () = stop.cancelled() => {}
                    () = self.retired.cancelled() => {}
                }
                continue;
            };
            if std::mem::take(&mut at_once) && schedule::is_stopped(&ready.job).await {
                self.scheduled(&ready, Extent::Changes, &stop).await;
                continue;
            }
            let order = self.desk().queue.pop();
            if let Some(track) = order {
                self.carry_out(&ready.job, track, &stop).await;
                continue;
            }
            let due = self.next(&ready);
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = self.retired.cancelled() => {}
                _ = loaded.changed() => at_once = true,
                () = self.bell.notified() => {}
                () = self.somebody_is_due(&ready.job) => self.look_again(&ready.job, &stop),
                extent = ticks::wait_for(ready.job.clock.as_ref(), due) => self.scheduled(&ready, extent, &stop).await,
            }
        }
        self.close();
    }

    /// When the job runs next by itself. It is logged where it is news.
    fn next(&self, ready: &Ready) -> Option<(Timestamp, Extent)> {
        let now = ready.job.clock.now();
        let past = *self.desk().past.get_or_insert(Past::begun(now));
        let next = schedule::next(&ready.schedules, past, now);
        let at = next.as_ref().map(|(due, _)| *due);
        let before = std::mem::replace(&mut self.desk().next, at);
        match at {
            Some(due) if before != at => {
                info!(job = %self.name, next = %due, "Job {} runs next at {due}", self.name);
            }
            None if before.is_some() => {
                info!(job = %self.name, "Job {} has no schedule: it runs only when asked to", self.name);
            }
            _ => {}
        }
        next
    }

    async fn scheduled(&self, ready: &Ready, extent: Extent, stop: &CancellationToken) {
        let ask = Ask::of_schedule(extent);
        let id = CycleId(Uuid::now_v7());
        let track = Track::new(id, &self.name, ask, stop.child_token(), Arc::clone(&self.events));
        self.carry_out(&ready.job, Arc::new(track), stop).await;
    }

    /// Waits until somebody who came back unchanged is to be looked at again.
    async fn somebody_is_due(&self, job: &Job) {
        let next = self.desk().again.next();
        ticks::until(job.clock.as_ref(), next).await;
    }

    /// Orders that those who are due are looked at again, each in the name of who asked.
    fn look_again(&self, job: &Job, stop: &CancellationToken) {
        let due = self.desk().again.take(job.clock.now());
        for Due { actor, users, groups } in due {
            let people = users.len() + groups.len();
            info!(job = %self.name, people, "Looking again at {people} who came back unchanged from the source");
            let ask = Ask {
                work: Work::named(users, groups, true),
                actor,
                watcher: None,
            };
            // A full queue: the next look, or the next cycle, sees them.
            if let Ok((_, track)) = self.take(ask, mode(job.enforce), stop) {
                self.desk().again.ordered(track.cycle);
            }
        }
    }

    async fn carry_out(&self, job: &Job, track: Arc<Track>, stop: &CancellationToken) {
        let _alone = self.cycle.lock().await;
        // Whoever held it before may have handed the job over.
        if let Loaded::Broken(error) = self.loaded() {
            return self.ended(job, &track, Done::failed(error));
        }
        self.desk().running.push(Arc::clone(&track));
        track.begin();
        let (mut begun, mut gap) = (None, Duration::ZERO);
        let done = loop {
            let done = self.stretch(job, &track, (gap, stop)).await;
            let gave_way = done.stopped && !track.stop.is_cancelled();
            let done = done.after(begun.as_ref());
            if !gave_way {
                break done;
            }
            begun = done.summary;
            self.let_through(job).await;
            // Twice as long each time: whoever is named often, keeps no cycle from its end.
            gap = (gap * 2).max(FIRST_GAP);
        };
        if let Some(past) = &mut self.desk().past {
            ticks::note(past, &track.ask.work, done.summary.as_ref(), job.clock.now());
        }
        self.ended(job, &track, done);
    }

    /// One stretch of an order: all of it, or until it gives way to named people and to decisions, but not before `gap` is over.
    async fn stretch(
        &self,
        job: &Job,
        track: &Arc<Track>,
        (gap, stop): (Duration, &CancellationToken),
    ) -> Done {
        let way = track.stop.child_token();
        let (running, of, until) = (Arc::clone(track), job.clone(), way.clone());
        // A task of its own: a panic in it is its end, and not this worker's.
        let mut task = tokio::spawn(async move { running::run(&of, running, until).await });
        let make_way = async {
            if !track.ask.work.gives_way() {
                return std::future::pending::<()>().await;
            }
            tokio::time::sleep(gap).await;
            while !self.desk().queue.is_urgent() {
                tokio::select! {
                    () = self.bell.notified() => {}
                    () = self.somebody_is_due(job) => self.look_again(job, stop),
                }
            }
            way.cancel();
        };
        let done = tokio::select! {
            done = &mut task => done,
            () = make_way => task.await,
        };
        done.unwrap_or_else(|broken| Done::failed(broke(&broken)))
    }

    /// Carries out the orders that a cycle stopped for, in the middle of it.
    async fn let_through(&self, job: &Job) {
        loop {
            let order = self.desk().queue.pop_urgent();
            let Some(track) = order else { return };
            info!(job = %self.name, cycle.id = %track.cycle, "An order goes first: the cycle under way goes on afterwards");
            self.desk().running.push(Arc::clone(&track));
            track.begin();
            let stop = track.stop.clone();
            let (running, of) = (Arc::clone(&track), job.clone());
            let done = tokio::spawn(async move { running::run(&of, running, stop).await }).await;
            self.ended(
                job,
                &track,
                done.unwrap_or_else(|broken| Done::failed(broke(&broken))),
            );
        }
    }

    fn ended(&self, job: &Job, track: &Arc<Track>, done: Done) {
        if let Some(failure) = &done.error {
            log(&self.name, track, failure);
        }
        if let Some(summary) = done.summary.as_ref().filter(|_| track.ask.work.is_cycle()) {
            self.counted.add(summary);
        }
        let mut desk = self.desk();
        desk.running.retain(|running| running.cycle != track.cycle);
        let now = job.clock.now();
        desk.again.ended(track.cycle, &track.ask.actor, &done.named, now);
        // Told first: whoever looks for it among those that ended finds it so.
        track.end(done);
        desk.remember(Arc::clone(track));
    }

    /// Answers those who wait for a job that cannot run.
    fn refuse_all(&self, loaded: &Loaded) {
        let Loaded::Broken(error) = loaded else { return };
        loop {
            let order = self.desk().queue.pop();
            let Some(track) = order else { return };
            track.end(Done::failed(error.clone()));
            self.desk().remember(track);
        }
    }

    fn close(&self) {
        let mut desk = self.desk();
        desk.closed = true;
        while let Some(track) = desk.queue.pop() {
            track.end(Done::failed(stopping()));
            desk.remember(track);
        }
    }
}

impl Desk {
    fn remember(&mut self, track: Arc<Track>) {
        if self.ended.len() == ENDED_KEPT {
            self.ended.pop_front();
        }
        self.ended.push_back(track);
        // Their files are open as long as they are kept.
        let mut kept = 0;
        for track in self.ended.iter().rev() {
            if let Standing::Ended(answer) = &*track.standing().borrow()
                && let Some(made) = &answer.made
            {
                kept += 1;
                if kept > PLANS_KEPT {
                    made.give_up();
                }
            }
        }
    }
}

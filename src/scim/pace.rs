//! How many requests are in flight, how fast they follow each other, and when none may be sent.
//!
//! Three limits apply, and the tightest counts: the *window* (requests in flight: more while latency is flat, half as
//! many after a 429 or 503), the *lanes* (reads and writes, each with the rate that its refusals or the RateLimit
//! headers taught), and the settings' `requests_per_second`, which is never exceeded. Retry-After pauses the whole
//! target. The arithmetic is in [`controller`], without a clock; here is only the waiting. What was learned lives as
//! long as the process, and another process learns it anew within a burst; only the number in flight that went well is
//! passed on.

use std::sync::Mutex;
use std::sync::MutexGuard;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::sync::SemaphorePermit;
use tokio::time::Instant;

pub mod controller;
pub mod hint;
pub mod lane;
pub mod window;

pub use controller::{Kind, Outcome};
pub use hint::Hint;

use controller::Controller;
use controller::Leave;

tokio::task_local! {
    static AHEAD: ();
}

/// Does work that takes access away from a user: its requests, and the readings between them, do not wait for what the
/// headers of answers ask for. A refusal, a pause and the settings' own limit apply to it too.
pub async fn ahead<T>(doing: impl Future<Output = T>) -> T {
    AHEAD.scope((), doing).await
}

/// The gate that every request of one target passes.
#[derive(Debug)]
pub struct Pace {
    began: Instant,
    slots: Semaphore,
    state: Mutex<State>,
    longest_wait: Duration,
}

#[derive(Debug)]
struct State {
    controller: Controller,
    /// The slots that exist, taken or not: what the semaphore was given.
    slots: usize,
}

/// A request that may be sent now. If dropped without [`Pass::done`], it teaches nothing and only frees its slot.
#[derive(Debug)]
pub struct Pass<'a> {
    pace: &'a Pace,
    slot: SemaphorePermit<'a>,
    kind: Kind,
    leave: Leave,
    sent: Duration,
}

impl Pace {
    /// Creates a gate for this many requests at once, each at least `least_gap` after the one before; no request waits
    /// in it for a pause longer than `longest_wait`.
    #[must_use]
    pub fn new(max_concurrency: usize, least_gap: Option<Duration>, longest_wait: Duration) -> Self {
        let most = max_concurrency.clamp(1, Semaphore::MAX_PERMITS);
        let controller = Controller::new(most, least_gap);
        let slots = controller.limit();
        Self {
            began: Instant::now(),
            slots: Semaphore::new(slots),
            state: Mutex::new(State { controller, slots }),
            longest_wait,
        }
    }

    /// Begins with the number of requests in flight that went well in an earlier process.
    pub fn begin_with(&self, limit: usize) {
        let mut state = self.state();
        state.controller.begin_with(limit);
        let limit = state.controller.limit();
        if limit > state.slots {
            self.slots.add_permits(limit - state.slots);
            state.slots = limit;
        }
    }

    /// Returns the number of requests in flight that went well, or `None` before anything is known.
    pub fn found(&self) -> Option<usize> {
        self.state().controller.found()
    }

    /// Waits until a request may be sent.
    ///
    /// # Errors
    /// The rest of a pause that is too long to wait for here.
    pub async fn enter(&self, kind: Kind) -> Result<Pass<'_>, Duration> {
        // Before waiting for a slot: the requests that hold the slots may wait for the pause.
        self.refuse_long_pause()?;
        let ahead = AHEAD.try_with(|()| ()).is_ok();
        let slot = self.slots.acquire().await.expect("the semaphore is never closed");
        loop {
            self.refuse_long_pause()?;
            let now = self.now();
            let leave = if ahead {
                self.state().controller.reserve_ahead(now, kind)
            } else {
                self.state().controller.reserve(now, kind)
            };
            if leave.at > now {
                let mut waits = Waits {
                    pace: self,
                    kind,
                    leave,
                    over: false,
                };
                tokio::time::sleep_until(self.began + leave.at).await;
                waits.over = true;
                drop(waits);
                // A pause may have begun meanwhile.
                if !self.state().controller.holds(leave) {
                    continue;
                }
            }
            let sent = now.max(leave.at);
            return Ok(Pass {
                pace: self,
                slot,
                kind,
                leave,
                sent,
            });
        }
    }

    /// Returns the report of how the target slows requests down, once.
    pub fn take_report(&self) -> Option<String> {
        self.state().controller.take_report()
    }

    fn refuse_long_pause(&self) -> Result<(), Duration> {
        let left = self.state().controller.pause_left(self.now());
        if left > self.longest_wait {
            Err(left)
        } else {
            Ok(())
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A moment that is waited for; if it is given up, it is free again.
struct Waits<'a> {
    pace: &'a Pace,
    kind: Kind,
    leave: Leave,
    /// The moment has come.
    over: bool,
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.pace.state().controller.give_back(self.leave, self.kind);
        }
    }
}

impl Pass<'_> {
    /// Ends the request; `judge` gets the time that it took.
    pub fn done(self, judge: impl FnOnce(Duration) -> Outcome, hint: Option<Hint>) {
        let now = self.pace.now();
        let outcome = judge(now.saturating_sub(self.sent));
        let mut state = self.pace.state();
        state
            .controller
            .answered(now, self.kind, self.leave, outcome, hint);
        let limit = state.controller.limit();
        if limit > state.slots {
            self.pace.slots.add_permits(limit - state.slots);
            state.slots = limit;
        } else if limit < state.slots {
            // Ours first; those of others when they come back.
            self.slot.forget();
            state.slots -= 1;
            state.slots -= self.pace.slots.forget_permits(state.slots - limit);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: Duration = Duration::from_secs(1);

    async fn refused(pace: &Pace, wait: Duration) {
        let pass = pace.enter(Kind::Write).await.unwrap();
        pass.done(|_| Outcome::Unavailable(Some(wait)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_stops_everybody_and_is_never_shortened() {
        let pace = Pace::new(2, None, S * 60);
        let second = pace.enter(Kind::Write).await.unwrap();
        refused(&pace, S * 7).await;
        second.done(|_| Outcome::Unavailable(Some(S)), None);
        let began = Instant::now();
        drop(pace.enter(Kind::Read).await.unwrap());
        assert!(began.elapsed() >= S * 7, "{:?}", began.elapsed());
        drop(pace.enter(Kind::Write).await.unwrap());
        assert!(began.elapsed() < S * 8);
    }

    /// Eight users, one refusal: the wait is as long as asked, and no longer; then it goes on.
    #[tokio::test(start_paused = true)]
    async fn after_one_refusal_the_wait_is_what_was_asked_and_the_others_follow_at_once() {
        for asked in [1, 2, 3, 10, 30] {
            for refused_at in [0, 1, 3] {
                let (pace, began) = (Pace::new(8, None, S * 60), Instant::now());
                let mut waited = None;
                for number in 0..9 {
                    let pass = pace.enter(Kind::Write).await.unwrap();
                    waited = waited.or_else(|| (number > refused_at).then(|| began.elapsed()));
                    tokio::time::sleep(S / 50).await;
                    let refused = number == refused_at;
                    pass.done(
                        |latency| match refused {
                            true => Outcome::Refused(Some(S * asked)),
                            false => Outcome::Answered(latency),
                        },
                        None,
                    );
                }
                let (asked, waited) = (S * asked, waited.unwrap());
                assert!(
                    waited >= asked && waited <= asked * 12 / 10,
                    "{asked:?}: {waited:?}"
                );
                if asked > S * 2 {
                    let all = began.elapsed();
                    assert!(all <= asked * 12 / 10, "{asked:?}: {all:?} for eight");
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_too_long_is_said_and_not_slept() {
        let pace = Pace::new(1, None, S * 60);
        refused(&pace, S * 3600).await;
        let began = Instant::now();
        assert!(pace.enter(Kind::Read).await.unwrap_err() > S * 3500);
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_requests_at_once_than_allowed() {
        let pace = Pace::new(1, None, S * 60);
        let first = pace.enter(Kind::Read).await.unwrap();
        let second = tokio::time::timeout(S * 5, pace.enter(Kind::Read));
        assert!(second.await.is_err());
        drop(first);
        assert!(pace.enter(Kind::Read).await.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_when_a_pause_begins_waits_for_its_end() {
        let pace = Pace::new(8, Some(S), S * 60);
        let first = pace.enter(Kind::Write).await.unwrap();
        let began = Instant::now();
        let waiting = pace.enter(Kind::Write);
        let pausing = async {
            tokio::time::sleep(S / 2).await;
            first.done(|_| Outcome::Unavailable(Some(S * 10)), None);
        };
        let (second, ()) = tokio::join!(waiting, pausing);
        assert!(second.is_ok());
        assert!(began.elapsed() >= S * 10, "{:?}", began.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn headers_hold_requests_back_for_a_while_and_what_takes_access_away_never() {
        let pace = Pace::new(1, None, S * 600);
        let hint = Hint {
            remaining: 0,
            reset: S * 60,
        };
        let one = async || {
            let began = Instant::now();
            let pass = pace.enter(Kind::Write).await.unwrap();
            pass.done(Outcome::Answered, Some(hint));
            began.elapsed()
        };
        one().await;
        for _ in 0..20 {
            assert!(ahead(one()).await < S);
        }
        let mut waited = Duration::ZERO;
        for _ in 0..100 {
            waited += one().await;
        }
        assert!(waited >= S * 59 && waited <= hint::MOST_HELD + S, "{waited:?}");
        assert!(pace.take_report().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn the_slots_follow_the_window() {
        let pace = Pace::new(16, None, S);
        let mut widest = 0;
        for round in 0..90 {
            let mut passes = Vec::new();
            while let Ok(pass) = tokio::time::timeout(S / 1000, pace.enter(Kind::Read)).await {
                passes.push(pass.unwrap());
            }
            assert_eq!(passes.len(), pace.state().controller.limit());
            widest = widest.max(passes.len());
            for pass in passes {
                let stumbled = round % 30 == 29;
                let outcome = |latency| {
                    if stumbled {
                        Outcome::Stumbled
                    } else {
                        Outcome::Answered(latency)
                    }
                };
                pass.done(outcome, None);
            }
        }
        assert_eq!(widest, 16);
    }
}

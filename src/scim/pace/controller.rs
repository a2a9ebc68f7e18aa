//! The pace of one target as arithmetic: what may be sent when, and what an answer changes. No clock and no waiting
//! here.

use std::time::Duration;

use super::hint::Belief;
use super::hint::Hint;
use super::lane::Lane;
use super::window::Window;

/// The pause after a refusal that does not state its length.
const UNSAID_PAUSE: Duration = Duration::from_secs(1);

/// Whether a request changes something: services often count reads and writes apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A GET.
    Read,
    /// Anything else.
    Write,
}

/// The outcome of a request, as far as the pace is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// Answered, after this long.
    Answered(Duration),
    /// 429, too many requests; with the wait of Retry-After.
    Refused(Option<Duration>),
    /// 503 with Retry-After: not now.
    Unavailable(Option<Duration>),
    /// 5xx, no answer in time, or a broken connection.
    Stumbled,
    /// An outcome that proves nothing about load.
    Other,
}

/// Leave to send a request at a moment, unless the pace changes before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leave {
    /// The moment, since the pace began.
    pub at: Duration,
    /// Changes with each pause; a leave from before it is void.
    pub epoch: u64,
}

/// The state of the pace. All times are since the pace began.
#[derive(Debug)]
pub struct Controller {
    window: Window,
    lanes: [Lane; 2],
    /// How far the headers of answers are believed.
    belief: Belief,
    /// The least gap between two requests of any kind, by the settings; zero for none.
    ceiling: Duration,
    ceiling_next: Duration,
    paused_until: Duration,
    epoch: u64,
}

impl Controller {
    /// Creates a pace of at most so many requests in flight, each at least `least_gap` after the one before.
    pub fn new(max_concurrency: usize, least_gap: Option<Duration>) -> Self {
        Self {
            window: Window::new(max_concurrency),
            lanes: [Lane::default(), Lane::default()],
            belief: Belief::default(),
            ceiling: least_gap.unwrap_or_default(),
            ceiling_next: Duration::ZERO,
            paused_until: Duration::ZERO,
            epoch: 0,
        }
    }

    /// Returns the number of requests that may be in flight now.
    pub fn limit(&self) -> usize {
        self.window.limit()
    }

    /// Begins as [`Window::begin_with`] does.
    pub fn begin_with(&mut self, limit: usize) {
        self.window.begin_with(limit);
    }

    /// Returns [`Window::found`].
    pub fn found(&self) -> Option<usize> {
        self.window.found()
    }

    /// Returns the rest of a pause of the whole target.
    pub const fn pause_left(&self, now: Duration) -> Duration {
        self.paused_until.saturating_sub(now)
    }

    /// Takes the next free moment for a request.
    pub fn reserve(&mut self, now: Duration, kind: Kind) -> Leave {
        let earliest = self.lanes[kind as usize].earliest(now);
        self.reserve_at(earliest, kind)
    }

    /// Takes a moment as [`Self::reserve`] does, for a request that does not wait for what headers ask for.
    pub fn reserve_ahead(&mut self, now: Duration, kind: Kind) -> Leave {
        let earliest = self.lanes[kind as usize].earliest_ahead(now);
        self.reserve_at(earliest, kind)
    }

    fn reserve_at(&mut self, earliest: Duration, kind: Kind) -> Leave {
        let at = earliest.max(self.ceiling_next).max(self.paused_until);
        self.lanes[kind as usize].take(at);
        if !self.ceiling.is_zero() {
            self.ceiling_next = at + self.ceiling;
        }
        Leave {
            at,
            epoch: self.epoch,
        }
    }

    /// Makes a moment that was taken, and all after it, free again.
    pub fn give_back(&mut self, leave: Leave, kind: Kind) {
        if self.holds(leave) {
            self.lanes[kind as usize].free_from(leave.at);
            self.ceiling_next = self.ceiling_next.min(leave.at);
        }
    }

    /// Returns whether a leave still holds.
    pub const fn holds(&self, leave: Leave) -> bool {
        self.epoch == leave.epoch
    }

    /// Applies an answer to a request with this leave.
    pub fn answered(
        &mut self,
        now: Duration,
        kind: Kind,
        leave: Leave,
        outcome: Outcome,
        hint: Option<Hint>,
    ) {
        let lane = &mut self.lanes[kind as usize];
        // Several refused at once are one refusal: they were sent before the first refusal was known.
        let news = leave.epoch == self.epoch;
        match outcome {
            Outcome::Answered(latency) => {
                lane.answered(now);
                self.window.answered(latency);
            }
            Outcome::Refused(wait) => {
                self.belief.refused(now);
                if news {
                    lane.refused(now, wait);
                    self.window.fell();
                }
                self.pause(now, wait.unwrap_or(UNSAID_PAUSE));
            }
            Outcome::Unavailable(wait) => {
                if news {
                    self.window.fell();
                }
                self.pause(now, wait.unwrap_or(UNSAID_PAUSE));
            }
            Outcome::Stumbled => self.window.fell(),
            Outcome::Other => {}
        }
        let in_flight = self.window.limit();
        if let Some(hint) = hint.filter(|hint| self.belief.follows(now, *hint, in_flight))
            && self.lanes[kind as usize].hint(now, hint, in_flight)
        {
            self.epoch += 1;
        }
    }

    /// Returns the report of how the target slows requests down, once.
    pub fn take_report(&mut self) -> Option<String> {
        self.belief.take_report()
    }

    /// Pauses all requests for this long. A pause that is under way is never shortened.
    fn pause(&mut self, now: Duration, wait: Duration) {
        self.epoch += 1;
        self.paused_until = self.paused_until.max(now + wait);
        // Every leave from before is void: the moments they had taken are free again. Requests that were sent are sent
        // by now.
        for lane in &mut self.lanes {
            lane.restart(self.paused_until, wait);
        }
        self.ceiling_next = self.paused_until.max(now + self.ceiling);
    }
}

#[cfg(test)]
mod tests;

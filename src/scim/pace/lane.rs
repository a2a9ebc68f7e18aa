//! How fast requests of one kind may follow each other, learned from refusals and from headers.
//!
//! A service that counts requests is a bucket that fills at a steady rate. When it refuses one, the bucket is empty; so
//! what it let through between two refusals, divided by the time between them, is its rate. A first guess is tried,
//! made faster until the next refusal, and then that quotient is used, a little below; from there it creeps up slowly,
//! so that one request in several hundred is refused, and a limit that is lifted is noticed.

use std::time::Duration;

use super::hint::Hint;

/// The requests let through since the bucket was empty that make the quotient reliable.
const ENOUGH: u32 = 16;

/// The factor by which the gap exceeds the measured one: the bucket must not be empty at once again.
const BELOW: f64 = 1.02;

/// While there is only a guess: faster by this factor after a third of what was let through before the first refusal,
/// but after at most so many good answers. A guess that is too low costs nothing until the bucket is full again.
const SEARCH: (u32, f64) = (8, 1.25);

/// The good answers before a measured rate is raised; first by a hundredth, then by twice as much each time.
const CREEP: (u32, f64) = (150, 0.01);

/// The wait below which a service means its next free moment.
const SHORT_WAIT: Duration = Duration::from_secs(1);

/// The Retry-After up to which it is the time until the next request; a longer one ends a whole period of the service.
const NEXT_REQUEST: Duration = Duration::from_secs(2);

/// The silence after which the bucket is no longer known to have been in use all the time.
const SILENCE: Duration = Duration::from_secs(5);

/// The gaps that may be made up for after a delay of our own.
const CREDIT: f64 = 4.0;

/// The requests let through since the bucket was known to be empty.
#[derive(Debug, Clone, Copy)]
struct Measure {
    since: Duration,
    good: u32,
}

/// The speed of one kind of request. Times are since the pace began; gaps are in seconds.
#[derive(Debug, Default)]
pub struct Lane {
    next: Duration,
    /// The next moment for requests that do not wait for headers.
    ahead: Duration,
    /// The gap between two requests; `None` while no limit is known.
    gap: Option<f64>,
    settled: bool,
    raise: f64,
    good_at_this_gap: u32,
    measure: Option<Measure>,
    began: Option<Duration>,
    /// The requests let through before the first refusal.
    burst: u32,
    /// The refusals while no rate was measured.
    refusals: u32,
    good: u32,
    last_good: Duration,
    /// A gap that headers ask for, and until when.
    asked: Option<(f64, Duration)>,
    /// The moment until which, by the headers, nothing is left.
    used_up_until: Duration,
}

impl Lane {
    /// Returns the earliest moment for the next request.
    pub fn earliest(&self, now: Duration) -> Duration {
        self.next.max(now)
    }

    /// Returns the earliest moment for a request that does not wait for headers.
    pub fn earliest_ahead(&self, now: Duration) -> Duration {
        self.ahead.max(now)
    }

    /// Notes that a request is sent at this moment.
    pub fn take(&mut self, at: Duration) {
        self.began.get_or_insert(at);
        self.next = after(self.next, at, self.gap_at(at));
        self.ahead = after(self.ahead, at, self.gap.unwrap_or(0.0));
    }

    /// Makes the moments that were taken from this one on free again.
    pub fn free_from(&mut self, at: Duration) {
        (self.next, self.ahead) = (self.next.min(at), self.ahead.min(at));
    }

    /// Begins anew at this moment, after a wait of this length: the moments taken so far are free again.
    pub fn restart(&mut self, at: Duration, wait: Duration) {
        // A gap later than allowed, because requests that were under way may have taken what came in since; but, unless
        // the service asked for no more than about a gap, never much later than it asked for.
        let gap = seconds(self.gap.unwrap_or(0.0));
        let later = if wait < SHORT_WAIT {
            gap
        } else {
            gap.min(wait / 10)
        };
        (self.next, self.ahead) = (at.max(self.used_up_until) + later, at + later);
    }

    /// Returns the gap in force, in seconds; zero for none.
    pub fn gap_at(&self, now: Duration) -> f64 {
        let asked = self.asked.filter(|(_, until)| now < *until);
        self.gap.unwrap_or(0.0).max(asked.map_or(0.0, |(gap, _)| gap))
    }

    /// Notes a good answer.
    pub fn answered(&mut self, now: Duration) {
        self.good = self.good.saturating_add(1);
        let silence = SILENCE.max(seconds(self.gap.unwrap_or(0.0) * 10.0));
        if now.saturating_sub(self.last_good) > silence {
            self.measure = None;
        }
        self.last_good = now;
        if let Some(measure) = &mut self.measure {
            measure.good += 1;
        }
        if let Some(gap) = self.gap {
            self.good_at_this_gap += 1;
            self.gap = self.faster(gap);
        }
    }

    fn faster(&mut self, gap: f64) -> Option<f64> {
        let patience = if self.settled {
            CREEP.0
        } else {
            (self.burst / 3).clamp(2, SEARCH.0)
        };
        if self.good_at_this_gap < patience {
            return Some(gap);
        }
        self.good_at_this_gap = 0;
        let factor = if self.settled { 1.0 + self.raise } else { SEARCH.1 };
        self.raise *= 2.0;
        // Faster and faster, and never refused: the limit is gone.
        let forgotten = factor > 2.0 || gap <= 0.001;
        (!forgotten).then(|| gap / factor)
    }

    /// Notes that a request was refused as one too many; `wait` is the time until the next may come, where the answer
    /// stated it.
    pub fn refused(&mut self, now: Duration, wait: Option<Duration>) {
        let measured = self
            .measure
            .map(|m| (now.saturating_sub(m.since).as_secs_f64(), m.good));
        let fresh = Some(Measure { since: now, good: 0 });
        self.settled = false;
        let gap = match (self.gap, measured) {
            (Some(gap), Some((passed, good))) if good >= ENOUGH => {
                let measured = passed / f64::from(good);
                // Refused although far below what used to be let through: the limit has become lower.
                if measured * 1.25 < gap {
                    self.measure = fresh;
                    gap * 1.25
                } else {
                    self.settled = true;
                    if good > 1000 {
                        self.measure = fresh;
                    }
                    measured * BELOW
                }
            }
            (Some(gap), Some((passed, good))) => (passed / f64::from(good).max(0.5)).max(gap * 1.1),
            (gap, _) => {
                self.measure = fresh;
                if gap.is_none() {
                    self.burst = self.good;
                }
                self.refusals = self.refusals.saturating_add(1);
                if gap.is_none() && self.tells_nothing(wait) {
                    self.last_good = now;
                    return;
                }
                gap.map_or_else(|| self.guess(now, wait), |gap| gap * 1.1)
            }
        };
        self.last_good = now;
        self.gap = Some(gap.clamp(0.001, 60.0));
        (self.good_at_this_gap, self.raise) = (0, CREEP.1);
    }

    /// Returns true for a first refusal after a few requests that asks for a long wait: it may be the end of a period
    /// of the service, or have nothing to do with us. The wait is kept; a rate is learned from the second one.
    fn tells_nothing(&self, wait: Option<Duration>) -> bool {
        self.refusals < 2 && self.good < ENOUGH && wait.is_some_and(|wait| wait > NEXT_REQUEST)
    }

    /// Guesses a gap from the first refusal alone.
    fn guess(&self, now: Duration, wait: Option<Duration>) -> f64 {
        let passed = now.saturating_sub(self.began.unwrap_or(now));
        let good = f64::from(self.good.max(1));
        match wait {
            Some(wait) if wait <= NEXT_REQUEST => wait.as_secs_f64(),
            Some(wait) => (passed + wait).as_secs_f64() / good,
            None => passed.as_secs_f64() * 2.0 / good,
        }
    }

    /// Applies what headers state is left. Returns true when nothing is: then no request should be sent before the hint
    /// ends.
    pub fn hint(&mut self, now: Duration, hint: Hint, in_flight: usize) -> bool {
        let until = now + hint.reset;
        if hint.remaining == 0 {
            self.used_up_until = until;
            // Nothing was refused, and a whole gap costs little.
            self.next = until + seconds(self.gap.unwrap_or(0.0));
            return true;
        }
        // With plenty left there is nothing to spread, and the window decides.
        let gap = hint.gap(in_flight);
        self.asked = (!gap.is_zero()).then_some((gap.as_secs_f64(), until));
        false
    }
}

/// Returns the next moment, where a request is sent at this one.
fn after(next: Duration, at: Duration, gap: f64) -> Duration {
    if gap > 0.0 {
        let credit = seconds((gap * CREDIT).min(1.0));
        next.max(at.saturating_sub(credit)) + seconds(gap)
    } else {
        next
    }
}

/// Converts to a duration a number that is neither negative nor absurd.
pub fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn at(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn shown(lane: &Lane, now: Duration) -> u64 {
        let ms = (lane.gap_at(now) * 1000.0).round();
        format!("{ms}").parse().unwrap()
    }

    #[test]
    fn the_first_guess_comes_from_the_wait_or_from_what_was_let_through() {
        for (name, good, passed, wait, expected) in [
            ("the time until the next token", 20, 30, Some(at(333)), 333),
            (
                "the rest of a minute that takes 180",
                180,
                5_000,
                Some(at(55_000)),
                333,
            ),
            ("nothing said: half as fast", 100, 10_000, None, 200),
            ("refused at once, wait of 1 s", 0, 0, Some(at(1000)), 1000),
            ("refused once, after a few, for long", 3, 100, Some(at(10_000)), 0),
            ("no wait at all", 10, 100, Some(Duration::ZERO), 1),
        ] {
            let mut lane = Lane::default();
            lane.take(Duration::ZERO);
            (0..good).for_each(|_| lane.answered(Duration::ZERO));
            lane.refused(at(passed), wait);
            assert_eq!(shown(&lane, at(passed)), expected, "{name}");
        }
    }

    #[test]
    fn a_second_refusal_after_a_few_tells_the_rate() {
        let mut lane = Lane::default();
        lane.take(Duration::ZERO);
        for period in 0..2 {
            (0..5).for_each(|_| lane.answered(at(period * 60_000)));
            lane.refused(at(period * 60_000 + 5_000), Some(at(55_000)));
        }
        assert_eq!(shown(&lane, at(65_000)), 12_000, "ten in two minutes");
    }

    #[test]
    fn between_two_refusals_the_rate_is_measured() {
        let mut lane = Lane::default();
        lane.refused(at(0), Some(at(100)));
        for n in 1..=40 {
            lane.answered(at(n * 250));
        }
        lane.refused(at(10_000), Some(at(100)));
        assert_eq!(shown(&lane, at(10_000)), 255, "40 in 10 s, and a little below");
    }

    #[test]
    fn a_limit_that_was_lifted_is_forgotten() {
        let mut lane = Lane::default();
        lane.refused(at(0), Some(at(100)));
        for n in 1..=2000 {
            lane.answered(at(n * 50));
        }
        assert_eq!(shown(&lane, at(100_000)), 0);
    }

    #[test]
    fn hints_spread_what_is_left_until_they_end() {
        let hint = |remaining, reset| Hint {
            remaining,
            reset: at(reset),
        };
        let mut lane = Lane::default();
        assert!(!lane.hint(at(0), hint(10, 5_000), 16));
        assert_eq!((shown(&lane, at(0)), shown(&lane, at(5_000))), (500, 0));
        assert!(!lane.hint(at(0), hint(1000, 5_000), 16), "plenty left");
        assert_eq!(shown(&lane, at(0)), 0);
        assert!(lane.hint(at(0), hint(0, 3_000), 16));
        assert_eq!(lane.earliest(at(10)), at(3_000));
        assert_eq!(lane.earliest_ahead(at(10)), at(10));
    }
}

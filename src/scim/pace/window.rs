//! How many requests may be in flight: more while latency stays flat, fewer when the target struggles.

use std::time::Duration;

/// The requests in flight at the start.
const FIRST: f64 = 2.0;

/// The answers before the first growth. A service that counts requests usually lets a burst of 10 to 30 through: a
/// window that is still narrow when the burst ends costs a refusal or two, not sixteen.
const QUIET: u32 = 24;

/// The fewest answers whose mean latency is reliable.
const FEWEST: u32 = 4;

/// Latency is flat below this multiple of the lowest mean, or below the lowest mean and `JITTER`, whichever is more.
const FLAT: u32 = 2;

/// The time that the network and a busy machine add now and then. A smaller change of latency proves nothing.
const JITTER: Duration = Duration::from_millis(25);

/// The number of requests in flight. Law: between one and the most allowed, whatever happens.
#[derive(Debug)]
pub struct Window {
    most: f64,
    limit: f64,
    /// True while doubling, until the first sign of trouble, as TCP does; one more a round from then on.
    doubling: bool,
    first: bool,
    answers: u32,
    latency: Duration,
    /// The lowest mean latency so far.
    lowest: Option<Duration>,
    /// The mean latency that made the window smaller, until it is known whether that helped.
    too_slow: Option<Duration>,
}

impl Window {
    /// Creates a window of at most this many requests.
    pub fn new(most: usize) -> Self {
        // Sixteen bits are beyond every setting, and a f64 holds them exactly.
        let most = f64::from(u16::try_from(most.max(1)).unwrap_or(u16::MAX));
        Self {
            most,
            limit: FIRST.min(most),
            doubling: true,
            first: true,
            answers: 0,
            latency: Duration::ZERO,
            lowest: None,
            too_slow: None,
        }
    }

    /// Returns the number of requests that may be in flight now.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 1 and 65535"
    )]
    pub fn limit(&self) -> usize {
        self.limit as usize
    }

    /// Begins with what an earlier process found, where nothing was sent yet.
    pub fn begin_with(&mut self, limit: usize) {
        let limit = f64::from(u16::try_from(limit).unwrap_or(u16::MAX)).min(self.most);
        if self.first && self.answers == 0 && limit > self.limit {
            self.limit = limit;
            self.first = false;
        }
    }

    /// Returns what a later process may begin with: the limit where latency stayed flat and nothing fell, else the
    /// narrowest. Returns `None` before anything is known.
    pub fn found(&self) -> Option<usize> {
        match (self.first, self.doubling) {
            (true, _) => None,
            (false, true) => Some(self.limit()),
            (false, false) => Some(1),
        }
    }

    /// Notes a good answer after this long. Every round of answers is judged by its mean.
    pub fn answered(&mut self, latency: Duration) {
        self.answers += 1;
        self.latency += latency;
        let round = if self.first { QUIET } else { FEWEST };
        if self.answers < round || f64::from(self.answers) < self.limit.floor() {
            return;
        }
        let mean = self.latency / self.answers;
        self.new_round();
        self.judge(mean);
    }

    /// Halves the window: the target asked to slow down, or failed.
    pub fn fell(&mut self) {
        self.limit = (self.limit / 2.0).max(1.0);
        self.doubling = false;
        self.too_slow = None;
        self.new_round();
    }

    fn new_round(&mut self) {
        self.first = false;
        self.answers = 0;
        self.latency = Duration::ZERO;
    }

    fn judge(&mut self, mean: Duration) {
        let lowest = self.lowest.map_or(mean, |lowest| lowest.min(mean));
        self.lowest = Some(lowest);
        if mean <= (lowest * FLAT).max(lowest + JITTER) {
            self.too_slow = None;
            let wider = if self.doubling {
                self.limit * 2.0
            } else {
                self.limit + 1.0
            };
            self.limit = wider.min(self.most);
            return;
        }
        self.doubling = false;
        match self.too_slow.take() {
            // Fewer in flight did not make them faster, so our load is not the cause: groups take longer than users. A
            // new level.
            Some(before) if mean * 10 > before * 9 => self.lowest = Some(mean),
            _ => {
                self.too_slow = Some(mean);
                self.limit = (self.limit * 0.75).max(1.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Returns the limit after this many answers from a target whose latency depends on the requests in flight.
    fn after(answers: u32, most: usize, latency: impl Fn(usize) -> Duration) -> Window {
        let mut window = Window::new(most);
        for _ in 0..answers {
            window.answered(latency(window.limit()));
        }
        window
    }

    #[test]
    fn it_grows_while_latency_is_flat_and_stops_where_requests_queue() {
        for (name, latency, expected) in [
            ("flat at 50 ms", (|_| MS * 50) as fn(usize) -> Duration, 16..=16),
            ("flat at 2 s", |_| MS * 2000, 16..=16),
            (
                "jitter of a busy machine",
                |n| MS * if n > 8 { 20 } else { 1 },
                16..=16,
            ),
            (
                "one at a time, 50 ms each",
                |n| MS * 50 * u32::try_from(n).unwrap(),
                2..=5,
            ),
            (
                "eight at a time",
                |n| MS * 50 * u32::try_from(n.div_ceil(8)).unwrap(),
                12..=16,
            ),
        ] {
            let limit = after(600, 16, latency).limit();
            assert!(expected.contains(&limit), "{name}: {limit}");
        }
    }

    #[test]
    fn it_is_narrow_until_a_usual_burst_is_over_and_wide_soon_after() {
        assert_eq!(after(QUIET - 1, 16, |_| MS).limit(), 2);
        assert_eq!(after(QUIET + 4 + 4 + 8, 16, |_| MS).limit(), 16);
    }

    #[test]
    fn another_process_begins_where_this_one_was_unless_something_fell() {
        let mut window = after(100, 16, |_| MS);
        assert_eq!(window.found(), Some(16));
        let mut next = Window::new(64);
        assert_eq!(next.found(), None, "nothing is known yet");
        next.begin_with(16);
        assert_eq!(next.limit(), 16);
        let mut narrower = Window::new(4);
        narrower.begin_with(16);
        assert_eq!(narrower.limit(), 4, "the settings come first");
        window.fell();
        assert_eq!(window.found(), Some(1));
        let mut wary = Window::new(64);
        wary.begin_with(1);
        assert_eq!(
            (wary.limit(), wary.found()),
            (2, None),
            "as if nothing were known"
        );
    }

    #[test]
    fn a_fall_halves_it_and_it_comes_back_by_one_a_round() {
        let mut window = after(100, 16, |_| MS);
        window.fell();
        assert_eq!(window.limit(), 8);
        for _ in 0..8 {
            window.answered(MS);
        }
        assert_eq!(window.limit(), 9);
    }

    #[test]
    fn slower_work_that_is_no_faster_with_fewer_in_flight_is_a_new_level() {
        let mut window = after(100, 16, |_| MS * 50);
        let mut narrowest = 16;
        for _ in 0..200 {
            window.answered(MS * 2000);
            narrowest = narrowest.min(window.limit());
        }
        assert_eq!((window.limit(), narrowest), (16, 12));
    }

    #[test]
    fn it_stays_between_one_and_the_most_whatever_happens() {
        for most in [0, 1, 2, 7, 512, usize::MAX] {
            let mut window = Window::new(most);
            let mut chance = 7_u32;
            for _ in 0..5000 {
                chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                match chance >> 29 {
                    0 => window.fell(),
                    n => window.answered(MS * n * (chance >> 20 & 0xff)),
                }
                let limit = window.limit();
                assert!((1..=most.max(1)).contains(&limit), "{limit} of {most}");
            }
        }
    }
}

//! What an answer's headers state is left of a limit.
//!
//! Read: `RateLimit` in both of its forms (draft-ietf-httpapi-ratelimit-headers 03 to 07, `limit=9, remaining=4,
//! reset=5`, and from 08 on, `"default";r=4;t=5`), `RateLimit-Remaining` with `RateLimit-Reset`, and the older
//! `X-RateLimit-*` and `X-Rate-Limit-*`, whose reset is seconds from now or, in other services, a moment in Unix time.
//! They are a hint: requests are spread by them, and nothing fails because of them. A service that enforces them
//! refuses what goes beyond, so they are believed for some minutes in sum, and longer once it has refused something;
//! and work that takes access away from a user does not wait for them at all.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName};

use crate::model::clock::Timestamp;

/// The longest time that a hint holds: the answers after it bring their own.
const LONGEST: Duration = Duration::from_secs(60);

const COMBINED: HeaderName = HeaderName::from_static("ratelimit");

const PAIRS: [(HeaderName, HeaderName); 3] = [
    (
        HeaderName::from_static("ratelimit-remaining"),
        HeaderName::from_static("ratelimit-reset"),
    ),
    (
        HeaderName::from_static("x-ratelimit-remaining"),
        HeaderName::from_static("x-ratelimit-reset"),
    ),
    (
        HeaderName::from_static("x-rate-limit-remaining"),
        HeaderName::from_static("x-rate-limit-reset"),
    ),
];

/// A hint: so many requests are left for so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hint {
    /// The requests that will still be taken.
    pub remaining: u32,
    /// The time until there are more.
    pub reset: Duration,
}

/// The time in sum for which hints hold requests back without a refusal.
pub const MOST_HELD: Duration = Duration::from_secs(300);

/// The time after which it is tried again what hints are worth.
const BELIEVED_AGAIN: Duration = Duration::from_secs(3600);

/// The gap up to which a pace is usual, and costs nothing of that time.
const PACE: Duration = Duration::from_millis(500);

/// The wait from which one is reported.
const LONG: Duration = Duration::from_secs(10);

impl Hint {
    /// Returns how long the next request waits for it; zero where so much is left that there is nothing to spread.
    #[must_use]
    pub fn gap(self, in_flight: usize) -> Duration {
        let plenty = u32::try_from(in_flight).unwrap_or(u32::MAX).saturating_mul(2);
        match self.remaining {
            0 => self.reset,
            left if left > plenty => Duration::ZERO,
            left => self.reset / left,
        }
    }
}

/// How far hints are believed. Times are since the pace began.
#[derive(Debug, Default)]
pub struct Belief {
    /// For how long hints held requests back, since when, and up to which moment that is counted.
    held: Duration,
    since: Duration,
    counted: Duration,
    /// The report to make, and the report that was made.
    report: Option<String>,
    reported: bool,
    given_up: bool,
}

impl Belief {
    /// Returns true where a hint is to be followed.
    pub fn follows(&mut self, now: Duration, hint: Hint, in_flight: usize) -> bool {
        let gap = hint.gap(in_flight);
        if now.saturating_sub(self.since) > BELIEVED_AGAIN {
            (self.held, self.since, self.given_up) = (Duration::ZERO, now, false);
        }
        if gap <= PACE {
            return true;
        }
        if gap >= LONG && !self.reported {
            self.reported = true;
            self.report = Some(format!(
                "the target's RateLimit headers slow melonsync down to a request every {} s; they are followed for {} s in sum, \
                 unless it refuses a request, and what takes access away does not wait for them",
                gap.as_secs(),
                MOST_HELD.as_secs()
            ));
        }
        let until = now + gap;
        let more = until.saturating_sub(self.counted.max(now));
        self.given_up |= self.held + more > MOST_HELD;
        if self.given_up {
            return false;
        }
        self.held += more;
        self.counted = self.counted.max(until);
        true
    }

    /// Notes that the service refused a request as one too many: its headers are true.
    pub fn refused(&mut self, now: Duration) {
        (self.held, self.since, self.given_up) = (Duration::ZERO, now, false);
    }

    /// Returns the report to make, once.
    pub fn take_report(&mut self) -> Option<String> {
        self.report.take()
    }
}

/// Reads the hint of an answer. Returns `None` where there is none that can be read.
#[must_use]
pub fn read(headers: &HeaderMap, now: Timestamp) -> Option<Hint> {
    let text = |name: &HeaderName| headers.get(name)?.to_str().ok();
    if let Some(hint) = text(&COMBINED).and_then(combined) {
        return Some(hint);
    }
    PAIRS.iter().find_map(|(remaining, reset)| {
        let remaining = number(text(remaining)?)?;
        let reset = from_now(number(text(reset)?)?, now);
        worth(remaining, reset)
    })
}

/// Returns, of several limits in one header, the one with the fewest left.
fn combined(text: &str) -> Option<Hint> {
    let (mut least, mut remaining, mut reset) = (None::<Hint>, None, None);
    for part in text.split([',', ';']) {
        let Some((key, value)) = part.split_once('=') else {
            // The name of the next limit.
            (remaining, reset) = (None, None);
            continue;
        };
        match key.trim() {
            "r" | "remaining" => remaining = number(value),
            "t" | "reset" => reset = number(value),
            _ => {}
        }
        if let (Some(left), Some(after)) = (remaining, reset)
            && let Some(found) = worth(left, after)
        {
            (remaining, reset) = (None, None);
            least = Some(least.map_or(found, |old| {
                if found.remaining < old.remaining {
                    found
                } else {
                    old
                }
            }));
        }
    }
    least
}

fn worth(remaining: f64, reset: f64) -> Option<Hint> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a cast of a float saturates, and digits have no sign"
    )]
    let remaining = remaining as u32;
    let reset = Duration::try_from_secs_f64(reset).unwrap_or(LONGEST).min(LONGEST);
    (!reset.is_zero()).then_some(Hint { remaining, reset })
}

/// Converts a reset to seconds from now. A reset beyond thirty years is a moment in Unix time, in seconds or
/// milliseconds.
fn from_now(reset: f64, now: Timestamp) -> f64 {
    let since = |moment_ms: f64| {
        // Exact: milliseconds since 1970 fit the 52 bits of a f64 for far longer than needed.
        #[expect(clippy::cast_precision_loss, reason = "see above")]
        let now = now.0 as f64;
        ((moment_ms - now) / 1000.0).max(0.0)
    };
    if reset > 1e11 {
        since(reset)
    } else if reset > 1e9 {
        since(reset * 1000.0)
    } else {
        reset
    }
}

/// Reads digits with at most one point.
fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let plain = text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    plain.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderValue;

    const S: Duration = Duration::from_secs(1);

    #[test]
    fn hints_are_believed_for_so_long_in_sum_and_on_after_a_refusal() {
        let (hint, mut belief) = (
            Hint {
                remaining: 0,
                reset: S * 60,
            },
            Belief::default(),
        );
        let followed = |belief: &mut Belief, from: Duration| {
            let minutes = (0..50).take_while(|minute| belief.follows(from + S * 60 * *minute, hint, 8));
            minutes.count()
        };
        assert_eq!(followed(&mut belief, S), 5);
        assert!(
            !belief.follows(
                S * 300,
                Hint {
                    remaining: 1,
                    reset: S * 60
                },
                8
            ),
            "in any form"
        );
        belief.refused(S * 301);
        assert_eq!(followed(&mut belief, S * 302), 5);
        assert_eq!(followed(&mut belief, S * 5000), 5, "an hour later");
        let report = belief.take_report().unwrap();
        assert!(report.contains("a request every 60 s"), "{report}");
        assert_eq!(belief.take_report(), None, "once");
    }

    #[test]
    fn what_holds_nothing_back_costs_no_belief_and_what_holds_many_counts_once() {
        let mut belief = Belief::default();
        let plenty = Hint {
            remaining: 900,
            reset: S * 60,
        };
        assert!((0..1000).all(|n| belief.follows(S * n, plenty, 8)));
        assert_eq!(belief.held, Duration::ZERO);
        let little = Hint {
            remaining: 1,
            reset: S,
        };
        assert!(
            (0..64).all(|_| belief.follows(S * 1000, little, 8)),
            "64 answers at once"
        );
        assert_eq!((belief.held, belief.take_report()), (S, None));
    }

    /// The time of the tests: 2026-01-02 03:04:05 UTC.
    const NOW: Timestamp = Timestamp(1_767_323_045_000);

    #[test]
    fn every_form_of_the_headers_is_read() {
        type Case = (
            &'static str,
            &'static [(&'static str, &'static str)],
            Option<(u32, u64)>,
        );
        let cases: &[Case] = &[
            ("none", &[], None),
            (
                "dictionary",
                &[("ratelimit", "limit=100, remaining=50, reset=30")],
                Some((50, 30_000)),
            ),
            (
                "list of one",
                &[("ratelimit", "\"default\";r=4;t=5")],
                Some((4, 5_000)),
            ),
            (
                "list of two, the tighter counts",
                &[("ratelimit", "\"hour\";r=900;t=50, \"burst\";r=1;t=2")],
                Some((1, 2_000)),
            ),
            ("a list without times", &[("ratelimit", "\"default\";r=4")], None),
            (
                "one name's rest and the other's time do not meet",
                &[("ratelimit", "\"a\";r=4, \"b\";t=5")],
                None,
            ),
            (
                "pair",
                &[("ratelimit-remaining", "0"), ("ratelimit-reset", "7")],
                Some((0, 7_000)),
            ),
            (
                "pair with decimals",
                &[("ratelimit-remaining", "3"), ("ratelimit-reset", "0.5")],
                Some((3, 500)),
            ),
            (
                "older pair",
                &[("x-ratelimit-remaining", " 2 "), ("x-ratelimit-reset", "9")],
                Some((2, 9_000)),
            ),
            (
                "a moment",
                &[
                    ("x-ratelimit-remaining", "2"),
                    ("x-ratelimit-reset", "1767323055"),
                ],
                Some((2, 10_000)),
            ),
            (
                "a moment in ms",
                &[
                    ("x-rate-limit-remaining", "2"),
                    ("x-rate-limit-reset", "1767323055500"),
                ],
                Some((2, 10_500)),
            ),
            (
                "a moment gone by",
                &[
                    ("x-ratelimit-remaining", "2"),
                    ("x-ratelimit-reset", "1767323000"),
                ],
                None,
            ),
            ("half a pair", &[("ratelimit-remaining", "5")], None),
            (
                "an hour is cut",
                &[("ratelimit-remaining", "5"), ("ratelimit-reset", "3600")],
                Some((5, 60_000)),
            ),
            (
                "words",
                &[("ratelimit-remaining", "few"), ("ratelimit-reset", "soon")],
                None,
            ),
            (
                "negative",
                &[("ratelimit-remaining", "-1"), ("ratelimit-reset", "5")],
                None,
            ),
            (
                "more than any number",
                &[("ratelimit", "r=99999999999999999999;t=1")],
                Some((u32::MAX, 1_000)),
            ),
        ];
        for (name, headers, expected) in cases {
            let mut map = HeaderMap::new();
            for (key, value) in *headers {
                map.insert(HeaderName::from_static(key), HeaderValue::from_static(value));
            }
            let expected = expected.map(|(remaining, ms)| Hint {
                remaining,
                reset: Duration::from_millis(ms),
            });
            assert_eq!(read(&map, NOW), expected, "{name}");
        }
    }
}

//! The controller against model services, in virtual time.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::*;

const MS: Duration = Duration::from_millis(1);

/// A model of a service and its load.
struct Service {
    latency: fn(in_flight: u32) -> Duration,
    /// The tokens a second and the burst, where it counts requests.
    bucket: Option<(f64, f64)>,
    says_wait: bool,
    says_hint: bool,
    tokens: f64,
    counted_at: Duration,
}

impl Service {
    fn new(latency: fn(u32) -> Duration) -> Self {
        Self {
            latency,
            bucket: None,
            says_wait: true,
            says_hint: false,
            tokens: 0.0,
            counted_at: Duration::ZERO,
        }
    }

    fn counting(mut self, per_second: f64, burst: f64) -> Self {
        self.bucket = Some((per_second, burst));
        self.tokens = burst;
        self
    }

    fn answer(&mut self, now: Duration, in_flight: u32) -> (Duration, bool, Option<Duration>, Option<Hint>) {
        let latency = (self.latency)(in_flight);
        let Some((rate, burst)) = self.bucket else {
            return (latency, true, None, None);
        };
        let passed = now.saturating_sub(self.counted_at).as_secs_f64();
        self.tokens = (self.tokens + passed * rate).min(burst);
        self.counted_at = now;
        let good = self.tokens >= 1.0;
        let wait = Duration::from_secs_f64(((1.0 - self.tokens) / rate).max(0.0));
        self.tokens -= f64::from(u8::from(good));
        let remaining = format!("{:.0}", self.tokens.floor().max(0.0)).parse().unwrap();
        let reset = Duration::from_secs_f64((burst - self.tokens) / rate);
        let hint = Hint { remaining, reset };
        (
            latency,
            good,
            self.says_wait.then_some(wait),
            self.says_hint.then_some(hint),
        )
    }
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Answer {
        good: bool,
        sent: Duration,
        wait: Option<Duration>,
        hint: Option<(u32, Duration)>,
    },
    Send,
}

/// The moment, the order, the event, its start and its leave.
type Due = (Duration, u64, Event, Duration, u64);

struct Run {
    took: Duration,
    refused: u32,
    sent_at: Vec<Duration>,
}

/// Runs `work` writes, as many at once as the controller allows, each again when it is refused.
fn run(controller: &mut Controller, service: &mut Service, work: u32) -> Run {
    let mut events: BinaryHeap<Reverse<Due>> = BinaryHeap::new();
    let (mut waiting, mut done, mut slots, mut in_flight, mut serial) = (work, 0, 0, 0, 0);
    let mut run = Run {
        took: Duration::ZERO,
        refused: 0,
        sent_at: vec![],
    };
    let mut now = Duration::ZERO;
    while done < work {
        while waiting > 0 && slots < controller.limit() {
            let leave = controller.reserve(now, Kind::Write);
            (waiting, slots, serial) = (waiting - 1, slots + 1, serial + 1);
            events.push(Reverse((leave.at, serial, Event::Send, leave.at, leave.epoch)));
        }
        let Reverse((at, _, event, leave_at, epoch)) = events.pop().expect("somebody is always on the way");
        now = at;
        serial += 1;
        let leave = Leave { at: leave_at, epoch };
        match event {
            Event::Send if !controller.holds(leave) => {
                let leave = controller.reserve(now, Kind::Write);
                events.push(Reverse((leave.at, serial, Event::Send, leave.at, leave.epoch)));
            }
            Event::Send => {
                in_flight += 1;
                run.sent_at.push(now);
                let (latency, good, wait, hint) = service.answer(now, in_flight);
                let hint = hint.map(|hint| (hint.remaining, hint.reset));
                let answer = Event::Answer {
                    good,
                    sent: now,
                    wait,
                    hint,
                };
                events.push(Reverse((now + latency, serial, answer, leave_at, epoch)));
            }
            Event::Answer {
                good,
                sent,
                wait,
                hint,
            } => {
                (in_flight, slots) = (in_flight - 1, slots - 1);
                let outcome = if good {
                    Outcome::Answered(now - sent)
                } else {
                    Outcome::Refused(wait)
                };
                let hint = hint.map(|(remaining, reset)| Hint { remaining, reset });
                controller.answered(now, Kind::Write, leave, outcome, hint);
                if good {
                    done += 1;
                } else {
                    (waiting, run.refused) = (waiting + 1, run.refused + 1);
                }
            }
        }
    }
    run.took = now;
    run
}

/// Returns the least time that a service of this rate and burst needs.
fn ideal(work: u32, rate: f64, burst: f64) -> f64 {
    (f64::from(work) - burst) / rate
}

#[test]
fn a_limit_is_used_to_95_in_100_with_fewer_than_1_in_100_refused() {
    let quick: fn(u32) -> Duration = |_| MS * 2;
    let usual: fn(u32) -> Duration = |_| MS * 60;
    let slow: fn(u32) -> Duration = |_| MS * 900;
    for (name, latency, rate, burst, work) in [
        ("180 a minute, near", quick, 3.0, 20.0, 600),
        ("180 a minute", usual, 3.0, 20.0, 600),
        ("180 a minute, far", slow, 3.0, 20.0, 1000),
        ("25 a second", usual, 25.0, 25.0, 1000),
        // The first burst ends with many in flight, which only a longer run makes up for.
        ("100 a second", usual, 100.0, 50.0, 3000),
        ("40 a minute, a small burst", usual, 0.667, 4.0, 1000),
    ] {
        let mut service = Service::new(latency).counting(rate, burst);
        let run = run(&mut Controller::new(16, None), &mut service, work);
        let share = ideal(work, rate, burst) / run.took.as_secs_f64();
        assert!(
            share > 0.95 && run.refused * 100 < work,
            "{name}: {share:.3} of the limit, {} refused",
            run.refused
        );
    }
}

#[test]
fn headers_alone_keep_it_within_the_limit() {
    let mut service = Service::new(|_| MS * 60).counting(3.0, 20.0);
    service.says_hint = true;
    let run = run(&mut Controller::new(16, None), &mut service, 600);
    let share = ideal(600, 3.0, 20.0) / run.took.as_secs_f64();
    assert!(
        share > 0.95 && run.refused < 6,
        "{share:.3}, {} refused",
        run.refused
    );
}

#[test]
fn a_service_that_does_not_say_how_long_to_wait_is_not_flooded() {
    let mut service = Service::new(|_| MS * 60).counting(3.0, 20.0);
    service.says_wait = false;
    let run = run(&mut Controller::new(16, None), &mut service, 1000);
    let share = ideal(1000, 3.0, 20.0) / run.took.as_secs_f64();
    assert!(
        share > 0.9 && run.refused < 20,
        "{share:.3}, {} refused",
        run.refused
    );
}

#[test]
fn without_a_limit_it_is_within_a_tenth_of_the_best_fixed_number() {
    for (name, latency, best) in [
        (
            "50 ms whatever the load",
            (|_| MS * 50) as fn(u32) -> Duration,
            16,
        ),
        ("eight at a time", |n| MS * 50 * n.div_ceil(8), 8),
        ("one at a time", |n| MS * 50 * n, 1),
    ] {
        let work = 4000;
        let run = run(&mut Controller::new(16, None), &mut Service::new(latency), work);
        let fixed = latency(best) * work / best;
        assert!(
            run.took.as_secs_f64() < fixed.as_secs_f64() * 1.1,
            "{name}: {:?} and {fixed:?}",
            run.took
        );
    }
}

#[test]
fn a_configured_rate_is_never_exceeded() {
    let mut controller = Controller::new(16, Some(MS * 20));
    for service in [
        Service::new(|_| MS * 5),
        Service::new(|_| MS * 300),
        Service::new(|_| MS * 5).counting(20.0, 40.0),
    ] {
        let mut service = service;
        let run = run(&mut controller, &mut service, 500);
        let closest = run.sent_at.windows(2).map(|pair| pair[1] - pair[0]).min();
        assert!(closest >= Some(MS * 20), "{closest:?}");
        controller = Controller::new(16, Some(MS * 20));
    }
}

#[test]
fn reads_go_on_at_their_own_speed_while_writes_are_counted() {
    let mut controller = Controller::new(16, None);
    let leave = controller.reserve(MS, Kind::Write);
    controller.answered(MS, Kind::Write, leave, Outcome::Refused(Some(MS * 500)), None);
    let reads: Vec<_> = (0..4)
        .map(|_| controller.reserve(MS * 600, Kind::Read).at)
        .collect();
    assert_eq!(reads, [MS * 600; 4]);
    let writes: Vec<_> = (0..3)
        .map(|_| controller.reserve(MS * 600, Kind::Write).at)
        .collect();
    assert_eq!(writes, [MS * 1001, MS * 1501, MS * 2001]);
}

#[test]
fn requests_refused_together_count_once() {
    let mut controller = Controller::new(16, None);
    let leaves: Vec<_> = (0..8).map(|_| controller.reserve(MS, Kind::Write)).collect();
    let before = controller.limit();
    for leave in leaves {
        assert_eq!(leave.epoch, 0);
        controller.answered(
            MS * 10,
            Kind::Write,
            leave,
            Outcome::Refused(Some(MS * 100)),
            None,
        );
    }
    assert_eq!(controller.limit(), before / 2);
    assert_eq!(controller.pause_left(MS * 10), MS * 100);
}

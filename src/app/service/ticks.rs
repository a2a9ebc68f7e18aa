//! The moments of a schedule, waited for, and what they go by.

use std::time::Duration;

use super::order::Work;
use crate::engine::job::Extent;
use crate::engine::schedule::Past;
use crate::engine::summary::Summary;
use crate::model::clock::Clock;
use crate::model::clock::Timestamp;

/// Longest single sleep: the clock may be set while we sleep, and schedules are by the wall clock. After the machine slept,
/// what fell due meanwhile is done once.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// Waits for a moment of the schedule; for ever where there is none.
pub(super) async fn wait_for(clock: &dyn Clock, due: Option<(Timestamp, Extent)>) -> Extent {
    let (due, extent) = due.unzip();
    until(clock, due).await;
    extent.unwrap_or_default()
}

/// Waits for a moment; for ever where there is none.
pub(super) async fn until(clock: &dyn Clock, due: Option<Timestamp>) {
    let Some(due) = due else {
        return std::future::pending().await;
    };
    loop {
        let left = due.since(clock.now());
        if left.is_zero() {
            return;
        }
        tokio::time::sleep(left.min(LONGEST_SLEEP)).await;
    }
}

/// Notes an order that ended: one that looked at all that changed counts as the schedule's own.
pub(super) fn note(past: &mut Past, work: &Work, summary: Option<&Summary>, now: Timestamp) {
    if work.gives_way() {
        past.ended = now;
    }
    if work.is_cycle() && work.is_full() {
        (past.full, past.back) = (now, now);
    }
    if work.is_cycle() && work.is_back() {
        past.back = now;
    }
    let source = summary.map(|summary| summary.source);
    if source.is_some_and(|source| source.users_read + source.groups_read > 0) {
        past.changed = now;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicI64;
    use std::sync::atomic::Ordering;

    use super::*;

    #[derive(Debug, Default)]
    struct Wall(AtomicI64);

    impl Clock for Wall {
        fn now(&self) -> Timestamp {
            Timestamp(self.0.load(Ordering::Relaxed))
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_fell_due_while_the_machine_slept_is_done_half_a_minute_after_it_wakes() {
        let clock = Wall::default();
        let due = Some((Timestamp(8 * 3_600_000), Extent::Full));
        let began = tokio::time::Instant::now();
        let waiting = wait_for(&clock, due);
        let slept = async {
            tokio::time::sleep(Duration::from_secs(65)).await;
            // The wall clock went on while ours stood still.
            clock.0.store(20 * 3_600_000, Ordering::Relaxed);
        };
        let (extent, ()) = tokio::join!(waiting, slept);
        assert_eq!(extent, Extent::Full);
        assert!(
            began.elapsed() <= Duration::from_secs(95),
            "{:?}",
            began.elapsed()
        );
    }
}

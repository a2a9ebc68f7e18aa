//! Whose turn it is at the target: work that waits to be sent gives way when its cycle is told to stop.
//!
//! A slow target has many requests waiting for their moment, and a cycle that is to end, or to let named people through, would
//! wait for all of them. What was sent is never given up: only work of which no write can have been carried out gives way.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering;

use tokio_util::sync::CancellationToken;

tokio::task_local! {
    static TURN: Arc<Turn>;
}

/// The turn of one piece of work.
#[derive(Debug)]
pub struct Turn {
    stop: CancellationToken,
    /// Writes that were sent, and were not refused for coming too early.
    writes: AtomicU32,
    gave_way: AtomicBool,
}

impl Turn {
    /// A turn that is given up once `stop` is cancelled.
    #[must_use]
    pub fn until(stop: &CancellationToken) -> Arc<Self> {
        Arc::new(Self {
            stop: stop.clone(),
            writes: AtomicU32::new(0),
            gave_way: AtomicBool::new(false),
        })
    }

    /// Does work in this turn.
    pub async fn during<T>(self: &Arc<Self>, work: impl Future<Output = T>) -> T {
        TURN.scope(Arc::clone(self), work).await
    }

    /// True where the work gave way: nothing of it was written.
    #[must_use]
    pub fn gave_way(&self) -> bool {
        self.gave_way.load(Ordering::Relaxed)
    }
}

/// Waits for a moment to send something. `None` where the work gives way instead.
pub async fn wait<T>(moment: impl Future<Output = T>) -> Option<T> {
    let turn = TURN.try_with(Arc::clone).ok();
    let Some(turn) = turn.filter(|turn| turn.writes.load(Ordering::Relaxed) == 0) else {
        return Some(moment.await);
    };
    tokio::select! {
        biased;
        () = turn.stop.cancelled() => {
            turn.gave_way.store(true, Ordering::Relaxed);
            None
        }
        moment = moment => Some(moment),
    }
}

/// Notes that a write is sent.
pub fn writes() {
    let _ = TURN.try_with(|turn| turn.writes.fetch_add(1, Ordering::Relaxed));
}

/// Notes that it was refused for coming too early: nothing of it was carried out.
pub fn refused() {
    let _ = TURN.try_with(|turn| turn.writes.fetch_sub(1, Ordering::Relaxed));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_waits_gives_way_and_what_was_sent_does_not() {
        let stop = CancellationToken::new();
        let (waits, sent) = (Turn::until(&stop), Turn::until(&stop));
        let waiting = waits.during(wait(std::future::pending::<()>()));
        let sending = sent.during(async {
            writes();
            wait(async { 7 }).await
        });
        stop.cancel();
        assert_eq!(waiting.await, None);
        assert_eq!(sending.await, Some(7));
        assert!(waits.gave_way() && !sent.gave_way());
        // Refused with nothing carried out, it waits again, and gives way.
        let again = Turn::until(&stop);
        let again_waits = again.during(async {
            writes();
            refused();
            wait(async { 7 }).await
        });
        assert_eq!(again_waits.await, None);
        assert_eq!(wait(async { 7 }).await, Some(7), "no turn, no way");
    }
}

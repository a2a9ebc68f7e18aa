//! A queue for each receiver: nobody who puts something in waits, and what became of it is counted.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tracing::info;
use tracing::warn;

use super::message::Message;
use super::receiver::Undelivered;
use super::receiver::Way;
use crate::model::clock::Clock;
use crate::model::clock::Timestamp;

/// As many messages wait for a receiver; more are dropped, and counted.
const MOST_WAITING: usize = 100;

/// The least time between two messages to one receiver: webhooks take one a second (Slack) or four (Teams).
const GAP: Duration = Duration::from_secs(1);

/// What became of the messages to a receiver.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Taken by the receiver.
    pub delivered: u64,
    /// Failed after all tries.
    pub failed: u64,
    /// Dropped because too many waited.
    pub dropped: u64,
    /// The last failure: when, and what, until a message is taken again.
    pub last_failure: Option<(Timestamp, String)>,
}

/// What becomes of the messages to a receiver, for whoever looks.
#[derive(Debug, Clone, Default)]
pub struct Tally(Arc<Mutex<Counts>>);

impl Tally {
    /// Returns what became of them so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A receiver with its queue. The worker ends when this is dropped.
#[derive(Debug)]
pub struct Queue {
    label: String,
    sender: mpsc::Sender<Message>,
    counts: Arc<Mutex<Counts>>,
    worker: JoinHandle<()>,
}

impl Queue {
    /// Starts the worker of a receiver; `label` names it in logs without its address.
    #[must_use]
    pub fn start(label: String, way: Way, clock: Arc<dyn Clock>) -> Self {
        let (sender, mut messages) = mpsc::channel::<Message>(MOST_WAITING);
        let counts = Arc::<Mutex<Counts>>::default();
        let (counted, named) = (Arc::clone(&counts), label.clone());
        let worker = tokio::spawn(async move {
            while let Some(message) = messages.recv().await {
                let outcome = way.deliver(&message, clock.as_ref()).await;
                note(&named, &message, outcome, &counted, clock.now());
                tokio::time::sleep(GAP).await;
            }
        });
        Self {
            label,
            sender,
            counts,
            worker,
        }
    }

    /// Puts a message in, without waiting.
    pub fn push(&self, message: Message) {
        if self.sender.try_send(message).is_err() {
            let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
            counts.dropped += 1;
            warn!(
                "{MOST_WAITING} notifications wait for {} already: one is dropped",
                self.label
            );
        }
    }

    /// Returns the receiver's name in logs.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// Returns what shows what becomes of the messages.
    #[must_use]
    pub fn tally(&self) -> Tally {
        Tally(Arc::clone(&self.counts))
    }

    /// Returns what became of the messages so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Counts and logs what became of a message.
fn note(
    label: &str,
    message: &Message,
    outcome: Result<(), Undelivered>,
    counts: &Mutex<Counts>,
    now: Timestamp,
) {
    let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
    let (job, event) = (message.job.as_str(), message.condition.name());
    match outcome {
        Ok(()) => {
            counts.delivered += 1;
            counts.last_failure = None;
            info!(job, event, "Notified {label}: {}", message.title());
        }
        Err(failed) => {
            counts.failed += 1;
            counts.last_failure = Some((now, failed.to_string()));
            warn!(job, event, "Cannot notify {label}: {failed}; {}", failed.hint());
        }
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.worker.abort();
    }
}

//! Tells the receivers of the settings what they are to know: at once where they become others, after each cycle, and once a minute for
//! what only time brings.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::PoisonError;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tracing::error;

use super::Service;
use super::events::Happening;
use super::load::Loaded;
use crate::app::error::AppError;
use crate::app::install;
use crate::app::notices::facts;
use crate::app::notices::receivers;
use crate::app::notices::receivers::Ready;
use crate::app::notices::rules;
use crate::app::notices::rules::Facts;
use crate::app::notices::rules::Told;
use crate::app::notices::rules::Turned;
use crate::model::clock::Clock;
use crate::model::clock::SystemClock;
use crate::model::clock::Timestamp;
use crate::notify::message::Message;
use crate::notify::queue::Queue;
use crate::notify::queue::Tally;
use crate::ports::Durability;
use crate::settings::Settings;
use crate::snapshot::state::NOTICES;
use crate::snapshot::state::Notice;
use crate::snapshot::state::StateReads;

/// How often what only time brings is looked at: lag, the end of a credential, a state that lasts.
const EVERY: Duration = Duration::from_secs(60);

/// A receiver in force.
struct Place {
    ready: Ready,
    queue: Queue,
    /// What it was told, by job.
    told: BTreeMap<String, Told>,
}

/// The receivers in force, and what each was told.
#[derive(Default)]
struct Board {
    /// What they were made of.
    from: Arc<Vec<Ready>>,
    places: Vec<Place>,
    /// What is known of jobs without a snapshot.
    without: BTreeMap<String, Vec<Notice>>,
}

/// Tells until the daemon stops.
pub(super) async fn tell(service: Arc<Service>, stop: CancellationToken) {
    let begun = SystemClock.now();
    let mut board = Board::default();
    let mut newest = service.events().newest();
    let mut seen = *newest.borrow_and_update();
    let mut receivers = service.receivers.subscribe();
    while !stop.is_cancelled() {
        let settings = service.site().settings();
        let now = Arc::clone(&receivers.borrow_and_update());
        if board.renew(now) {
            *service.tallies.lock().unwrap_or_else(PoisonError::into_inner) = board.tallies();
        }
        if !board.places.is_empty() {
            board = look(Arc::clone(&service), settings, board, begun).await;
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(EVERY) => {}
            () = cycle_ended(&service, &mut newest, &mut seen) => {}
            // An error says that the service ends, and with it `stop`.
            Ok(()) = receivers.changed() => {}
        }
    }
}

/// Waits for the next end of a cycle.
async fn cycle_ended(service: &Service, newest: &mut tokio::sync::watch::Receiver<u64>, seen: &mut u64) {
    loop {
        if newest.changed().await.is_err() {
            return std::future::pending().await;
        }
        let news = service.events().after(*seen);
        *seen = *newest.borrow();
        let ended = |event: &super::events::Event| matches!(event.what, Happening::Ended(_));
        if news.missed || news.events.iter().any(ended) {
            return;
        }
    }
}

/// Looks at every job, off the runtime's threads.
async fn look(service: Arc<Service>, settings: Arc<Settings>, mut board: Board, begun: Timestamp) -> Board {
    let looked = tokio::task::spawn_blocking(move || {
        for name in settings.jobs.keys() {
            let looked = board.look_at(&service, &settings, name, begun);
            looked.unwrap_or_else(|failure| report(name, &failure));
        }
        board
    });
    looked.await.unwrap_or_default()
}

fn report(job: &str, failure: &AppError) {
    for text in &failure.errors {
        error!(job, "Cannot look for what to notify of: {}", text.what);
    }
}

impl Board {
    /// Each receiver with what becomes of what it is told.
    fn tallies(&self) -> Vec<(Ready, Tally)> {
        let places = self.places.iter();
        places
            .map(|place| (place.ready.clone(), place.queue.tally()))
            .collect()
    }

    /// Takes the receivers of other settings, or of the same with other secrets. One that is the same stays, with what waits for it.
    /// Returns false where they are those that it has.
    fn renew(&mut self, now: Arc<Vec<Ready>>) -> bool {
        if Arc::ptr_eq(&now, &self.from) {
            return false;
        }
        let mut before = std::mem::take(&mut self.places);
        let place = |ready: &Ready| match before.iter().position(|place| place.ready.is(ready)) {
            Some(at) => before.swap_remove(at),
            None => Place {
                ready: ready.clone(),
                queue: receivers::start(ready),
                told: BTreeMap::new(),
            },
        };
        self.places = now.iter().map(place).collect();
        self.from = now;
        true
    }

    fn look_at(
        &mut self,
        service: &Service,
        settings: &Settings,
        name: &str,
        begun: Timestamp,
    ) -> Result<(), AppError> {
        let now = SystemClock.now();
        let (name, job) = install::choose(settings, Some(name))?;
        let snapshot = service.site().there(name)?;
        let mut found = match (&snapshot, job.enabled) {
            (Some(snapshot), true) => facts::of(job, snapshot, now, begun)?,
            _ => Facts::new(),
        };
        if matches!(service.worker(name)?.loaded(), Loaded::Broken(_)) {
            found.extend(facts::of_broken());
        }
        let known = match &snapshot {
            Some(snapshot) => snapshot.state(&NOTICES)?.unwrap_or_default(),
            None => self.without.get(name).cloned().unwrap_or_default(),
        };
        let (stand, turned) = rules::compare(&known, &found, now);
        // Kept before anybody is told: after a crash between the two, a state that lasts is repeated in its time.
        if stand != known {
            match &snapshot {
                Some(snapshot) => {
                    let mut tx = snapshot.tx()?;
                    tx.put_state(&NOTICES, &stand);
                    tx.commit(Durability::Lazy)?;
                }
                None => {
                    self.without.insert(name.to_owned(), stand);
                }
            }
        }
        self.push(name, &turned, now);
        Ok(())
    }

    fn push(&mut self, job: &str, turned: &[Turned], now: Timestamp) {
        for Place { ready, queue, told } in &mut self.places {
            let (told, written) = (told.entry(job.to_owned()).or_default(), &ready.written);
            for one in told.due(turned, &written.on, written.repeat, now) {
                queue.push(Message {
                    condition: one.condition,
                    job: job.to_owned(),
                    turn: one.turn,
                    since: one.since,
                    counts: one.counts,
                    link: None,
                    sample: false,
                });
            }
        }
    }
}

//! The orders that wait before a job's worker: few, in order, the same ones once.

use std::sync::Arc;

use super::order::Ask;
use super::order::Work;
use super::track::Track;
use crate::model::id::CycleId;

/// As many orders wait before one job.
pub const MOST_WAITING: usize = 32;

/// The orders that wait, in the order in which they are carried out.
#[derive(Default)]
pub(super) struct Queue {
    waiting: Vec<Arc<Track>>,
}

impl Queue {
    /// The waiting order that may be joined, with its place and what all of it comes to then.
    pub(super) fn same(&self, ask: &Ask) -> Option<(usize, &Arc<Track>, Work)> {
        let mut each = self.waiting.iter().enumerate();
        each.find_map(|(at, track)| Some((at, track, track.with(ask)?)))
    }

    /// Puts an order behind those of its class and of the classes that go first. Returns how many are before it; `None`
    /// where the queue is full.
    pub(super) fn push(&mut self, track: Arc<Track>) -> Option<usize> {
        if self.waiting.len() >= MOST_WAITING {
            return None;
        }
        let class = track.ask.work.class();
        let behind = |waiting: &Arc<Track>| waiting.ask.work.class() <= class;
        let at = self.waiting.iter().take_while(|waiting| behind(waiting)).count();
        self.waiting.insert(at, track);
        Some(at)
    }

    /// The next order.
    pub(super) fn pop(&mut self) -> Option<Arc<Track>> {
        (!self.waiting.is_empty()).then(|| self.waiting.remove(0))
    }

    /// The next order, where it is one of those that a running cycle lets through.
    pub(super) fn pop_urgent(&mut self) -> Option<Arc<Track>> {
        self.is_urgent().then(|| self.pop()).flatten()
    }

    /// True where a running cycle makes way for the next order.
    pub(super) fn is_urgent(&self) -> bool {
        let next = self.waiting.first();
        next.is_some_and(|track| track.ask.work.is_urgent())
    }

    /// Takes an order out before its turn.
    pub(super) fn remove(&mut self, cycle: CycleId) -> Option<Arc<Track>> {
        let at = self.waiting.iter().position(|track| track.cycle == cycle)?;
        Some(self.waiting.remove(at))
    }

    /// Those that wait.
    pub(super) fn waiting(&self) -> &[Arc<Track>] {
        &self.waiting
    }
}

#[cfg(test)]
mod tests {
    use tokio_util::sync::CancellationToken;
    use uuid::Uuid;

    use super::*;
    use crate::app::plans::Seen;
    use crate::engine::job::Extent;
    use crate::engine::job::NoWatcher;
    use crate::engine::job::UndoRequest;

    fn cycle(extent: Extent) -> Work {
        Work::Cycle {
            extent,
            apply: true,
            allow_deletions: None,
            allow_creations: None,
        }
    }

    fn named(user: &str) -> Work {
        cycle(Extent::Objects {
            users: vec![user.to_owned()],
            groups: Vec::new(),
        })
    }

    fn ask(work: Work) -> Ask {
        Ask {
            work,
            actor: "ada".to_owned(),
            watcher: None,
        }
    }

    fn track(number: u128, work: Work) -> Arc<Track> {
        let id = CycleId(Uuid::from_u128(number));
        let stop = CancellationToken::new();
        Arc::new(Track::new(id, "acme", ask(work), stop, Arc::default()))
    }

    #[test]
    fn named_people_go_first_and_each_class_is_first_come() {
        let mut queue = Queue::default();
        let undo = Work::Undo {
            request: UndoRequest {
                cycle: CycleId(Uuid::nil()),
                recreate: false,
                comment: None,
            },
            apply: true,
            seen: Seen::default(),
            forms: Vec::new(),
        };
        for (number, work, place) in [
            (1, cycle(Extent::Changes), 0),
            (2, cycle(Extent::Full), 1),
            (3, named("ada"), 0),
            (4, undo, 1),
            (5, named("bob"), 1),
            (6, cycle(Extent::Drift { heal: true }), 3),
        ] {
            assert_eq!(queue.push(track(number, work)), Some(place), "{number}");
        }
        let order: Vec<u128> = std::iter::from_fn(|| queue.pop())
            .map(|track| track.cycle.0.as_u128())
            .collect();
        assert_eq!(order, [3, 5, 4, 6, 1, 2]);
    }

    #[test]
    fn the_same_order_is_joined_unless_its_result_is_of_its_own() {
        let mut queue = Queue::default();
        queue.push(track(1, named("ada")));
        queue.push(track(2, cycle(Extent::Changes)));
        let at = |work| queue.same(&ask(work)).map(|(at, _, _)| at);
        assert_eq!(at(cycle(Extent::Changes)), Some(1));
        assert_eq!(at(named("ada")), Some(0));
        assert_eq!(at(cycle(Extent::Full)), None);
        let mut watched = ask(cycle(Extent::Changes));
        watched.watcher = Some(Arc::new(NoWatcher));
        assert!(queue.same(&watched).is_none());
    }

    #[test]
    fn people_named_by_one_person_are_one_order() {
        let mut queue = Queue::default();
        queue.push(track(1, named("ada")));
        let joined = |queue: &Queue, ask: &Ask| {
            let (_, track, all) = queue.same(ask)?;
            track.join(all);
            Some(track.work())
        };
        let both = Work::named(vec!["ada".to_owned(), "bob".to_owned()], Vec::new(), true);
        assert_eq!(joined(&queue, &ask(named("bob"))), Some(both.clone()));
        assert_eq!(joined(&queue, &ask(named("ada"))), Some(both));
        // Another person's, a dry run, and more than may pass a closed guard together stay orders of their own.
        let theirs = Ask {
            actor: "eve".to_owned(),
            ..ask(named("cleo"))
        };
        let many: Vec<String> = (0..9).map(|number| format!("user{number}")).collect();
        for other in [
            theirs,
            ask(Work::named(vec!["cleo".to_owned()], Vec::new(), false)),
            ask(Work::named(many, Vec::new(), true)),
        ] {
            assert_eq!(joined(&queue, &other), None);
        }
    }

    #[test]
    fn a_full_queue_takes_no_more_and_what_is_removed_makes_room() {
        let mut queue = Queue::default();
        for number in 0..MOST_WAITING {
            assert!(queue.push(track(number as u128, named("ada"))).is_some());
        }
        assert_eq!(queue.push(track(99, named("ada"))), None);
        assert!(queue.remove(CycleId(Uuid::from_u128(7))).is_some());
        assert!(queue.remove(CycleId(Uuid::from_u128(7))).is_none());
        assert_eq!(
            queue.push(track(99, cycle(Extent::Changes))),
            Some(MOST_WAITING - 1)
        );
    }
}

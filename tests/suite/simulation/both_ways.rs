//! The second life of a third of all worlds: once the first one is told, the way back is switched on, and both directions go on at once.
//! What came before is the story that the seed always told.

use std::sync::Arc;
use std::time::Duration;

use melonsync::engine::back::Enrolled;
use melonsync::engine::back::EnrolledRules;
use melonsync::engine::back::Requires;
use melonsync::engine::back::WayBack;
use melonsync::engine::job::Extent;
use melonsync::model::id::ObjectKind;
use melonsync::model::id::SourceId;
use melonsync::reconcile::back::group::EnrolledThreshold;
use melonsync::reconcile::policy::Threshold;
use melonsync::snapshot::enrolments::EnrolmentReads;

use super::directory::Life;
use super::enrolment::Enrolment;
use super::enrolment::Tenant;
use super::site::Inner;
use super::weather::Weather;
use super::world::World;

/// Worlds that have one: this one of so many. `BOTH=1` gives one to all.
const ONE_OF: u64 = 3;
/// So long after the last, replicas have caught up and a day is over.
const LATER: Duration = Duration::from_secs(25 * 3_600);

/// True for a seed whose world lives on with both directions.
pub fn has_both(seed: u64) -> bool {
    seed.is_multiple_of(ONE_OF) || std::env::var_os("BOTH").is_some()
}

impl World {
    /// Both directions at once: edits on both sides, and a process that dies anywhere.
    pub async fn live_both_ways(&mut self, seed: u64) {
        self.switch_on(seed);
        for _ in 0..self.dice.between(2, 5) {
            {
                let mut inner = self.site.lock();
                inner.quiet = false;
                inner.life_goes_on(2);
                inner.keys_go_on(5);
            }
            self.storm_both_ways().await;
            if self.broken() {
                return;
            }
            self.pass_time().await;
        }
        self.quiet_both_ways().await;
    }

    fn switch_on(&mut self, seed: u64) {
        let mut inner = self.site.lock();
        inner.enrolment = Enrolment::of(seed);
        let users = inner.directory.ids(ObjectKind::User, Life::Live);
        let enrolment = &mut inner.enrolment;
        let never = enrolment.dice.pick(&users).copied();
        enrolment.never = never.filter(|_| enrolment.dice.chance(30)).into_iter().collect();
        let laws = &mut enrolment.laws;
        (laws.leave_after, laws.most_leave) = (enrolment.leave_after, enrolment.most_leave);
        laws.never.clone_from(&enrolment.never);
        let rules = EnrolledRules {
            group: SourceId::from_bytes([0xEE; 16]),
            requires: if enrolment.needs_passkey {
                Requires::KeyAndPasskey
            } else {
                Requires::Key
            },
            leave_after: enrolment.leave_after,
            threshold: EnrolledThreshold {
                add: None,
                remove: Some(Threshold::count(enrolment.most_leave)),
            },
            never: enrolment.never.clone(),
        };
        inner
            .trace
            .note(|| format!("the way back is switched on: {rules:?}"));
        inner.first_keys();
        drop(inner);
        let tenant = Arc::new(Tenant(Arc::clone(&self.site)));
        self.job.back = Some(Arc::new(WayBack {
            writer: Arc::<Tenant>::clone(&tenant),
            enrolled: Some(Enrolled {
                keys: Arc::<Tenant>::clone(&tenant),
                evidence: tenant,
                rules,
            }),
            attributes: Vec::new(),
            clear_threshold: Threshold::count(5),
        }));
    }

    async fn storm_both_ways(&mut self) {
        let weather = Weather::roll(&mut self.dice);
        let dies_in = self.dice.chance(35).then(|| self.dice.between(0, 50));
        let stops_in = self.dice.chance(6).then(|| self.dice.between(0, 40));
        let extent = match self.dice.below(100) {
            0..55 => Extent::Back,
            55..75 => Extent::Changes,
            _ => Extent::Full,
        };
        let apply = self.dice.chance(92);
        self.in_weather(weather, dies_in, (extent, apply, stops_in)).await;
    }

    /// Nothing goes wrong any more and nothing changes: what is to be written is written, and then nothing more.
    async fn quiet_both_ways(&mut self) {
        self.site.lock().keys_come_to_rest();
        self.quiet().await;
        let mut written = 0;
        for _ in 0..4 {
            if self.broken() {
                return;
            }
            tokio::time::advance(LATER).await;
            let report = self.cycle(Extent::Back, true, Some(10_000), None).await;
            let mut inner = self.site.lock();
            written = inner.judge.writes_back;
            if inner.judge.writes > 0 {
                let sent = inner.judge.writes;
                inner
                    .judge
                    .found
                    .push(format!("the way back alone sent {sent} requests to the target"));
            }
            if let Some(error) = report.and_then(|report| report.error) {
                inner
                    .judge
                    .found
                    .push(format!("all is quiet, and the way back ends: {error}"));
            }
        }
        self.cycle(Extent::Changes, true, Some(10_000), None).await;
        let mut inner = self.site.lock();
        let forward = inner.judge.writes_that_count();
        let mut found = inner.enrolment_differs();
        if written > 0 {
            found.push(format!("nothing changed, and {written} writes went back"));
        }
        if forward > 0 {
            found.push(format!("what went back was sent to the target: {forward} writes"));
        }
        inner.judge.found.extend(found);
    }

    /// What the store says to be open may have been carried out.
    pub fn note_open(&self) {
        let mut open = Vec::new();
        let show = |user, enrolled: melonsync::snapshot::enrolments::Enrolled| {
            open.extend(enrolled.enrolment.open.filter(|open| open.add).map(|_| user));
            Ok(())
        };
        self.job.snapshot.each_enrolled(show).unwrap();
        let mut inner = self.site.lock();
        for user in open {
            inner.enrolment.laws.may_be_ours(user);
        }
    }
}

impl Inner {
    /// A cycle begins, of which the laws of the way back hear.
    pub fn begin_both_ways(&mut self, allowed: bool) {
        let now = self.clock.now();
        let everybody = self.directory.ids(ObjectKind::User, Life::Live);
        self.enrolment.laws.begin(now, allowed, everybody);
    }
}

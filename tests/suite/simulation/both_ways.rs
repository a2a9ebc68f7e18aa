//! The second life of a third of all worlds: once the first one is told, the way back is switched on, and both directions go on at once.
//! What came before is the story that the seed always told.

use std::sync::Arc;
use std::time::Duration;

use melonsync::engine::back::Enrolled;
use melonsync::engine::back::EnrolledRules;
use melonsync::engine::back::Requires;
use melonsync::engine::back::WayBack;
use melonsync::engine::back::WrittenBack;
use melonsync::engine::job::Extent;
use melonsync::model::id::ObjectKind;
use melonsync::model::id::SourceId;
use melonsync::reconcile::back::canonical::Compare;
use melonsync::reconcile::back::decide::OnConflict;
use melonsync::reconcile::back::decide::Rules;
use melonsync::reconcile::back::group::EnrolledThreshold;
use melonsync::reconcile::policy::Threshold;
use melonsync::snapshot::cells::WAY_BACK;
use melonsync::snapshot::enrolments::EnrolmentReads;
use melonsync::snapshot::state::StateReads;

use super::cell_laws::told;
use super::cells::Cells;
use super::cells::PATH;
use super::cells::PROPERTY;
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
        let back = self.back();
        // First contact, and as a rule in calm weather.
        if self.dice.chance(60) {
            self.cycle(Extent::Back, true, None, None).await;
            self.pass_time().await;
        }
        for _ in 0..self.dice.between(2, 6) {
            {
                let mut inner = self.site.lock();
                inner.quiet = false;
                inner.life_goes_on(2);
                if back.enrolled.is_some() {
                    inner.keys_go_on(5);
                }
                if !back.attributes.is_empty() {
                    inner.values_go_on(8);
                }
            }
            self.storm_both_ways().await;
            if self.broken() {
                return;
            }
            self.pass_time().await;
        }
        self.quiet_both_ways().await;
    }

    /// A third of these worlds keep the group, a third carry values back, and the others do both.
    fn switch_on(&mut self, seed: u64) {
        let (group, values) = [(true, false), (false, true), (true, true)][(seed % 9 / 3) as usize];
        let tenant = Arc::new(Tenant(Arc::clone(&self.site)));
        let mut inner = self.site.lock();
        let enrolled = group.then(|| inner.keeps_group(seed)).map(|rules| Enrolled {
            keys: Arc::<Tenant>::clone(&tenant),
            evidence: Arc::<Tenant>::clone(&tenant),
            rules,
        });
        let (attributes, clear_threshold) = inner.carries_back(seed);
        if values {
            inner.first_values();
        }
        inner.trace.note(|| {
            let rules = enrolled.as_ref().map(|enrolled| &enrolled.rules);
            format!("the way back is switched on: {rules:?}, {values} {attributes:?} {clear_threshold}")
        });
        drop(inner);
        self.job.back = Some(Arc::new(WayBack {
            writer: tenant,
            enrolled,
            attributes: if values { attributes } else { Vec::new() },
            clear_threshold,
        }));
    }

    async fn storm_both_ways(&mut self) {
        let weather = Weather::roll(&mut self.dice);
        let dies_in = self.dice.chance(35).then(|| self.dice.between(0, 50));
        let stops_in = self.dice.chance(6).then(|| self.dice.between(0, 40));
        let extent = match self.dice.below(100) {
            0..65 => Extent::Back,
            65..80 => Extent::Changes,
            _ => Extent::Full,
        };
        let apply = self.dice.chance(92);
        self.in_weather(weather, dies_in, (extent, apply, stops_in)).await;
    }

    /// Nothing goes wrong any more and nothing changes: what is to be written is written, and then nothing more.
    async fn quiet_both_ways(&mut self) {
        self.site.lock().keys_come_to_rest();
        self.quiet().await;
        let before = self.readings();
        let mut written = 0;
        for _ in 0..4 {
            if self.broken() {
                return;
            }
            tokio::time::advance(LATER).await;
            let report = self.cycle(Extent::Back, true, Some(10_000), None).await;
            let mut inner = self.site.lock();
            written = inner.judge.writes_back;
            let sent = inner.judge.writes;
            let mut found = Vec::new();
            if sent > 0 {
                found.push(format!("the way back alone sent {sent} requests to the target"));
            }
            if let Some(error) = report.and_then(|report| report.error) {
                found.push(format!("all is quiet, and the way back ends: {error}"));
            }
            inner.judge.found.extend(found);
        }
        // Of a target that cannot be read whole nothing is derived.
        let reads = self.readings() > before;
        self.cycle(Extent::Changes, true, Some(10_000), None).await;
        let mut found = Vec::new();
        {
            let inner = self.site.lock();
            let forward = inner.judge.writes_that_count();
            if written > 0 {
                found.push(format!("nothing changed, and {written} writes went back"));
            }
            if forward > 0 {
                found.push(format!("what went back was sent to the target: {forward} writes"));
            }
        }
        if self.back().enrolled.is_some() {
            found.extend(self.site.lock().enrolment_differs());
        }
        if !self.back().attributes.is_empty() && reads {
            let told = told(&self.job.snapshot);
            found.extend(self.site.lock().cells_differ(&told));
        }
        self.site.lock().judge.found.extend(found);
    }

    fn back(&self) -> Arc<WayBack> {
        self.job.back.clone().expect("the way back is switched on")
    }

    /// How many complete readings of the target the way back has had.
    fn readings(&self) -> u64 {
        let state = self.job.snapshot.state(&WAY_BACK).unwrap();
        state.map_or(0, |state| state.reading)
    }

    /// What the store says to be open may have been carried out.
    pub fn note_open(&self) {
        let mut open = Vec::new();
        let show = |user, enrolled: melonsync::snapshot::enrolments::Enrolled| {
            open.extend(enrolled.enrolment.open.map(|open| (user, open.add)));
            Ok(())
        };
        self.job.snapshot.each_enrolled(show).unwrap();
        let mut inner = self.site.lock();
        let laws = &mut inner.enrolment.laws;
        for (user, add) in open {
            if add {
                laws.may_be_ours(user);
            } else {
                laws.may_have_left(user);
            }
        }
    }
}

impl Inner {
    fn keeps_group(&mut self, seed: u64) -> EnrolledRules {
        self.enrolment = Enrolment::of(seed);
        let users = self.directory.ids(ObjectKind::User, Life::Live);
        let enrolment = &mut self.enrolment;
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
        self.first_keys();
        rules
    }

    fn carries_back(&mut self, seed: u64) -> (Vec<WrittenBack>, Threshold) {
        self.cells = Cells::of(seed);
        let Cells { dice, laws, .. } = &mut self.cells;
        laws.clear_after = Duration::from_secs(60 * *dice.pick(&[15, 60]).unwrap_or(&15));
        laws.most_clears = *dice.pick(&[1, 1_000, 1_000]).unwrap_or(&1);
        let on_conflict = if dice.chance(75) {
            OnConflict::Authority
        } else {
            OnConflict::Hold
        };
        let way = WrittenBack {
            path: PATH.parse().unwrap(),
            property: PROPERTY.to_owned(),
            rules: Rules {
                compare: Compare::Text,
                clear_after: laws.clear_after,
                on_conflict,
            },
        };
        (vec![way], Threshold::count(laws.most_clears))
    }

    /// A cycle begins, of which the laws of the way back hear. `reads`: it reads the target for the way back.
    pub fn begin_both_ways(&mut self, allowed: bool, reads: bool) {
        let now = self.clock.now();
        // Whoever is deleted for a while too: what was read of the keys then counts once they are back.
        let lives = [Life::Live, Life::Soft];
        let everybody = lives
            .into_iter()
            .flat_map(|life| self.directory.ids(ObjectKind::User, life))
            .collect();
        self.enrolment.laws.begin(now, allowed, everybody);
        self.cells.laws.begin(now, reads);
    }
}

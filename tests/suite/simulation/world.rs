//! One world: built from a seed, lived through, and judged.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering;
use std::time::Duration;

use melonsync::engine::error::CycleError;
use melonsync::engine::forward;
use melonsync::engine::job::Assigning;
use melonsync::engine::job::Extent;
use melonsync::engine::job::Job;
use melonsync::engine::job::Order;
use melonsync::engine::job::Report;
use melonsync::engine::summary::Outcome;
use melonsync::mapping::Mapping;
use melonsync::mapping::TargetPath;
use melonsync::mapping::filter::Filter;
use melonsync::model::clock::Clock;
use melonsync::model::clock::Timestamp;
use melonsync::model::id::CycleId;
use melonsync::model::id::ObjectKind;
use melonsync::model::id::SourceId;
use melonsync::ports::Durability;
use melonsync::reconcile::guard::Class;
use melonsync::reconcile::policy::Adopt;
use melonsync::reconcile::policy::AdoptGroup;
use melonsync::reconcile::policy::OnRemoval;
use melonsync::reconcile::policy::Policy;
use melonsync::reconcile::policy::Threshold;
use melonsync::reconcile::scope::ScopeRules;
use melonsync::snapshot::kept_back::KeptBackReads;
use melonsync::snapshot::kept_back::Withheld;
use melonsync::snapshot::kept_back::WithheldKey;
use melonsync::snapshot::kv::memory::MemoryStore;
use melonsync::snapshot::quarantine::QuarantineReads;
use melonsync::snapshot::quarantine::Side;
use melonsync::snapshot::store::Snapshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::both_ways::has_both;
use super::cells::Cells;
use super::cells::PATH;
use super::dice::Dice;
use super::directory::Directory;
use super::directory::Life;
use super::enrolment::Enrolment;
use super::events::EMPLOYEE;
use super::events::populate;
use super::graph::Graph;
use super::graph::Rounds;
use super::judge::Judge;
use super::odd::Odd;
use super::reasons::Ear;
use super::scim::REQUEST_TIMEOUT_MS;
use super::scim::Scim;
use super::service::Habits;
use super::service::Service;
use super::site::Inner;
use super::site::MortalStore;
use super::site::Site;
use super::trace::Trace;
use super::weather::Weather;
use crate::support::announced::to_explain;
use crate::support::announced::unannounced;
use crate::support::limit;
use crate::support::limit::Limit;
use crate::support::world::Witness;

const MAPPING: &str = r#"
[[user]]
target = "userName"
source = "[userPrincipalName]"
matching = 1
[[user]]
target = "active"
source = 'Switch([IsSoftDeleted], , "False", "True", "True", "False")'
[[user]]
target = "displayName"
source = "[displayName]"
[[user]]
target = "title"
source = "[jobTitle]"
[[user]]
target = "nickName"
source = "[officeLocation]"
[[user]]
target = "externalId"
source = "[objectId]"
[[user]]
target = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager"
source = "[manager]"
[[group]]
target = "displayName"
source = "[displayName]"
matching = 1
[[group]]
target = "externalId"
source = "[objectId]"
[[group]]
target = "members"
source = "[members]"
"#;

/// How a run ended.
#[derive(Debug)]
pub struct Story {
    pub hash: u64,
    pub cycles: u64,
    pub deaths: u64,
    pub writes: u64,
    pub found: Vec<String>,
    pub lines: Vec<String>,
}

/// The wall clock: the runtime's paused time, and jumps.
#[derive(Debug, Clone)]
struct Wall {
    start: Instant,
    jumped_ms: Arc<AtomicI64>,
}

impl Clock for Wall {
    fn now(&self) -> Timestamp {
        let since = (Instant::now() - self.start).as_millis() as i64;
        Timestamp(1_780_000_000_000 + since + self.jumped_ms.load(Ordering::Relaxed))
    }
}

pub struct World {
    pub site: Arc<Site>,
    memory: MemoryStore,
    pub job: Job,
    wall: Wall,
    pub dice: Dice,
    /// Users who lost access, each with the time of the cycle: what the guard should count.
    ledger: Vec<(Timestamp, u64)>,
    cycles: u64,
    deaths: u64,
    writes: u64,
    /// Before each quiet period everything is planned and explained.
    explains: bool,
}

/// Lives through the world of a seed. The same seed always gives the same story.
pub fn play(seed: u64, keep_lines: bool) -> Story {
    play_on(seed, keep_lines, false)
}

/// As [`play`]; `explains`: where people ask why before all is quiet, which moves the dice.
pub fn play_on(seed: u64, keep_lines: bool, explains: bool) -> Story {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .max_blocking_threads(1)
        .build()
        .unwrap();
    let limit = Limit::of(&format!("seed {seed}"), limit::longest(), limit::GRACE);
    runtime.block_on(async {
        let mut world = World::new(seed, keep_lines);
        world.explains = explains;
        limit.holds(Box::pin(world.live(seed))).await;
        let mut inner = world.site.lock();
        Story {
            hash: inner.trace.hash(),
            cycles: world.cycles,
            deaths: world.deaths,
            writes: world.writes,
            found: std::mem::take(&mut inner.judge.found),
            lines: std::mem::take(&mut inner.trace.lines),
        }
    })
}

/// A stream of chance beside the others, so that the seeds of before tell the same stories where it decides nothing.
fn apart(seed: u64) -> Dice {
    Dice::new(seed.rotate_left(17) ^ 0x00AD_0B7E_D6A0_0B5E)
}

/// Nobody holds a nickname in the first life of a world, and in the second one it belongs to the target.
fn mapping() -> Mapping {
    let path: TargetPath = PATH.parse().unwrap();
    Mapping::from_toml("simulated", MAPPING)
        .unwrap()
        .belonging_to_target(&[&path])
}

fn policy(dice: &mut Dice, apart: &mut Dice) -> Policy {
    let mut policy = Policy {
        on_soft_delete: *dice
            .pick(&[OnRemoval::Disable, OnRemoval::Disable, OnRemoval::Delete])
            .unwrap(),
        on_hard_delete: *dice
            .pick(&[OnRemoval::Delete, OnRemoval::Delete, OnRemoval::Disable])
            .unwrap(),
        on_out_of_scope: *dice
            .pick(&[
                OnRemoval::Disable,
                OnRemoval::Disable,
                OnRemoval::Delete,
                OnRemoval::Keep,
            ])
            .unwrap(),
        deletion_threshold: Threshold::count(*dice.pick(&[1, 2, 4, 1_000, 1_000]).unwrap()),
        guard_window: Duration::from_secs(3_600 * dice.between(1, 24)),
        ..Policy::default()
    };
    policy.groups.deletion_threshold = Threshold::count(*dice.pick(&[1, 1_000]).unwrap());
    if dice.chance(10) {
        policy.adopt = Adopt::Never;
    }
    policy.groups.adopt = *apart
        .pick(&[
            AdoptGroup::Review,
            AdoptGroup::Review,
            AdoptGroup::Review,
            AdoptGroup::Unclaimed,
            AdoptGroup::Never,
        ])
        .unwrap();
    policy.rehire_by = apart.chance(20).then(|| EMPLOYEE.to_owned());
    // What another hand deletes is to be there again.
    policy.drift.missing = Some(melonsync::mapping::Drift::Heal);
    policy
}

impl World {
    fn new(seed: u64, keep: bool) -> Self {
        let mut dice = Dice::new(seed);
        let mut apart = apart(seed);
        let policy = policy(&mut dice, &mut apart);
        let (mut odd, odd_dice) = Odd::of(seed);
        // Where nothing is taken over, what a create meets would be nobody's for ever.
        odd.meets &= policy.adopt != Adopt::Never;
        let mut habits = Habits::roll(&mut dice);
        // Of attributes that are one, only an answer tells.
        habits.patch_answers |= odd.twins;
        if odd.loses_values() {
            (habits.drops_titles, habits.clears_titles) = (false, false);
        }
        let start = Instant::now();
        let wall = Wall {
            start,
            jumped_ms: Arc::default(),
        };
        let mut inner = Inner {
            clock: Arc::new(wall.clone()),
            moments: Vec::new(),
            weather: Weather::calm(),
            directory: Directory::default(),
            rounds: Rounds::default(),
            service: Service::new(habits, odd),
            judge: Judge::new(policy.clone(), odd),
            trace: Trace::new(keep),
            dies_in: None,
            stops_in: None,
            dead: false,
            quiet: false,
            steps: 0,
            dice: dice.fork(),
            apart: apart.fork(),
            odd: odd_dice,
            enrolment: Enrolment::of(seed),
            cells: Cells::of(seed),
        };
        populate(&mut inner);
        inner.groups_of_another_hand();
        inner.note_moment();
        let (site, memory) = (Site::new(inner), MemoryStore::new());
        let filter = r#"department NOT EQUALS "Elsewhere" OR department IS NULL"#;
        let filter = Filter::parse(ObjectKind::User, filter).unwrap();
        let job = Job {
            name: "simulated".to_owned(),
            enforce: true,
            mapping: Arc::new(mapping()),
            policy,
            scope: Arc::new(ScopeRules {
                user_filter: Some(filter),
                ..ScopeRules::default()
            }),
            managed: [ObjectKind::User, ObjectKind::Group].into(),
            assigning: Assigning::default(),
            fingerprint: "first".to_owned(),
            source: Arc::new(Graph(Arc::clone(&site))),
            target: Arc::new(Scim {
                site: Arc::clone(&site),
                start,
            }),
            snapshot: open(&site, &memory),
            clock: Arc::new(wall.clone()),
            max_concurrency: *dice.pick(&[1, 2, 4]).unwrap(),
            request_timeout: Duration::from_millis(REQUEST_TIMEOUT_MS),
            escrow_first_retry: Duration::from_secs(300),
            history_retention: Duration::from_secs(400 * 86_400),
            batch: *dice.pick(&[1, 3, 200]).unwrap(),
            audit: None,
            back: None,
            entropy: || [7; 16],
        };
        Self {
            site,
            memory,
            job,
            wall,
            dice,
            ledger: Vec::new(),
            cycles: 0,
            deaths: 0,
            writes: 0,
            explains: false,
        }
    }

    pub fn broken(&self) -> bool {
        !self.site.lock().judge.found.is_empty()
    }

    async fn live(&mut self, seed: u64) {
        for _ in 0..self.dice.between(1, 3) {
            for _ in 0..self.dice.between(1, 5) {
                self.site.lock().quiet = false;
                self.site.lock().life_goes_on(6);
                if self.site.lock().apart.chance(30) {
                    self.let_adoptions_through();
                }
                self.stormy_cycle().await;
                if self.broken() {
                    return;
                }
                self.pass_time().await;
            }
            self.quiet().await;
            if self.broken() {
                return;
            }
        }
        if has_both(seed) && !self.explains {
            self.live_both_ways(seed).await;
        }
    }

    /// Minutes or days; and now and then the wall clock is wrong.
    pub async fn pass_time(&mut self) {
        let seconds = match self.dice.below(10) {
            0..2 => 0,
            2..8 => self.dice.between(60, 3_600),
            _ => self.dice.between(3_600, 90_000),
        };
        tokio::time::advance(Duration::from_secs(seconds)).await;
        if self.dice.chance(10) {
            tokio::time::advance(Duration::from_millis(REQUEST_TIMEOUT_MS)).await;
            let hours = self.dice.between(0, 8) as i64 - 3;
            self.wall
                .jumped_ms
                .fetch_add(hours * 3_600_000, Ordering::Relaxed);
            // What happened when is not to be told any more.
            self.ledger.clear();
            self.site.lock().enrolment.laws.forget_counts();
            self.site.lock().cells.laws.forget_counts();
            self.note(|| format!("the clock jumps by {hours} h"));
        }
    }

    fn note(&self, line: impl FnOnce() -> String) {
        self.site.lock().trace.note(line);
    }

    /// Any cycle, in any weather, and perhaps not to its end.
    async fn stormy_cycle(&mut self) {
        let weather = Weather::roll(&mut self.dice);
        let dies_in = self.dice.chance(30).then(|| self.dice.between(0, 120));
        let stops_in = self.dice.chance(6).then(|| self.dice.between(0, 60));
        let extent = match self.dice.below(100) {
            0..75 => Extent::Changes,
            75..82 => Extent::Full,
            82..87 => Extent::All,
            87..92 => Extent::Restart,
            _ => self.chosen(),
        };
        let apply = self.dice.chance(92);
        self.in_weather(weather, dies_in, (extent, apply, stops_in)).await;
    }

    /// Runs a cycle in this weather; and perhaps the process dies in it.
    pub async fn in_weather(
        &mut self,
        weather: Weather,
        dies_in: Option<u64>,
        (extent, apply, stops_in): (Extent, bool, Option<u64>),
    ) {
        {
            let mut inner = self.site.lock();
            inner.weather = weather;
            inner.dies_in = dies_in;
            inner
                .trace
                .note(|| format!("{extent:?} {weather:?}, dies in {dies_in:?}"));
        }
        self.cycle(extent, apply, None, stops_in).await;
        let mut inner = self.site.lock();
        (inner.weather, inner.dies_in) = (Weather::calm(), None);
    }

    fn chosen(&mut self) -> Extent {
        let mut inner = self.site.lock();
        let live = |kind| inner.directory.ids(kind, Life::Live);
        let (users, groups) = (live(ObjectKind::User), live(ObjectKind::Group));
        let name = |id: Option<&melonsync::model::id::SourceId>| id.map(ToString::to_string);
        let user = name(inner.dice.pick(&users));
        let group = name(inner.dice.pick(&groups).filter(|_| users.len() % 2 == 0));
        Extent::Objects {
            users: user.into_iter().collect(),
            groups: group.into_iter().collect(),
        }
    }

    /// Runs a cycle; `None` where the process died in it, and has been started again.
    pub async fn cycle(
        &mut self,
        extent: Extent,
        apply: bool,
        allow_deletions: Option<u64>,
        stops_in: Option<u64>,
    ) -> Option<Report> {
        self.cycles += 1;
        let reads = matches!(extent, Extent::Full | Extent::Back);
        let (stop, now) = (CancellationToken::new(), self.wall.now());
        let number = u128::from(self.cycles);
        let order = Order {
            id: CycleId(uuid::Uuid::from_u128(number)),
            extent,
            apply,
            only: None,
            allow_deletions,
            allow_creations: None,
            actor: "simulation".to_owned(),
            stop: stop.clone(),
            watcher: Arc::new(Ear(Arc::clone(&self.site))),
        };
        let stopped = self.job.snapshot.quarantine().unwrap().job;
        let probes = stopped.is_some_and(|stop| stop.side == Side::Source);
        {
            let mut inner = self.site.lock();
            inner.judge.begin(!apply);
            inner.begin_both_ways(allow_deletions.is_some(), reads);
            inner.judge.named = named_users(&order.extent);
            inner.steps = 0;
            // What an earlier probe did not come to is not left over.
            inner.judge.probed.clear();
            if apply && probes {
                inner.judge.probed = [ObjectKind::User, ObjectKind::Group].into();
            }
            inner.stops_in = stops_in.map(|steps| (steps, stop));
        }
        let before = self.job.snapshot.history_head().unwrap().next;
        let (job, site) = (self.job.clone(), Arc::clone(&self.site));
        // A person who names users lets them through (`resync --user`).
        let named = matches!(order.extent, Extent::Objects { .. });
        let report = tokio::select! {
            biased;
            () = site.death() => None,
            report = forward::run(&job, &order) => Some(report),
        };
        self.site.lock().steps = 0;
        let dead = self.site.lock().dead;
        self.writes += self.site.lock().judge.writes;
        let report = report.filter(|_| !dead);
        // A cycle of the way back alone says nothing of what the target keeps.
        if let Some(report) = report.as_ref().filter(|_| order.extent != Extent::Back) {
            self.site.lock().judge.note_not_kept(&report.summary.not_kept);
        }
        match &report {
            Some(report) => {
                self.note(|| format!("ended: {:?} {:?}", report.summary.outcome, report.error));
                if matches!(report.error, Some(CycleError::Stopped)) {
                    // Its last page was perhaps not kept, and is then read again, as it is by then.
                    self.site.lock().judge.broke_off();
                }
                self.judge_way_back(report, apply);
                self.judge_cycle(now, named || allow_deletions.is_some(), before);
            }
            None => self.start_again(),
        }
        report
    }

    /// Killed, or without power: then what was not synced is lost.
    fn start_again(&mut self) {
        self.deaths += 1;
        let power = self.dice.chance(40);
        self.note(|| format!("died; power cut: {power}"));
        if power {
            self.memory.crash();
        } else {
            self.memory.kill();
        }
        self.ledger.clear();
        let mut inner = self.site.lock();
        (inner.dead, inner.dies_in, inner.stops_in) = (false, None, None);
        inner.strand();
        inner.strand_memberships();
        inner.strand_values();
        inner.enrolment.laws.broke_off(power);
        inner.cells.laws.died(power);
        inner.judge.died();
        drop(inner);
        self.site.forget_death();
        self.job.snapshot = open(&self.site, &self.memory);
        self.note_open();
    }

    /// What must hold of the way back after any cycle that came to an end.
    fn judge_way_back(&self, report: &Report, apply: bool) {
        let mut inner = self.site.lock();
        if report.error.is_some() {
            inner.enrolment.laws.broke_off(false);
            inner.cells.laws.broke_off();
        } else if apply {
            let window = self.job.policy.guard_window;
            let found = inner.enrolment.laws.end(window);
            inner.judge.found.extend(found);
            let found = inner.cells.laws.end(window);
            inner.judge.found.extend(found);
        }
    }

    /// What must hold after any cycle that came to an end.
    fn judge_cycle(&mut self, now: Timestamp, allowed: bool, history: u64) {
        let entries = self.job.snapshot.history(history, usize::MAX).unwrap();
        let told = |id| entries.iter().any(|(entry, _)| entry.object == Some(id));
        let mut inner = self.site.lock();
        let untold: Vec<_> = inner
            .judge
            .answered
            .iter()
            .copied()
            .filter(|id| !told(*id))
            .collect();
        for id in untold {
            inner
                .judge
                .found
                .push(format!("the history says nothing of what was done to {id}"));
        }
        let removed = inner.judge.removed.len() as u64;
        let since = now.minus(self.job.policy.guard_window);
        let before: u64 = self
            .ledger
            .iter()
            .filter(|(at, _)| *at >= since)
            .map(|(_, n)| n)
            .sum();
        let limit = self.job.policy.deletion_threshold.limit(u64::MAX);
        if removed > 0 && !allowed && removed + before > limit {
            inner.judge.found.push(format!(
                "{removed} users lost access, and {before} within the window before: the guard lets {limit} through"
            ));
        }
        self.ledger.push((now, removed));
    }

    /// What `explain` announces of each object is what `plan` lists of it.
    async fn explain(&mut self) {
        {
            let mut inner = self.site.lock();
            inner.judge.begin(true);
            inner.steps = 0;
        }
        let witness = Arc::new(Witness::default());
        let order = Order {
            id: CycleId(uuid::Uuid::from_u128(u128::MAX)),
            extent: Extent::Changes,
            watcher: Arc::<Witness>::clone(&witness),
            ..to_explain()
        };
        let report = forward::run(&self.job, &order).await;
        if let Some(error) = report.error {
            self.note(|| format!("no plan to explain: {error}"));
            return;
        }
        let seen = std::mem::take(&mut *witness.0.lock().unwrap());
        for operation in &seen.operations {
            self.note(|| format!("planned: {operation:?}"));
        }
        for (kind, id, omission) in &seen.omissions {
            self.note(|| format!("left: {kind} {id} {omission:?}"));
        }
        let found = unannounced(&self.job, &seen.operations, &seen.omissions).await;
        self.site.lock().judge.found.extend(found);
    }

    /// A person lets through what waits for its review.
    fn let_adoptions_through(&self) {
        let snapshot = &self.job.snapshot;
        let mut waiting = Vec::new();
        let show = |key: WithheldKey, entry| {
            waiting.extend((key.2 == Class::Adoption).then_some((key, entry)));
            Ok(())
        };
        snapshot.each_withheld(show).unwrap();
        let mut tx = snapshot.tx().unwrap();
        for (key, entry) in waiting {
            let resource = entry.alike.as_ref().map(|alike| alike.target.to_string());
            self.site
                .lock()
                .judge
                .let_in
                .insert((key.1, resource.unwrap_or_default()));
            let released_by = Some("a person".to_owned());
            tx.put_withheld(&key, &Withheld { released_by, ..entry });
        }
        tx.commit(Durability::Synced).unwrap();
    }

    /// Nothing goes wrong any more, nothing changes, and nobody stands in the way: every promise must hold.
    pub async fn quiet(&mut self) {
        self.note(|| "quiet".to_owned());
        tokio::time::advance(Duration::from_secs(3_600)).await;
        {
            // What is still under way arrives first: nobody can clear the way of what is not there yet.
            let mut inner = self.site.lock();
            inner.settle(u64::MAX);
            inner.clear_the_way();
            inner.quiet = true;
        }
        if self.explains {
            self.explain().await;
        }
        let mut last = None;
        for round in 0..8 {
            let extent = if round == 2 { Extent::Full } else { Extent::Changes };
            let report = self.cycle(extent, true, Some(10_000), None).await;
            if self.broken() {
                return;
            }
            self.let_adoptions_through();
            if round == 0 && !self.explains {
                // Who is linked only now, and to another resource, may have a stranger in the way. Where people ask, the stories
                // stay those of before: what is announced is asked for at the beginning of a quiet period only.
                self.site.lock().clear_the_way();
            }
            let writes = self.site.lock().judge.writes_that_count();
            let done = report.as_ref().is_some_and(ends_well) && writes == 0;
            last = report;
            // What another hand deleted is only noticed in a full cycle; all else must be right without one.
            if done && round == 1 {
                let found = self.site.lock().before_the_full_cycle();
                self.site.lock().judge.found.extend(found);
            }
            if done && round > 2 {
                break;
            }
            // Entries in escrow wait a day at most.
            tokio::time::advance(Duration::from_secs(25 * 3_600)).await;
        }
        let mut found = self.site.lock().differences();
        match last {
            Some(report) if ends_well(&report) => {}
            Some(report) => found.push(format!(
                "all is quiet, and it does not converge: {:?}, {:?}, {:?}",
                report.summary.outcome, report.error, report.summary.failed
            )),
            None => found.push("all is quiet, and it does not come to an end".to_owned()),
        }
        let writes = self.site.lock().judge.writes_that_count();
        if writes > 0 {
            found.push(format!("nothing changed, and {writes} writes were sent"));
        }
        self.site.lock().judge.found.extend(found);
    }
}

/// All is done, but for what the target does not keep and the summary names; whether it names it rightly is judged elsewhere.
fn ends_well(report: &Report) -> bool {
    let summary = &report.summary;
    let all = report.error.is_none() && summary.outcome == Outcome::Converged;
    let but = report.error.is_none() && summary.outcome == Outcome::Partial && !summary.not_kept.is_empty();
    all || but
}

fn open(site: &Arc<Site>, memory: &MemoryStore) -> Snapshot {
    let store = MortalStore {
        site: Arc::clone(site),
        memory: memory.clone(),
    };
    Snapshot::open(Arc::new(store), Path::new("memory")).unwrap()
}

/// The users whom an order names.
fn named_users(extent: &Extent) -> BTreeSet<SourceId> {
    match extent {
        Extent::Objects { users, .. } => users.iter().filter_map(|user| user.parse().ok()).collect(),
        _ => BTreeSet::new(),
    }
}

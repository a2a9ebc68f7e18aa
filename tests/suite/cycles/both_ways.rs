//! Both directions at once, by chance from a seed: edits on both sides, answers that are lost before and after they take effect, and
//! a process that dies beside its request. At rest nothing is written any more, and both sides are equal or a finding says why.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use melonsync::engine::back::WayBack;
use melonsync::engine::back::WrittenBack;
use melonsync::engine::job::Extent;
use melonsync::engine::summary::Outcome;
use melonsync::mapping::TargetPath;
use melonsync::model::id::SourceId;
use melonsync::model::value::Value;
use melonsync::ports::MembershipWrite;
use melonsync::ports::Sent;
use melonsync::ports::SourceError;
use melonsync::ports::Traffic;
use melonsync::ports::UserWrite;
use melonsync::ports::Writer;
use melonsync::reconcile::back::canonical::Compare;
use melonsync::reconcile::back::decide::OnConflict;
use melonsync::reconcile::back::decide::Rules;
use melonsync::reconcile::policy::Threshold;
use melonsync::sandbox::Fault;
use melonsync::sandbox::SampleOptions;
use melonsync::sandbox::Tenant;
use melonsync::snapshot::cells::CellReads;
use serde_json::json;
use tokio::sync::Notify;

use crate::simulation::dice::Dice;
use crate::support::world::Ran;
use crate::support::world::World;

const QUARTER: Duration = Duration::from_secs(16 * 60);
const USERS: usize = 4;

/// What becomes of a request.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Done,
    /// Not carried out, and not answered.
    Lost,
    /// Carried out, and not answered.
    Unheard,
    /// Answered that it comes too early.
    Throttled,
    /// Answered that there is no such user: a replica lacks one who is new.
    NotThere,
    /// The process dies before it is carried out.
    DiesBefore,
    /// The process dies after it was carried out.
    DiesAfter,
}

/// A writer that knows what becomes of each request.
struct Scripted {
    tenant: Tenant,
    dice: Mutex<Dice>,
    /// How many in a hundred go wrong.
    trouble: Mutex<u64>,
    /// What becomes of the next requests, before chance decides.
    next: Mutex<Vec<Fate>>,
    /// What was sent, and may have been carried out.
    sent: Mutex<Vec<(SourceId, Value)>>,
    died: Notify,
}

impl Scripted {
    fn fate(&self) -> Fate {
        if let Some(fate) = self.next.lock().unwrap().pop() {
            return fate;
        }
        let mut dice = self.dice.lock().unwrap();
        if !dice.chance(*self.trouble.lock().unwrap()) {
            return Fate::Done;
        }
        let all = [
            Fate::Lost,
            Fate::Unheard,
            Fate::Throttled,
            Fate::NotThere,
            Fate::DiesBefore,
            Fate::DiesAfter,
        ];
        *dice.pick(&all).unwrap()
    }

    fn carry_out(&self, write: &UserWrite) {
        for (property, value) in &write.properties {
            self.tenant.set_user(
                &write.user.to_string(),
                json!({ property.as_str(): value.to_json() }),
            );
        }
    }
}

#[async_trait]
impl Writer for Scripted {
    async fn set(&self, writes: &[UserWrite]) -> Result<Vec<Sent>, SourceError> {
        let mut answers = Vec::new();
        for write in writes {
            let fate = self.fate();
            if !matches!(fate, Fate::Throttled | Fate::NotThere) {
                let values = write
                    .properties
                    .iter()
                    .map(|(_, value)| (write.user, value.clone()));
                self.sent.lock().unwrap().extend(values);
            }
            if matches!(fate, Fate::Done | Fate::Unheard | Fate::DiesAfter) {
                self.carry_out(write);
            }
            answers.push(match fate {
                Fate::Done => Sent::Done,
                Fate::Lost | Fate::Unheard => Sent::Unanswered("no answer".into()),
                Fate::Throttled => Sent::NotYet("too early".into()),
                Fate::NotThere => Sent::Refused {
                    status: 404,
                    what: "no such user".into(),
                },
                Fate::DiesBefore | Fate::DiesAfter => {
                    self.died.notify_one();
                    std::future::pending().await
                }
            });
        }
        Ok(answers)
    }

    async fn enrol(&self, _: &[MembershipWrite]) -> Result<Vec<Sent>, SourceError> {
        unreachable!("no group is kept")
    }

    fn right_for(&self, _: &str) -> &'static str {
        "User.ReadUpdate.All"
    }

    fn traffic(&self) -> Traffic {
        Traffic::default()
    }
}

/// A world whose titles go back, and what was ever edited in it.
struct Site {
    world: World,
    writer: Arc<Scripted>,
    users: Vec<String>,
    /// What the target ever held of each.
    held: BTreeMap<String, BTreeSet<Value>>,
    edits: usize,
}

impl Site {
    async fn new(seed: u64) -> Self {
        let tenant = Tenant::sample_with(SampleOptions {
            users: USERS,
            groups: 0,
            plain: true,
            ..SampleOptions::default()
        });
        let mut world = World::new(tenant).await;
        let writer = Arc::new(Scripted {
            tenant: world.tenant.clone(),
            dice: Mutex::new(Dice::new(seed)),
            trouble: Mutex::new(50),
            next: Mutex::default(),
            sent: Mutex::default(),
            died: Notify::new(),
        });
        let path: TargetPath = "title".parse().unwrap();
        world.job.mapping = Arc::new((*world.job.mapping).clone().belonging_to_target(&[&path]));
        world.job.back = Some(Arc::new(WayBack {
            writer: Arc::<Scripted>::clone(&writer),
            enrolled: None,
            attributes: vec![WrittenBack {
                path,
                property: "jobTitle".to_owned(),
                rules: Rules {
                    compare: Compare::Text,
                    clear_after: Duration::from_secs(15 * 60),
                    on_conflict: OnConflict::Authority,
                },
            }],
            clear_threshold: Threshold::count(1000),
        }));
        world.cycle().await.expect(Outcome::Converged);
        let users = world.tenant.user_ids();
        let mut site = Self {
            world,
            writer,
            users,
            held: BTreeMap::new(),
            edits: 0,
        };
        for user in site.users.clone() {
            let title = site.at_target(&user);
            site.held.entry(user).or_default().insert(title);
        }
        // First contact.
        let first = site.back().await.expect("nothing is written");
        assert_eq!(first.summary.operations["write_back_user"], 0);
        site
    }

    fn at_target(&self, user: &str) -> Value {
        Value::from_json(&self.world.resource(user)["title"])
    }

    fn in_entra(&self, user: &str) -> Value {
        Value::from_json(&self.world.tenant.user(user).unwrap()["jobTitle"])
    }

    /// The way back alone; nothing where the process died in it.
    async fn back(&mut self) -> Option<Ran> {
        let writer = Arc::clone(&self.writer);
        let ran = tokio::select! {
            ran = self.world.run(Extent::Back, true, None) => Some(ran),
            () = writer.died.notified() => None,
        };
        if ran.is_none() {
            self.world.restart();
        }
        ran
    }

    /// The first user gets this title at the target.
    fn edit_first(&self, title: &str) {
        let id = self.world.resource(&self.users[0])["id"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(self.world.workspace.edit_user(&id, json!({ "title": title })));
    }

    /// The way back alone, so much later, in calm weather. Returns how many users were written.
    async fn carries(&mut self, later: Duration) -> u64 {
        self.world.clock.advance(later);
        let ran = self.back().await.expect("nobody dies");
        ran.summary.operations["write_back_user"]
    }

    /// One thing that happens.
    async fn step(&mut self, dice: &mut Dice) {
        let user = dice.pick(&self.users).unwrap().clone();
        match dice.below(6) {
            0 | 1 => {
                self.edits += 1;
                let title = dice.chance(80).then(|| format!("Title {}", dice.below(6)));
                let id = self.world.resource(&user)["id"].as_str().unwrap().to_owned();
                assert!(self.world.workspace.edit_user(&id, json!({ "title": title })));
                let held = title.map_or(Value::Null, Value::text);
                self.held.entry(user).or_default().insert(held);
            }
            2 => {
                let title = format!("Title {}", dice.below(6));
                self.world.tenant.set_user(&user, json!({ "jobTitle": title }));
            }
            3 => {
                self.world.cycle().await;
            }
            _ => {
                self.world.clock.advance(QUARTER);
                self.back().await;
            }
        }
    }

    /// Nothing happens any more, and every request is answered.
    async fn comes_to_rest(&mut self, seed: u64) {
        *self.writer.trouble.lock().unwrap() = 0;
        let mut sent = 0;
        for round in 0..12 {
            sent = self.writer.sent.lock().unwrap().len();
            // A day apart in the end: what the brake held back for a day is due again.
            self.world
                .clock
                .advance(if round < 8 { QUARTER } else { QUARTER * 100 });
            self.world.cycle().await.expect(Outcome::Converged);
            self.back().await.expect("nobody dies");
        }
        let after = self.writer.sent.lock().unwrap().len();
        assert_eq!(after, sent, "seed {seed}: it goes on writing");
    }

    fn is_lawful(&self, seed: u64) {
        for user in &self.users {
            let id: SourceId = user.parse().unwrap();
            let (here, there) = (self.in_entra(user), self.at_target(user));
            let row = self.world.job.snapshot.cells(&id).unwrap();
            let kept = row.as_ref().and_then(|row| row.cells.get("jobTitle"));
            let told = kept.is_some_and(|kept| kept.finding.is_some() || kept.cell.held.is_some());
            assert!(
                Compare::Text.alike(&here, &there) || told,
                "seed {seed}: {user} has {here} in Entra and {there} at the target, and nothing says why: {kept:#?}"
            );
        }
        let sent = self.writer.sent.lock().unwrap();
        for (user, value) in sent.iter() {
            assert!(
                self.held[&user.to_string()].contains(value),
                "seed {seed}: {value} was never at the target for {user}"
            );
        }
        // Each edit once, and once more where Entra was seen twice not to have it.
        assert!(
            sent.len() <= 2 * self.edits,
            "seed {seed}: {} writes of {} edits",
            sent.len(),
            self.edits
        );
    }
}

#[tokio::test]
async fn edits_on_both_sides_come_to_rest_whatever_becomes_of_the_requests() {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    let (seeds, first) = (number("SEEDS").unwrap_or(25), number("SEED").unwrap_or(1));
    for seed in first..first + seeds {
        let mut site = Site::new(seed).await;
        let mut dice = Dice::new(seed);
        for _ in 0..40 {
            site.step(&mut dice).await;
        }
        site.comes_to_rest(seed).await;
        site.is_lawful(seed);
    }
}

#[tokio::test]
async fn a_value_of_somebody_who_is_not_there_yet_is_sent_once_more_after_a_quarter_of_an_hour() {
    let minute = Duration::from_secs(60);
    let mut site = Site::new(1).await;
    *site.writer.trouble.lock().unwrap() = 0;
    site.writer.next.lock().unwrap().push(Fate::NotThere);
    site.edit_first("Too early");
    assert_eq!(site.carries(minute).await, 0);
    assert_eq!(site.carries(minute).await, 0, "it waits");
    assert_eq!(site.carries(15 * minute).await, 1);
    assert_eq!(site.in_entra(&site.users[0]), Value::text("Too early"));
    assert_eq!(site.carries(15 * minute).await, 0, "the second time");
    // Answered twice it counts, until the value is another one.
    site.writer.next.lock().unwrap().extend([Fate::NotThere; 2]);
    site.edit_first("Refused");
    for later in [1, 15, 15, 24 * 60] {
        assert_eq!(site.carries(later * minute).await, 0, "{later} minutes");
    }
    assert!(site.writer.next.lock().unwrap().is_empty(), "it was sent twice");
    site.edit_first("Another");
    assert_eq!(site.carries(15 * minute).await, 1);
}

#[tokio::test]
async fn a_look_at_a_replica_that_is_behind_forgets_nothing() {
    let minute = Duration::from_secs(60);
    let mut site = Site::new(1).await;
    *site.writer.trouble.lock().unwrap() = 0;
    let user = site.users[0].clone();
    // Back from the recycle bin, as the stream of changes has it, and not yet as a look has it.
    site.world.tenant.soft_delete_user(&user);
    site.world.tenant.restore_user(&user);
    site.world
        .tenant
        .update_faults(|faults| faults.batch_behind = Fault::always());
    site.edit_first("Edited meanwhile");
    assert_eq!(site.carries(minute).await, 0, "a look says that the user is gone");
    site.world
        .tenant
        .update_faults(|faults| faults.batch_behind = Fault::never());
    assert_eq!(site.carries(minute).await, 1);
    assert_eq!(site.in_entra(&user), Value::text("Edited meanwhile"));
}

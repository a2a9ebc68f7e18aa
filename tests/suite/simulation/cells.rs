//! Values that are carried back, as they are outside: people who edit them at both sides, a writer in Entra who undoes ours, and what
//! becomes of each write of a batch.

use std::collections::BTreeSet;

use melonsync::model::id::ObjectKind;
use melonsync::model::id::SourceId;
use melonsync::model::value::Value;
use melonsync::ports::Sent;
use melonsync::ports::SourceError;
use melonsync::ports::UserWrite;

use super::cell_laws::CellLaws;
use super::dice::Dice;
use super::directory::Life;
use super::enrolment::Tenant;
use super::enrolment::refused;
use super::service::Resource;
use super::site::Inner;

/// The Graph property that is written back, and the path at the target that it comes from.
pub const PROPERTY: &str = "officeLocation";
pub const PATH: &str = "nickName";

/// All of it, with a stream of chance of its own.
#[derive(Debug)]
pub struct Cells {
    pub dice: Dice,
    /// Somebody in Entra takes back what we write.
    quarrels: bool,
    /// Nobody edits in Entra once it has begun.
    pub only_target: bool,
    undone: Vec<(SourceId, Option<Value>)>,
    under_way: Vec<UserWrite>,
    pub laws: CellLaws,
}

impl Cells {
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed.rotate_left(7) ^ 0x0CE1_15CE_1150_0B5E);
        let only_target = dice.chance(40);
        Self {
            quarrels: !only_target && dice.chance(20),
            only_target,
            undone: Vec::new(),
            under_way: Vec::new(),
            laws: CellLaws::default(),
            dice,
        }
    }
}

impl Tenant {
    /// Sets properties: each write of the batch has an outcome of its own, and the process may die between any two.
    pub async fn set_properties(&self, writes: &[UserWrite]) -> Result<Vec<Sent>, SourceError> {
        self.0.step().await;
        {
            let mut inner = self.0.lock();
            if let Some(fault) = inner.fault() {
                return Err(fault);
            }
            inner.cells.under_way = writes.to_vec();
        }
        let mut answers = Vec::new();
        for write in writes {
            self.0.step().await;
            let mut inner = self.0.lock();
            inner.cells.under_way.retain(|other| other != write);
            let answer = inner.fated_set(write);
            inner.cells.laws.answered(write, &answer);
            answers.push(answer);
        }
        self.0.step().await;
        let mut inner = self.0.lock();
        inner.trace.note(|| format!("set {writes:?}: {answers:?}"));
        let done = writes
            .iter()
            .zip(&answers)
            .filter(|(_, answer)| **answer == Sent::Done);
        inner.judge.answered.extend(done.map(|(write, _)| write.user));
        Ok(answers)
    }
}

impl Inner {
    fn fated_set(&mut self, write: &UserWrite) -> Sent {
        let weather = self.weather;
        let what = || "an answer of Graph".into();
        for (percent, carried, fate) in [
            (weather.answer_lost, true, Sent::Unanswered(what())),
            (weather.answer_malformed, true, Sent::Unanswered(what())),
            (weather.lost, false, Sent::Unanswered(what())),
            (weather.broken, false, Sent::Unanswered(what())),
            (weather.throttled, false, Sent::NotYet(what())),
            (weather.refused / 2, false, refused(403)),
            (weather.refused, false, refused(400)),
            (weather.replica_behind / 4, false, refused(404)),
        ] {
            if percent > 0 && self.cells.dice.chance(percent) {
                if carried {
                    self.set(write);
                }
                return fate;
            }
        }
        self.set(write)
    }

    /// The one place at which a value reaches Entra.
    fn set(&mut self, write: &UserWrite) -> Sent {
        let found = self.cells.laws.written(write, &self.judge);
        self.judge.found.extend(found);
        if !self.directory.is_live(&write.user) {
            return refused(404);
        }
        for (property, value) in &write.properties {
            assert_eq!(property, PROPERTY);
            let value = Some(value.clone()).filter(|value| !value.is_null());
            if self.cells.quarrels {
                let before = self.directory.now(&write.user);
                let before = before.and_then(|user| user.values.get(PROPERTY).cloned());
                self.cells.undone.push((write.user, before));
            }
            self.directory
                .change(&write.user, |user| user.set(PROPERTY, value));
        }
        self.judge.writes_back += 1;
        self.trace.note(|| format!("  carried out {write:?}"));
        self.note_moment();
        Sent::Done
    }

    /// The process died: what was sent of a batch is carried out, or not.
    pub fn strand_values(&mut self) {
        for write in std::mem::take(&mut self.cells.under_way) {
            if self.cells.dice.chance(50) {
                self.set(&write);
            }
            self.cells.laws.may_be_sent_again(&write);
        }
    }

    // -------------------------------------------------------------------------------- what people do

    /// What both sides hold when it begins: the same, or not, or nothing.
    pub fn first_values(&mut self) {
        for user in self.directory.ids(ObjectKind::User, Life::Live) {
            let (there, here) = (self.value(&user), self.value(&user));
            let alike = self.cells.dice.chance(60);
            self.edit_target(&user, there.clone());
            // What was edited shortly before and was not read yet counts as edited after first contact: nobody can tell.
            if !self.cells.only_target {
                self.edit_source(&user, if alike { there } else { here });
            }
        }
        let held: Vec<_> = self.service.of(ObjectKind::User).collect();
        for (_, resource) in held {
            if let Some(owner) = resource.owner() {
                self.cells.laws.holds(owner, &resource.nick);
            }
        }
        self.note_moment();
    }

    /// A few edits, at either side or at both.
    pub fn values_go_on(&mut self, most: u64) {
        for (user, before) in std::mem::take(&mut self.cells.undone) {
            if self.cells.dice.chance(80) {
                let before = before.and_then(|value| value.as_str().map(str::to_owned));
                self.edit_source(&user, before);
            }
        }
        let users = self.directory.ids(ObjectKind::User, Life::Live);
        for _ in 0..self.cells.dice.between(0, most) {
            let Some(user) = self.cells.dice.pick(&users).copied() else {
                return;
            };
            let (one, other) = (self.value(&user), self.value(&user));
            if self.cells.only_target {
                self.edit_target(&user, one);
                continue;
            }
            match self.cells.dice.below(100) {
                0..60 => self.edit_target(&user, one),
                60..80 => self.edit_source(&user, one),
                80..93 => {
                    self.edit_target(&user, one);
                    self.edit_source(&user, other);
                }
                _ => {
                    self.edit_target(&user, one.clone());
                    self.edit_source(&user, one);
                }
            }
        }
        if self.cells.dice.chance(8) {
            self.resource_is_deleted();
        }
        self.note_moment();
    }

    /// Another hand deletes a resource of ours: what it held is not known any more, which is not that it held nothing.
    fn resource_is_deleted(&mut self) {
        let ours = |(id, held): (&String, &Resource)| held.owner().map(|_| id.clone());
        let all: Vec<String> = self.service.of(ObjectKind::User).filter_map(ours).collect();
        if let Some(id) = self.cells.dice.pick(&all) {
            self.service.remove(id);
            self.service.spoiled = true;
            self.trace.note(|| format!("another hand deletes {id}"));
        }
    }

    /// One of few, so that a value comes back; or none.
    fn value(&mut self, user: &SourceId) -> Option<String> {
        let dice = &mut self.cells.dice;
        let number = dice.below(5);
        dice.chance(75)
            .then(|| format!("Nick {number} of {}", user.as_bytes()[0]))
    }

    fn edit_source(&mut self, user: &SourceId, value: Option<String>) {
        self.trace.note(|| format!("{user} has {value:?} in Entra"));
        let value = value.map(|text| Value::from(text.as_str()));
        self.directory.change(user, |user| user.set(PROPERTY, value));
    }

    fn edit_target(&mut self, user: &SourceId, value: Option<String>) {
        let owned: BTreeSet<String> = self
            .service
            .owned_by(user)
            .into_iter()
            .map(|(id, _)| id.clone())
            .collect();
        let value = value.unwrap_or_default();
        for id in owned {
            self.trace
                .note(|| format!("{user} has {value:?} at the target, as {id}"));
            let Some(held) = self.service.held.get_mut(&id) else {
                continue;
            };
            if held.nick != value {
                held.nick.clone_from(&value);
                self.cells.laws.edited(*user, &value);
            }
        }
    }
}

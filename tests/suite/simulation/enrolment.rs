//! The enrolled group and the security keys, as they are outside: keys that somebody enrols, blocks and loses, members whom an admin adds
//! and takes out by hand, passkeys, and replicas that are behind. The engine sees them through the weather.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use melonsync::model::clock::Timestamp;
use melonsync::model::id::ObjectKind;
use melonsync::model::id::SourceId;
use melonsync::ports::EnrolmentEvidence;
use melonsync::ports::KeyDirectory;
use melonsync::ports::KeyListing;
use melonsync::ports::MembershipWrite;
use melonsync::ports::Sent;
use melonsync::ports::SourceError;
use melonsync::ports::Traffic;
use melonsync::ports::UserWrite;
use melonsync::ports::Writer;
use melonsync::reconcile::back::group::GroupFacts;
use melonsync::reconcile::back::keys::KeyState;
use melonsync::reconcile::back::keys::Listing;
use melonsync::reconcile::back::keys::SecurityKey;
use melonsync::reconcile::back::passkeys::Registration;

use super::dice::Dice;
use super::directory::Life;
use super::enrolment_laws::Laws;
use super::site::Inner;
use super::site::Site;

/// So far a replica may be behind.
const BEHIND: Duration = Duration::from_secs(15 * 60);

/// A security key.
#[derive(Debug, Clone)]
pub struct Key {
    /// Whose it is; the service does not say so.
    pub owner: Option<SourceId>,
    /// What the service says.
    pub address: Option<String>,
    pub state: KeyState,
}

/// Who made a member of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hand {
    Ours,
    Admin,
}

/// All of it. A stream of chance of its own, so that the stories of before stay what they were.
#[derive(Debug)]
pub struct Enrolment {
    pub dice: Dice,
    /// Who joins must have been seen with a passkey.
    pub needs_passkey: bool,
    /// The tenant has no licence for the report of registered methods.
    pub no_report: bool,
    pub never: BTreeSet<SourceId>,
    pub leave_after: Duration,
    /// The most that leave within the guard window.
    pub most_leave: u64,
    pub keys: BTreeMap<u64, Key>,
    made: u64,
    /// Deleted by mistake, and put back one day.
    lost: Vec<(u64, Key)>,
    pub members: BTreeMap<SourceId, Hand>,
    /// Who was in the group when.
    versions: Vec<(Timestamp, BTreeSet<SourceId>)>,
    pub passkeys: BTreeSet<SourceId>,
    /// What the report will say: it is hours behind.
    reported: BTreeSet<SourceId>,
    /// What was sent in one batch, and is not carried out yet.
    under_way: Vec<MembershipWrite>,
    pub laws: Laws,
}

impl Enrolment {
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed.rotate_left(41) ^ 0x0E27_011E_D6A0_0B5E);
        Self {
            needs_passkey: dice.chance(40),
            no_report: dice.chance(30),
            never: BTreeSet::new(),
            leave_after: Duration::from_secs(3_600 * *dice.pick(&[1, 24]).unwrap_or(&1)),
            most_leave: *dice.pick(&[1, 2, 1_000]).unwrap_or(&1),
            keys: BTreeMap::new(),
            made: 0,
            lost: Vec::new(),
            members: BTreeMap::new(),
            versions: vec![(Timestamp(0), BTreeSet::new())],
            passkeys: BTreeSet::new(),
            reported: BTreeSet::new(),
            under_way: Vec::new(),
            laws: Laws::default(),
            dice,
        }
    }

    /// The states of the keys that are somebody's in truth.
    pub fn states_of(&self, owner: &SourceId) -> Vec<KeyState> {
        let all = self.keys.values();
        all.filter(|key| key.owner.as_ref() == Some(owner))
            .map(|key| key.state)
            .collect()
    }

    fn note_version(&mut self, now: Timestamp) {
        self.versions.push((now, self.members.keys().copied().collect()));
    }
}

/// The tenant and the key service, as the way back sees them.
pub struct Tenant(pub Arc<Site>);

#[async_trait]
impl KeyDirectory for Tenant {
    async fn keys(&self) -> Result<KeyListing, SourceError> {
        self.asks("keys", Inner::list_keys).await
    }

    fn traffic(&self) -> Traffic {
        Traffic::default()
    }
}

#[async_trait]
impl EnrolmentEvidence for Tenant {
    async fn registrations(&self) -> Result<Vec<Registration>, SourceError> {
        self.asks("registrations", Inner::registrations).await
    }

    async fn passkeys(&self, user: SourceId) -> Result<Vec<String>, SourceError> {
        self.asks("passkeys", |inner| inner.passkeys_of(user)).await
    }

    async fn group_facts(&self, _: SourceId) -> Result<GroupFacts, SourceError> {
        self.asks("group", |inner| {
            inner.fault().map_or_else(|| Ok(GroupFacts::default()), Err)
        })
        .await
    }

    async fn group_members(&self, _: SourceId) -> Result<BTreeSet<SourceId>, SourceError> {
        self.asks("members", Inner::members_shown).await
    }

    async fn group_owners(&self, _: SourceId) -> Result<Vec<String>, SourceError> {
        Ok(Vec::new())
    }
}

#[async_trait]
impl Writer for Tenant {
    async fn set(&self, writes: &[UserWrite]) -> Result<Vec<Sent>, SourceError> {
        self.set_properties(writes).await
    }

    /// Each write of a batch has an outcome of its own, and the process may die between any two.
    async fn enrol(&self, writes: &[MembershipWrite]) -> Result<Vec<Sent>, SourceError> {
        self.0.step().await;
        {
            let mut inner = self.0.lock();
            if let Some(fault) = inner.fault() {
                return Err(fault);
            }
            inner.enrolment.under_way = writes.to_vec();
        }
        let mut answers = Vec::new();
        for write in writes {
            self.0.step().await;
            let mut inner = self.0.lock();
            inner.enrolment.under_way.retain(|other| other != write);
            answers.push(inner.fated_membership(write));
        }
        self.0.step().await;
        let mut inner = self.0.lock();
        inner.trace.note(|| format!("enrol {writes:?}: {answers:?}"));
        for (write, answer) in writes.iter().zip(&answers) {
            inner.enrolment.laws.answered(write, answer);
            if *answer == Sent::Done {
                inner.judge.answered.insert(write.user);
            }
        }
        Ok(answers)
    }

    fn right_for(&self, _: &str) -> &'static str {
        "User.ReadUpdate.All"
    }

    fn traffic(&self) -> Traffic {
        Traffic::default()
    }
}

impl Tenant {
    async fn asks<T: std::fmt::Debug>(
        &self,
        what: &str,
        how: impl FnOnce(&mut Inner) -> Result<T, SourceError>,
    ) -> Result<T, SourceError> {
        self.0.step().await;
        let answer = how(&mut self.0.lock());
        self.0.step().await;
        self.0.lock().trace.note(|| format!("{what}: {answer:?}"));
        answer
    }
}

fn down() -> SourceError {
    SourceError::Unavailable {
        what: "503".into(),
        hint: "wait".to_owned(),
        cause: None,
    }
}

impl Inner {
    pub fn fault(&mut self) -> Option<SourceError> {
        let weather = self.weather;
        let dice = &mut self.enrolment.dice;
        if dice.chance(weather.source_down) {
            return Some(down());
        }
        dice.chance(weather.source_malformed)
            .then(|| SourceError::Malformed {
                what: "the page has no `value`".into(),
                hint: "wait".to_owned(),
            })
    }

    /// All keys; now and then a page is cut off, or rows moved while they were paged.
    fn list_keys(&mut self) -> Result<KeyListing, SourceError> {
        if let Some(fault) = self.fault() {
            return Err(fault);
        }
        let torn = self.weather.torn;
        let Enrolment { dice, keys, .. } = &mut self.enrolment;
        let mut listed: Vec<SecurityKey> = keys.iter().map(|(id, key)| shown(*id, key)).collect();
        let all = listed.len() as u64;
        dice.shuffle(&mut listed);
        let mut steady = true;
        if dice.chance(torn) && all > 0 {
            let left = dice.below(listed.len());
            listed.truncate(left);
            steady = dice.chance(50);
        }
        let announced = if !steady && dice.chance(50) {
            left(&listed)
        } else {
            all
        };
        let listing = Listing {
            distinct: left(&listed),
            announced: Some(announced),
            steady,
        };
        self.enrolment.laws.listed(&listing, &self.enrolment.keys);
        Ok(KeyListing {
            keys: listed,
            listing,
        })
    }

    fn registrations(&mut self) -> Result<Vec<Registration>, SourceError> {
        if self.enrolment.no_report {
            return Err(SourceError::Forbidden {
                what: "403".into(),
                hint: "grant AuditLog.Read.All".to_owned(),
            });
        }
        if let Some(fault) = self.fault() {
            return Err(fault);
        }
        let mut rows = Vec::new();
        for user in self.directory.ids(ObjectKind::User, Life::Live) {
            let enabled = self.directory.now(&user).is_some_and(|user| user.enabled());
            let passkey = self.enrolment.reported.contains(&user);
            if passkey {
                self.enrolment.laws.passkey_shown(user);
            }
            if enabled {
                rows.push(Registration {
                    user,
                    passkey,
                    admin: false,
                });
            }
        }
        Ok(rows)
    }

    fn passkeys_of(&mut self, user: SourceId) -> Result<Vec<String>, SourceError> {
        if let Some(fault) = self.fault() {
            return Err(fault);
        }
        let has = self.enrolment.passkeys.contains(&user);
        if has {
            self.enrolment.laws.passkey_shown(user);
        }
        Ok(has.then(|| "a model".to_owned()).into_iter().collect())
    }

    /// Who is in the group, as the replica has it that answers.
    fn members_shown(&mut self) -> Result<BTreeSet<SourceId>, SourceError> {
        if let Some(fault) = self.fault() {
            return Err(fault);
        }
        let since = self.clock.now().minus(BEHIND);
        let versions = &self.enrolment.versions;
        let now = versions.len() - 1;
        let settled = versions.iter().rposition(|(at, _)| *at <= since).unwrap_or(0);
        let dice = &mut self.enrolment.dice;
        let at = if dice.chance(self.weather.replica_behind) {
            dice.between(settled as u64, now as u64) as usize
        } else {
            now
        };
        let mut members = self.enrolment.versions[at].1.clone();
        let gone: Vec<SourceId> = members
            .iter()
            .filter(|user| !self.directory.is_live(user))
            .copied()
            .collect();
        members.retain(|user| !gone.contains(user));
        self.enrolment.laws.hidden.extend(gone);
        self.enrolment.laws.members_shown(&members);
        Ok(members)
    }

    fn fated_membership(&mut self, write: &MembershipWrite) -> Sent {
        let weather = self.weather;
        let what = || "an answer of Graph".into();
        for (percent, carried, fate) in [
            (weather.answer_lost, true, Sent::Unanswered(what())),
            (weather.lost, false, Sent::Unanswered(what())),
            (weather.broken, false, Sent::Unanswered(what())),
            (weather.throttled, false, Sent::NotYet(what())),
            (weather.refused, false, refused(403)),
            (weather.refused, false, refused(400)),
            (weather.replica_behind / 4, false, refused(404)),
        ] {
            if percent > 0 && self.enrolment.dice.chance(percent) {
                if carried {
                    self.carry_out_membership(write);
                }
                return fate;
            }
        }
        self.carry_out_membership(write)
    }

    /// The one place at which a change of membership reaches the group.
    fn carry_out_membership(&mut self, write: &MembershipWrite) -> Sent {
        let found =
            self.enrolment
                .laws
                .written(write, &self.judge, &self.directory, self.enrolment.needs_passkey);
        self.judge.found.extend(found);
        if !self.directory.is_live(&write.user) {
            return refused(404);
        }
        if self.enrolment.members.contains_key(&write.user) == write.add {
            return Sent::AlreadySo;
        }
        if write.add {
            self.enrolment.members.insert(write.user, Hand::Ours);
        } else {
            self.enrolment.members.remove(&write.user);
        }
        self.enrolment.laws.carried_out(write);
        self.enrolment.note_version(self.clock.now());
        self.judge.writes_back += 1;
        self.trace.note(|| format!("  carried out {write:?}"));
        Sent::Done
    }

    /// The process died: what was sent of a batch is carried out, or not.
    pub fn strand_memberships(&mut self) {
        for write in std::mem::take(&mut self.enrolment.under_way) {
            if self.enrolment.dice.chance(50) {
                self.carry_out_membership(&write);
            }
        }
    }

    // -------------------------------------------------------------------------------- what people do

    /// A few things happen to keys, passkeys and the group.
    pub fn keys_go_on(&mut self, most: u64) {
        for _ in 0..self.enrolment.dice.between(0, most) {
            match self.enrolment.dice.below(100) {
                0..40 => self.enrols(),
                40..52 => self.key_changes(),
                52..66 => self.loses_key(),
                66..69 => self.keys_are_lost_by_mistake(),
                69..74 => self.lost_keys_return(),
                74..80 => self.admin_adds(),
                80..88 => self.admin_takes_out(),
                88..97 => self.passkey(),
                _ => self.enrolment.reported = self.enrolment.passkeys.clone(),
            }
        }
        if self.enrolment.dice.chance(50) {
            self.enrolment.reported = self.enrolment.passkeys.clone();
        }
    }

    /// All that is behind comes up to date.
    pub fn keys_come_to_rest(&mut self) {
        self.enrolment.reported = self.enrolment.passkeys.clone();
    }

    fn somebody(&mut self) -> Option<SourceId> {
        let users = self.directory.ids(ObjectKind::User, Life::Live);
        self.enrolment.dice.pick(&users).copied()
    }

    /// Some people have keys when it begins.
    pub fn first_keys(&mut self) {
        for _ in 0..self.enrolment.dice.between(1, 5) {
            self.enrols();
        }
    }

    /// Somebody whom the service knows gets a key.
    fn enrols(&mut self) {
        let Some(user) = self.somebody() else { return };
        let owned = self.service.owned_by(&user);
        let Some((_, held)) = owned.first() else { return };
        let name = Some(held.user_name.clone());
        let dice = &mut self.enrolment.dice;
        let address = name.map(|name| {
            if dice.chance(50) {
                name.to_uppercase()
            } else {
                name
            }
        });
        let stranger = dice.chance(4);
        let state = match dice.below(20) {
            0..17 => KeyState::Active,
            17..19 => KeyState::Pending,
            _ => KeyState::Other,
        };
        let key = Key {
            owner: Some(user).filter(|_| !stranger),
            address: if stranger {
                Some("somebody@elsewhere.example".to_owned())
            } else {
                address
            },
            state,
        };
        self.trace.note(|| format!("enrols {key:?}"));
        let made = self.enrolment.made;
        self.enrolment.made += 1;
        self.enrolment.keys.insert(made, key);
        if self.enrolment.dice.chance(60) {
            self.enrolment.passkeys.insert(user);
        }
    }

    fn some_key(&mut self) -> Option<u64> {
        let ids: Vec<u64> = self.enrolment.keys.keys().copied().collect();
        self.enrolment.dice.pick(&ids).copied()
    }

    fn key_changes(&mut self) {
        let Some(id) = self.some_key() else { return };
        let Some(key) = self.enrolment.keys.get_mut(&id) else {
            return;
        };
        key.state = match key.state {
            KeyState::Active => KeyState::Blocked,
            KeyState::Pending | KeyState::Blocked | KeyState::Other => KeyState::Active,
        };
        self.trace
            .note(|| format!("key {id} is {:?}", self.enrolment.keys[&id].state));
    }

    fn loses_key(&mut self) {
        let Some(id) = self.some_key() else { return };
        self.enrolment.keys.remove(&id);
        self.trace.note(|| format!("key {id} is gone"));
    }

    fn keys_are_lost_by_mistake(&mut self) {
        let lost = std::mem::take(&mut self.enrolment.keys);
        self.trace
            .note(|| format!("{} keys are deleted by mistake", lost.len()));
        self.enrolment.lost.extend(lost);
    }

    fn lost_keys_return(&mut self) {
        let back = std::mem::take(&mut self.enrolment.lost);
        self.trace.note(|| format!("{} keys are back", back.len()));
        self.enrolment.keys.extend(back);
    }

    fn admin_adds(&mut self) {
        let Some(user) = self.somebody() else { return };
        if self.enrolment.members.contains_key(&user) {
            return;
        }
        self.enrolment.members.insert(user, Hand::Admin);
        self.enrolment.laws.put_back(&user);
        self.enrolment.note_version(self.clock.now());
        self.trace.note(|| format!("an admin adds {user} by hand"));
    }

    fn admin_takes_out(&mut self) {
        let all: Vec<SourceId> = self.enrolment.members.keys().copied().collect();
        let Some(user) = self.enrolment.dice.pick(&all).copied() else {
            return;
        };
        let now = self.clock.now();
        let Some(by) = self.enrolment.members.remove(&user) else {
            return;
        };
        self.enrolment.note_version(now);
        // Of somebody who is deleted in Entra meanwhile nobody is shown that they are a member.
        if self.directory.is_live(&user) {
            self.enrolment.laws.taken_out_by_hand(user, by, now);
        }
        self.trace.note(|| format!("an admin takes {user} out by hand"));
    }

    fn passkey(&mut self) {
        let Some(user) = self.somebody() else { return };
        if !self.enrolment.passkeys.remove(&user) {
            self.enrolment.passkeys.insert(user);
        }
        self.trace.note(|| format!("the passkey of {user} comes or goes"));
    }
}

fn left(listed: &[SecurityKey]) -> u64 {
    listed.len() as u64
}

fn shown(id: u64, key: &Key) -> SecurityKey {
    SecurityKey {
        id: format!("key{id}"),
        owner: key.address.clone(),
        state: key.state,
    }
}

pub fn refused(status: u16) -> Sent {
    Sent::Refused {
        status,
        what: "an answer of Graph".into(),
    }
}

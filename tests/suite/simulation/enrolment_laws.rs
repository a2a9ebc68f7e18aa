//! The laws of the enrolled group (docs/design/write-back.md, "Enrolled group"), judged at each change of membership that reaches it, at
//! the end of each cycle, and once all is quiet. What is judged by are the listings as they were given, word by word.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use melonsync::model::clock::Timestamp;
use melonsync::model::id::ObjectKind;
use melonsync::model::id::SourceId;
use melonsync::ports::MembershipWrite;
use melonsync::ports::Sent;
use melonsync::reconcile::back::keys::KeyState;
use melonsync::reconcile::back::keys::Listing;

use super::directory::Directory;
use super::directory::Entity;
use super::directory::Life;
use super::enrolment::Hand;
use super::enrolment::Key;
use super::judge::Judge;
use super::judge::Said;
use super::site::Inner;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Looks that are nearer to each other than this count as one.
const APART: Duration = Duration::from_secs(15 * 60);
/// After so many looks everybody knows that a member is gone.
const SURELY_GONE: u64 = 4;

/// Since when something is read so, and how often it was.
#[derive(Debug, Clone, Copy)]
struct Since {
    at: Timestamp,
    times: u64,
}

/// What the laws go by.
#[derive(Debug, Default)]
pub struct Laws {
    /// The time as the cycle under way has it, in milliseconds.
    now_ms: i64,
    pub leave_after: Duration,
    pub never: BTreeSet<SourceId>,
    /// The most that leave within the guard window.
    pub most_leave: u64,
    /// Who is there at all.
    everybody: Vec<SourceId>,
    /// A person lets what leaves through, and a small listing counts.
    pub allowed: bool,
    /// The number of keys of the last listing that was evidence; `unsure` once a power cut may have lost it.
    before: Option<u64>,
    unsure: bool,
    /// The keys of the listing of this cycle, where it is evidence.
    keys: Option<BTreeMap<u64, Key>>,
    readings: u64,
    /// Readings in a row in which somebody had no active key.
    without: BTreeMap<SourceId, Since>,
    first_without: BTreeMap<SourceId, Timestamp>,
    /// Under which names the keys were by which somebody joined.
    joined_by: BTreeMap<SourceId, BTreeSet<String>>,
    passkeys: BTreeSet<SourceId>,
    /// Members of whom the program may believe that it added them; and whoever it ever added.
    pub maybe_ours: BTreeSet<SourceId>,
    ever_ours: BTreeSet<SourceId>,
    /// Members whom a cycle that came to its end was shown.
    shown: BTreeSet<SourceId>,
    shown_now: Option<BTreeSet<SourceId>>,
    /// The last look that did not show a member, and how many there were.
    gone: BTreeMap<SourceId, Since>,
    /// Members of whom the program may believe that it took them out.
    maybe_left: BTreeSet<SourceId>,
    /// Members of ours who were deleted in Entra for a while, and were not shown.
    pub hidden: BTreeSet<SourceId>,
    by_hand: BTreeMap<SourceId, Timestamp>,
    left: u64,
    ledger: Vec<(Timestamp, u64)>,
}

impl Laws {
    const fn now(&self) -> Timestamp {
        Timestamp(self.now_ms)
    }

    pub fn begin(&mut self, now: Timestamp, allowed: bool, everybody: Vec<SourceId>) {
        self.everybody = everybody;
        (self.now_ms, self.allowed, self.left) = (now.0, allowed, 0);
        (self.keys, self.shown_now) = (None, None);
    }

    // ------------------------------------------------------------------------------------ what is said

    /// A listing of keys is evidence where it is whole, steady, and not suddenly small.
    pub fn listed(&mut self, listing: &Listing, keys: &BTreeMap<u64, Key>) {
        let short = listing
            .announced
            .is_some_and(|announced| listing.distinct < announced);
        let shrunk = !self.unsure && self.before.is_some_and(|before| listing.distinct * 2 < before);
        if short || !listing.steady || (shrunk && !self.allowed) {
            return;
        }
        self.keys = Some(keys.clone());
    }

    pub fn members_shown(&mut self, members: &BTreeSet<SourceId>) {
        self.shown_now = Some(members.clone());
    }

    pub fn passkey_shown(&mut self, user: SourceId) {
        self.passkeys.insert(user);
    }

    pub fn taken_out_by_hand(&mut self, user: SourceId, by: Hand, now: Timestamp) {
        // Nobody can know that somebody was taken out who was never seen, or whom the program was about to take out itself.
        if (self.shown.contains(&user) || by == Hand::Ours) && !self.maybe_left.contains(&user) {
            self.by_hand.insert(user, now);
        }
    }

    pub fn put_back(&mut self, user: &SourceId) {
        self.by_hand.remove(user);
    }

    pub fn answered(&mut self, write: &MembershipWrite, answer: &Sent) {
        if !matches!(answer, Sent::Done | Sent::Unanswered(_)) {
            return;
        }
        if write.add {
            self.may_be_ours(write.user);
        } else {
            self.left += 1;
            self.maybe_left.insert(write.user);
        }
    }

    /// It was stored that somebody is to be taken out, and perhaps it was done.
    pub fn may_have_left(&mut self, user: SourceId) {
        self.maybe_left.insert(user);
    }

    /// It was stored that somebody is to be added, and perhaps it was done.
    pub fn may_be_ours(&mut self, user: SourceId) {
        self.maybe_ours.insert(user);
        self.ever_ours.insert(user);
        self.maybe_left.remove(&user);
        self.gone.remove(&user);
    }

    // --------------------------------------------------------------------------------- what is written

    /// Judges a change of membership that reaches the group.
    pub fn written(
        &mut self,
        write: &MembershipWrite,
        judge: &Judge,
        directory: &Directory,
        needs_passkey: bool,
    ) -> Vec<String> {
        let user = write.user;
        let said = judge.said_of(&user);
        let mut found = Vec::new();
        let mut object = |broken: bool, what: &str| {
            if broken {
                found.push(format!(
                    "{user} was {} the group {what}: {said:?}",
                    if write.add { "added to" } else { "taken out of" }
                ));
            }
        };
        object(judge.planning, "by a cycle that only plans");
        if write.add {
            object(!self.holds_key(&user, directory), "without an active key");
            object(
                self.never.contains(&user),
                "although they are never to be a member",
            );
            object(is_away(&said) && !said.unsure, "although they are not enabled");
            object(
                needs_passkey && !self.passkeys.contains(&user),
                "although no passkey was seen",
            );
            let since = self.by_hand.get(&user);
            object(
                since.is_some_and(|since| self.now().since(*since) < DAY),
                "although an admin took them out within the day",
            );
            let names = self.names_of_keys(&user, directory);
            self.joined_by.insert(user, names);
        } else {
            object(
                !self.maybe_ours.contains(&user),
                "although another hand had put them in",
            );
            object(!self.is_proven(&user, &said), "without proof");
        }
        found
    }

    /// A change of membership that had an effect.
    pub fn carried_out(&mut self, write: &MembershipWrite) {
        if write.add {
            self.by_hand.remove(&write.user);
            self.may_be_ours(write.user);
        } else {
            // From now on nobody can know of an admin who adds them and takes them out again between two readings.
            let shown = [Some(&mut self.shown), self.shown_now.as_mut()];
            shown.into_iter().flatten().for_each(|shown| {
                shown.remove(&write.user);
            });
        }
    }

    /// The names under which somebody's active keys are listed.
    fn names_of_keys(&self, user: &SourceId, directory: &Directory) -> BTreeSet<String> {
        let names: BTreeSet<String> = directory.names_of(user).map(str::to_lowercase).collect();
        let all = self.keys.iter().flat_map(BTreeMap::values);
        all.filter(|key| key.owner.as_ref() == Some(user) && key.state == KeyState::Active)
            .filter_map(|key| key.address.as_ref().map(|address| address.to_lowercase()))
            .filter(|address| names.contains(address))
            .collect()
    }

    /// The listing of this cycle has an active key under a name that the user has or had.
    pub fn holds_key(&self, user: &SourceId, directory: &Directory) -> bool {
        let mut all = self.keys.iter().flat_map(BTreeMap::values);
        all.any(|key| {
            let named = |address: &String| {
                let mut one = directory.one_with(user).into_iter();
                one.any(|id| {
                    directory
                        .names_of(&id)
                        .any(|name| name.eq_ignore_ascii_case(address))
                })
            };
            key.state == KeyState::Active && key.address.as_ref().is_some_and(named)
        })
    }

    /// Two readings without a key, far enough apart; or two at all, of somebody whose key does not count.
    fn is_proven(&self, user: &SourceId, said: &Said) -> bool {
        let Some(keys) = &self.keys else { return false };
        let mine = || keys.values().filter(|key| key.owner.as_ref() == Some(user));
        let blocked = mine().any(|key| key.state == KeyState::Blocked);
        let counts_not = self.never.contains(user) || is_away(said) || said.unsure;
        if counts_not {
            return self.readings >= 1;
        }
        let since = self.counted_without(user);
        let (times, at) = since.map_or((0, self.now()), |since| (since.times, since.at));
        let waited = self.now() >= at && self.now().since(at) >= self.leave_after;
        times >= 2 && (blocked || waited)
    }

    /// Readings in a row without an active key, this one among them.
    fn counted_without(&self, user: &SourceId) -> Option<Since> {
        let known = self.without.get(user).copied();
        if self.keys.as_ref().is_none_or(|keys| self.is_active(user, keys)) {
            return self.keys.is_none().then_some(known).flatten();
        }
        let known = known.unwrap_or(Since {
            at: self.now(),
            times: 0,
        });
        Some(Since {
            times: known.times + 1,
            ..known
        })
    }

    fn is_active(&self, user: &SourceId, keys: &BTreeMap<u64, Key>) -> bool {
        let joined_by = self.joined_by.get(user);
        keys.values().any(|key| {
            let by = |address: &String| joined_by.is_none_or(|by| by.contains(&address.to_lowercase()));
            key.owner.as_ref() == Some(user)
                && key.state == KeyState::Active
                && key.address.as_ref().is_some_and(by)
        })
    }

    // ------------------------------------------------------------------------------------ how it ended

    /// A cycle that counts came to its end.
    pub fn end(&mut self, window: Duration) -> Vec<String> {
        if let Some(keys) = self.keys.take() {
            self.count(&keys, false);
        }
        if let Some(shown) = self.shown_now.take() {
            self.note_gone(&shown);
            self.shown.extend(&shown);
        }
        Vec::from_iter(self.over_the_threshold(window))
    }

    fn over_the_threshold(&mut self, window: Duration) -> Option<String> {
        let since = self.now().minus(window);
        let earlier = self.ledger.iter().filter(|(at, _)| *at >= since);
        let before: u64 = earlier.map(|(_, left)| left).sum();
        self.ledger.push((self.now(), self.left));
        (self.left > 0 && !self.allowed && self.left + before > self.most_leave).then(|| {
            format!(
                "{} left the group, and {before} within the window before: the guard lets {} through",
                self.left, self.most_leave
            )
        })
    }

    /// What left is not to be counted any more: the clock was wrong, or it may not have been recorded.
    pub fn forget_counts(&mut self) {
        self.ledger.clear();
    }

    /// Counts a reading. `perhaps`: nobody knows whether it was remembered.
    fn count(&mut self, keys: &BTreeMap<u64, Key>, perhaps: bool) {
        self.readings += 1;
        if perhaps {
            self.unsure = true;
        } else {
            (self.before, self.unsure) = (Some(keys.len() as u64), false);
        }
        for user in std::mem::take(&mut self.everybody) {
            if !self.is_active(&user, keys) {
                let at = self.now();
                self.first_without.entry(user).or_insert(at);
                self.without.entry(user).or_insert(Since { at, times: 0 }).times += 1;
            } else if !perhaps {
                self.without.remove(&user);
            }
        }
    }

    fn note_gone(&mut self, shown: &BTreeSet<SourceId>) {
        self.gone.retain(|user, _| !shown.contains(user));
        let known: BTreeSet<SourceId> = self.maybe_ours.union(&self.shown).copied().collect();
        let now = self.now();
        for user in known.difference(shown) {
            let gone = self.gone.entry(*user).or_insert(Since { at: now, times: 1 });
            if now.since(gone.at) >= APART {
                *gone = Since {
                    at: now,
                    times: gone.times + 1,
                };
            }
        }
        let surely = |since: &Since| since.times >= SURELY_GONE;
        let gone = &self.gone;
        let stays = |user: &SourceId| !gone.get(user).is_some_and(surely);
        self.maybe_ours.retain(stays);
        self.shown.retain(stays);
    }

    /// The process died, or the cycle broke off. `power`: what was not synced is lost too.
    pub fn broke_off(&mut self, power: bool) {
        if let Some(keys) = self.keys.take() {
            self.count(&keys, true);
        }
        self.shown_now = None;
        self.forget_counts();
        if power {
            self.unsure = true;
            self.shown.clear();
            self.maybe_ours.extend(&self.ever_ours);
            for (user, at) in &self.first_without {
                let times = self.without.get(user).map_or(1, |since| since.times.max(1));
                self.without.insert(*user, Since { at: *at, times });
            }
        }
    }
}

fn is_away(said: &Said) -> bool {
    said.gone.is_some() || said.enabled == Some(false)
}

impl Inner {
    /// Every member who should be none, and every one who lacks, once all is quiet.
    pub fn enrolment_differs(&self) -> Vec<String> {
        let mut found = Vec::new();
        for user in self.directory.ids(ObjectKind::User, Life::Live) {
            let Some(entity) = self.directory.now(&user) else {
                continue;
            };
            let (is_in, hand) = (self.is_to_be_in(&user, entity), self.enrolment.members.get(&user));
            // Of a member who was not shown for a while nobody knows any more who made one of them.
            let wrong = match (is_in, hand) {
                (Some(true), None) => "holds an active key, and is not in the group",
                (Some(false), Some(Hand::Ours)) if !self.enrolment.laws.hidden.contains(&user) => {
                    "holds no key that counts, and is still in the group"
                }
                _ => continue,
            };
            found.push(format!("{user} {wrong}: {:?}", self.enrolment.states_of(&user)));
        }
        found
    }

    /// `None` where nobody can say.
    fn is_to_be_in(&self, user: &SourceId, entity: &Entity) -> Option<bool> {
        let enrolment = &self.enrolment;
        let has_link = self.service.owned_by(user).len() == 1;
        if !entity.in_scope() || !has_link {
            return None;
        }
        let name = entity.text("userPrincipalName");
        // Of names that others had too nobody knows whose key it is; and who came back has the keys of before.
        let others = self.directory.objects.keys().filter(|id| *id != user);
        let mine: Vec<&str> = self.directory.names_of(user).collect();
        let is_mine = |name: &str| mine.iter().any(|mine| mine.eq_ignore_ascii_case(name));
        let shared = others
            .into_iter()
            .any(|id| self.directory.names_of(id).any(is_mine));
        if shared || self.directory.one_with(user).len() > 1 {
            return None;
        }
        let states = enrolment.states_of(user);
        if states.contains(&KeyState::Other) {
            return None;
        }
        if !entity.enabled() || enrolment.never.contains(user) || states.is_empty() {
            return Some(false);
        }
        let mine = enrolment
            .keys
            .values()
            .filter(|key| key.owner.as_ref() == Some(user));
        let named = |key: &&Key| {
            let address = key.address.as_deref().unwrap_or_default();
            key.state == KeyState::Active && address.eq_ignore_ascii_case(name)
        };
        let holds = mine.filter(named).count() > 0;
        let has_passkey = !enrolment.needs_passkey || enrolment.passkeys.contains(user);
        (holds && has_passkey).then_some(true)
    }
}

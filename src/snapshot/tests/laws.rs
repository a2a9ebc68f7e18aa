//! Laws of storing pages: replay, any split, and random rounds against a naive model.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::engines::Tried;
use super::world::*;
use crate::model::id::ObjectKind;
use crate::model::id::ObjectKind::Group;
use crate::model::id::ObjectKind::User;
use crate::model::id::SourceId;
use crate::model::object::DeltaObject;
use crate::model::object::Life;
use crate::model::object::MemberKind;
use crate::model::object::Membership;
use crate::model::object::Removed;
use crate::model::value::Attributes;
use crate::model::value::Value;
use crate::ports::Durability;
use crate::ports::Table;
use crate::snapshot::kv::memory::MemoryStore;
use crate::snapshot::maintenance::verify::verify;
use crate::snapshot::read::Reads;
use crate::snapshot::referrers::ReferrerReads;
use crate::snapshot::store::Snapshot;
use crate::snapshot::tx::Tx;

const USERS: u64 = 6;
const GROUPS: std::ops::Range<u64> = 100..103;

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![Just(Value::Null), "[ab]".prop_map(Value::text)]
}

fn any_user() -> impl Strategy<Value = DeltaObject> {
    let attributes = prop::collection::btree_map(
        prop::sample::select(vec!["displayName", "mail"]),
        any_value(),
        0..3,
    );
    let manager = prop::collection::vec((0..USERS, any::<bool>()), 0..3);
    (
        0..USERS,
        attributes,
        manager,
        prop::option::weighted(0.2, any::<bool>()),
    )
        .prop_map(|(n, attributes, manager, removed)| match removed {
            Some(true) => gone(User, n, Removed::HardDeleted),
            Some(false) => gone(User, n, Removed::SoftDeleted),
            None => {
                let mut object = user(n, &[]);
                object.attributes.extend(
                    attributes
                        .into_iter()
                        .map(|(name, value)| (name.to_owned(), value)),
                );
                object.manager = manager
                    .into_iter()
                    .map(|(n, removed)| reference(n, removed))
                    .collect();
                object
            }
        })
}

fn any_group() -> impl Strategy<Value = DeltaObject> {
    let members = prop::collection::vec((0..USERS, prop::bool::weighted(0.3)), 0..4);
    (GROUPS, members, prop::bool::weighted(0.15)).prop_map(|(n, members, removed)| match removed {
        true => gone(Group, n, Removed::SoftDeleted),
        false => group(n, &members),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    /// Holds whether they are read together or one by one, and whatever part of it the transaction itself wrote.
    #[test]
    fn who_refers_to_many_is_who_refers_to_each(
        edges in prop::collection::vec((0..200_u64, 0..90_u64), 0..400),
        popular in prop::collection::vec(0..90_u64, 0..2),
        asked in prop::collection::vec(0..90_u64, 0..90),
        written in 0..400_usize,
        on_disk in prop::bool::weighted(0.2),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let snapshot = if on_disk {
            Snapshot::open(Tried::FOLDING.open(folder.path()).unwrap(), folder.path()).unwrap()
        } else {
            open(&MemoryStore::new())
        };
        let crowd = popular.iter().flat_map(|member| (1000..2100).map(move |group| (group, *member)));
        let all: Vec<(u64, u64)> = edges.into_iter().chain(crowd).collect();
        let put = |tx: &mut Tx<'_>, edges: &[(u64, u64)]| {
            let edge = Membership { kind: MemberKind::User, generation: 1, present: true, sent: None, found: false };
            for (group, member) in edges {
                tx.put_edge(&id(*group), &id(*member), &edge).unwrap();
            }
        };
        let (before, own) = all.split_at(written.min(all.len()));
        let mut tx = snapshot.tx().unwrap();
        put(&mut tx, before);
        tx.commit(Durability::Lazy).unwrap();
        let mut tx = snapshot.tx().unwrap();
        put(&mut tx, own);
        let asked: Vec<SourceId> = asked.into_iter().map(id).collect();
        let each = asked.iter().collect::<BTreeSet<_>>().into_iter().map(|id| tx.referrers(id, None, usize::MAX).unwrap());
        let expected: BTreeSet<_> = each.flatten().collect();
        prop_assert_eq!(tx.referrers_of(&asked).unwrap().into_iter().collect::<BTreeSet<_>>(), expected);
    }
}

/// A round: full or delta, with its objects in order, and where it is cut into pages.
#[derive(Debug, Clone)]
struct Round {
    full: bool,
    users: Vec<DeltaObject>,
    groups: Vec<DeltaObject>,
    cut: usize,
}

fn any_round() -> impl Strategy<Value = Round> {
    let users = prop::collection::vec(any_user(), 0..10);
    let groups = prop::collection::vec(any_group(), 0..6);
    (prop::bool::weighted(0.4), users, groups, 1_usize..5).prop_map(|(full, users, groups, cut)| Round {
        full,
        users,
        groups,
        cut,
    })
}

fn any_history() -> impl Strategy<Value = Vec<Round>> {
    prop::collection::vec(any_round(), 1..6).prop_map(|mut rounds| {
        rounds[0].full = true;
        rounds
    })
}

fn play(snapshot: &Snapshot, rounds: &[Round], cut: impl Fn(&Round) -> usize) {
    for round in rounds {
        for (kind, objects) in [(User, &round.users), (Group, &round.groups)] {
            play_round(snapshot, kind, round.full, objects, cut(round));
        }
    }
}

fn play_round(snapshot: &Snapshot, kind: ObjectKind, full: bool, objects: &[DeltaObject], cut: usize) {
    if full {
        begin_full(snapshot, kind);
    }
    for page in objects.chunks(cut) {
        store_page(snapshot, kind, &more(page.to_vec()));
    }
    store_page(snapshot, kind, &last(vec![]));
    snapshot.finish_round(kind).unwrap();
}

/// Returns everything but the streams' links.
fn contents(store: &MemoryStore) -> BTreeMap<(Table, Vec<u8>), Vec<u8>> {
    store
        .contents()
        .into_iter()
        .filter(|((table, key), _)| *table != Table::Meta || !key.starts_with(b"stream/"))
        .collect()
}

/// The rules once more, as plainly as possible.
#[derive(Debug, Default, PartialEq)]
struct Naive {
    attributes: BTreeMap<u64, Attributes>,
    life: BTreeMap<(ObjectKind, u64), Life>,
    managers: BTreeMap<u64, u64>,
    members: BTreeSet<(u64, u64)>,
}

fn n_of(id: &crate::model::id::SourceId) -> u64 {
    u64::from_be_bytes(id.as_bytes()[8..].try_into().unwrap())
}

impl Naive {
    fn round(&mut self, round: &Round) {
        let mut seen = BTreeSet::new();
        let (mut managers, mut members) = (BTreeSet::new(), BTreeSet::new());
        for object in round.users.iter().chain(&round.groups) {
            let key = (object.kind, n_of(&object.id));
            if let Some(reason) = object.removed {
                self.life.entry(key).and_modify(|life| *life = Life::Gone(reason));
                continue;
            }
            let first = !self.life.contains_key(&key) || (round.full && !seen.contains(&key));
            seen.insert(key);
            self.life.insert(key, Life::Alive);
            if object.kind == User {
                self.user(object, first, &mut managers);
            }
            for entry in &object.members {
                let edge = (key.1, n_of(&entry.id));
                if entry.removed {
                    self.members.remove(&edge)
                } else {
                    self.members.insert(edge)
                };
                if entry.removed {
                    members.remove(&edge)
                } else {
                    members.insert(edge)
                };
            }
        }
        if round.full {
            self.end(&seen, &managers, &members);
        }
    }

    fn user(&mut self, object: &DeltaObject, first: bool, said: &mut BTreeSet<u64>) {
        let n = n_of(&object.id);
        let known = self.attributes.entry(n).or_default();
        for name in ["userPrincipalName", "displayName", "mail"] {
            match object.attributes.get(name) {
                Some(value) => drop(known.insert(name.to_owned(), value.clone())),
                None if first => drop(known.insert(name.to_owned(), Value::Null)),
                None => {}
            }
        }
        for entry in object.manager.iter().filter(|entry| entry.removed) {
            if self.managers.get(&n) == Some(&n_of(&entry.id)) {
                self.managers.remove(&n);
            }
        }
        for entry in object.manager.iter().filter(|entry| !entry.removed) {
            self.managers.insert(n, n_of(&entry.id));
        }
        if !object.manager.is_empty() {
            said.insert(n);
        }
    }

    fn end(
        &mut self,
        seen: &BTreeSet<(ObjectKind, u64)>,
        managers: &BTreeSet<u64>,
        members: &BTreeSet<(u64, u64)>,
    ) {
        for (key, life) in &mut self.life {
            if !seen.contains(key) && *life == Life::Alive {
                *life = Life::Missing;
            }
        }
        let life = &self.life;
        let read = |key: (ObjectKind, u64)| seen.contains(&key) && life.get(&key) == Some(&Life::Alive);
        self.managers
            .retain(|n, _| managers.contains(n) || !read((User, *n)));
        self.members
            .retain(|edge| members.contains(edge) || !read((Group, edge.0)));
    }

    fn of(snapshot: &Snapshot) -> Self {
        let mut naive = Self::default();
        for kind in [User, Group] {
            for record in snapshot.scan_records(kind, None, usize::MAX).unwrap() {
                let n = n_of(&record.object.id);
                naive.life.insert((kind, n), record.object.life);
                if kind == User {
                    naive.attributes.insert(n, record.object.attributes);
                    naive
                        .managers
                        .extend(record.object.manager.map(|manager| (n, n_of(&manager))));
                }
            }
        }
        for group in GROUPS {
            let edges = snapshot.edges(&id(group), None, usize::MAX).unwrap();
            naive.members.extend(
                edges
                    .iter()
                    .filter(|(_, edge)| edge.present)
                    .map(|(member, _)| (group, n_of(member))),
            );
        }
        for (kind, n) in naive.life.keys() {
            // The remembered answer is the stored one, whatever was written since it was asked for.
            let (asked, stored) = (
                snapshot.brief(*kind, &id(*n)),
                snapshot.read_brief(*kind, &id(*n)),
            );
            assert_eq!(asked.unwrap(), stored.unwrap());
            let stored = snapshot.read_dirty_cause(*kind, &id(*n)).unwrap();
            assert_eq!(snapshot.dirty_cause(*kind, &id(*n)).unwrap(), stored);
        }
        naive
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_history_of_rounds_ends_where_the_plain_rules_say(rounds in any_history()) {
        let snapshot = open(&MemoryStore::new());
        let mut naive = Naive::default();
        for round in &rounds {
            play(&snapshot, std::slice::from_ref(round), |round| round.cut);
            naive.round(round);
            prop_assert_eq!(&Naive::of(&snapshot), &naive);
        }
        prop_assert_eq!(verify(&snapshot).unwrap().findings, Vec::<String>::new());
    }

    #[test]
    fn any_split_into_pages_gives_the_same_snapshot(rounds in any_history()) {
        let (split, whole) = (MemoryStore::new(), MemoryStore::new());
        play(&open(&split), &rounds, |round| round.cut);
        play(&open(&whole), &rounds, |_| 1000);
        prop_assert!(contents(&split) == contents(&whole));
    }

    #[test]
    fn a_change_is_never_without_a_dirty_mark(rounds in any_history()) {
        let snapshot = open(&MemoryStore::new());
        for round in &rounds {
            let before = Naive::of(&snapshot);
            clear_all_dirty(&snapshot);
            play(&snapshot, std::slice::from_ref(round), |round| round.cut);
            let after = Naive::of(&snapshot);
            for (key, life) in &after.life {
                let of = |naive: &Naive| {
                    let members: Vec<_> = naive.members.iter().filter(|edge| key.0 == Group && edge.0 == key.1).copied().collect();
                    let user = (key.0 == User).then(|| (naive.attributes.get(&key.1).cloned(), naive.managers.get(&key.1).copied()));
                    (user, members)
                };
                if before.life.get(key) != Some(life) || of(&before) != of(&after) {
                    prop_assert!(snapshot.dirty_cause(key.0, &id(key.1)).unwrap().is_some(), "{:?}", key);
                }
            }
        }
    }

    #[test]
    fn replaying_a_delta_round_that_ends_unambiguously_changes_nothing(rounds in any_history(), again in any_round()) {
        let store = MemoryStore::new();
        let snapshot = open(&store);
        play(&snapshot, &rounds, |round| round.cut);
        let mut users: BTreeMap<_, _> = BTreeMap::new();
        // One entry an object, and one an edge: what a service sends when it reports a change once.
        for mut object in again.users { object.manager.truncate(1); users.insert(object.id, object); }
        let mut groups: BTreeMap<_, _> = BTreeMap::new();
        for mut object in again.groups {
            let mut once = BTreeSet::new();
            object.members.retain(|entry| once.insert(entry.id));
            groups.insert(object.id, object);
        }
        let (users, groups): (Vec<_>, Vec<_>) = (users.into_values().collect(), groups.into_values().collect());
        play_round(&snapshot, User, false, &users, again.cut);
        play_round(&snapshot, Group, false, &groups, again.cut);
        clear_all_dirty(&snapshot);
        let before = contents(&store);
        play_round(&snapshot, User, false, &users, again.cut);
        play_round(&snapshot, Group, false, &groups, again.cut);
        prop_assert!(contents(&store) == before);
    }
}

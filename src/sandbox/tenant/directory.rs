//! The directory itself: objects, their properties and references, each with the sequence number of its last change.
//!
//! Every change takes the next number. An object stands in its type's change log under its last number only, so a delta
//! round costs what changed, not what exists. Membership and management have numbers of their own, on the edge. A
//! reference is *effective* while the object at its other end is live: deleting a user shows as a removed member, and
//! restoring one brings its memberships back.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::collections::HashSet;

use serde_json::Map;
use serde_json::Value;

/// How many former managers an object remembers; more changes than that between two rounds do not occur in samples.
const FORMER_MANAGERS: usize = 8;

/// The kind of a directory object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Kind {
    User,
    Group,
    Device,
}

impl Kind {
    pub fn odata_type(self) -> &'static str {
        match self {
            Kind::User => "#microsoft.graph.user",
            Kind::Group => "#microsoft.graph.group",
            Kind::Device => "#microsoft.graph.device",
        }
    }
}

/// Live, in `directory/deletedItems`, or gone for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Life {
    Live,
    Soft,
    Hard,
}

#[derive(Clone, Copy)]
pub(super) struct Edge {
    pub present: bool,
    pub seq: u64,
}

pub(super) struct Object {
    pub id: String,
    pub kind: Kind,
    /// A property that was never set is absent; one that was cleared is null.
    pub props: Map<String, Value>,
    /// Properties changed after `born`.
    changed: HashMap<String, u64>,
    /// The number of its creation or restoration: everything counts as changed then.
    pub born: u64,
    pub life: Life,
    pub life_seq: u64,
    /// Its life before the last change, as a replica that is behind still shows it.
    pub life_before: Life,
    pub touched: u64,
    pub manager: Option<usize>,
    pub manager_seq: u64,
    pub former_managers: Vec<(usize, u64)>,
    pub members: BTreeMap<usize, Edge>,
}

impl Object {
    /// Returns when this property last changed.
    pub fn property_seq(&self, name: &str) -> u64 {
        self.changed.get(name).copied().unwrap_or(self.born)
    }
}

#[derive(Default)]
pub(super) struct Directory {
    pub objects: Vec<Object>,
    by_id: HashMap<String, usize>,
    by_upn: HashMap<String, usize>,
    pub seq: u64,
    /// True while single reads are answered by a replica that is behind.
    pub behind: bool,
    user_log: BTreeMap<u64, usize>,
    group_log: BTreeMap<u64, usize>,
    member_of: HashMap<usize, HashSet<usize>>,
    reports: HashMap<usize, HashSet<usize>>,
}

impl Directory {
    pub fn find(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// Finds a user by object id, or by userPrincipalName as `GET /users/{upn}` allows.
    pub fn find_user(&self, key: &str) -> Option<usize> {
        self.find(key)
            .or_else(|| self.by_upn.get(&key.to_lowercase()).copied())
    }

    /// Returns the life that a single read shows.
    pub fn told_life(&self, at: usize) -> Life {
        if self.behind {
            self.objects[at].life_before
        } else {
            self.objects[at].life
        }
    }

    pub fn is_live(&self, at: usize) -> bool {
        self.objects[at].life == Life::Live
    }

    /// Returns the objects of a type, live or not, changed in `since + 1 ..= until`, in the order of their last change.
    pub fn changed_between(&self, kind: Kind, since: u64, until: u64) -> Vec<usize> {
        if until <= since {
            return Vec::new();
        }
        self.log(kind)
            .range(since + 1..=until)
            .map(|(_, at)| *at)
            .collect()
    }

    pub fn all(&self, kind: Kind) -> impl Iterator<Item = usize> + '_ {
        self.objects
            .iter()
            .enumerate()
            .filter(move |(_, o)| o.kind == kind)
            .map(|(at, _)| at)
    }

    /// Returns the live objects of a type, in the order of their creation.
    pub fn live(&self, kind: Kind) -> impl Iterator<Item = usize> + '_ {
        self.all(kind).filter(|at| self.is_live(*at))
    }

    /// Returns the manager as Graph shows it: none while the manager is deleted.
    pub fn effective_manager(&self, at: usize) -> Option<usize> {
        self.objects[at].manager.filter(|manager| self.is_live(*manager))
    }

    /// Returns the members as Graph shows them.
    pub fn effective_members(&self, at: usize) -> impl Iterator<Item = usize> + '_ {
        let edges = self.objects[at].members.iter();
        edges
            .filter(|(member, edge)| edge.present && self.is_live(**member))
            .map(|(member, _)| *member)
    }

    pub fn add(&mut self, kind: Kind, id: String, props: Map<String, Value>) -> usize {
        self.seq += 1;
        let at = self.objects.len();
        self.by_id.insert(id.clone(), at);
        self.objects.push(Object {
            id,
            kind,
            props: Map::new(),
            changed: HashMap::new(),
            born: self.seq,
            life: Life::Live,
            life_seq: self.seq,
            life_before: Life::Live,
            touched: 0,
            manager: None,
            manager_seq: 0,
            former_managers: Vec::new(),
            members: BTreeMap::new(),
        });
        self.touch(at);
        for (name, value) in props {
            self.index_upn(at, &name, &value);
            self.objects[at].props.insert(name, value);
        }
        at
    }

    /// Merges `props` into the object; null clears. An equal value is not a change.
    pub fn set(&mut self, at: usize, props: Map<String, Value>) {
        for (name, value) in props {
            let held = self.objects[at].props.get(&name);
            if held == Some(&value) || (held.is_none() && value.is_null()) {
                continue;
            }
            self.seq += 1;
            let seq = self.seq;
            self.index_upn(at, &name, &value);
            self.objects[at].changed.insert(name.clone(), seq);
            self.objects[at].props.insert(name, value);
            self.touch(at);
        }
    }

    pub fn set_manager(&mut self, at: usize, manager: Option<usize>) {
        let former = self.objects[at].manager;
        if former == manager {
            return;
        }
        self.seq += 1;
        if let Some(former) = former {
            self.remember_former(at, former);
            self.reports.entry(former).or_default().remove(&at);
        }
        if let Some(manager) = manager {
            self.reports.entry(manager).or_default().insert(at);
        }
        self.objects[at].manager = manager;
        self.objects[at].manager_seq = self.seq;
        self.touch(at);
    }

    /// Adds or removes a membership; one that is so already is not a change.
    pub fn set_member(&mut self, group: usize, member: usize, present: bool) {
        let held = self.objects[group]
            .members
            .get(&member)
            .is_some_and(|edge| edge.present);
        if held == present {
            return;
        }
        self.seq += 1;
        let seq = self.seq;
        self.objects[group].members.insert(member, Edge { present, seq });
        let groups = self.member_of.entry(member).or_default();
        if present {
            groups.insert(group);
        } else {
            groups.remove(&group);
        }
        self.touch(group);
    }

    /// Deletes or restores an object; the references to it change with it.
    pub fn set_life(&mut self, at: usize, life: Life) {
        if self.objects[at].life == life || self.objects[at].life == Life::Hard {
            return;
        }
        let effective = (self.objects[at].life == Life::Live) != (life == Life::Live);
        self.seq += 1;
        let seq = self.seq;
        let object = &mut self.objects[at];
        object.life_before = object.life;
        object.life = life;
        object.life_seq = seq;
        if life == Life::Live {
            // A restored object comes back with what it has, without any annotation: what it lost is mentioned only in
            // a round that began before the loss.
            let lost = object.props.iter().filter(|(_, value)| value.is_null());
            let lost = lost.map(|(name, _)| (name.clone(), object.property_seq(name)));
            object.changed = lost.collect();
            object.born = seq;
            object.manager_seq = seq;
            for edge in object.members.values_mut() {
                edge.seq = seq;
            }
        }
        self.touch(at);
        if effective {
            self.touch_referrers(at);
        }
    }

    fn touch_referrers(&mut self, at: usize) {
        let mut groups: Vec<usize> = self.member_of.get(&at).into_iter().flatten().copied().collect();
        groups.sort_unstable();
        for group in groups {
            self.seq += 1;
            let seq = self.seq;
            if let Some(edge) = self.objects[group].members.get_mut(&at) {
                edge.seq = seq;
            }
            self.touch(group);
        }
        let mut reports: Vec<usize> = self.reports.get(&at).into_iter().flatten().copied().collect();
        reports.sort_unstable();
        for report in reports {
            self.seq += 1;
            if self.objects[at].life != Life::Live {
                self.remember_former(report, at);
            }
            self.objects[report].manager_seq = self.seq;
            self.touch(report);
        }
    }

    fn remember_former(&mut self, at: usize, former: usize) {
        let seq = self.seq;
        let list = &mut self.objects[at].former_managers;
        list.retain(|(held, _)| *held != former);
        list.push((former, seq));
        if list.len() > FORMER_MANAGERS {
            list.remove(0);
        }
    }

    fn index_upn(&mut self, at: usize, name: &str, value: &Value) {
        if name != "userPrincipalName" {
            return;
        }
        if let Some(Value::String(old)) = self.objects[at].props.get(name) {
            let old = old.to_lowercase();
            if self.by_upn.get(&old) == Some(&at) {
                self.by_upn.remove(&old);
            }
        }
        if let Value::String(new) = value {
            self.by_upn.insert(new.to_lowercase(), at);
        }
    }

    fn log(&self, kind: Kind) -> &BTreeMap<u64, usize> {
        match kind {
            Kind::Group => &self.group_log,
            _ => &self.user_log,
        }
    }

    /// Moves the object to the end of its change log. Every change comes through here once, with a number of its own.
    fn touch(&mut self, at: usize) {
        let (seq, kind) = (self.seq, self.objects[at].kind);
        if kind == Kind::Device {
            return;
        }
        let before = std::mem::replace(&mut self.objects[at].touched, seq);
        let log = if kind == Kind::Group {
            &mut self.group_log
        } else {
            &mut self.user_log
        };
        log.remove(&before);
        log.insert(seq, at);
    }
}

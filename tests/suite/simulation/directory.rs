//! The directory that is the source of truth: users and groups with every version that they ever had, because a
//! delta query may show any of the later ones.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use melonsync::model::id::ObjectKind;
use melonsync::model::id::SourceId;
use melonsync::model::value::Value;

use super::events::EMPLOYEE;

/// Alive, in the recycle bin, or gone for good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    Live,
    Soft,
    Hard,
}

/// A user or a group as it was at some moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    pub kind: ObjectKind,
    pub life: Life,
    /// Graph property to value; what is not in it is null.
    pub values: BTreeMap<&'static str, Value>,
    pub manager: Option<SourceId>,
    pub members: BTreeSet<SourceId>,
    /// Members that are no users.
    pub devices: BTreeSet<SourceId>,
}

impl Entity {
    pub fn new(kind: ObjectKind) -> Self {
        Self {
            kind,
            life: Life::Live,
            values: BTreeMap::new(),
            manager: None,
            members: BTreeSet::new(),
            devices: BTreeSet::new(),
        }
    }

    pub fn text(&self, property: &str) -> &str {
        self.values
            .get(property)
            .and_then(Value::as_str)
            .unwrap_or_default()
    }

    pub fn set(&mut self, property: &'static str, value: Option<Value>) {
        match value {
            Some(value) => self.values.insert(property, value),
            None => self.values.remove(property),
        };
    }

    pub fn enabled(&self) -> bool {
        self.values.get("accountEnabled") != Some(&Value::Bool(false))
    }

    /// By the filter of the job.
    pub fn in_scope(&self) -> bool {
        self.text("department") != "Elsewhere"
    }
}

/// A part of an object that a change touched.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    Life,
    Property(&'static str),
    Manager(SourceId),
    Member(SourceId),
}

#[derive(Debug, Clone)]
pub struct Version {
    pub seq: u64,
    pub entity: Entity,
    pub touched: BTreeSet<Part>,
}

/// Everybody, with all their versions.
#[derive(Debug, Default)]
pub struct Directory {
    pub seq: u64,
    pub objects: BTreeMap<SourceId, Vec<Version>>,
}

impl Directory {
    pub fn now(&self, id: &SourceId) -> Option<&Entity> {
        self.objects.get(id)?.last().map(|version| &version.entity)
    }

    pub fn is_live(&self, id: &SourceId) -> bool {
        self.now(id).is_some_and(|entity| entity.life == Life::Live)
    }

    /// As it was when change number `seq` had happened.
    pub fn at(&self, id: &SourceId, seq: u64) -> Option<&Entity> {
        let versions = self.objects.get(id)?;
        let version = versions.iter().rev().find(|version| version.seq <= seq);
        version.map(|version| &version.entity)
    }

    pub fn ids(&self, kind: ObjectKind, life: Life) -> Vec<SourceId> {
        let of = |(id, versions): (&SourceId, &Vec<Version>)| {
            let entity = &versions.last()?.entity;
            (entity.kind == kind && entity.life == life).then_some(*id)
        };
        self.objects.iter().filter_map(of).collect()
    }

    /// What was touched after `from`, up to `to`.
    pub fn touched(&self, id: &SourceId, from: u64, to: u64) -> BTreeSet<Part> {
        let versions = self.objects.get(id).into_iter().flatten();
        versions
            .filter(|version| version.seq > from && version.seq <= to)
            .flat_map(|version| version.touched.iter().cloned())
            .collect()
    }

    pub fn add(&mut self, id: SourceId, entity: Entity) {
        self.seq += 1;
        let touched = all_parts(&entity);
        self.objects.entry(id).or_default().push(Version {
            seq: self.seq,
            entity,
            touched,
        });
    }

    /// A change; nothing happens where it changes nothing.
    pub fn change(&mut self, id: &SourceId, how: impl FnOnce(&mut Entity)) {
        let Some(before) = self.now(id).cloned() else {
            return;
        };
        let mut after = before.clone();
        how(&mut after);
        let mut touched = difference(&before, &after);
        if touched.is_empty() {
            return;
        }
        if before.life != Life::Live && after.life == Life::Live {
            touched.extend(all_parts(&after));
            touched.extend(self.ever(id).filter(|part| !matches!(part, Part::Property(_))));
        }
        self.push(id, after, touched);
    }

    /// Every part that was ever touched.
    fn ever(&self, id: &SourceId) -> impl Iterator<Item = Part> {
        self.touched(id, 0, self.seq).into_iter()
    }

    /// The same again: the next delta brings all of it, with what it lost.
    pub fn repeat(&mut self, id: &SourceId) {
        if let Some(entity) = self.now(id).cloned() {
            let touched = self.ever(id).collect();
            self.push(id, entity, touched);
        }
    }

    fn push(&mut self, id: &SourceId, entity: Entity, touched: BTreeSet<Part>) {
        self.seq += 1;
        let seq = self.seq;
        self.objects
            .entry(*id)
            .or_default()
            .push(Version { seq, entity, touched });
    }

    /// Into the recycle bin, or out of it. Memberships go with a user, and come back with it.
    pub fn set_life(&mut self, id: &SourceId, life: Life) {
        let Some(before) = self.now(id).cloned() else {
            return;
        };
        let gone: BTreeSet<SourceId> = before
            .members
            .iter()
            .copied()
            .filter(|m| !self.is_live(m))
            .collect();
        self.change(id, |entity| {
            entity.life = life;
            if life == Life::Live {
                entity.members.retain(|member| !gone.contains(member));
            }
        });
        if before.kind == ObjectKind::Group || before.life == Life::Hard {
            return;
        }
        let groups: Vec<SourceId> = match life {
            Life::Live => self.groups_before(id),
            Life::Soft | Life::Hard => self.groups_of(id),
        };
        for group in groups {
            self.change(&group, |entity| {
                match life {
                    Life::Live => entity.members.insert(*id),
                    Life::Soft | Life::Hard => entity.members.remove(id),
                };
            });
        }
    }

    fn groups_of(&self, member: &SourceId) -> Vec<SourceId> {
        let groups = self.ids(ObjectKind::Group, Life::Live);
        let holds = |group: &SourceId| self.now(group).is_some_and(|e| e.members.contains(member));
        groups.into_iter().filter(holds).collect()
    }

    /// The groups that held a user when it went into the recycle bin.
    fn groups_before(&self, member: &SourceId) -> Vec<SourceId> {
        let versions = &self.objects[member];
        let binned = versions
            .iter()
            .rev()
            .skip_while(|version| version.entity.life == Life::Live)
            .take_while(|version| version.entity.life == Life::Soft)
            .last();
        let Some(seq) = binned.map(|version| version.seq) else {
            return Vec::new();
        };
        let groups = self.ids(ObjectKind::Group, Life::Live);
        let held = |group: &SourceId| self.at(group, seq).is_some_and(|e| e.members.contains(member));
        groups.into_iter().filter(held).collect()
    }

    /// Every name that somebody has or had.
    pub fn names_of(&self, id: &SourceId) -> impl Iterator<Item = &str> {
        let versions = self.objects.get(id).into_iter().flatten();
        let names = versions.map(|version| version.entity.text("userPrincipalName"));
        names.filter(|name| !name.is_empty())
    }

    /// Everybody who may be the same person, by the number that people are known again by: this one among them.
    pub fn one_with(&self, id: &SourceId) -> BTreeSet<SourceId> {
        let numbers = |id: &SourceId| -> BTreeSet<&str> {
            let versions = self.objects.get(id).into_iter().flatten();
            let all = versions.map(|version| version.entity.text(EMPLOYEE));
            all.filter(|number| !number.is_empty()).collect()
        };
        let mine = numbers(id);
        let same = |other: &&SourceId| *other == id || !numbers(other).is_disjoint(&mine);
        self.objects.keys().filter(same).copied().collect()
    }

    /// Somebody who has or had this name.
    pub fn who_was_named(&self, name: &str) -> Option<SourceId> {
        let had = |versions: &Vec<Version>| {
            versions.iter().any(|version| {
                version
                    .entity
                    .text("userPrincipalName")
                    .eq_ignore_ascii_case(name)
            })
        };
        self.objects
            .iter()
            .find(|(_, versions)| !name.is_empty() && had(versions))
            .map(|(id, _)| *id)
    }

    /// The living user who has this name.
    pub fn named(&self, name: &str) -> Option<SourceId> {
        let mut ids = self.ids(ObjectKind::User, Life::Live).into_iter();
        ids.find(|id| {
            self.now(id)
                .is_some_and(|e| e.text("userPrincipalName").eq_ignore_ascii_case(name))
        })
    }
}

fn all_parts(entity: &Entity) -> BTreeSet<Part> {
    let mut parts: BTreeSet<Part> = entity.values.keys().map(|name| Part::Property(name)).collect();
    parts.insert(Part::Life);
    parts.extend(entity.manager.map(Part::Manager));
    parts.extend(
        entity
            .members
            .iter()
            .chain(&entity.devices)
            .copied()
            .map(Part::Member),
    );
    parts
}

fn difference(before: &Entity, after: &Entity) -> BTreeSet<Part> {
    let mut parts = BTreeSet::new();
    if before.life != after.life {
        parts.insert(Part::Life);
    }
    for name in before.values.keys().chain(after.values.keys()) {
        if before.values.get(name) != after.values.get(name) {
            parts.insert(Part::Property(name));
        }
    }
    if before.manager != after.manager {
        parts.extend(before.manager.into_iter().chain(after.manager).map(Part::Manager));
    }
    for (old, new) in [
        (&before.members, &after.members),
        (&before.devices, &after.devices),
    ] {
        parts.extend(old.symmetric_difference(new).copied().map(Part::Member));
    }
    parts
}

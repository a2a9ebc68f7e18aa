//! What happens at the source and at the target between two cycles.

use melonsync::model::id::ObjectKind;
use melonsync::model::id::SourceId;
use melonsync::model::value::Value;
use melonsync::reconcile::policy::Adopt;
use melonsync::reconcile::policy::AdoptGroup;
use melonsync::reconcile::policy::OnRemoval;

use super::dice::Dice;
use super::directory::Directory;
use super::directory::Entity;
use super::directory::Life;
use super::service::REFUSED_TITLE;
use super::service::Resource;
use super::service::Service;
use super::site::Inner;

/// How many people and groups a world begins with.
pub fn populate(inner: &mut Inner) {
    for _ in 0..inner.dice.between(3, 10) {
        inner.newcomer();
    }
    for _ in 0..inner.dice.between(1, 3) {
        inner.new_group();
    }
    inner.strangers_but_for_a_sign();
    if inner.dice.chance(40) {
        for _ in 0..inner.dice.between(1, 4) {
            inner.other_hand();
        }
    }
}

/// The property by which people who come back are known again.
pub const EMPLOYEE: &str = "employeeId";

impl Inner {
    /// The service had groups before, whose names ours have, or will have; some with people in them whom nobody is linked to.
    pub fn groups_of_another_hand(&mut self) {
        let users: Vec<String> = self
            .service
            .of(ObjectKind::User)
            .map(|(id, _)| id.clone())
            .collect();
        let named: Vec<String> = self
            .directory
            .ids(ObjectKind::Group, Life::Live)
            .iter()
            .filter_map(|id| self.directory.now(id))
            .map(|group| group.text("displayName").to_owned())
            .collect();
        let dice = &mut self.apart;
        if !dice.chance(35) {
            return;
        }
        for _ in 0..dice.between(1, 3) {
            let mut group = Resource::new(ObjectKind::Group);
            group.foreign = true;
            group.display = match dice.pick(&named).filter(|_| dice.clone().chance(60)) {
                Some(name) => name.clone(),
                None => format!("Group {}", dice.between(3, 20)),
            };
            let taken = |(_, other): (&String, &Resource)| other.display == group.display;
            if self.service.of(ObjectKind::Group).any(taken) {
                continue;
            }
            group.members = users.iter().filter(|_| dice.chance(50)).cloned().collect();
            group.members_before.clone_from(&group.members);
            self.service.made += 1;
            let id = format!("group{}", self.service.made);
            let put_in = group.members.iter().map(|user| (id.clone(), user.clone()));
            self.service.put_in.extend(put_in);
            self.trace.note(|| format!("another hand made {id}: {group:?}"));
            self.service.held.insert(id, group);
        }
    }

    /// People come back under a new account with the number that they had; or somebody gets a colleague's number by mistake.
    fn number(&mut self, id: &SourceId) {
        if self.judge.policy.rehire_by.is_none() {
            return;
        }
        let numbers: Vec<Value> = self
            .directory
            .objects
            .values()
            .filter_map(|versions| versions.last()?.entity.values.get(EMPLOYEE).cloned())
            .collect();
        let own = Value::from(format!("E-{}", self.directory.seq).as_str());
        let known = self.apart.pick(&numbers).cloned();
        let number = known.filter(|_| self.apart.chance(35)).unwrap_or(own);
        self.directory.change(id, |user| user.set(EMPLOYEE, Some(number)));
    }

    /// A few changes at the source, and now and then another hand at the target.
    pub fn life_goes_on(&mut self, most: u64) {
        for _ in 0..self.dice.between(0, most) {
            match self.dice.below(100) {
                0..10 => self.newcomer(),
                10..14 => self.new_group(),
                14..80 => self.change_user(),
                80..95 => self.change_group(),
                _ => self.other_hand(),
            }
        }
        if self.service.odd.unique_groups && self.odd.chance(40) {
            self.swap_group_names();
        }
        self.note_moment();
    }

    /// Notes what has happened by now.
    pub fn note_moment(&mut self) {
        self.moments.push((self.clock.now(), self.directory.seq));
    }

    /// What stands in somebody's way is put right by people: names that strangers hold, and names of people who left.
    pub fn clear_the_way(&mut self) {
        self.rename_groups_that_are_never_adopted();
        self.free_names_of_linked_groups();
        self.take_away_what_was_let_go();
        for id in self.directory.ids(ObjectKind::User, Life::Live) {
            self.directory.change(&id, |user| {
                if user.text("jobTitle") == REFUSED_TITLE {
                    user.set("jobTitle", None);
                }
            });
            let name = self
                .directory
                .now(&id)
                .map(|user| user.text("userPrincipalName").to_owned());
            let name = name.unwrap_or_default();
            let mut leavers = Vec::new();
            let linked = !self.service.owned_by(&id).is_empty();
            for (held, resource) in &mut self.service.held {
                let owner = resource.owner();
                if !resource.user_name.eq_ignore_ascii_case(&name) || owner == Some(id) {
                    continue;
                }
                match owner {
                    Some(owner) => leavers.push(owner),
                    None if linked
                        || !resource.external_id.is_empty()
                        || self.judge.policy.adopt == Adopt::Never =>
                    {
                        resource.name_before =
                            std::mem::replace(&mut resource.user_name, format!("was-{held}"));
                    }
                    None => {}
                }
            }
            for owner in leavers {
                let here = self
                    .directory
                    .now(&owner)
                    .is_some_and(|o| o.life == Life::Live && o.in_scope());
                let frees = self.judge.policy.on_hard_delete == OnRemoval::Delete;
                if here {
                    continue;
                }
                if frees && !self.directory.is_live(&owner) {
                    self.directory.set_life(&owner, Life::Hard);
                } else {
                    let other = format!("User{}y@corp.example", self.directory.seq);
                    self.directory.change(&id, |user| {
                        user.set("userPrincipalName", Some(other.as_str().into()))
                    });
                }
            }
        }
    }

    /// A group that was adopted stays, with our externalId, when the one at the source is gone: where another of that name has come, a
    /// person takes it away.
    fn take_away_what_was_let_go(&mut self) {
        let groups = self.directory.ids(ObjectKind::Group, Life::Live).into_iter();
        let without = groups.filter(|id| self.service.owned_by(id).is_empty());
        let wanted: Vec<String> = without
            .filter_map(|id| Some(self.directory.now(&id)?.text("displayName").to_owned()))
            .collect();
        for (id, group) in &mut self.service.held {
            let left = group.foreign && group.owner().is_some_and(|owner| !self.directory.is_live(&owner));
            if group.kind == ObjectKind::Group && left && wanted.contains(&group.display) {
                group.display = format!("Was {id}");
            }
        }
    }

    /// A unique name that a group of ours is to have, and another hand's group has.
    fn free_names_of_linked_groups(&mut self) {
        if !self.service.odd.unique_groups {
            return;
        }
        let groups = self.directory.ids(ObjectKind::Group, Life::Live).into_iter();
        let linked = groups.filter(|id| !self.service.owned_by(id).is_empty());
        let wanted: Vec<String> = linked
            .filter_map(|id| Some(self.directory.now(&id)?.text("displayName").to_owned()))
            .collect();
        for (id, group) in &mut self.service.held {
            // What was adopted, and is gone at the source, keeps its name until a person takes it away.
            let left = group
                .owner()
                .is_some_and(|owner| group.foreign && !self.directory.is_live(&owner));
            let strange = group.kind == ObjectKind::Group && (group.external_id.is_empty() || left);
            if strange && wanted.contains(&group.display) {
                group.display = format!("Was {id}");
            }
        }
    }

    /// Resources of nobody whose names are those of our users but for a sign.
    pub fn strangers_but_for_a_sign(&mut self) {
        if !self.service.odd.meets {
            return;
        }
        for id in self.directory.ids(ObjectKind::User, Life::Live) {
            let name = self
                .directory
                .now(&id)
                .map(|user| user.text("userPrincipalName").to_owned());
            if self.odd.chance(40)
                && let Some(name) = name
            {
                let mut resource = Resource::new(ObjectKind::User);
                resource.foreign = true;
                resource.user_name = name.replace("User", "USER.");
                resource.display = format!("Local {id}");
                resource.active = self.odd.chance(70);
                add_stranger(&mut self.service, resource);
            }
        }
    }

    fn rename_groups_that_are_never_adopted(&mut self) {
        let policy = &self.judge.policy;
        if policy.adopt != Adopt::Never && policy.groups.adopt != AdoptGroup::Never {
            return;
        }
        for (id, group) in &mut self.service.held {
            if group.kind == ObjectKind::Group && group.foreign && group.external_id.is_empty() {
                group.display = format!("Was {id}");
            }
        }
    }

    fn source_id(&mut self) -> SourceId {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&self.dice.number().to_be_bytes());
        bytes[8..].copy_from_slice(&self.dice.number().to_be_bytes());
        SourceId::from_bytes(bytes)
    }

    fn newcomer(&mut self) {
        let id = self.source_id();
        let mut user = Entity::new(ObjectKind::User);
        let number = self.directory.objects.len();
        let name = self.free_name();
        user.set("userPrincipalName", Some(name.as_str().into()));
        user.set("displayName", Some(format!("Person {number}").as_str().into()));
        let enabled = self.dice.chance(88);
        user.set("accountEnabled", Some(enabled.into()));
        user.set("title", None);
        if self.dice.chance(60) {
            user.set("jobTitle", Some(format!("Job {number}").as_str().into()));
        }
        if self.dice.chance(8) {
            user.set("department", Some("Elsewhere".into()));
        }
        user.manager = self
            .dice
            .pick(&self.directory.ids(ObjectKind::User, Life::Live))
            .copied();
        user.manager = user.manager.filter(|_| number.is_multiple_of(3));
        self.directory.add(id, user);
        self.number(&id);
        for group in self.directory.ids(ObjectKind::Group, Life::Live) {
            if self.dice.chance(35) {
                self.directory.change(&group, |group| {
                    group.members.insert(id);
                });
            }
        }
    }

    /// A new name, or one that somebody had who is gone.
    fn free_name(&mut self) -> String {
        let number = self.directory.objects.len() + self.dice.below(3);
        let old = self.dice.chance(25).then(|| self.old_name()).flatten();
        let name = old.unwrap_or_else(|| format!("User{number}@corp.example"));
        if self.directory.named(&name).is_some() {
            return format!("User{}x{}@corp.example", number, self.directory.seq);
        }
        name
    }

    fn old_name(&mut self) -> Option<String> {
        let gone = [
            self.directory.ids(ObjectKind::User, Life::Soft),
            self.directory.ids(ObjectKind::User, Life::Hard),
        ]
        .concat();
        let id = self.dice.pick(&gone)?;
        self.directory
            .now(id)
            .map(|entity| entity.text("userPrincipalName").to_owned())
    }

    fn new_group(&mut self) {
        let id = self.source_id();
        let mut group = Entity::new(ObjectKind::Group);
        let name = format!("Group {}", self.directory.objects.len());
        group.set("displayName", Some(name.as_str().into()));
        for user in self.directory.ids(ObjectKind::User, Life::Live) {
            if self.dice.chance(40) {
                group.members.insert(user);
            }
        }
        if self.dice.chance(20) {
            group.devices.insert(self.source_id());
        }
        self.directory.add(id, group);
    }

    fn user(&mut self, life: Life) -> Option<SourceId> {
        self.dice
            .pick(&self.directory.ids(ObjectKind::User, life))
            .copied()
    }

    fn change_user(&mut self) {
        let life = if self.dice.chance(80) {
            Life::Live
        } else {
            Life::Soft
        };
        let Some(id) = self.user(life) else { return };
        if life == Life::Soft {
            self.binned(&id);
            return;
        }
        let mark = self.directory.seq;
        match self.dice.below(100) {
            0..18 => {
                self.directory.change(&id, |user| {
                    user.set("jobTitle", Some(format!("Job {mark}").as_str().into()))
                });
            }
            18..24 => self.directory.change(&id, |user| user.set("jobTitle", None)),
            24..27 => self
                .directory
                .change(&id, |user| user.set("jobTitle", Some(REFUSED_TITLE.into()))),
            27..35 => {
                let name = self.free_name();
                self.directory.change(&id, |user| {
                    user.set("userPrincipalName", Some(name.as_str().into()))
                });
            }
            35..40 => self.swap_names(&id),
            40..45 => {
                let name = format!("Person {mark} of {id}");
                self.directory
                    .change(&id, |user| user.set("displayName", Some(name.as_str().into())));
            }
            45..65 => self.directory.change(&id, |user| {
                let enabled = user.enabled();
                user.set("accountEnabled", Some((!enabled).into()));
            }),
            65..72 => self.directory.change(&id, |user| {
                let back = !user.in_scope();
                user.set("department", (!back).then(|| Value::from("Elsewhere")));
            }),
            72..82 => {
                let manager = self.user(Life::Live).filter(|manager| *manager != id);
                self.directory.change(&id, |user| user.manager = manager);
            }
            82..92 => self.directory.set_life(&id, Life::Soft),
            92..95 => self.directory.set_life(&id, Life::Hard),
            _ => {
                self.directory.set_life(&id, Life::Soft);
                self.directory.set_life(&id, Life::Live);
            }
        }
    }

    /// Somebody in the recycle bin comes back, where the name is free, or goes for good.
    fn binned(&mut self, id: &SourceId) {
        let name = self
            .directory
            .now(id)
            .map(|user| user.text("userPrincipalName").to_owned());
        let taken = name.is_none_or(|name| self.directory.named(&name).is_some());
        if taken || self.dice.chance(35) {
            self.directory.set_life(id, Life::Hard);
        } else {
            self.directory.set_life(id, Life::Live);
        }
    }

    fn swap_names(&mut self, one: &SourceId) {
        let Some(other) = self.user(Life::Live).filter(|other| other != one) else {
            return;
        };
        let name = |directory: &Directory, id: &SourceId| {
            let user = directory.now(id)?;
            user.values.get("userPrincipalName").cloned()
        };
        let (first, second) = (name(&self.directory, one), name(&self.directory, &other));
        self.directory.change(one, |user| {
            user.set("userPrincipalName", Some("interim@corp.example".into()))
        });
        self.directory
            .change(&other, |user| user.set("userPrincipalName", first));
        self.directory
            .change(one, |user| user.set("userPrincipalName", second));
    }

    fn swap_group_names(&mut self) {
        let mut groups = self.directory.ids(ObjectKind::Group, Life::Live);
        self.odd.shuffle(&mut groups);
        groups.truncate(self.odd.between(2, 3) as usize);
        let name = |id: &SourceId| self.directory.now(id)?.values.get("displayName").cloned();
        let mut names: Vec<Option<Value>> = groups.iter().map(name).collect();
        let by = names.len().min(1);
        names.rotate_left(by);
        for (group, name) in groups.iter().zip(names) {
            self.directory
                .change(group, |group| group.set("displayName", name));
        }
    }

    fn change_group(&mut self) {
        if self.dice.chance(12) {
            let Some(id) = self
                .dice
                .pick(&self.directory.ids(ObjectKind::Group, Life::Soft))
                .copied()
            else {
                return;
            };
            let life = if self.dice.chance(60) {
                Life::Live
            } else {
                Life::Hard
            };
            self.directory.set_life(&id, life);
            return;
        }
        let Some(id) = self
            .dice
            .pick(&self.directory.ids(ObjectKind::Group, Life::Live))
            .copied()
        else {
            return;
        };
        let mark = self.directory.seq;
        let user = self.user(Life::Live);
        match self.dice.below(100) {
            0..75 => self.directory.change(&id, |group| {
                if let Some(user) = user
                    && !group.members.remove(&user)
                {
                    group.members.insert(user);
                }
            }),
            75..88 => self.directory.change(&id, |group| {
                group.set("displayName", Some(format!("Group {mark}r").as_str().into()))
            }),
            88..94 => self.directory.set_life(&id, Life::Soft),
            94..96 => self.directory.set_life(&id, Life::Hard),
            _ => self.directory.change(&id, |group| group.members.clear()),
        }
    }

    /// Somebody else works at the target: with resources of their own, which may look like ours, and now and then deletes
    /// one of ours.
    fn other_hand(&mut self) {
        let dice = &mut self.dice;
        match dice.below(100) {
            0..70 => {
                let mut resource = stranger(dice, &self.directory);
                if self.service.odd.meets && self.odd.chance(60) && resource.external_id.is_empty() {
                    resource.user_name = resource.user_name.replace("USER", "USER.");
                }
                add_stranger(&mut self.service, resource);
            }
            70..85 => {
                let ids: Vec<String> = self.service.held.keys().cloned().collect();
                if let Some(id) = dice.pick(&ids) {
                    self.service.remove(id);
                    self.service.spoiled = true;
                    self.trace.note(|| format!("another hand deletes {id}"));
                }
            }
            _ => {
                let of = |kind| -> Vec<String> { self.service.of(kind).map(|(id, _)| id.clone()).collect() };
                let (users, groups) = (of(ObjectKind::User), of(ObjectKind::Group));
                let (Some(user), Some(group)) = (dice.pick(&users), dice.pick(&groups)) else {
                    return;
                };
                if self.service.held[user].foreign && self.service.held[user].external_id.is_empty() {
                    self.service.put_in.insert((group.clone(), user.clone()));
                    self.service
                        .held
                        .get_mut(group)
                        .unwrap()
                        .members
                        .insert(user.clone());
                }
            }
        }
    }
}

fn stranger(dice: &mut Dice, directory: &Directory) -> Resource {
    let mut resource = Resource::new(ObjectKind::User);
    resource.foreign = true;
    let users = directory.ids(ObjectKind::User, Life::Live);
    let like = dice
        .pick(&users)
        .filter(|_| dice.clone().chance(60))
        .and_then(|id| directory.now(id));
    let number = dice.number() % 100_000;
    resource.user_name = match like {
        Some(user) => user.text("userPrincipalName").to_uppercase(),
        None => format!("local{number}@idmelon.example"),
    };
    resource.display = format!("Local {number}");
    resource.active = dice.chance(80);
    if dice.chance(30) {
        resource.title = format!("Local job {number}");
        resource.title_before.clone_from(&resource.title);
    }
    if dice.chance(30) {
        resource.external_id = format!("payroll-{number}");
    }
    resource
}

fn add_stranger(service: &mut Service, resource: Resource) {
    let taken = |(_, other): (&String, &Resource)| other.user_name.eq_ignore_ascii_case(&resource.user_name);
    if service.of(ObjectKind::User).any(taken) {
        return;
    }
    service.made += 1;
    let id = format!("user{}", service.made);
    service.held.insert(id, resource);
}

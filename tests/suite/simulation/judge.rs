//! The judge at every request: what the source had said by then, and whether this write may follow from it.
//!
//! It knows nothing of the planner. It keeps what pages and answers said, word by word, and compares.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

use melonsync::engine::summary::NotKept;
use melonsync::model::clock::Timestamp;
use melonsync::model::id::ObjectKind;
use melonsync::model::id::SourceId;
use melonsync::model::object::DeltaObject;
use melonsync::model::object::Existence;
use melonsync::model::object::Removed;
use melonsync::model::value::Attributes;
use melonsync::ports::DeltaPage;
use melonsync::ports::NextPage;
use melonsync::reconcile::policy::AdoptGroup;
use melonsync::reconcile::policy::OnRemoval;
use melonsync::reconcile::policy::Policy;

use super::directory::Directory;
use super::events::EMPLOYEE;
use super::odd::Odd;
use super::service::Resource;
use super::service::Service;
use super::service::Write;

/// What the source last said of an object.
#[derive(Debug, Clone, Default)]
pub struct Said {
    pub enabled: Option<bool>,
    pub elsewhere: bool,
    pub gone: Option<Removed>,
    /// The last full round did not bring it, and nothing did since.
    missing: bool,
    /// The last answer to a question about it alone said that it is gone, or out of scope.
    asked: bool,
    /// An answer that the streams contradict, or that is absence alone, and since when it is given.
    first: Option<(Answer, Timestamp)>,
    /// A process died over what was said of it: either may be known.
    pub unsure: bool,
    /// Named by an admin, it was found among the deleted items: that is believed for what can be taken back, until a page or
    /// a look says otherwise.
    pub believed: bool,
}

/// What a look-up answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    Alive,
    Soft,
    Nowhere,
}

#[derive(Debug, Default)]
pub struct Judge {
    pub policy: Policy,
    pub found: Vec<String>,
    /// The cycle under way only plans.
    pub planning: bool,
    said: BTreeMap<SourceId, Said>,
    members: BTreeMap<SourceId, BTreeSet<SourceId>>,
    /// Members that the full round under way brought.
    brought: BTreeMap<SourceId, BTreeSet<SourceId>>,
    unsure_members: BTreeSet<(SourceId, SourceId)>,
    /// Whose managers a page told, and of whom an earlier one had told without: what comes later is a change to the reader,
    /// though the directory had it all along.
    managed: BTreeSet<SourceId>,
    told_without: BTreeSet<SourceId>,
    /// What the full round under way brought, and everything that any page brought, by kind.
    seen: BTreeMap<ObjectKind, BTreeSet<SourceId>>,
    known: BTreeMap<ObjectKind, BTreeSet<SourceId>>,
    /// What the pages of the rounds under way said, by stream.
    round: BTreeMap<ObjectKind, Vec<DeltaObject>>,
    /// Users whom the order under way names.
    pub named: BTreeSet<SourceId>,
    /// Streams whose next page is only asked for to see whether the source lets us in.
    pub probed: BTreeSet<ObjectKind>,
    last_asked: Vec<SourceId>,
    /// What the looks of a plan said, which no other cycle goes by.
    lent: BTreeMap<SourceId, Option<Removed>>,
    owners: BTreeMap<String, SourceId>,
    /// Resources whose last write took access away.
    removing: BTreeMap<String, bool>,
    /// Users who lost access in the cycle under way, and were answered.
    pub removed: BTreeSet<SourceId>,
    /// Objects with an answered write in the cycle under way.
    pub answered: BTreeSet<SourceId>,
    pub writes: u64,
    /// Of these, changes that were tried again of what this service does not keep.
    futile: u64,
    /// What was carried out on the way back.
    pub writes_back: u64,
    /// What the last summary named as not kept.
    pub not_kept: BTreeSet<(SourceId, String)>,
    /// What the service does that others do not.
    odd: Odd,
    /// Adoptions of groups, each with its resource, that a person let through.
    pub let_in: BTreeSet<(SourceId, String)>,
    /// Members whom we put into a group, by its resource.
    ours_in: BTreeSet<(String, String)>,
}

impl Judge {
    pub fn new(policy: Policy, odd: Odd) -> Self {
        Self {
            policy,
            odd,
            ..Self::default()
        }
    }

    fn object(&mut self, condition: bool, what: impl FnOnce() -> String) {
        if condition {
            self.found.push(what());
        }
    }

    /// What the source last said of an object, and in a plan what that plan's own look said.
    pub fn said_of(&self, id: &SourceId) -> Said {
        let mut said = self.said.get(id).cloned().unwrap_or_default();
        if let Some(gone) = self.lent.get(id) {
            said.gone = *gone;
        } else if said.believed {
            said.gone = said.gone.or(Some(Removed::SoftDeleted));
        }
        said
    }

    /// Whether the source has a member in a group, and whether either may be known.
    pub fn membership(&self, group: &SourceId, member: &SourceId) -> (bool, bool) {
        let is_in = self.members.get(group).is_some_and(|held| held.contains(member));
        (is_in, self.unsure_members.contains(&(*group, *member)))
    }

    /// True where the source told of its manager only after it had told of the object without one.
    pub fn manager_came_late(&self, id: &SourceId) -> bool {
        self.managed.contains(id) && self.told_without.contains(id)
    }

    // ------------------------------------------------------------------------------------ what is said

    pub fn read(&mut self, kind: ObjectKind, page: &DeltaPage, full: bool, first: bool) {
        if kind == ObjectKind::Group && first {
            self.brought.clear();
        }
        if first {
            self.seen.remove(&kind);
        }
        for object in &page.objects {
            self.read_object(object, full);
            self.seen.entry(kind).or_default().insert(object.id);
            self.known.entry(kind).or_default().insert(object.id);
        }
        let complete = matches!(page.next, NextPage::Complete { .. });
        if full && complete {
            let (seen, known) = (
                self.seen.entry(kind).or_default(),
                self.known.entry(kind).or_default(),
            );
            for id in known.difference(seen) {
                self.said.entry(*id).or_default().missing = true;
            }
        }
        if kind == ObjectKind::Group && full && complete {
            // Kept until the next round begins: the process may die over this page, and read it again.
            self.members.extend(self.brought.clone());
        }
        self.round.entry(kind).or_default().extend(page.objects.clone());
    }

    fn read_object(&mut self, object: &DeltaObject, full: bool) {
        let said = self.said.entry(object.id).or_default();
        // What comes back comes with all that it has.
        let back = said.gone.is_some();
        let before = (said.gone, said.elsewhere);
        (said.gone, said.missing, said.believed) = (object.removed, false, false);
        if before.0 != said.gone {
            said.first = None;
        }
        if object.removed.is_none() {
            said.learn(&object.attributes, full || back);
        }
        // The same once more needs no second question.
        said.asked &= before == (said.gone, said.elsewhere);
        if object.removed.is_some() {
            return;
        }
        if !object.manager.is_empty() {
            self.managed.insert(object.id);
        } else if !self.managed.contains(&object.id) {
            self.told_without.insert(object.id);
        }
        let members = self.members.entry(object.id).or_default();
        for member in &object.members {
            if member.removed {
                members.remove(&member.id);
            } else {
                members.insert(member.id);
            }
        }
        if full {
            let brought = self.brought.entry(object.id).or_default();
            brought.extend(object.members.iter().filter(|m| !m.removed).map(|m| m.id));
        }
    }

    /// One look proves what the streams said; what contradicts them, and absence alone, has to be seen twice, fifteen
    /// minutes apart. A plan's look proves nothing.
    pub fn asked(&mut self, id: &SourceId, existence: &Existence, now: Timestamp) {
        let planning = self.planning;
        let named = self.named.contains(id) && self.owners.values().any(|owner| owner == id);
        let said = self.said.entry(*id).or_default();
        let answer = match existence {
            Existence::Alive(_) => Answer::Alive,
            Existence::SoftDeleted => Answer::Soft,
            Existence::HardDeleted => Answer::Nowhere,
            // What an earlier answer proved stands: the streams have said nothing else since.
            Existence::Unknown(_) => return,
        };
        let agrees = match (said.gone, answer) {
            (None, Answer::Alive)
            | (Some(Removed::SoftDeleted), Answer::Soft)
            | (Some(Removed::HardDeleted), Answer::Nowhere) => true,
            (None, Answer::Soft) => said.missing,
            (None, Answer::Nowhere) | (Some(_), Answer::Alive | Answer::Soft | Answer::Nowhere) => false,
        };
        let twice = said.first.is_some_and(|(first, since)| {
            first == answer && now.since(since) >= Duration::from_secs(15 * 60)
        });
        // Not there is all that the deletion of somebody in the recycle bin needs.
        said.asked = agrees || twice || (said.gone.is_some() && answer == Answer::Nowhere);
        if named && said.gone.is_none() && answer == Answer::Soft && planning {
            self.lent.insert(*id, Some(Removed::SoftDeleted));
        } else if !planning {
            said.believed = (named || said.believed) && answer == Answer::Soft;
        }
        if !(agrees || twice) {
            if !planning
                && said
                    .first
                    .is_none_or(|(first, since)| first != answer || since > now)
            {
                said.first = Some((answer, now));
            }
            return;
        }
        if planning && said.gone.is_some() != (answer != Answer::Alive) {
            let gone = match answer {
                Answer::Alive => None,
                Answer::Soft => Some(Removed::SoftDeleted),
                Answer::Nowhere => Some(Removed::HardDeleted),
            };
            self.lent.insert(*id, gone);
            return;
        }
        if !planning {
            said.first = None;
        }
        match existence {
            Existence::Alive(attributes) => {
                let before = (said.enabled, said.elsewhere, said.unsure);
                said.gone = None;
                said.learn(attributes, true);
                // The replica may be behind in its values: either may be true.
                said.unsure = before.2
                    || (before.0.is_some() && (before.0, before.1) != (said.enabled, said.elsewhere));
                said.asked = said.elsewhere;
            }
            Existence::SoftDeleted => said.gone = Some(Removed::SoftDeleted),
            Existence::HardDeleted => said.gone = Some(Removed::HardDeleted),
            Existence::Unknown(_) => {}
        }
        self.last_asked.push(*id);
    }

    /// A round begins, from the beginning or from where the last one ended.
    pub fn round_begins(&mut self, kind: ObjectKind) {
        self.round.remove(&kind);
    }

    /// A page was not read: of what this round said before, nobody knows whether it was kept.
    pub fn broke_off(&mut self) {
        for object in std::mem::take(&mut self.round).into_values().flatten() {
            self.said.entry(object.id).or_default().unsure = true;
            let members = object.members.iter();
            self.unsure_members
                .extend(members.map(|member| (object.id, member.id)));
        }
    }

    /// The process died: of the last answers nobody knows whether they were kept.
    pub fn died(&mut self) {
        self.broke_off();
        for id in std::mem::take(&mut self.last_asked) {
            self.said.entry(id).or_default().unsure = true;
        }
        self.begin(false);
    }

    pub fn begin(&mut self, planning: bool) {
        self.planning = planning;
        self.removed.clear();
        self.answered.clear();
        self.removing.clear();
        self.last_asked.clear();
        self.lent.clear();
        self.named.clear();
        (self.writes, self.futile, self.writes_back) = (0, 0, 0);
    }

    /// What a summary names as not kept.
    pub fn note_not_kept(&mut self, named: &[NotKept]) {
        let one = |one: &NotKept| Some((one.object.parse().ok()?, one.attribute.clone()));
        self.not_kept = named.iter().filter_map(one).collect();
    }

    /// Writes but for those that try again what the service does not keep.
    pub const fn writes_that_count(&self) -> u64 {
        self.writes - self.futile
    }

    // --------------------------------------------------------------------------------- what is written

    pub fn written(
        &mut self,
        write: &Write,
        id: &str,
        before: &BTreeMap<String, Resource>,
        service: &Service,
        directory: &Directory,
        late: bool,
    ) {
        self.writes += u64::from(!late);
        if let Write::Patch(_, _, patch) = write
            && service.odd.loses_values()
            && patch
                .changes
                .iter()
                .all(|change| matches!(&*change.attribute, "title" | "displayName"))
            && patch.add_members.is_empty()
            && patch.remove_members.is_empty()
        {
            self.futile += u64::from(!late);
        }
        self.object(self.planning && !late, || {
            format!("a cycle that only plans sent {write:?}")
        });
        let (old, new) = (before.get(id), service.held.get(id));
        if let Some(owner) = new.and_then(Resource::owner) {
            self.owners.insert(id.to_owned(), owner);
        }
        // Linked by its name, and never written to: then it does not say whose it is.
        let named = old.and_then(|old| directory.who_was_named(&old.user_name));
        let Some(owner) = self.owners.get(id).copied().or(named) else {
            self.found
                .push(format!("{write:?} reached a resource that is nobody's"));
            return;
        };
        let known = directory.objects.contains_key(&owner);
        self.object(!known, || {
            format!("{write:?} reached a resource of somebody else")
        });
        let twins = service.owned_by(&owner).len();
        self.object(twins > 1, || {
            format!("{owner} has {twins} resources after {write:?}")
        });
        self.removing.insert(id.to_owned(), false);
        match write {
            Write::Create(..) => {}
            Write::Delete(kind, _) => {
                let adopted = *kind == ObjectKind::Group && old.is_some_and(|old| old.foreign);
                self.object(adopted, || {
                    format!("deleted {id}, a group that another hand made")
                });
                self.deleted(*kind, id, &owner);
            }
            Write::Patch(..) => {
                let (Some(old), Some(new)) = (old, new) else {
                    return;
                };
                self.changed(id, &owner, old, new, directory);
                self.members_moved(id, &owner, old, new, before, directory);
            }
        }
    }

    /// The client got its answer.
    pub fn answered(&mut self, write: &Write) {
        let id = match write {
            Write::Create(_, body) => {
                let owner: Option<SourceId> = body["externalId"].as_str().and_then(|text| text.parse().ok());
                let said = owner
                    .and_then(|owner| self.said.get(&owner))
                    .cloned()
                    .unwrap_or_default();
                let unwanted = said.gone.is_some() || said.enabled == Some(false) || said.elsewhere;
                self.object(unwanted && !said.unsure, || {
                    format!("created {owner:?}, of whom the source says {said:?}")
                });
                self.answered.extend(owner);
                return;
            }
            Write::Patch(_, id, _) | Write::Delete(_, id) => id,
        };
        if let Some(owner) = self.owners.get(id).copied() {
            self.answered.insert(owner);
            if self.removing.get(id) == Some(&true) {
                self.removed.insert(owner);
            }
        }
    }

    fn deleted(&mut self, kind: ObjectKind, id: &str, owner: &SourceId) {
        self.removing.insert(id.to_owned(), kind == ObjectKind::User);
        let said = self.said.entry(*owner).or_default().clone();
        let allowed = match (kind, said.gone) {
            (ObjectKind::Group, gone) => gone.is_some(),
            (ObjectKind::User, Some(Removed::SoftDeleted)) => self.policy.on_soft_delete == OnRemoval::Delete,
            (ObjectKind::User, Some(Removed::HardDeleted)) => self.policy.on_hard_delete == OnRemoval::Delete,
            (ObjectKind::User, None) => said.elsewhere && self.policy.on_out_of_scope == OnRemoval::Delete,
        };
        self.object(!allowed && !said.unsure, || {
            format!("deleted {kind} {owner} without proof that it is gone: {said:?}")
        });
        self.object(!said.asked && !said.unsure, || {
            format!("deleted {kind} {owner} without asking for it: {said:?}")
        });
    }

    fn changed(&mut self, id: &str, owner: &SourceId, old: &Resource, new: &Resource, directory: &Directory) {
        let said = self.said.entry(*owner).or_default().clone();
        if old.active && !new.active {
            self.removing.insert(id.to_owned(), true);
            let proof = said.gone.is_some() || said.believed || said.enabled == Some(false) || said.elsewhere;
            self.object(!proof && !said.unsure, || {
                format!("disabled {owner}, of whom the source says {said:?}")
            });
        }
        let taken = !old.external_id.is_empty() && old.external_id != new.external_id;
        let rehired = taken
            && old
                .owner()
                .is_some_and(|leaver| self.may_rehire(owner, &leaver, directory));
        self.object(taken && !rehired, || {
            format!("{owner} took a resource over that belongs to {}", old.external_id)
        });
        let ever_had = |id: &SourceId, property: &str, value: &str| {
            let mut versions = directory.objects[id].iter();
            versions.any(|version| version.entity.text(property).eq_ignore_ascii_case(value))
        };
        let ever = |property: &str, value: &str| ever_had(owner, property, value);
        // The leaver was linked to it by name, and is disabled: nothing was sent that would show it.
        let of_a_leaver = || {
            let mut ids = directory.objects.keys();
            ids.any(|id| {
                id != owner
                    && ever_had(id, "userPrincipalName", &old.user_name)
                    && self.may_rehire(owner, id, directory)
            })
        };
        let adopts = old.external_id.is_empty() && !new.external_id.is_empty();
        let matching = match old.kind {
            // A link may be older than the request that shows it: the adoption's own PATCH was refused, and meanwhile another
            // hand gave the resource another name.
            ObjectKind::User => {
                ever("userPrincipalName", &old.user_name)
                    || (!old.name_before.is_empty() && ever("userPrincipalName", &old.name_before))
                    || of_a_leaver()
            }
            ObjectKind::Group => ever("displayName", &old.display),
        };
        if adopts && old.kind == ObjectKind::Group {
            self.taken_over(id, owner);
        }
        self.object(adopts && !matching, || {
            format!("{owner} adopted {}, which never had its name", old.user_name)
        });
        let makes_way =
            self.odd.unique_groups && old.kind == ObjectKind::Group && new.display.starts_with("moving-");
        let is_title = self.odd.twins && ever("jobTitle", &new.display);
        self.object(
            old.display != new.display && !ever("displayName", &new.display) && !makes_way && !is_title,
            || format!("{owner} got the name {}, which was never its own", new.display),
        );
    }

    /// A group that has nothing but its name in common with the one at the source.
    fn taken_over(&mut self, id: &str, owner: &SourceId) {
        let allowed = match self.policy.groups.adopt {
            AdoptGroup::Review => self.let_in.contains(&(*owner, id.to_owned())),
            AdoptGroup::Unclaimed => true,
            AdoptGroup::Never => false,
        };
        self.object(!allowed, || {
            format!("{owner} took group {id} over, which nobody let through")
        });
    }

    /// True where this is somebody with the same number who is gone or disabled: never a colleague who works.
    fn may_rehire(&self, newcomer: &SourceId, leaver: &SourceId, directory: &Directory) -> bool {
        if self.policy.rehire_by.is_none() {
            return false;
        }
        let numbers = |id: &SourceId| -> BTreeSet<String> {
            let versions = directory.objects.get(id).into_iter().flatten();
            versions
                .map(|version| version.entity.text(EMPLOYEE).to_owned())
                .collect()
        };
        let same = numbers(newcomer)
            .intersection(&numbers(leaver))
            .any(|number| !number.is_empty());
        let said = self.said.get(leaver).cloned().unwrap_or_default();
        same && (said.gone.is_some() || said.enabled == Some(false) || said.unsure)
    }

    fn members_moved(
        &mut self,
        id: &str,
        group: &SourceId,
        old: &Resource,
        new: &Resource,
        before: &BTreeMap<String, Resource>,
        directory: &Directory,
    ) {
        let gone = self
            .said
            .get(group)
            .is_some_and(|said| said.gone.is_some() || said.unsure);
        let over = self
            .said
            .get(group)
            .is_some_and(|said| said.gone.is_some() && !said.unsure);
        let stays = |member: &&String| {
            let ours = self.ours_in.contains(&(id.to_owned(), (*member).clone()));
            over && !ours && old.members_before.contains(*member)
        };
        let lost = old.members.difference(&new.members).find(stays).cloned();
        self.found.extend(lost.map(|lost| {
            format!("{group} is gone, and its group {id} lost {lost}, who was in it before it was ours")
        }));
        let joined = new.members.difference(&old.members);
        self.ours_in
            .extend(joined.map(|member| (id.to_owned(), member.clone())));
        // Of a resource that is gone only the id was left.
        let there = |id: &&String| before.contains_key(*id);
        for id in old.members.difference(&new.members).filter(there) {
            let owner = before
                .get(id)
                .and_then(Resource::owner)
                .or(self.owners.get(id).copied());
            let named = before
                .get(id)
                .and_then(|held| directory.who_was_named(&held.user_name));
            let Some(member) = owner.or(named) else {
                self.found
                    .push(format!("{group} lost member {id}, who is nobody of ours"));
                continue;
            };
            let said = self.said.get(&member);
            let left =
                said.is_none_or(|said| said.gone.is_some() || said.believed || said.elsewhere || said.unsure);
            let stays = self.members.get(group).is_some_and(|held| held.contains(&member));
            let unsure = self.unsure_members.contains(&(*group, member));
            self.object(stays && !left && !gone && !unsure, || {
                format!("{group} lost member {member}, whom the source has in it")
            });
        }
        for id in new.members.difference(&old.members) {
            let owner = before
                .get(id)
                .and_then(Resource::owner)
                .or(self.owners.get(id).copied());
            let Some(member) = owner else { continue };
            let wanted = self.members.get(group).is_some_and(|held| held.contains(&member));
            let unsure = self.unsure_members.contains(&(*group, member));
            self.object(!wanted && !unsure, || {
                format!("{group} got member {member}, whom the source does not have in it")
            });
        }
    }
}

impl Said {
    fn learn(&mut self, attributes: &Attributes, whole: bool) {
        if let Some(enabled) = attributes.get("accountEnabled") {
            self.enabled = Some(enabled.as_bool() != Some(false));
        } else if whole {
            self.enabled = self.enabled.or(Some(true));
        }
        match attributes.get("department") {
            Some(department) => self.elsewhere = department.as_str() == Some("Elsewhere"),
            None if whole => self.elsewhere = false,
            None => {}
        }
        if whole || attributes.get("accountEnabled").is_some() {
            self.unsure = false;
        }
    }
}

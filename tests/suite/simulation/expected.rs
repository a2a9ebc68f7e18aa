//! What the target should hold once all is quiet, derived from the directory alone.

use std::collections::BTreeSet;

use melonsync::model::id::ObjectKind;
use melonsync::model::id::SourceId;
use melonsync::reconcile::policy::GroupRemoval;
use melonsync::reconcile::policy::OnRemoval;

use super::directory::Entity;
use super::directory::Life;
use super::service::Resource;
use super::site::Inner;

impl Inner {
    /// Every difference, unless another hand has deleted what was ours.
    pub fn before_the_full_cycle(&self) -> Vec<String> {
        if self.service.spoiled {
            Vec::new()
        } else {
            self.differences()
        }
    }

    /// Every difference, in words.
    pub fn differences(&self) -> Vec<String> {
        let mut found = Vec::new();
        for (id, versions) in &self.directory.objects {
            let entity = &versions[versions.len() - 1].entity;
            let held = self.service.owned_by(id);
            if held.len() > 1 {
                found.push(format!("{} {id} has {} resources", entity.kind, held.len()));
                continue;
            }
            let held = held.first().copied();
            let wrong = match entity.kind {
                ObjectKind::User => self.user_differs(id, entity, held.map(|(_, resource)| resource)),
                ObjectKind::Group => self.group_differs(entity, held),
            };
            found.extend(wrong.map(|wrong| format!("{} {id}: {wrong}", entity.kind)));
        }
        found
    }

    fn user_differs(&self, id: &SourceId, user: &Entity, held: Option<&Resource>) -> Option<String> {
        let policy = &self.judge.policy;
        let leaves = match user.life {
            Life::Soft => Some(policy.on_soft_delete),
            Life::Hard => Some(policy.on_hard_delete),
            Life::Live if !user.in_scope() => Some(policy.on_out_of_scope),
            Life::Live => None,
        };
        match (leaves, held) {
            (None, None) => user.enabled().then(|| "is not at the target".to_owned()),
            (None, Some(held)) => self.values_differ(id, user, held),
            (Some(OnRemoval::Delete), Some(_)) => Some("left, and is still at the target".to_owned()),
            (Some(OnRemoval::Disable), Some(held)) if held.active => {
                Some("left, and is still active".to_owned())
            }
            (Some(_), _) => None,
        }
    }

    fn values_differ(&self, id: &SourceId, user: &Entity, held: &Resource) -> Option<String> {
        let habits = &self.service.habits;
        if held.active != user.enabled() {
            return Some(format!("active is {}", held.active));
        }
        let name = user.text("userPrincipalName");
        if !held.user_name.eq_ignore_ascii_case(name) {
            return Some(format!("userName is {}, not {name}", held.user_name));
        }
        if held.display != user.text("displayName") {
            return Some(format!("displayName is {}", held.display));
        }
        let title = user.text("jobTitle");
        let stays = title.is_empty() && held.foreign && held.title == held.title_before;
        // Cleared by the service with `active`, and not sent to somebody who is disabled.
        let cleared = held.title.is_empty() && !held.active && habits.clears_titles;
        let odd = &self.service.odd;
        let named = self.judge.not_kept.contains(&(*id, "title".to_owned()));
        if named && (held.title == title || !odd.loses_values()) {
            return Some(format!("title is named as not kept, and is `{title}`"));
        }
        // Of attributes that are one the summary names the other where it differs; an empty one has nothing to differ from.
        let excused = odd.loses_values() && (named || (odd.twins && title.is_empty()));
        if held.title != title && !habits.drops_titles && !stays && !cleared && !excused {
            return Some(format!("title is `{}`, not `{title}`", held.title));
        }
        let manager = user
            .manager
            .and_then(|manager| self.resource_of(&manager))
            .unwrap_or_default();
        (held.manager != manager).then(|| format!("manager is `{}`, not `{manager}`", held.manager))
    }

    /// The resource that others may refer to.
    fn resource_of(&self, id: &SourceId) -> Option<String> {
        let user = self.directory.now(id)?;
        if user.life != Life::Live || !user.in_scope() {
            return None;
        }
        self.service.owned_by(id).first().map(|(id, _)| (*id).clone())
    }

    /// What was adopted stays, without the members that we put in.
    fn holds_ours(&self, id: &str, held: &Resource) -> Option<String> {
        let policy = &self.judge.policy;
        if policy.groups.on_delete != GroupRemoval::Delete {
            return None;
        }
        let put_in = |member: &&String| self.service.put_in.contains(&(id.to_owned(), (*member).clone()));
        let ours = |member: &&String| self.service.held.contains_key(*member) && !put_in(member);
        let left = held.members.iter().find(ours);
        left.map(|left| format!("is gone, and its adopted group still holds {left}"))
    }

    fn group_differs(&self, group: &Entity, held: Option<(&String, &Resource)>) -> Option<String> {
        let (own, held) = match (group.life, held) {
            (Life::Live, None) => return Some("is not at the target".to_owned()),
            (Life::Live, Some(held)) => held,
            (_, None) => return None,
            (_, Some((id, held))) if held.foreign => return self.holds_ours(id, held),
            (_, Some(_)) => return Some("is gone, and still at the target".to_owned()),
        };
        if held.display != group.text("displayName") {
            return Some(format!("displayName is {}", held.display));
        }
        let wanted: BTreeSet<String> = group
            .members
            .iter()
            .filter_map(|id| self.resource_of(id))
            .collect();
        if let Some(missing) = wanted.difference(&held.members).next() {
            return Some(format!("lacks member {missing}"));
        }
        let ours = |id: &&String| {
            let owner = self.service.held.get(*id).and_then(Resource::owner);
            owner.is_some_and(|owner| self.directory.objects.contains_key(&owner))
        };
        let ours = |id: &&String| ours(id) && !self.service.put_in.contains(&(own.clone(), (*id).clone()));
        let extra = held.members.difference(&wanted).find(ours);
        extra.map(|extra| format!("holds member {extra}, who is none"))
    }
}

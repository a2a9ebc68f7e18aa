//! Groups as they are read: with what their members prove by what is known of the target, and other ways to ask who is
//! a member.

use super::client::ScimTarget;
use super::client::asked_one;
use super::fault;
use super::fault::Asked;
use super::learning::showing::Door;
use super::learning::showing::QUESTIONS;
use super::request::Reply;
use super::resource::field;
use super::resource::resource;
use super::urls::collection;
use crate::model::id::ObjectKind;
use crate::model::id::TargetId;
use crate::ports::MembersBefore;
use crate::ports::Patch;
use crate::ports::Resource;
use crate::ports::TargetError;
use crate::reconcile::members_of;
use crate::reconcile::operation::MEMBERS;
use crate::reconcile::shown_members::count_shown;
use crate::reconcile::shown_members::key_in;
use crate::reconcile::shown_members::mark;

/// An id that no resource has: the counter-check of a filter.
const NOBODY: &str = "melonsync-nobody";

impl ScimTarget {
    /// Reads a resource as the target wrote it.
    pub(super) async fn fetch(
        &self,
        kind: ObjectKind,
        id: &TargetId,
    ) -> Result<Option<Resource>, TargetError> {
        let found = self.fetch_by(kind, id, &[]).await?;
        let by_name = kind == ObjectKind::Group && self.experience.ask(|learned| learned.showing.by_name);
        match found {
            Some(found) if by_name => Ok(Some(self.with_members_by_name(found).await?)),
            found => Ok(found),
        }
    }

    async fn fetch_by(
        &self,
        kind: ObjectKind,
        id: &TargetId,
        query: &[(&str, &str)],
    ) -> Result<Option<Resource>, TargetError> {
        match self.one("GET", kind, id, None, query).await {
            Ok(Reply { answer, body }) => match body.and_then(resource) {
                Some(found) if found.id.is(id) => Ok(Some(found)),
                Some(_) => Err(fault::foreign(
                    &asked_one("GET", kind, id),
                    &answer,
                    "with another resource than was asked for",
                )),
                None => Err(fault::malformed(
                    &asked_one("GET", kind, id),
                    &answer,
                    "it is not a SCIM resource with an id",
                )),
            },
            Err(TargetError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Returns the same group with the members that a request for them by name brings.
    async fn with_members_by_name(&self, mut group: Resource) -> Result<Resource, TargetError> {
        let asked = self
            .fetch_by(ObjectKind::Group, &group.id, &[("attributes", MEMBERS)])
            .await?;
        let members = asked.and_then(|asked| field(asked.body.as_object()?, MEMBERS).cloned());
        if let (Some(members), Some(body)) = (members, group.body.as_object_mut()) {
            let key = key_in(body).unwrap_or_else(|| MEMBERS.to_owned());
            body.insert(key, members);
        }
        Ok(group)
    }

    /// Returns a resource with what its members prove. A member that a GET shows is evidence that members are shown.
    pub(super) fn as_shown(&self, kind: ObjectKind, mut resource: Resource, door: Door) -> Resource {
        if kind == ObjectKind::Group {
            let count = count_shown(&resource.body);
            if count > 0 && door != Door::Answer {
                let mut finding = None;
                self.experience.note(|learned| {
                    let (taken_back, news) = learned.saw_members(count);
                    finding = taken_back;
                    news
                });
                finding
                    .into_iter()
                    .for_each(|finding| self.experience.say(finding));
            }
            let shows = self.experience.ask(|learned| learned.shows_members());
            mark(&mut resource.body, door.extent(count, shows));
        }
        resource
    }

    /// Returns true where a group as it was fetched shows all its members: a reading that shows fewer than were put in
    /// is not whole, whatever is known of the target.
    pub(super) fn is_whole(&self, group: &Resource, patch: &Patch) -> bool {
        let MembersBefore { sent, ours } = patch.members_before;
        let shown = members_of(&self.as_shown(ObjectKind::Group, group.clone(), Door::Alone).body);
        // A member that is to be removed and is not seen does not make it less whole.
        let unseen = patch.remove_members.iter().filter(|member| !shown.holds(member));
        let enough = (shown.there.len() + unseen.count()) as u64 >= sent;
        (ours && sent == 0) || (shown.whole && enough)
    }

    /// Returns whether this group shows members where they are asked for by name, and notes it where it does.
    pub(super) async fn shows_by_name(&self, group: &Resource) -> Result<bool, TargetError> {
        let asked = match self.with_members_by_name(group.clone()).await {
            Ok(asked) => asked,
            Err(TargetError::Refused { .. }) => return Ok(false),
            Err(error) => return Err(error),
        };
        let shows = count_shown(&asked.body) > 0;
        if shows {
            let finding = self.experience.add(|learned| learned.shows_by_name());
            finding
                .into_iter()
                .for_each(|finding| self.experience.say(finding));
        }
        Ok(shows)
    }

    /// Asks by a filter whether this user is in the group. Returns `None` where no filter is known to answer that. One
    /// is known once it found a user who was just added, and did not find one who does not exist.
    pub(super) async fn is_in(
        &self,
        group: &TargetId,
        member: &TargetId,
    ) -> Result<Option<bool>, TargetError> {
        if let Some(known) = self.experience.ask(|learned| learned.showing.question) {
            return self.ask_by(known, group, member.as_str()).await;
        }
        for question in 0..QUESTIONS.len() {
            if self.ask_by(question, group, member.as_str()).await? == Some(true)
                && self.ask_by(question, group, NOBODY).await? == Some(false)
            {
                self.experience
                    .add(|learned| learned.showing.question = Some(question));
                return Ok(Some(true));
            }
        }
        Ok(None)
    }

    async fn ask_by(
        &self,
        question: usize,
        group: &TargetId,
        member: &str,
    ) -> Result<Option<bool>, TargetError> {
        let kind = ObjectKind::Group;
        let Some(form) = QUESTIONS.get(question) else {
            return Ok(None);
        };
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let about_member = match form.strip_suffix(']') {
            Some(open) => format!("{open} {}]", quoted(member)),
            None => format!("{form} {}", quoted(member)),
        };
        let filter = format!("id eq {} and {about_member}", quoted(group.as_str()));
        let asked = Asked {
            method: "GET",
            path: format!("/{}?filter=id eq … and {form} …", collection(kind)),
            one_resource: false,
        };
        match self.find_page(kind, &asked, &[("filter", &filter)], false).await {
            Ok(listing) => Ok(Some(listing.resources.iter().any(|found| found.id == *group))),
            Err(
                TargetError::Refused { .. } | TargetError::NotFound { .. } | TargetError::Malformed { .. },
            ) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

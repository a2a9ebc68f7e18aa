//! Users and groups with how they stand, a page at a time.

mod state;

use std::collections::BTreeSet;
use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

use super::search::Search;
use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::object::Life;
use crate::ports::StoreError;
use crate::reconcile::back::standing::Standing;
use crate::snapshot::drift::Stranger;
use crate::snapshot::enrolments::EnrolmentReads;
use crate::snapshot::escrow;
use crate::snapshot::kept_back::KeptBackReads;
use crate::snapshot::pages::Pages;
use crate::snapshot::read::Reads;
use crate::snapshot::record::Record;
use crate::snapshot::scope::ScopeEntry;
use crate::snapshot::scope::ScopeReads;
use crate::snapshot::store::Snapshot;

pub use state::State;

/// Which objects are wanted.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Users or groups.
    pub kind: ObjectKind,
    /// Those that stand so.
    pub state: Option<State>,
    /// Those with this in their id or one of their names, in any case.
    pub search: Option<String>,
    /// Those behind this one.
    pub after: Option<After>,
    /// The enrolled group that the settings name: without one, nobody stands anyhow with it.
    pub enrolled_group: Option<SourceId>,
}

impl Wanted {
    /// With what the settings of a job say.
    #[must_use]
    pub fn at(self, desk: &Desk) -> Self {
        Self {
            enrolled_group: desk.enrolled_group,
            ..self
        }
    }
}

/// Where a page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// Behind an object.
    Object(SourceId),
    /// Behind a resource that nobody is linked to.
    Resource(TargetId),
}

impl After {
    /// The place that `next` of a page named: of resources where they are listed, else of objects.
    #[must_use]
    pub fn named(text: &str, state: Option<State>) -> Option<Self> {
        match state {
            Some(State::Unmanaged) => TargetId::new(text).map(Self::Resource),
            _ => text.parse().ok().map(Self::Object),
        }
    }
}

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(id) => id.fmt(f),
            Self::Resource(target) => f.write_str(target.as_str()),
        }
    }
}

/// A page of objects.
#[derive(Debug, Serialize, ToSchema)]
pub struct Objects {
    /// The job.
    pub job: String,
    /// The object to go on behind, or the resource where those of nobody are listed; null at the end.
    #[serde(serialize_with = "super::text_or_null")]
    #[schema(value_type = Option<String>)]
    pub next: Option<After>,
    /// The objects, by their ids.
    pub objects: Vec<ObjectView>,
}

/// One object.
#[derive(Debug, Serialize, ToSchema)]
pub struct ObjectView {
    /// User or group.
    #[schema(value_type = String)]
    pub kind: ObjectKind,
    /// Its name.
    pub name: String,
    /// Its id; null for a resource that nobody is linked to.
    #[serde(serialize_with = "super::text_or_null")]
    #[schema(value_type = Option<String>)]
    pub object: Option<SourceId>,
    /// How it stands.
    pub states: BTreeSet<State>,
    /// Its resource.
    #[schema(value_type = Option<String>)]
    pub target: Option<TargetId>,
}

impl ObjectView {
    /// The place behind it.
    fn place(&self) -> Option<After> {
        let resource = || self.target.clone().map(After::Resource);
        self.object.map(After::Object).or_else(resource)
    }
}

/// Lists the objects that are wanted: a page of at most so many.
pub fn objects(
    snapshot: &Snapshot,
    job: &str,
    wanted: &Wanted,
    limit: usize,
    now: Timestamp,
) -> Result<Objects, AppError> {
    let (mut objects, mut next) = (Vec::<ObjectView>::new(), None);
    each(snapshot, wanted, now, |object| {
        if objects.len() == limit {
            next = objects.last().and_then(ObjectView::place);
            return false;
        }
        objects.push(object);
        true
    })?;
    Ok(Objects {
        job: job.to_owned(),
        next,
        objects,
    })
}

/// Shows the objects that are wanted one after another, for as long as `show` returns true.
pub fn each(
    snapshot: &Snapshot,
    wanted: &Wanted,
    now: Timestamp,
    show: impl FnMut(ObjectView) -> bool,
) -> Result<(), AppError> {
    if wanted.state == Some(State::Unmanaged) {
        return each_of_nobody(snapshot, wanted, show);
    }
    each_object(snapshot, wanted, now, show)
}

/// Shows resources that nobody is linked to, as the last whole listing found them.
fn each_of_nobody(
    snapshot: &Snapshot,
    wanted: &Wanted,
    mut show: impl FnMut(ObjectView) -> bool,
) -> Result<(), AppError> {
    let search = wanted.search.as_deref().map(Search::of);
    let after = match &wanted.after {
        Some(After::Resource(target)) => Some(target.clone()),
        Some(After::Object(_)) | None => None,
    };
    let mut pages = Pages::growing(|(target, _): &(TargetId, Stranger)| target.clone()).behind(after);
    while let Some(page) =
        pages.next_page(|after, limit| snapshot.scan_strangers(wanted.kind, after, limit))?
    {
        for (target, stranger) in page {
            let name = stranger.name.unwrap_or_else(|| target.as_str().to_owned());
            let has = |search: &Search| search.is_in(&name) || search.is_in(target.as_str());
            if !search.as_ref().is_none_or(has) {
                continue;
            }
            let view = ObjectView {
                kind: wanted.kind,
                name,
                object: None,
                states: BTreeSet::from([State::Unmanaged]),
                target: Some(target),
            };
            if !show(view) {
                return Ok(());
            }
        }
    }
    Ok(())
}

fn each_object(
    snapshot: &Snapshot,
    wanted: &Wanted,
    now: Timestamp,
    mut show: impl FnMut(ObjectView) -> bool,
) -> Result<(), AppError> {
    let after = match wanted.after {
        Some(After::Object(id)) => Some(id),
        Some(After::Resource(_)) | None => None,
    };
    let kept = Kept::of(snapshot, wanted, now)?;
    let is_so = |view: &ObjectView| wanted.state.is_none_or(|state| view.states.contains(&state));
    let mut show = |record| {
        let view = kept.view(snapshot, record)?;
        Ok(!is_so(&view) || show(view))
    };
    if let Some(search) = wanted.search.as_deref().map(Search::of) {
        return search.each(snapshot, wanted.kind, after, show);
    }
    let mut pages = Pages::growing(|record: &Record| record.object.id).behind(after);
    while let Some(page) = pages.next_page(|after, limit| snapshot.scan_records(wanted.kind, after, limit))? {
        for record in page {
            if !show(record)? {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// True where the keys were read to the end for this group: of another one, and of one that is kept no more, nothing is said.
fn enrolments_are_known(snapshot: &Snapshot, of: Option<SourceId>) -> Result<bool, StoreError> {
    let known = snapshot.enrolled_group()?.filter(|known| known.group == of);
    Ok(known.is_some_and(|known| known.group.is_some() && known.proven_at.is_some()))
}

/// How a user stands with the enrolled group; nothing is said of those who have no resource and are not remembered.
fn enrolment(snapshot: &Snapshot, user: &SourceId, linked: bool) -> Result<Option<State>, StoreError> {
    let kept = snapshot.enrolled(user)?.map(|kept| kept.standing);
    let standing = kept.or_else(|| linked.then_some(Standing::Outside));
    Ok(standing.map(State::of_enrolment))
}

/// Who of a kind is kept back: people and the guard made these lists, so they fit in memory.
struct Kept {
    escrow: BTreeSet<SourceId>,
    withheld: BTreeSet<SourceId>,
    held: BTreeSet<SourceId>,
    /// True where the keys were read to the end: who is not remembered is none of the enrolled group.
    enrolments: bool,
}

impl Kept {
    fn of(snapshot: &Snapshot, wanted: &Wanted, now: Timestamp) -> Result<Self, StoreError> {
        let kind = wanted.kind;
        let escrow = escrow::entries(snapshot)?.into_iter();
        let mut withheld = BTreeSet::new();
        snapshot.each_withheld(|(of, id, _), entry| {
            if of == kind && entry.released_by.is_none() {
                withheld.insert(id);
            }
            Ok(())
        })?;
        let holds = snapshot.holds()?.into_iter();
        let by_hand = holds.filter(|(of, _, hold)| *of == kind && hold.holds_at(now));
        let undone = snapshot.all_undone()?.into_iter();
        let by_undo = undone.filter(|(of, _)| *of == kind).map(|(_, id)| id);
        Ok(Self {
            escrow: escrow
                .filter(|entry| entry.kind == kind)
                .map(|entry| entry.id)
                .collect(),
            withheld,
            enrolments: kind == ObjectKind::User && enrolments_are_known(snapshot, wanted.enrolled_group)?,
            held: by_hand.map(|(_, id, _)| id).chain(by_undo).collect(),
        })
    }

    /// An object with how it stands.
    fn view(&self, snapshot: &Snapshot, record: Record) -> Result<ObjectView, StoreError> {
        let object = &record.object;
        let (kind, id) = (object.kind, object.id);
        let is_out = matches!(snapshot.scope_entry(kind, &id)?, Some(ScopeEntry::Out));
        let enrolled = if self.enrolments {
            enrolment(snapshot, &id, record.link.is_some())?
        } else {
            None
        };
        let states = [
            (State::Linked, record.link.is_some()),
            (State::Unlinked, record.link.is_none()),
            (State::Escrow, self.escrow.contains(&id)),
            (State::Withheld, self.withheld.contains(&id)),
            (State::Held, self.held.contains(&id)),
            (State::Disabled, !object.account_enabled()),
            (State::OutOfScope, is_out),
            (State::Gone, matches!(object.life, Life::Gone(_))),
        ];
        Ok(ObjectView {
            kind,
            name: object.name(),
            object: Some(id),
            states: states
                .into_iter()
                .filter(|(_, is)| *is)
                .map(|(state, _)| state)
                .chain(enrolled)
                .collect(),
            target: record.link.map(|link| link.target),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::*;
    use crate::model::value::Value;
    use crate::ports::Durability;
    use crate::snapshot::kept_back::Hold;
    use crate::snapshot::kept_back::HoldCause;
    use crate::snapshot::kv::memory::MemoryStore;

    const NOW: Timestamp = Timestamp(1_000);

    fn id(n: u8) -> SourceId {
        SourceId::from_bytes([n; 16])
    }

    /// Five users; the second is disabled, the third on hold, and the fourth was until a moment ago.
    fn world() -> Snapshot {
        let snapshot = Snapshot::open(Arc::new(MemoryStore::new()), Path::new("memory")).unwrap();
        let mut tx = snapshot.tx().unwrap();
        for n in 1..=5 {
            let mut record = Record::new(ObjectKind::User, id(n), 1);
            let attributes = &mut record.object.attributes;
            let name = Value::text(format!("User{n}@corp.example"));
            attributes.insert("userPrincipalName".to_owned(), name);
            attributes.insert("accountEnabled".to_owned(), Value::Bool(n != 2));
            tx.put_record(&record).unwrap();
        }
        for (n, until) in [(3, None), (4, Some(NOW))] {
            let hold = Hold {
                attribute: None,
                until,
                since: Timestamp(0),
                actor: "ada".to_owned(),
                comment: None,
                cause: HoldCause::Hand,
            };
            tx.put_hold(ObjectKind::User, &id(n), &hold);
        }
        tx.commit(Durability::Lazy).unwrap();
        snapshot
    }

    fn wanted(state: Option<State>, search: Option<&str>) -> Wanted {
        Wanted {
            kind: ObjectKind::User,
            state,
            search: search.map(str::to_owned),
            after: None,
            enrolled_group: None,
        }
    }

    fn found(wanted: &Wanted, limit: usize) -> (Vec<SourceId>, Option<After>) {
        let page = objects(&world(), "job", wanted, limit, NOW).unwrap();
        let ids = page.objects.iter().filter_map(|object| object.object);
        (ids.collect(), page.next)
    }

    #[test]
    fn objects_are_found_by_how_they_stand_and_by_their_names() {
        for (state, search, expected) in [
            (None, None, vec![1, 2, 3, 4, 5]),
            (Some(State::Disabled), None, vec![2]),
            (Some(State::Held), None, vec![3]),
            (Some(State::Linked), None, vec![]),
            (Some(State::Unlinked), Some("uSer4@"), vec![4]),
            (None, Some("0505-"), vec![5]),
            (None, Some("nobody"), vec![]),
        ] {
            let expected = (expected.into_iter().map(id).collect(), None);
            assert_eq!(
                found(&wanted(state, search), 10),
                expected,
                "{state:?} {search:?}"
            );
        }
    }

    #[test]
    fn a_page_says_where_the_next_one_begins() {
        let mut wanted = wanted(None, None);
        assert_eq!(
            found(&wanted, 2),
            (vec![id(1), id(2)], Some(After::Object(id(2))))
        );
        wanted.after = Some(After::Object(id(2)));
        assert_eq!(
            found(&wanted, 2),
            (vec![id(3), id(4)], Some(After::Object(id(4))))
        );
        wanted.after = Some(After::Object(id(3)));
        assert_eq!(
            found(&wanted, 2),
            (vec![id(4), id(5)], None),
            "a full page may be the last"
        );
    }

    #[test]
    fn resources_of_nobody_are_listed_by_their_ids_and_found_by_both_names() {
        let snapshot = world();
        let mut tx = snapshot.tx().unwrap();
        for (kind, target, name) in [
            (ObjectKind::User, "r1", Some("Ada@corp.example")),
            (ObjectKind::User, "r2", None),
            (ObjectKind::Group, "r1", Some("Admins")),
        ] {
            let (target, name) = (TargetId::new(target).unwrap(), name.map(str::to_owned));
            tx.put_stranger(kind, &target, &Stranger { name, seen: NOW });
        }
        tx.commit(Durability::Lazy).unwrap();
        let list = |search: Option<&str>, after: Option<&str>, limit| {
            let wanted = Wanted {
                after: after.and_then(|text| After::named(text, Some(State::Unmanaged))),
                ..wanted(Some(State::Unmanaged), search)
            };
            let page = objects(&snapshot, "job", &wanted, limit, NOW).unwrap();
            let names: Vec<String> = page.objects.into_iter().map(|one| one.name).collect();
            (names.join(" "), page.next.map(|next| next.to_string()))
        };
        for (search, after, limit, names, next) in [
            (None, None, 10, "Ada@corp.example r2", None),
            (None, None, 1, "Ada@corp.example", Some("r1")),
            (None, Some("r1"), 1, "r2", None),
            (Some("ADA"), None, 10, "Ada@corp.example", None),
            (Some("r2"), None, 10, "r2", None),
            (Some("nobody"), None, 10, "", None),
        ] {
            let expected = (names.to_owned(), next.map(str::to_owned));
            assert_eq!(list(search, after, limit), expected, "{search:?} {after:?}");
        }
    }
}

//! Open writes: PATCHes and DELETEs that were sent, with an outcome that was never recorded, because the answer got
//! lost or the process died.
//!
//! They may be sent again, but that alone does not help where the source goes back on its change meanwhile: then what
//! was last recorded equals what is wanted, nothing is sent, and the target keeps what it should not have. So a batch
//! notes what it touches before it is sent, on disk; and whatever was not recorded since is read back before anything
//! is planned: what the target holds is then what was sent.
//!
//! Guarantee: no value is kept here, only ids and paths. After a crash in the middle they are read back again.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use tracing::info;
use tracing::warn;

use crate::engine::apply::coupled::take_undone;
use crate::engine::audit::Clerk;
use crate::engine::error::CycleError;
use crate::engine::error::chain;
use crate::engine::open::open_writes;
use crate::engine::open::settle;
use crate::engine::readings::Readings;
use crate::engine::readings::rehires::hand_over;
use crate::engine::run::Run;
use crate::engine::standing::Fact;
use crate::engine::work::is_active;
use crate::mapping::Mapping;
use crate::mapping::read_path;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::link::Kept;
use crate::model::link::Link;
use crate::model::link::LinkOrigin;
use crate::model::name::Name;
use crate::model::object::MemberKind;
use crate::model::object::Membership;
use crate::model::value::Attributes;
use crate::model::value::Value;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::ports::TargetError;
use crate::reconcile::members_of;
use crate::reconcile::operation::Change;
use crate::reconcile::operation::Verb;
use crate::reconcile::shown_members::ShownMembers;
use crate::snapshot::pages::Pages;
use crate::snapshot::read::Reads;
use crate::snapshot::record::DirtyCause;
use crate::snapshot::record::Record;
pub use crate::snapshot::state::OpenWrite;
use crate::snapshot::store::Snapshot;
use crate::snapshot::tx::Tx;

/// As many resources in a row that the target does not answer for are one by one in trouble; more are the whole target's.
const SILENT: u32 = 3;

/// Returns the writes that this cycle reads back: one that only plans leaves them.
pub(in crate::engine) async fn unrecorded_writes(run: &Run<'_>) -> Result<Vec<OpenWrite>, CycleError> {
    let open = run.store(open_writes).await?;
    Ok(if run.applies() { open } else { Vec::new() })
}

/// Reads back whatever may have been written without its being recorded, once none of it can be under way any more.
pub(in crate::engine) async fn read_back_all(
    run: &mut Run<'_>,
    readings: &mut Readings,
    open: Vec<OpenWrite>,
) -> Result<(), CycleError> {
    info!(open = open.len(), "Writes without an answer are read back");
    let mut silent = 0;
    for write in open {
        run.check_stop()?;
        let (kind, id, adopts) = (write.kind, write.id, write.adopts.clone());
        match read_back(run, readings, write).await {
            // One resource that cannot be read stops nobody else; it stays open, and nothing is sent to it.
            Err(CycleError::Target(error))
                if silent < SILENT && !matches!(error, TargetError::Unauthorized { .. }) =>
            {
                silent += u32::from(matches!(error, TargetError::Unavailable { .. }));
                warn!(object = %id, "{kind} {id} cannot be read back after a write without an answer: it waits for the next cycle");
                run.summary
                    .fail(id, "read_back", chain(&error), error.hint().to_owned());
                run.standing.note((kind, id), Fact::Failed);
                leave_owner(run, kind, adopts).await?;
            }
            other => {
                other?;
                silent = 0;
            }
        }
    }
    Ok(())
}

/// Leaves whoever is linked to a resource that a write without an answer may have given to somebody else: what is sent
/// to it might reach the new owner.
async fn leave_owner(
    run: &mut Run<'_>,
    kind: ObjectKind,
    adopts: Option<TargetId>,
) -> Result<(), CycleError> {
    let Some(target) = adopts else { return Ok(()) };
    let owner = run.store(move |snapshot| snapshot.owner(kind, &target)).await?;
    if let Some(owner) = owner {
        run.standing.note((kind, owner), Fact::Failed);
    }
    Ok(())
}

async fn read_back(run: &Run<'_>, readings: &mut Readings, write: OpenWrite) -> Result<(), CycleError> {
    let (kind, id) = (write.kind, write.id);
    let link = run
        .store(move |snapshot| Ok(snapshot.record(kind, &id)?.and_then(|record| record.link)))
        .await?;
    let linked = link.is_some();
    let target = link.map(|link| link.target).or_else(|| write.adopts.clone());
    let mut body = None;
    if let Some(target) = &target {
        let read = run.job.target.read(kind, target).await;
        match read.map_err(CycleError::Target)? {
            Some(resource) => body = Some(resource.body),
            None if linked => readings.lose(run, kind, id).await?,
            None => {}
        }
    }
    let mapping = std::sync::Arc::clone(&run.job.mapping);
    let clerk = Clerk::new(run.job, run.order, run.now);
    run.store(move |snapshot| record(snapshot, &mapping, &write, body.as_ref(), &clerk))
        .await
}

/// What was read back is what was sent, with the entries that the interrupted cycle could not write.
fn record(
    snapshot: &Snapshot,
    mapping: &Mapping,
    write: &OpenWrite,
    body: Option<&serde_json::Value>,
    clerk: &Clerk,
) -> Result<(), StoreError> {
    let mut tx = snapshot.tx()?;
    let adopts = write.adopts.is_some();
    let object = (write.kind, write.id);
    let mut history = Vec::new();
    if let (Some(body), Some(mut record)) = (body, tx.record(write.kind, &write.id)?)
        && let Some(link) = link_of(&mut record, &mut tx, write, body)?
    {
        let before = link.sent.clone();
        take_values(link, mapping, write, body);
        let changes = changes_of(write, &before, &link.sent);
        let target = link.target.clone();
        if adopts || !changes.is_empty() {
            history.push(clerk.found(verb_of(write, &changes), object, &target, changes));
        }
        tx.put_record(&record)?;
        if adopts {
            tx.mark_referrers_dirty(&write.id)?;
            tx.mark_holders(&write.id)?;
        }
        if write.members {
            let found = |member: &SourceId| adopts && !write.put_in.contains(member);
            let moved = take_members(&mut tx, &write.id, &members_of(body), found)?;
            history.extend(clerk.members(Verb::member(false), write.id, &target, &moved.removed));
            history.extend(clerk.members(Verb::member(true), write.id, &target, &moved.added));
        }
        tx.mark_dirty(write.kind, &write.id, DirtyCause::TARGET)?;
    }
    if !history.is_empty() {
        tx.append_history(history);
    }
    let (this, none) = (BTreeSet::from([write.id]), BTreeSet::new());
    settle(&mut tx, write.kind, &this, &none, &none)?;
    tx.commit(Durability::Lazy)
}

/// What a write changed of what was recorded.
fn changes_of(write: &OpenWrite, before: &Attributes, after: &Attributes) -> Vec<Change> {
    let value = |values: &Attributes, path: &String| values.get(path).cloned().unwrap_or_default();
    let changes = write.paths.iter().map(|path| Change {
        attribute: Name::from(path),
        before: value(before, path),
        after: value(after, path),
    });
    changes.filter(|change| change.before != change.after).collect()
}

/// What a write was, by what it changed.
fn verb_of(write: &OpenWrite, changes: &[Change]) -> Verb {
    if write.adopts.is_some() {
        return Verb::link(write.kind);
    }
    let active = changes.iter().find(|change| is_active(change));
    Verb::update_to(write.kind, active.and_then(|change| change.after.as_bool()))
}

/// Returns the link of the object; a new one where its adoption is seen to have gone through. Whoever was linked to the
/// resource before, as the leaver of a rehire is, loses it: it bears the id of the newcomer.
fn link_of<'r>(
    record: &'r mut Record,
    tx: &mut Tx<'_>,
    write: &OpenWrite,
    body: &serde_json::Value,
) -> Result<Option<&'r mut Link>, StoreError> {
    let Some(target) = write.adopts.as_ref().filter(|_| record.link.is_none()) else {
        return Ok(record.link.as_mut());
    };
    let ours = body.get("externalId").and_then(serde_json::Value::as_str);
    let ours = ours.is_some_and(|held| held.eq_ignore_ascii_case(&write.id.to_string()));
    let leaver = tx.owner(write.kind, target)?;
    // Groups are never taken from each other.
    if ours && (leaver.is_none() || write.kind == ObjectKind::User) {
        if let Some(leaver) = leaver {
            hand_over(tx, &leaver, &write.id)?;
        }
        record.link = Some(Link {
            target: target.clone(),
            origin: LinkOrigin::Adopted("externalId".to_owned()),
            since: write.at,
            sent: Attributes::new(),
            kept: BTreeMap::new(),
        });
    }
    Ok(record.link.as_mut())
}

fn take_values(link: &mut Link, mapping: &Mapping, write: &OpenWrite, body: &serde_json::Value) {
    notice_emptied(link, mapping, write, body);
    for path in &write.paths {
        let name = Name::from(path);
        let Some(target) = mapping.target_path(write.kind, &name) else {
            continue;
        };
        match read_path(body, &target) {
            // As it was recorded already: the form that we sent stays the one to compare with.
            Some(held)
                if link
                    .sent
                    .get(path)
                    .is_some_and(|sent| crate::mapping::same(&target, sent, &held)) => {}
            Some(held) => {
                link.sent.insert(&name, held);
            }
            None => {
                link.sent.remove(&name);
            }
        }
        // What was kept in its place, or emptied, was so before this write.
        link.kept.remove(&name);
    }
    take_undone(mapping, write.kind, link, &write.paths, body);
}

/// With `active` some targets empty other attributes: what is gone counts as not sent, as after any change of it.
fn notice_emptied(link: &mut Link, mapping: &Mapping, write: &OpenWrite, body: &serde_json::Value) {
    if !write.paths.iter().any(|path| path.eq_ignore_ascii_case("active")) {
        return;
    }
    for (path, value) in &link.sent {
        if let Some(target) = mapping.target_path(write.kind, path)
            && !value.is_unassigned()
            && read_path(body, &target).is_none()
        {
            link.kept.insert(path.clone(), Kept::Other(Value::Null));
        }
    }
}

/// Memberships that moved as the source wants them: those were ours.
#[derive(Debug, Default)]
pub(in crate::engine) struct Moved {
    pub(in crate::engine) added: Vec<SourceId>,
    pub(in crate::engine) removed: Vec<SourceId>,
}

/// Memberships as the target holds them: of members that are linked. Who is not seen in a reading that is not whole stays as
/// recorded: whether a removal went through cannot be seen there, so it is sent again. `found`: who was in the group before it
/// was ours.
pub(in crate::engine) fn take_members(
    tx: &mut Tx<'_>,
    group: &SourceId,
    shown: &ShownMembers,
    found: impl Fn(&SourceId) -> bool,
) -> Result<Moved, StoreError> {
    let mut moved = Moved::default();
    let mut pages = Pages::growing(|(member, _): &(SourceId, Membership)| *member);
    while let Some(page) = pages.next_page(|after, limit| tx.edges(group, after, limit))? {
        for (member, edge) in page {
            match &edge.sent {
                Some(sent) if shown.lacks(sent) && !edge.present => {
                    tx.delete_edge(group, &member)?;
                    moved.removed.push(member);
                }
                Some(sent) if shown.lacks(sent) => {
                    tx.put_edge(group, &member, &Membership { sent: None, ..edge })?;
                }
                _ => {}
            }
        }
    }
    for target in &shown.there {
        let Some(owner) = tx.owner(ObjectKind::User, target)? else {
            continue;
        };
        let edge = tx.edge(group, &owner)?.unwrap_or(Membership {
            kind: MemberKind::User,
            generation: 0,
            present: false,
            sent: None,
            found: false,
        });
        let sent = Some(target.clone());
        if edge.sent != sent {
            if edge.present {
                moved.added.push(owner);
            }
            let found = edge.found || found(&owner);
            tx.put_edge(group, &owner, &Membership { sent, found, ..edge })?;
        }
    }
    Ok(moved)
}

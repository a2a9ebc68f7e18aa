//! Scope: who of the dirty is ours, and whom a change of scope concerns.
//!
//! A step of *observe*: it stores what it saw and marks who is to be looked at, and writes to neither side. The
//! decision itself is [`crate::reconcile::scope`]; here its inputs are found. What a filter asks of groups is kept as
//! sets of members, compared with the edges whenever one of the groups is dirty: those that differ are the users to
//! look at again, and only they.
//! After a crash in it the groups are still dirty, and the comparison is made again.

use std::collections::BTreeSet;
use std::sync::Arc;

use tracing::warn;

use crate::engine::error::CycleError;
use crate::engine::intake::Intake;
use crate::engine::intake::entitlements::Listing;
use crate::engine::intake::scoping::Scoping;
use crate::engine::intake::scoping::is_disabled;
use crate::engine::run::Run;
use crate::mapping::MemberOf;
use crate::model::id::CycleId;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::object::Life;
use crate::model::object::MemberKind;
use crate::model::object::Membership;
use crate::model::value::Value;
use crate::ports::Durability;
use crate::ports::StoreError;
use crate::reconcile::scope::Decision;
use crate::reconcile::scope::ScopeRules;
use crate::snapshot::pages::Pages;
use crate::snapshot::pages::until_empty;
use crate::snapshot::read::PAGE;
use crate::snapshot::read::Reads;
use crate::snapshot::record::DirtyCause;
use crate::snapshot::record::Record;
use crate::snapshot::scope::ScopeEntry;
use crate::snapshot::scope::ScopeReads;
use crate::snapshot::store::Snapshot;

impl Intake {
    /// Looks into the groups that the scope asks about, and settles who is out.
    pub(in crate::engine) async fn rescope(&mut self, run: &mut Run<'_>) -> Result<(), CycleError> {
        if run.job.managed.contains(&ObjectKind::User) {
            self.look_into_groups(run).await?;
        }
        self.settle_scope(run).await
    }

    /// Who is in the groups that a filter asks about.
    async fn look_into_groups(&mut self, run: &mut Run<'_>) -> Result<(), CycleError> {
        let rules = Arc::clone(&run.job.scope);
        let troubles = run
            .store(move |snapshot| {
                let troubles = unusable(snapshot, &rules)?;
                if !troubles.is_empty() {
                    return Ok(troubles);
                }
                look_into_groups(snapshot, &rules)?;
                hidden(snapshot, &rules)
            })
            .await?;
        for (group, why) in troubles {
            self.stop(run, group, why);
        }
        Ok(())
    }

    /// The scope of this cycle, ready to be asked.
    pub(in crate::engine) fn scoping(&self, run: &Run<'_>) -> Scoping {
        let assigned = run.job.assigning.scope.then(|| self.entitlements.clone());
        Scoping::new(&run.job.scope, assigned, !run.applies())
    }

    /// Notes who of the dirty left the scope, and who came back: whoever refers to them looks again.
    pub(in crate::engine) async fn settle_scope(&self, run: &Run<'_>) -> Result<(), CycleError> {
        // An assignment list that was not read whole, or an assigned group that cannot be seen into, agrees with nothing.
        let whole = self.listing != Listing::Kept && self.entitlements.hidden.is_none();
        let cycle = whole.then_some(run.order.id);
        for kind in run.job.managed.difference(&self.stopped).copied() {
            let scoping = self.scoping(run);
            run.store(move |snapshot| settle(snapshot, kind, &scoping, cycle))
                .await?;
        }
        Ok(())
    }

    /// No scope is derived from a group that is not there: nothing is planned in this cycle. Groups neither: who is
    /// a member at the target hangs on who is in scope.
    fn stop(&mut self, run: &mut Run<'_>, group: SourceId, why: &str) {
        self.stopped = run.job.managed.clone();
        run.left.findings += 1;
        let what = format!("nothing is planned, because user_filter asks about group {group}: {why}");
        let hint = "correct the group's object id in user_filter; the scope is never taken to be empty";
        run.summary.fail(group, "scope_unknown", what, hint.to_owned());
        let text = format!("Nothing is planned: user_filter asks about group {group}, {why}");
        if run.warnings.is_news(&text) {
            warn!(object = %group, finding = "scope_unknown", "{text}");
        }
    }
}

/// Groups that the scope asks about and that cannot be looked into, with what is in the way.
fn unusable(snapshot: &Snapshot, rules: &ScopeRules) -> Result<Vec<(SourceId, &'static str)>, StoreError> {
    let mut troubles = Vec::new();
    let groups: BTreeSet<SourceId> = rules.member_of().iter().map(|of| of.group).collect();
    for group in groups {
        let why = match snapshot.record(ObjectKind::Group, &group)? {
            None => "the tenant has no such group",
            Some(record) if matches!(record.object.life, Life::Gone(_)) => "it was deleted in Entra",
            Some(record) if record.object.life != Life::Alive => {
                "the last read of the tenant did not bring it"
            }
            Some(_) => continue,
        };
        troubles.push((group, why));
    }
    Ok(troubles)
}

/// Groups that were looked into, nested ones included, and whose members the application may not see.
fn hidden(snapshot: &Snapshot, rules: &ScopeRules) -> Result<Vec<(SourceId, &'static str)>, StoreError> {
    let mut troubles = Vec::new();
    for of in rules.member_of() {
        for group in snapshot.scope_groups(&of)?.unwrap_or_default() {
            let record = snapshot.record(ObjectKind::Group, &group)?;
            if record.is_some_and(|record| is_hidden(&record)) && snapshot.edges(&group, None, 1)?.is_empty()
            {
                troubles.push((
                    group,
                    "its members are hidden from the application (grant it Member.Read.Hidden)",
                ));
            }
        }
    }
    Ok(troubles)
}

/// A group with hidden membership of which nobody is seen has unknown members, not none (docs/design/evidence.md).
fn is_hidden(group: &Record) -> bool {
    let visibility = group.object.attribute("visibility").and_then(Value::as_str);
    visibility == Some("HiddenMembership") && group.object.life == Life::Alive
}

/// Brings the kept sets of members up to date, and marks the users that moved.
fn look_into_groups(snapshot: &Snapshot, rules: &ScopeRules) -> Result<(), StoreError> {
    let asked = rules.member_of();
    for old in snapshot.scope_asked()? {
        if !asked.contains(&old) {
            forget(snapshot, &old)?;
        }
    }
    for of in &asked {
        if is_stale(snapshot, of)? {
            look_into(snapshot, of)?;
        }
    }
    Ok(())
}

fn is_stale(snapshot: &Snapshot, of: &MemberOf) -> Result<bool, StoreError> {
    let Some(groups) = snapshot.scope_groups(of)? else {
        return Ok(true);
    };
    for group in groups {
        if snapshot.dirty_cause(ObjectKind::Group, &group)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Compares one group's members with those kept. The ids of one group's members are held in memory, sixteen bytes
/// each, nothing else of them.
fn look_into(snapshot: &Snapshot, of: &MemberOf) -> Result<(), StoreError> {
    let (groups, now) = members(snapshot, of)?;
    let mut moved: Vec<(SourceId, bool)> = Vec::new();
    let mut kept = BTreeSet::new();
    let mut pages = Pages::growing(|id: &SourceId| *id);
    while let Some(page) = pages.next_page(|after, limit| snapshot.scope_members(of, after, limit))? {
        moved.extend(page.iter().filter(|id| !now.contains(id)).map(|id| (*id, false)));
        kept.extend(page);
    }
    moved.extend(now.difference(&kept).map(|id| (*id, true)));
    for page in moved.chunks(PAGE) {
        let mut tx = snapshot.tx()?;
        for (user, is) in page {
            tx.put_scope_member(of, user, *is);
            // Whoever is not known yet is dirty when it comes.
            if tx.brief(ObjectKind::User, user)?.is_some() {
                tx.mark_dirty(ObjectKind::User, user, DirtyCause::REFERENCE)?;
            }
        }
        tx.commit(Durability::Lazy)?;
    }
    let mut tx = snapshot.tx()?;
    tx.put_scope_groups(of, Some(&groups));
    tx.commit(Durability::Lazy)
}

/// The groups to look into, and the users in them. Groups in a circle are looked into once; one that is gone holds
/// nobody.
fn members(snapshot: &Snapshot, of: &MemberOf) -> Result<(Vec<SourceId>, BTreeSet<SourceId>), StoreError> {
    let mut groups = vec![of.group];
    let mut seen = BTreeSet::from([of.group]);
    let mut users = BTreeSet::new();
    let mut next = 0;
    while let Some(group) = groups.get(next).copied() {
        next += 1;
        let gone = snapshot
            .brief(ObjectKind::Group, &group)?
            .is_none_or(|brief| matches!(brief.head.life, Life::Gone(_)));
        if gone {
            continue;
        }
        let mut pages = Pages::growing(|(member, _): &(SourceId, Membership)| *member);
        while let Some(page) = pages.next_page(|after, limit| snapshot.edges(&group, after, limit))? {
            for (id, edge) in page.into_iter().filter(|(_, edge)| edge.present) {
                match edge.kind {
                    MemberKind::User => {
                        users.insert(id);
                    }
                    MemberKind::Group if of.transitive && seen.insert(id) => groups.push(id),
                    MemberKind::Group | MemberKind::Other => {}
                }
            }
        }
    }
    Ok((groups, users))
}

/// Forgets a group that no filter asks about any more.
fn forget(snapshot: &Snapshot, of: &MemberOf) -> Result<(), StoreError> {
    let read = |limit| snapshot.scope_members(of, None, limit);
    until_empty(read, |page| {
        let mut tx = snapshot.tx()?;
        for member in &page {
            tx.put_scope_member(of, member, false);
        }
        tx.commit(Durability::Lazy)
    })?;
    let mut tx = snapshot.tx()?;
    tx.put_scope_groups(of, None);
    tx.commit(Durability::Lazy)
}

/// Every dirty object of a kind, compared with what is kept of its scope. `cycle` is none where the cycle did not read
/// everything that memberships come from. A cycle that may not write comes to the same and keeps it beside: it is no look
/// that another one could agree with, nor does it take one back.
fn settle(
    snapshot: &Snapshot,
    kind: ObjectKind,
    scoping: &Scoping,
    cycle: Option<CycleId>,
) -> Result<(), StoreError> {
    let nothing_kept = snapshot.no_scope_entries()?;
    if !scoping.divides(kind) && nothing_kept {
        return Ok(());
    }
    let mut pages = Pages::growing(|(id, _): &(SourceId, DirtyCause)| *id);
    while let Some(page) = pages.next_page(|after, limit| snapshot.dirty(kind, after, limit))? {
        let mut tx = snapshot.tx()?;
        for (id, _) in &page {
            let before = if nothing_kept {
                None
            } else {
                snapshot.scope_entry(kind, id)?
            };
            let entry = match linked(snapshot, kind, id)? {
                Some(record) if record.object.life == Life::Alive => {
                    let decision = scoping.decide(snapshot, &record)?;
                    entry(decision, before, cycle, is_disabled(&record))
                }
                // Gone: its references go by its life. Not linked: there are none.
                Some(_) => before,
                None => None,
            };
            let held = if scoping.looks {
                snapshot.scope_entry_in(true, kind, id)?
            } else {
                before
            };
            if entry != held {
                if scoping.looks {
                    tx.put_scope_seen(kind, id, entry);
                } else {
                    tx.put_scope_entry(kind, id, entry);
                }
                let (was, is) = (held == Some(ScopeEntry::Out), entry == Some(ScopeEntry::Out));
                if was && !is {
                    tx.mark_dirty(kind, id, DirtyCause::RETURNED)?;
                }
                if was != is {
                    tx.mark_referrers_dirty(id)?;
                    tx.mark_holders(id)?;
                }
            }
        }
        tx.commit(Durability::Lazy)?;
    }
    Ok(())
}

/// The record of an object that is linked: of the others, which in the first cycle are all, only the beginning is
/// read.
fn linked(snapshot: &Snapshot, kind: ObjectKind, id: &SourceId) -> Result<Option<Record>, StoreError> {
    let brief = snapshot.brief(kind, id)?;
    if brief.is_some_and(|brief| brief.target.is_some()) {
        snapshot.record(kind, id)
    } else {
        Ok(None)
    }
}

/// What is kept of a linked object's scope from now on. Two cycles have to agree on a loss through a membership.
/// Where this scope cannot tell, an earlier word is good only if it was acted on: it may be that of another scope,
/// which somebody looked at with `plan`.
fn entry(
    decision: Decision,
    before: Option<ScopeEntry>,
    cycle: Option<CycleId>,
    disabled: bool,
) -> Option<ScopeEntry> {
    match (decision, before) {
        (Decision::InScope, _) => None,
        // We disabled it ourselves, and lost the word for it (an import): it is not let in again for a cycle.
        (
            Decision::OutOfScope {
                by_membership: true, ..
            },
            None,
        ) if disabled => Some(ScopeEntry::Out),
        (
            Decision::OutOfScope {
                by_membership: true, ..
            },
            before,
        ) if cycle.is_none() => before,
        (Decision::Unknown { .. }, before) => before.filter(|_| disabled),
        (
            Decision::OutOfScope {
                by_membership: true, ..
            },
            None,
        ) => cycle.map(ScopeEntry::Leaving),
        (
            Decision::OutOfScope {
                by_membership: true, ..
            },
            Some(ScopeEntry::Leaving(first)),
        ) if Some(first) == cycle => before,
        (Decision::OutOfScope { .. }, _) => Some(ScopeEntry::Out),
    }
}

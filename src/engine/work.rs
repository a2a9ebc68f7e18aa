//! What one pass does to one object: the work, its request and the answer to it, with the questions that are asked of them.
//!
//! Plain values: `batch.rs` and `undo.rs` make the works, `apply/` sends them, `record/` records what they came to.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use serde::Deserialize;
use serde::Serialize;

use super::apply::answered::Answered;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::name::Name;
use crate::model::object::Membership;
use crate::model::value::Attributes;
use crate::model::value::Value;
use crate::model::verb::Act;
use crate::ports::NewResource;
use crate::ports::Patch;
use crate::ports::RefusedMember;
use crate::ports::RefusedPart;
use crate::ports::StoreError;
use crate::ports::TargetError;
use crate::reconcile::forward::plan::ObjectPlan;
use crate::reconcile::operation::Change;
use crate::reconcile::operation::Operation;
use crate::reconcile::operation::Reason;
use crate::reconcile::operation::Verb;
use crate::snapshot::drift::Attribute;
use crate::snapshot::read::Reads;
use crate::snapshot::record::Record;
use crate::snapshot::tx::Tx;

/// What a pass may carry out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pass {
    /// Users to be disabled, as the guard approved them.
    Disables,
    /// Members that leave groups.
    MembersOut,
    /// Users: created, adopted, updated, enabled.
    Users,
    /// Groups, with members that join.
    Groups,
    /// Deletes.
    Deletes,
}

impl Pass {
    /// The verbs that this pass carries out, or holds back and says so.
    pub(super) const fn takes(self, verb: Verb) -> bool {
        match self {
            Self::MembersOut => verb.act().is(Act::RemoveMembers),
            Self::Deletes => verb.deletes(),
            Self::Disables | Self::Users | Self::Groups => true,
        }
    }

    pub(super) const fn phase(self) -> &'static str {
        match self {
            Self::Disables => "disabling users",
            Self::MembersOut => "removing members",
            Self::Users => "users",
            Self::Groups => "groups",
            Self::Deletes => "deleting",
        }
    }
}

/// Which objects a pass looks at, and how.
#[derive(Debug, Clone, Copy)]
pub(super) struct Step {
    pub(super) kind: ObjectKind,
    pub(super) pass: Pass,
    /// Nothing is waited for any more.
    pub(super) settle: bool,
}

impl Step {
    /// A pass in which nobody waits for another one.
    pub(super) const fn settled(kind: ObjectKind, pass: Pass) -> Self {
        Self {
            kind,
            pass,
            settle: true,
        }
    }
}

/// What one pass does to one object.
#[derive(Debug)]
pub(super) struct Work {
    /// The plan, its operations taken out.
    pub(super) plan: ObjectPlan,
    /// What it was planned from, unless that is to be read again. Nobody else writes it while the batch is under way.
    pub(super) record: Option<Record>,
    /// The pass.
    pub(super) pass: Pass,
    /// The operations of this pass, in order.
    pub(super) run: Vec<Operation>,
    /// True when the plan has more than this pass does: the object stays dirty.
    pub(super) left: bool,
    /// How the users of members that leave with them are taken away themselves, where that is due.
    pub(super) removals: BTreeMap<SourceId, Verb>,
    /// The request that they make; none for a link alone.
    pub(super) request: Request,
    pub(super) creates: bool,
    pub(super) sends: bool,
    pub(super) sets_active: bool,
    /// False for a create of a first cycle that read nothing of the target: its resource cannot be a known one.
    pub(super) asks: bool,
    /// The link as it is now, or as the link operation makes it.
    pub(super) target: Option<TargetId>,
    /// Attributes as sent, target ids put in.
    pub(super) sent: Attributes,
    /// Members as sent: added (or found there) and removed.
    pub(super) added: Vec<(SourceId, TargetId)>,
    /// How many of them a create may carry; the others follow it.
    pub(super) rode: usize,
    /// Members to be added who were in the group before it was ours.
    pub(super) earlier: BTreeSet<SourceId>,
    /// See [`Self::added`].
    pub(super) removed: Vec<(SourceId, TargetId)>,
    /// When its requests were answered; `None` before, and where there are none.
    pub(super) answered_at: Option<Timestamp>,
    /// What the target did not take, or did not keep.
    pub(super) left_out: LeftOut,
    /// References that have no target id at this moment: the object stays dirty.
    pub(super) unresolved: u64,
}

/// What of a work the target did not take, or did not keep, while it took the rest.
#[derive(Debug)]
pub(super) struct LeftOut {
    /// Attributes that it refused.
    pub(super) attributes: Vec<RefusedPart>,
    /// Those of them that it took and did not keep, with what it holds instead.
    pub(super) not_kept: Vec<Attribute>,
    /// What the target holds of attributes that it does not keep beside one that was written.
    pub(super) held_instead: Vec<(Name, Value)>,
    /// Values of a leaver that are still in the resource which a newcomer took over: they count as sent, so that later cycles
    /// take them away.
    pub(super) of_a_leaver: Vec<(Name, Value)>,
    /// Members that it refused.
    pub(super) members: Vec<RefusedMember>,
    /// The names of those, where they are known.
    pub(super) names: BTreeMap<SourceId, String>,
    /// What it took in a create, refused once more, and does not show: it counts as sent until the resource can be read.
    pub(super) in_doubt: InDoubt,
}

/// Values and members of which nobody knows whether the target holds them.
#[derive(Debug, Default)]
pub(super) struct InDoubt {
    pub(super) attributes: Vec<RefusedPart>,
    pub(super) members: Vec<RefusedMember>,
}

impl InDoubt {
    /// What the target said of them; `None` where nothing is in doubt.
    pub(super) fn error(&self) -> Option<&TargetError> {
        let of_members = || self.members.first().map(|one| &one.error);
        self.attributes.first().map(|one| &one.error).or_else(of_members)
    }
}

impl LeftOut {
    const fn new() -> Self {
        Self {
            attributes: Vec::new(),
            not_kept: Vec::new(),
            held_instead: Vec::new(),
            of_a_leaver: Vec::new(),
            members: Vec::new(),
            names: BTreeMap::new(),
            in_doubt: InDoubt {
                attributes: Vec::new(),
                members: Vec::new(),
            },
        }
    }
}

#[derive(Debug)]
pub(super) enum Request {
    None,
    Create { body: NewResource, rest: Vec<TargetId> },
    Patch(Patch),
    Delete,
}

/// How a request ended.
#[derive(Debug)]
pub(super) enum Answer {
    /// Done; the resource as the target now holds it, where it said so.
    Done {
        target: TargetId,
        resource: Option<Answered>,
        whole: bool,
    },
    /// The create went through; the members that did not fit into it did not.
    Half {
        target: TargetId,
        resource: Answered,
        error: TargetError,
    },
    /// A create that was answered with a resource that was there before.
    Met { target: TargetId, resource: Answered },
    /// Not done, or not known to be.
    Failed(TargetError),
    /// Not sent: the cycle was asked to stop, or the target is in trouble.
    NotSent,
    /// A create that was not sent, because its intent would be too old by the time it is carried out: it is judged by the
    /// intent's age, see [`super::apply::intents`]. It comes with the next sweep.
    TooLate,
    /// Not sent: operations of this kind stopped after it was planned.
    Cut(Verb),
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Carried {
    /// Something was carried out or settled.
    pub(super) moved: bool,
    /// What apply learned asks for another sweep.
    pub(super) again: bool,
}

/// Members that ride in a group's create; more follow in PATCHes (servers limit the size of a body).
pub(super) const MEMBERS_IN_CREATE: usize = 1000;

impl Work {
    pub(super) const fn new(plan: ObjectPlan, record: Option<Record>, pass: Pass) -> Self {
        Self {
            plan,
            record,
            pass,
            run: Vec::new(),
            left: false,
            removals: BTreeMap::new(),
            request: Request::None,
            creates: false,
            sends: false,
            sets_active: false,
            asks: true,
            target: None,
            sent: Attributes::new(),
            added: Vec::new(),
            rode: MEMBERS_IN_CREATE,
            earlier: BTreeSet::new(),
            removed: Vec::new(),
            answered_at: None,
            left_out: LeftOut::new(),
            unresolved: 0,
        }
    }

    /// True when the request is a create.
    pub(super) const fn creates(&self) -> bool {
        self.creates
    }

    /// True when nothing is left to do for the object once this is done: its dirty mark goes.
    pub(super) fn completes(&self) -> bool {
        !self.left && self.unresolved == 0 && self.plan.settles() && self.pass != Pass::MembersOut
    }

    /// True when members are added or removed by it.
    pub(super) const fn moves_members(&self) -> bool {
        !self.added.is_empty() || !self.removed.is_empty()
    }

    /// True for a create whose members do not all fit into it.
    pub(super) const fn patches_after_create(&self) -> bool {
        matches!(&self.request, Request::Create { rest, .. } if !rest.is_empty())
    }

    /// The resource that it takes over, where it is an adoption.
    pub(super) fn adopts(&self) -> Option<TargetId> {
        let links = |operation: &&Operation| operation.verb.links();
        self.run
            .iter()
            .find(links)
            .and_then(|operation| operation.target.clone())
    }

    /// The target paths that it sets.
    pub(super) fn sent_paths(&self) -> Vec<String> {
        self.sent.keys().map(|path| path.as_str().to_owned()).collect()
    }

    /// True when it enables or disables: not for an adoption that finds `active` as it is to be.
    pub(super) const fn sets_active(&self) -> bool {
        self.sets_active
    }

    /// Notes who is in a group before it is taken over: once others were added, nobody could tell any more.
    pub(super) fn note_found(&self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let group = self.plan.source;
        let taken = self.run.iter().filter(|operation| operation.takes_over());
        let taken = taken.flat_map(|operation| &operation.members);
        let taken = taken.filter_map(|member| Some((member.source, member.target.clone()?)));
        let earlier = self.added.iter().filter(|(id, _)| self.earlier.contains(id));
        for (member, target) in taken.chain(earlier.cloned()) {
            if let Some(edge) = tx.edge(&group, &member)? {
                let (sent, found) = (Some(target), true);
                tx.put_edge(&group, &member, &Membership { sent, found, ..edge })?;
            }
        }
        Ok(())
    }

    /// True when drift is put right: what the target then holds is read back.
    pub(super) fn heals(&self) -> bool {
        self.run.iter().any(|operation| operation.because.heals())
    }

    /// True when there is a request to send.
    pub(super) const fn sends(&self) -> bool {
        self.sends
    }
}

/// A removal that the first pass found, as the store keeps it until the cycle is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Removal {
    /// Disable or delete.
    pub verb: Verb,
}

/// True for a group that is emptied because it is gone at the source, or not ours any more.
pub(super) const fn empties(operation: &Operation) -> bool {
    operation.verb.act().is(Act::RemoveMembers)
        && matches!(
            operation.because,
            Reason::SoftDeleted | Reason::HardDeleted | Reason::OutOfScope { .. }
        )
}

pub(super) fn is_active(change: &Change) -> bool {
    change.attribute.eq_ignore_ascii_case("active")
}

/// The operation whose request failed; an adoption, and its end, have none of their own.
pub(super) fn failed_operation(work: &Work) -> Option<&Operation> {
    work.run.iter().find(|operation| operation.verb.has_request())
}

pub(super) fn failed_verb(operation: Option<&Operation>) -> &'static str {
    operation.map_or("link", |operation| operation.verb.name())
}

/// The object whose resource these operations take over.
pub(super) fn rehired_from(run: &[Operation]) -> Option<SourceId> {
    run.iter().find_map(|operation| match operation.because {
        Reason::Rehired { from, .. } => Some(from),
        _ => None,
    })
}

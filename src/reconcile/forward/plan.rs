//! The planner: one object's view in, what to do about it out. Pure: no I/O, no clock, no randomness.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use crate::mapping::Context;
use crate::mapping::Mapping;
use crate::model::clock::Timestamp;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::link::Link;
use crate::model::object::Life;
use crate::model::object::Removed;
use crate::model::refusal::Refusal;
use crate::model::value::Value;
use crate::model::verb::Act;
use crate::reconcile::explain::omission::Omission;
use crate::reconcile::forward::matching::Key;
use crate::reconcile::forward::view::ObjectView;
use crate::reconcile::look::Look;
use crate::reconcile::operation::Change;
use crate::reconcile::operation::Operation;
use crate::reconcile::operation::Verb;
use crate::reconcile::policy::Policy;
use crate::reconcile::scope::Standing;
use crate::reconcile::target_schema::Unsupported;

/// What every plan of a cycle depends on.
#[derive(Debug, Clone)]
pub struct Planner<'a> {
    /// The mapping in force.
    pub mapping: &'a Mapping,
    /// What expressions draw on beside the object: time, chance, the tenant.
    pub context: &'a Context,
    /// The policy in force.
    pub policy: &'a Policy,
    /// Target paths that the target's schema does not take: left out, with a finding.
    pub unsupported: &'a Unsupported,
    /// The cycle's time.
    pub now: Timestamp,
    /// An admin asked for these objects: where the target differs from what it kept, it is written again.
    pub forced: bool,
    /// False while managers may still be created before their reports; true in the last sweep, which sends
    /// what is left without waiting (managers in a circle, managers that failed).
    pub settle_references: bool,
}

/// What is to be done about one object.
#[derive(Debug, Clone)]
pub struct ObjectPlan {
    /// User or group.
    pub kind: ObjectKind,
    /// The object.
    pub source: SourceId,
    /// Its name, for showing.
    pub name: String,
    /// Operations in order: link, then create, update or delete, then memberships.
    pub operations: Vec<Operation>,
    /// Attributes found to be right without our doing: to be recorded as sent, without a request.
    pub record: Vec<Change>,
    /// What is not done, and why.
    pub omissions: Vec<Omission>,
    /// What the next cycle does if nothing changes until then: a loss that has been seen once.
    pub pending: Vec<Awaited>,
    /// Keys to look up at the target before this can be planned.
    pub need: Option<Vec<Key>>,
    /// The object is gone and nothing of it is at the target: its record can go.
    pub forget: bool,
    /// Members that the target's group holds through us.
    pub members_held: u64,
    /// References that cannot be sent: members or manager that are not at the target.
    pub skipped_references: u64,
    /// References that may come later in this cycle: whoever they are marks the object then.
    pub pending_references: u64,
    /// Attributes that the target refused before, as they are kept.
    pub refused: Vec<Refusal>,
    /// Those of them that are still wanted, and whose next try has not come.
    pub waiting: BTreeSet<String>,
}

/// An operation that follows when what was seen once is seen again.
#[derive(Debug, Clone)]
pub struct Awaited {
    /// The operation.
    pub operation: Operation,
    /// What was seen once, and what it waits for.
    pub because: String,
}

impl Awaited {
    fn scope_loss(operation: Operation) -> Self {
        let because = operation.because.to_string();
        Self { operation, because }
    }

    fn second_look(operations: Vec<Operation>, look: &Look) -> Vec<Self> {
        let because = look.words();
        let awaited = |operation| Self {
            operation,
            because: because.clone(),
        };
        operations.into_iter().map(awaited).collect()
    }
}

impl ObjectPlan {
    /// Nothing yet.
    #[must_use]
    pub fn new(view: &ObjectView) -> Self {
        Self {
            refused: view.refused.clone(),
            ..Self::of(view.object.kind, view.object.id, view.object.name())
        }
    }

    /// Nothing yet, for an object that is known by name only.
    #[must_use]
    pub const fn of(kind: ObjectKind, source: SourceId, name: String) -> Self {
        Self {
            kind,
            source,
            name,
            operations: Vec::new(),
            record: Vec::new(),
            omissions: Vec::new(),
            pending: Vec::new(),
            need: None,
            forget: false,
            members_held: 0,
            skipped_references: 0,
            pending_references: 0,
            refused: Vec::new(),
            waiting: BTreeSet::new(),
        }
    }

    /// With one thing more that is not done.
    #[must_use]
    pub fn omit(mut self, omission: Omission) -> Self {
        self.omissions.push(omission);
        self
    }

    /// True when nothing is left to do after the operations: the dirty mark goes with their success.
    #[must_use]
    pub fn settles(&self) -> bool {
        self.need.is_none() && self.omissions.iter().all(Omission::settles)
    }
}

impl Planner<'_> {
    /// Plans one object.
    #[must_use]
    pub fn plan(&self, view: &ObjectView) -> ObjectPlan {
        let plan = ObjectPlan::new(view);
        if view.intent_open {
            return plan.omit(Omission::IntentOpen);
        }
        if self.is_protected(view) {
            return plan.omit(Omission::Protected);
        }
        match (view.object.life, &view.link) {
            (Life::Missing | Life::Unknown, link) => self.unproven(view, link.as_ref(), plan),
            (Life::Gone(_), None) => {
                let mut plan = plan.omit(Omission::GoneUnlinked);
                plan.forget = true;
                plan
            }
            (Life::Gone(removed), Some(link)) => {
                let leaves = self.leaves(view, link, removed, plan);
                self.doubted(view, leaves)
            }
            (Life::Alive, _) => self.alive(view, plan),
        }
    }

    /// Plans an object that lives, as its scope has it.
    fn alive(&self, view: &ObjectView, mut plan: ObjectPlan) -> ObjectPlan {
        match &view.scope {
            Standing::Out { because } => {
                let leaves = self.out_of_scope(view, because, plan);
                return self.doubted(view, leaves);
            }
            Standing::Unknown { missing } => {
                return plan.omit(Omission::ScopeUnknown {
                    missing: missing.clone(),
                });
            }
            Standing::Leaving { because } => {
                let leaves = self.out_of_scope(view, because, ObjectPlan::new(view));
                plan.pending = leaves.operations.into_iter().map(Awaited::scope_loss).collect();
                plan = plan.omit(Omission::ScopeLossUnconfirmed {
                    why: because.to_string(),
                });
            }
            Standing::In => {}
        }
        match &view.link {
            Some(link) => self.linked(view, link, plan),
            None => self.unlinked(view, plan),
        }
    }

    /// Plans a linked object that is gone at the source.
    fn leaves(&self, view: &ObjectView, link: &Link, removed: Removed, plan: ObjectPlan) -> ObjectPlan {
        match view.object.kind {
            ObjectKind::User => self.user_leaves(view, link, removed, plan),
            ObjectKind::Group => self.group_leaves(view, link, removed, plan),
        }
    }

    /// Nothing is done to somebody of whom it is not known whether they live; what a second look would prove is announced.
    fn unproven(&self, view: &ObjectView, link: Option<&Link>, mut plan: ObjectPlan) -> ObjectPlan {
        let Some(look) = view.doubt else {
            return plan.omit(Omission::NotProvenGone {
                why: "not in the last full read of the source, and not yet asked for".to_owned(),
            });
        };
        if let (Some(Life::Gone(removed)), Some(link)) = (look.seen_again(), link) {
            let leaves = self.leaves(view, link, removed, ObjectPlan::new(view));
            plan.pending = Awaited::second_look(leaves.operations, &look);
        }
        plan.omit(Omission::NotProvenGone { why: look.words() })
    }

    /// Nothing is deleted or emptied of somebody of whom a look said otherwise; no other operation needs a look.
    fn doubted(&self, view: &ObjectView, mut plan: ObjectPlan) -> ObjectPlan {
        let Some(look) = view.doubt else { return plan };
        let all = std::mem::take(&mut plan.operations);
        let (waits, goes): (Vec<_>, Vec<_>) =
            all.into_iter().partition(|operation| needs_look(operation.verb));
        plan.operations = goes;
        if waits.is_empty() {
            return plan;
        }
        let then = match (look.seen_again(), &view.link) {
            // The values that were seen are those that put it out of scope.
            (Some(Life::Alive), _) if view.object.life == Life::Alive => waits,
            (Some(Life::Gone(removed)), Some(link)) => {
                self.leaves(view, link, removed, ObjectPlan::new(view)).operations
            }
            (Some(Life::Alive | Life::Gone(_) | Life::Missing | Life::Unknown) | None, _) => Vec::new(),
        };
        plan.pending = Awaited::second_look(then, &look);
        plan.omit(Omission::NotProvenGone { why: look.words() })
    }

    /// Protected under its names at the source, or under the one it was given at the target.
    pub(in crate::reconcile) fn is_protected(&self, view: &ObjectView) -> bool {
        let sent = view.link.as_ref().map(|link| &link.sent);
        let held = ["userPrincipalName", "mail", "displayName"]
            .iter()
            .filter_map(|name| view.object.attribute(name))
            .chain(
                ["userName", "displayName"]
                    .iter()
                    .filter_map(|name| sent?.get(name)),
            );
        let id = Value::text(view.object.id.to_string());
        held.chain([&id]).any(|name| self.protects(name))
    }

    /// True for a name or an id that is written in `protect`, in any case.
    pub(in crate::reconcile) fn protects(&self, name: &Value) -> bool {
        let Some(name) = name.as_str() else { return false };
        self.policy
            .protect
            .iter()
            .any(|protected| protected.to_lowercase() == name.to_lowercase())
    }
}

const fn needs_look(verb: Verb) -> bool {
    match verb.act() {
        Act::Delete | Act::RemoveMembers | Act::Unlink | Act::Leave => true,
        Act::Create | Act::Update | Act::Disable | Act::Enable | Act::AddMembers | Act::Link | Act::Join => {
            false
        }
    }
}

/// How many operations, by verb: the counts of a summary.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts(pub BTreeMap<crate::reconcile::operation::Verb, u64>);

impl Counts {
    /// Counts one operation.
    pub fn add(&mut self, operation: &Operation) {
        *self.0.entry(operation.verb).or_default() += operation.count();
    }

    /// The sum.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }
}

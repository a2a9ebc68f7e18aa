//! The rows of one object, explained: what each reads, what it comes to, and what that is compared with.

use serde_json::Value as Json;

use super::object::Attribute;
use super::object::Shown;
use crate::mapping::Apply;
use crate::mapping::Authority;
use crate::mapping::DesiredValue;
use crate::mapping::Reference as RowReference;
use crate::mapping::Row;
use crate::mapping::read_path;
use crate::mapping::same;
use crate::mapping::trace::Trace;
use crate::mapping::trace::Traced;
use crate::mapping::trace::trace;
use crate::model::id::ObjectKind;
use crate::model::link::Kept;
use crate::model::link::Link;
use crate::model::value::Value;
use crate::reconcile::forward::changes::facts;
use crate::reconcile::forward::plan::Planner;
use crate::reconcile::forward::three_way;
use crate::reconcile::forward::three_way::Verdict;
use crate::reconcile::forward::view::ObjectView;
use crate::reconcile::forward::view::Reference;
use crate::reconcile::members_of;
use crate::reconcile::operation::Operation;

/// What is known of the resource beside the view.
#[derive(Debug, Clone, Copy, Default)]
pub struct Held<'a> {
    /// The link.
    pub link: Option<&'a Link>,
    /// The resource, as read now.
    pub actual: Option<&'a Json>,
}

impl Planner<'_> {
    /// Every row for an object. `operations` are what the plan comes to: they say which attributes are written.
    #[must_use]
    pub fn attributes(&self, view: &ObjectView, held: Held<'_>, operations: &[Operation]) -> Vec<Attribute> {
        let facts = facts(view);
        let rows = self.mapping.rows(view.object.kind).iter();
        rows.map(|row| {
            let attribute = match row.reference {
                Some(reference) => referred(row, reference, view, held),
                None => {
                    let traced = trace(self.context, row, &view.object, &facts);
                    of_row(row, traced, held)
                }
            };
            self.judged(view.object.kind, row, attribute, operations)
        })
        .collect()
    }

    fn judged(
        &self,
        kind: ObjectKind,
        row: &Row,
        mut attribute: Attribute,
        operations: &[Operation],
    ) -> Attribute {
        let changes = operations.iter().flat_map(|operation| &operation.changes);
        let members = operations.iter().any(|operation| !operation.members.is_empty());
        let written = changes
            .into_iter()
            .any(|change| change.attribute == attribute.target)
            || (row.reference == Some(RowReference::Members) && members);
        if self.unsupported.contains(kind, &attribute.target) {
            attribute.state = "no_opinion";
            attribute.remark = Some("left out: the target's schema does not take it".to_owned());
        } else if written {
            attribute.state = "write";
        }
        if row.source.is_redacted() {
            attribute = attribute.redacted();
        }
        attribute
    }
}

fn of_row(row: &Row, traced: Trace, held: Held<'_>) -> Attribute {
    let pairs = |list: Vec<Traced>| {
        let pair = |traced: Traced| (traced.expression, Shown::from(&traced.result));
        list.into_iter().map(pair).collect::<Vec<_>>()
    };
    let whole = row.source.step_text();
    let mut steps = pairs(traced.steps);
    steps.retain(|(expression, _)| *expression != whole);
    let (desired, remark) = said(row, &traced.desired);
    let base = Base::of(row, held);
    let state = match traced.desired.on_update() {
        _ if held.link.is_none() => "same",
        None => "no_opinion",
        Some(want) => base.state(row, want, held.link),
    };
    Attribute {
        target: row.target.as_str().to_owned(),
        expression: row.source.text().to_owned(),
        matching: row.matching,
        inputs: pairs(traced.inputs),
        steps,
        desired,
        remark,
        sent: base.sent,
        kept: base.kept,
        actual: base.actual,
        state,
    }
}

/// What the row says, and under which condition.
fn said(row: &Row, desired: &DesiredValue) -> (Shown, Option<String>) {
    let remark = |text: &str| Some(text.to_owned());
    match desired {
        DesiredValue::Value(value) => (Shown::Value(value.clone()), None),
        DesiredValue::CreateOnly(value) => {
            let why = match (row.apply, row.authority) {
                (_, Authority::Target) => "goes into a create only: the target is the authority",
                (Apply::CreateOnly | Apply::Always, _) => "goes into a create only",
            };
            (Shown::Value(value.clone()), remark(why))
        }
        DesiredValue::Default(value) => (
            Shown::Value(value.clone()),
            remark("the row's default, which goes into a create only: the result is null"),
        ),
        DesiredValue::Unknown { missing } => (
            Shown::Words(format!("no opinion: the property {missing} was never read")),
            None,
        ),
        DesiredValue::NoFlow => (Shown::Words("no opinion: nothing flows".to_owned()), None),
        DesiredValue::Failed { message } => (Shown::Words(format!("no opinion: {message}")), None),
    }
}

/// What an attribute is compared with.
struct Base {
    sent: Option<Value>,
    kept: Option<Shown>,
    actual: Option<Value>,
}

impl Base {
    fn of(row: &Row, held: Held<'_>) -> Self {
        let path = row.target.as_str();
        let kept = held.link.and_then(|link| link.kept.get(path));
        Self {
            sent: held.link.and_then(|link| link.sent.get(path)).cloned(),
            kept: match kept {
                Some(Kept::Other(value)) => Some(Shown::Value(value.clone())),
                Some(Kept::Unknown) => Some(Shown::Words("not known yet".to_owned())),
                Some(Kept::AsSent) | None => None,
            },
            actual: held
                .actual
                .map(|body| read_path(body, &row.target).unwrap_or_default()),
        }
    }

    /// The verdict of the planner's own comparison, with what the target holds now.
    fn state(&self, row: &Row, want: &Value, link: Option<&Link>) -> &'static str {
        let kept = link.and_then(|link| link.kept.get(row.target.as_str()));
        let verdict = three_way::compare(want, self.sent.as_ref(), kept, self.actual.as_ref(), &|a, b| {
            same(&row.target, a, b)
        });
        match verdict {
            Verdict::Keep => "same",
            Verdict::Record => "record",
            Verdict::Write | Verdict::Conflict => "write",
            Verdict::Repair => "drift",
        }
    }
}

/// The manager, or the members in numbers: who they are is in the operations.
fn referred(row: &Row, reference: RowReference, view: &ObjectView, held: Held<'_>) -> Attribute {
    let mut base = Base::of(row, held);
    let words = match reference {
        RowReference::Manager => {
            let id = view.object.manager.map_or_else(String::new, |id| id.to_string());
            match &view.manager {
                Reference::None => "no manager".to_owned(),
                Reference::Linked(target) => format!("{id}, at the target as {target}"),
                Reference::Expected(_) => format!("{id}, who is created or adopted by the same cycle"),
                Reference::Pending => format!("{id}, whose turn comes in the same cycle"),
                Reference::Absent => format!("{id}, who is not at the target: sent once that is so"),
                Reference::Gone => format!("{id}, who is deleted in Entra: not referred to"),
                Reference::Out => format!("{id}, who is out of scope: not referred to"),
            }
        }
        RowReference::Members => {
            base = Base {
                sent: None,
                kept: None,
                actual: held.actual.map(|body| Value::text(shown_in_words(body))),
            };
            members_in_words(view)
        }
    };
    let differs = |sent: &Option<Value>, now: &Option<Value>| match (sent, now) {
        (sent, Some(now)) => !same(&row.target, sent.as_ref().unwrap_or(&Value::Null), now),
        _ => false,
    };
    let drifts = reference == RowReference::Manager && differs(&base.sent, &base.actual);
    Attribute {
        target: row.target.as_str().to_owned(),
        expression: row.source.text().to_owned(),
        matching: None,
        inputs: Vec::new(),
        steps: Vec::new(),
        desired: Shown::Words(words),
        remark: None,
        sent: base.sent,
        kept: base.kept,
        actual: base.actual,
        state: if drifts { "drift" } else { "same" },
    }
}

fn shown_in_words(body: &serde_json::Value) -> String {
    let shown = members_of(body);
    match (shown.there.len(), shown.whole) {
        (count, true) => format!("{count} members"),
        (0, false) => "not shown by the target".to_owned(),
        (count, false) => format!("{count} members shown, perhaps not all"),
    }
}

fn members_in_words(view: &ObjectView) -> String {
    let count = |of: &dyn Fn(&Reference) -> bool| {
        let present = view.members.iter().filter(|member| member.present);
        present.filter(|member| of(&member.state)).count()
    };
    let there = count(&|state| matches!(state, Reference::Linked(_) | Reference::Expected(_)));
    let soon = count(&|state| *state == Reference::Pending);
    let never = count(&|state| {
        matches!(
            state,
            Reference::Absent | Reference::Gone | Reference::Out | Reference::None
        )
    });
    let sent = view.members.iter().filter(|member| member.sent.is_some()).count();
    format!(
        "{} members in Entra: {there} at the target, {soon} whose turn comes in the same cycle, {never} that are not sent; \
         {sent} were sent before",
        there + soon + never
    )
}

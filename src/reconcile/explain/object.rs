//! One object, explained step by step (`melonsync explain`): found in the source, in scope, matched, each attribute, what
//! it leads to. Pure: what is known goes in, what is shown comes out; values of rows that call `Redact` do not.

use std::collections::BTreeMap;

use super::enrolled::InEnrolled;
use super::groups::InGroup;
use super::groups::Way;
use super::hidden;
use crate::mapping::Filter;
use crate::mapping::MemberOf;
use crate::mapping::Stop;
use crate::mapping::Verdict as Clause;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::id::TargetId;
use crate::model::link::Link;
use crate::model::object::Life;
use crate::model::object::Removed;
use crate::model::object::SourceObject;
use crate::model::value::Value;
use crate::reconcile::forward::view::ObjectView;
use crate::reconcile::forward::view::TargetReading;
use crate::reconcile::operation::Change;
use crate::reconcile::operation::Operation;
use crate::reconcile::scope::Standing;

/// An object with everything that is known of it, and what that leads to.
#[derive(Debug, Clone)]
pub struct Explanation {
    /// The job.
    pub job: String,
    /// User or group.
    pub kind: ObjectKind,
    /// Its object id.
    pub id: SourceId,
    /// The name that people know it by.
    pub name: String,
    /// What concerns more than this object, and what could not be read.
    pub notes: Vec<String>,
    /// Found in the source.
    pub source: Found,
    /// In scope or not, and by which rule.
    pub scope: InScope,
    /// Paired with which resource, and how.
    pub matching: Matching,
    /// Row by row of the mapping.
    pub attributes: Vec<Attribute>,
    /// The operations of a cycle on it, as `plan` shows them.
    pub operations: Vec<Operation>,
    /// What a cycle leaves undone: label, words, and what to do about it.
    pub omissions: Vec<(String, String, String)>,
    /// The last operations on it, newest first.
    pub history: Vec<Past>,
    /// The names of those who are referred to, as far as they are known.
    pub names: BTreeMap<SourceId, String>,
    /// The groups that hold the user on a side.
    pub groups: Vec<InGroup>,
    /// The group that was asked for.
    pub in_group: Option<InGroup>,
    /// How the user stands with the enrolled group, where the job keeps one.
    pub enrolled: Option<InEnrolled>,
    /// The pause of the job, in words.
    pub paused: Option<String>,
}

/// What the source says.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// `alive`, `missing`, `unknown`, `soft_deleted` or `hard_deleted`.
    pub life: &'static str,
    /// `accountEnabled` of a user; `None` where it was not read, and for groups.
    pub enabled: Option<bool>,
    /// When the stream was last read to its end.
    pub read: Option<String>,
    /// What the source answered when it was asked for this object just now.
    pub asked: String,
    /// What of that answer is other than what was read before. What is announced goes by the answer, and the next cycle by what
    /// the delta query brings: most often the same.
    pub moved: Vec<String>,
}

/// Where it stands as the scope goes.
#[derive(Debug, Clone, Default)]
pub struct InScope {
    /// `in`, `leaving`, `out` or `unknown`.
    pub standing: &'static str,
    /// The rule that decided.
    pub because: String,
    /// Each group of clauses of the filter, and what became of it.
    pub clauses: Vec<(String, String)>,
    /// Each group that the filter asks about, and whether the user is in it; `None` is not known.
    pub memberships: Vec<(MemberOf, Option<bool>)>,
    /// Whether it is assigned to the enterprise application, where that was read.
    pub assigned: Option<bool>,
    /// The way that leads into scope, where it leads through a group.
    pub way: Option<Way>,
}

/// How it was paired.
#[derive(Debug, Clone, Default)]
pub struct Matching {
    /// `linked`, `found`, `ambiguous`, `none`, or `not_looked_for`.
    pub state: &'static str,
    /// In words.
    pub because: String,
    /// Since when it is linked.
    pub since: Option<String>,
    /// The linked resource, or the one found.
    pub target: Option<TargetId>,
    /// What it is looked up by, where it has no link: attribute and value.
    pub keys: Vec<(String, Value)>,
    /// Resources that match in some way.
    pub candidates: Vec<TargetId>,
}

/// One row for this object.
#[derive(Debug, Clone)]
pub struct Attribute {
    /// Target path.
    pub target: String,
    /// The expression, as written.
    pub expression: String,
    /// Its matching precedence, if it has one.
    pub matching: Option<u8>,
    /// What was read for it, in order: expression and result in words or as a value.
    pub inputs: Vec<(String, Shown)>,
    /// Intermediate results, inner ones first, without the whole expression.
    pub steps: Vec<(String, Shown)>,
    /// What the row says.
    pub desired: Shown,
    /// What the row says beside its value: create only, a default, and so on.
    pub remark: Option<String>,
    /// As last sent; `None` where nothing was.
    pub sent: Option<Value>,
    /// What the target kept of it, where that is another thing; "unknown" where nobody knows.
    pub kept: Option<Shown>,
    /// What the target holds now; `None` where it was not read.
    pub actual: Option<Value>,
    /// `write`, `record`, `drift`, `same` or `no_opinion`.
    pub state: &'static str,
}

/// A value, or why there is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// The value.
    Value(Value),
    /// Why there is none, in words.
    Words(String),
}

/// One entry of the history.
#[derive(Debug, Clone, Default)]
pub struct Past {
    /// When, RFC 3339.
    pub time: String,
    /// In which cycle.
    pub cycle: Option<String>,
    /// Who asked.
    pub actor: String,
    /// What.
    pub operation: String,
    /// How it ended.
    pub result: String,
    /// Why.
    pub because: String,
    /// At which resource.
    pub target: Option<String>,
    /// What changed; empty where the values were erased.
    pub changes: Vec<Change>,
    /// What a failure said.
    pub detail: Option<String>,
}

impl From<&Result<Value, Stop>> for Shown {
    fn from(result: &Result<Value, Stop>) -> Self {
        match result {
            Ok(value) => Self::Value(value.clone()),
            Err(Stop::Unknown(property)) => Self::Words(format!("never read: the property {property}")),
            Err(Stop::NoFlow) => Self::Words("nothing flows".to_owned()),
            Err(Stop::Failed(why)) => Self::Words(format!("failed: {why}")),
        }
    }
}

impl Shown {
    fn redacted(self) -> Self {
        match self {
            Self::Value(value) => Self::Value(hidden(value)),
            words @ Self::Words(_) => words,
        }
    }
}

impl Found {
    /// What the snapshot knows.
    #[must_use]
    pub fn of(object: &SourceObject) -> Self {
        let enabled = object.attribute("accountEnabled").and_then(Value::as_bool);
        Self {
            life: match object.life {
                Life::Alive => "alive",
                Life::Missing => "missing",
                Life::Unknown => "unknown",
                Life::Gone(Removed::SoftDeleted) => "soft_deleted",
                Life::Gone(Removed::HardDeleted) => "hard_deleted",
            },
            enabled: enabled.filter(|_| object.kind == ObjectKind::User),
            ..Self::default()
        }
    }
}

impl InScope {
    /// The standing, with what each group of clauses of the filter says. `everybody`: no rule leaves anybody out.
    #[must_use]
    pub fn of(
        view: &ObjectView,
        filter: Option<&Filter>,
        memberships: Vec<(MemberOf, Option<bool>)>,
        assigned: Option<bool>,
        everybody: bool,
    ) -> Self {
        let known = |of: MemberOf| {
            let one = memberships.iter().find(|(asked, _)| *asked == of);
            one.and_then(|(_, is)| *is)
        };
        let clauses: Vec<(String, String)> = filter
            .map(|filter| clauses_of(filter, &view.object, &known))
            .unwrap_or_default();
        let holds = clauses.iter().find(|(_, said)| said == HOLDS);
        let (standing, because) = match &view.scope {
            _ if view.object.life != Life::Alive => (
                "in",
                "not asked: the object is not alive in the source".to_owned(),
            ),
            Standing::In if everybody => ("in", "no rule leaves anybody out".to_owned()),
            Standing::In => (
                "in",
                holds.map_or_else(|| in_words(assigned), |(clause, _)| format!("`{clause}` holds")),
            ),
            Standing::Leaving { because } => (
                "leaving",
                format!("treated as in scope until the next complete cycle agrees: {because}"),
            ),
            Standing::Out { because } => ("out", because.to_string()),
            Standing::Unknown { missing } => {
                ("unknown", format!("it depends on what is not known: {missing}"))
            }
        };
        Self {
            standing,
            because,
            clauses,
            memberships,
            assigned,
            way: None,
        }
    }
}

fn in_words(assigned: Option<bool>) -> String {
    match assigned {
        Some(true) => "assigned to the enterprise application, itself or through a group".to_owned(),
        _ => "no rule leaves it out".to_owned(),
    }
}

/// What is said of a group of clauses that holds.
const HOLDS: &str = "holds";

/// Each group of clauses alone: they are joined by OR, so each could let the object in.
fn clauses_of(
    filter: &Filter,
    object: &SourceObject,
    known: &dyn Fn(MemberOf) -> Option<bool>,
) -> Vec<(String, String)> {
    let text_of = |group: &Vec<_>| {
        group
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<String>>()
            .join(" AND ")
    };
    let groups = filter.groups().iter().map(text_of);
    groups
        .map(|text| {
            let alone = Filter::parse(filter.kind(), &text);
            let said = match alone.map(|alone| alone.evaluate(object, known)) {
                Ok(Clause::Holds) => HOLDS.to_owned(),
                Ok(Clause::Fails { clauses }) => format!("`{}` does not hold", clauses.join("`, `")),
                Ok(Clause::Unknown { missing }) => format!("not known: {missing}"),
                Err(_) => "not known".to_owned(),
            };
            (text, said)
        })
        .collect()
}

impl Matching {
    /// How the view's object is paired; `keys` are what it is looked up by.
    #[must_use]
    pub fn of(view: &ObjectView, link: Option<&Link>, keys: Vec<(String, Value)>) -> Self {
        if let Some(link) = link {
            return Self {
                state: "linked",
                because: format!("{}, on {}", origin(link), link.since),
                since: Some(link.since.to_string()),
                target: Some(link.target.clone()),
                ..Self::default()
            };
        }
        let TargetReading::Candidates { found, absence } = &view.target else {
            return Self {
                state: "not_looked_for",
                because: "it has no link, and nothing was looked for at the target".to_owned(),
                keys,
                ..Self::default()
            };
        };
        let candidates: Vec<TargetId> = found.iter().map(|candidate| candidate.id.clone()).collect();
        let (state, because) = match candidates.len() {
            0 => (
                "none",
                match absence {
                    crate::reconcile::forward::view::Absence::Proven(how) => format!("proven: {how}"),
                    crate::reconcile::forward::view::Absence::Unproven(why) => format!("not proven: {why}"),
                },
            ),
            1 => ("found", "one resource matches".to_owned()),
            many => ("ambiguous", format!("{many} resources match in some way")),
        };
        Self {
            state,
            because,
            since: None,
            target: candidates.first().filter(|_| candidates.len() == 1).cloned(),
            keys,
            candidates,
        }
    }
}

fn origin(link: &Link) -> String {
    match &link.origin {
        crate::model::link::LinkOrigin::Created => "created by melonsync".to_owned(),
        crate::model::link::LinkOrigin::Adopted(by) => format!("adopted, because its {by} was the same"),
    }
}

impl Attribute {
    pub(in crate::reconcile) fn redacted(mut self) -> Self {
        let hide = |list: Vec<(String, Shown)>| {
            let hide = |(expression, shown): (String, Shown)| (expression, shown.redacted());
            list.into_iter().map(hide).collect()
        };
        self.inputs = hide(self.inputs);
        self.steps = hide(self.steps);
        self.desired = self.desired.redacted();
        self.sent = self.sent.map(hidden);
        self.kept = self.kept.map(Shown::redacted);
        self.actual = self.actual.map(hidden);
        self
    }
}

#[cfg(test)]
mod tests;

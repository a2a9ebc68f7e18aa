//! The mapping in force, its scope, and what is read for both.

use serde::Serialize;
use serde_json::Value as Json;

use crate::mapping::Apply;
use crate::mapping::Authority;
use crate::mapping::Drift;
use crate::mapping::Filter;
use crate::mapping::Mapping;
use crate::mapping::Row;
use crate::model::id::ObjectKind;
use crate::model::value::Value;
use crate::reconcile::scope::ScopeRules;

/// The mapping of a job.
#[derive(Debug, Serialize)]
pub struct MappingView {
    /// Its fingerprint.
    pub fingerprint: String,
    /// The rows for groups.
    pub group: Vec<RowView>,
    /// The job.
    pub job: String,
    /// The mapping's name.
    pub mapping: String,
    /// Who is in scope.
    pub scope: ScopeView,
    /// The properties that are read from Microsoft Graph.
    pub select: Select,
    /// The rows for users.
    pub user: Vec<RowView>,
}

/// One row.
#[derive(Debug, Serialize)]
pub struct RowView {
    /// `always` or `create-only`.
    pub apply: &'static str,
    /// `source` or `target`.
    pub authority: &'static str,
    /// What is sent where the source has nothing.
    pub default: Option<Json>,
    /// The row's own drift policy.
    pub drift: Option<&'static str>,
    /// The precedence of a matching attribute.
    pub matching: Option<u8>,
    /// True where it refers to another object.
    pub reference: bool,
    /// The expression, as the mapping writes it.
    pub source: String,
    /// The expression as it was understood.
    #[serde(skip)]
    pub parsed: String,
    /// The target path.
    pub target: String,
}

/// Who is in scope.
#[derive(Debug, Serialize)]
pub struct ScopeView {
    /// Which groups; all where absent.
    pub group_filter: Option<String>,
    /// What becomes of guests.
    pub guests: &'static str,
    /// Which users; all where absent.
    pub user_filter: Option<String>,
}

/// The properties that are read from Microsoft Graph.
#[derive(Debug, Serialize)]
pub struct Select {
    /// Of groups.
    pub group: Vec<String>,
    /// Of users.
    pub user: Vec<String>,
}

/// Shows the mapping of a job with its scope.
#[must_use]
pub fn show(job: &str, mapping: &Mapping, rules: &ScopeRules) -> MappingView {
    let rows = |kind| mapping.rows(kind).iter().map(row).collect();
    let filter = |filter: &Option<Filter>| filter.as_ref().map(|filter| filter.text().to_owned());
    let selected = |kind| {
        let mut all = mapping.graph_properties(kind);
        all.extend(rules.graph_properties(kind));
        all.into_iter().collect()
    };
    let fingerprint = mapping.fingerprint();
    MappingView {
        fingerprint: fingerprint.iter().map(|byte| format!("{byte:02x}")).collect(),
        group: rows(ObjectKind::Group),
        job: job.to_owned(),
        mapping: mapping.name.clone(),
        scope: ScopeView {
            group_filter: filter(&rules.group_filter),
            guests: rules.guests.word(),
            user_filter: filter(&rules.user_filter),
        },
        select: Select {
            group: selected(ObjectKind::Group),
            user: selected(ObjectKind::User),
        },
        user: rows(ObjectKind::User),
    }
}

fn row(row: &Row) -> RowView {
    RowView {
        apply: match row.apply {
            Apply::Always => "always",
            Apply::CreateOnly => "create-only",
        },
        authority: match row.authority {
            Authority::Source => "source",
            Authority::Target => "target",
        },
        default: row.default.as_ref().map(Value::to_json),
        drift: row.drift.map(|drift| match drift {
            Drift::Report => "report",
            Drift::Heal => "heal",
        }),
        matching: row.matching,
        reference: row.reference.is_some(),
        source: row.source.text().to_owned(),
        parsed: row.source.to_string(),
        target: row.target.as_str().to_owned(),
    }
}

//! `mapping show`: the mapping in force, its scope, and what is read for both.

use std::fmt::Write as _;

use serde_json::Value as Json;
use serde_json::json;

use crate::app::error::AppError;
use crate::app::install;
use crate::cli::args::Globals;
use crate::cli::exit::Exit;
use crate::cli::report::Report;
use crate::mapping::Apply;
use crate::mapping::Authority;
use crate::mapping::Drift;
use crate::mapping::Filter;
use crate::mapping::Mapping;
use crate::mapping::Row;
use crate::model::id::ObjectKind;
use crate::model::value::Value;
use crate::reconcile::scope::ScopeRules;

/// Shows it.
pub(super) fn show(globals: &Globals, job: Option<&str>, report: &mut Report) -> Result<Exit, AppError> {
    let settings = install::settings(&globals.config, true)?;
    let (name, job) = install::choose(&settings, job)?;
    let mapping = install::mapping(&globals.config, &job.provisioning.mapping)?;
    let rules = &job.source.rules;
    if report.is_json() {
        report.json(&show_json(name, &mapping, rules));
    } else {
        report.text(&show_text(name, &mapping, rules));
    }
    Ok(Exit::Done)
}

fn selected(mapping: &Mapping, rules: &ScopeRules, kind: ObjectKind) -> Vec<String> {
    let mut all = mapping.graph_properties(kind);
    all.extend(rules.graph_properties(kind));
    all.into_iter().collect()
}

fn show_json(job: &str, mapping: &Mapping, rules: &ScopeRules) -> Json {
    let rows = |kind| mapping.rows(kind).iter().map(row_json).collect::<Vec<_>>();
    let filter = |filter: &Option<Filter>| filter.as_ref().map(|filter| filter.text().to_owned());
    let fingerprint: String = mapping
        .fingerprint()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    json!({
        "job": job,
        "mapping": mapping.name,
        "fingerprint": fingerprint,
        "user": rows(ObjectKind::User),
        "group": rows(ObjectKind::Group),
        "scope": {
            "user_filter": filter(&rules.user_filter),
            "group_filter": filter(&rules.group_filter),
            "guests": rules.guests.word(),
        },
        "select": {
            "user": selected(mapping, rules, ObjectKind::User),
            "group": selected(mapping, rules, ObjectKind::Group),
        },
    })
}

fn row_json(row: &Row) -> Json {
    json!({
        "target": row.target.as_str(),
        "source": row.source.text(),
        "matching": row.matching,
        "apply": apply(row.apply),
        "default": row.default.as_ref().map(Value::to_json),
        "authority": authority(row.authority),
        "drift": row.drift.map(drift),
        "reference": row.reference.is_some(),
    })
}

const fn apply(apply: Apply) -> &'static str {
    match apply {
        Apply::Always => "always",
        Apply::CreateOnly => "create-only",
    }
}

const fn authority(authority: Authority) -> &'static str {
    match authority {
        Authority::Source => "source",
        Authority::Target => "target",
    }
}

const fn drift(drift: Drift) -> &'static str {
    match drift {
        Drift::Report => "report",
        Drift::Heal => "heal",
    }
}

fn show_text(job: &str, mapping: &Mapping, rules: &ScopeRules) -> String {
    let mut out = format!("Job {job}, mapping {}\n", mapping.name);
    for kind in [ObjectKind::User, ObjectKind::Group] {
        let rows = mapping.rows(kind);
        let _ = writeln!(out, "\n{} rows for {kind}s", rows.len());
        let width = rows
            .iter()
            .map(|row| row.target.as_str().chars().count())
            .max()
            .unwrap_or(0);
        for row in rows {
            let more = [
                row.matching.map(|precedence| format!("matching {precedence}")),
                (row.apply == Apply::CreateOnly).then(|| "on creation only".to_owned()),
                row.default.as_ref().map(|default| format!("default {default}")),
                (row.authority == Authority::Target).then(|| "the target is the authority".to_owned()),
                row.drift.map(|policy| format!("drift: {}", drift(policy))),
            ];
            let more: Vec<String> = more.into_iter().flatten().collect();
            let more = if more.is_empty() {
                String::new()
            } else {
                format!("   ({})", more.join(", "))
            };
            let _ = writeln!(out, "  {:width$}  <- {}{more}", row.target.as_str(), row.source);
        }
    }
    out += "\nScope\n";
    for (key, filter) in [
        ("user_filter", &rules.user_filter),
        ("group_filter", &rules.group_filter),
    ] {
        let shown = filter.as_ref().map_or("(all)", Filter::text);
        let _ = writeln!(out, "  {key:12}  {shown}");
    }
    let _ = writeln!(out, "  {:12}  {}", "guests", rules.guests.word());
    out += "\nRead from Microsoft Graph\n";
    for kind in [ObjectKind::User, ObjectKind::Group] {
        let _ = writeln!(
            out,
            "  {:12}  {}",
            format!("{kind}s"),
            selected(mapping, rules, kind).join(", ")
        );
    }
    out
}

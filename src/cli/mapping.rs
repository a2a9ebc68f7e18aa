//! `mapping`: the mapping in force shown, one expression tried, Entra's own schema carried over. Talks to nobody.

use std::fmt::Write as _;
use std::fs;
use std::io::Read;
use std::io::Write;
use std::path::Path;

use serde_json::Value as Json;
use serde_json::json;

use super::args::Globals;
use super::args::MappingAction;
use super::factory;
use super::failure::Exit;
use super::failure::Failure;
use super::failure::Shown;
use super::report::Report;
use crate::mapping::Apply;
use crate::mapping::Authority;
use crate::mapping::Drift;
use crate::mapping::Expression;
use crate::mapping::Filter;
use crate::mapping::Mapping;
use crate::mapping::Names;
use crate::mapping::Row;
use crate::mapping::Stop;
use crate::mapping::entra_schema;
use crate::mapping::entra_schema::Imported;
use crate::mapping::entra_schema::LeftOut;
use crate::mapping::names;
use crate::mapping::text_of;
use crate::model::id::ObjectKind;
use crate::model::value::Value;
use crate::reconcile::scope::Guests;
use crate::reconcile::scope::ScopeRules;

/// Carries out one of them.
pub fn run(globals: &Globals, action: &MappingAction, report: &mut Report) -> Result<Exit, Failure> {
    match action {
        MappingAction::Show(job) => show(globals, job.job.as_deref(), report),
        MappingAction::Test {
            expression,
            attributes,
        } => test(expression, attributes.as_deref(), report),
        MappingAction::ImportEntra { file, out } => import(file, out.as_deref(), report),
    }
}

// ------------------------------------------------------------------------------------------------ show

fn show(globals: &Globals, job: Option<&str>, report: &mut Report) -> Result<Exit, Failure> {
    let settings = factory::settings(globals, true)?;
    let (name, job) = factory::choose(&settings, job)?;
    let mapping = factory::mapping(&globals.config, &job.provisioning.mapping)?;
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
            "guests": guests(rules.guests),
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

const fn guests(guests: Guests) -> &'static str {
    match guests {
        Guests::Include => "include",
        Guests::Accepted => "accepted",
        Guests::Exclude => "exclude",
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
    let _ = writeln!(out, "  {:12}  {}", "guests", guests(rules.guests));
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

// ------------------------------------------------------------------------------------------------ test

fn test(text: &str, attributes: Option<&str>, report: &mut Report) -> Result<Exit, Failure> {
    let attributes = attributes_of(attributes)?;
    let expression = Expression::parse(Names::Any, text).map_err(|error| {
        Failure::usage(
            error.to_string(),
            "correct the expression; attributes stand in square brackets",
        )
    })?;
    let value = match expression.evaluate(&|name| Some(attribute(&attributes, name))) {
        Ok(value) => value,
        Err(Stop::NoFlow) => Value::Null,
        Err(Stop::Unknown(name)) => {
            return Err(Failure::usage(
                format!("the expression needs [{name}], which is not given"),
                "give it with --attributes '{\"name\": \"value\"}'",
            ));
        }
        Err(Stop::Failed(why)) => {
            let shown = Shown {
                what: format!("the expression cannot be computed for these attributes: {why}"),
                ..Shown::default()
            };
            return Err(Failure::new(
                Exit::Failed,
                shown.advise("correct the expression, or the attributes"),
            ));
        }
    };
    let printed = printed(&value);
    if report.is_json() {
        report.json(&json!({ "value": printed }));
    } else {
        match &printed {
            Json::Null => report.text("(null: nothing flows)"),
            Json::String(text) => report.text(text),
            other => report.text(&other.to_string()),
        }
    }
    Ok(Exit::Done)
}

/// An attribute by the name that the expression uses, or by the other of its two names. What is not given is null.
fn attribute(given: &serde_json::Map<String, Json>, name: &str) -> Value {
    let by_other_name = || {
        [ObjectKind::User, ObjectKind::Group].iter().find_map(|kind| {
            let wanted = names::resolve(Names::Of(*kind), name).ok()?;
            given.iter().find_map(|(key, value)| {
                let same = names::resolve(Names::Of(*kind), key).ok()?;
                (same.property == wanted.property && same.access == wanted.access).then_some(value)
            })
        })
    };
    given
        .get(name)
        .or_else(by_other_name)
        .map_or(Value::Null, Value::from_json)
}

/// Strings as Entra prints them: `True`, `42`; a list keeps its elements.
fn printed(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::List(items) => items.iter().map(printed).collect(),
        Value::Map(_) => value.to_json(),
        other => text_of(other).map_or(Json::Null, |text| text.into_owned().into()),
    }
}

/// The attributes to try with: a JSON object, or `@FILE` that holds one.
fn attributes_of(given: Option<&str>) -> Result<serde_json::Map<String, Json>, Failure> {
    let Some(given) = given else {
        return Ok(serde_json::Map::new());
    };
    let text = match given.strip_prefix('@') {
        Some(file) => read(Path::new(file), "the attributes")?,
        None => given.to_owned(),
    };
    match serde_json::from_str(&text) {
        Ok(Json::Object(attributes)) => Ok(attributes),
        Ok(_) => Err(Failure::usage(
            "--attributes is no JSON object",
            "write it as in --attributes '{\"givenName\": \"Ada\", \"accountEnabled\": true}'",
        )),
        Err(error) => Err(Failure::usage(
            format!("--attributes is not JSON: {error}"),
            "write it as in --attributes '{\"givenName\": \"Ada\", \"accountEnabled\": true}'",
        )),
    }
}

// ---------------------------------------------------------------------------------------- import-entra

fn import(file: &Path, out: Option<&Path>, report: &mut Report) -> Result<Exit, Failure> {
    let text = read(file, "the schema")?;
    let place = || file.display().to_string();
    let advice = "export it from GET /servicePrincipals/{id}/synchronization/jobs/{job}/schema (permission \
                  Synchronization.Read.All), or download it in the Entra admin center";
    let refused = |what: String| {
        let shown = Shown {
            what,
            ..Shown::default()
        };
        Failure::new(Exit::Usage, shown.at(place()).advise(advice))
    };
    // Files from Windows begin with a byte order mark.
    let document: Json = serde_json::from_str(text.trim_start_matches('\u{feff}'))
        .map_err(|error| refused(format!("the schema is not JSON: {error}")))?;
    let imported = entra_schema::import(&document).map_err(|error| refused(error.to_string()))?;
    if let Some(out) = out {
        write_new(out, &imported.mapping)?;
    }
    if report.is_json() {
        report.json(&import_json(&imported, out));
        return Ok(Exit::Done);
    }
    let summary = import_text(&imported);
    match out {
        Some(out) => {
            report.text(&format!("Wrote {}: {summary}", out.display()));
        }
        // The file itself is the result; what is to be said about it goes beside it.
        None => {
            report.text(&imported.mapping);
            report.note(&summary);
        }
    }
    Ok(Exit::Done)
}

fn import_json(imported: &Imported, out: Option<&Path>) -> Json {
    let list = |left: &[LeftOut]| -> Vec<Json> {
        let entry = |left: &LeftOut| json!({"object": left.kind.map(ObjectKind::word), "what": left.what, "why": left.why});
        left.iter().map(entry).collect()
    };
    let settings: Vec<Json> = imported
        .settings
        .iter()
        .map(|line| json!({"section": line.section, "key": line.key, "value": line.value, "why": line.why}))
        .collect();
    json!({
        "file": out.map(|out| out.display().to_string()),
        "mapping": imported.mapping,
        "rows": {"user": imported.rows.0, "group": imported.rows.1},
        "settings": settings,
        "not_carried_over": list(&imported.left_out),
        "remarks": list(&imported.remarks),
    })
}

fn import_text(imported: &Imported) -> String {
    let mut out = format!(
        "{} rows for users, {} for groups.\n",
        imported.rows.0, imported.rows.1
    );
    let settings = imported.settings_text();
    if !settings.is_empty() {
        let _ = write!(out, "\nFor the job in config/melonsync.toml:\n{settings}");
    }
    for (title, left) in [
        ("Not carried over", &imported.left_out),
        ("Carried over, with a remark", &imported.remarks),
    ] {
        if left.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\n{title}:");
        for left in left {
            let kind = left.kind.map_or("schema", ObjectKind::word);
            let _ = writeln!(
                out,
                "  {kind} {}: {}",
                left.what,
                left.why.replace('\n', "\n    ")
            );
        }
    }
    if imported.left_out.is_empty() {
        out += "\nEverything was carried over.\n";
    }
    out
}

/// Writes a file that is not there yet: a mapping that somebody edited is not lost to a second import.
fn write_new(out: &Path, text: &str) -> Result<(), Failure> {
    let written = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(out)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|error| {
        let shown = Shown {
            what: format!("cannot write the mapping to {}", out.display()),
            causes: vec![error.to_string()],
            ..Shown::default()
        };
        Failure::new(
            Exit::Usage,
            shown.advise("name a file that is not there yet, in a folder that is"),
        )
    })
}

/// A file's text; `-` is standard input.
fn read(file: &Path, what: &str) -> Result<String, Failure> {
    let read = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        fs::read_to_string(file)
    };
    read.map_err(|error| {
        let shown = Shown {
            what: format!("cannot read {what} from {}", file.display()),
            causes: vec![error.to_string()],
            ..Shown::default()
        };
        Failure::new(
            Exit::Usage,
            shown.advise("name a file, or `-` for standard input"),
        )
    })
}

//! Imports a synchronization schema as a mapping file.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use super::{
    Imported, LeftOut, NotASchema, Setting,
    document::{Place, mappings, text},
    export::export,
    parts::{clauses, meaning, source_text},
    write::{RowText, file, toml_text},
};
use crate::mapping::{
    Expression, Filter, Mapping, Names, TargetPath,
    filter::{parse::Clause, parse::print},
};
use crate::model::id::ObjectKind;

/// Translates a document: a schema, or a synchronizationJob with its schema.
///
/// # Errors
/// When it is neither.
pub fn import(document: &Json) -> Result<Imported, NotASchema> {
    let mut import = Import::default();
    let places = mappings(document, &mut import.left_out)?;
    let mut rows: Vec<(ObjectKind, Vec<RowText>)> = Vec::new();
    for place in &places {
        let object = document.pointer(&place.pointer).unwrap_or(&Json::Null);
        import.switches(place.kind, object);
        import.scope(place.kind, object);
        rows.push((place.kind, import.rows(place.kind, object)));
    }
    for kind in [ObjectKind::User, ObjectKind::Group] {
        if !places.iter().any(|place| place.kind == kind) {
            import.set(
                "source",
                if kind == ObjectKind::User {
                    "users"
                } else {
                    "groups"
                },
                "false".to_owned(),
                format!("the schema has no object mapping for {kind}s"),
            );
        }
    }
    import.threshold(document);
    let mapping = import.check(&head(document, &rows), &mut rows);
    import.compare(document, &places, &mapping);
    for (kind, rows) in &rows {
        import.left_out.extend(rows.iter().filter_map(|row| {
            Some(LeftOut {
                kind: Some(*kind),
                what: row.target.clone(),
                why: row.trouble.clone()?,
            })
        }));
    }
    let carried = |kind| {
        let of = rows
            .iter()
            .filter(|(other, _)| *other == kind)
            .flat_map(|(_, rows)| rows);
        of.filter(|row| row.trouble.is_none()).count()
    };
    Ok(Imported {
        mapping,
        rows: (carried(ObjectKind::User), carried(ObjectKind::Group)),
        settings: import.settings,
        left_out: import.left_out,
        remarks: import.remarks,
    })
}

fn head(document: &Json, rows: &[(ObjectKind, Vec<RowText>)]) -> String {
    let root = super::document::schema(document).unwrap_or_default();
    let schema = document.pointer(&root).unwrap_or(document);
    let counts: Vec<String> = rows
        .iter()
        .map(|(kind, rows)| format!("{} rows for {kind}s", rows.len()))
        .collect();
    let id = text(schema, "id");
    let of = if id.is_empty() {
        String::new()
    } else {
        format!(" of job {id}")
    };
    format!(
        "A mapping made from the Entra synchronization schema{of}: {}.\nName this file in the job: provisioning.mapping = \"config/mappings/NAME.toml\".",
        counts.join(", ")
    )
}

#[derive(Default)]
struct Import {
    settings: Vec<Setting>,
    left_out: Vec<LeftOut>,
    remarks: Vec<LeftOut>,
}

impl Import {
    fn leave(&mut self, kind: ObjectKind, what: &str, why: impl Into<String>) {
        self.left_out.push(LeftOut {
            kind: Some(kind),
            what: what.to_owned(),
            why: why.into(),
        });
    }

    fn remark(&mut self, kind: ObjectKind, what: &str, why: impl Into<String>) {
        self.remarks.push(LeftOut {
            kind: Some(kind),
            what: what.to_owned(),
            why: why.into(),
        });
    }

    fn set(&mut self, section: &'static str, key: &'static str, value: String, why: String) {
        self.settings.push(Setting {
            section,
            key,
            value,
            why,
        });
    }

    /// Reports what an object mapping switches off: itself, or creates, updates, deletes.
    fn switches(&mut self, kind: ObjectKind, object: &Json) {
        if object["enabled"].as_bool() == Some(false) {
            let key = if kind == ObjectKind::User {
                "users"
            } else {
                "groups"
            };
            self.set(
                "source",
                key,
                "false".to_owned(),
                format!("the object mapping for {kind}s is switched off"),
            );
        }
        let Some(flows) = object["flowTypes"].as_str() else {
            return;
        };
        let flows: BTreeSet<String> = flows
            .split(',')
            .map(|flow| flow.trim().to_ascii_lowercase())
            .collect();
        for (flow, key) in [("add", "create"), ("update", "update")] {
            let known = self.settings.iter().any(|line| line.key == key);
            if !flows.contains(flow) && !known {
                let why = format!("{kind}s flow without {flow}; this key holds for users and groups alike");
                self.set("provisioning", key, "false".to_owned(), why);
            }
        }
        if !flows.contains("delete") {
            let why = format!("{kind}s flow without delete");
            let keys: &[_] = match kind {
                ObjectKind::User => &[
                    ("provisioning", "on_soft_delete"),
                    ("provisioning", "on_hard_delete"),
                    ("provisioning", "on_out_of_scope"),
                ],
                ObjectKind::Group => &[
                    ("provisioning.groups", "on_delete"),
                    ("provisioning.groups", "on_out_of_scope"),
                ],
            };
            for (section, key) in keys {
                self.set(section, key, "\"keep\"".to_owned(), why.clone());
            }
        }
    }

    /// Imports the scoping filter, whole or not at all.
    fn scope(&mut self, kind: ObjectKind, object: &Json) {
        let scope = &object["scope"];
        let what = match kind {
            ObjectKind::User => "user_filter",
            ObjectKind::Group => "group_filter",
        };
        for other in ["inputFilterGroups", "categoryFilterGroups"] {
            if scope[other].as_array().is_some_and(|groups| !groups.is_empty()) {
                self.leave(kind, other, "experimental in Entra, and without meaning here");
            }
        }
        let groups = scope["groups"].as_array().map(Vec::as_slice).unwrap_or_default();
        if groups.is_empty() {
            return;
        }
        let read: Result<Vec<Vec<Clause>>, String> = groups.iter().map(clauses).collect();
        let filter = read.and_then(|groups| {
            let mut written = String::new();
            let _ = print(&groups, &mut written);
            Filter::parse(kind, &written).map_err(|error| error.to_string())
        });
        match filter {
            Ok(filter) => {
                let names: Vec<&str> = groups
                    .iter()
                    .map(|group| text(group, "name"))
                    .filter(|name| !name.is_empty())
                    .collect();
                let why = if names.is_empty() {
                    String::new()
                } else {
                    format!("groups of clauses: {}", names.join("; "))
                };
                self.set("source", what, toml_text(&filter.to_string()), why);
            }
            Err(why) => self.leave(
                kind,
                what,
                format!("the whole filter, because the rest of it would be another scope: {why}"),
            ),
        }
    }

    fn rows(&mut self, kind: ObjectKind, object: &Json) -> Vec<RowText> {
        let rows = object["attributeMappings"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        rows.iter().map(|row| self.row(kind, row)).collect()
    }

    fn row(&mut self, kind: ObjectKind, json: &Json) -> RowText {
        let mut row = RowText {
            target: text(json, "targetAttributeName").to_owned(),
            source: source_text(&json["source"]),
            ..RowText::default()
        };
        let mut troubles = Vec::new();
        match json["matchingPriority"].as_u64() {
            None | Some(0) => {}
            Some(priority @ 1..=255) => row.matching = Some(priority),
            Some(priority) => troubles.push(format!("matching precedence {priority} is over 255")),
        }
        match text(json, "flowType") {
            "" | "Always" => {}
            "ObjectAddOnly" => row.create_only = true,
            other => troubles.push(format!(
                "flowType {other}: a row is applied always, or on creation only"
            )),
        }
        row.default = match &json["defaultValue"] {
            Json::String(text) if !text.is_empty() => Some(text.clone()),
            Json::Null | Json::String(_) => None,
            other => Some(other.to_string()),
        };
        match row.target.parse::<TargetPath>() {
            Ok(_) => {}
            Err(error) => troubles.push(error.to_string()),
        }
        if let Err(error) = Expression::parse(Names::Of(kind), &row.source) {
            troubles.push(error.to_string());
        }
        if text(json, "flowBehavior") == "FlowAlways" {
            self.remark(
                kind,
                &row.target,
                "flowBehavior FlowAlways: values are sent when they differ, never else",
            );
        }
        if json["exportMissingReferences"].as_bool() == Some(true) {
            self.remark(
                kind,
                &row.target,
                "exportMissingReferences: an object that is not at the target is sent when it appears there",
            );
        }
        row.trouble = (!troubles.is_empty()).then(|| troubles.join("; "));
        row
    }

    /// Imports the job's own limit on deletions, where the document is a whole job.
    fn threshold(&mut self, document: &Json) {
        let settings = document["synchronizationJobSettings"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let limit = settings
            .iter()
            .find(|one| text(one, "name") == "QuarantineTooManyDeletesThreshold");
        let count = limit.and_then(|one| text(one, "value").parse::<u64>().ok());
        if let Some(count) = count {
            let why = "the job's own limit (QuarantineTooManyDeletesThreshold)".to_owned();
            self.set("provisioning", "deletion_threshold", count.to_string(), why);
        }
    }

    /// Parses the file as it will be read, and turns rows into comments until it passes.
    fn check(&mut self, head: &str, rows: &mut [(ObjectKind, Vec<RowText>)]) -> String {
        loop {
            let (written, places) = file(head, &self.settings, &self.left_out, rows);
            let Err(problems) = Mapping::from_toml("the imported mapping", &written) else {
                return written;
            };
            let mut moved = false;
            for problem in &problems.0 {
                // Of one row, and not of all rows of a kind.
                let place = places
                    .iter()
                    .find(|(_, _, lines)| lines.contains(&problem.line) && problem.place.contains("]] "));
                let row = place.and_then(|(kind, number, _)| {
                    let of = rows.iter_mut().find(|(other, _)| other == kind)?;
                    of.1.get_mut(*number)
                });
                if let Some(row) = row.filter(|row| row.trouble.is_none()) {
                    row.trouble = Some(problem.message.clone());
                    moved = true;
                }
            }
            if !moved {
                for problem in problems.0 {
                    self.left_out.push(LeftOut {
                        kind: None,
                        what: "the file as a whole".to_owned(),
                        why: format!("{} {}", problem.place, problem.message).trim().to_owned(),
                    });
                }
                return file(head, &self.settings, &self.left_out, rows).0;
            }
        }
    }

    /// Exports the result again, and reports where it differs.
    fn compare(&mut self, document: &Json, places: &[Place], mapping: &str) {
        let Ok(mapping) = Mapping::from_toml("the imported mapping", mapping) else {
            return;
        };
        let filter = |kind, key: &str| {
            let line = self.settings.iter().find(|line| line.key == key)?;
            let value: toml::Table = toml::from_str(&format!("value = {}", line.value)).ok()?;
            Filter::parse(kind, value.get("value")?.as_str()?).ok()
        };
        let (users, groups) = (
            filter(ObjectKind::User, "user_filter"),
            filter(ObjectKind::Group, "group_filter"),
        );
        let again = export(document, &mapping, users.as_ref(), groups.as_ref());
        for place in places {
            let rows = |document: &Json| -> Vec<Json> {
                let rows = document.pointer(&format!("{}/attributeMappings", place.pointer));
                rows.and_then(Json::as_array).cloned().unwrap_or_default()
            };
            let back = rows(&again.document);
            for row in rows(document) {
                let target = text(&row, "targetAttributeName");
                let same = back
                    .iter()
                    .find(|other| text(other, "targetAttributeName") == target);
                if same.is_some_and(|other| meaning(other) != meaning(&row)) {
                    self.remark(
                        place.kind,
                        target,
                        "exported again, the row would not read as it did",
                    );
                }
            }
        }
    }
}

//! `check`: one page of users and one of groups from Graph, with the properties that the mapping needs: how many are there,
//! and how many of them are in scope. A property that cannot be read shows here, and not in the first cycle.

use std::collections::BTreeMap;
use std::collections::BTreeSet;

use super::Level;
use super::Lines;
use crate::mapping::Mapping;
use crate::model::assignment::AssignmentList;
use crate::model::id::ObjectKind;
use crate::model::id::SourceId;
use crate::model::object::DeltaObject;
use crate::model::object::Life;
use crate::model::object::SourceObject;
use crate::ports::Disposition;
use crate::ports::NextPage;
use crate::ports::PageRequest;
use crate::ports::SourceDirectory;
use crate::reconcile::scope::Decision;
use crate::reconcile::scope::Memberships;
use crate::settings::job::Job;
use crate::settings::source::Scope;

/// A line for each managed kind; the groups that were shown, without those that a filter leaves out. `assigned`: the assignment list, where the scope is that.
pub(super) async fn directory(
    source: &impl SourceDirectory,
    job: &Job,
    mapping: &Mapping,
    assigned: Option<&AssignmentList>,
    lines: &mut Lines,
) -> Vec<SourceObject> {
    let mut groups = Vec::new();
    for (kind, managed) in [
        (ObjectKind::User, job.source.users),
        (ObjectKind::Group, job.source.groups),
    ] {
        if !managed {
            continue;
        }
        let mut select = mapping.graph_properties(kind);
        select.extend(job.source.rules.graph_properties(kind));
        // Who is in a group is not what is counted, and it is most of a page of groups.
        select.remove("members");
        let select = select.into_iter().collect();
        match source.page(kind, PageRequest::First { select }).await {
            Ok(page) => {
                let more = matches!(page.next, NextPage::More { .. });
                let objects = alive(page.objects);
                let count = Count::of(&objects, job, assigned);
                lines.ok("directory", count.words(kind, more, job, assigned));
                if kind == ObjectKind::Group {
                    let ours = |group: &&SourceObject| {
                        let decision = job.source.rules.decide(group, &Memberships::default());
                        !matches!(decision, Decision::OutOfScope { .. })
                    };
                    groups = objects.iter().filter(ours).cloned().collect();
                }
                if objects.is_empty() && !more {
                    lines.add(
                        Level::Warn,
                        "directory",
                        format!("the tenant shows no {kind}s at all"),
                        "check `tenant_id`; an empty source removes nobody, so a cycle would withhold everything",
                    );
                }
            }
            Err(error) => {
                lines.error("directory", &error, error.hint());
                // Out of reach is so for the other kind as well, and saying it twice takes the waits twice.
                if error.disposition() == Disposition::Retry {
                    return groups;
                }
            }
        }
    }
    groups
}

/// The objects that a page leaves, each once.
fn alive(entries: Vec<DeltaObject>) -> Vec<SourceObject> {
    let mut found: BTreeMap<SourceId, SourceObject> = BTreeMap::new();
    for entry in entries {
        if entry.removed.is_some() {
            found.remove(&entry.id);
            continue;
        }
        let object = found.entry(entry.id).or_insert_with(|| SourceObject {
            kind: entry.kind,
            id: entry.id,
            attributes: Default::default(),
            manager: None,
            life: Life::Alive,
            gone_since: None,
            generation: 0,
            manager_generation: 0,
        });
        object.attributes.extend(entry.attributes);
    }
    found.into_values().collect()
}

/// Where the objects of a page stand.
#[derive(Debug, Default, PartialEq, Eq)]
struct Count {
    there: usize,
    inside: usize,
    /// It depends on memberships, which one page does not tell.
    open: usize,
}

impl Count {
    fn of(objects: &[SourceObject], job: &Job, assigned: Option<&AssignmentList>) -> Self {
        let by_assignment = job.source.scope == Scope::Assigned;
        let principals: BTreeSet<SourceId> = assigned
            .map(|list| list.by_principal().map(|(_, id, _)| id).collect())
            .unwrap_or_default();
        let mut count = Self {
            there: objects.len(),
            ..Self::default()
        };
        for object in objects {
            let mut decision = job.source.rules.decide(object, &Memberships::default());
            if by_assignment {
                let known = match (principals.contains(&object.id), object.kind) {
                    (true, _) => Ok(true),
                    // Not by itself; a group of theirs may be assigned.
                    (false, ObjectKind::User) => Err("the groups of the user".to_owned()),
                    (false, ObjectKind::Group) => Ok(false),
                };
                decision = decision.and_assigned(object.kind, known);
            }
            match decision {
                Decision::InScope => count.inside += 1,
                Decision::OutOfScope { .. } => {}
                Decision::Unknown { .. } => count.open += 1,
            }
        }
        count
    }

    fn words(&self, kind: ObjectKind, more: bool, job: &Job, assigned: Option<&AssignmentList>) -> String {
        let Self { there, inside, open } = self;
        let mut text = if more {
            format!("{there} {kind}s on the first page, and more follow; ")
        } else {
            format!("{there} {kind}s are there; ")
        };
        text += &match open {
            0 if inside == there => "all of them are in scope".to_owned(),
            0 => format!("{inside} of them are in scope"),
            _ => format!("{inside} of them are in scope, and of {open} their groups decide"),
        };
        if job.source.scope == Scope::Assigned
            && let Some(list) = assigned
        {
            let of = list.by_principal().filter(|(of, ..)| *of == kind).count();
            text += &format!("; {of} {kind}s are assigned to the enterprise application themselves");
        }
        text
    }
}

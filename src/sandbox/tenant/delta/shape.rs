//! One entry of a round as JSON: scalar properties, `manager@delta`, `members@delta`, or `@removed`.

use serde_json::Map;
use serde_json::Value;
use serde_json::json;

use super::Entry;
use super::Round;
use crate::sandbox::faults::FormerManager;
use crate::sandbox::tenant::Core;
use crate::sandbox::tenant::directory::Life;
use crate::sandbox::tenant::page;

pub(super) fn shown(core: &Core, round: &Round, entry: &Entry, minimal: bool) -> Value {
    let directory = &core.directory;
    let object = &directory.objects[entry.at];
    if entry.unknown {
        let id = crate::sandbox::sample::object_id(u64::MAX - 1, entry.at as u64);
        return json!({"id": id, "@removed": {"reason": "deleted"}});
    }
    match object.life {
        Life::Soft => return json!({"id": object.id, "@removed": {"reason": "changed"}}),
        Life::Hard => return json!({"id": object.id, "@removed": {"reason": "deleted"}}),
        Life::Live => {}
    }
    let mut out = Map::new();
    out.insert("id".into(), object.id.clone().into());
    for name in round
        .select
        .iter()
        .filter(|name| !page::is_relation(name) && *name != "id")
    {
        if let Some(value) = object
            .props
            .get(name)
            .filter(|_| !minimal || object.property_seq(name) > round.since)
        {
            out.insert(name.clone(), value.clone());
        }
    }
    if entry.stale && out.contains_key("displayName") {
        out.insert("displayName".into(), "An outdated name".into());
    }
    if round.select.iter().any(|name| name == "manager") {
        let changes = manager_delta(core, round, entry.at);
        if !changes.is_empty() {
            out.insert("manager@delta".into(), changes.into());
        }
    }
    if let Some(members) = entry.members.as_ref().filter(|members| !members.is_empty()) {
        let list = members
            .iter()
            .map(|(member, removed)| page::reference(directory, *member, *removed));
        out.insert("members@delta".into(), list.collect());
    }
    Value::Object(out)
}

fn manager_delta(core: &Core, round: &Round, at: usize) -> Vec<Value> {
    let (directory, object) = (&core.directory, &core.directory.objects[at]);
    if object.manager_seq <= round.since && object.born <= round.since {
        return Vec::new();
    }
    let current = directory.effective_manager(at);
    let gone = object
        .former_managers
        .iter()
        .filter(|(former, seq)| *seq > round.since && Some(*former) != current);
    let gone = gone.map(|(former, _)| page::reference(directory, *former, true));
    let new = current.map(|manager| page::reference(directory, manager, false));
    let style = if round.first {
        FormerManager::Omitted
    } else {
        core.faults.former_manager
    };
    match (new, style) {
        (None, _) if round.first => Vec::new(),
        (None, _) => gone.collect(),
        (Some(new), FormerManager::Omitted) => vec![new],
        (Some(new), FormerManager::Before) => gone.chain([new]).collect(),
        (Some(new), FormerManager::After) => [new].into_iter().chain(gone).collect(),
    }
}

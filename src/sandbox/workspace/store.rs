//! Resources of one type, in the order of their creation, with indexes by id, name and externalId.

use std::collections::HashMap;

use serde_json::Value;
use serde_json::json;

use super::schema::Type;
use crate::sandbox::clock;
use crate::sandbox::sample;

pub(super) struct Shelf {
    pub kind: Type,
    slots: Vec<Option<Value>>,
    live: usize,
    by_id: HashMap<String, usize>,
    by_name: HashMap<String, Vec<usize>>,
    by_external_id: HashMap<String, Vec<usize>>,
    created: u64,
}

impl Shelf {
    pub fn new(kind: Type) -> Self {
        Shelf {
            kind,
            slots: Vec::new(),
            live: 0,
            by_id: HashMap::new(),
            by_name: HashMap::new(),
            by_external_id: HashMap::new(),
            created: 0,
        }
    }

    pub fn len(&self) -> usize {
        self.live
    }

    pub fn get(&self, id: &str) -> Option<&Value> {
        self.by_id.get(id).and_then(|slot| self.slots[*slot].as_ref())
    }

    pub fn all(&self) -> impl Iterator<Item = &Value> {
        self.slots.iter().flatten()
    }

    /// Returns a page of all resources without walking over the ones before it.
    pub fn page(&mut self, skip: usize, take: usize) -> &[Option<Value>] {
        self.close_gaps();
        let from = skip.min(self.slots.len());
        &self.slots[from..(from + take).min(self.slots.len())]
    }

    /// Returns the resources by userName or displayName, compared without case.
    pub fn named(&self, name: &str) -> Vec<&Value> {
        self.at(self.slots_named(name))
    }

    /// Returns the resources by externalId.
    pub fn with_external_id(&self, external_id: &str) -> Vec<&Value> {
        self.at(self.slots_with_external_id(external_id))
    }

    /// Returns the places of the resources of this userName or displayName, compared without case.
    pub fn slots_named(&self, name: &str) -> &[usize] {
        self.by_name.get(&name.to_lowercase()).map_or(&[], Vec::as_slice)
    }

    /// Returns the places of the resources of this externalId.
    pub fn slots_with_external_id(&self, external_id: &str) -> &[usize] {
        self.by_external_id.get(external_id).map_or(&[], Vec::as_slice)
    }

    /// Returns the place of the resource of this id.
    pub fn slot_of(&self, id: &str) -> Option<usize> {
        self.by_id.get(id).copied()
    }

    /// Returns the resources at these places.
    pub fn at<'a>(&self, slots: impl IntoIterator<Item = &'a usize>) -> Vec<&Value> {
        slots
            .into_iter()
            .filter_map(|slot| self.slots[*slot].as_ref())
            .collect()
    }

    /// Returns a new id; the same ones in the same order in every run.
    pub fn next_id(&mut self) -> String {
        self.created += 1;
        sample::object_id(0x7363_696d ^ self.kind.name().len() as u64, self.created)
    }

    pub fn insert(&mut self, id: String, mut resource: Value) -> &Value {
        let now = clock::timestamp();
        resource["id"] = id.clone().into();
        resource["meta"] = json!({"resourceType": self.kind.name(), "created": now, "lastModified": now, "version": "W/\"1\""});
        let slot = self.slots.len();
        self.by_id.insert(id, slot);
        self.index(&resource, slot);
        self.live += 1;
        self.slots.push(None);
        self.slots[slot].insert(resource)
    }

    /// Returns all ids.
    pub fn ids(&self) -> Vec<String> {
        self.by_id.keys().cloned().collect()
    }

    /// Gives a resource another id.
    pub fn rename(&mut self, old: &str, new: &str) {
        let Some(slot) = self.by_id.remove(old) else {
            return;
        };
        if let Some(resource) = self.slots[slot].as_mut() {
            resource["id"] = new.into();
        }
        self.by_id.insert(new.to_owned(), slot);
    }

    /// Puts another content under the same id; `meta` moves on.
    pub fn replace(&mut self, id: &str, mut resource: Value) {
        let Some(slot) = self.by_id.get(id).copied() else {
            return;
        };
        let Some(old) = self.slots[slot].take() else {
            return;
        };
        self.unindex(&old, slot);
        resource["id"] = old["id"].clone();
        resource["meta"] = old["meta"].clone();
        resource["meta"]["lastModified"] = clock::timestamp().into();
        let version = old["meta"]["version"]
            .as_str()
            .and_then(|v| v.trim_matches(|c| "W/\"".contains(c)).parse().ok());
        resource["meta"]["version"] = format!("W/\"{}\"", version.unwrap_or(1u64) + 1).into();
        self.index(&resource, slot);
        self.slots[slot] = Some(resource);
    }

    pub fn remove(&mut self, id: &str) -> bool {
        let Some(slot) = self.by_id.remove(id) else {
            return false;
        };
        if let Some(old) = self.slots[slot].take() {
            self.unindex(&old, slot);
            self.live -= 1;
        }
        true
    }

    /// Removes a member from every group that has it.
    pub fn remove_member_everywhere(&mut self, id: &str) {
        for group in self.slots.iter_mut().flatten() {
            let Some(members) = group.get_mut("members").and_then(Value::as_array_mut) else {
                continue;
            };
            let before = members.len();
            members.retain(|member| member["value"] != id);
            if members.is_empty() && before > 0 {
                group
                    .as_object_mut()
                    .into_iter()
                    .for_each(|group| drop(group.remove("members")));
            }
        }
    }

    fn close_gaps(&mut self) {
        if self.slots.len() == self.live {
            return;
        }
        self.slots.retain(Option::is_some);
        self.by_id.clear();
        self.by_name.clear();
        self.by_external_id.clear();
        let slots = std::mem::take(&mut self.slots);
        for (slot, resource) in slots.iter().enumerate() {
            if let Some(resource) = resource {
                self.by_id
                    .insert(resource["id"].as_str().unwrap_or_default().to_owned(), slot);
                self.index(resource, slot);
            }
        }
        self.slots = slots;
    }

    fn name_of<'a>(&self, resource: &'a Value) -> Option<&'a str> {
        resource
            .get(if self.kind == Type::User {
                "userName"
            } else {
                "displayName"
            })?
            .as_str()
    }

    fn index(&mut self, resource: &Value, slot: usize) {
        if let Some(name) = self.name_of(resource) {
            self.by_name.entry(name.to_lowercase()).or_default().push(slot);
        }
        if let Some(external_id) = resource.get("externalId").and_then(Value::as_str) {
            self.by_external_id
                .entry(external_id.to_owned())
                .or_default()
                .push(slot);
        }
    }

    fn unindex(&mut self, resource: &Value, slot: usize) {
        if let Some(name) = self.name_of(resource) {
            forget(&mut self.by_name, &name.to_lowercase(), slot);
        }
        if let Some(external_id) = resource.get("externalId").and_then(Value::as_str) {
            forget(&mut self.by_external_id, external_id, slot);
        }
    }
}

fn forget(index: &mut HashMap<String, Vec<usize>>, key: &str, slot: usize) {
    if let Some(slots) = index.get_mut(key) {
        slots.retain(|held| *held != slot);
        if slots.is_empty() {
            index.remove(key);
        }
    }
}

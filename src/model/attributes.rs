//! Attribute name (source) or path (target) to value: a small map, in the order of the names.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{name::Name, value::Value};

/// Attributes in the order of their names, each once. A list underneath: an object has thirty of them, and a list of
/// thirty is read, copied and compared faster than a tree.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Attributes(Vec<(Name, Value)>);

impl Attributes {
    /// Creates an empty map.
    #[must_use]
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    /// Returns the value under this name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.find(name).ok().map(|at| &self.0[at].1)
    }

    /// Returns the value as [`Self::get`] does, for a caller that has the [`Name`] itself: known ones are compared as
    /// numbers.
    #[must_use]
    pub fn get_named(&self, name: &Name) -> Option<&Value> {
        let found = self.0.binary_search_by(|(held, _)| held.cmp(name));
        found.ok().map(|at| &self.0[at].1)
    }

    /// Returns true where there is a value (`Null` is one) under this name.
    #[must_use]
    pub fn contains_key(&self, name: &str) -> bool {
        self.find(name).is_ok()
    }

    /// Sets the value under this name. Returns the value before, where there was one.
    pub fn insert(&mut self, name: impl Into<Name>, value: Value) -> Option<Value> {
        let name = name.into();
        // Most come in order.
        if self.0.last().is_none_or(|(last, _)| *last < name) {
            self.0.push((name, value));
            return None;
        }
        match self.0.binary_search_by(|(held, _)| held.cmp(&name)) {
            Ok(at) => Some(std::mem::replace(&mut self.0[at].1, value)),
            Err(at) => {
                self.0.insert(at, (name, value));
                None
            }
        }
    }

    /// Removes the value under this name, and returns it.
    pub fn remove(&mut self, name: &str) -> Option<Value> {
        self.find(name).ok().map(|at| self.0.remove(at).1)
    }

    /// Returns names and values, in the order of the names.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Name, &Value)> + DoubleEndedIterator {
        self.0.iter().map(|(name, value)| (name, value))
    }

    /// Returns the names, in order.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &Name> {
        self.0.iter().map(|(name, _)| name)
    }

    /// Returns the values, in the order of the names.
    pub fn values(&self) -> impl ExactSizeIterator<Item = &Value> {
        self.0.iter().map(|(_, value)| value)
    }

    /// Returns the number of attributes.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns true when there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps those attributes for which `keep` returns true.
    pub fn retain(&mut self, mut keep: impl FnMut(&Name, &mut Value) -> bool) {
        self.0.retain_mut(|(name, value)| keep(name, value));
    }

    /// Reserves room for `n` more.
    pub fn reserve(&mut self, n: usize) {
        self.0.reserve(n);
    }

    fn find(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(held, _)| held.as_str().cmp(name))
    }
}

impl<N: Into<Name>> Extend<(N, Value)> for Attributes {
    fn extend<I: IntoIterator<Item = (N, Value)>>(&mut self, more: I) {
        for (name, value) in more {
            self.insert(name, value);
        }
    }
}

/// Keeps, of two values under one name, the later one.
impl<N: Into<Name>> FromIterator<(N, Value)> for Attributes {
    fn from_iter<I: IntoIterator<Item = (N, Value)>>(all: I) -> Self {
        let mut held: Vec<(Name, Value)> = all.into_iter().map(|(n, value)| (n.into(), value)).collect();
        if !held.is_sorted_by(|(a, _), (b, _)| a < b) {
            // Stable: equal names stay in their order, and the last of them is kept.
            held.sort_by(|(a, _), (b, _)| a.cmp(b));
            held.dedup_by(|later, earlier| {
                let same = later.0 == earlier.0;
                if same {
                    std::mem::swap(later, earlier);
                }
                same
            });
        }
        Self(held)
    }
}

impl<N: Into<Name>, const COUNT: usize> From<[(N, Value); COUNT]> for Attributes {
    fn from(all: [(N, Value); COUNT]) -> Self {
        all.into_iter().collect()
    }
}

impl IntoIterator for Attributes {
    type Item = (Name, Value);
    type IntoIter = std::vec::IntoIter<(Name, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Attributes {
    type Item = (&'a Name, &'a Value);
    type IntoIter =
        std::iter::Map<std::slice::Iter<'a, (Name, Value)>, fn(&'a (Name, Value)) -> (&'a Name, &'a Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().map(|(name, value)| (name, value))
    }
}

impl std::ops::Index<&str> for Attributes {
    type Output = Value;

    /// # Panics
    /// When there is no value under this name.
    fn index(&self, name: &str) -> &Value {
        self.get(name)
            .unwrap_or_else(|| panic!("there is no attribute `{name}`"))
    }
}

impl fmt::Debug for Attributes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

/// Serializes the attributes as a map of texts.
impl Serialize for Attributes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len()))?;
        for (name, value) in self {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Attributes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of attributes")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Attributes, M::Error> {
                let mut attributes = Attributes::new();
                // A stated length may be false: room for what an object commonly has, no more.
                attributes.reserve(map.size_hint().unwrap_or(0).min(64));
                while let Some((name, value)) = map.next_entry::<Name, Value>()? {
                    attributes.insert(name, value);
                }
                Ok(attributes)
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn they_behave_as_a_map_of_texts(steps in prop::collection::vec(("[ab]?(mail|title|x)", any::<Option<i64>>()), 0..60)) {
            let (mut map, mut ours) = (BTreeMap::new(), Attributes::new());
            for (name, value) in &steps {
                match value {
                    Some(n) => {
                        let value = Value::Integer(*n);
                        prop_assert_eq!(map.insert(name.clone(), value.clone()), ours.insert(name, value));
                    }
                    None => prop_assert_eq!(map.remove(name), ours.remove(name)),
                }
                prop_assert_eq!(map.get(name), ours.get(name));
            }
            let listed: Vec<_> = ours.iter().map(|(name, value)| (name.to_string(), value.clone())).collect();
            prop_assert_eq!(listed, map.clone().into_iter().collect::<Vec<_>>());
            let set = steps.iter().filter_map(|(name, value)| Some((name.clone(), Value::Integer((*value)?))));
            let (all, same): (Attributes, BTreeMap<String, Value>) = (set.clone().collect(), set.collect());
            prop_assert_eq!(serde_json::to_value(&all).unwrap(), serde_json::to_value(&same).unwrap());
            let back: Attributes = serde_json::from_value(serde_json::to_value(&same).unwrap()).unwrap();
            prop_assert_eq!(back, all);
        }
    }
}

//! PATCH (RFC 7644 section 3.5.2): works on a copy, so a bad operation leaves nothing behind.

use std::collections::HashSet;

use serde_json::Map;
use serde_json::Value;

use super::LegacyRemoval;
use super::WorkspaceOptions;
use super::check;
use super::error::ScimError;
use super::filter;
use super::filter::Filter;
use super::odd;
use super::place;
use super::place::Place;
use super::schema;
use super::schema::Attribute;
use super::schema::Type;

const MESSAGE: &str = "urn:ietf:params:scim:api:messages:2.0:PatchOp";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verb {
    Add,
    Replace,
    Remove,
}

/// The target of a path.
struct Target {
    place: Place,
    /// The filter in brackets, with the sub-attribute behind it.
    elements: Option<(Filter, Option<&'static Attribute>)>,
}

/// Returns the resource after all operations, not yet checked for uniqueness.
pub(super) fn apply(
    kind: Type,
    resource: &Value,
    body: &Value,
    options: &WorkspaceOptions,
) -> Result<Value, ScimError> {
    let urns = body.get("schemas").and_then(Value::as_array);
    if !urns.is_some_and(|urns| urns.iter().any(|urn| urn == MESSAGE)) {
        return Err(ScimError::syntax(&format!("`schemas` does not name {MESSAGE}")));
    }
    let operations = body.as_object().and_then(|body| {
        body.iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("operations"))
            .and_then(|(_, list)| list.as_array())
    });
    let Some(operations) = operations.filter(|list| !list.is_empty()) else {
        return Err(ScimError::syntax("`Operations` is missing or empty"));
    };
    if let Some(refusal) = odd::patch_refused(operations, options) {
        return Err(refusal);
    }
    let mut copy = resource.clone();
    for (at, operation) in operations.iter().enumerate() {
        match apply_one(kind, &mut copy, operation, options) {
            Err(_) if at > 0 && options.odd.not_atomic => break,
            done => done?,
        }
    }
    if let Some(map) = copy.as_object_mut() {
        name_extensions(kind, map, options);
        check::require(kind, map)?;
    }
    Ok(copy)
}

/// Sets `schemas` to name the extensions that hold something.
fn name_extensions(kind: Type, map: &mut Map<String, Value>, options: &WorkspaceOptions) {
    for (urn, _) in kind.extensions(options) {
        if map.get(urn).and_then(Value::as_object).is_some_and(Map::is_empty) {
            map.remove(urn);
        }
    }
    let held: Vec<String> = map.keys().filter(|name| name.contains(':')).cloned().collect();
    let mut urns = vec![Value::from(kind.core())];
    urns.extend(held.into_iter().map(Value::from));
    map.insert("schemas".into(), urns.into());
}

fn apply_one(
    kind: Type,
    copy: &mut Value,
    operation: &Value,
    options: &WorkspaceOptions,
) -> Result<(), ScimError> {
    let text = |name: &str| operation.get(name).and_then(Value::as_str);
    let verb = match text("op").map(str::to_ascii_lowercase).as_deref() {
        Some("add") => Verb::Add,
        Some("replace") => Verb::Replace,
        Some("remove") => Verb::Remove,
        _ => return Err(ScimError::syntax("`op` must be add, replace or remove")),
    };
    let value = operation.get("value").filter(|value| !value.is_null());
    match (text("path"), verb, value) {
        (Some(path), _, _) => one_path(kind, copy, verb, path, value, options),
        (None, Verb::Remove, _) => Err(ScimError::no_target("remove needs a path")),
        (None, _, Some(Value::Object(values))) => values.iter().try_for_each(|(name, value)| {
            let value = Some(value).filter(|value| !value.is_null());
            one_path(kind, copy, verb, name, value, options)
        }),
        (None, _, _) => Err(ScimError::value("without a path, `value` must be an object")),
    }
}

fn one_path(
    kind: Type,
    copy: &mut Value,
    verb: Verb,
    path: &str,
    value: Option<&Value>,
    options: &WorkspaceOptions,
) -> Result<(), ScimError> {
    let word = match verb {
        Verb::Add => "add",
        Verb::Replace => "replace",
        Verb::Remove => "remove",
    };
    if odd::swallowed(copy, word, path, value, options) {
        return Ok(());
    }
    let target = target(kind, path, options)?;
    let verb = match (verb, value) {
        (Verb::Add, None) => return Err(ScimError::value("add needs a value")),
        // Null and nothing mean unassigned (RFC 7643 section 2.5).
        (Verb::Replace, None) => Verb::Remove,
        (verb, _) => verb,
    };
    let read_only =
        target.place.attribute.is_some_and(|a| a.read_only) || target.place.sub.is_some_and(|a| a.read_only);
    if read_only {
        return Err(ScimError::mutability(&format!("{path} is read-only")));
    }
    let Some(root) = copy.as_object_mut() else {
        return Ok(());
    };
    let Some(attribute) = target.place.attribute else {
        return whole_extension(kind, root, verb, &target.place, value, options);
    };
    let holder = match target.place.urn {
        None => root,
        Some(urn) => match root.entry(urn).or_insert_with(|| Map::new().into()) {
            Value::Object(map) => map,
            _ => return Err(ScimError::value("the extension holds no object")),
        },
    };
    let change = Change {
        verb,
        path,
        attribute,
        value,
        options,
    };
    match (&target.elements, target.place.sub) {
        (Some((filter, sub)), _) => change.elements(holder, filter, *sub),
        (None, Some(sub)) => change.sub_attribute(holder, sub),
        (None, None) => change.attribute(holder),
    }
}

fn target(kind: Type, path: &str, options: &WorkspaceOptions) -> Result<Target, ScimError> {
    let Some((head, rest)) = path.split_once('[') else {
        return Ok(Target {
            place: place::place(kind, path, options)?,
            elements: None,
        });
    };
    let place = place::place(kind, head, options)?;
    let Some((inside, tail)) = rest.rsplit_once(']') else {
        return Err(ScimError::path(&format!("{path}: a bracket is not closed")));
    };
    let Some(attribute) = place.attribute.filter(|a| a.many && place.sub.is_none()) else {
        return Err(ScimError::path(&format!("{head} is not multi-valued")));
    };
    let filter = filter::parse_inside(kind, attribute, inside, options)?;
    let sub = match tail.strip_prefix('.') {
        Some(name) => Some(
            schema::find_sub(attribute, name).ok_or_else(|| ScimError::path(&format!("unknown {name}")))?,
        ),
        None if tail.is_empty() => None,
        None => {
            return Err(ScimError::path(&format!(
                "{path}: `.` expected behind the bracket"
            )));
        }
    };
    Ok(Target {
        place,
        elements: Some((filter, sub)),
    })
}

fn whole_extension(
    kind: Type,
    root: &mut Map<String, Value>,
    verb: Verb,
    place: &Place,
    value: Option<&Value>,
    options: &WorkspaceOptions,
) -> Result<(), ScimError> {
    let Some((urn, known)) = place.urn.and_then(|urn| kind.extension(urn, options)) else {
        return Ok(());
    };
    if verb == Verb::Remove {
        root.remove(urn);
        return Ok(());
    }
    let new = check::check_object(known, value.unwrap_or(&Value::Null), urn)?;
    match root.entry(urn).or_insert_with(|| Map::new().into()) {
        Value::Object(held) => held.extend(new),
        other => *other = new.into(),
    }
    Ok(())
}

struct Change<'a> {
    verb: Verb,
    path: &'a str,
    attribute: &'static Attribute,
    value: Option<&'a Value>,
    options: &'a WorkspaceOptions,
}

impl Change<'_> {
    fn value(&self) -> &Value {
        self.value.unwrap_or(&Value::Null)
    }

    /// Changes `emails[type eq "work"]` and `emails[type eq "work"].value`.
    fn elements(
        &self,
        holder: &mut Map<String, Value>,
        filter: &Filter,
        sub: Option<&'static Attribute>,
    ) -> Result<(), ScimError> {
        if self.verb == Verb::Remove && !self.options.path_filter_removal {
            return Err(ScimError::new(
                501,
                "",
                "value filters in paths are not supported",
            ));
        }
        let name = self.attribute.name;
        let items = holder.get_mut(name).and_then(Value::as_array_mut);
        let hit = |item: &Value| filter::matches(filter, item, self.options);
        let found = items.as_ref().is_some_and(|items| items.iter().any(hit));
        if !found {
            if self.verb == Verb::Remove && self.options.removal_of_absent_is_done {
                return Ok(());
            }
            if let Some((name, element)) = odd::made_element(name, self.path, self.value, self.options) {
                let list = holder.entry(name).or_insert_with(|| Vec::<Value>::new().into());
                list.as_array_mut()
                    .into_iter()
                    .for_each(|list| list.push(element.clone()));
                return Ok(());
            }
            return Err(ScimError::no_target(&format!("{}: no value matches", self.path)));
        }
        let Some(items) = items else { return Ok(()) };
        match (self.verb, sub) {
            (Verb::Remove, None) => items.retain(|item| !hit(item)),
            (Verb::Remove, Some(sub)) => {
                for item in items
                    .iter_mut()
                    .filter(|item| filter::matches(filter, item, self.options))
                {
                    item.as_object_mut()
                        .into_iter()
                        .for_each(|item| drop(item.remove(sub.name)));
                }
            }
            (_, sub) => {
                for item in items
                    .iter_mut()
                    .filter(|item| filter::matches(filter, item, self.options))
                {
                    self.write_element(item, sub)?;
                }
            }
        }
        if items.is_empty() {
            holder.remove(name);
        }
        Ok(())
    }

    fn write_element(&self, item: &mut Value, sub: Option<&'static Attribute>) -> Result<(), ScimError> {
        match sub {
            Some(sub) => item[sub.name] = check::check_one(sub, self.value(), self.path)?,
            None => {
                let new = check::check_one(self.attribute, self.value(), self.path)?;
                match (self.verb, item.as_object_mut(), new) {
                    (Verb::Add, Some(item), Value::Object(new)) => item.extend(new),
                    (_, _, new) => *item = new,
                }
            }
        }
        Ok(())
    }

    /// Changes `name.givenName`.
    fn sub_attribute(
        &self,
        holder: &mut Map<String, Value>,
        sub: &'static Attribute,
    ) -> Result<(), ScimError> {
        let name = self.attribute.name;
        if self.attribute.many {
            return Err(ScimError::path(&format!("{} needs a value filter", self.path)));
        }
        if self.verb == Verb::Remove {
            let empty = holder
                .get_mut(name)
                .and_then(Value::as_object_mut)
                .is_some_and(|held| {
                    held.remove(sub.name);
                    held.is_empty()
                });
            if empty {
                holder.remove(name);
            }
            return Ok(());
        }
        let new = check::check_value(sub, self.value(), self.path)?;
        match holder.entry(name).or_insert_with(|| Map::new().into()) {
            Value::Object(held) => drop(held.insert(sub.name.to_owned(), new)),
            _ => return Err(ScimError::value(&format!("{} is not complex", self.path))),
        }
        Ok(())
    }

    /// Changes an attribute as a whole.
    fn attribute(&self, holder: &mut Map<String, Value>) -> Result<(), ScimError> {
        let name = self.attribute.name;
        if self.verb == Verb::Remove {
            return self.remove_attribute(holder);
        }
        if !self.attribute.many {
            let new = check::check_value(self.attribute, self.value(), self.path)?;
            match (holder.get_mut(name).and_then(Value::as_object_mut), new) {
                // Sub-attributes that are not named are left unchanged (RFC 7644 section 3.5.2.3).
                (Some(held), Value::Object(new)) => held.extend(new),
                (_, new) => drop(holder.insert(name.to_owned(), new)),
            }
            return Ok(());
        }
        let given = match self.value() {
            Value::Array(items) => items.clone(),
            one => vec![one.clone()],
        };
        let Value::Array(new) = check::check_value(self.attribute, &given.into(), self.path)? else {
            return Ok(());
        };
        let merges = name == "members" && self.options.odd.replace_merges_members;
        let mut items = match (self.verb, holder.remove(name)) {
            (Verb::Replace, Some(Value::Array(held))) if merges => held,
            (Verb::Add, Some(Value::Array(held))) => held,
            _ => Vec::new(),
        };
        append(&mut items, new, self.options.duplicate_members);
        if !items.is_empty() {
            holder.insert(name.to_owned(), items.into());
        }
        Ok(())
    }

    fn remove_attribute(&self, holder: &mut Map<String, Value>) -> Result<(), ScimError> {
        let name = self.attribute.name;
        if let (true, Some(Value::Array(listed))) = (self.attribute.many, self.value) {
            match self.options.legacy_removal {
                LegacyRemoval::Refuse => {
                    return Err(ScimError::value(
                        "remove takes no value: use a path with a filter",
                    ));
                }
                LegacyRemoval::RemovesAll => {}
                LegacyRemoval::Honour => {
                    let gone: HashSet<&str> = listed
                        .iter()
                        .filter_map(|item| item.get("value")?.as_str())
                        .collect();
                    if let Some(Value::Array(items)) = holder.get_mut(name) {
                        items
                            .retain(|item| !item["value"].as_str().is_some_and(|value| gone.contains(value)));
                    }
                    return Ok(());
                }
            }
        }
        holder.remove(name);
        Ok(())
    }
}

/// Appends the items that are not there yet; a new primary value takes the mark from the old one.
fn append(items: &mut Vec<Value>, new: Vec<Value>, duplicates: bool) {
    if new
        .iter()
        .any(|item| item.get("primary") == Some(&Value::Bool(true)))
    {
        for item in items.iter_mut().filter(|item| item.get("primary").is_some()) {
            item["primary"] = false.into();
        }
    }
    let key = |item: &Value| match (
        item.get("value").and_then(Value::as_str),
        item.get("type").and_then(Value::as_str),
    ) {
        (Some(value), kind) => format!("{value}\u{0}{}", kind.unwrap_or_default()),
        _ => item.to_string(),
    };
    let mut seen: HashSet<String> = items.iter().map(key).collect();
    for item in new {
        if duplicates || seen.insert(key(&item)) {
            items.push(item);
        }
    }
}

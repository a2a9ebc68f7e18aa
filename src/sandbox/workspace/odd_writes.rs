//! Writes that are answered well and not done, or not as they were asked for: see [`crate::sandbox::Oddities`].

use serde_json::Map;
use serde_json::Value;

use super::Core;
use super::WorkspaceOptions;
use super::error::ScimError;
use super::schema::Type;
use crate::sandbox::server::Call;

/// Returns a value by its plain path: `title`, `name.givenName`.
fn held<'v>(resource: &'v Value, path: &str) -> Option<&'v Value> {
    path.split('.').try_fold(resource, |held, name| held.get(name))
}

fn put(resource: &mut Value, path: &str, value: Option<Value>) {
    let (holder, name) = match path.split_once('.') {
        Some((whole, sub)) => {
            let Some(map) = resource.as_object_mut() else {
                return;
            };
            (map.entry(whole).or_insert_with(|| Map::new().into()), sub)
        }
        None => (resource, path),
    };
    let Some(map) = holder.as_object_mut() else { return };
    match value {
        Some(value) => drop(map.insert(name.to_owned(), value)),
        None => drop(map.remove(name)),
    }
}

/// Changes a created resource as this server does beside the request.
pub(super) fn of_create(resource: &mut Value, options: &WorkspaceOptions) {
    for path in &options.odd.left_out_of_creates {
        let value = (path == "active").then_some(Value::Bool(true));
        put(resource, path, value);
    }
}

/// Refuses a request as this server does for a header or a parameter of it.
pub(super) fn request_refused(core: &Core, call: &Call) -> Option<ScimError> {
    let odd = &core.options.odd;
    let accepts = call.header("accept").unwrap_or_default();
    if odd.accept_refused && accepts.contains("application/scim+json") {
        return Some(ScimError::new(406, "", "not acceptable"));
    }
    let excludes = odd.excluded_attributes_refused && call.option("excludedAttributes").is_some();
    excludes.then(|| ScimError::value("unknown parameter excludedAttributes"))
}

/// Returns true for a write of a record at which this server breaks.
pub(super) fn is_broken(core: &mut Core, call: &Call, kind: Type, id: Option<&str>) -> bool {
    if core.options.odd.broken_records.is_empty() || !call.is_write() {
        return false;
    }
    let sent = serde_json::from_slice::<Value>(&call.body).unwrap_or_default();
    let held = id
        .and_then(|id| core.shelf(kind).get(id).cloned())
        .unwrap_or_default();
    let naming = match kind {
        Type::User => "userName",
        Type::Group => "displayName",
    };
    let names = [held.get(naming), sent.get(naming)].into_iter().flatten();
    let broken = &core.options.odd.broken_records;
    names
        .filter_map(Value::as_str)
        .any(|name| broken.iter().any(|known| known == name))
}

/// Returns true for an operation of a PATCH at which this server breaks.
pub(super) fn breaks(path: &str, options: &WorkspaceOptions) -> bool {
    begins_with_one(path, &options.odd.patch_breaks)
}

/// Returns true for an operation of a PATCH that this server answers well and does not carry out.
pub(super) fn is_silent(path: &str, options: &WorkspaceOptions) -> bool {
    begins_with_one(path, &options.odd.silent_by_patch)
}

fn begins_with_one(path: &str, known: &[String]) -> bool {
    let begins = |known: &String| {
        path.get(..known.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(known))
    };
    known.iter().any(begins)
}

/// Changes a resource as this server does beside the requested change.
pub(super) fn of_change(before: &Value, resource: &mut Value, options: &WorkspaceOptions) {
    for path in &options.odd.frozen {
        put(resource, path, held(before, path).cloned());
    }
}

/// Joins two attributes that are one: the one that was written sets both.
pub(super) fn join(before: Option<&Value>, resource: &mut Value, options: &WorkspaceOptions) {
    let Some((one, other)) = &options.odd.twins else {
        return;
    };
    let was = |path: &str| before.and_then(|before| held(before, path));
    let moved = |path: &str| held(resource, path) != was(path);
    let from = if moved(other) { other } else { one };
    let value = held(resource, from).cloned();
    put(resource, one, value.clone());
    put(resource, other, value);
}

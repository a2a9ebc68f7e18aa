//! Listings over HTTP, filtered and paged (RFC 7644 section 3.4.2).

use std::collections::BTreeSet;

use serde_json::Value;
use serde_json::json;

use super::Core;
use super::error::SCIM_JSON;
use super::error::ScimError;
use super::filter;
use super::filter::Filter;
use super::filter::Op;
use super::odd_listing;
use super::resources::shown;
use super::schema::Type;
use super::store::Shelf;
use crate::sandbox::server::Answer;
use crate::sandbox::server::Call;

/// The resources that a GET shows where paging is not supported.
const UNPAGED: usize = 20;

pub(super) fn list(core: &mut Core, call: &Call, kind: Type) -> Result<Answer, ScimError> {
    if let Some(refusal) = refused(core, call) {
        return Err(refusal);
    }
    let all = core.shelf(kind).len();
    if let Some(refusal) = odd_listing::behind_the_end(core, call, all) {
        return Err(refusal);
    }
    let number = |name: &str| call.option(name).and_then(|text| text.parse::<i64>().ok());
    let (start, count) = match core.options.paging {
        true => {
            let most = core.options.max_results;
            let count = number("count")
                .map_or(most, |count| usize::try_from(count).unwrap_or(0))
                .min(most);
            let count = odd_listing::shown_at_once(&core.options, count, number("startIndex"));
            // A cursor of ours is the index of the page's first resource.
            let start = if core.options.odd.cursor_paging && call.option("cursor").is_some() {
                number("cursor")
            } else {
                number("startIndex")
            };
            (usize::try_from(start.unwrap_or(1)).unwrap_or(1).max(1), count)
        }
        false => (1, UNPAGED),
    };
    let (total, page): (usize, Vec<Value>) = match call.option("filter") {
        None => {
            let shelf = core.shelf(kind);
            (
                shelf.len(),
                shelf.page(start - 1, count).iter().flatten().cloned().collect(),
            )
        }
        Some(text) => {
            let found = filtered(core, kind, &text)?;
            (
                found.len(),
                found.into_iter().skip(start - 1).take(count).collect(),
            )
        }
    };
    let resources: Vec<Value> = page
        .into_iter()
        .map(|resource| shown(core, call, kind, resource))
        .collect();
    let after = start + resources.len();
    let by_cursor = core.options.odd.cursor_paging && call.option("cursor").is_some();
    let mut listing = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": total, "startIndex": start, "itemsPerPage": resources.len(), "Resources": resources,
    });
    if by_cursor {
        if let Some(listing) = listing.as_object_mut() {
            listing.remove("startIndex");
        }
        if core.options.odd.cursor_loops || after <= total {
            let next = if after > total { 1 } else { after };
            listing["nextCursor"] = next.to_string().into();
        }
    }
    Ok(Answer::json(
        200,
        SCIM_JSON,
        &odd_listing::worded(listing, &core.options),
    ))
}

/// Refuses some pages. RFC 9865: a server may page by cursor only, and some announce cursors that they refuse. Others
/// refuse a large `count`.
fn refused(core: &Core, call: &Call) -> Option<ScimError> {
    let odd = &core.options.odd;
    if let Some(refusal) = odd_listing::count_refused(odd, call) {
        return Some(refusal);
    }
    let by_cursor = call.option("cursor").is_some();
    let later = call
        .option("startIndex")
        .is_some_and(|start| start.parse::<usize>().is_ok_and(|start| start > 1));
    match () {
        () if odd.cursor_refused && by_cursor => {
            Some(ScimError::new(501, "", "paging by cursor is not supported"))
        }
        () if odd.cursor_paging && later => Some(ScimError::value("pages are asked for by cursor")),
        () => None,
    }
}

fn filtered(core: &Core, kind: Type, text: &str) -> Result<Vec<Value>, ScimError> {
    let options = &core.options;
    if !options.filters {
        return Err(ScimError::new(501, "", "filters are not supported"));
    }
    let mut filter = filter::parse(kind, text, options)?;
    let odd = &options.odd;
    if odd.or_filters_refused && matches!(filter, Filter::Or(..)) {
        return Err(ScimError::filter("`or` is not supported"));
    }
    while odd.or_filters_see_the_first
        && let Filter::Or(first, _) = filter
    {
        filter = *first;
    }
    let shelf = if kind == Type::User {
        &core.users
    } else {
        &core.groups
    };
    let no_answer =
        matches!(equality(&filter), Some(("externalId", _))) && options.external_id_filter_is_empty;
    if no_answer || (options.odd.member_filter_empty && text.contains("members")) {
        return Ok(Vec::new());
    }
    let candidates: Vec<&Value> = match indexed(shelf, &filter) {
        Some(slots) => shelf.at(&slots),
        None => shelf.all().collect(),
    };
    if odd.filters_ignored {
        return Ok(shelf.all().cloned().collect());
    }
    Ok(candidates
        .into_iter()
        .filter(|resource| filter::matches(&filter, resource, options))
        .take(odd.most_results_of_a_filter.unwrap_or(usize::MAX))
        .cloned()
        .collect())
}

/// Returns the attribute and the text, where the filter is one comparison of a plain attribute with a text.
fn equality(filter: &Filter) -> Option<(&'static str, &str)> {
    let Filter::Compare {
        place,
        op: Op::Eq,
        value: Value::String(value),
    } = filter
    else {
        return None;
    };
    if place.urn.is_some() || place.sub.is_some() {
        return None;
    }
    Some((place.attribute?.name, value))
}

/// Returns the places of all resources that may match, where the indexes can answer, as those of a real service would:
/// comparisons with an id, a name or an externalId, and any of several of them.
fn indexed(shelf: &Shelf, filter: &Filter) -> Option<BTreeSet<usize>> {
    if let Filter::Or(one, other) = filter {
        let mut slots = indexed(shelf, one)?;
        slots.append(&mut indexed(shelf, other)?);
        return Some(slots);
    }
    let naming = if shelf.kind == Type::User {
        "userName"
    } else {
        "displayName"
    };
    match equality(filter)? {
        ("id", value) => Some(shelf.slot_of(value).into_iter().collect()),
        ("externalId", value) => Some(shelf.slots_with_external_id(value).iter().copied().collect()),
        (name, value) if name == naming => Some(shelf.slots_named(value).iter().copied().collect()),
        _ => None,
    }
}

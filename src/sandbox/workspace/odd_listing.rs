//! Odd listings of servers in the field: numbers that are wrong, pages that are short, requests that are refused.

use serde::Deserialize;
use serde_json::Value;
use serde_json::json;

use super::Core;
use super::WorkspaceOptions;
use super::error::ScimError;
use crate::sandbox::Oddities;
use crate::sandbox::server::Call;

/// The content of `totalResults` and `itemsPerPage`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Numbers {
    /// The number that the RFC defines.
    #[default]
    Right,
    /// One less than there are.
    TooLow,
    /// More than there are.
    TooHigh,
    /// Always zero.
    Zero,
    /// Always one.
    One,
    /// Nothing.
    Missing,
    /// The right numbers, as texts.
    Texts,
    /// `totalResults` counts the page.
    PerPage,
    /// Texts that are not numbers.
    Nonsense,
}

/// Writes a listing in the form of this server.
pub(super) fn worded(mut listing: Value, options: &WorkspaceOptions) -> Value {
    let (total, shown) = (
        listing["totalResults"].as_u64().unwrap_or(0),
        listing["itemsPerPage"].as_u64().unwrap_or(0),
    );
    let (says_total, says_shown) = match options.odd.numbers {
        Numbers::Right => (json!(total), json!(shown)),
        Numbers::TooLow => (json!(total.saturating_sub(1)), json!(0)),
        Numbers::TooHigh => (json!(total + 1000), json!(500)),
        Numbers::Zero => (json!(0), json!(0)),
        Numbers::One => (json!(1), json!(1)),
        Numbers::Missing => (Value::Null, Value::Null),
        Numbers::Texts => (json!(total.to_string()), json!(shown.to_string())),
        Numbers::PerPage => (json!(shown), json!(shown)),
        Numbers::Nonsense => (json!(-1), json!("many")),
    };
    let Value::Object(fields) = &mut listing else {
        return listing;
    };
    for (name, says) in [("totalResults", says_total), ("itemsPerPage", says_shown)] {
        if says.is_null() {
            fields.remove(name);
        } else {
            fields.insert(name.to_owned(), says);
        }
    }
    if shown == 0 && options.odd.no_empty_resources {
        fields.remove("Resources");
    }
    if options.odd.bare_listings {
        return fields.remove("Resources").unwrap_or_else(|| json!([]));
    }
    listing
}

/// Returns how many resources a page shows, where it is asked for so many.
pub(super) fn shown_at_once(options: &WorkspaceOptions, count: usize, start: Option<i64>) -> usize {
    let odd = &options.odd;
    let capped = odd.most_shown.map_or(count, |most| count.min(most));
    // Short in the middle: each page by another length.
    match start.and_then(|start| usize::try_from(start).ok()) {
        Some(start) if odd.short_pages && count > 0 => capped.min(1 + start % 3),
        _ => capped,
    }
}

/// Refuses a `count` that is too large for this server.
pub(super) fn count_refused(odd: &Oddities, call: &Call) -> Option<ScimError> {
    let count: u64 = call.option("count")?.parse().ok()?;
    let (most, status) = odd.count_refused?;
    (count > most).then(|| ScimError::new(status, "", "count is too large"))
}

/// Refuses an index behind the last resource, where this server does.
pub(super) fn behind_the_end(core: &Core, call: &Call, all: usize) -> Option<ScimError> {
    let start: usize = call.option("startIndex")?.parse().ok()?;
    let status = core.options.odd.behind_the_end_refused?;
    (start > 1 && start > all).then(|| ScimError::new(status, "", "startIndex is behind the last resource"))
}

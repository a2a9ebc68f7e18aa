//! What must hold of any answer of a SCIM service, whatever its bytes: reading it ends, and no id is invented. Used by the
//! fuzz target `scim_response` and by the tests of the suite.

use melonsync::model::percent;
use melonsync::model::secret::Secret;
use melonsync::ports::TargetError;
use melonsync::reconcile::members_of;
use melonsync::scim::capabilities;
use melonsync::scim::capabilities::Advertised;
use melonsync::scim::fault;
use melonsync::scim::fault::Asked;
use melonsync::scim::resource;
use melonsync::scim::resource::Listing;
use melonsync::scim::usage;
use melonsync::transport::Answer;
use serde_json::Map;
use serde_json::Value as Json;

/// A token that must never show up in an error.
const TOKEN: &str = "t0p-secret-token";

/// Reads an answer in every way in which the client does, and checks what comes of it.
pub fn check(status: u16, location: &str, bytes: &[u8]) {
    let body = serde_json::from_slice::<Json>(bytes).ok();
    if let Some(body) = &body {
        check_body(body);
    }
    if let Some(id) = resource::id_in_location(location, "Users") {
        // Each segment by itself: what is no percent encoding elsewhere in the Location says nothing of the id.
        let is_segment = |part: &str| percent::decoded(part).is_some_and(|part| part == id.as_str());
        assert!(
            location.split(['/', '?', '#']).any(is_segment),
            "the id {id} is not in the Location {location:?}"
        );
    }
    let Some(answer) = answer(status, location, bytes) else {
        return;
    };
    let counted = fault::status_of(&answer, body.as_ref());
    if !answer.status.is_success() {
        assert_eq!(counted, answer.status.as_u16(), "only a 2xx is looked into");
    }
    let _ = answer.retry_after(melonsync::model::clock::Timestamp(0));
    let asked = Asked {
        method: "PATCH",
        path: "/Users/1".to_owned(),
        one_resource: true,
    };
    let error = fault::fault(
        &asked,
        counted,
        &answer,
        &Secret::new(TOKEN.to_owned()),
        fault::Words::Kept,
    );
    let said = error.to_string();
    assert!(!said.contains(TOKEN), "the token is shown: {said}");
    assert!(
        said.chars().count() < 1000 && !said.contains('\n'),
        "not one short line: {said}"
    );
    if (500..600).contains(&counted) && counted != 501 && counted != 505 {
        assert!(
            matches!(error, TargetError::Unavailable { .. }),
            "{counted} puts nobody into escrow"
        );
    }
}

fn check_body(body: &Json) {
    let ids = scalars(body);
    let known = |id: &str| ids.contains(&id.to_owned());
    if let Some(listing) = Listing::from_json(body.clone(), false) {
        assert!(listing.resources.len() as u64 <= listing.entries);
        for found in &listing.resources {
            assert!(known(found.id.as_str()), "the id {} was invented", found.id);
        }
        if listing.entries == 0 && !body.is_array() {
            let empty = listing.total == Some(0) || has_results(body) || says_none(body);
            assert!(
                empty,
                "an answer without results was read as an empty listing: {body}"
            );
        }
    }
    if let Some(found) = resource::resource(body.clone()) {
        assert!(known(found.id.as_str()), "the id {} was invented", found.id);
        assert_eq!(found.body, *body, "the body is kept as it came");
    }
    for member in members_of(body).there {
        // A reference ends with the id.
        let told = ids.iter().any(|text| text.contains(member.as_str()));
        assert!(told, "the member {member} was invented");
    }
    let _ = usage::not_created(body, body);
    let _ = Advertised::from_json(body);
    let _ = capabilities::schemas(body);
}

/// Every text and number in a document.
fn scalars(value: &Json) -> Vec<String> {
    match value {
        // Ids are trimmed nowhere: what is compared is what came.
        Json::String(text) => vec![text.clone()],
        Json::Number(number) => vec![number.to_string()],
        Json::Array(items) => items.iter().flat_map(scalars).collect(),
        Json::Object(map) => map.values().flat_map(scalars).collect(),
        _ => Vec::new(),
    }
}

fn has_results(body: &Json) -> bool {
    let object = body.as_object();
    object.is_some_and(|object| {
        object.iter().any(|(name, value)| {
            // Some services write an empty list as an empty object.
            let is_list = value.is_array() || value.as_object().is_some_and(Map::is_empty);
            name.eq_ignore_ascii_case("Resources") && is_list
        })
    })
}

/// Nothing announced: a page without entries, or a listing by its schema without a total.
fn says_none(body: &Json) -> bool {
    let field = |name: &str| body.as_object().and_then(|object| resource::field(object, name));
    let number = |name: &str| field(name).and_then(resource::number);
    let is_listing = field("schemas").is_some_and(|schemas| schemas.to_string().contains("ListResponse"));
    number("itemsPerPage") == Some(0) || (number("totalResults").is_none() && is_listing)
}

fn answer(status: u16, location: &str, bytes: &[u8]) -> Option<Answer> {
    let mut headers = reqwest::header::HeaderMap::new();
    if let Ok(value) = reqwest::header::HeaderValue::from_str(location) {
        headers.insert("location", value.clone());
        headers.insert("retry-after", value.clone());
        headers.insert("x-request-id", value);
    }
    Some(Answer {
        status: reqwest::StatusCode::from_u16(status).ok()?,
        headers,
        body: bytes.to_vec().into(),
    })
}

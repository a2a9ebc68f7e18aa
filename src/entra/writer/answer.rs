//! The meaning of one answer inside a batch of writes.
//!
//! By status and code, with one exception: Graph tells a member who is one already from an object that a replica lacks by the message
//! alone. Mistaken, the one is reported and the other tried again later; nothing is written for either.

use std::time::Duration;

use serde_json::Value as Json;

use super::super::batch::Answered;
use super::super::batch::Inner;
use super::super::fault;
use super::request::Request;
use crate::model::clock::Timestamp;
use crate::ports::Exchange;
use crate::ports::Sent;
use crate::ports::What;

/// What an answer means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Settled(Sent),
    /// Not carried out: sent again after this time.
    Throttled {
        after: Option<Duration>,
        what: What,
    },
}

/// Judges the answer to one request.
pub(super) fn meaning(request: &Request, answered: Answered, now: Timestamp) -> Meaning {
    let inner = match answered {
        Answered::Once(inner) => inner,
        Answered::Twice => return unanswered(request, "answered twice in one batch"),
        Answered::Never => return unanswered(request, "no answer in the batch"),
    };
    let what = described(request, &inner);
    let settled = match (request.adds(), inner.status) {
        (_, 200..=299) => Sent::Done,
        (_, 429 | 503) => {
            return Meaning::Throttled {
                after: inner.retry_after(now),
                what,
            };
        }
        // The token ran out meanwhile: nothing was carried out.
        (_, 401) => Sent::NotYet(what),
        (Some(false), 404) => Sent::AlreadySo,
        (Some(true), 400) if message(&inner.body).contains("already exist") => Sent::AlreadySo,
        (Some(true), 400) if message(&inner.body).contains("don't exist") => Sent::NotYet(what),
        (_, status @ 400..=499) if status != 408 && status != 424 => Sent::Refused { status, what },
        _ => Sent::Unanswered(what),
    };
    Meaning::Settled(settled)
}

fn unanswered(request: &Request, why: &str) -> Meaning {
    let what = format!("{} {} in $batch -> {why}", request.method(), request.path());
    Meaning::Settled(Sent::Unanswered(What::of(what, exchange(request, None))))
}

fn described(request: &Request, inner: &Inner) -> What {
    let codes = fault::codes_of(&inner.body).join("/");
    let mut text = format!(
        "{} {} in $batch -> {}",
        request.method(),
        request.path(),
        inner.status
    );
    for part in [&codes, message(&inner.body)] {
        if !part.is_empty() {
            text.push(' ');
            text.push_str(&fault::shortened(part));
        }
    }
    What::of(text, exchange(request, Some(inner.status)))
}

fn exchange(request: &Request, status: Option<u16>) -> Exchange {
    Exchange {
        method: request.method(),
        path: request.path(),
        status,
        request_id: None,
    }
}

fn message(body: &Json) -> &str {
    body.pointer("/error/message")
        .and_then(Json::as_str)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use url::Url;

    use super::super::super::batch::Answers;
    use super::*;
    use crate::model::id::SourceId;
    use crate::model::value::Value;
    use crate::ports::MembershipWrite;
    use crate::ports::UserWrite;

    /// The meaning in one word.
    fn word(request: &Request, responses: &Json) -> String {
        let body = json!({ "responses": responses }).to_string();
        let mut answers = Answers::read(body.as_bytes()).unwrap();
        match meaning(request, answers.take(1), Timestamp(0)) {
            Meaning::Settled(Sent::Done) => "done".to_owned(),
            Meaning::Settled(Sent::AlreadySo) => "already so".to_owned(),
            Meaning::Settled(Sent::NotYet(_)) => "not yet".to_owned(),
            Meaning::Settled(Sent::Unanswered(_)) => "unanswered".to_owned(),
            Meaning::Settled(Sent::Refused { status, .. }) => format!("refused {status}"),
            Meaning::Throttled { after, .. } => format!("throttled {after:?}"),
        }
    }

    #[test]
    fn each_answer_means_one_thing() {
        let base = Url::parse("https://graph.microsoft.com/v1.0").unwrap();
        let id = SourceId::from_bytes([1; 16]);
        let set = Request::set(&UserWrite {
            user: id,
            properties: vec![("mobilePhone".to_owned(), Value::Null)],
        });
        let member = |add| {
            let write = MembershipWrite {
                group: id,
                user: id,
                add,
            };
            Request::enrol(&write, &base)
        };
        let (join, leave) = (member(true), member(false));
        let error = |message: &str| json!({"error": {"code": "Request_BadRequest", "message": message}});
        for (name, request, status, body, expected) in [
            ("a user", &set, 204, Json::Null, "done"),
            ("a member", &join, 204, Json::Null, "done"),
            (
                "on-premises",
                &set,
                400,
                error("Unable to update the specified properties"),
                "refused 400",
            ),
            (
                "privileged",
                &set,
                403,
                error("Insufficient privileges"),
                "refused 403",
            ),
            ("no such user", &set, 404, error("does not exist"), "refused 404"),
            (
                "a member already",
                &join,
                400,
                error(
                    "One or more added object references already exist for the following modified properties: 'members'.",
                ),
                "already so",
            ),
            (
                "a fresh group",
                &join,
                400,
                error("The source resource object or one of the objects being referenced don't exist"),
                "not yet",
            ),
            ("another 400", &join, 400, error("mail-enabled"), "refused 400"),
            ("no such member to add", &join, 404, error(""), "refused 404"),
            ("no member any more", &leave, 404, error(""), "already so"),
            ("a group of its own kind", &leave, 403, error(""), "refused 403"),
            ("a token that ran out", &set, 401, error(""), "not yet"),
            ("a server error", &set, 500, error(""), "unanswered"),
            ("a gateway", &set, 504, Json::Null, "unanswered"),
            ("a timeout", &set, 408, Json::Null, "unanswered"),
            ("throttled", &set, 429, Json::Null, "throttled Some(2.5s)"),
            ("not available", &join, 503, Json::Null, "throttled Some(2.5s)"),
        ] {
            let response =
                json!({"id": "1", "status": status, "headers": {"Retry-After": "2.5"}, "body": body});
            assert_eq!(word(request, &json!([response])), expected, "{name}");
        }
        assert_eq!(word(&set, &json!([])), "unanswered");
        let twice = json!([{"id": "1", "status": 204}, {"id": "1", "status": 403}]);
        assert_eq!(word(&set, &twice), "unanswered");
    }
}

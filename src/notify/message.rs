//! A notification, and its three forms.
//!
//! The forms: Slack's escapes of `&`, `<` and `>` (api.slack.com, "Formatting text"), because `<!channel>` in a name would
//! ring everybody; an Adaptive Card of version 1.2 with `attachments` for Teams workflows, which show nothing of newer ones.

use std::collections::BTreeMap;

use jsonwebtoken::Algorithm;
use jsonwebtoken::EncodingKey;
use jsonwebtoken::crypto;
use serde::Serialize;
use serde_json::Value as Json;
use serde_json::json;

use crate::model::clock::Timestamp;
use crate::model::condition::Condition;
use crate::model::secret::Secret;
use crate::model::verb::Act;
use crate::model::verb::Verb;

/// The form's version.
const VERSION: u32 = 1;

/// What became of the state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// It began.
    Begin,
    /// It lasts, or got worse.
    Again,
    /// It ended.
    End,
}

/// What is sent: never a name of a person, never a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// The state.
    pub condition: Condition,
    /// The job.
    pub job: String,
    /// What became of it.
    pub turn: Turn,
    /// When it began.
    pub since: Timestamp,
    /// Its numbers, by what is counted.
    pub counts: BTreeMap<String, u64>,
    /// The page that shows it, where the daemon has one.
    pub link: Option<String>,
    /// True for a sample that somebody asked for.
    pub sample: bool,
}

#[derive(Serialize)]
struct Body<'m> {
    version: u32,
    event: &'m str,
    job: &'m str,
    state: Turn,
    since: String,
    counts: &'m BTreeMap<String, u64>,
    link: Option<&'m str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    test: bool,
}

impl Message {
    /// Returns the JSON body.
    #[must_use]
    pub fn json(&self) -> String {
        let body = Body {
            version: VERSION,
            event: self.condition.name(),
            job: &self.job,
            state: self.turn,
            since: self.since.to_string(),
            counts: &self.counts,
            link: self.link.as_deref(),
            test: self.sample,
        };
        serde_json::to_string(&body).expect("invariant: texts and numbers are JSON")
    }

    /// Returns the message for a Slack webhook.
    #[must_use]
    pub fn slack(&self) -> String {
        let escaped = |text: &str| {
            text.replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('>', "&gt;")
        };
        let mut text = format!("*{}*\n{}", escaped(&self.title()), escaped(&self.detail()));
        if let Some(link) = &self.link {
            text.push_str(&format!("\n<{}>", escaped(link)));
        }
        json!({ "text": text }).to_string()
    }

    /// Returns the card for a Teams workflow.
    #[must_use]
    pub fn teams(&self) -> String {
        let color = match self.turn {
            Turn::Begin => "Attention",
            Turn::Again => "Warning",
            Turn::End => "Good",
        };
        let mut body = vec![
            json!({
                "type": "TextBlock", "text": self.title(), "weight": "Bolder", "size": "Medium",
                "wrap": true, "style": "heading", "color": color,
            }),
            json!({ "type": "TextBlock", "text": self.detail(), "wrap": true }),
        ];
        if let Some(link) = &self.link {
            body.push(json!({ "type": "TextBlock", "text": format!("[Show it]({link})"), "wrap": true }));
        }
        json!({
            "type": "message",
            "attachments": [{
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": Json::Null,
                "content": {
                    "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                    "type": "AdaptiveCard",
                    "version": "1.2",
                    "body": body,
                    "msteams": { "width": "full" },
                },
            }],
        })
        .to_string()
    }

    /// Returns one line: the job, the state and its turn.
    #[must_use]
    pub fn title(&self) -> String {
        let sample = if self.sample { "Test: " } else { "" };
        let what = words(self.condition, self.turn);
        format!("{sample}melonsync job {}: {what}", self.job)
    }

    /// Returns the numbers, and since when.
    fn detail(&self) -> String {
        let counts: Vec<String> = self
            .counts
            .iter()
            .map(|(what, number)| format!("{}: {number}{}", what.replace('_', " "), meaning(what)))
            .collect();
        let since = format!("since {}", self.since);
        if counts.is_empty() {
            since
        } else {
            format!("{} ({since})", counts.join(", "))
        }
    }
}

/// What a number means that does not say it by itself.
fn meaning(what: &str) -> &'static str {
    let leaves = Verb::named(what).is_some_and(|verb| verb.act().is(Act::Leave));
    if leaves {
        " (whoever leaves the enrolled group falls back to the weaker way to sign in)"
    } else {
        ""
    }
}

/// The state in words.
const fn words(condition: Condition, turn: Turn) -> &'static str {
    match (condition, turn) {
        (Condition::Withheld, Turn::End) => "nothing is withheld any more",
        (Condition::Withheld, _) => "operations are withheld by the guard and wait for a decision",
        (Condition::Quarantine, Turn::End) => "runs again",
        (Condition::Quarantine, _) => "the job, or a kind of operation, is stopped",
        (Condition::Credential, Turn::End) => "its credentials are good again",
        (Condition::Credential, _) => "a credential is refused or about to end",
        (Condition::Lag, Turn::End) => "a good cycle ended, the lag is over",
        (Condition::Lag, _) => "no good cycle for three schedules",
        (Condition::Drift, Turn::End) => "no drift any more",
        (Condition::Drift, _) => "the target differs from what was sent (drift)",
        (Condition::Failed, Turn::End) => "cycles end well again",
        (Condition::Failed, _) => "the last cycle failed",
        (Condition::NotKept, Turn::End) => "the target keeps what it accepts again",
        (Condition::NotKept, _) => "the target did not keep something that it accepted",
    }
}

/// Returns the value of `X-Melonsync-Signature`: HMAC with SHA-256 of the body, in hexadecimal.
#[must_use]
pub fn signature(secret: &Secret, body: &str) -> String {
    use base64::Engine as _;
    let key = EncodingKey::from_secret(secret.expose().as_bytes());
    let signed = crypto::sign(body.as_bytes(), &key, Algorithm::HS256)
        .expect("invariant: HMAC takes keys of any length");
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
        .decode(signed)
        .expect("invariant: the signature comes as base64url");
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256={hex}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message {
        Message {
            condition: Condition::NotKept,
            job: "acme".to_owned(),
            turn: Turn::Begin,
            since: Timestamp(0),
            counts: BTreeMap::from([("values".to_owned(), 3)]),
            link: None,
            sample: false,
        }
    }

    #[test]
    fn the_json_body_is_that_of_the_contract() {
        let expected = r#"{"version":1,"event":"not_kept","job":"acme","state":"begin","since":"1970-01-01T00:00:00.000Z","counts":{"values":3},"link":null}"#;
        assert_eq!(message().json(), expected);
    }

    /// RFC 4231, test case 2.
    #[test]
    fn the_signature_is_hmac_sha256() {
        let secret = Secret::new("Jefe".to_owned());
        assert_eq!(
            signature(&secret, "what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn nothing_in_a_name_rings_a_channel() {
        let mut message = message();
        message.job = "<!channel>&".to_owned();
        let sent: Json = serde_json::from_str(&message.slack()).expect("JSON");
        let text = sent["text"].as_str().expect("a text");
        assert!(
            text.contains("&lt;!channel&gt;&amp;") && !text.contains("<!"),
            "{text}"
        );
    }

    #[test]
    fn a_leave_of_the_enrolled_group_says_what_it_comes_to() {
        let counts = BTreeMap::from([("disable_user".to_owned(), 1), ("remove_enrolled".to_owned(), 2)]);
        let detail = Message { counts, ..message() }.detail();
        let expected = "disable user: 1, remove enrolled: 2 (whoever leaves the enrolled group falls back to the weaker way to sign in) (since";
        assert!(detail.starts_with(expected), "{detail}");
    }

    #[test]
    fn the_card_is_one_that_every_teams_shows() {
        let sent: Json = serde_json::from_str(&message().teams()).expect("JSON");
        let card = &sent["attachments"][0]["content"];
        assert_eq!(
            (&card["version"], &card["type"]),
            (&json!("1.2"), &json!("AdaptiveCard"))
        );
        assert_eq!(card["body"][0]["color"], "Attention");
        assert!(
            card["body"][1]["text"]
                .as_str()
                .is_some_and(|text| text.contains("values: 3"))
        );
    }
}

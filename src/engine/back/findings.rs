//! What the way back finds and no operation tells: the words for people, one finding a cause.

use std::collections::BTreeMap;

use crate::engine::summary::Finding;
use crate::model::id::SourceId;
use crate::ports::SourceError;
use crate::reconcile::back::group::Unfit;
use crate::reconcile::back::keys::NoEvidence;

/// As many ids as one finding names.
const NAMED: usize = 5;

/// What was found in one cycle.
#[derive(Debug, Default)]
pub(in crate::engine::back) struct Findings {
    /// About users, by the code.
    users: BTreeMap<&'static str, Vec<SourceId>>,
    /// About the direction as a whole; each stops it.
    pub(in crate::engine::back) stops: Vec<Finding>,
    /// Keys whose owner is nobody whom we know, or several.
    pub(in crate::engine::back) unowned: Vec<String>,
}

impl Findings {
    /// Notes a finding about a user.
    pub(in crate::engine::back) fn note(&mut self, code: &'static str, user: SourceId) {
        self.users.entry(code).or_default().push(user);
    }

    /// Notes what stops the direction, or a part of it, until it is mended.
    pub(in crate::engine::back) fn stop(&mut self, code: &str, text: String, advice: impl Into<String>) {
        self.stops.push(Finding {
            code: code.to_owned(),
            text,
            advice: advice.into(),
        });
    }

    /// Notes that something could not be read or sent.
    pub(in crate::engine::back) fn failed(&mut self, what: &str, error: &SourceError) {
        let code = match error {
            SourceError::Forbidden { .. } => MISSING_RIGHT,
            SourceError::Unauthorized { .. }
            | SourceError::Reset { .. }
            | SourceError::LinkRefused { .. }
            | SourceError::Unavailable { .. }
            | SourceError::Malformed { .. } => "way_back_failed",
        };
        self.stop(code, format!("{what}: {error}"), error.hint());
    }

    /// Notes why a group cannot be the enrolled group.
    pub(in crate::engine::back) fn unfit(&mut self, group: SourceId, reasons: &[Unfit]) {
        let reasons: Vec<&str> = reasons.iter().map(|why| why.words()).collect();
        self.stop(
            "unfit_group",
            format!(
                "group {group} cannot be the enrolled group: {}",
                reasons.join("; ")
            ),
            "name an assigned security group of the cloud under `enrolled_group`",
        );
    }

    /// Notes why a listing of keys is no evidence.
    pub(in crate::engine::back) fn no_evidence(
        &mut self,
        why: NoEvidence,
        (keys, before): (u64, Option<u64>),
    ) {
        let (why, advice) = match why {
            NoEvidence::Short => (
                "it has fewer keys than the service announced".to_owned(),
                "nothing to do: the next reading asks again, and nobody leaves meanwhile",
            ),
            NoEvidence::Moving => (
                "two passes brought different keys".to_owned(),
                "nothing to do: the next reading asks again, and nobody leaves meanwhile",
            ),
            NoEvidence::Shrunk => (
                format!(
                    "it has {keys} keys, fewer than half of the {} before",
                    before.unwrap_or(0)
                ),
                "check the keys at IDmelon; where they are really gone, `melonsync sync --full --allow-deletions N` accepts the listing",
            ),
        };
        self.stop(
            "keys_without_evidence",
            format!("the listing of security keys is no evidence: {why}"),
            advice,
        );
    }

    /// Returns all findings, those that stop the direction first.
    pub(in crate::engine::back) fn all(self) -> (Vec<Finding>, Vec<Finding>) {
        let mut others: Vec<Finding> = self
            .users
            .iter()
            .map(|(code, users)| about_users(code, users))
            .collect();
        if !self.unowned.is_empty() {
            others.push(Finding {
                code: "key_without_owner".to_owned(),
                text: format!(
                    "{} no linked user's, or several users': {}",
                    many(self.unowned.len(), "security key is", "security keys are"),
                    listed(&self.unowned)
                ),
                advice: "compare the owner's address of the key at IDmelon with the users' names and mail addresses".to_owned(),
            });
        }
        (self.stops, others)
    }
}

/// The code of a right that is missing.
pub(in crate::engine::back) const MISSING_RIGHT: &str = "right_missing";

fn about_users(code: &str, users: &[SourceId]) -> Finding {
    let count = |one, more| many(users.len(), one, more);
    let (what, advice) = match code {
        "key_without_passkey" => (
            count("user holds", "users hold") + " an active security key, and no passkey in Entra was seen",
            "check the workflow that registers passkeys at IDmelon, or the user's authentication methods in Entra",
        ),
        "passkey_without_key" => (
            count("user has", "users have") + " a passkey in Entra, and no active security key",
            "remove the passkey in Entra where its key is lost",
        ),
        "removed_by_hand" => (
            count("member was", "members were")
                + " taken out of the enrolled group by hand, and not put back for 24 hours",
            "`melonsync withheld release` puts them back at once",
        ),
        "foreign_member" => (
            count("member", "members")
                + " of the enrolled group without an active key, whom melonsync did not add",
            "`melonsync withheld release` takes them out, `melonsync withheld reject` leaves them",
        ),
        "not_kept_by_entra" => (
            count("change", "changes") + " of membership that Entra accepted and does not show",
            "look for another writer of the enrolled group: a rule, a script, a second tool",
        ),
        "refused_by_entra" => (
            count("change", "changes") + " of membership that Entra refused; tried again after a day",
            "`melonsync history --operation add_enrolled --result failed` shows what it answered",
        ),
        _ => (count("user", "users"), ""),
    };
    let ids: Vec<String> = users.iter().map(ToString::to_string).collect();
    Finding {
        code: code.to_owned(),
        text: format!("{what}: {}", listed(&ids)),
        advice: advice.to_owned(),
    }
}

fn many(count: usize, one: &str, more: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { more })
}

fn listed(ids: &[String]) -> String {
    let shown: Vec<&str> = ids.iter().take(NAMED).map(String::as_str).collect();
    let rest = ids.len().saturating_sub(NAMED);
    let and = if rest > 0 {
        format!(", and {rest} more")
    } else {
        String::new()
    };
    format!("{}{and}", shown.join(", "))
}

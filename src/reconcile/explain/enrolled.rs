//! How one user stands with the enrolled group, and why: pure, from what is remembered to sentences.

use serde_json::Value as Json;
use serde_json::json;

use crate::model::clock::Timestamp;
use crate::model::id::SourceId;
use crate::reconcile::back::enrolled::Enrolment;
use crate::reconcile::back::standing::Standing;

/// What is remembered of a user and the group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remembered {
    /// What the decision goes by.
    pub enrolment: Enrolment,
    /// How the user stood in the last cycle that looked.
    pub standing: Standing,
    /// When that last changed.
    pub since: Timestamp,
    /// Whether a passkey in Entra was reported, where that was read.
    pub passkey: Option<bool>,
    /// The status of the last refusal, and when it was.
    pub refused: Option<(u16, Timestamp)>,
}

/// One user and the enrolled group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InEnrolled {
    /// The group.
    pub group: SourceId,
    /// True where it is what was asked about.
    pub asked: bool,
    /// What is remembered of the user; `None` where there is nothing to remember.
    pub remembered: Option<Remembered>,
    /// When the keys were last read to the end; `None` where they never were.
    pub proven_at: Option<Timestamp>,
    /// True for an account that is never to be a member.
    pub never: bool,
    /// True where the user has a resource.
    pub linked: bool,
    /// True where the source says that the account is enabled.
    pub enabled: bool,
    /// Since when a change of the membership is withheld, and why.
    pub withheld: Option<(Timestamp, String)>,
}

impl InEnrolled {
    /// How the user stands: nothing is known before the keys were once read to the end.
    #[must_use]
    pub fn standing(&self) -> Standing {
        match (&self.remembered, self.proven_at) {
            (Some(remembered), _) => remembered.standing,
            (None, Some(_)) if self.linked => Standing::Outside,
            (None, _) => Standing::Unknown,
        }
    }

    /// The sentence that says whether the user is in it, and why.
    #[must_use]
    pub fn because(&self) -> String {
        let standing = self.standing();
        match standing {
            _ if self.proven_at.is_none() => {
                "not known: the keys at the target were never read to the end so far".to_owned()
            }
            Standing::Outside if self.never => {
                "not in the enrolled group: the user is in `enrolled_never`".to_owned()
            }
            Standing::Outside if !self.enabled => {
                "not in the enrolled group: the account is disabled, and a key of it counts as none"
                    .to_owned()
            }
            Standing::Unknown if !self.linked => {
                "not known: the user has no resource at the target, and keys count for those who have one"
                    .to_owned()
            }
            _ => standing.words().to_owned(),
        }
    }

    /// What else is known, a line each.
    #[must_use]
    pub fn details(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let Some(remembered) = &self.remembered {
            remembered.tell(&mut lines);
        }
        if let Some((since, why)) = &self.withheld {
            lines.push(format!("withheld since {since}: {why}"));
        }
        if let Some(at) = self.proven_at {
            lines.push(format!("keys last read to the end: {at}"));
        }
        lines
    }

    /// The sentence that answers the question whether this group holds the user.
    #[must_use]
    pub fn verdict(&self, name: &str) -> String {
        let since = match &self.remembered {
            Some(remembered) => format!(" (since {})", remembered.since),
            None => String::new(),
        };
        format!("{name}: {}{since}.", self.because())
    }

    /// As it stands in the document.
    #[must_use]
    pub fn to_json(&self) -> Json {
        json!({
            "group": self.group.to_string(),
            "standing": self.standing().code(),
            "since": self.remembered.map(|remembered| remembered.since.to_string()),
            "because": self.because(),
            "details": self.details(),
        })
    }
}

impl Remembered {
    fn tell(&self, lines: &mut Vec<String>) {
        let enrolment = &self.enrolment;
        lines.push(format!("so since {}", self.since));
        if enrolment.ours {
            lines.push("added by melonsync".to_owned());
        }
        if let Some(without) = &enrolment.without {
            lines.push(format!("no active key was found first at {}", without.at));
        }
        if let Some(since) = enrolment.by_hand {
            lines.push(format!(
                "taken out by hand, seen at {since}: put back after 24 hours, or once released"
            ));
        }
        if let Some(open) = enrolment.open {
            let what = if open.add {
                "add the member"
            } else {
                "take the member out"
            };
            lines.push(format!(
                "Entra was asked at {} to {what}, and it is not seen yet",
                open.sent_at
            ));
        }
        if let Some(passkey) = self.passkey {
            let seen = if passkey { "reported" } else { "none reported" };
            lines.push(format!("a passkey in Entra: {seen}"));
        }
        if let Some((status, at)) = self.refused {
            let then = if self.standing == Standing::Refused {
                "asked for again after a day"
            } else {
                "asked for again after 15 minutes, because a new user or group is not at once everywhere in Entra"
            };
            lines.push(format!(
                "Entra refused the change with status {status} at {at}: {then}"
            ));
        }
    }
}

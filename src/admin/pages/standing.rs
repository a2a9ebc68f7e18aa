//! How a job stands: one word, one sentence, and what to look at. What needs a person comes before what does not.

use crate::app::views::status::JobStatus;

/// How much it matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Tone {
    /// Somebody must do something.
    Bad,
    /// Somebody should look.
    Warn,
    /// Nothing is to be done.
    Calm,
    /// All is well.
    Good,
}

impl Tone {
    /// The class of its looks.
    pub(super) const fn class(self) -> &'static str {
        match self {
            Self::Bad => "bad",
            Self::Warn => "warn",
            Self::Calm => "calm",
            Self::Good => "good",
        }
    }
}

/// How a job stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) tone: Tone,
    /// One word.
    pub(super) word: &'static str,
    /// One sentence.
    pub(super) sentence: String,
    /// What to do, where it is no page.
    pub(super) advice: Option<String>,
    /// The page of the job that shows it: the last part of its path, and what to call the way there.
    pub(super) look: Option<(&'static str, &'static str)>,
}

/// Finds the one thing to say first of a job.
pub(super) fn of(job: &JobStatus) -> Standing {
    stopped(job)
        .or_else(|| kept_back(job))
        .or_else(|| to_look_at(job))
        .unwrap_or_else(|| well(job))
}

fn say(tone: Tone, word: &'static str, sentence: impl Into<String>) -> Standing {
    Standing {
        tone,
        word,
        sentence: sentence.into(),
        advice: None,
        look: None,
    }
}

/// How many operations wait for a person.
pub(super) fn withheld(job: &JobStatus) -> u64 {
    job.kept_back.as_ref().map_or(0, |kept_back| kept_back.withheld)
}

/// What keeps the whole job from its work.
fn stopped(job: &JobStatus) -> Option<Standing> {
    let problem = job.daemon.as_ref().and_then(|daemon| daemon.problem.as_ref());
    if let Some(error) = problem.and_then(|problem| problem.errors.first()) {
        return Some(Standing {
            advice: error.advice.clone(),
            ..say(Tone::Bad, "broken", format!("It cannot run: {}.", error.what))
        });
    }
    let stop = job
        .quarantine
        .as_ref()
        .and_then(|quarantine| quarantine.job.as_ref())?;
    let sentence = format!(
        "Nothing is read or sent since {}: {}.",
        moment(&stop.since.to_string()),
        stop.cause
    );
    Some(Standing {
        advice: Some(stop.hint.clone()),
        ..say(Tone::Bad, "quarantined", sentence)
    })
}

/// What people or the guard keep back.
fn kept_back(job: &JobStatus) -> Option<Standing> {
    let withheld = withheld(job);
    if withheld > 0 {
        let sentence = match withheld {
            1 => "One operation waits for somebody's decision.".to_owned(),
            many => format!("{many} operations wait for somebody's decision."),
        };
        return Some(Standing {
            look: Some(("withheld", "Review them")),
            ..say(Tone::Bad, "withheld", sentence)
        });
    }
    if let Some(pause) = &job.paused {
        let what = if pause.removals_only {
            "Removals are"
        } else {
            "Writes to the target are"
        };
        let sentence = format!(
            "{what} paused by {} since {}; reading and planning go on.",
            pause.actor,
            moment(&pause.since.to_string())
        );
        return Some(say(Tone::Warn, "paused", sentence));
    }
    let kind = job
        .quarantine
        .as_ref()
        .and_then(|quarantine| quarantine.operations.first())?;
    let sentence = format!(
        "`{}` is not sent any more: {} of {} failed, {}.",
        kind.operation.replace('_', " "),
        kind.failed,
        kind.sent,
        kind.cause
    );
    Some(Standing {
        advice: Some(kind.hint.clone()),
        ..say(Tone::Bad, "stopped", sentence)
    })
}

/// What goes on by itself, and is worth a look.
fn to_look_at(job: &JobStatus) -> Option<Standing> {
    let outcome = job.last_cycle.as_ref().and_then(|last| last["outcome"].as_str());
    if outcome == Some("failed") {
        return Some(Standing {
            look: Some(("history", "Look into the history")),
            ..say(
                Tone::Bad,
                "failed",
                "The last cycle failed; the next one tries again.",
            )
        });
    }
    if let Some(waiting) = job.escrow.filter(|waiting| *waiting > 0) {
        let sentence = match waiting {
            1 => "The target refuses one entry; it is tried again with growing waits.".to_owned(),
            many => format!("The target refuses {many} entries; they are tried again with growing waits."),
        };
        return Some(Standing {
            look: Some(("escrow", "See what it says")),
            ..say(Tone::Warn, "partial", sentence)
        });
    }
    let drift = job.drift.as_ref().filter(|drift| !drift.is_none())?;
    (drift.ours() > 0).then(|| Standing {
        look: Some(("drift", "Compare them")),
        ..say(
            Tone::Warn,
            "drifted",
            format!("The target is not as it was left: {}.", drift.words()),
        )
    })
}

fn well(job: &JobStatus) -> Standing {
    if !job.enabled {
        return say(Tone::Calm, "off", "It is not enabled in the settings.");
    }
    let Some(last) = &job.last_cycle else {
        return say(Tone::Calm, "new", "It has not run yet.");
    };
    let started = moment(last["started"].as_str().unwrap_or_default());
    match last["outcome"].as_str() {
        Some("converged") => say(
            Tone::Good,
            "in step",
            format!("Every change in Entra up to {started} is at the target."),
        ),
        Some("planned") => say(
            Tone::Calm,
            "observing",
            format!("It plans and writes nothing; the last plan is of {started}."),
        ),
        outcome => say(
            Tone::Warn,
            "behind",
            format!(
                "The last cycle, of {started}, ended as `{}`.",
                outcome.unwrap_or("unknown")
            ),
        ),
    }
}

/// A moment to the minute, in a sentence.
fn moment(text: &str) -> String {
    match chrono::DateTime::parse_from_rfc3339(text) {
        Ok(at) => at.to_utc().format("%-d %B, %H:%M UTC").to_string(),
        Err(_) => text.to_owned(),
    }
}

//! How a job stands on a page: its verdict ([`crate::app::views::needs`]) with a colour, and the page that shows what it is about.

use crate::app::views::status::JobStatus;
use crate::app::views::verdict::Need;

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
pub(super) struct Standing {
    pub(super) tone: Tone,
    /// One word.
    pub(super) word: &'static str,
    /// Each thing that needs a person, or how far it is where nothing does.
    pub(super) says: Vec<Saying>,
}

/// One thing that is said of a job.
pub(super) struct Saying {
    pub(super) tone: Tone,
    pub(super) words: String,
    /// What to do; empty where the page shows it.
    pub(super) advice: String,
    /// The page of the job that shows it: the last part of its path, and what to call the way there.
    pub(super) look: Option<(&'static str, &'static str)>,
}

/// Dresses the verdict of a job.
pub(super) fn of(job: &JobStatus) -> Standing {
    let verdict = &job.verdict;
    let says: Vec<Saying> = verdict.needs.iter().map(saying).collect();
    if let (Some(first), Some(need)) = (says.iter().map(|one| one.tone).min(), verdict.needs.first()) {
        return Standing {
            tone: first,
            word: need.state,
            says,
        };
    }
    let (tone, word) = well(job);
    Standing {
        tone,
        word,
        says: vec![Saying {
            tone,
            words: verdict.words.clone(),
            advice: String::new(),
            look: None,
        }],
    }
}

fn saying(need: &Need) -> Saying {
    let look = look(need.state);
    Saying {
        tone: tone(need),
        words: need.words.clone(),
        // What the page shows needs no command.
        advice: if look.is_some() {
            String::new()
        } else {
            need.advice.clone()
        },
        look,
    }
}

fn tone(need: &Need) -> Tone {
    match need.state {
        "paused" | "escrow" | "not_kept" | "drift" | "enrolled_group" => Tone::Warn,
        // A credential that still has its days.
        "credential" if need.exit_code == 0 => Tone::Warn,
        _ => Tone::Bad,
    }
}

/// The page that shows it.
fn look(state: &str) -> Option<(&'static str, &'static str)> {
    Some(match state {
        "withheld" => ("withheld", "Review them"),
        "hold" => ("objects?state=held", "See who is on hold"),
        "escrow" => ("escrow", "See what the target says"),
        "drift" | "not_kept" => ("drift", "Compare them"),
        "failed" => ("history", "Look into the history"),
        _ => return None,
    })
}

fn well(job: &JobStatus) -> (Tone, &'static str) {
    let outcome = job.last_cycle.as_ref().and_then(|last| last["outcome"].as_str());
    match outcome {
        _ if !job.enabled => (Tone::Calm, "off"),
        None => (Tone::Calm, "new"),
        Some("converged") => (Tone::Good, "in step"),
        Some("planned") => (Tone::Calm, "observing"),
        Some(_) => (Tone::Warn, "behind"),
    }
}

/// How many operations wait for a person.
pub(super) fn withheld(job: &JobStatus) -> u64 {
    job.kept_back.as_ref().map_or(0, |kept_back| kept_back.withheld)
}

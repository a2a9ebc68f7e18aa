//! `list`: users or groups with how they stand.

use std::cell::RefCell;

use clap::Args;
use clap::ValueEnum;
use clap::builder::PossibleValue;
use serde::Deserialize;

use super::args::Globals;
use super::beside;
use super::beside::Daemon;
use super::beside::Question;
use super::exit::Exit;
use super::report::Report;
use crate::app::actor::Actor;
use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::app::views::objects;
use crate::app::views::objects::State;
use crate::app::views::objects::Wanted;
use crate::app::words;
use crate::model::id::ObjectKind;

/// `list`.
#[derive(Debug, Clone, Args)]
pub struct List {
    /// users or groups.
    #[arg(value_enum, hide_possible_values = true)]
    pub what: Listed,
    /// The job; may be left out where there is one.
    pub job: Option<String>,
    /// Only those that stand so.
    #[arg(long, value_name = "STATE", value_enum)]
    pub state: Option<State>,
    /// Only those with this in their id, UPN, mail or display name.
    #[arg(long, value_name = "TEXT")]
    pub search: Option<String>,
    /// At most so many; all where absent.
    #[arg(long, value_name = "N")]
    pub limit: Option<usize>,
}

/// What is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Listed {
    /// Users.
    Users,
    /// Groups.
    Groups,
}

/// As `--state` takes them.
impl ValueEnum for State {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Self::Linked => "With a resource",
            Self::Unlinked => "Without one",
            Self::Escrow => "Set aside after a failure",
            Self::Withheld => "With an operation that the guard holds back",
            Self::Held => "On hold",
            Self::Disabled => "Disabled at the source",
            Self::OutOfScope => "Not ours to provision",
            Self::Gone => "Gone at the source",
            Self::Unmanaged => "Resources at the target that nobody is linked to",
            Self::Enrolled => "In the enrolled group, with an active key",
            Self::EnrolPending => "With an active key, and to be added to the enrolled group",
            Self::EnrolLeaving => "In the enrolled group without an active key, and about to leave it",
            Self::NotEnrolled => "Not in the enrolled group, and no active key that counts",
            Self::KeyWithoutPasskey => "With an active key, and no passkey in Entra was seen",
            Self::PasskeyWithoutKey => "With a passkey in Entra, and no active key",
            Self::RemovedByHand => "Taken out of the enrolled group by hand",
            Self::ForeignMember => "In the enrolled group without a key, and not added by melonsync",
            Self::EnrolRefused => "Entra refused the change of the membership",
            Self::EnrolUnknown => "Nothing is known of the key or the membership",
        };
        Some(PossibleValue::new(self.word()).help(help))
    }
}

/// Lists them: a line each, as JSON too.
pub fn run(globals: &Globals, args: &List, report: &mut Report) -> Result<Exit, AppError> {
    let kind = match args.what {
        Listed::Users => ObjectKind::User,
        Listed::Groups => ObjectKind::Group,
    };
    let report = RefCell::new(report);
    let here = || {
        let desk = Desk::open_job(&globals.config, args.job.as_deref(), Actor::local_user())?;
        let wanted = Wanted {
            kind,
            state: args.state,
            search: args.search.clone(),
            after: None,
            enrolled_group: desk.enrolled_group,
        };
        let mut shown = 0;
        objects::each(&desk.snapshot, &wanted, desk.now, |object| {
            if args.limit.is_some_and(|most| shown >= most) {
                return false;
            }
            shown += 1;
            let mut report = report.borrow_mut();
            if report.is_json() {
                report.json_line(&object);
            } else {
                report.text(&words::objects::line(&object));
            }
            true
        })?;
        Ok(shown)
    };
    let there = |daemon: &Daemon| {
        let job = beside::job(globals, args.job.as_deref())?;
        pages(daemon, &job, (kind, args), *report.borrow_mut())
    };
    let shown = beside::ask(globals, here, there)?;
    let note = match args.state {
        Some(State::Unmanaged) => Some(NONE_OF_NOBODY),
        Some(state) if state.is_of_enrolment() => Some(NONE_OF_ENROLLED),
        Some(_) | None => None,
    };
    if let Some(note) = note.filter(|_| shown == 0) {
        report.borrow().note(note);
    }
    Ok(Exit::Done)
}

/// Where no resource of nobody is known: that may be because nobody looked.
const NONE_OF_NOBODY: &str =
    "no resource of nobody is known; a full cycle looks for them where `unmanaged = \"report\"` is set";

/// Where nobody stands so with the enrolled group: that may be because there is none.
const NONE_OF_ENROLLED: &str = "nobody stands so, as far as is known: it is said where `enrolled_group` is set and a write-back read \
                                the keys to the end";

/// A page as the daemon gives it.
#[derive(Deserialize)]
struct Page {
    objects: Vec<serde_json::Value>,
    next: Option<String>,
    /// The same objects in words.
    words: Vec<String>,
}

/// Objects are asked for so many at a time.
const TOGETHER: usize = 1000;

/// Lists what the daemon has, page by page. Returns how many were shown.
fn pages(
    daemon: &Daemon,
    job: &str,
    (kind, args): (ObjectKind, &List),
    report: &mut Report,
) -> Result<usize, AppError> {
    let most = args.limit.unwrap_or(usize::MAX);
    let mut left = most;
    let path = format!("/jobs/{}/objects", beside::part(job));
    let page = |left: usize, from: Option<&str>| {
        let limit = left.min(TOGETHER).to_string();
        let mut query = vec![
            ("kind", kind.word()),
            ("limit", limit.as_str()),
            ("words", "true"),
        ];
        query.extend(args.state.map(|state| ("state", state.word())));
        query.extend(args.search.as_deref().map(|text| ("query", text)));
        query.extend(from.map(|from| ("after", from)));
        daemon.asked::<Page>(Question::get(path.as_str()).asking(&query))
    };
    let mut next = Some(page(left, None)?);
    while let Some(now) = next {
        for (object, line) in now.objects.iter().zip(&now.words).take(left) {
            if report.is_json() {
                report.json_line(object);
            } else {
                report.text(line);
            }
        }
        left -= now.objects.len().min(left);
        let more = now.next.filter(|_| left > 0);
        next = more.map(|from| page(left, Some(&from))).transpose()?;
    }
    Ok(most - left)
}

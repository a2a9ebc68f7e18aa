//! `list`: users or groups with how they stand.

use clap::Args;
use clap::ValueEnum;

use super::args::Globals;
use super::exit::Exit;
use super::report::Report;
use crate::app::actor::Actor;
use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::app::views::objects;
use crate::app::views::objects::ObjectView;
use crate::app::views::objects::State;
use crate::app::views::objects::Wanted;
use crate::model::id::ObjectKind;
use crate::model::shown::shown;

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
    pub state: Option<Standing>,
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

/// How an object stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Standing {
    /// With a resource.
    Linked,
    /// Without one.
    Unlinked,
    /// Set aside after a failure.
    Escrow,
    /// With an operation that the guard holds back.
    Withheld,
    /// On hold.
    Held,
    /// Disabled at the source.
    Disabled,
    /// Not ours to provision.
    OutOfScope,
    /// Gone at the source.
    Gone,
}

impl From<Standing> for State {
    fn from(standing: Standing) -> Self {
        match standing {
            Standing::Linked => Self::Linked,
            Standing::Unlinked => Self::Unlinked,
            Standing::Escrow => Self::Escrow,
            Standing::Withheld => Self::Withheld,
            Standing::Held => Self::Held,
            Standing::Disabled => Self::Disabled,
            Standing::OutOfScope => Self::OutOfScope,
            Standing::Gone => Self::Gone,
        }
    }
}

/// Lists them: a line each, as JSON too.
pub fn run(globals: &Globals, args: &List, report: &mut Report) -> Result<Exit, AppError> {
    let desk = Desk::open_job(&globals.config, args.job.as_deref(), Actor::local_user())?;
    let wanted = Wanted {
        kind: match args.what {
            Listed::Users => ObjectKind::User,
            Listed::Groups => ObjectKind::Group,
        },
        state: args.state.map(State::from),
        search: args.search.clone(),
        after: None,
    };
    let mut left = args.limit.unwrap_or(usize::MAX);
    objects::each(&desk.snapshot, &wanted, desk.now, |object| {
        if left == 0 {
            return false;
        }
        left -= 1;
        if report.is_json() {
            report.json_line(&object);
        } else {
            report.text(&line(&object));
        }
        true
    })?;
    Ok(Exit::Done)
}

fn line(object: &ObjectView) -> String {
    let states: Vec<&str> = object.states.iter().map(|state| state.word()).collect();
    let target = object.target.as_ref();
    let target = target.map_or_else(String::new, |target| format!("  → {}", shown(target.as_str())));
    format!(
        "{}  ({}){target}  {}",
        shown(&object.name),
        object.object,
        states.join(", ")
    )
}

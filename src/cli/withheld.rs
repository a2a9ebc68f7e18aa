//! `withheld`: operations held back by the guard, shown by cause, let through, or rejected.

use std::collections::BTreeMap;

use clap::Args;
use clap::Subcommand;

use super::args::Globals;
use super::exit::Exit;
use super::report::Report;
use crate::app::actor::Actor;
use crate::app::decisions::withheld as decisions;
use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::app::views::withheld as views;
use crate::app::views::withheld::Adopts;
use crate::app::views::withheld::WithheldList;
use crate::app::views::withheld::WithheldView;
use crate::model::shown::shown;

/// `withheld`.
#[derive(Debug, Clone, Args)]
pub struct Withheld {
    /// What to do with what the guard holds back.
    #[command(subcommand)]
    pub action: WithheldAction,
}

/// What to do with what the guard holds back.
#[derive(Debug, Clone, Subcommand)]
pub enum WithheldAction {
    /// Show them, grouped by cause.
    List {
        /// The job, where there are several, and objects: id, UPN, mail or display name; all where absent.
        #[arg(value_name = "JOB|OBJECT")]
        names: Vec<String>,
        /// Only those with this reason, as in `withheld.by_reason`.
        #[arg(long, value_name = "REASON")]
        reason_is: Option<String>,
    },
    /// Let exactly these through, once.
    Release(Chosen),
    /// Put their objects on hold.
    Reject(Chosen),
}

/// Which withheld operations a decision is about.
#[derive(Debug, Clone, Args)]
pub struct Chosen {
    /// The job, where there are several, and objects: id, UPN, mail or display name.
    #[arg(value_name = "JOB|OBJECT")]
    pub names: Vec<String>,
    /// Those with this reason, as in `withheld.by_reason`.
    #[arg(long, value_name = "REASON")]
    pub reason_is: Option<String>,
    /// All of them; needs --expect.
    #[arg(long, requires = "expect")]
    pub all: bool,
    /// Refused when the number is another by now.
    #[arg(long, value_name = "N")]
    pub expect: Option<u64>,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
}

impl Chosen {
    fn of(&self, objects: Vec<String>) -> decisions::Chosen {
        decisions::Chosen {
            objects,
            reason: self.reason_is.clone(),
            all: self.all,
            expect: self.expect,
            comment: self.comment.clone(),
        }
    }
}

/// Lists, releases or rejects.
pub fn run(globals: &Globals, action: &WithheldAction, report: &mut Report) -> Result<Exit, AppError> {
    let open = |names: &[String]| Desk::open(&globals.config, names, Actor::local_user());
    match action {
        WithheldAction::List { names, reason_is } => {
            let (desk, objects) = open(names)?;
            let list = views::withheld(&desk, &objects, reason_is.as_deref())?;
            report.show(&list, || listed(&list));
        }
        WithheldAction::Release(chosen) => {
            let (desk, objects) = open(&chosen.names)?;
            let done = decisions::release(&desk, &chosen.of(objects))?;
            report.show(&done, || {
                format!(
                    "{} operations released: the next cycle sends exactly these, once",
                    done.count
                )
            });
        }
        WithheldAction::Reject(chosen) => {
            let (desk, objects) = open(&chosen.names)?;
            let done = decisions::reject(&desk, &chosen.of(objects))?;
            report.show(&done, || {
                format!(
                    "{} operations rejected: their objects are on hold until `melonsync hold release OBJECT`",
                    done.count
                )
            });
        }
    }
    Ok(Exit::Done)
}

fn listed(list: &WithheldList) -> String {
    if list.withheld.is_empty() {
        return "Nothing is withheld.".to_owned();
    }
    let mut by_reason: BTreeMap<&str, Vec<&WithheldView>> = BTreeMap::new();
    for entry in &list.withheld {
        by_reason.entry(&entry.reason).or_default().push(entry);
    }
    let mut lines = Vec::new();
    for (reason, of) in by_reason {
        let sum: u64 = of.iter().map(|entry| entry.count).sum();
        let why = match &of[0].adopts {
            Some(_) => REVIEW,
            None => &of[0].why,
        };
        lines.push(format!("{} ({sum}): {}", reason.replace('_', " "), shown(why)));
        for entry in of {
            lines.push(line(entry));
            let of_resource: Vec<String> = entry.adopts.iter().flat_map(holders).collect();
            lines.extend(of_resource.iter().map(|line| format!("      {}", shown(line))));
        }
    }
    if list.count > 0 {
        lines.push(format!(
            "\nIf they are right, `melonsync withheld release --all --expect {}`; \
             if not, `melonsync withheld reject OBJECT …` holds the objects.",
            list.count
        ));
    }
    lines.join("\n")
}

/// What each of these adoptions waits for.
const REVIEW: &str = "whoever makes it in Entra can choose its name, so a person decides: `melonsync withheld release OBJECT` \
                      adopts the resource, `melonsync link OBJECT RESOURCE` links another, `melonsync withheld reject OBJECT` leaves both";

/// Who is in the resource that an entry would take over, each with who that is.
fn holders(adopts: &Adopts) -> Vec<String> {
    let words = |holder: &views::Holder| {
        let name = holder.name.as_deref().unwrap_or("member");
        let who = holder.object.map_or_else(
            || "linked to no user".to_owned(),
            |id| {
                format!(
                    "linked with {}",
                    holder.object_name.clone().unwrap_or_else(|| id.to_string())
                )
            },
        );
        format!("{name}  ({}), {who}", holder.id)
    };
    let mut lines = vec![format!("resource {}", adopts.resource)];
    lines.extend(adopts.holds.iter().map(words));
    let more = adopts.members.saturating_sub(adopts.holds.len() as u64);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}

fn line(entry: &WithheldView) -> String {
    let times = match entry.members.len() {
        0 => String::new(),
        n => format!(" ×{n}"),
    };
    let released = entry.released_by.as_ref().map_or_else(String::new, |by| {
        format!("; released by {}, sent by the next cycle", shown(by))
    });
    format!(
        "  {}{times} {}  ({}): {}, since {}{released}",
        entry.operation.replace('_', " "),
        shown(&entry.name),
        entry.object,
        shown(&entry.because),
        entry.since
    )
}

//! `link` and `unlink`: the remembered pair, by hand. Nothing is written to the target; `link` reads the resource first.

use clap::Args;

use super::args::Globals;
use super::exit::Exit;
use super::process;
use super::report::Report;
use crate::app::actor::Actor;
use crate::app::decisions::link as decisions;
use crate::app::decisions::link::Linked;
use crate::app::decisions::link::Pairing;
use crate::app::desk::Desk;
use crate::app::error::AppError;
use crate::model::shown::shown;

/// `link`.
#[derive(Debug, Clone, Args)]
#[command(override_usage = "melonsync link [OPTIONS] [JOB] <OBJECT> <RESOURCE>")]
pub struct Link {
    /// The user or group (id, UPN, mail or display name), and the `id` of its resource at the target.
    #[arg(value_name = "OBJECT RESOURCE", required = true, num_args = 2..=3)]
    pub names: Vec<String>,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
    /// Although the resource's externalId names another object, as after two were linked crosswise.
    #[arg(long)]
    pub force: bool,
}

/// `unlink`.
#[derive(Debug, Clone, Args)]
#[command(override_usage = "melonsync unlink [OPTIONS] [JOB] <OBJECT>")]
pub struct Unlink {
    /// The user or group: id, UPN, mail or display name.
    #[arg(value_name = "OBJECT", required = true, num_args = 1..=2)]
    pub names: Vec<String>,
    /// Why, for the history.
    #[arg(long, value_name = "TEXT")]
    pub comment: Option<String>,
}

/// Links an object with a resource.
pub fn link(globals: &Globals, args: &Link, report: &mut Report) -> Result<Exit, AppError> {
    let (desk, names) = Desk::open(&globals.config, &args.names, Actor::local_user())?;
    let [object, resource] = names.as_slice() else {
        return Err(AppError::usage(
            "an object and a resource are needed",
            "melonsync link OBJECT RESOURCE, with RESOURCE the `id` that the target gave it",
        ));
    };
    let wanted = Pairing {
        object: object.clone(),
        resource: resource.clone(),
        force: args.force,
        comment: args.comment.clone(),
    };
    let linked = process::runtime()?.block_on(decisions::link(&desk, &wanted))?;
    report.show(&linked, || words(&linked, "the next cycle sends what differs"));
    Ok(Exit::Done)
}

/// Forgets an object's resource. Both stay as they are.
pub fn unlink(globals: &Globals, args: &Unlink, report: &mut Report) -> Result<Exit, AppError> {
    let (desk, names) = Desk::open(&globals.config, &args.names, Actor::local_user())?;
    let [object] = names.as_slice() else {
        return Err(AppError::usage("one object is needed", "melonsync unlink OBJECT"));
    };
    let unlinked = decisions::unlink(&desk, object, args.comment.as_ref())?;
    let then = "the next cycle matches it anew, and may adopt the same resource: `melonsync plan` shows it";
    report.show(&unlinked, || words(&unlinked, then));
    Ok(Exit::Done)
}

fn words(done: &Linked, then: &str) -> String {
    let object = &done.named;
    format!(
        "{} {}  ({}): {}; {then}",
        object.kind,
        shown(&object.name),
        object.id,
        done.what
    )
}

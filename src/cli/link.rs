//! `link` and `unlink`: the remembered pair, by hand. Nothing is written to the target; `link` reads the resource first.

use clap::Args;

use super::args::Globals;
use super::beside;
use super::beside::Question;
use super::exit::Exit;
use super::process;
use super::report::Report;
use crate::app::actor::Actor;
use crate::app::decisions::Comment;
use crate::app::decisions::link as decisions;
use crate::app::decisions::link::Pairing;
use crate::app::desk::Desk;
use crate::app::error::AppError;

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
    let wanted = |names: &[String]| {
        let [object, resource] = names else {
            return Err(AppError::usage(
                "an object and a resource are needed",
                "melonsync link OBJECT RESOURCE, with RESOURCE the `id` that the target gave it",
            ));
        };
        Ok(Pairing {
            object: object.clone(),
            resource: resource.clone(),
            force: args.force,
            comment: args.comment.clone(),
        })
    };
    let here = || {
        let (desk, names) = Desk::open(&globals.config, &args.names, Actor::local_user())?;
        process::runtime()?.block_on(decisions::link(&desk, &wanted(&names)?))
    };
    let there = || {
        let (job, names) = beside::job_and_names(globals, &args.names)?;
        let path = format!("/jobs/{}/links", beside::part(&job));
        Ok(Question::post(path, &wanted(&names)?))
    };
    beside::answer(globals, report, here, there)
}

/// Forgets an object's resource. Both stay as they are.
pub fn unlink(globals: &Globals, args: &Unlink, report: &mut Report) -> Result<Exit, AppError> {
    let one = |names: &[String]| match names {
        [object] => Ok(object.clone()),
        _ => Err(AppError::usage("one object is needed", "melonsync unlink OBJECT")),
    };
    let here = || {
        let (desk, names) = Desk::open(&globals.config, &args.names, Actor::local_user())?;
        decisions::unlink(&desk, &one(&names)?, args.comment.as_ref())
    };
    let there = || {
        let (job, names) = beside::job_and_names(globals, &args.names)?;
        let (job, object) = (beside::part(&job), beside::part(&one(&names)?));
        let comment = Comment::of(args.comment.as_ref());
        Ok(Question::delete(format!("/jobs/{job}/links/{object}"), &comment))
    };
    beside::answer(globals, report, here, there)
}

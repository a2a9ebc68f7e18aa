//! `cancel`: ends an order of the daemon, or its running cycle, after the requests in flight.

use clap::Args;

use super::args::Globals;
use super::beside;
use super::beside::Question;
use super::exit::Exit;
use super::report::Report;
use super::status;
use crate::app::error::AppError;
use crate::app::install::Installation;
use crate::app::service::request::CancelRequest;
use crate::app::service::request::Cancelled;

/// `cancel`.
#[derive(Debug, Clone, Args)]
pub struct Cancel {
    /// The id of the order or cycle, as `melonsync status` shows it.
    #[arg(value_name = "CYCLE")]
    pub cycle: uuid::Uuid,
}

/// Ends it, for everybody who asked for it.
pub fn run(globals: &Globals, args: &Cancel, report: &mut Report) -> Result<Exit, AppError> {
    let here = || {
        Installation::open_offline(&globals.config)?;
        Err(status::not_running())
    };
    let there = |daemon: &beside::Daemon| -> Result<Cancelled, AppError> {
        let path = format!("/cycles/{}/cancel", args.cycle);
        daemon.asked(Question::post(path, &CancelRequest { mine: false }))
    };
    let done = beside::ask(globals, here, there)?;
    report.show(&done, || {
        if done.cancelled {
            format!(
                "{} stops after the requests in flight; what is recorded stays, the rest is the next cycle's.",
                done.cycle
            )
        } else {
            format!("{} is over already.", done.cycle)
        }
    });
    Ok(Exit::Done)
}

//! How long an order at a daemon is waited for.

use std::time::Duration;

use clap::Args;

use super::args::span;
use crate::app::error::AppError;

/// How long an order at a daemon is waited for.
#[derive(Debug, Clone, Copy, Default, Args)]
pub struct Patience {
    /// Beside a daemon: leave the order with it, and show its id.
    #[arg(long)]
    pub detach: bool,
    /// Beside a daemon: wait so long (30s, 5m); the order goes on after that.
    #[arg(long, value_name = "T", value_parser = span, conflicts_with = "detach")]
    pub timeout: Option<Duration>,
}

impl Patience {
    /// Refuses to leave an order with nobody: this process holds the state folder.
    pub(super) fn without_a_daemon(self) -> Result<(), AppError> {
        if !self.detach {
            return Ok(());
        }
        Err(AppError::usage(
            "no daemon runs that the order could be left with",
            "leave --detach out, or start the daemon (`melonsync run`)",
        ))
    }
}

//! An order at the daemon, followed to its end.
//!
//! Ctrl-C takes this order back, and waits for what is in flight; where others want it too, it only leaves. A second one
//! leaves at once. Nothing else ends an order: not a lost connection, and not `--timeout`.

use std::time::Duration;

use reqwest::header::ACCEPT;

use super::Daemon;
use super::Question;
use super::events::Event;
use super::events::Events;
use crate::app::error::AppError;
use crate::app::error::ErrorKind;
use crate::app::error::ErrorText;
use crate::app::people::PersonReport;
use crate::app::plans::Compared;
use crate::app::service::answer::Ticket;
use crate::app::service::request::CancelRequest;
use crate::app::service::request::Cancelled;
use crate::cli::patience::Patience;
use crate::cli::report::Report;
use crate::cli::watch::Progress;
use crate::engine::summary::Summary;

/// How an order ended, for the one who gave it.
pub(in crate::cli) enum Ended {
    /// It was carried out, as far as this says.
    Done {
        /// What was done; `None` where it never began.
        summary: Option<Box<Summary>>,
        /// What concerns every object.
        findings: Vec<String>,
        /// How it compares with a saved plan.
        compared: Option<Box<Compared>>,
        /// What became of those who were named.
        people: Vec<PersonReport>,
        /// Why it was not carried out to its end.
        problem: Option<AppError>,
        /// It was taken back by Ctrl-C.
        cancelled: bool,
    },
    /// It goes on without us.
    Left {
        /// Its ticket, where it is known.
        ticket: Option<Ticket>,
        /// Why we left.
        why: Leaving,
    },
}

/// Why somebody does not wait for an order any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Leaving {
    /// `--detach`.
    Detached,
    /// Ctrl-C, and others want it too.
    OthersWantIt,
}

impl Daemon {
    /// Gives an order, and follows it.
    pub(in crate::cli) fn order(
        &self,
        order: Question,
        patience: Patience,
        report: &Report,
    ) -> Result<Ended, AppError> {
        if patience.detach {
            let ticket: Ticket = self.asked(order)?;
            return Ok(Ended::Left {
                ticket: Some(ticket),
                why: Leaving::Detached,
            });
        }
        self.followed(order, patience, report)
    }

    /// Follows an order or a cycle that was begun before.
    pub(in crate::cli) fn attach(&self, cycle: &str, report: &Report) -> Result<Ended, AppError> {
        let order = Question::get(format!("/cycles/{}", super::part(cycle)));
        self.followed(order, Patience::default(), report)
    }

    fn followed(&self, order: Question, patience: Patience, report: &Report) -> Result<Ended, AppError> {
        let progress = Progress::new(report.progress());
        let ended = self.runtime.block_on(async {
            let answer = self
                .send(self.put(order).header(ACCEPT, "text/event-stream"))
                .await?;
            let mut follower = Follower {
                daemon: self,
                events: Events::of(answer),
                progress: &progress,
                ticket: None,
                findings: Vec::new(),
                summary: None,
                compared: None,
                people: Vec::new(),
                cancelled: false,
            };
            let late = async {
                match patience.timeout {
                    Some(timeout) => tokio::time::sleep(timeout).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                ended = follower.follow() => ended,
                () = late => Err(too_late(patience.timeout)),
            }
        });
        progress.clear();
        ended
    }
}

struct Follower<'d> {
    daemon: &'d Daemon,
    events: Events,
    progress: &'d Progress,
    ticket: Option<Ticket>,
    findings: Vec<String>,
    summary: Option<Box<Summary>>,
    compared: Option<Box<Compared>>,
    people: Vec<PersonReport>,
    cancelled: bool,
}

impl Follower<'_> {
    async fn follow(&mut self) -> Result<Ended, AppError> {
        loop {
            let event = tokio::select! {
                event = self.events.next() => match event {
                    Ok(event) => event,
                    Err(error) => return Err(self.broken_off(error).await),
                },
                _ = tokio::signal::ctrl_c() => {
                    if self.cancelled {
                        std::process::exit(130);
                    }
                    if !self.take_back().await? {
                        return Ok(Ended::Left {
                            ticket: self.ticket.take(),
                            why: Leaving::OthersWantIt,
                        });
                    }
                    continue;
                }
            };
            match event {
                Some(Event::Accepted(ticket)) => self.ticket = Some(ticket),
                Some(Event::Phase(phase)) => self.progress.show(&phase.phase, phase.done, phase.of),
                Some(Event::Finding(text)) => self.findings.push(text),
                Some(Event::Person(person)) => self.people.push(*person),
                Some(Event::Compared(compared)) => self.compared = Some(compared),
                Some(Event::Summary(summary)) => self.summary = Some(summary),
                Some(Event::Problem(problem)) => return Ok(self.done(Some(problem))),
                Some(Event::Other) => {}
                None if self.summary.is_some() || self.compared.is_some() => return Ok(self.done(None)),
                None => return Err(self.lost()),
            }
        }
    }

    /// Takes the order back; false where others want it too.
    async fn take_back(&mut self) -> Result<bool, AppError> {
        let Some(ticket) = &self.ticket else {
            return Ok(false);
        };
        let path = format!("/cycles/{}/cancel", ticket.cycle);
        let taken: Cancelled = self
            .daemon
            .asked_async(Question::post(path, &CancelRequest { mine: true }))
            .await?;
        self.cancelled = taken.cancelled;
        Ok(taken.cancelled)
    }

    fn done(&mut self, problem: Option<AppError>) -> Ended {
        Ended::Done {
            summary: self.summary.take(),
            findings: std::mem::take(&mut self.findings),
            compared: self.compared.take(),
            people: std::mem::take(&mut self.people),
            problem,
            cancelled: self.cancelled,
        }
    }

    /// Says what a stream that breaks off comes to: the daemon's end, or something on the way.
    async fn broken_off(&self, error: AppError) -> AppError {
        // A process that is killed closes this stream a moment before its socket.
        tokio::time::sleep(super::TRIED_EVERY).await;
        if self.daemon.answers() { error } else { self.lost() }
    }

    fn lost(&self) -> AppError {
        let what = match &self.ticket {
            Some(ticket) => format!("the daemon ended before it answered to order {}", ticket.cycle),
            None => "the daemon ended before it answered".to_owned(),
        };
        let shown = ErrorText {
            what,
            ..ErrorText::default()
        };
        AppError::new(
            ErrorKind::Failed,
            shown.advise(
                "what was done is recorded; once it runs, `melonsync status` and `melonsync history` show it",
            ),
        )
    }
}

fn too_late(timeout: Option<Duration>) -> AppError {
    let shown = ErrorText {
        what: format!(
            "the order did not end within {} s, and goes on",
            timeout.unwrap_or_default().as_secs()
        ),
        ..ErrorText::default()
    };
    AppError::new(
        ErrorKind::Failed,
        shown.advise("`melonsync status` shows it; `melonsync cancel CYCLE` ends it"),
    )
}

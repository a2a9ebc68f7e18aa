//! Orders as verbs give them: how long one is waited for, and how its end is shown.

use super::beside::Ended;
use super::beside::Leaving;
use super::exit::Exit;
use super::report::Report;
use super::watch::Progress;
use crate::app::cycles;
use crate::app::cycles::Report as CycleReport;
use crate::app::error::AppError;
use crate::app::people::OfPeople;
use crate::app::service::answer::Ticket;
use crate::app::text::summary as text;

/// How a cycle of this process ended; whoever stopped it is told how far it came.
pub(super) fn carried_out(done: CycleReport, watcher: &Progress, report: &Report) -> Ended {
    watcher.clear();
    let stopped = cycles::was_stopped(&done);
    if stopped {
        report.note(&watcher.stopped());
    }
    Ended::Done {
        problem: done.error.as_ref().map(AppError::from).filter(|_| !stopped),
        summary: Some(Box::new(done.summary)),
        findings: watcher.findings(),
        compared: None,
        people: Vec::new(),
        cancelled: stopped,
    }
}

/// Shows how an order ended, and turns that into an exit code.
pub(super) fn ended(ended: Ended, report: &mut Report) -> Result<Exit, AppError> {
    match ended {
        Ended::Done {
            summary,
            findings,
            problem,
            cancelled,
            people,
            compared: _,
        } => {
            let refused = problem.as_ref().is_some_and(AppError::is_refusal);
            let exit = summary
                .as_ref()
                .map_or(Exit::Failed, |summary| Exit::from(summary.outcome));
            match &summary {
                Some(summary) if !people.is_empty() => {
                    let words = || {
                        let people: String = people.iter().map(|person| person.words.as_str()).collect();
                        format!("{people}\n{}", text::summary(summary, &findings))
                    };
                    report.show(&OfPeople::new(summary, &people), words);
                }
                // A refusal is told by its errors alone, but in JSON.
                Some(summary) if report.is_json() => report.json(summary.as_ref()),
                Some(summary) if !refused => report.text(&text::summary(summary, &findings)),
                Some(_) | None => {}
            }
            match problem {
                Some(problem) if cancelled => {
                    report.complain(&problem);
                    Ok(Exit::Cancelled)
                }
                Some(problem) => Err(problem),
                None if cancelled => Ok(Exit::Cancelled),
                None => Ok(exit),
            }
        }
        Ended::Left { ticket, why } => Ok(left(ticket, why, report)),
    }
}

fn left(ticket: Option<Ticket>, why: Leaving, report: &mut Report) -> Exit {
    let id = ticket.as_ref().map_or("", |ticket| ticket.cycle.as_str());
    if why == Leaving::OthersWantIt {
        report.note(&format!(
            "The order {id} goes on: others asked for the same. `melonsync cancel {id}` ends it for all."
        ));
        return Exit::Cancelled;
    }
    if report.is_json() {
        report.json(&ticket);
    } else if let Some(ticket) = &ticket {
        let ahead = match ticket.place {
            0 => "it begins now".to_owned(),
            1 => "one goes before it".to_owned(),
            many => format!("{many} go before it"),
        };
        let planned = if ticket.mode == "observe" {
            "; planned only, for the job observes"
        } else {
            ""
        };
        report.text(&format!(
            "Order {id}: {ahead}{planned}. `melonsync status --follow {id}` shows how it ends."
        ));
    }
    Exit::Done
}

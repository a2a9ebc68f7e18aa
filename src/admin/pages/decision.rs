//! What a form asks for, and how it is confirmed: one thing by one click, many by their number.

use axum::response::Response;

use super::filters;
use super::form::Form;
use super::visit::Visit;
use crate::app::error::AppError;
use crate::app::service::order::Ask;
use crate::app::service::order::Work;

/// Orders work, and goes to the page of its cycle, where it can be watched; to `back` where it is not taken.
pub(super) fn order(visit: Visit, back: &str, work: Result<Work, AppError>) -> Response {
    let mut to = back.to_owned();
    let taken = work.and_then(|work| {
        let ask = Ask::by(work, &visit.caller.actor);
        let (ticket, _) = visit.service.order(visit.job(), ask)?;
        to = format!("/jobs/{}/cycles/{}", filters::as_part(visit.job()), ticket.cycle);
        let what = match ticket.place {
            0 => "it runs now".to_owned(),
            1 => "one goes before it".to_owned(),
            many => format!("{many} go before it"),
        };
        let mode = if ticket.mode == "observe" {
            "; the job observes, so it is only planned"
        } else {
            ""
        };
        Ok(format!("Ordered: {what}{mode}."))
    });
    visit.end(&to, taken)
}

/// Refuses what is about more than one where the number was not typed.
pub(super) fn confirmed(form: &Form, count: usize) -> Result<(), AppError> {
    if count == 0 {
        return Err(AppError::usage(
            "nothing is chosen: nothing was done",
            "choose at least one line",
        ));
    }
    let typed = form.one("typed").and_then(|text| text.parse::<usize>().ok());
    if count == 1 || typed == Some(count) {
        return Ok(());
    }
    Err(AppError::usage(
        format!("this is about {count} lines, and that number was not typed: nothing was done"),
        format!("choose again, and type {count} into the field beside the button"),
    ))
}

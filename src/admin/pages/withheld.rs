//! The removal review: what the guard holds back, by cause, with what is known of each. A decision is about exactly the lines that
//! were shown: each is named by the digest of what it says.

use askama::Template;
use axum::response::Response;

use super::decision;
use super::filters;
use super::form::Form;
use super::frame::Frame;
use super::visit::Visit;
use crate::admin::extract::Query;
use crate::admin::parameter::Parameter;
use crate::admin::parameter::text;
use crate::app::decisions::withheld as decisions;
use crate::app::decisions::withheld::Chosen;
use crate::app::error::AppError;
use crate::app::views::withheld;
use crate::app::views::withheld::WithheldList;
use crate::app::views::withheld::WithheldView;
use crate::reconcile::guard::COMMANDS;

/// As many lines as are shown of one cause: who decides looks at them.
const SHOWN: usize = 500;

/// What the page is asked for.
pub(super) const QUERY: &[Parameter] = &[text("reason", "only what is withheld for this reason")];

#[derive(Template)]
#[template(path = "withheld.html")]
struct Review {
    frame: Frame,
    list: WithheldList,
    causes: Vec<Cause>,
    /// The one reason that is looked at.
    reason: Option<String>,
}

/// What is withheld for one reason.
struct Cause {
    reason: String,
    /// Why the guard holds it back.
    why: String,
    /// For how many operations all of it counts.
    count: u64,
    /// The lines that are shown.
    lines: Vec<WithheldView>,
    /// How many more there are.
    more: usize,
}

impl Cause {
    fn of(reason: &str, mut lines: Vec<WithheldView>) -> Self {
        let all = lines.len();
        let count = lines.iter().map(|line| line.count).sum();
        let why = lines.first().map(|line| line.why.as_str()).unwrap_or_default();
        // What the commands behind it do, this page does.
        let why = why.split(COMMANDS).next().unwrap_or_default().to_owned();
        lines.truncate(SHOWN);
        Self {
            reason: reason.to_owned(),
            why,
            count,
            more: all - lines.len(),
            lines,
        }
    }
}

/// `GET /jobs/{job}/withheld`.
pub(super) async fn page(visit: Visit, query: Query) -> Response {
    let ask = move |visit: &Visit, frame: Frame| {
        let query = query.filled();
        let mut list = withheld::withheld(&visit.desk()?, &[], query.one("reason").as_deref())?;
        let mut left = std::mem::take(&mut list.withheld);
        let mut causes = Vec::new();
        for reason in list.by_reason.keys() {
            let (those, others): (Vec<_>, Vec<_>) = left.into_iter().partition(|line| line.reason == *reason);
            causes.push(Cause::of(reason, those));
            left = others;
        }
        causes.sort_by_key(|cause| std::cmp::Reverse(cause.count));
        let json = format!(
            "/api/v1/jobs/{}/withheld?{}",
            filters::as_part(visit.job()),
            query.without("")
        );
        Ok(Review {
            frame: frame.titled("Withheld", "withheld", json),
            reason: query.one("reason"),
            list,
            causes,
        })
    };
    visit.show(ask).await
}

fn back(visit: &Visit) -> String {
    format!("/jobs/{}/withheld", filters::as_part(visit.job()))
}

fn chosen(form: &Form) -> Result<Chosen, AppError> {
    let ids = form.all("id");
    decision::confirmed(form, ids.len())?;
    Ok(Chosen {
        ids,
        comment: form.one("comment"),
        ..Chosen::default()
    })
}

/// `POST /jobs/{job}/withheld/release`: the chosen operations, once.
pub(super) async fn release(visit: Visit, form: Form) -> Response {
    let decide = move |visit: &Visit| {
        let released = visit
            .service
            .release(visit.job(), &visit.caller.actor, &chosen(&form)?)?;
        let sent = match released.order {
            Some(ticket) if ticket.mode == "observe" => "The job observes: nothing is sent",
            Some(_) => "It is sent now, once",
            None => "The next cycle sends it, once",
        };
        Ok(format!(
            "Released: {}. {sent}.",
            operations(released.decided.count)
        ))
    };
    let back = back(&visit);
    visit.decide(back, decide).await
}

/// `POST /jobs/{job}/withheld/reject`: the chosen operations are dropped, and their objects put on hold.
pub(super) async fn reject(visit: Visit, form: Form) -> Response {
    let decide = move |visit: &Visit| {
        let decided = decisions::reject(&visit.desk()?, &chosen(&form)?)?;
        Ok(format!(
            "Rejected: {}. Their objects are on hold until somebody takes them off.",
            operations(decided.count)
        ))
    };
    let back = back(&visit);
    visit.decide(back, decide).await
}

fn operations(count: u64) -> String {
    match count {
        1 => "one operation".to_owned(),
        many => format!("{many} operations"),
    }
}

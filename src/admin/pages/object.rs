//! One object: why it is at the target, or why not. The verdict first, then each step to it.
//!
//! The page is made of the very document that the API answers with.

use askama::Template;
use axum::response::Response;

use super::decision;
use super::filters;
use super::form::Form;
use super::frame::Frame;
use super::visit::Visit;
use super::why::Why;
use crate::admin::desk::OfId;
use crate::admin::extract::Path;
use crate::app::decisions::hold;
use crate::app::decisions::hold::Holding;
use crate::app::service::request::ResyncRequest;
use crate::app::views::explain::Asked;

#[derive(Template)]
#[template(path = "object.html")]
struct Explained {
    frame: Frame,
    why: Why,
}

/// `GET /jobs/{job}/objects/{id}`: asks both sides, as `melonsync explain` does.
pub(super) async fn page(visit: Visit, Path(OfId { id }): Path<OfId>) -> Response {
    let asked = async {
        let asked = Asked {
            object: id,
            ..Asked::default()
        };
        let actor = visit.caller.actor.clone();
        // Not on a thread that may block: it asks for those itself, and there are few.
        visit.service.explained(visit.job(), &asked, None, actor).await
    };
    let explained = match asked.await {
        Ok(explained) => explained,
        Err(error) => return visit.show(|_, _| Err::<Explained, _>(error)).await,
    };
    let ask = move |visit: &Visit, frame: Frame| {
        let why = Why::of(&explained)?;
        let json = format!(
            "/api/v1/jobs/{}/objects/{}/explain",
            filters::as_part(visit.job()),
            filters::as_part(&why.object)
        );
        Ok(Explained {
            frame: frame.titled(&why.name, "objects", json),
            why,
        })
    };
    visit.show(ask).await
}

fn path_of(visit: &Visit, id: &str) -> String {
    format!(
        "/jobs/{}/objects/{}",
        filters::as_part(visit.job()),
        filters::as_part(id)
    )
}

/// `POST /jobs/{job}/objects/{id}/resync`.
pub(super) async fn resync(visit: Visit, Path(OfId { id }): Path<OfId>, form: Form) -> Response {
    let back = path_of(&visit, &id);
    let mut asked = ResyncRequest::default();
    if form.one("kind").as_deref() == Some("group") {
        asked.groups.push(id);
    } else {
        asked.users.push(id);
    }
    decision::order(visit, &back, asked.work())
}

/// `POST /jobs/{job}/objects/{id}/hold`.
pub(super) async fn hold(visit: Visit, Path(OfId { id }): Path<OfId>, form: Form) -> Response {
    let back = path_of(&visit, &id);
    let wanted = Holding {
        objects: vec![id],
        comment: form.one("comment"),
        ..Holding::default()
    };
    let decide = move |visit: &Visit| {
        hold::hold(&visit.desk()?, &wanted)?;
        Ok("On hold: nothing is sent of it until somebody takes it off hold.".to_owned())
    };
    visit.decide(back, decide).await
}

/// `POST /jobs/{job}/objects/{id}/unhold`.
pub(super) async fn unhold(visit: Visit, Path(OfId { id }): Path<OfId>, form: Form) -> Response {
    let back = path_of(&visit, &id);
    let decide = move |visit: &Visit| {
        hold::release(&visit.desk()?, &[id], form.one("comment").as_ref())?;
        Ok("Off hold: the next cycle looks at it again.".to_owned())
    };
    visit.decide(back, decide).await
}

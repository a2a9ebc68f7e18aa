//! What stands around each page: where one is, who one is, and how the last thing that was asked for ended.

use askama::Template;
use axum::http::StatusCode;
use axum::response::Response;

use super::assets;
use super::filters;
use super::sent;
use crate::admin::caller::Caller;
use crate::admin::problem::Problem;
use crate::app::access::sessions::Notice;
use crate::app::error::ErrorText;
use crate::model::clock::Clock;
use crate::model::clock::SystemClock;
use crate::model::role::Role;

/// A page of a job, in the navigation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// The last part of its path.
    pub(super) path: &'static str,
    /// What it is called.
    pub(super) name: &'static str,
}

/// The pages of a job, in their order.
pub(super) const PLACES: [Place; 7] = [
    Place {
        path: "objects",
        name: "People and groups",
    },
    Place {
        path: "withheld",
        name: "Withheld",
    },
    Place {
        path: "drift",
        name: "Drift",
    },
    Place {
        path: "escrow",
        name: "Escrow",
    },
    Place {
        path: "history",
        name: "History",
    },
    Place {
        path: "what-if",
        name: "What if",
    },
    Place {
        path: "health",
        name: "Health",
    },
];

/// What stands around a page.
pub(super) struct Frame {
    /// The title of the page.
    pub(super) title: String,
    /// Who looks at it; none where nobody is logged in.
    pub(super) who: Option<String>,
    /// What they may do.
    pub(super) role: Role,
    /// The job that it is of.
    pub(super) job: Option<String>,
    /// The page in the navigation.
    pub(super) here: &'static str,
    /// How the last thing that was asked for ended.
    pub(super) notice: Option<Notice>,
    /// True where decisions need a comment.
    pub(super) asks_why: bool,
    /// The document beside the page.
    pub(super) json: Option<String>,
    /// When it was made.
    pub(super) now: String,
}

impl Frame {
    /// The frame of a page of a job, or of all.
    pub(super) fn of(caller: &Caller, job: Option<&str>, (notice, asks_why): (Option<Notice>, bool)) -> Self {
        Self {
            who: Some(caller.actor.to_string()),
            role: caller.role,
            job: job.map(str::to_owned),
            notice,
            asks_why,
            ..Self::bare()
        }
    }

    /// The frame where nobody is logged in.
    pub(super) fn bare() -> Self {
        Self {
            title: String::new(),
            who: None,
            role: Role::Viewer,
            job: None,
            here: "",
            notice: None,
            asks_why: false,
            json: None,
            now: SystemClock.now().to_string(),
        }
    }

    /// With its title, its place, and the document beside it.
    pub(super) fn titled(self, title: &str, here: &'static str, json: String) -> Self {
        Self {
            title: title.to_owned(),
            here,
            json: Some(json),
            ..self
        }
    }

    /// True for somebody who may order cycles.
    pub(super) fn operates(&self) -> bool {
        self.role >= Role::Operator
    }

    /// True for somebody who may decide.
    pub(super) fn approves(&self) -> bool {
        self.role >= Role::Approver
    }

    /// The path of an asset.
    pub(super) fn asset(&self, name: &str) -> &'static str {
        assets::path(name)
    }

    /// The pages of a job.
    pub(super) fn places(&self) -> [Place; PLACES.len()] {
        PLACES
    }
}

#[derive(Template)]
#[template(path = "refused.html")]
struct Refused<'p> {
    frame: Frame,
    errors: &'p [ErrorText],
}

/// What was asked for is not shown, and why.
pub(super) fn refused(problem: &Problem) -> Response {
    refused_within(Frame::bare(), problem)
}

/// The same to somebody who is logged in.
pub(super) fn refused_within(mut frame: Frame, problem: &Problem) -> Response {
    let title = match problem.status_code() {
        StatusCode::NOT_FOUND => "Not found",
        _ => "Not done",
    };
    title.clone_into(&mut frame.title);
    let page = Refused {
        frame,
        errors: &problem.error().errors,
    };
    let text = sent::render(&page).unwrap_or_else(|_| problem.text());
    sent::html(problem.status_code(), text)
}

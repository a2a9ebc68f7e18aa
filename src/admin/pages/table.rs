//! The table of pages. A page that is not here is not there.

use std::sync::Arc;

use axum::handler::Handler;
use axum::http::Method;
use axum::routing::MethodFilter;
use axum::routing::MethodRouter;
use axum::routing::on;

use super::csv;
use super::cycle;
use super::drift;
use super::escrow;
use super::health;
use super::history;
use super::login;
use super::object;
use super::objects;
use super::overview;
use super::timeline;
use super::tour;
use super::undo;
use super::what_if;
use super::withheld;
use crate::admin::caller::Least;
use crate::admin::parameter::Parameter;
use crate::app::service::Service;
use crate::model::role::Role;
use crate::model::role::Role::Approver;
use crate::model::role::Role::Operator;

/// A page, or what a form on one asks for.
pub(super) struct Page {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) least: Least,
    pub(super) query: &'static [Parameter],
    pub(super) handler: MethodRouter<Arc<Service>>,
}

/// Every page.
pub(super) fn all() -> Vec<Page> {
    let mut all = vec![
        open(Method::GET, "/login", login::page).query(login::QUERY),
        open(Method::POST, "/session", login::begin),
        post("/session/end", Role::Viewer, login::end),
        get("/", overview::page),
        get("/tour", tour::page),
    ];
    all.extend(of_a_job());
    all
}

fn of_a_job() -> Vec<Page> {
    vec![
        get("/jobs/{job}", timeline::page).query(timeline::QUERY),
        post("/jobs/{job}/sync", Operator, timeline::sync),
        post("/jobs/{job}/pause", Approver, timeline::pause),
        post("/jobs/{job}/resume", Approver, timeline::resume),
        get("/jobs/{job}/cycles/{id}", cycle::page),
        post("/jobs/{job}/cycles/{id}/cancel", Operator, cycle::cancel),
        post("/jobs/{job}/cycles/{id}/undo/preview", Approver, undo::preview),
        post("/jobs/{job}/cycles/{id}/undo", Approver, undo::undo),
        get("/jobs/{job}/objects", objects::page).query(objects::QUERY),
        get("/jobs/{job}/objects/{id}", object::page),
        post("/jobs/{job}/objects/{id}/resync", Operator, object::resync),
        post("/jobs/{job}/objects/{id}/hold", Approver, object::hold),
        post("/jobs/{job}/objects/{id}/unhold", Approver, object::unhold),
        get("/jobs/{job}/withheld", withheld::page).query(withheld::QUERY),
        post("/jobs/{job}/withheld/release", Approver, withheld::release),
        post("/jobs/{job}/withheld/reject", Approver, withheld::reject),
        get("/jobs/{job}/drift", drift::page),
        post("/jobs/{job}/drift/refresh", Operator, drift::refresh),
        post("/jobs/{job}/drift/heal", Approver, drift::heal),
        get("/jobs/{job}/escrow", escrow::page),
        post("/jobs/{job}/escrow/retry", Operator, escrow::retry),
        post("/jobs/{job}/escrow/drop", Approver, escrow::leave),
        get("/jobs/{job}/history", history::page).query(history::QUERY),
        get("/jobs/{job}/what-if", what_if::page),
        post("/jobs/{job}/what-if", Operator, what_if::preview),
        get("/jobs/{job}/health", health::page).query(health::QUERY),
        get("/jobs/{job}/objects.csv", csv::objects).query(csv::OBJECTS),
        get("/jobs/{job}/withheld.csv", csv::withheld).query(withheld::QUERY),
        get("/jobs/{job}/drift.csv", csv::drift),
        get("/jobs/{job}/escrow.csv", csv::escrow),
        get("/jobs/{job}/history.csv", csv::history).query(csv::HISTORY),
    ]
}

impl Page {
    /// With the parameters of its query; it takes no others.
    const fn query(mut self, query: &'static [Parameter]) -> Self {
        self.query = query;
        self
    }
}

fn page<H: Handler<T, Arc<Service>>, T: 'static>(
    method: Method,
    path: &'static str,
    least: Least,
    handler: H,
) -> Page {
    let filter = MethodFilter::try_from(method.clone()).expect("a method of HTTP's own");
    Page {
        method,
        path,
        least,
        query: &[],
        handler: on(filter, handler),
    }
}

fn open<H: Handler<T, Arc<Service>>, T: 'static>(method: Method, path: &'static str, handler: H) -> Page {
    page(method, path, Least::Anybody, handler)
}

fn get<H: Handler<T, Arc<Service>>, T: 'static>(path: &'static str, handler: H) -> Page {
    page(Method::GET, path, Least::Role(Role::Viewer), handler)
}

fn post<H: Handler<T, Arc<Service>>, T: 'static>(path: &'static str, least: Role, handler: H) -> Page {
    page(Method::POST, path, Least::Role(least), handler)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Method, path and least role of each page, which the suite asks with every role and every way to show who one is.
    const ROWS: &str = include_str!("../../../tests/suite/door/pages.tsv");

    #[test]
    fn every_page_has_its_row_in_the_matrix() {
        let row = |page: &Page| {
            let role = match page.least {
                Least::Anybody | Least::Metrics => "anybody",
                Least::Role(role) => role.as_str(),
            };
            format!("{}\t{}\t{role}", page.method, page.path)
        };
        let pages: Vec<String> = all().iter().map(row).collect();
        assert_eq!(pages.join("\n"), ROWS.trim_end());
    }

    #[test]
    fn what_changes_something_is_a_post_and_what_is_shown_is_not() {
        for page in all() {
            let changes = page.method == Method::POST;
            let decides = matches!(page.least, Least::Role(Operator | Approver));
            let is_session = page.path.starts_with("/session");
            assert_eq!(changes, decides || is_session, "{} {}", page.method, page.path);
        }
    }
}

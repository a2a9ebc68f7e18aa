//! The tables of routes. A route that is not here is not there.

use axum::handler::Handler;
use axum::http::Method;

use super::Least;
use super::Parameter;
use super::Route;
use crate::admin::decisions;
use crate::admin::health;
use crate::admin::orders;
use crate::admin::views;
use crate::app::service::Service;
use crate::model::role::Role;
use crate::model::role::Role::Approver;
use crate::model::role::Role::Operator;
use crate::model::role::Role::Viewer;
use std::sync::Arc;

/// Every route.
pub(super) fn all() -> Vec<Route> {
    let mut all = probes();
    all.extend(jobs());
    all.extend(decisions());
    all.extend(orders());
    all
}

/// What shows whether the daemon is well.
fn probes() -> Vec<Route> {
    vec![
        open("/healthz", health::healthz).says("the process is alive"),
        open("/readyz", health::readyz).says("the store is open and the schedules run"),
    ]
}

/// What can be asked.
fn jobs() -> Vec<Route> {
    vec![
        get("/api/v1/jobs", views::jobs)
            .query(&[JOB])
            .says("the jobs as `status` shows them, with what the daemon does for them now"),
        get("/api/v1/jobs/{job}", views::job).says("one job"),
        get("/api/v1/jobs/{job}/withheld", views::withheld)
            .query(&[OBJECTS, REASON])
            .says("what the guard holds back"),
        get("/api/v1/jobs/{job}/holds", views::holds).says("what is on hold"),
        get("/api/v1/jobs/{job}/escrow", views::escrow)
            .query(&[OBJECT])
            .says("entries set aside after failures"),
        get("/api/v1/jobs/{job}/drift", views::drift)
            .query(&[HEALED])
            .says("where the target is not as it was left, as the last reading found it"),
        get("/api/v1/jobs/{job}/history", views::history)
            .query(views::HISTORY)
            .says("the audit log, oldest first, by pages: `after` is `next` of the page before"),
        get("/api/v1/jobs/{job}/objects/{id}/explain", views::explain)
            .query(&[SETTINGS])
            .says("one object, step by step, and why; `{id}` is an id or any name"),
    ]
}

/// What people decide.
fn decisions() -> Vec<Route> {
    vec![
        post(
            "/api/v1/jobs/{job}/withheld/release",
            Approver,
            decisions::withheld_release,
        )
        .says("lets withheld operations through, once"),
        post(
            "/api/v1/jobs/{job}/withheld/reject",
            Approver,
            decisions::withheld_reject,
        )
        .says("puts the objects of withheld operations on hold"),
        post("/api/v1/jobs/{job}/holds", Approver, decisions::hold).says("puts objects on hold"),
        post(
            "/api/v1/jobs/{job}/holds/release",
            Approver,
            decisions::hold_release,
        )
        .says("takes objects off hold"),
        delete("/api/v1/jobs/{job}/holds/{id}", Approver, decisions::hold_delete)
            .says("takes one object off hold"),
        post(
            "/api/v1/jobs/{job}/escrow/retry",
            Operator,
            decisions::escrow_retry,
        )
        .says("has entries tried again: one, or all where none is named"),
        post("/api/v1/jobs/{job}/escrow/drop", Approver, decisions::escrow_drop)
            .says("leaves entries until they change: one, or all where none is named"),
        post(
            "/api/v1/jobs/{job}/escrow/{id}/retry",
            Operator,
            decisions::entry_retry,
        )
        .says("has one entry tried again"),
        post(
            "/api/v1/jobs/{job}/escrow/{id}/drop",
            Approver,
            decisions::entry_drop,
        )
        .says("leaves one entry until it changes"),
        post("/api/v1/jobs/{job}/links", Approver, decisions::link)
            .says("links an object to a resource by hand"),
        delete("/api/v1/jobs/{job}/links/{id}", Approver, decisions::unlink)
            .says("ends the link of an object"),
        post("/api/v1/jobs/{job}/pause", Approver, decisions::pause).says("pauses writes to the target"),
        post("/api/v1/jobs/{job}/resume", Approver, decisions::resume).says("ends a pause"),
        post(
            "/api/v1/jobs/{job}/quarantine/release",
            Approver,
            decisions::quarantine_release,
        )
        .says("lets a stopped job go on"),
    ]
}

/// What the daemon is told to do, and what becomes of it.
fn orders() -> Vec<Route> {
    vec![
        post("/api/v1/jobs/{job}/sync", Operator, orders::sync).says("orders one cycle"),
        post("/api/v1/jobs/{job}/resync", Operator, orders::resync)
            .says("orders named objects, or all, or the source from its beginning"),
        post(
            "/api/v1/jobs/{job}/drift/refresh",
            Operator,
            orders::drift_refresh,
        )
        .says("orders a reading of the target"),
        post("/api/v1/jobs/{job}/drift/heal", Approver, orders::drift_heal)
            .says("orders that what drifted is put right"),
        get("/api/v1/cycles/{id}", orders::follow).says(
            "where an order or a cycle of this daemon stands; its events with `Accept: text/event-stream`",
        ),
        post("/api/v1/cycles/{id}/cancel", Operator, orders::cancel)
            .says("ends an order or a cycle after the requests in flight"),
    ]
}

const JOB: Parameter = text("job", "only the job of this name");
const OBJECT: Parameter = text("object", "an object: its id, or any name that it has or had");
const OBJECTS: Parameter = text(
    "object",
    "an object: its id, or any name; may be given more than once",
);
const REASON: Parameter = text("reason", "only what is withheld for this reason");
const HEALED: Parameter = text("healed", "`true`: what healing left, where words are asked for");
const SETTINGS: Parameter = text(
    "settings",
    "what the caller's own settings come to: refused where the daemon's are others",
);

/// A parameter.
pub(in crate::admin) const fn text(name: &'static str, what: &'static str) -> Parameter {
    Parameter { name, what }
}

fn open<H: Handler<T, Arc<Service>>, T: 'static>(path: &'static str, handler: H) -> Route {
    Route::new(Method::GET, path, Least::Anybody, handler)
}

fn get<H: Handler<T, Arc<Service>>, T: 'static>(path: &'static str, handler: H) -> Route {
    Route::new(Method::GET, path, Least::Role(Viewer), handler)
}

fn post<H: Handler<T, Arc<Service>>, T: 'static>(path: &'static str, least: Role, handler: H) -> Route {
    Route::new(Method::POST, path, Least::Role(least), handler)
}

fn delete<H: Handler<T, Arc<Service>>, T: 'static>(path: &'static str, least: Role, handler: H) -> Route {
    Route::new(Method::DELETE, path, Least::Role(least), handler)
}

//! The tables of routes. A route that is not here is not there.

use axum::handler::Handler;
use axum::http::Method;

use super::Body;
use super::Gives;
use super::Least;
use super::Route;
use crate::admin::check;
use crate::admin::decisions;
use crate::admin::entra_job;
use crate::admin::feed;
use crate::admin::health;
use crate::admin::health::Health;
use crate::admin::listings;
use crate::admin::mapping;
use crate::admin::notify;
use crate::admin::orders;
use crate::admin::parameter::Kind;
use crate::admin::parameter::Parameter;
use crate::admin::parameter::of;
use crate::admin::parameter::text;
use crate::admin::plans;
use crate::admin::state;
use crate::admin::views;
use crate::app::check::Checked;
use crate::app::decisions::Comment;
use crate::app::decisions::escrow;
use crate::app::decisions::hold::Held;
use crate::app::decisions::hold::Holding;
use crate::app::decisions::hold::Released;
use crate::app::decisions::link::Linked;
use crate::app::decisions::link::Pairing;
use crate::app::decisions::pause::Paused;
use crate::app::decisions::pause::Pausing;
use crate::app::decisions::pause::Resumed;
use crate::app::decisions::quarantine;
use crate::app::decisions::withheld;
use crate::app::decisions::withheld::Chosen;
use crate::app::mapping::person::TestRequest;
use crate::app::notices::sample::SampleRequest;
use crate::app::notices::sample::Tested;
use crate::app::preview::PreviewRequest;
use crate::app::proof::ExportRequest;
use crate::app::service::CycleState;
use crate::app::service::Service;
use crate::app::service::answer::Ticket;
use crate::app::service::request::BackupRequest;
use crate::app::service::request::CancelRequest;
use crate::app::service::request::Cancelled;
use crate::app::service::request::DriftRequest;
use crate::app::service::request::ForgetRequest;
use crate::app::service::request::HandoverRequest;
use crate::app::service::request::ResyncRequest;
use crate::app::service::request::StateRequest;
use crate::app::service::request::SyncRequest;
use crate::app::service::request::UndoAsked;
use crate::app::state::HandedOver;
use crate::app::views::active::ActiveView;
use crate::app::views::changes::Changes;
use crate::app::views::cycles::Cycles;
use crate::app::views::drift::DriftView;
use crate::app::views::entra_job::EntraJobs;
use crate::app::views::entra_job::EntraLog;
use crate::app::views::entra_verdict::EntraVerdict;
use crate::app::views::escrow::Escrow;
use crate::app::views::health::Health as JobHealth;
use crate::app::views::history::HistoryPage;
use crate::app::views::holds::Holds;
use crate::app::views::objects::Objects;
use crate::app::views::status::JobStatus;
use crate::app::views::status::Status;
use crate::app::views::timeline::Timeline;
use crate::app::views::withheld::WithheldList;
use crate::model::role::Role;
use crate::model::role::Role::Approver;
use crate::model::role::Role::Operator;
use crate::model::role::Role::Viewer;
use std::sync::Arc;

/// Every route.
pub(super) fn all() -> Vec<Route> {
    let mut all = probes();
    all.extend(jobs());
    all.extend(beside_azure());
    all.extend(lists());
    all.extend(decisions());
    all.extend(decisions_of_the_job());
    all.extend(orders());
    all.extend(planning());
    all.extend(copies());
    all
}

/// What shows whether the daemon is well.
fn probes() -> Vec<Route> {
    vec![
        open("/healthz", health::healthz)
            .gives(Gives::Document(Body::of::<Health>()))
            .says("the process is alive"),
        open("/readyz", health::readyz)
            .gives(Gives::Document(Body::of::<Health>()))
            .says("the store is open and the schedules run"),
        Route::new(Method::GET, "/metrics", Least::Metrics, health::metrics)
            .gives(Gives::Metrics)
            .says("the metrics, as Prometheus reads them; where they have a token, for whoever shows that one or one of the API"),
    ]
}

/// Azure's own provisioning job, beside which a job of ours may run.
fn beside_azure() -> Vec<Route> {
    vec![
        get("/api/v1/jobs/{job}/entra-job", entra_job::status)
            .views::<EntraJobs>()
            .says("Azure's own provisioning job for the same application: its state, and whether it writes"),
        get("/api/v1/jobs/{job}/entra-job/logs", entra_job::logs)
            .query(entra_job::LOGS)
            .views::<EntraLog>()
            .says("the provisioning log of Azure's own job, newest first"),
        get("/api/v1/jobs/{job}/entra-job/verdict", entra_job::verdict)
            .query(entra_job::VERDICT)
            .views::<EntraVerdict>()
            .says("whether it is safe to switch from Azure's own job to this one: twelve lines, each yes, no or unknown"),
    ]
}

/// What can be asked.
fn jobs() -> Vec<Route> {
    vec![
        get("/api/v1/openapi.json", super::described).says("this description"),
        get("/api/v1/events", feed::events)
            .query(feed::QUERY)
            .gives(Gives::Events)
            .says("what happens in the daemon, as it happens; `Last-Event-ID` goes on where it ended"),
        get("/api/v1/jobs", views::jobs)
            .query(&[JOB])
            .views::<Status>()
            .says("the jobs as `status` shows them, with what the daemon does for them now"),
        get("/api/v1/jobs/{job}", views::job)
            .views::<JobStatus>()
            .says("one job"),
        get("/api/v1/jobs/{job}/health", views::health)
            .gives(Gives::Document(Body::of::<JobHealth>()))
            .says("how it does: what needs a person, both sides, the store, the config in force, and those who are told"),
        get("/api/v1/jobs/{job}/check", check::check)
            .query(&[SETTINGS])
            .views::<Checked>()
            .says("config, secrets, permissions, both sides and the snapshot, checked by the daemon; the target is sent only GET"),
        get("/api/v1/jobs/{job}/withheld", views::withheld)
            .query(&[OBJECTS, REASON])
            .views::<WithheldList>()
            .says("what the guard holds back"),
        get("/api/v1/jobs/{job}/holds", views::holds)
            .views::<Holds>()
            .says("what is on hold"),
        get("/api/v1/jobs/{job}/escrow", views::escrow)
            .query(&[OBJECT])
            .views::<Escrow>()
            .says("entries set aside after failures"),
        get("/api/v1/jobs/{job}/drift", views::drift)
            .query(&[HEALED])
            .views::<DriftView>()
            .says("where the target is not as it was left, as the last reading found it"),
        get("/api/v1/jobs/{job}/history", views::history)
            .query(views::HISTORY)
            .views::<HistoryPage>()
            .says("the audit log, oldest first, or with `newest` newest first, by pages: `after` is `next` of the page before"),
        get("/api/v1/jobs/{job}/history/summary", views::changes)
            .query(views::CHANGES)
            .views::<Changes>()
            .says("what changed within a time, counted by operation and cause"),
        get("/api/v1/jobs/{job}/history/active", views::active)
            .query(views::ACTIVE)
            .views::<ActiveView>()
            .says("who was active at the target at some moment of a time, as melonsync left them"),
        get("/api/v1/jobs/{job}/timeline", views::timeline)
            .query(views::TIMELINE)
            .views::<Timeline>()
            .says("cycles, decisions and stops in one list, newest first"),
        get("/api/v1/jobs/{job}/objects/{id}/explain", views::explain)
            .query(&[SETTINGS, IN_GROUP, DETAILS])
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
        .takes::<Chosen>()
        .views::<withheld::Decided>()
        .says("lets withheld operations through, once"),
        post(
            "/api/v1/jobs/{job}/withheld/reject",
            Approver,
            decisions::withheld_reject,
        )
        .takes::<Chosen>()
        .views::<withheld::Decided>()
        .says("puts the objects of withheld operations on hold"),
        post("/api/v1/jobs/{job}/holds", Approver, decisions::hold)
            .takes::<Holding>()
            .views::<Held>()
            .says("puts objects on hold"),
        post(
            "/api/v1/jobs/{job}/holds/release",
            Approver,
            decisions::hold_release,
        )
        .takes::<Released>()
        .views::<Held>()
        .says("takes objects off hold"),
        delete("/api/v1/jobs/{job}/holds/{id}", Approver, decisions::hold_delete)
            .takes::<Comment>()
            .views::<Held>()
            .says("takes one object off hold"),
    ]
}

/// What people decide on single entries, links and the job.
fn decisions_of_the_job() -> Vec<Route> {
    vec![
        post(
            "/api/v1/jobs/{job}/escrow/retry",
            Operator,
            decisions::escrow_retry,
        )
        .takes::<escrow::Decided>()
        .views::<Escrow>()
        .says("has entries tried again: one, or all where none is named"),
        post("/api/v1/jobs/{job}/escrow/drop", Approver, decisions::escrow_drop)
            .takes::<escrow::Decided>()
            .views::<Escrow>()
            .says("leaves entries until they change: one, or all where none is named"),
        post(
            "/api/v1/jobs/{job}/escrow/{id}/retry",
            Operator,
            decisions::entry_retry,
        )
        .takes::<Comment>()
        .views::<Escrow>()
        .says("has one entry tried again"),
        post(
            "/api/v1/jobs/{job}/escrow/{id}/drop",
            Approver,
            decisions::entry_drop,
        )
        .takes::<Comment>()
        .views::<Escrow>()
        .says("leaves one entry until it changes"),
        post("/api/v1/jobs/{job}/links", Approver, decisions::link)
            .takes::<Pairing>()
            .views::<Linked>()
            .says("links an object to a resource by hand"),
        delete("/api/v1/jobs/{job}/links/{id}", Approver, decisions::unlink)
            .takes::<Comment>()
            .views::<Linked>()
            .says("ends the link of an object"),
        post("/api/v1/jobs/{job}/pause", Approver, decisions::pause)
            .takes::<Pausing>()
            .views::<Paused>()
            .says("pauses writes to the target"),
        post("/api/v1/jobs/{job}/resume", Approver, decisions::resume)
            .takes::<Comment>()
            .views::<Resumed>()
            .says("ends a pause"),
        post(
            "/api/v1/jobs/{job}/quarantine/release",
            Approver,
            decisions::quarantine_release,
        )
        .takes::<Comment>()
        .views::<quarantine::Released>()
        .says("lets a stopped job go on"),
    ]
}

/// What the daemon is told to do, and what becomes of it.
fn orders() -> Vec<Route> {
    vec![
        post("/api/v1/jobs/{job}/sync", Operator, orders::sync).takes::<SyncRequest>().gives(Gives::Order(Body::of::<Ticket>())).says("orders one cycle"),
        post("/api/v1/jobs/{job}/resync", Operator, orders::resync)
            .takes::<ResyncRequest>().gives(Gives::Order(Body::of::<Ticket>())).says("orders named objects, or all, or the source from its beginning"),
        post(
            "/api/v1/jobs/{job}/drift/refresh",
            Operator,
            orders::drift_refresh,
        )
        .takes::<DriftRequest>().gives(Gives::Order(Body::of::<Ticket>())).says("orders a reading of the target"),
        post("/api/v1/jobs/{job}/drift/heal", Approver, orders::drift_heal)
            .takes::<DriftRequest>().gives(Gives::Order(Body::of::<Ticket>())).says("orders that what drifted is put right"),
        get("/api/v1/cycles/{id}", listings::cycle).gives(Gives::Followed(Body::of::<CycleState>())).says(
            "where an order or a cycle stands, or how it ended; its events with `Accept: text/event-stream`",
        ),
        post("/api/v1/cycles/{id}/cancel", Operator, orders::cancel)
            .takes::<CancelRequest>().gives(Gives::Document(Body::of::<Cancelled>())).says("ends an order or a cycle after the requests in flight"),
        post("/api/v1/notify/test", Approver, notify::test)
            .takes::<SampleRequest>().views::<Tested>().says("sends a sample to every receiver of notifications"),
    ]
}

/// Lists by pages, and the mapping.
fn lists() -> Vec<Route> {
    vec![
        get("/api/v1/jobs/{job}/objects", listings::objects)
            .query(listings::OBJECTS_QUERY)
            .views::<Objects>()
            .says("users or groups with how they stand, by pages: `after` is `next` of the page before"),
        get("/api/v1/jobs/{job}/cycles", listings::cycles)
            .query(listings::CYCLES_QUERY)
            .views::<Cycles>()
            .says("the cycles that the job keeps the summaries of, newest first"),
        get("/api/v1/jobs/{job}/mapping", mapping::mapping)
            .says("the mapping in force, its scope, and what is read for both"),
    ]
}

/// What would be done, and what was done taken back.
fn planning() -> Vec<Route> {
    vec![
        get("/api/v1/jobs/{job}/plan", plans::plan)
            .query(plans::PLAN_QUERY)
            .gives(Gives::File(plans::FORMS)).says("orders a plan, and answers with it; with `Accept: text/event-stream` it is fetched from its cycle"),
        post("/api/v1/jobs/{job}/preview", Operator, plans::preview)
            .query(plans::PREVIEW_QUERY)
            .takes::<PreviewRequest>()
            .gives(Gives::Order(Body::of::<Ticket>()))
            .says("orders the plan of a job by another mapping, other filters, another scope or policy; fetched from its cycle"),
        post("/api/v1/jobs/{job}/objects/{id}/explain", Operator, views::explain_by)
            .query(&[IN_GROUP, DETAILS])
            .takes::<PreviewRequest>()
            .says("one object, as it would be by another mapping, other filters, another scope or policy"),
        get("/api/v1/cycles/{id}/plan", plans::made)
            .query(plans::MADE_QUERY)
            .gives(Gives::File(plans::FORMS)).says("the plan that a cycle made, as long as it is one of the last four of its job"),
        post("/api/v1/cycles/{id}/undo", Approver, orders::undo)
            .takes::<UndoAsked>()
            .gives(Gives::Order(Body::of::<Ticket>()))
            .says("orders that what a cycle did is taken back, or with `dry_run` a plan of that"),
        post("/api/v1/jobs/{job}/mapping/test", Operator, mapping::test)
            .takes::<TestRequest>()
            .says("evaluates one expression, with these attributes or for somebody in the snapshot"),
    ]
}

/// The snapshot as a thing.
fn copies() -> Vec<Route> {
    vec![
        post("/api/v1/state/verify", Approver, state::verify)
            .takes::<StateRequest>()
            .says("checks every record and the history's chain"),
        post("/api/v1/state/export", Approver, state::export)
            .takes::<StateRequest>()
            .gives(Gives::File(&[state::LINES]))
            .says("the snapshot as JSON Lines; `x-melonsync-count` counts damaged records"),
        post("/api/v1/state/backup", Approver, state::backup)
            .takes::<BackupRequest>()
            .gives(Gives::File(&[state::BYTES]))
            .says("the file that `melonsync state restore` takes; `x-melonsync-count` counts its records, `x-melonsync-history` is the head of its history"),
        post("/api/v1/state/handover", Approver, state::handover)
            .takes::<HandoverRequest>()
            .views::<HandedOver>()
            .says("the job goes on at another host, from a backup that ends with this history; refused where it went on since"),
        post("/api/v1/state/forget", Approver, state::forget)
            .takes::<ForgetRequest>()
            .says("erases the personal values of an object that is ours no more"),
        post("/api/v1/jobs/{job}/history/export", Approver, state::history)
            .takes::<ExportRequest>()
            .gives(Gives::File(&[state::ARCHIVE]))
            .says("a part of the history with the chain that proves it, as a tar archive"),
    ]
}

const JOB: Parameter = text("job", "only the job of this name");
const OBJECT: Parameter = text("object", "an object: its id, or any name that it has or had");
const OBJECTS: Parameter = of(
    Kind::Texts,
    "object",
    "an object: its id, or any name; may be given more than once",
);
const REASON: Parameter = text("reason", "only what is withheld for this reason");
const HEALED: Parameter = of(
    Kind::Flag,
    "healed",
    "`true`: what healing left, where words are asked for",
);
const IN_GROUP: Parameter = text("in", "a group: whether it holds the user, and why, stands first");
const DETAILS: Parameter = of(
    Kind::Flag,
    "details",
    "`true`: in words, every attribute and every group",
);
const SETTINGS: Parameter = text(
    "settings",
    "what the caller's own settings come to: refused where the daemon's are others",
);

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

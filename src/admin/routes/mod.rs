//! Routes: what each takes, who may call it and what it does is told once, in the tables below this folder. The router, the
//! check of who asks, and the description of the API are made of them.

mod gate;
mod table;

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware;
use axum::routing::MethodFilter;
use axum::routing::MethodRouter;
use axum::routing::on;

pub(super) use table::text;

use super::hosts;
use super::limits;
use super::problem;
use crate::app::service::Service;
use crate::model::role::Role;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Least {
    /// Anybody who reaches the door: a probe.
    Anybody,
    /// Whoever has this role, or a later one.
    Role(Role),
}

/// A parameter of a query.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameter {
    /// Its name.
    pub(super) name: &'static str,
    /// What it is for.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the description of the API"))]
    pub(super) what: &'static str,
}

/// One route.
pub(super) struct Route {
    #[cfg_attr(not(test), expect(dead_code, reason = "for the description of the API"))]
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) least: Least,
    pub(super) what: &'static str,
    pub(super) query: &'static [Parameter],
    handler: MethodRouter<Arc<Service>>,
}

impl Route {
    fn new<H, T>(method: Method, path: &'static str, least: Least, handler: H) -> Self
    where
        H: Handler<T, Arc<Service>>,
        T: 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).expect("a method of HTTP's own");
        Self {
            method,
            path,
            least,
            what: "",
            query: &[],
            handler: on(filter, handler),
        }
    }

    /// With what it does, in one sentence without a full stop.
    const fn says(mut self, what: &'static str) -> Self {
        self.what = what;
        self
    }

    /// With the parameters of its query; it takes no others.
    const fn query(mut self, query: &'static [Parameter]) -> Self {
        self.query = query;
        self
    }

    /// What is checked before its handler is asked: who asks, the query, and then the body.
    fn guarded(self) -> MethodRouter<Arc<Service>, Infallible> {
        let rule = gate::Rule {
            least: self.least,
            query: self.query,
        };
        self.handler
            .route_layer(middleware::from_fn(limits::whole_body))
            .route_layer(middleware::from_fn_with_state(rule, gate::check))
    }
}

/// Every route, with what is checked before it.
pub(super) fn router(service: Arc<Service>) -> Router {
    let mut router = Router::new();
    for route in table::all() {
        router = router.route(route.path, route.guarded());
    }
    router
        .fallback(problem::no_route)
        .method_not_allowed_fallback(problem::no_method)
        .layer(middleware::from_fn(hosts::check))
        .layer(middleware::from_fn(limits::no_store))
        .with_state(service)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn each_route_stands_once_in_the_table_and_says_what_it_does() {
        let mut seen = BTreeSet::new();
        for route in table::all() {
            let name = format!("{} {}", route.method, route.path);
            assert!(!route.what.is_empty(), "{name} says nothing");
            assert!(!route.what.ends_with('.'), "{name}: the table needs no full stop");
            assert!(route.query.iter().all(|one| !one.what.is_empty()), "{name}");
            assert!(seen.insert(name.clone()), "{name} stands there twice");
        }
    }

    #[test]
    fn what_changes_something_needs_more_than_a_viewer() {
        for route in table::all() {
            let reads = route.method == Method::GET;
            let least = match route.least {
                Least::Anybody => None,
                Least::Role(role) => Some(role),
            };
            let name = format!("{} {}", route.method, route.path);
            assert!(reads || least > Some(Role::Viewer), "{name} is for {least:?}");
            let is_probe = !route.path.starts_with("/api/");
            assert_eq!(is_probe, least.is_none(), "{name} is for {least:?}");
        }
    }
}

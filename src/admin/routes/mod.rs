//! Routes: what each takes, who may call it and what it does is told once, in the tables below this folder. The router, the
//! check of who asks, and the description of the API are made of them.

mod gate;
mod openapi;
mod table;

use std::borrow::Cow;
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::OnceLock;

use axum::Extension;
use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware;
use axum::response::Response;
use axum::routing::MethodFilter;
use axum::routing::MethodRouter;
use axum::routing::on;
use utoipa::ToSchema;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;

use super::answer;
use super::answer::Form;
use super::caller::Least;
use super::gate::Rule;
use super::hosts;
use super::limits;
use super::pages;
use super::parameter::Parameter;
use super::problem;
use super::stream::Places;
use crate::app::service::Service;

/// The schema of a body, and those that it refers to.
#[derive(Clone, Copy)]
pub(super) struct Body {
    name: fn() -> Cow<'static, str>,
    schema: fn() -> RefOr<Schema>,
    others: fn(&mut Vec<(String, RefOr<Schema>)>),
}

/// What a route answers with, where all is well.
#[derive(Clone, Copy)]
pub(super) enum Gives {
    /// A view: a document, or its words.
    View(Body),
    /// A document.
    Document(Body),
    /// A document whose members are described elsewhere.
    Any,
    /// 202 and a ticket, or the order's events.
    Order(Body),
    /// A document, or events.
    Followed(Body),
    /// Events.
    Events,
    /// The metrics.
    Metrics,
    /// A file, in one of these forms.
    File(&'static [&'static str]),
}

/// One route.
pub(super) struct Route {
    pub(super) method: Method,
    pub(super) path: &'static str,
    pub(super) least: Least,
    pub(super) what: &'static str,
    pub(super) query: &'static [Parameter],
    takes: Option<Body>,
    gives: Gives,
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
            takes: None,
            gives: Gives::Any,
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

    /// With the body that it takes.
    const fn takes<T: ToSchema>(mut self) -> Self {
        self.takes = Some(Body::of::<T>());
        self
    }

    /// With the view that it answers with.
    const fn views<T: ToSchema>(mut self) -> Self {
        self.gives = Gives::View(Body::of::<T>());
        self
    }

    /// With what it answers with, where that is no view.
    const fn gives(mut self, gives: Gives) -> Self {
        self.gives = gives;
        self
    }

    /// What is checked before its handler is asked: who asks, the query, and then the body.
    fn guarded(self) -> MethodRouter<Arc<Service>, Infallible> {
        let rule = Rule {
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
        .merge(pages::router())
        .fallback(problem::no_route)
        .method_not_allowed_fallback(problem::no_method)
        .layer(Extension(Places::default()))
        .layer(middleware::from_fn(hosts::check))
        .layer(middleware::from_fn(limits::no_store))
        .with_state(service)
}

/// `GET /api/v1/openapi.json`: the description of the API.
pub(super) async fn described() -> Response {
    static DOCUMENT: OnceLock<String> = OnceLock::new();
    let text = DOCUMENT.get_or_init(|| answer::document(&openapi::document(&table::all())));
    answer::of(Form::Json, text.clone())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::model::role::Role;

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
    fn each_route_is_described_and_nothing_else_is() {
        let document = openapi::document(&table::all());
        let document = serde_json::to_value(&document).unwrap();
        let mut described = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let name = format!("{} {path}", method.to_uppercase());
                assert!(operation["summary"].is_string(), "{name}");
                assert!(operation["operationId"].is_string(), "{name}");
                assert!(
                    operation["responses"]
                        .as_object()
                        .is_some_and(|all| !all.is_empty()),
                    "{name}"
                );
                let takes = method == "post" || method == "delete";
                assert_eq!(operation["requestBody"].is_object(), takes, "{name}");
                let is_api = path.starts_with("/api/");
                let problem = &operation["responses"]["default"]["content"]["application/problem+json"];
                assert_eq!(problem.is_object(), is_api, "{name}");
                assert_eq!(operation["x-role"].is_string(), is_api, "{name}");
                described.insert(name);
            }
        }
        let routes = table::all();
        let routes: BTreeSet<String> = routes
            .iter()
            .map(|route| format!("{} {}", route.method, route.path))
            .collect();
        assert_eq!(described, routes);
        let text = document.to_string();
        let schemas = document["components"]["schemas"].as_object().unwrap();
        for (at, _) in text.match_indices("#/components/schemas/") {
            let name: String = text[at + 21..].chars().take_while(|c| *c != '"').collect();
            assert!(schemas.contains_key(&name), "{name} is described nowhere");
        }
        assert_eq!(document["openapi"], "3.1.0");
    }

    #[test]
    fn what_changes_something_needs_more_than_a_viewer() {
        for route in table::all() {
            let reads = route.method == Method::GET;
            let least = match route.least {
                Least::Anybody | Least::Metrics => None,
                Least::Role(role) => Some(role),
            };
            let name = format!("{} {}", route.method, route.path);
            assert!(reads || least > Some(Role::Viewer), "{name} is for {least:?}");
            let is_probe = !route.path.starts_with("/api/");
            assert_eq!(is_probe, least.is_none(), "{name} is for {least:?}");
        }
    }
}

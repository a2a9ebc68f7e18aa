//! What is checked before a handler is asked: whether the caller may call the route, and whether it has the parameters that
//! the query has.

use axum::extract::Request;
use axum::extract::State;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;

use crate::admin::caller::Caller;
use crate::admin::caller::Least;
use crate::admin::caller::Peer;
use crate::admin::caller::bearer;
use crate::admin::caller::slow_down;
use crate::admin::extract;
use crate::admin::parameter::Parameter;
use crate::admin::problem::Problem;

/// What a route asks of a request.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    pub(super) least: Least,
    pub(super) query: &'static [Parameter],
}

/// Lets a request through to its handler, or answers with what it lacks.
pub(super) async fn check(State(rule): State<Rule>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    if let Least::Role(least) = rule.least {
        let caller = Caller::of(&parts).and_then(|caller| caller.may(least).map(|()| caller));
        match caller {
            Ok(caller) => parts.extensions.insert(caller),
            Err(problem) => {
                slow_down(&parts, &problem).await;
                return problem.into_response();
            }
        };
    }
    if rule.least == Least::Metrics && !may_read_metrics(&parts) {
        let problem = match bearer(&parts.headers) {
            Some(_) => Problem::wrong_token(),
            None => Problem::no_token(),
        };
        slow_down(&parts, &problem).await;
        return problem.into_response();
    }
    match extract::parameters(&parts.uri, rule.query) {
        Ok(query) => parts.extensions.insert(query),
        Err(problem) => return problem.into_response(),
    };
    next.run(Request::from_parts(parts, body)).await
}

/// Returns true for a request that may have the metrics.
fn may_read_metrics(parts: &Parts) -> bool {
    match parts.extensions.get::<Peer>() {
        Some(Peer::Network { entrance, .. }) => entrance.access().may_read_metrics(bearer(&parts.headers)),
        Some(Peer::Socket { .. }) => true,
        None => false,
    }
}

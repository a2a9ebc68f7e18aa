//! What every route and every page asks of a request before its handler: whether the caller may, and whether the query has
//! what it takes.

use axum::http::request::Parts;

use super::caller::Caller;
use super::caller::Least;
use super::caller::Peer;
use super::caller::bearer;
use super::caller::slow_down;
use super::extract;
use super::parameter::Parameter;
use super::problem::Problem;

/// What a route or a page asks of a request.
#[derive(Clone, Copy)]
pub(super) struct Rule {
    pub(super) least: Least,
    pub(super) query: &'static [Parameter],
}

impl Rule {
    /// Lets a request through: its caller and its parameters are added to it.
    ///
    /// # Errors
    /// What it lacks; whoever tries tokens has waited for that.
    pub(super) async fn admit(self, parts: &mut Parts) -> Result<(), Problem> {
        let known = match self.least {
            Least::Anybody => Ok(None),
            Least::Metrics => reads_metrics(parts).map(|()| None),
            Least::Role(least) => {
                Caller::of(parts).and_then(|caller| caller.may(least).map(|()| Some(caller)))
            }
        };
        match known {
            Ok(Some(caller)) => {
                parts.extensions.insert(caller);
            }
            Ok(None) => {}
            Err(problem) => {
                slow_down(parts, &problem).await;
                return Err(problem);
            }
        }
        let query = extract::parameters(&parts.uri, self.query)?;
        parts.extensions.insert(query);
        Ok(())
    }
}

/// Refuses a request that may not have the metrics.
fn reads_metrics(parts: &Parts) -> Result<(), Problem> {
    let shown = bearer(&parts.headers);
    let may = match parts.extensions.get::<Peer>() {
        Some(Peer::Network { entrance, .. }) => entrance.access().may_read_metrics(shown),
        Some(Peer::Socket { .. }) => true,
        None => false,
    };
    match shown {
        _ if may => Ok(()),
        Some(_) => Err(Problem::wrong_token()),
        None => Err(Problem::no_token()),
    }
}

//! The dashboard: pages that the daemon renders, one file a screen and its template beside it, of the views that the API answers
//! with. They work without JavaScript; what they ask is answered by `app/` as a command's question is.
//!
//! Every page stands in `table.rs`, with who may see it. Values of a directory pass through `filters`, and each page once more,
//! whole, through the filter of all output: one forgotten place is enough. A new one: docs/how-to/a-page.md.

mod assets;
mod csv;
mod cycle;
mod decision;
mod drift;
mod escrow;
mod filters;
mod form;
mod frame;
mod gate;
mod health;
mod history;
mod login;
mod object;
mod objects;
mod overview;
mod planned;
mod sent;
mod standing;
mod table;
mod timeline;
mod tour;
mod undo;
mod visit;
mod what_if;
mod why;
mod withheld;

use std::sync::Arc;

use axum::Router;
use axum::http::Method;
use axum::middleware;

use super::gate::Rule;
use super::limits;
use crate::app::service::Service;

/// Every page, with what is checked before it.
pub(super) fn router() -> Router<Arc<Service>> {
    let mut router = Router::new().route("/assets/{name}", axum::routing::get(assets::asset));
    for page in table::all() {
        let rule = Rule {
            least: page.least,
            query: page.query,
        };
        let handler = if page.method == Method::POST {
            page.handler.route_layer(middleware::from_fn(limits::whole_form))
        } else {
            page.handler
        };
        let guarded = handler.route_layer(middleware::from_fn_with_state(rule, gate::check));
        router = router.route(page.path, guarded);
    }
    router.layer(middleware::from_fn(sent::own_policy))
}

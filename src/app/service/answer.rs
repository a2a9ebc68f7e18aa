//! What becomes of an order, at once and in the end.

use serde::Deserialize;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::error::AppError;
use crate::engine::summary::Summary;

/// An order that was taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Ticket {
    /// The id of the cycle that it is or will be.
    pub cycle: String,
    /// How many go before it, the cycle under way among them.
    pub place: usize,
    /// True where the same order was waiting already, and this one is part of it.
    pub joined: bool,
    /// The job's mode: in `observe` it is only planned.
    pub mode: String,
}

/// How an order ended.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What was done; `None` where it never began.
    pub summary: Option<Summary>,
    /// What concerns every object.
    pub findings: Vec<String>,
    /// Why it was not carried out to its end.
    pub error: Option<AppError>,
}

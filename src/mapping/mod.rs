//! Attribute mappings: from a source object to the values that it should have at the target.
//!
//! ```text
//! file (TOML) ─ file ─▶ Row { path, Expression } ─ desired ─▶ value by row
//!                        text ─ token ─ parse ─ ast ─ check ─ evaluate (functions)
//! ```
//! Promises: everything is checked when the mapping is parsed, all problems at once, with places and suggestions;
//! evaluation is pure, never panics, and derives nothing from a property that was never read.

pub mod ast;
mod check;
pub mod context;
mod desired;
pub mod diagnostic;
pub mod entra_schema;
mod evaluate;
mod expression;
mod file;
pub mod filter;
pub mod functions;
pub mod names;
pub mod parse;
pub mod path;
pub mod pattern;
pub mod presets;
pub mod resource;
mod rows;
mod signature;
mod stop;
pub mod token;
pub mod trace;

#[cfg(test)]
mod tests;

pub use context::{Context, Facts, Seed};
pub use desired::{Desired, DesiredValue, desired, desired_in};
pub use diagnostic::{ExpressionError, Problem, Problems};
pub use evaluate::Call;
pub use expression::Expression;
pub use filter::{Filter, MemberOf, Verdict};
pub use names::{Names, Reference};
pub use path::TargetPath;
pub use pattern::{Pattern, PatternError};
pub use resource::{
    BorrowedResource, ResourceForm, json_value, plainly_holds, read_path, same, whole_element, write_resource,
};
pub use rows::{Apply, Authority, Drift, Mapping, Row};
pub use stop::{Stop, text_of};

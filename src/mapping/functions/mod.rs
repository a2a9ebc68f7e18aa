//! The functions of the expression language: one entry a function, in one table, its code beside it by theme.
//!
//! Source of names, parameters and examples: entra-docs `functions-for-customizing-application-data.md` and
//! `customize-application-attributes.md` (role functions), Graph's function list of 2021 (Prepend, IsNothing,
//! DefaultDomain, AppRoleAssignments). A further function is one entry in `table.rs` and its code here.

mod bounded;
mod choice;
mod dates;
mod diacritics;
mod generated;
mod lists;
pub(super) mod moment;
mod numbers;
mod replace;
mod roles;
mod table;
mod text;
mod time_format;
mod words;

pub use super::evaluate::Answer;
pub use super::evaluate::Function;
pub use super::signature::Judge;
pub use super::signature::Needs;
pub use super::signature::Parameter;
pub use super::signature::Type;
pub use super::signature::Written;
pub use bounded::MAX_TEXT;
pub use table::FUNCTIONS;

/// Functions of Entra that cannot work here, and why.
pub const REFUSED: &[(&str, &str)] = &[(
    "SelectUniqueValue",
    "SelectUniqueValue asks the target for a free value, which Entra offers only for applications bound to Active \
     Directory (Workday, SuccessFactors and API-driven provisioning), never for a SCIM service",
)];

/// Returns the function of that name, in exactly this case.
#[must_use]
pub fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

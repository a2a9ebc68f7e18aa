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
mod moment;
mod numbers;
mod replace;
mod roles;
mod table;
mod text;
mod time_format;
mod words;

use std::borrow::Cow;

use crate::model::value::Value;

use super::evaluate::Call;
use super::evaluate::Stop;

pub use bounded::MAX_TEXT;
pub(super) use dates::parse_printed as printed_date;
pub use table::FUNCTIONS;

/// The type of a parameter, or of a function's result. Attributes are of any type until they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Any value, null too.
    Any,
    /// A text; numbers and booleans print as Entra prints them.
    Text,
    /// A whole number, or a text that is one.
    Integer,
    /// A condition: a comparison, a text that reads as `True` or `False`, or a number, where zero is false.
    Truth,
    /// A .NET regular expression, as a text constant, so that it is checked once.
    Pattern,
    /// `vbBinaryCompare` or `vbTextCompare`.
    Comparing,
    /// The attribute `[appRoleAssignments]` and nothing else.
    Roles,
}

/// One parameter of a function.
#[derive(Debug)]
pub struct Parameter {
    /// The name in the documentation.
    pub name: &'static str,
    /// Its type.
    pub takes: Type,
    /// False if it may be left out.
    pub required: bool,
}

/// The result of a function's code.
pub type Answer<'a> = Result<Cow<'a, Value>, Stop>;

/// What a function depends on beside its arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Nothing: the same arguments give the same value, so constants are computed once.
    Nothing,
    /// The time.
    Time,
    /// The seed, the object and the row.
    Chance,
    /// Facts about the tenant.
    Tenant,
}

/// An argument as it is known when an expression is parsed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written<'a> {
    /// Left out.
    Missing,
    /// A text constant.
    Text(&'a str),
    /// Anything else.
    Other,
}

/// A check of the arguments when an expression is parsed. Returns the place of the wrong one, and the reason.
pub type Judge = fn(&[Written<'_>]) -> Result<(), (usize, String)>;

/// One function.
pub struct Function {
    /// Its name; case matters.
    pub name: &'static str,
    /// Its parameters, in order.
    pub parameters: &'static [Parameter],
    /// How many of the last parameters may be repeated, together; 0 for none.
    pub repeats: usize,
    /// The type of its result.
    pub gives: Type,
    /// What it depends on.
    pub needs: Needs,
    /// The check of its arguments, beyond their types.
    pub judge: Option<Judge>,
    /// Its code. Arguments are evaluated when it asks for them, so a branch that is not taken costs and fails nothing.
    pub run: for<'a> fn(&Call<'a>) -> Answer<'a>,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

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

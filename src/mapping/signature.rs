//! What is said of a function before it is called: its parameters, what it gives and what it depends on.

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

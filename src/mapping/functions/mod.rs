//! The functions of the expression language: one entry a function, in one table.
//!
//! Source of names, parameters and examples: entra-docs `functions-for-customizing-application-data.md`
//! (reference/expressions.json). A further function is one entry here and its code beside it.

mod choice;
mod replace;
mod text;

use std::borrow::Cow;

use crate::model::value::Value;

use super::evaluate::Call;
use super::evaluate::Stop;

/// What a parameter takes, or a function gives. Attributes are of any type until they are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// Whatever it is, null too.
    Any,
    /// A text; numbers and booleans print as Entra prints them.
    Text,
    /// A whole number, or a text that is one.
    Integer,
    /// A condition: a comparison, or what reads as `True` or `False`.
    Truth,
    /// A .NET regular expression, as a text constant, so that it is checked once.
    Pattern,
}

/// One parameter of a function.
#[derive(Debug)]
pub struct Parameter {
    /// As the documentation names it.
    pub name: &'static str,
    /// What it takes.
    pub takes: Type,
    /// Whether it may be left out.
    pub required: bool,
}

/// What a function's code answers.
pub type Answer<'a> = Result<Cow<'a, Value>, Stop>;

/// One function.
pub struct Function {
    /// Its name; case matters.
    pub name: &'static str,
    /// Its parameters, in order.
    pub parameters: &'static [Parameter],
    /// How many of the last parameters may come again, together; 0 for none.
    pub repeats: usize,
    /// What it gives.
    pub gives: Type,
    /// Its code. Arguments are evaluated when it asks for them, so a branch not taken costs and fails nothing.
    pub run: for<'a> fn(&Call<'a>) -> Answer<'a>,
}

impl std::fmt::Debug for Function {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

const fn required(name: &'static str, takes: Type) -> Parameter {
    Parameter {
        name,
        takes,
        required: true,
    }
}

const fn optional(name: &'static str, takes: Type) -> Parameter {
    Parameter {
        name,
        takes,
        required: false,
    }
}

use Type::{Any, Integer, Pattern, Text, Truth};

/// Every function.
pub static FUNCTIONS: &[Function] = &[
    Function {
        name: "Append",
        parameters: &[required("source", Text), required("suffix", Text)],
        repeats: 0,
        gives: Text,
        run: text::append,
    },
    Function {
        name: "CBool",
        parameters: &[required("Expression", Truth)],
        repeats: 0,
        gives: Truth,
        run: choice::cbool,
    },
    Function {
        name: "Coalesce",
        parameters: &[required("source", Any)],
        repeats: 1,
        gives: Any,
        run: choice::coalesce,
    },
    Function {
        name: "CStr",
        parameters: &[required("value", Any)],
        repeats: 0,
        gives: Text,
        run: text::cstr,
    },
    Function {
        name: "IgnoreFlowIfNullOrEmpty",
        parameters: &[required("expression", Any)],
        repeats: 0,
        gives: Any,
        run: choice::ignore_flow_if_null_or_empty,
    },
    Function {
        name: "IIF",
        parameters: &[
            required("condition", Truth),
            optional("valueIfTrue", Any),
            optional("valueIfFalse", Any),
        ],
        repeats: 0,
        gives: Any,
        run: choice::iif,
    },
    Function {
        name: "IsNull",
        parameters: &[required("Expression", Any)],
        repeats: 0,
        gives: Truth,
        run: choice::is_null,
    },
    Function {
        name: "IsNullOrEmpty",
        parameters: &[required("Expression", Any)],
        repeats: 0,
        gives: Truth,
        run: choice::is_null_or_empty,
    },
    Function {
        name: "IsPresent",
        parameters: &[required("Expression", Any)],
        repeats: 0,
        gives: Truth,
        run: choice::is_present,
    },
    Function {
        name: "Join",
        parameters: &[required("separator", Text), required("source", Any)],
        repeats: 1,
        gives: Text,
        run: text::join,
    },
    Function {
        name: "Left",
        parameters: &[required("String", Text), required("NumChars", Integer)],
        repeats: 0,
        gives: Text,
        run: text::left,
    },
    Function {
        name: "Mid",
        parameters: &[
            required("source", Text),
            required("start", Integer),
            required("length", Integer),
        ],
        repeats: 0,
        gives: Text,
        run: text::mid,
    },
    Function {
        name: "Not",
        parameters: &[required("source", Truth)],
        repeats: 0,
        gives: Truth,
        run: choice::not,
    },
    Function {
        name: "Replace",
        parameters: &[
            required("source", Text),
            optional("find", Text),
            optional("regexPattern", Pattern),
            optional("regexGroupName", Text),
            optional("replacementValue", Text),
            optional("replacementAttributeName", Text),
            optional("template", Text),
        ],
        repeats: 0,
        gives: Text,
        run: replace::replace,
    },
    Function {
        name: "StripSpaces",
        parameters: &[required("source", Text)],
        repeats: 0,
        gives: Text,
        run: text::strip_spaces,
    },
    Function {
        name: "Switch",
        parameters: &[
            required("source", Any),
            optional("defaultValue", Any),
            required("key", Any),
            optional("value", Any),
        ],
        repeats: 2,
        gives: Any,
        run: choice::switch,
    },
    Function {
        name: "ToLower",
        parameters: &[required("source", Text), optional("culture", Text)],
        repeats: 0,
        gives: Text,
        run: text::to_lower,
    },
    Function {
        name: "ToUpper",
        parameters: &[required("source", Text), optional("culture", Text)],
        repeats: 0,
        gives: Text,
        run: text::to_upper,
    },
];

/// The function of that name, in exactly this case.
#[must_use]
pub fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

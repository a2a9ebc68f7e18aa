//! Whether a call fits: its result type, the number of its arguments, and the function's own demands on them.

use super::{
    super::ast::{Expr, Node},
    super::diagnostic::{Diagnostic, Span},
    super::functions::{Function, Parameter, Type, Written},
    Checker,
};

impl Checker {
    /// Reports a function whose result type is not the wanted one.
    pub(super) fn fits(&mut self, function: &Function, span: Span, wanted: Type) {
        let fits = match wanted {
            Type::Integer => matches!(function.gives, Type::Integer | Type::Text | Type::Any),
            Type::Pattern | Type::Comparing | Type::Roles => false,
            Type::Truth | Type::Any | Type::Text => true,
        };
        if !fits {
            self.problems.push(Diagnostic::new(
                format!(
                    "{} is expected here, and `{}` gives {}",
                    word(wanted),
                    function.name,
                    word(function.gives)
                ),
                span,
            ));
        }
    }

    /// Checks the function's own demands on its arguments.
    pub(super) fn judge(&mut self, function: &Function, arguments: &[Option<Expr>], span: Span) {
        let Some(judge) = function.judge else { return };
        let written: Vec<Written<'_>> = arguments
            .iter()
            .map(
                |argument| match argument.as_ref().map(|argument| &argument.node) {
                    None => Written::Missing,
                    Some(Node::Text(text)) => Written::Text(text),
                    Some(_) => Written::Other,
                },
            )
            .collect();
        if let Err((index, why)) = judge(&written) {
            let place = arguments.get(index).and_then(Option::as_ref);
            let place = place.map_or(span, |argument| argument.span);
            self.problems.push(Diagnostic::new(why, place));
        }
    }

    /// Reports a call that has not as many arguments as the function takes, or leaves out a required one.
    pub(super) fn count(&mut self, function: &'static Function, arguments: &[Option<Expr>], span: Span) {
        let before = self.problems.len();
        let most = function.parameters.len();
        let given = arguments.len();
        let takes = format!("`{}` takes ({})", function.name, signature(function));
        if function.repeats == 0 && given > most {
            self.problems.push(
                Diagnostic::new(
                    format!("{given} arguments are too many for `{}`", function.name),
                    span,
                )
                .hint(takes.clone()),
            );
        } else if function.repeats > 1 && given > most && !(given - most).is_multiple_of(function.repeats) {
            let last = function.parameters.last().map_or("", |parameter| parameter.name);
            self.problems.push(
                Diagnostic::new(
                    format!("the last argument of `{}` has no {last}", function.name),
                    span,
                )
                .hint(takes.clone()),
            );
        }
        for index in 0..given.max(most) {
            let Some(parameter) = parameter(function, index) else {
                continue;
            };
            if parameter.required && !arguments.get(index).is_some_and(Option::is_some) {
                self.problems.push(
                    Diagnostic::new(
                        format!("`{}` needs its argument {}", function.name, parameter.name),
                        span,
                    )
                    .hint(takes.clone()),
                );
            }
        }
        // Pairs stay pairs: Switch has an even number of arguments.
        if function.repeats > 1 && given < most && before == self.problems.len() {
            self.problems.push(
                Diagnostic::new(format!("`{}` has a key without a value", function.name), span).hint(takes),
            );
        }
    }
}

/// Returns the parameter of an argument; repeating parameters start over.
pub(super) fn parameter(function: &'static Function, index: usize) -> Option<&'static Parameter> {
    let count = function.parameters.len();
    let index = match function.repeats {
        repeats if repeats > 0 && index >= count => count - repeats + (index - count) % repeats,
        _ => index,
    };
    function.parameters.get(index)
}

fn signature(function: &Function) -> String {
    let names: Vec<String> = function
        .parameters
        .iter()
        .map(|p| {
            if p.required {
                p.name.to_owned()
            } else {
                format!("[{}]", p.name)
            }
        })
        .collect();
    format!(
        "{}{}",
        names.join(", "),
        if function.repeats > 0 { ", …" } else { "" }
    )
}

pub(super) const fn word(kind: Type) -> &'static str {
    match kind {
        Type::Any => "a value",
        Type::Text => "a text",
        Type::Integer => "a whole number",
        Type::Truth => "a condition",
        Type::Pattern => "a regular expression as a text constant",
        Type::Comparing => "vbBinaryCompare or vbTextCompare",
        Type::Roles => "[appRoleAssignments]",
    }
}

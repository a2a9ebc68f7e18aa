//! Names and types: from a tree to steps that can be evaluated without another question.
//!
//! Promise: all problems of an expression are found in one go. What passes here can still fail on a value
//! (`Left([a], [b])` where b is no number), never on a name, a count or a constant.

use std::sync::Arc;

use crate::model::value::Value;

use super::{
    ast::{Expr, Node},
    diagnostic::{Diagnostic, Span, nearest},
    functions::{FUNCTIONS, Function, Parameter, Type, find},
    names::{Access, Names, SourceAttribute, resolve},
    token::Comparison,
};

/// A checked node, ready to be evaluated.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Constant(Value),
    Pattern(Arc<fancy_regex::Regex>),
    Attribute(SourceAttribute),
    Call {
        function: &'static Function,
        arguments: Box<[Option<Step>]>,
    },
    Compare {
        left: Box<Step>,
        comparison: Comparison,
        right: Box<Step>,
    },
}

/// The steps of a tree and the attributes they read, or everything that is wrong with it.
pub(super) fn check(tree: &Expr, names: Names) -> Result<(Step, Vec<SourceAttribute>), Vec<Diagnostic>> {
    let mut checker = Checker {
        names,
        problems: Vec::new(),
        uses: Vec::new(),
    };
    let step = checker.step(tree, Type::Any, true);
    match step {
        Some(step) if checker.problems.is_empty() => Ok((step, checker.uses)),
        _ => Err(checker.problems),
    }
}

struct Checker {
    names: Names,
    problems: Vec<Diagnostic>,
    uses: Vec<SourceAttribute>,
}

impl Checker {
    fn problem(&mut self, problem: Diagnostic) -> Option<Step> {
        self.problems.push(problem);
        None
    }

    fn step(&mut self, expr: &Expr, wanted: Type, top: bool) -> Option<Step> {
        match &expr.node {
            Node::Attribute(name) => self.attribute(name, expr.span, wanted, top),
            Node::Text(text) => self.text(text, expr.span, wanted),
            Node::Number(number) => match wanted {
                Type::Truth | Type::Pattern => self.problem(Diagnostic::new(
                    format!("{} is expected here", word(wanted)),
                    expr.span,
                )),
                _ => Some(Step::Constant(Value::Integer(*number))),
            },
            Node::Word(word) => self.word(word, expr.span),
            Node::Call {
                name,
                name_span,
                arguments,
            } => {
                let function = self.function(name, name_span.0);
                let Some(function) = function else {
                    // Look into the arguments all the same: their problems belong to the same report.
                    for argument in arguments.iter().flatten() {
                        self.step(argument, Type::Any, false);
                    }
                    return None;
                };
                self.call(function, arguments, name_span.0, wanted)
            }
            Node::Compare {
                left,
                comparison,
                right,
            } => {
                if wanted != Type::Truth {
                    return self.problem(
                        Diagnostic::new(
                            "a comparison stands only where a condition is expected",
                            expr.span,
                        )
                        .hint("put it into IIF(…, \"this\", \"that\")"),
                    );
                }
                let left = self.step(left, Type::Any, false);
                let right = self.step(right, Type::Any, false);
                Some(Step::Compare {
                    left: Box::new(left?),
                    comparison: *comparison,
                    right: Box::new(right?),
                })
            }
        }
    }

    fn attribute(&mut self, name: &str, span: Span, wanted: Type, top: bool) -> Option<Step> {
        if wanted == Type::Pattern {
            return self.problem(
                Diagnostic::new("a regular expression has to be a text constant", span)
                    .hint("write the pattern in quotes"),
            );
        }
        match resolve(self.names, name) {
            Ok(attribute) => {
                if matches!(attribute.access, Access::Reference(_)) && !top {
                    return self.problem(
                        Diagnostic::new(
                            format!("[{name}] refers to other objects and cannot be computed with"),
                            span,
                        )
                        .hint("use it alone as the whole source of a row"),
                    );
                }
                if !self.uses.contains(&attribute) {
                    self.uses.push(attribute.clone());
                }
                Some(Step::Attribute(attribute))
            }
            Err(suggestion) => {
                let problem = Diagnostic::new(format!("no source attribute `{name}`"), span);
                self.problem(match suggestion {
                    Some(near) => problem.hint(format!("did you mean [{near}]?")),
                    None => problem
                        .hint("names are listed in Entra's attribute mapping, or in Graph's resource type"),
                })
            }
        }
    }

    fn text(&mut self, text: &str, span: Span, wanted: Type) -> Option<Step> {
        let value = Value::text(text);
        match wanted {
            Type::Integer if text.trim().parse::<i64>().is_err() => self.problem(
                Diagnostic::new("a whole number is expected here", span).hint("write it without quotes"),
            ),
            Type::Truth if value.as_bool().is_none() => self.problem(
                Diagnostic::new("a condition is expected here", span)
                    .hint("\"True\", \"False\", a comparison, or a function such as IsPresent"),
            ),
            // .NET's classes are Unicode-aware as Rust's are; case matters in both unless (?i) says otherwise.
            Type::Pattern => match fancy_regex::Regex::new(text) {
                Ok(pattern) => Some(Step::Pattern(Arc::new(pattern))),
                Err(error) => self.problem(
                    Diagnostic::new(format!("not a regular expression: {error}"), span)
                        .hint("each backslash is written twice in a text constant"),
                ),
            },
            _ => Some(Step::Constant(value)),
        }
    }

    fn word(&mut self, word: &str, span: Span) -> Option<Step> {
        let problem = Diagnostic::new(
            format!("`{word}` is neither an attribute nor a text nor a function"),
            span,
        );
        let hint = if find(word).is_some() {
            format!("a function takes its arguments in brackets: {word}(…)")
        } else if let Ok(attribute) = resolve(self.names, word) {
            format!("did you mean [{}]?", attribute.written)
        } else {
            format!("write [{word}] for an attribute, \"{word}\" for a text")
        };
        self.problem(problem.hint(hint))
    }

    fn function(&mut self, name: &str, span: Span) -> Option<&'static Function> {
        if let Some(function) = find(name) {
            return Some(function);
        }
        let problem = Diagnostic::new(format!("no function `{name}`"), span);
        let near = nearest(name, FUNCTIONS.iter().map(|function| function.name));
        self.problems.push(match near {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => {
                let all: Vec<_> = FUNCTIONS.iter().map(|function| function.name).collect();
                problem.hint(format!("there are {}", all.join(", ")))
            }
        });
        None
    }

    fn call(
        &mut self,
        function: &'static Function,
        arguments: &[Option<Expr>],
        span: Span,
        wanted: Type,
    ) -> Option<Step> {
        let fits = match wanted {
            Type::Integer => matches!(function.gives, Type::Integer | Type::Text | Type::Any),
            Type::Pattern => false,
            Type::Truth => function.gives != Type::Integer,
            Type::Any | Type::Text => true,
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
        let counted = self.count(function, arguments, span);
        let mut steps = Vec::with_capacity(arguments.len());
        for (index, argument) in arguments.iter().enumerate() {
            let takes = parameter(function, index).map_or(Type::Any, |parameter| parameter.takes);
            match argument {
                Some(argument) => steps.push(Some(self.step(argument, takes, false))),
                None => steps.push(None),
            }
        }
        if !fits || !counted {
            return None;
        }
        let arguments: Option<Vec<Option<Step>>> = steps
            .into_iter()
            .map(|step| match step {
                Some(None) => None,
                Some(Some(step)) => Some(Some(step)),
                None => Some(None),
            })
            .collect();
        Some(Step::Call {
            function,
            arguments: arguments?.into_boxed_slice(),
        })
    }

    /// Whether there are as many arguments as the function takes, and none is left out that it needs.
    fn count(&mut self, function: &'static Function, arguments: &[Option<Expr>], span: Span) -> bool {
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
        // Pairs are pairs: Switch has an even number of arguments (reference/expressions.json, notes).
        if function.repeats > 1 && given < most && before == self.problems.len() {
            self.problems.push(
                Diagnostic::new(format!("`{}` has a key without a value", function.name), span).hint(takes),
            );
        }
        before == self.problems.len()
    }
}

/// The parameter of an argument, repeating ones taken round.
fn parameter(function: &'static Function, index: usize) -> Option<&'static Parameter> {
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

const fn word(kind: Type) -> &'static str {
    match kind {
        Type::Any => "a value",
        Type::Text => "a text",
        Type::Integer => "a whole number",
        Type::Truth => "a condition",
        Type::Pattern => "a regular expression as a text constant",
    }
}

//! Names and types: from a tree to steps that can be evaluated without further checks.
//!
//! Promise: all problems of an expression are found at once. An expression that passes can still fail on a value
//! (`Left([a], [b])` where b is not a number), never on a name, a count or a constant.

mod calls;

use std::borrow::Cow;
use std::sync::Arc;

use crate::model::value::Value;

use calls::{parameter, word};

use super::{
    ast::{Expr, Node},
    context::{Context, Place},
    diagnostic::{Diagnostic, Span, nearest},
    evaluate::{Function, Inputs, Step, evaluate},
    functions::{FUNCTIONS, REFUSED, find},
    names::{APP_ROLES, Access, Names, SourceAttribute, resolve},
    pattern::Pattern,
    signature::{Needs, Type},
    stop::Stop,
    token::Comparison,
};

/// The steps of a tree, and what follows from them.
#[derive(Debug, Clone)]
pub(super) struct Checked {
    pub(super) step: Step,
    /// The attributes that it reads, each once.
    pub(super) uses: Vec<SourceAttribute>,
    /// True if it calls `Now`.
    pub(super) uses_now: bool,
    /// True if it calls `Guid` or `RandomString`.
    pub(super) uses_chance: bool,
    /// True if it calls `Redact`.
    pub(super) redacts: bool,
}

/// Checks a tree. Returns its steps, or every problem in it.
pub(super) fn check(tree: &Expr, names: Names) -> Result<Checked, Vec<Diagnostic>> {
    let mut checker = Checker {
        names,
        problems: Vec::new(),
        uses: Vec::new(),
        draws: 0,
        uses_now: false,
        redacts: false,
    };
    let step = checker.step(tree, Type::Any, true);
    match step {
        Some(step) if checker.problems.is_empty() => Ok(Checked {
            step,
            uses: checker.uses,
            uses_now: checker.uses_now,
            uses_chance: checker.draws > 0,
            redacts: checker.redacts,
        }),
        _ => Err(checker.problems),
    }
}

struct Checker {
    names: Names,
    problems: Vec<Diagnostic>,
    uses: Vec<SourceAttribute>,
    draws: u16,
    uses_now: bool,
    redacts: bool,
}

/// The work still to be done, the next item at the end.
enum Work<'e> {
    Look(&'e Expr, Type, bool),
    Compare(Comparison),
    Call(OpenCall<'e>),
}

/// A call whose arguments come first.
struct OpenCall<'e> {
    /// `None` where the call itself has a problem.
    function: Option<&'static Function>,
    arguments: &'e [Option<Expr>],
    span: Span,
    draw: u16,
}

/// The inputs of constants: there are none.
struct Constants<'c>(&'c Context);

impl Inputs for Constants<'_> {
    fn get<'a>(&'a self, attribute: &'a SourceAttribute) -> Result<Cow<'a, Value>, Stop> {
        Err(Stop::Unknown(attribute.written.as_ref().to_owned()))
    }

    fn context(&self) -> &Context {
        self.0
    }

    fn place(&self, draw: u16) -> Place<'_> {
        Place {
            object: &[],
            row: "",
            draw,
        }
    }
}

impl Checker {
    fn problem(&mut self, problem: Diagnostic) -> Option<Step> {
        self.problems.push(problem);
        None
    }

    /// Builds the step of an expression. Without recursion: nodes still to be checked are in `work`, steps that wait
    /// for their call in `done`.
    fn step(&mut self, expr: &Expr, wanted: Type, top: bool) -> Option<Step> {
        let mut work = vec![Work::Look(expr, wanted, top)];
        let mut done: Vec<Option<Step>> = Vec::new();
        while let Some(next) = work.pop() {
            let step = match next {
                Work::Look(expr, wanted, top) => match self.look(expr, wanted, top, &mut work) {
                    Some(step) => step,
                    None => continue,
                },
                Work::Compare(comparison) => {
                    let (right, left) = (done.pop().flatten(), done.pop().flatten());
                    left.zip(right)
                        .map(|(left, right)| Step::Compare(Box::new((left, comparison, right))))
                }
                Work::Call(call) => {
                    let given = call.arguments.iter().flatten().count();
                    let steps = done.split_off(done.len().saturating_sub(given));
                    self.finish(&call, steps)
                }
            };
            done.push(step);
        }
        done.pop().flatten()
    }

    /// Builds a leaf's step, which is `None` where it has a problem. A call or a comparison has no step yet: its parts
    /// are added to the list.
    #[allow(clippy::option_option, reason = "not yet, a problem, a step")]
    fn look<'e>(
        &mut self,
        expr: &'e Expr,
        wanted: Type,
        top: bool,
        work: &mut Vec<Work<'e>>,
    ) -> Option<Option<Step>> {
        match &expr.node {
            Node::Attribute(name) => Some(self.attribute(name, expr.span, wanted, top)),
            Node::Text(text) => Some(self.text(text, expr.span, wanted)),
            Node::Number(number) => Some(match wanted {
                Type::Pattern | Type::Comparing | Type::Roles => self.expected(wanted, expr.span),
                _ => Some(Step::Constant(Value::Integer(*number))),
            }),
            Node::Word(word) => Some(self.word(word, expr.span, wanted)),
            Node::Call {
                name,
                name_span,
                arguments,
            } => {
                self.call(name, name_span.0, arguments, wanted, work);
                None
            }
            Node::Compare {
                left,
                comparison,
                right,
            } => {
                if wanted != Type::Truth {
                    return Some(
                        self.problem(
                            Diagnostic::new(
                                "a comparison stands only where a condition is expected",
                                expr.span,
                            )
                            .hint("put it into IIF(…, \"this\", \"that\")"),
                        ),
                    );
                }
                work.push(Work::Compare(*comparison));
                work.push(Work::Look(right, Type::Any, false));
                work.push(Work::Look(left, Type::Any, false));
                None
            }
        }
    }

    fn expected(&mut self, wanted: Type, span: Span) -> Option<Step> {
        self.problem(Diagnostic::new(
            format!("{} is expected here", word(wanted)),
            span,
        ))
    }

    fn attribute(&mut self, name: &str, span: Span, wanted: Type, top: bool) -> Option<Step> {
        if wanted == Type::Pattern {
            return self.problem(
                Diagnostic::new("a regular expression has to be a text constant", span)
                    .hint("write the pattern in quotes"),
            );
        }
        if wanted == Type::Comparing || (wanted == Type::Roles && name != APP_ROLES) {
            return self.expected(wanted, span);
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
                if attribute.access == Access::AppRoles && top {
                    return self.problem(
                        Diagnostic::new("app roles are no value by themselves", span)
                            .hint("write SingleAppRoleAssignment([appRoleAssignments])"),
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
            Type::Comparing | Type::Roles => self.expected(wanted, span),
            Type::Truth if value.as_bool().is_none() && text.trim().parse::<i64>().is_err() => self.problem(
                Diagnostic::new("a condition is expected here", span)
                    .hint("\"True\", \"False\", a comparison, or a function such as IsPresent"),
            ),
            Type::Pattern => match Pattern::new(text) {
                Ok(pattern) => Some(Step::Pattern(Arc::new(pattern))),
                Err(error) => self.problem(
                    Diagnostic::new(format!("not a regular expression: {error}"), span)
                        .hint("each backslash is written twice in a text constant"),
                ),
            },
            _ => Some(Step::Constant(value)),
        }
    }

    fn word(&mut self, word: &str, span: Span, wanted: Type) -> Option<Step> {
        match (wanted, word) {
            (Type::Comparing, "vbBinaryCompare") => return Some(Step::Constant(Value::Bool(false))),
            (Type::Comparing, "vbTextCompare") => return Some(Step::Constant(Value::Bool(true))),
            (Type::Comparing | Type::Roles, _) => return self.expected(wanted, span),
            _ => {}
        }
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
        if let Some((_, why)) = REFUSED.iter().find(|(refused, _)| *refused == name) {
            self.problems.push(
                Diagnostic::new(*why, span)
                    .hint("choose one of its values, one that cannot be taken already"),
            );
            return None;
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

    /// Checks a call by itself, and adds its arguments to the list. Those of an unknown function too: their problems
    /// belong to the same report.
    fn call<'e>(
        &mut self,
        name: &str,
        span: Span,
        arguments: &'e [Option<Expr>],
        wanted: Type,
        work: &mut Vec<Work<'e>>,
    ) {
        let function = self.function(name, span);
        let before = self.problems.len();
        let mut draw = 0;
        if let Some(function) = function {
            self.fits(function, span, wanted);
            draw = self.note(function);
            self.count(function, arguments, span);
        }
        work.push(Work::Call(OpenCall {
            function: function.filter(|_| before == self.problems.len()),
            arguments,
            span,
            draw,
        }));
        for (index, argument) in arguments.iter().enumerate().rev() {
            let parameter = function.and_then(|function| parameter(function, index));
            let takes = parameter.map_or(Type::Any, |parameter| parameter.takes);
            if let Some(argument) = argument {
                work.push(Work::Look(argument, takes, false));
            }
        }
    }

    /// Builds the step of a call whose arguments are done: `steps` are those that were written, in order.
    fn finish(&mut self, call: &OpenCall<'_>, steps: Vec<Option<Step>>) -> Option<Step> {
        let function = call.function?;
        self.judge(function, call.arguments, call.span);
        let mut steps = steps.into_iter();
        let mut arguments = Vec::with_capacity(call.arguments.len());
        for argument in call.arguments {
            arguments.push(match argument {
                Some(_) => Some(steps.next().flatten()?),
                None => None,
            });
        }
        let step = Step::Call {
            function,
            arguments: arguments.into_boxed_slice(),
            draw: call.draw,
        };
        self.fold(step, call.span)
    }

    /// Notes what a call draws on. Returns the number of its draw.
    fn note(&mut self, function: &Function) -> u16 {
        self.uses_now |= function.needs == Needs::Time;
        self.redacts |= function.name == "Redact";
        let draw = self.draws;
        self.draws = draw.saturating_add(u16::from(function.needs == Needs::Chance));
        draw
    }

    /// Replaces a call of constants by its value, computed once; one that cannot be computed is a problem now, and not
    /// of every object later.
    fn fold(&mut self, step: Step, span: Span) -> Option<Step> {
        let Step::Call {
            function, arguments, ..
        } = &step
        else {
            return Some(step);
        };
        let constant =
            |step: &Option<Step>| matches!(step, None | Some(Step::Constant(_) | Step::Pattern(_)));
        if function.needs != Needs::Nothing || !arguments.iter().all(constant) {
            return Some(step);
        }
        let context = Context::default();
        let computed = evaluate(&step, &Constants(&context)).map(Cow::into_owned);
        match computed {
            Ok(value) => Some(Step::Constant(value)),
            Err(Stop::Failed(why)) => self.problem(Diagnostic::new(why, span)),
            Err(Stop::NoFlow | Stop::Unknown(_)) => Some(step),
        }
    }
}

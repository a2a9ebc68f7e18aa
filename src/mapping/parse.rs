//! Turns tokens into a tree, without recursion, so that no input overflows the stack.
//!
//! ```text
//! argument   = value [ comparison value ]
//! value      = [attribute] | "text" | number | word | word "(" [ argument ] { "," [ argument ] } ")"
//! ```

use super::{
    ast::{Expr, NameSpan, Node},
    diagnostic::{Diagnostic, Span},
    token::{Comparison, Token, tokenize},
};

/// Entra's own limit on the length of an expression, in characters (entra-docs, known-issues.md).
pub const MAX_CHARACTERS: usize = 10_000;

/// The deepest nesting of calls: as deep as a chain of IIF gets within [`MAX_CHARACTERS`]. Parsing and checking take no
/// stack for it; evaluating, printing and dropping do, and a thread's two megabytes must suffice for those.
pub const MAX_DEPTH: usize = 512;

/// Parses the tree of an expression.
///
/// # Errors
/// The first place where the text is not an expression.
pub fn parse(text: &str) -> Result<Expr, Diagnostic> {
    let length = text.chars().count();
    if length > MAX_CHARACTERS {
        let at = text
            .char_indices()
            .nth(MAX_CHARACTERS)
            .map_or(text.len(), |(at, _)| at);
        return Err(Diagnostic::new(
            format!("an expression has at most {MAX_CHARACTERS} characters, this one has {length}"),
            Span::new(at, at + 1),
        )
        .hint("this character is one too many"));
    }
    let tokens = tokenize(text)?;
    if tokens.is_empty() {
        return Err(Diagnostic::new("the expression is empty", Span::new(0, 0))
            .hint("write an attribute such as [mail], a text in quotes, or a function"));
    }
    let mut parser = Parser {
        tokens: &tokens,
        at: 0,
        end: text.trim_end().len(),
        open: Vec::new(),
        left: None,
    };
    let expr = parser.expression()?;
    match parser.peek() {
        None => Ok(expr),
        Some((token, span)) => Err(unexpected(token, *span, "the expression ends before this")),
    }
}

struct Parser<'a> {
    tokens: &'a [(Token, Span)],
    at: usize,
    end: usize,
    /// Calls whose closing bracket is still to come, the outermost first.
    open: Vec<OpenCall<'a>>,
    /// The left side of a comparison whose right side is still to come, outside all open calls.
    left: Option<(Expr, Comparison)>,
}

struct OpenCall<'a> {
    name: &'a str,
    name_span: Span,
    bracket: Span,
    arguments: Vec<Option<Expr>>,
    /// As the parser's, inside this call.
    left: Option<(Expr, Comparison)>,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a (Token, Span)> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<&'a (Token, Span)> {
        let next = self.tokens.get(self.at)?;
        self.at += 1;
        Some(next)
    }

    /// Reads values, one after the other, until no call is open and no comparison half done.
    fn expression(&mut self) -> Result<Expr, Diagnostic> {
        loop {
            let mut value = match self.start()? {
                Some(value) => Some(value),
                None => self.leave_out()?,
            };
            while let Some(done) = value {
                let Some(argument) = self.compared(done)? else {
                    break;
                };
                if self.open.is_empty() {
                    return Ok(argument);
                }
                value = self.argument(Some(argument))?;
            }
        }
    }

    /// Reads a complete value. Returns `None` where a call was opened.
    fn start(&mut self) -> Result<Option<Expr>, Diagnostic> {
        let Some((token, span)) = self.next() else {
            return Err(match self.open.last() {
                Some(open) if open.left.is_none() => unclosed(open.bracket),
                _ => self.too_short("a value is missing at the end"),
            });
        };
        let node = match token {
            Token::Attribute(name) => Node::Attribute(name.clone()),
            Token::Text(text) => Node::Text(text.clone()),
            Token::Number(number) => Node::Number(*number),
            Token::Word(name) => match self.peek() {
                Some((Token::Open, bracket)) => {
                    self.next();
                    self.enter(name, *span, *bracket)?;
                    return Ok(None);
                }
                _ => Node::Word(name.clone()),
            },
            other => return Err(unexpected(other, *span, "a value is expected here")),
        };
        Ok(Some(Expr { node, span: *span }))
    }

    fn enter(&mut self, name: &'a str, name_span: Span, bracket: Span) -> Result<(), Diagnostic> {
        if self.open.len() >= MAX_DEPTH {
            return Err(Diagnostic::new(
                format!("calls are nested more than {MAX_DEPTH} deep here"),
                name_span,
            )
            .hint("split the expression, or use one Switch in place of many IIF"));
        }
        self.open.push(OpenCall {
            name,
            name_span,
            bracket,
            arguments: Vec::new(),
            left: None,
        });
        Ok(())
    }

    /// Handles the beginning of a call: `()` has no arguments at all, and nothing before a comma is an argument that is
    /// left out. Returns the call, if that closed it.
    fn leave_out(&mut self) -> Result<Option<Expr>, Diagnostic> {
        match self.peek() {
            Some((Token::Close, span)) => {
                self.next();
                Ok(self.close(*span))
            }
            Some((Token::Comma, _)) => self.argument(None),
            _ => Ok(None),
        }
    }

    /// Returns the argument that the value is, or makes with the left side of a comparison; `None` where it is the left
    /// side.
    fn compared(&mut self, value: Expr) -> Result<Option<Expr>, Diagnostic> {
        let left = match self.open.last_mut() {
            Some(open) => &mut open.left,
            None => &mut self.left,
        };
        let next = self.tokens.get(self.at);
        match (left.take(), next) {
            (None, Some((Token::Comparison(comparison), _))) => {
                *left = Some((value, *comparison));
                self.at += 1;
                Ok(None)
            }
            (None, _) => Ok(Some(value)),
            (Some(_), Some((Token::Comparison(_), again))) => {
                Err(Diagnostic::new("a condition holds one comparison", *again)
                    .hint("nest a second IIF for a second one"))
            }
            (Some((left, comparison)), _) => Ok(Some(Expr {
                span: left.span.to(value.span),
                node: Node::Compare {
                    left: Box::new(left),
                    comparison,
                    right: Box::new(value),
                },
            })),
        }
    }

    /// Adds an argument, and those behind it that are left out. Returns the call, if that closed it.
    fn argument(&mut self, mut argument: Option<Expr>) -> Result<Option<Expr>, Diagnostic> {
        loop {
            let Some(open) = self.open.last_mut() else {
                return Ok(None);
            };
            open.arguments.push(argument.take());
            let bracket = open.bracket;
            match self.next() {
                Some((Token::Comma, _)) => {}
                Some((Token::Close, span)) => return Ok(self.close(*span)),
                Some((token, span)) => {
                    return Err(unexpected(
                        token,
                        *span,
                        "a comma or a closing bracket is expected here",
                    ));
                }
                None => return Err(unclosed(bracket)),
            }
            // Nothing between two commas, or before the closing bracket, is an argument that is left out.
            if !matches!(self.peek(), Some((Token::Comma | Token::Close, _))) {
                return Ok(None);
            }
        }
    }

    fn close(&mut self, close: Span) -> Option<Expr> {
        let call = self.open.pop()?;
        Some(Expr {
            span: call.name_span.to(close),
            node: Node::Call {
                name: call.name.to_owned(),
                name_span: NameSpan(call.name_span),
                arguments: call.arguments,
            },
        })
    }

    fn too_short(&self, message: &str) -> Diagnostic {
        Diagnostic::new(message, Span::new(self.end, self.end + 1))
    }
}

fn unclosed(open: Span) -> Diagnostic {
    Diagnostic::new("this bracket is never closed", open).hint("add the missing `)`")
}

fn unexpected(token: &Token, span: Span, message: &str) -> Diagnostic {
    let hint = match token {
        Token::Close => Some("one closing bracket too many, or a value missing before it"),
        Token::Comma => Some("a comma separates the arguments of a function"),
        Token::Open => Some("a bracket follows the name of a function"),
        Token::Text(_) | Token::Attribute(_) | Token::Number(_) | Token::Word(_) => {
            Some("is a comma missing?")
        }
        Token::Comparison(_) => None,
    };
    let problem = Diagnostic::new(message, span);
    match hint {
        Some(hint) => problem.hint(hint),
        None => problem,
    }
}

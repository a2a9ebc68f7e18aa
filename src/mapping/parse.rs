//! Tokens to a tree, by recursive descent with a limit on depth, so that no input overflows the stack.
//!
//! ```text
//! argument   = value [ comparison value ]
//! value      = [attribute] | "text" | number | word | word "(" [ argument ] { "," [ argument ] } ")"
//! ```

use super::{
    ast::{Expr, NameSpan, Node},
    diagnostic::{Diagnostic, Span},
    token::{Token, tokenize},
};

/// Entra's own limit on the length of an expression, in characters (entra-docs, known-issues.md).
pub const MAX_CHARACTERS: usize = 10_000;

/// How deep calls may be nested. No expression that a person can read comes near it; ten thousand brackets
/// would exhaust the stack.
pub const MAX_DEPTH: usize = 64;

/// The tree of an expression.
///
/// # Errors
/// The first place where the text is no expression.
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
    let mut parser = Parser {
        tokens: &tokens,
        at: 0,
        end: text.trim_end().len(),
        depth: 0,
    };
    if tokens.is_empty() {
        return Err(Diagnostic::new("the expression is empty", Span::new(0, 0))
            .hint("write an attribute such as [mail], a text in quotes, or a function"));
    }
    let expr = parser.argument()?;
    match parser.peek() {
        None => Ok(expr),
        Some((token, span)) => Err(unexpected(token, *span, "the expression ends before this")),
    }
}

struct Parser<'a> {
    tokens: &'a [(Token, Span)],
    at: usize,
    end: usize,
    depth: usize,
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

    fn argument(&mut self) -> Result<Expr, Diagnostic> {
        let left = self.value()?;
        let Some((Token::Comparison(comparison), _)) = self.peek() else {
            return Ok(left);
        };
        self.next();
        let right = self.value()?;
        let span = left.span.to(right.span);
        if let Some((Token::Comparison(_), again)) = self.peek() {
            return Err(Diagnostic::new("a condition holds one comparison", *again)
                .hint("nest a second IIF for a second one"));
        }
        let node = Node::Compare {
            left: Box::new(left),
            comparison: *comparison,
            right: Box::new(right),
        };
        Ok(Expr { node, span })
    }

    fn value(&mut self) -> Result<Expr, Diagnostic> {
        let Some((token, span)) = self.next() else {
            return Err(self.too_short("a value is missing at the end"));
        };
        let node = match token {
            Token::Attribute(name) => Node::Attribute(name.clone()),
            Token::Text(text) => Node::Text(text.clone()),
            Token::Number(number) => Node::Number(*number),
            Token::Word(name) if matches!(self.peek(), Some((Token::Open, _))) => {
                return self.call(name, *span);
            }
            Token::Word(word) => Node::Word(word.clone()),
            other => return Err(unexpected(other, *span, "a value is expected here")),
        };
        Ok(Expr { node, span: *span })
    }

    fn call(&mut self, name: &str, name_span: Span) -> Result<Expr, Diagnostic> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Diagnostic::new(
                format!("calls are nested more than {MAX_DEPTH} deep here"),
                name_span,
            )
            .hint("split the expression, or use one Switch in place of many IIF"));
        }
        let open = self.next().map_or(name_span, |(_, span)| *span);
        let (arguments, close) = self.arguments(open)?;
        self.depth -= 1;
        let node = Node::Call {
            name: name.to_owned(),
            name_span: NameSpan(name_span),
            arguments,
        };
        Ok(Expr {
            node,
            span: name_span.to(close),
        })
    }

    /// The arguments after an opening bracket, and the place of the closing one. Nothing between two commas,
    /// or before the closing bracket, is an argument that is left out; `()` has none at all.
    fn arguments(&mut self, open: Span) -> Result<(Vec<Option<Expr>>, Span), Diagnostic> {
        let mut arguments = Vec::new();
        if let Some((Token::Close, span)) = self.peek() {
            self.next();
            return Ok((arguments, *span));
        }
        loop {
            let argument = match self.peek() {
                Some((Token::Comma | Token::Close, _)) => None,
                Some(_) => Some(self.argument()?),
                None => return Err(unclosed(open)),
            };
            arguments.push(argument);
            match self.next() {
                Some((Token::Comma, _)) => {}
                Some((Token::Close, span)) => return Ok((arguments, *span)),
                Some((token, span)) => {
                    return Err(unexpected(
                        token,
                        *span,
                        "a comma or a closing bracket is expected here",
                    ));
                }
                None => return Err(unclosed(open)),
            }
        }
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

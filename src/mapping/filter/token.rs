//! Splits the text of a filter into tokens. Positions are bytes of the text as it was written.
//!
//! Not the tokens of expressions: a filter has signs of its own (`&`, `!&`), and a backslash that escapes nothing
//! stands for itself, because the values are regular expressions that people paste from Entra's own form.

use crate::mapping::diagnostic::{Diagnostic, Span};

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A name, a part of an operator, `AND`, `OR`, or a number.
    Word(String),
    /// `[name]`, without its brackets.
    Name(String),
    /// `"text"`, its escapes resolved.
    Text(String),
    /// A run of `& ! = < > |`.
    Sign(String),
    /// `(`
    Open,
    /// `)`
    Close,
}

/// Returns all tokens with their places, or the first character that fits nowhere.
pub(super) fn tokenize(text: &str) -> Result<Vec<(Token, Span)>, Diagnostic> {
    let mut tokens = Vec::new();
    let mut rest = text.char_indices().peekable();
    while let Some((start, first)) = rest.next() {
        let token = match first {
            c if c.is_whitespace() => continue,
            '(' => Token::Open,
            ')' => Token::Close,
            '"' => Token::Text(quoted(&mut rest, start)?),
            '[' => Token::Name(bracketed(&mut rest, start)?),
            c if is_sign(c) => {
                let mut sign = String::from(c);
                while let Some((_, c)) = rest.next_if(|(_, c)| is_sign(*c)) {
                    sign.push(c);
                }
                Token::Sign(sign)
            }
            c if is_word(c) => {
                let mut word = String::from(c);
                while let Some((_, c)) = rest.next_if(|(_, c)| is_word(*c)) {
                    word.push(c);
                }
                Token::Word(word)
            }
            c => return Err(stray(c, start)),
        };
        let end = rest.peek().map_or(text.len(), |(at, _)| *at);
        tokens.push((token, Span::new(start, end)));
    }
    Ok(tokens)
}

const fn is_sign(c: char) -> bool {
    matches!(c, '&' | '!' | '=' | '<' | '>' | '|')
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '.' | '-')
}

type Rest<'t> = std::iter::Peekable<std::str::CharIndices<'t>>;

fn quoted(rest: &mut Rest<'_>, start: usize) -> Result<String, Diagnostic> {
    let mut text = String::new();
    while let Some((_, c)) = rest.next() {
        match c {
            '"' => return Ok(text),
            '\\' => match rest.next_if(|(_, c)| matches!(c, '"' | '\\')) {
                Some((_, escaped)) => text.push(escaped),
                None => text.push('\\'),
            },
            c => text.push(c),
        }
    }
    Err(
        Diagnostic::new("this value has no closing quote", Span::new(start, start + 1))
            .hint("close it with `\"`"),
    )
}

fn bracketed(rest: &mut Rest<'_>, start: usize) -> Result<String, Diagnostic> {
    let mut name = String::new();
    for (_, c) in rest.by_ref() {
        match c {
            ']' => return Ok(name.trim().to_owned()),
            '[' | '(' | ')' | '"' => break,
            c => name.push(c),
        }
    }
    Err(Diagnostic::new(
        "this attribute has no closing bracket",
        Span::new(start, start + 1),
    )
    .hint("write it as `name` or `[name]`"))
}

fn stray(c: char, start: usize) -> Diagnostic {
    let shown = if c.is_control() {
        c.escape_default().to_string()
    } else {
        c.to_string()
    };
    let problem = Diagnostic::new(
        format!("`{shown}` has no meaning in a filter"),
        Span::new(start, start + c.len_utf8()),
    );
    match c {
        '\'' | '“' | '”' | '„' | '‘' | '’' => {
            problem.hint("values stand in straight double quotes")
        }
        ',' | ';' => problem.hint("clauses are joined by AND, groups of clauses by OR"),
        _ => problem,
    }
}

/// Quotes a text so that [`tokenize`] reads it back.
pub(super) fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

//! Tokens to groups of clauses.
//!
//! ```text
//! filter = group { OR group }
//! group  = clauses | "(" clauses ")"
//! clauses = clause { AND clause }
//! clause = name operator [ value ]
//! ```
//! Entra's filters have these two levels and no more, so neither has this language: a filter that cannot be carried
//! back into Entra cannot be written.

use std::fmt;

use super::{
    operator::Operator,
    token::{Token, quote, tokenize},
};
use crate::mapping::diagnostic::{Diagnostic, Span, nearest};

/// The longest filter in characters; as long as Entra lets an expression be.
pub const MAX_CHARACTERS: usize = 10_000;

/// A clause before names are checked. Two are equal when they mean the same, wherever they stand.
#[derive(Debug, Clone)]
pub struct Clause {
    /// The attribute, as written.
    pub name: String,
    /// The operator.
    pub operator: Operator,
    /// The value, where the operator takes one.
    pub value: Option<String>,
    /// The place of the name.
    pub name_span: Span,
    /// The place of the operator.
    pub operator_span: Span,
    /// The place of the value.
    pub value_span: Span,
}

impl PartialEq for Clause {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.operator, &self.value) == (&other.name, other.operator, &other.value)
    }
}

impl Eq for Clause {}

impl fmt::Display for Clause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.operator)?;
        match &self.value {
            Some(value) => write!(f, " {}", quote(value)),
            None => Ok(()),
        }
    }
}

/// Groups of clauses: one group must hold, and every clause in it.
pub type Groups = Vec<Vec<Clause>>;

/// Writes groups in the form in which they are parsed.
///
/// # Errors
/// Those of the writer.
pub fn print(groups: &[Vec<Clause>], f: &mut impl fmt::Write) -> fmt::Result {
    for (index, group) in groups.iter().enumerate() {
        if index > 0 {
            f.write_str(" OR ")?;
        }
        let brackets = groups.len() > 1 && group.len() > 1;
        if brackets {
            f.write_char('(')?;
        }
        for (index, clause) in group.iter().enumerate() {
            if index > 0 {
                f.write_str(" AND ")?;
            }
            write!(f, "{clause}")?;
        }
        if brackets {
            f.write_char(')')?;
        }
    }
    Ok(())
}

/// Parses the groups of a filter's text.
///
/// # Errors
/// The first place where the text is not a filter.
pub fn parse(text: &str) -> Result<Groups, Diagnostic> {
    let length = text.chars().count();
    if length > MAX_CHARACTERS {
        let at = text.char_indices().nth(MAX_CHARACTERS).map_or(0, |(at, _)| at);
        return Err(Diagnostic::new(
            format!("a filter has at most {MAX_CHARACTERS} characters, this one has {length}"),
            Span::new(at, at + 1),
        ));
    }
    let tokens = tokenize(text)?;
    if tokens.is_empty() {
        return Err(Diagnostic::new("the filter is empty", Span::new(0, 0))
            .hint("write a clause such as department EQUALS \"Sales\", or leave out the key"));
    }
    let mut parser = Parser {
        tokens: &tokens,
        at: 0,
        end: text.trim_end().len(),
    };
    let mut groups = vec![parser.group()?];
    while parser.takes("OR") {
        groups.push(parser.group()?);
    }
    match parser.tokens.get(parser.at) {
        None => Ok(groups),
        Some((token, span)) => Err(parser.left_over(token, *span)),
    }
}

struct Parser<'a> {
    tokens: &'a [(Token, Span)],
    at: usize,
    end: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Token> {
        self.tokens.get(self.at).map(|(token, _)| token)
    }

    fn next(&mut self) -> Option<&'a (Token, Span)> {
        let next = self.tokens.get(self.at)?;
        self.at += 1;
        Some(next)
    }

    fn takes(&mut self, word: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Word(next)) if next.eq_ignore_ascii_case(word));
        self.at += usize::from(found);
        found
    }

    fn too_short(&self, message: &str) -> Diagnostic {
        Diagnostic::new(message, Span::new(self.end, self.end + 1))
    }

    fn group(&mut self) -> Result<Vec<Clause>, Diagnostic> {
        let open = match self.tokens.get(self.at) {
            Some((Token::Open, span)) => Some(*span),
            _ => None,
        };
        self.at += usize::from(open.is_some());
        let mut clauses = vec![self.clause()?];
        while self.takes("AND") {
            clauses.push(self.clause()?);
        }
        let Some(open) = open else { return Ok(clauses) };
        match self.next() {
            Some((Token::Close, _)) => Ok(clauses),
            Some((Token::Word(word), span)) if word.eq_ignore_ascii_case("OR") => {
                Err(Diagnostic::new("a group in brackets has no OR in it", *span)
                    .hint("OR stands between groups: write `a AND b OR a AND c` for `a AND (b OR c)`"))
            }
            Some((token, span)) => Err(self.left_over(token, *span)),
            None => Err(Diagnostic::new("this bracket is never closed", open).hint("add the missing `)`")),
        }
    }

    fn clause(&mut self) -> Result<Clause, Diagnostic> {
        let Some((token, name_span)) = self.next() else {
            return Err(self.too_short("a clause is missing at the end"));
        };
        let name = match token {
            Token::Word(word) if Operator::TransitiveMemberOf.name().eq_ignore_ascii_case(word) => {
                // `TRANSITIVE_MEMBER_OF "id"` is complete: there is one attribute to be a member with.
                self.at -= 1;
                "memberOf".to_owned()
            }
            Token::Word(word) | Token::Name(word) if !is_joint(word) => word.clone(),
            Token::Open => {
                return Err(Diagnostic::new(
                    "brackets stand around a whole group, and not inside one",
                    *name_span,
                )
                .hint("write `a AND b OR a AND c` for `a AND (b OR c)`"));
            }
            _ => {
                return Err(
                    Diagnostic::new("an attribute's name is expected here", *name_span)
                        .hint("a clause is written as name, operator, value: department EQUALS \"Sales\""),
                );
            }
        };
        let (operator, operator_span) = self.operator(*name_span)?;
        let (value, value_span) = self.value(operator, operator_span)?;
        Ok(Clause {
            name,
            operator,
            value,
            name_span: *name_span,
            operator_span,
            value_span,
        })
    }

    /// Returns the longest run of words that is an operator.
    fn operator(&mut self, name: Span) -> Result<(Operator, Span), Diagnostic> {
        let from = self.at;
        let mut written = String::new();
        let mut found = None;
        let mut span = None;
        while self.at - from < 3 {
            let Some((token, here)) = self.tokens.get(self.at) else {
                break;
            };
            let word = match token {
                Token::Word(word) if !is_joint(word) => word,
                Token::Sign(sign) if written.is_empty() => sign,
                _ => break,
            };
            if !written.is_empty() {
                written.push(' ');
            }
            written.push_str(word);
            self.at += 1;
            let whole = span.map_or(*here, |first: Span| first.to(*here));
            span = Some(whole);
            if let Some(operator) = Operator::find(&written) {
                found = Some((operator, whole, self.at));
            }
        }
        if let Some((operator, whole, at)) = found {
            self.at = at;
            return Ok((operator, whole));
        }
        match span {
            Some(span) => Err(unknown_operator(&written, span)),
            None => Err(Diagnostic::new("an operator is expected after this name", name)
                .hint(format!("the operators are {}", all_operators()))),
        }
    }

    fn value(&mut self, operator: Operator, at: Span) -> Result<(Option<String>, Span), Diagnostic> {
        let given = match self.tokens.get(self.at) {
            Some((Token::Text(text), span)) => Some((text, *span)),
            // A number, True or False needs no quotes.
            Some((Token::Word(word), span)) if !is_joint(word) => Some((word, *span)),
            _ => None,
        };
        match (operator.takes_value(), given) {
            (true, Some((value, span))) => {
                self.at += 1;
                Ok((Some(value.clone()), span))
            }
            (true, None) => Err(Diagnostic::new(format!("{operator} needs a value"), at)
                .hint(format!("write it in quotes: {operator} \"…\""))),
            (false, Some((_, span))) => {
                Err(Diagnostic::new(format!("{operator} takes no value"), span).hint("remove it"))
            }
            (false, None) => Ok((None, at)),
        }
    }

    #[expect(clippy::unused_self, reason = "reads like its siblings")]
    fn left_over(&self, token: &Token, span: Span) -> Diagnostic {
        let problem = Diagnostic::new("AND, OR or the end is expected here", span);
        match token {
            Token::Sign(sign) if sign.starts_with('&') => problem.hint("clauses are joined by AND"),
            Token::Sign(sign) if sign.starts_with('|') => problem.hint("groups are joined by OR"),
            Token::Close => problem.hint("one closing bracket too many"),
            Token::Word(_) | Token::Name(_) | Token::Text(_) => problem.hint("is an AND or an OR missing?"),
            _ => problem,
        }
    }
}

fn is_joint(word: &str) -> bool {
    word.eq_ignore_ascii_case("AND") || word.eq_ignore_ascii_case("OR")
}

fn all_operators() -> String {
    Operator::ALL.map(Operator::name).join(", ")
}

/// The operators' names in other languages.
const FOREIGN: [(&str, &str); 15] = [
    ("=", "EQUALS"),
    ("==", "EQUALS"),
    ("eq", "EQUALS"),
    ("!=", "NOT EQUALS"),
    ("<>", "NOT EQUALS"),
    ("ne", "NOT EQUALS"),
    (">", "Greater_Than"),
    ("gt", "Greater_Than"),
    (">=", "Greater_Than_OR_EQUALS"),
    ("ge", "Greater_Than_OR_EQUALS"),
    ("contains", "Includes"),
    ("co", "Includes"),
    ("endsWith", "ENDS_WITH"),
    ("matches", "REGEX MATCH"),
    ("startsWith", "REGEX MATCH \"^…\""),
];

fn unknown_operator(written: &str, span: Span) -> Diagnostic {
    let problem = Diagnostic::new(format!("no operator `{written}`"), span);
    let foreign = FOREIGN
        .iter()
        .find(|(foreign, _)| foreign.eq_ignore_ascii_case(written))
        .map(|(_, ours)| *ours);
    match foreign.or_else(|| nearest(written, Operator::ALL.map(Operator::name))) {
        Some(near) => problem.hint(format!("did you mean `{near}`?")),
        None => problem.hint(format!("the operators are {}", all_operators())),
    }
}

//! Splits the text of an expression into tokens. Positions are bytes of the text as it was written.

use super::diagnostic::{Diagnostic, Span};

/// A comparison, as written inside a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `<>`
    NotEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
}

impl Comparison {
    /// Returns the sign as it is written.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Equal => "=",
            Self::NotEqual => "<>",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
        }
    }
}

/// One token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// A bare word: a function's name.
    Word(String),
    /// `[name]`, without the brackets and the blanks inside them.
    Attribute(String),
    /// `"text"`, its escapes resolved.
    Text(String),
    /// A whole number, decimal or `&H` hexadecimal.
    Number(i64),
    /// `(`
    Open,
    /// `)`
    Close,
    /// `,`
    Comma,
    /// A comparison sign.
    Comparison(Comparison),
}

/// Returns all tokens with their positions, or the first character that fits nowhere.
///
/// # Errors
/// An open text constant or bracket, an unknown escape, a number that is not whole, a stray character.
pub fn tokenize(text: &str) -> Result<Vec<(Token, Span)>, Diagnostic> {
    let mut scanner = Scanner { text, at: 0 };
    let mut tokens = Vec::new();
    while let Some(first) = scanner.peek() {
        let start = scanner.at;
        if first.is_whitespace() {
            scanner.bump();
            continue;
        }
        let token = scanner.token(first)?;
        tokens.push((token, Span::new(start, scanner.at)));
    }
    Ok(tokens)
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn bump(&mut self) -> Option<char> {
        let next = self.peek()?;
        self.at += next.len_utf8();
        Some(next)
    }

    fn take_while(&mut self, fits: impl Fn(char) -> bool) -> String {
        let mut taken = String::new();
        while let Some(c) = self.peek().filter(|c| fits(*c)) {
            taken.push(c);
            self.bump();
        }
        taken
    }

    fn token(&mut self, first: char) -> Result<Token, Diagnostic> {
        match first {
            '(' => Ok(self.single(Token::Open)),
            ')' => Ok(self.single(Token::Close)),
            ',' => Ok(self.single(Token::Comma)),
            '=' => Ok(self.single(Token::Comparison(Comparison::Equal))),
            '<' | '>' => Ok(self.comparison()),
            '"' => self.text_constant(),
            '[' => self.attribute(),
            '&' | '-' | '0'..='9' => self.number(),
            c if c.is_alphabetic() || c == '_' => Ok(Token::Word(
                self.take_while(|c| c.is_alphanumeric() || matches!(c, '_' | '.')),
            )),
            c => Err(self.stray(c)),
        }
    }

    fn single(&mut self, token: Token) -> Token {
        self.bump();
        token
    }

    fn comparison(&mut self) -> Token {
        let first = self.bump();
        let second = self.peek();
        let (comparison, two) = match (first, second) {
            (Some('<'), Some('>')) => (Comparison::NotEqual, true),
            (Some('<'), Some('=')) => (Comparison::LessOrEqual, true),
            (Some('<'), _) => (Comparison::Less, false),
            (_, Some('=')) => (Comparison::GreaterOrEqual, true),
            _ => (Comparison::Greater, false),
        };
        if two {
            self.bump();
        }
        Token::Comparison(comparison)
    }

    fn text_constant(&mut self) -> Result<Token, Diagnostic> {
        let start = self.at;
        self.bump();
        let mut text = String::new();
        loop {
            let here = self.at;
            match self.bump() {
                Some('"') => return Ok(Token::Text(text)),
                Some('\\') => match self.bump() {
                    Some(c @ ('"' | '\\')) => text.push(c),
                    // If it were left as it is, `\d` would mean one thing here and perhaps another in Entra.
                    _ => {
                        return Err(Diagnostic::new(
                            "a backslash inside a text constant stands before `\"` or another backslash only",
                            Span::new(here, self.at),
                        )
                        .hint("write `\\\\` for one backslash"));
                    }
                },
                Some(c) => text.push(c),
                None => {
                    return Err(Diagnostic::new(
                        "this text constant has no closing quote",
                        Span::new(start, start + 1),
                    )
                    .hint("close it with `\"`"));
                }
            }
        }
    }

    fn attribute(&mut self) -> Result<Token, Diagnostic> {
        let start = self.at;
        self.bump();
        let name = self.take_while(|c| !matches!(c, ']' | '[' | '(' | ')' | ',' | '"' | '\n'));
        if self.peek() != Some(']') {
            return Err(
                Diagnostic::new("this attribute has no closing bracket", Span::new(start, self.at))
                    .hint("write it as `[name]`"),
            );
        }
        self.bump();
        let name = name.trim();
        if name.is_empty() {
            return Err(Diagnostic::new(
                "there is no attribute name in the brackets",
                Span::new(start, self.at),
            )
            .hint("write it as `[name]`"));
        }
        Ok(Token::Attribute(name.to_owned()))
    }

    fn number(&mut self) -> Result<Token, Diagnostic> {
        let start = self.at;
        let negative = self.peek() == Some('-');
        if negative {
            self.bump();
        }
        let rest = &self.text[self.at..];
        let (radix, digits) = if rest.starts_with("&H") || rest.starts_with("&h") {
            self.at += 2;
            (16, self.take_while(|c| c.is_ascii_hexdigit()))
        } else {
            (10, self.take_while(|c| c.is_ascii_digit() || c == '.'))
        };
        let signed = if negative { format!("-{digits}") } else { digits };
        if let Ok(number) = i64::from_str_radix(&signed, radix) {
            return Ok(Token::Number(number));
        }
        if self.at == start {
            // Only `&` without `H` gets here without having moved.
            return Err(self.stray('&'));
        }
        Err(
            Diagnostic::new("this is not a whole number", Span::new(start, self.at))
                .hint("write it as `42`, `-1` or `&H2A`"),
        )
    }

    fn stray(&mut self, c: char) -> Diagnostic {
        let start = self.at;
        self.bump();
        let problem = Diagnostic::new(
            format!("`{}` has no meaning in an expression", c.escape_debug()),
            Span::new(start, self.at),
        );
        match c {
            '\'' | '“' | '”' | '„' | '‘' | '’' => {
                problem.hint("text constants stand in straight double quotes")
            }
            '&' => problem.hint("texts are put together with Join(\"\", …) or Append"),
            ']' => problem.hint("an attribute is written as `[name]`"),
            '{' | '}' => {
                problem.hint("expressions have round brackets for arguments, square ones for attributes")
            }
            _ => problem,
        }
    }
}

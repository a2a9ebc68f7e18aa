//! Filters (RFC 7644 section 3.4.2.2), parsed and evaluated.
//!
//! Unknown attributes and bad syntax are refused, never answered with an empty list.

use serde_json::Value;

use super::WorkspaceOptions;
use super::error::ScimError;
use super::place::Place;
use super::place::place;
use super::schema;
use super::schema::Attribute;
use super::schema::Type;

#[derive(Clone, Debug)]
pub(super) enum Filter {
    And(Box<Filter>, Box<Filter>),
    Or(Box<Filter>, Box<Filter>),
    Not(Box<Filter>),
    Compare {
        place: Place,
        op: Op,
        value: Value,
    },
    /// `emails[type eq "work"]`, and Entra's `emails[type eq "work"].value eq "x"` with the comparison as `then`.
    Element {
        place: Place,
        inner: Box<Filter>,
        then: Option<(&'static Attribute, Op, Value)>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Eq,
    Ne,
    Co,
    Sw,
    Ew,
    Gt,
    Ge,
    Lt,
    Le,
    Pr,
}

fn op(text: &str) -> Option<Op> {
    Some(match text.to_ascii_lowercase().as_str() {
        "eq" => Op::Eq,
        "ne" => Op::Ne,
        "co" => Op::Co,
        "sw" => Op::Sw,
        "ew" => Op::Ew,
        "gt" => Op::Gt,
        "ge" => Op::Ge,
        "lt" => Op::Lt,
        "le" => Op::Le,
        "pr" => Op::Pr,
        _ => return None,
    })
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Open,
    Close,
    OpenElement,
    CloseElement,
    Word(String),
    Text(String),
}

fn tokens(text: &str) -> Result<Vec<Token>, ScimError> {
    let mut out = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let single = match first {
            '(' => Some(Token::Open),
            ')' => Some(Token::Close),
            '[' => Some(Token::OpenElement),
            ']' => Some(Token::CloseElement),
            _ => None,
        };
        if let Some(token) = single {
            out.push(token);
            rest = &rest[1..];
        } else if first.is_whitespace() {
            rest = rest.trim_start();
        } else if first == '"' {
            let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<String>();
            let Some(Ok(value)) = stream.next() else {
                return Err(ScimError::filter("a string is not closed"));
            };
            rest = &rest[stream.byte_offset()..];
            out.push(Token::Text(value));
        } else {
            let end = rest
                .find(|c: char| c.is_whitespace() || "()[]\"".contains(c))
                .unwrap_or(rest.len());
            out.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
    }
    Ok(out)
}

struct Reader<'a> {
    kind: Type,
    options: &'a WorkspaceOptions,
    tokens: std::iter::Peekable<std::vec::IntoIter<Token>>,
    /// Inside `attr[…]`, names are sub-attributes of this.
    element: Option<&'static Attribute>,
}

/// Parses a whole filter.
pub(super) fn parse(kind: Type, text: &str, options: &WorkspaceOptions) -> Result<Filter, ScimError> {
    let plain = |c: char| c.is_alphanumeric() || "@._- ".contains(c);
    let special = |token: &Token| matches!(token, Token::Text(text) if !text.chars().all(plain));
    if options.odd.special_characters_fail && tokens(text)?.iter().any(special) {
        return Err(ScimError::filter(
            "the value holds a character that is not supported",
        ));
    }
    let mut reader = Reader {
        kind,
        options,
        tokens: tokens(text)?.into_iter().peekable(),
        element: None,
    };
    let filter = reader.any()?;
    match reader.tokens.next() {
        None => Ok(filter),
        Some(_) => Err(ScimError::filter("something follows the end of the filter")),
    }
}

/// Parses a filter over the sub-attributes of a multi-valued attribute: the inside of a PATCH path's brackets.
pub(super) fn parse_inside(
    kind: Type,
    attribute: &'static Attribute,
    text: &str,
    options: &WorkspaceOptions,
) -> Result<Filter, ScimError> {
    let mut reader = Reader {
        kind,
        options,
        tokens: tokens(text)?.into_iter().peekable(),
        element: Some(attribute),
    };
    let filter = reader.any()?;
    match reader.tokens.next() {
        None => Ok(filter),
        Some(_) => Err(ScimError::path("something follows the end of the value filter")),
    }
}

impl Reader<'_> {
    fn word(&mut self, wanted: &str) -> bool {
        let found =
            matches!(self.tokens.peek(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(wanted));
        if found {
            self.tokens.next();
        }
        found
    }

    fn expect(&mut self, token: Token) -> Result<(), ScimError> {
        match self.tokens.next() {
            Some(found) if found == token => Ok(()),
            _ => Err(ScimError::filter(&format!("expected {token:?}"))),
        }
    }

    fn any(&mut self) -> Result<Filter, ScimError> {
        let mut left = self.all()?;
        while self.word("or") {
            left = Filter::Or(Box::new(left), Box::new(self.all()?));
        }
        Ok(left)
    }

    fn all(&mut self) -> Result<Filter, ScimError> {
        let mut left = self.one()?;
        while self.word("and") {
            left = Filter::And(Box::new(left), Box::new(self.one()?));
        }
        Ok(left)
    }

    fn one(&mut self) -> Result<Filter, ScimError> {
        if self.word("not") {
            self.expect(Token::Open)?;
            let inner = self.any()?;
            self.expect(Token::Close)?;
            return Ok(Filter::Not(Box::new(inner)));
        }
        if self.tokens.peek() == Some(&Token::Open) {
            self.tokens.next();
            let inner = self.any()?;
            self.expect(Token::Close)?;
            return Ok(inner);
        }
        let Some(Token::Word(name)) = self.tokens.next() else {
            return Err(ScimError::filter("expected an attribute"));
        };
        let place = self.place(&name)?;
        if self.tokens.peek() == Some(&Token::OpenElement) {
            return self.element_filter(place);
        }
        let (op, value) = self.comparison()?;
        Ok(Filter::Compare { place, op, value })
    }

    fn place(&self, name: &str) -> Result<Place, ScimError> {
        let unknown = || ScimError::filter(&format!("attribute {name} is not in the schema"));
        match self.element {
            Some(element) => {
                let sub = schema::find_sub(element, name).ok_or_else(unknown)?;
                Ok(Place {
                    urn: None,
                    attribute: Some(sub),
                    sub: None,
                })
            }
            None => place(self.kind, name, self.options).map_err(|_| unknown()),
        }
    }

    fn element_filter(&mut self, place: Place) -> Result<Filter, ScimError> {
        let attribute = place
            .attribute
            .filter(|a| a.many && self.element.is_none() && place.sub.is_none());
        let Some(attribute) = attribute else {
            return Err(ScimError::filter("a value filter needs a multi-valued attribute"));
        };
        self.tokens.next();
        self.element = Some(attribute);
        let inner = self.any()?;
        self.element = None;
        self.expect(Token::CloseElement)?;
        let then = match self.tokens.peek() {
            Some(Token::Word(word)) if word.starts_with('.') => {
                let name = word[1..].to_owned();
                self.tokens.next();
                let sub = schema::find_sub(attribute, &name)
                    .ok_or_else(|| ScimError::filter("unknown sub-attribute"))?;
                let (op, value) = self.comparison()?;
                Some((sub, op, value))
            }
            _ => None,
        };
        Ok(Filter::Element {
            place,
            inner: Box::new(inner),
            then,
        })
    }

    fn comparison(&mut self) -> Result<(Op, Value), ScimError> {
        let found = match self.tokens.next() {
            Some(Token::Word(word)) => op(&word),
            _ => None,
        };
        let Some(op) = found else {
            return Err(ScimError::filter("expected an operator"));
        };
        if op == Op::Pr {
            return Ok((op, Value::Null));
        }
        match self.tokens.next() {
            Some(Token::Text(text)) => Ok((op, text.into())),
            Some(Token::Word(word)) => {
                let value = serde_json::from_str(&word.to_ascii_lowercase());
                value
                    .map(|value| (op, value))
                    .map_err(|_| ScimError::filter("a value must be a JSON value"))
            }
            _ => Err(ScimError::filter("expected a value")),
        }
    }
}

/// Returns whether the resource (or, inside brackets, the element) matches.
pub(super) fn matches(filter: &Filter, resource: &Value, options: &WorkspaceOptions) -> bool {
    match filter {
        Filter::And(a, b) => matches(a, resource, options) && matches(b, resource, options),
        Filter::Or(a, b) => matches(a, resource, options) || matches(b, resource, options),
        Filter::Not(inner) => !matches(inner, resource, options),
        Filter::Compare { place, op, value } => {
            let exact = place.leaf().is_some_and(|leaf| leaf.case_exact) || options.case_sensitive_filters;
            let held = values(place, resource);
            match op {
                Op::Pr => held.iter().any(|value| !value.is_null()),
                Op::Ne => !held.iter().any(|held| compare(held, Op::Eq, value, exact)),
                _ => held.iter().any(|held| compare(held, *op, value, exact)),
            }
        }
        Filter::Element { place, inner, then } => {
            let base = place.urn.map_or(Some(resource), |urn| resource.get(urn));
            let list = place
                .attribute
                .and_then(|a| base?.get(a.name))
                .and_then(Value::as_array);
            list.into_iter().flatten().any(|element| {
                matches(inner, element, options)
                    && then.as_ref().is_none_or(|(sub, op, value)| {
                        element
                            .get(sub.name)
                            .is_some_and(|held| compare(held, *op, value, sub.case_exact))
                    })
            })
        }
    }
}

/// Returns every value at the place: of a multi-valued complex attribute its `value`s where no sub-attribute is named.
fn values<'a>(place: &Place, resource: &'a Value) -> Vec<&'a Value> {
    let base = place.urn.map_or(Some(resource), |urn| resource.get(urn));
    let Some(attribute) = place.attribute else {
        return base.into_iter().collect();
    };
    let Some(held) = base.and_then(|base| base.get(attribute.name)) else {
        return Vec::new();
    };
    let name = place.sub.map_or("value", |sub| sub.name);
    match held {
        Value::Array(items) => items
            .iter()
            .filter_map(|item| {
                if item.is_object() {
                    item.get(name)
                } else {
                    Some(item)
                }
            })
            .collect(),
        Value::Object(_) => held.get(name).into_iter().collect(),
        other => vec![other],
    }
}

fn compare(held: &Value, op: Op, wanted: &Value, exact: bool) -> bool {
    let (Some(held_text), Some(wanted_text)) = (held.as_str(), wanted.as_str()) else {
        return op == Op::Eq && held == wanted;
    };
    let fold = |text: &str| {
        if exact {
            text.to_owned()
        } else {
            text.to_lowercase()
        }
    };
    let (held, wanted) = (fold(held_text), fold(wanted_text));
    match op {
        Op::Eq => held == wanted,
        Op::Ne => held != wanted,
        Op::Co => held.contains(&wanted),
        Op::Sw => held.starts_with(&wanted),
        Op::Ew => held.ends_with(&wanted),
        Op::Gt => held > wanted,
        Op::Ge => held >= wanted,
        Op::Lt => held < wanted,
        Op::Le => held <= wanted,
        Op::Pr => true,
    }
}

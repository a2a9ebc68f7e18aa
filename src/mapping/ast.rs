//! The tree of an expression as it was written, before names and types are checked.
//!
//! Promise: printing a tree and parsing the print gives the same tree.

use std::fmt;

use super::{diagnostic::Span, token::Comparison};

/// A node with its place in the text. Two nodes are equal when they mean the same, wherever they stand.
#[derive(Debug, Clone)]
pub struct Expr {
    /// The node itself.
    pub node: Node,
    /// Its place in the text.
    pub span: Span,
}

/// The kinds of nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// `[name]`
    Attribute(String),
    /// `"text"`
    Text(String),
    /// `42`
    Number(i64),
    /// A bare word, as `vbTextCompare`.
    Word(String),
    /// `Name(argument, , argument)`: an argument that is left out is `None`.
    Call {
        /// The name as written.
        name: String,
        /// The place of the name.
        name_span: NameSpan,
        /// The arguments.
        arguments: Vec<Option<Expr>>,
    },
    /// `left = right`, inside a condition.
    Compare {
        /// Left side.
        left: Box<Expr>,
        /// The sign.
        comparison: Comparison,
        /// Right side.
        right: Box<Expr>,
    },
}

/// The place of a function's name; equal to every other one, so that trees compare by meaning.
#[derive(Debug, Clone, Copy, Default)]
pub struct NameSpan(pub Span);

impl PartialEq for NameSpan {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for NameSpan {}

impl PartialEq for Expr {
    fn eq(&self, other: &Self) -> bool {
        self.node == other.node
    }
}

impl Eq for Expr {}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.node {
            Node::Attribute(name) => write!(f, "[{name}]"),
            Node::Text(text) => {
                write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
            }
            Node::Number(number) => write!(f, "{number}"),
            Node::Word(word) => f.write_str(word),
            Node::Call { name, arguments, .. } => {
                write!(f, "{name}(")?;
                for (index, argument) in arguments.iter().enumerate() {
                    if index > 0 {
                        f.write_str(", ")?;
                    }
                    if let Some(argument) = argument {
                        write!(f, "{argument}")?;
                    }
                }
                f.write_str(")")
            }
            Node::Compare {
                left,
                comparison,
                right,
            } => {
                write!(f, "{left} {} {right}", comparison.sign())
            }
        }
    }
}
